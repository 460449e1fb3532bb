//===- FlashRun.cpp - Compile, run and check a file -----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The order: parse, name the sizes, make or read the inputs, check every
// constraint on sizes, compile, run on poisoned outputs, check, write. What can
// fail early does.
//
//===----------------------------------------------------------------------===//

#include "flash/Tools/FlashRun/FlashRun.h"

#include "flash/Compiler/InlineCalls.h"
#include "flash/Dialect/Flash/Transforms/Gradients.h"

#include "flash/Dialect/Flash/Analysis/IOReport.h"
#include "flash/InitAll.h"
#include "flash/Runtime/Npy.h"
#include "flash/Runtime/ThreadPool.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/ToolOutputFile.h"

#include <algorithm>

using namespace mlir;
using namespace flash;
using reference::RuntimeValue;
using reference::Tensor;
using rt::Array;
using rt::Result;
using rt::Status;

namespace {

class Runner {
public:
  explicit Runner(const FlashRunOptions &options) : options(options) {}
  Status run();
  bool passed() const {
    return report.ioDifference.empty() &&
           llvm::all_of(report.checks, [](const ResultCheck &check) {
             return check.verdict.passed();
           });
  }

private:
  Status parse();
  CompileOptions compileOptions() const;
  Status compile();
  Result<FunctionIO> analyze();
  Status printIO();
  Status compareCounters();
  Status writeArtifact();
  Status prepareInputs();
  Status checkResultMemory(const std::vector<std::vector<int64_t>> &sizes);
  Status makeResults();
  Status execute();
  Status writeOutputs();
  void describe();

  const FlashRunOptions &options;
  MLIRContext context{MLIRContext::Threading::DISABLED};
  OwningOpRef<ModuleOp> module;
  func::FuncOp func;
  /// The file's name and text.
  std::string text;
  FunctionSignature signature;
  RunInputs inputs;
  std::unique_ptr<Executable> executable;
  std::vector<Array> results;
  RunReport report;
};

} // namespace

Status Runner::parse() {
  DialectRegistry registry;
  registerAllDialects(registry);
  context.appendDialectRegistry(registry);
  auto buffer =
      llvm::MemoryBuffer::getFileOrSTDIN(options.file, /*IsText=*/true);
  if (!buffer)
    return Status::error("reading '" + options.file +
                         "': " + buffer.getError().message());
  // Remarks name the file.
  text = options.file + "\n" + (*buffer)->getBuffer().str();
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(*buffer), llvm::SMLoc());
  DiagnosticCollector diagnostics(&context);
  module = parseSourceFile<ModuleOp>(sources, &context);
  if (!module)
    return diagnostics.takeError("'" + options.file + "' does not parse");
  Result<func::FuncOp> entry = findEntry(*module, options.entry);
  if (entry.failed())
    return entry.status().withContext(options.file);
  func = *entry;
  if (failed(inlineCalls(func, *module)))
    return diagnostics.takeError("a call cannot be inlined");
  if (options.differentiate) {
    FailureOr<func::FuncOp> both = addForwardAndBackward(func);
    if (failed(both))
      return diagnostics.takeError("@" + func.getName().str() +
                                   " cannot be differentiated");
    func = *both;
  }
  Result<FunctionSignature> named = FunctionSignature::get(func);
  if (named.failed())
    return named.status().withContext("@" + func.getName().str());
  signature = std::move(*named);
  if (options.outputs.size() > signature.results.size())
    return Status::error("--output is given " +
                         std::to_string(options.outputs.size()) +
                         " times, but @" + signature.name + " has " +
                         std::to_string(signature.results.size()) + " results");
  return Status::success();
}

CompileOptions Runner::compileOptions() const {
  CompileOptions compile;
  compile.target = report.target;
  compile.schedule = options.schedule;
  compile.scheduleTable = options.scheduleTable;
  compile.splitKV = options.splitKV;
  compile.passes = options.passes;
  compile.countIO = options.countIO;
  compile.lineInfo = options.lineInfo;
  return compile;
}

/// What the function moves with the inputs' sizes.
Result<FunctionIO> Runner::analyze() {
  return reportIO(func, compileOptions(), hostArguments(inputs.values));
}

