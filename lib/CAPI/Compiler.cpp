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

#include "CompiledFunction.h"
#include "NumberLocale.h"
#include "flash/InitAll.h"
#include "flash/Target/AssemblePTX.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
using namespace flash;
using rt::Result;
using rt::Status;

using capi::CompiledFunction;

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

Result<func::FuncOp> capi::parse(const CompiledFunction &function,
                                 MLIRContext &context,
                                 OwningOpRef<ModuleOp> &module) {
  DialectRegistry registry;
  registerAllDialects(registry);
  context.appendDialectRegistry(registry);
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(
      llvm::MemoryBuffer::getMemBufferCopy(function.text, "program"),
      llvm::SMLoc());
  DiagnosticCollector diagnostics(&context);
  module = parseSourceFile<ModuleOp>(sources, &context);
  if (!module)
    return diagnostics.takeError("the program does not parse");
  return findEntry(*module, function.entry);
}

static Result<std::unique_ptr<Executable>>
compileAnew(CompiledFunction &function) {
  function.context =
      std::make_unique<MLIRContext>(MLIRContext::Threading::DISABLED);
  Result<func::FuncOp> func =
      capi::parse(function, *function.context, function.module);
  if (func.failed())
    return func.status();
  return Executable::compile(*func, function.options);
}

static Status compile(CompiledFunction &function, StringRef optionText) {
  CompileOptions &options = function.options;
  if (options.target == "auto")
    options.target = chooseTarget();
  Status status = parseOptions(optionText, function.entry, options);
  if (status.failed())
    return status;
  options.deferAssembly = true;
  Result<std::unique_ptr<Executable>> executable =
      Executable::compileCached(function.text, function.entry, options,
                                [&] { return compileAnew(function); });
  if (executable.failed())
    return executable.status();
  function.executable = std::move(*executable);
  function.describe();
  return Status::success();
}

int flashSetToolPath(const char *tool, const char *path) {
  if (tool && setToolPath(tool, path ? path : ""))
    return 0;
  return capi::report(Status::error("there is no tool '" +
                                    std::string(tool ? tool : "") +
                                    "'; there are ptxas and nvJitLink"));
}

FlashFunction *flashCompile(const char *text, size_t length, const char *target,
                            const char *options) {
  if (!text || !target) {
    capi::report(Status::error("flashCompile needs a text and a target"));
    return nullptr;
  }
  capi::NumberLocale numbers;
  auto function = std::make_unique<CompiledFunction>();
  function->text.assign(text, length);
  function->options.target = target;
  if (capi::report(compile(*function, options ? options : "")))
    return nullptr;
  return function.release();
}

/// What the compiler chose and how long its stages took, as JSON; waits for the
/// last of them.
static Result<std::string>
describeCompilation(const CompiledFunction &function) {
  using llvm::json::Array;
  using llvm::json::Object;
  if (Status status = function.executable->finish(); status.failed())
    return status;
  Object compile;
  double total = 0;
  for (const StageTime &stage : function.executable->stages) {
    compile[stage.name] = stage.milliseconds;
    total += stage.milliseconds;
  }
  compile["total"] = total;
  return llvm::formatv("{0}",
                       llvm::json::Value(Object{
                           {"target", function.options.target},
                           {"schedules", Array(function.executable->schedules)},
                           {"schedule_sources",
                            Array(function.executable->scheduleSources)},
                           {"remarks", Array(function.executable->remarks)},
                           {"assembler", function.executable->assembler},
                           {"assembler_log", function.executable->assemblerLog},
                           {"from_cache", function.executable->isFromCache},
                           {"compile_ms", std::move(compile)}}))
      .str();
}

Result<std::string> CompiledFunction::getCode(const std::string &kind) {
  if (kind == "report")
    return describeCompilation(*this);
  if (kind.size() == 2 && kind[0] == 'L')
    return capi::printLevel(*this, kind);
  return executable->emit(kind);
}
