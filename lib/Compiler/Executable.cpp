//===- Executable.cpp - A function, compiled for a target -----------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part that targets share: L0 (split, schedule), L1, L2. What is compiled
// is a copy of the one function, so that the caller's module stays at L0 for
// the reference, and other functions of a file are none of our business.
//
//===----------------------------------------------------------------------===//

#include "flash/Compiler/Executable.h"

#include "KnownArguments.h"
#include "Pipeline.h"
#include "flash/Compiler/InlineCalls.h"
#include "flash/Dialect/Flash/Analysis/ScheduleTable.h"
#include "flash/Dialect/Flash/Transforms/Passes.h"
#include "flash/Target/BuildProgram.h"
#include "flash/Target/CPUInfo.h"
#include "flash/Target/TargetInfo.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace flash;
using rt::Result;
using rt::Status;

//===----------------------------------------------------------------------===//
// Diagnostics
//===----------------------------------------------------------------------===//

DiagnosticCollector::DiagnosticCollector(MLIRContext *context)
    : context(context) {
  id = context->getDiagEngine().registerHandler([this](Diagnostic &diagnostic) {
    bool isError = diagnostic.getSeverity() == DiagnosticSeverity::Error;
    if (isError && !first.empty())
      return success();
    std::string line;
    llvm::raw_string_ostream os(line);
    if (auto file = diagnostic.getLocation()->findInstanceOf<FileLineColLoc>())
      os << file.getFilename().getValue() << ":" << file.getLine() << ":"
         << file.getColumn() << ": ";
    // One line: some messages print IR.
    auto add = [&](const Diagnostic &part) {
      std::string text = part.str();
      os << StringRef(text).take_until([](char c) { return c == '\n'; });
    };
    if (diagnostic.getSeverity() == DiagnosticSeverity::Warning)
      os << "warning: ";
    add(diagnostic);
    for (Diagnostic &note : diagnostic.getNotes()) {
      // The operation's text, which MLIR adds, is long.
      if (StringRef(note.str()).starts_with("see current operation"))
        continue;
      os << "; note: ";
      add(note);
    }
    if (isError)
      first = std::move(line);
    else
      remarks.push_back(std::move(line));
    return success();
  });
}

DiagnosticCollector::~DiagnosticCollector() {
  context->getDiagEngine().eraseHandler(id);
}

Status DiagnosticCollector::takeError(StringRef fallback) const {
  return Status::error(first.empty() ? fallback.str() : first);
}

//===----------------------------------------------------------------------===//
// Pipeline
//===----------------------------------------------------------------------===//

Status compiler::Pipeline::time(StringRef name, function_ref<Status()> run) {
  if (options.observer)
    options.observer->beginStage(name);
  auto begin = std::chrono::steady_clock::now();
  Status status = run();
  stages.push_back({name.str(), std::chrono::duration<double, std::milli>(
                                    std::chrono::steady_clock::now() - begin)
                                    .count()});
  if (options.observer)
    options.observer->endStage();
  return status;
}

Status compiler::Pipeline::runPasses(ModuleOp module,
                                     const CompileOptions &options,
                                     function_ref<void(OpPassManager &)> build,
                                     const DiagnosticCollector &diagnostics,
                                     const Twine &failure) {
  PassManager manager(module.getContext());
  build(manager);
  if (options.observer)
    if (Status status = options.observer->configure(manager); status.failed())
      return status;
  if (succeeded(manager.run(module)))
    return Status::success();
  return diagnostics.takeError(failure.str());
}

Status compiler::Pipeline::lower(StringRef level,
                                 function_ref<void(OpPassManager &)> build) {
  MLIRContext *context = module->getContext();
  DiagnosticCollector diagnostics(context);
  Status status = time(level, [&] {
    auto buildVerified = [&](OpPassManager &manager) {
      build(manager);
      VerifyLevelOptions verify;
      verify.level = level.str();
      manager.addPass(createVerifyLevel(verify));
    };
    return runPasses(*module, options, buildVerified, diagnostics,
                     "a pass to " + level + " failed");
  });
  // The same of each kernel is said once.
  for (const std::string &remark : diagnostics.getRemarks())
    if (!llvm::is_contained(remarks, remark))
      remarks.push_back(remark);
  if (status.ok() && options.onLevel)
    options.onLevel(level, *module);
  return status;
}