Status Runner::printIO() {
  Result<RunInputs> made = makeInputs(signature, options);
  if (made.failed())
    return made.status();
  inputs = std::move(*made);
  // Says what is wrong with sizes before the analysis looks at them.
  Result<reference::ShapeRun> shapes =
      reference::runShapes(func, inputs.values, /*countWork=*/false);
  if (shapes.failed())
    return shapes.status();
  Result<FunctionIO> io = analyze();
  if (io.failed())
    return io.status();
  if (options.ioReport == "json")
    printIOJson(*io, llvm::outs());
  else
    printIOText(*io, llvm::outs());
  return Status::success();
}

Status Runner::compareCounters() {
  Result<FunctionIO> io = analyze();
  if (io.failed())
    return io.status();
  report.counters = executable->takeIOCounters();
  report.ioDifference =
      compareIOCounters(predictIOCounters(*io), report.counters);
  return Status::success();
}

Status Runner::compile() {
  CompileOptions compile = compileOptions();
  compile.observer = options.observer;
  compile.assemble = options.emit.empty() || options.emit == "program";
  compile.onLevel = [&](StringRef level, ModuleOp module) {
    if (!options.printAfterLevels.count(level.str()))
      return;
    // The report of --report=json is what stdout is for then.
    llvm::raw_ostream &os = options.json ? llvm::errs() : llvm::outs();
    os << "// -----// IR after " << level << " //----- //\n"
       << module << "\n\n";
  };
  auto anew = [&] { return Executable::compile(func, compile); };
  // What asks for IR or for code is compiled.
  bool cached = options.printAfterLevels.empty() && options.emit.empty();
  Result<std::unique_ptr<Executable>> result =
      cached ? Executable::compileCached(text, func.getName(), compile, anew)
             : anew();
  if (result.failed())
    return result.status();
  executable = std::move(*result);
  report.stages = executable->stages;
  report.isFromCache = executable->isFromCache;
  report.assembler = executable->assembler;
  report.schedules = executable->schedules;
  report.scheduleSources = executable->scheduleSources;
  report.remarks = executable->remarks;
  return Status::success();
}

Status Runner::writeArtifact() {
  Result<std::string> bytes = executable->emit(options.emit);
  if (bytes.failed())
    return bytes.status();
  if (options.emitPath == "-") {
    llvm::outs() << *bytes;
    return Status::success();
  }
  // Through a temporary file and a rename: no partial file.
  llvm::Error error =
      llvm::writeToOutput(options.emitPath, [&](llvm::raw_ostream &os) {
        os << *bytes;
        return llvm::Error::success();
      });
  if (error)
    return Status::error("writing '" + options.emitPath +
                         "': " + llvm::toString(std::move(error)));
  return Status::success();
}

Status Runner::prepareInputs() {
  Result<RunInputs> made = makeInputs(signature, options);
  if (made.failed())
    return made.status();
  inputs = std::move(*made);
  report.defaults = inputs.defaults;

  // What the reference finds wrong with a call it says at an op's place. Where
  // it does not know all of the function, what is compiled decides.
  Result<reference::ShapeRun> shapes =
      reference::runShapes(func, inputs.values);
  if (shapes.failed())
    return shapes.status();
  report.work = shapes->work;
  for (const RuntimeValue &value : inputs.values)
    if (const auto *tensor = std::get_if<Tensor>(&value))
      report.inputBytes += tensor->array->sizeInBytes();
  if (!shapes->isKnown)
    return Status::success();
  std::vector<std::vector<int64_t>> sizes;
  for (const RuntimeValue &value : shapes->results)
    sizes.push_back(std::get<Tensor>(value).shape);
  return checkResultMemory(sizes);
}

/// Whether the results fit into this machine, beside the inputs.
Status
Runner::checkResultMemory(const std::vector<std::vector<int64_t>> &sizes) {
  double total = double(report.inputBytes);
  for (auto [shape, info] : llvm::zip(sizes, signature.results)) {
    Result<int64_t> count = rt::countElements(shape);
    if (count.failed())
      return count.status();
    // Checking holds every result twice more: f64, and unfused.
    total +=
        double(*count) * (rt::sizeOf(info.dtype) + (options.check ? 12 : 0));
  }
  return checkMemory(total);
}

/// Results of the sizes that the compiled function gives them.
Status Runner::makeResults() {
  auto sizes = executable->plan().getResultShapes(hostArguments(inputs.values));
  if (sizes.failed())
    return sizes.status().withContext("calling @" + signature.name);
  if (Status status = checkResultMemory(*sizes); status.failed())
    return status;
  for (auto [shape, info] : llvm::zip(*sizes, signature.results)) {
    Result<Array> array = Array::create(info.dtype, shape);
    if (array.failed())
      return array.status();
    reference::poison(*array);
    report.outputBytes += array->sizeInBytes();
    results.push_back(std::move(*array));
  }
  return Status::success();
}

