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
#include "NumberLocale.h"
#include "flash/Compiler/Executable.h"
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

namespace {

/// A function that was compiled in this process.
struct CompiledFunction : FlashFunction {
  const rt::CallPlan &plan() const override { return executable->plan(); }
  bool onDevice() const override { return executable->onDevice(); }
  Status prepare() override { return executable->prepare(); }
  Status launch(const rt::CallArgument *arguments,
                const rt::CallArgument *results, rt::cuda::Stream stream,
                const rt::Workspace *workspace) override {
    return executable->launch(arguments, results, stream, workspace);
  }
  Result<std::string> getCode(const std::string &kind) override;

  // Members are destroyed last to first: the context outlives what is in it.
  MLIRContext context{MLIRContext::Threading::DISABLED};
  OwningOpRef<ModuleOp> module;
  std::string target;
  std::unique_ptr<Executable> executable;
};

} // namespace

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

static Result<std::unique_ptr<Executable>>
compileAnew(CompiledFunction &function, StringRef text, StringRef entry,
            const CompileOptions &options) {
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
  return Executable::compile(*func, options);
}

static Status compile(CompiledFunction &function, StringRef text,
                      StringRef target, StringRef optionText) {
  CompileOptions options;
  options.target = target == "auto" ? chooseTarget() : target.str();
  function.target = options.target;
  std::string entry;
  Status status = parseOptions(optionText, entry, options);
  if (status.failed())
    return status;

  Result<std::unique_ptr<Executable>> executable =
      Executable::compileCached(text, entry, options, [&] {
        return compileAnew(function, text, entry, options);
      });
  if (executable.failed())
    return executable.status();
  function.executable = std::move(*executable);
  function.describe();
  return Status::success();
}

FlashFunction *flashCompile(const char *text, size_t length, const char *target,
                            const char *options) {
  if (!text || !target) {
    capi::report(Status::error("flashCompile needs a text and a target"));
    return nullptr;
  }
  capi::NumberLocale numbers;
  auto function = std::make_unique<CompiledFunction>();
  if (capi::report(compile(*function, StringRef(text, length), target,
                           options ? options : "")))
    return nullptr;
  return function.release();
}

/// What the compiler chose and how long its stages took, as JSON.
static std::string describeCompilation(const CompiledFunction &function) {
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
                           {"from_cache", function.executable->isFromCache},
                           {"compile_ms", std::move(compile)}}))
      .str();
}

Result<std::string> CompiledFunction::getCode(const std::string &kind) {
  return kind == "report" ? Result<std::string>(describeCompilation(*this))
                          : executable->emit(kind);
}