//===----------------------------------------------------------------------===//
// Targets
//===----------------------------------------------------------------------===//

/// The compute capability of `sm_90a`, 90; and whether code for it runs on
/// newer devices (it does not when a letter follows).
static std::pair<int, bool> parseArchitecture(StringRef target) {
  int number = 0;
  StringRef digits = target;
  if (!digits.consume_front("sm_"))
    return {0, false};
  StringRef letters = digits.drop_while(llvm::isDigit);
  if (digits.drop_back(letters.size()).getAsInteger(10, number))
    return {0, false};
  return {number, letters.empty()};
}

static Result<rt::cuda::DeviceInfo> findDevice() {
  Result<const rt::cuda::Driver *> driver = rt::cuda::Driver::get();
  if (driver.failed())
    return driver.status();
  Result<int> count = rt::cuda::deviceCount(**driver);
  if (count.failed())
    return count.status();
  if (*count == 0)
    return Status::error("the CUDA driver sees no device");
  return rt::cuda::deviceInfo(**driver);
}

std::string flash::chooseTarget() {
  Result<rt::cuda::DeviceInfo> device = findDevice();
  if (device.failed())
    return "cpu";
  // The newest target of the table that the device runs.
  int capability = device->computeMajor * 10 + device->computeMinor, best = 0;
  std::string target = "cpu";
  for (StringRef name : getGPUNames()) {
    auto [number, portable] = parseArchitecture(name);
    if (number > best &&
        (number == capability || (portable && number < capability))) {
      best = number;
      target = name.str();
    }
  }
  return target;
}

/// Whether this processor has what code for a CPU by name needs.
static Status checkCPUIsHere(StringRef target) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  context.loadDialect<FlashDialect>();
  Result<TargetAttr> description = resolveTarget(&context, target);
  if (description.failed())
    return Status::success(); // not a target, which compiling says
  return checkCPURuns(description->getCPUName());
}

Status flash::checkCPURuns(StringRef name) {
  SmallVector<std::string> missing = findMissingFeatures(name);
  if (missing.empty())
    return Status::success();
  return Status::error("this machine cannot run cpu:" + name.str() +
                       " code: its processor lacks " +
                       llvm::join(missing, ", ") +
                       "; --emit and --compile-only work everywhere");
}

Status flash::checkTarget(StringRef text) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  context.loadDialect<FlashDialect>();
  return resolveTarget(&context, text).status();
}

Status flash::checkTargetIsHere(StringRef target) {
  auto [number, portable] = parseArchitecture(target);
  if (number == 0)
    return checkCPUIsHere(target);
  if (Status known = checkTarget(target); known.failed())
    return known;
  Result<rt::cuda::DeviceInfo> device = findDevice();
  if (device.failed())
    return Status::error("this machine cannot run " + target.str() + " code (" +
                         device.message() +
                         "); --emit and --compile-only need no GPU");
  int capability = device->computeMajor * 10 + device->computeMinor;
  if (capability == number || (portable && capability > number))
    return Status::success();
  return Status::error("this machine cannot run " + target.str() +
                       " code: its GPU is a " + device->name + " (" +
                       device->target() + ")");
}

//===----------------------------------------------------------------------===//
// Compilation
//===----------------------------------------------------------------------===//

Result<TargetAttr> flash::resolveTarget(MLIRContext *context, StringRef text) {
  DiagnosticCollector diagnostics(context);
  FailureOr<TargetAttr> target = parseTarget(
      context, text, [&] { return emitError(UnknownLoc::get(context)); });
  if (failed(target))
    return diagnostics.takeError("unknown target");
  return *target;
}

std::string compiler::toString(Attribute attribute) {
  std::string text;
  llvm::raw_string_ostream(text) << attribute;
  return text;
}

static OwningOpRef<ModuleOp> copyToModule(func::FuncOp func) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(func.getLoc());
  module->push_back(func.clone());
  return module;
}

