//===- Compiler.cpp - Compiling attention, from C -------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// flash-c/Compiler.h over flash::Executable.
//
//===----------------------------------------------------------------------===//

#include "flash-c/Compiler.h"

#include "Function.h"
#include "flash/InitAll.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
using namespace flash;
using rt::Result;
using rt::Status;

static thread_local std::string lastError;

int capi::report(const Status &status) {
  if (status.ok())
    return 0;
  lastError = status.message();
  return 1;
}

const char *flashGetLastError(void) { return lastError.c_str(); }

/// Reads `entry=f; split-kv=2`.
static Status parseOptions(StringRef text, std::string &entry,
                           CompileOptions &options) {
  SmallVector<StringRef> settings;
  text.split(settings, ';');
  for (StringRef setting : settings) {
    auto [key, value] = setting.split('=');
    key = key.trim();
    value = value.trim();
    if (key.empty() && value.empty())
      continue;
    if (key == "entry")
      entry = value.str();
    else if (key == "schedule")
      options.schedule = value.str();
    else if (key == "schedule-table")
      options.scheduleTable = value.str();
    else if (key == "passes")
      options.passes = value.str();
    else if (key != "split-kv")
      return Status::error("there is no option '" + key.str() +
                           "'; there are entry, schedule, schedule-table, "
                           "split-kv and passes");
    else if (value.getAsInteger(10, options.splitKV) || options.splitKV < 0)
      return Status::error("split-kv must be a number, not '" + value.str() +
                           "'");
  }
  return Status::success();
}

static Status compile(FlashFunction &function, StringRef text, StringRef target,
                      StringRef optionText) {
  CompileOptions options;
  options.target = target == "auto" ? chooseTarget() : target.str();
  function.target = options.target;
  std::string entry;
  Status status = parseOptions(optionText, entry, options);
  if (status.failed())
    return status;

  DialectRegistry registry;
  registerAllDialects(registry);
  function.context.appendDialectRegistry(registry);
  {
    llvm::SourceMgr sources;
    sources.AddNewSourceBuffer(
        llvm::MemoryBuffer::getMemBufferCopy(text, "program"), llvm::SMLoc());
    DiagnosticCollector diagnostics(&function.context);
    function.module = parseSourceFile<ModuleOp>(sources, &function.context);
    if (!function.module)
      return diagnostics.takeError("the program does not parse");
  }
  Result<func::FuncOp> func = findEntry(*function.module, entry);
  if (func.failed())
    return func.status();
  function.func = *func;
  Result<FunctionSignature> signature = FunctionSignature::get(*func);
  if (signature.failed())
    return signature.status();
  function.signature = std::move(*signature);
  for (Type type : func->getArgumentTypes()) {
    std::vector<int64_t> dims;
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      for (int64_t size : tensor.getShape())
        dims.push_back(ShapedType::isDynamic(size) ? -1 : size);
    function.argumentDims.push_back(std::move(dims));
  }
  Result<std::unique_ptr<Executable>> executable =
      Executable::compile(*func, options);
  if (executable.failed())
    return executable.status();
  function.executable = std::move(*executable);
  return Status::success();
}

FlashFunction *flashCompile(const char *text, size_t length, const char *target,
                            const char *options) {
  if (!text || !target) {
    capi::report(Status::error("flashCompile needs a text and a target"));
    return nullptr;
  }
  auto function = std::make_unique<FlashFunction>();
  if (capi::report(compile(*function, StringRef(text, length), target,
                           options ? options : "")))
    return nullptr;
  return function.release();
}

void flashFunctionDestroy(FlashFunction *function) { delete function; }

int32_t flashFunctionGetNumArguments(const FlashFunction *function) {
  return function->signature.arguments.size();
}

int32_t flashFunctionGetNumResults(const FlashFunction *function) {
  return function->signature.results.size();
}

static FlashType convertType(rt::DType type) {
  switch (type) {
  case rt::DType::F16:
    return FLASH_F16;
  case rt::DType::BF16:
    return FLASH_BF16;
  case rt::DType::I32:
    return FLASH_I32;
  case rt::DType::I64:
    return FLASH_I64;
  case rt::DType::F64:
    return FLASH_F64;
  case rt::DType::I8:
    return FLASH_I8;
  case rt::DType::I1:
    return FLASH_I1;
  case rt::DType::F8E4M3FN:
    return FLASH_F8E4M3FN;
  case rt::DType::F8E5M2:
    return FLASH_F8E5M2;
  case rt::DType::F32:
    return FLASH_F32;
  }
  llvm_unreachable("unknown type");
}

int flashFunctionGetArgument(const FlashFunction *function, int32_t index,
                             FlashValueInfo *info) {
  if (index < 0 || index >= flashFunctionGetNumArguments(function))
    return capi::report(
        Status::error("there is no argument " + std::to_string(index)));
  const SignatureArgument &argument = function->signature.arguments[index];
  const std::vector<int64_t> &dims = function->argumentDims[index];
  *info = {argument.name.c_str(),
           argument.isIndex  ? FLASH_INDEX
           : argument.isReal ? FLASH_REAL
                             : convertType(argument.dtype),
           int32_t(dims.size()), dims.data()};
  return 0;
}

int flashFunctionGetResult(const FlashFunction *function, int32_t index,
                           FlashValueInfo *info) {
  if (index < 0 || index >= flashFunctionGetNumResults(function))
    return capi::report(
        Status::error("there is no result " + std::to_string(index)));
  const SignatureResult &result = function->signature.results[index];
  *info = {result.name.c_str(), convertType(result.dtype), result.rank,
           result.sizes.data()};
  return 0;
}

int flashFunctionIsOnDevice(const FlashFunction *function) {
  return function->executable->onDevice();
}

/// What the compiler chose and how long its stages took, as JSON.
static std::string describe(const FlashFunction &function) {
  using llvm::json::Array;
  using llvm::json::Object;
  Object compile;
  double total = 0;
  for (const StageTime &stage : function.executable->stages) {
    compile[stage.name] = stage.milliseconds;
    total += stage.milliseconds;
  }
  compile["total"] = total;
  return llvm::formatv("{0}",
                       llvm::json::Value(Object{
                           {"target", function.target},
                           {"schedules", Array(function.executable->schedules)},
                           {"schedule_sources",
                            Array(function.executable->scheduleSources)},
                           {"remarks", Array(function.executable->remarks)},
                           {"compile_ms", std::move(compile)}}))
      .str();
}

const char *flashFunctionGetCode(FlashFunction *function, const char *kind,
                                 size_t *size) {
  std::lock_guard<std::mutex> lock(function->mutex);
  StringRef what = kind ? kind : "";
  Result<std::string> code = what == "report"
                                 ? Result<std::string>(describe(*function))
                                 : function->executable->emit(what);
  if (code.failed()) {
    capi::report(code.status());
    return nullptr;
  }
  function->code = std::move(*code);
  if (size)
    *size = function->code.size();
  return function->code.c_str();
}