/// `?x32x?x128xbf16`, as the types say it.
static std::string describeType(llvm::ArrayRef<int64_t> sizes,
                                rt::DType element) {
  std::string text;
  for (int64_t size : sizes)
    text += (size < 0 ? std::string("?") : std::to_string(size)) + "x";
  return text + rt::nameOf(element);
}

static std::string formatReal(double number) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.9g", number);
  return text;
}

void Runner::describe() {
  report.function = signature.name;
  for (auto [index, info] : llvm::enumerate(signature.arguments)) {
    std::string what;
    if (info.isReal) {
      what = inputs.values.empty()
                 ? rt::nameOf(info.dtype)
                 : formatReal(std::get<double>(inputs.values[index]));
    } else if (info.isIndex) {
      what = inputs.values.empty()
                 ? "index"
                 : std::to_string(std::get<int64_t>(inputs.values[index]));
    } else {
      std::vector<int64_t> sizes;
      sizes.reserve(info.symbols.size());
      for (int symbol : info.symbols)
        sizes.push_back(signature.symbols[symbol].fixed.value_or(-1));
      if (!inputs.values.empty())
        sizes = std::get<Tensor>(inputs.values[index]).shape;
      what = describeType(sizes, info.dtype);
    }
    report.arguments.push_back(info.name + " " + what);
  }
  for (auto [index, info] : llvm::enumerate(signature.results))
    report.results.push_back(
        info.name + " " +
        describeType(results.empty() ? info.sizes : results[index].shape(),
                     info.dtype));
}

Status Runner::execute() {
  Result<Execution> execution =
      flash::execute(*executable, inputs.values, results, options.repeat);
  if (execution.failed())
    return execution.status().withContext("running @" + signature.name);
  report.ran = true;
  report.repeat = options.repeat;
  report.milliseconds = execution->milliseconds;
  report.device = std::move(execution->device);
  report.kernels = std::move(execution->kernels);
  return Status::success();
}

Status Runner::writeOutputs() {
  for (auto [path, array] : llvm::zip(options.outputs, results)) {
    Status status = rt::writeNpy(path, array);
    if (status.failed())
      return status;
  }
  return Status::success();
}

Status Runner::run() {
  if (options.threads > 0)
    rt::setNumThreads(options.threads);
  Status status = parse();
  if (status.failed())
    return status;
  report.target = options.target == "auto" ? chooseTarget() : options.target;
  if (!options.lineInfo.empty() && !StringRef(report.target).starts_with("sm_"))
    return Status::error(
        "--line-info is for code of GPUs, not for the target " + report.target);

  if (!options.ioReport.empty())
    return printIO();
  if (!options.emit.empty() || options.compileOnly) {
    status = compile();
    if (status.ok() && !options.emit.empty())
      return writeArtifact();
    if (status.failed())
      return status;
    describe();
  } else {
    status = checkTargetIsHere(report.target);
    for (auto step : {&Runner::prepareInputs, &Runner::compile,
                      &Runner::makeResults, &Runner::execute}) {
      if (status.failed())
        return status;
      status = (this->*step)();
    }
    if (status.failed())
      return status;
    describe();
    if (options.countIO) {
      status = compareCounters();
      if (status.failed())
        return status;
    }
    if (options.check) {
      std::vector<const Array *> pointers;
      pointers.reserve(results.size());
      for (const Array &array : results)
        pointers.push_back(&array);
      Result<std::vector<ResultCheck>> checks =
          checkResults(func, signature, inputs.values, pointers);
      if (checks.failed())
        return checks.status();
      report.checks = std::move(*checks);
    }
    status = writeOutputs();
    if (status.failed())
      return status;
  }
  if (options.json)
    report.printJson(llvm::outs());
  else
    report.printText(llvm::outs());
  return Status::success();
}

int flash::flashRun(const FlashRunOptions &options) {
  Runner runner(options);
  Status status = runner.run();
  llvm::outs().flush();
  if (status.failed()) {
    // One line, whatever an assembler or a driver had to say.
    std::string message = status.message();
    std::replace(message.begin(), message.end(), '\n', ' ');
    llvm::errs() << "flash-run: error: " << message << "\n";
    return 1;
  }
  return runner.passed() ? 0 : 1;
}