/// The same, with what the function calls in it.
static Result<OwningOpRef<ModuleOp>> copyWithCallees(func::FuncOp func) {
  OwningOpRef<ModuleOp> module = copyToModule(func);
  DiagnosticCollector diagnostics(func.getContext());
  auto copy = cast<func::FuncOp>(module->getBody()->front());
  auto callees = func->getParentOfType<ModuleOp>();
  if (callees && failed(inlineCalls(copy, callees)))
    return diagnostics.takeError("a call cannot be inlined");
  return module;
}

/// What a call must satisfy, at L0, and the names of arguments and results.
static Status describeCall(func::FuncOp func, const CompileOptions &options,
                           rt::Program &call) {
  OwningOpRef<ModuleOp> module = copyToModule(func);
  DiagnosticCollector diagnostics(func.getContext());
  auto build = [](OpPassManager &manager) {
    manager.addNestedPass<func::FuncOp>(createSimplifyAround());
    manager.addNestedPass<func::FuncOp>(createInsertChecks());
  };
  if (options.observer)
    options.observer->beginStage("call");
  Status status =
      compiler::Pipeline::runPasses(*module, options, build, diagnostics,
                                    "the sizes of a call cannot be checked");
  if (options.observer)
    options.observer->endStage();
  if (status.failed())
    return status;
  FailureOr<rt::Program> program =
      buildCallProgram(module->lookupSymbol<func::FuncOp>(func.getName()));
  if (failed(program))
    return diagnostics.takeError("the function cannot be called");
  call = std::move(*program);
  Result<FunctionSignature> names = FunctionSignature::get(func);
  if (names.failed())
    return names.status();
  for (auto [info, name] :
       llvm::zip_equal(call.signature.arguments, names->arguments))
    info.name = name.name;
  for (auto [info, name] :
       llvm::zip_equal(call.signature.results, names->results))
    info.name = name.name;
  return Status::success();
}

Status Executable::launch(const std::vector<rt::Argument> &arguments,
                          const std::vector<rt::Argument> &results,
                          rt::cuda::Stream stream) {
  Status status = plan().checkKinds(arguments, results);
  if (status.failed())
    return status;
  return launch(rt::toCallArguments(arguments).data(),
                rt::toCallArguments(results).data(), stream, nullptr);
}

/// The passes of L0.
static Status schedule(compiler::Pipeline &pipeline, bool insertChecks) {
  Status status = pipeline.lower("L0", [&](OpPassManager &manager) {
    manager.addNestedPass<func::FuncOp>(createSimplifyAround());
    if (insertChecks)
      manager.addNestedPass<func::FuncOp>(createInsertChecks());
    if (pipeline.options.splitKV > 1)
      manager.addNestedPass<func::FuncOp>(
          createSplitKV({pipeline.options.splitKV}));
    ScheduleRecomputeOptions recompute;
    recompute.target = compiler::toString(pipeline.target);
    manager.addNestedPass<func::FuncOp>(createScheduleRecompute(recompute));
    ChooseScheduleOptions choose;
    choose.target = compiler::toString(pipeline.target);
    choose.schedule = pipeline.options.schedule;
    choose.exact = pipeline.options.exactSchedule;
    choose.table = pipeline.options.scheduleTable;
    manager.addNestedPass<func::FuncOp>(createChooseSchedule(choose));
  });
  // What is counted is told by one schedule.
  if (pipeline.options.countIO)
    pipeline.module->walk([](AttentionOp op) { setShorterSchedules(op, {}); });
  return status;
}

/// The schedules of the attentions, each once, and where they came from.
static void describeSchedules(compiler::Pipeline &pipeline,
                              std::vector<std::string> &schedules,
                              std::vector<std::string> &sources) {
  llvm::Expected<std::vector<ScheduleTable>> tables = loadScheduleTables(
      pipeline.options.scheduleTable, pipeline.module->getContext());
  if (!tables) // flash-choose-schedule has said it
    return llvm::consumeError(tables.takeError());
  pipeline.module->walk([&](AttentionOp op) {
    std::string text = compiler::toString(op.getScheduleAttr());
    if (llvm::is_contained(schedules, text))
      return;
    ScheduleChoice choice =
        chooseSchedule(pipeline.target, TileProblem::get(op), *tables);
    std::string source =
        choice.table.empty() ? "model" : "table " + choice.table;
    for (const ScheduleChoice::Bounded &shorter : getShorterSchedules(op)) {
      schedules.push_back(compiler::toString(shorter.schedule));
      sources.push_back(source + ", up to length " +
                        std::to_string(shorter.upTo));
    }
    if (choice.schedule != op.getScheduleAttr())
      source = "given; by itself: " + source;
    schedules.push_back(std::move(text));
    sources.push_back(std::move(source));
  });
  pipeline.module->walk([&](AttentionBackwardOp op) {
    std::string text = compiler::toString(op.getRecomputeAttr());
    if (llvm::is_contained(schedules, text))
      return;
    schedules.push_back(std::move(text));
    sources.push_back(op.hasFixedOrder()
                          ? "backward; each run gives the same bits"
                          : "backward; the last bits of the query's gradient "
                            "differ from run to run, deterministic has them "
                            "the same");
  });
}

Result<FunctionIO> flash::reportIO(func::FuncOp func,
                                   const CompileOptions &options,
                                   const std::vector<rt::Argument> &arguments) {
  MLIRContext *context = func.getContext();
  context->loadDialect<FlashDialect>();
  Result<TargetAttr> target = resolveTarget(context, options.target);
  if (target.failed())
    return target.status();
  Result<OwningOpRef<ModuleOp>> module = copyWithCallees(func);
  if (module.failed())
    return module.status();
  compiler::Pipeline pipeline(std::move(*module), options, *target);
  Status status = schedule(pipeline, /*insertChecks=*/false);
  if (status.failed())
    return status;
  DiagnosticCollector diagnostics(context);
  auto scheduled = pipeline.module->lookupSymbol<func::FuncOp>(func.getName());
  FailureOr<FunctionIO> io = analyzeIO(
      scheduled, compiler::describeArguments(scheduled, arguments), *target);
  if (failed(io))
    return diagnostics.takeError("what this function moves cannot be told");
  io->module = std::move(pipeline.module);
  return std::move(*io);
}

Result<std::unique_ptr<Executable>>
Executable::compile(func::FuncOp func, const CompileOptions &options) {
  MLIRContext *context = func.getContext();
  context->loadDialect<FlashDialect>();
  Result<TargetAttr> target = resolveTarget(context, options.target);
  if (target.failed())
    return target.status();
  if (options.countIO && !target->isCPU())
    return Status::error(
        "loads and stores are counted on the target cpu alone");

  Result<OwningOpRef<ModuleOp>> module = copyWithCallees(func);
  if (module.failed())
    return module.status();
  compiler::Pipeline pipeline(std::move(*module), options, *target);
  rt::Program call;
  Status status = describeCall(
      cast<func::FuncOp>(pipeline.module->getBody()->front()), options, call);
  if (status.failed())
    return status;
  // A launch plan has its checks from the host function's assertions.
  status = schedule(pipeline, /*insertChecks=*/!target->isCPU());
  std::vector<std::string> schedules, sources;
  if (status.ok())
    describeSchedules(pipeline, schedules, sources);
  if (status.ok())
    status = pipeline.lower("L1", [&](OpPassManager &manager) {
      if (!target->isCPU())
        manager.addNestedPass<func::FuncOp>(createTileElementwise());
      manager.addNestedPass<func::FuncOp>(createTileAttention());
    });
  if (status.ok())
    status = pipeline.lower("L2", [&](OpPassManager &manager) {
      manager.addNestedPass<func::FuncOp>(createDecomposeAttention());
      if (options.countIO)
        manager.addPass(createCountIO());
    });
  if (status.failed())
    return status;

  Result<std::unique_ptr<Executable>> executable =
      target->isCPU()
          ? compiler::compileForCPU(pipeline, std::move(call))
          : compiler::compileForGPU(pipeline, std::move(call.signature));
  if (executable.failed())
    return executable;
  (*executable)->stages = std::move(pipeline.stages);
  (*executable)->schedules = std::move(schedules);
  (*executable)->scheduleSources = std::move(sources);
  (*executable)->remarks = std::move(pipeline.remarks);
  return executable;
}
