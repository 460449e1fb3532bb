//===- Problems.cpp - What is tuned ---------------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The function of a file, with its sizes; or, without one, the problems that
// most calls are: head dims x masks, each at several lengths. Batch and lengths
// stay open, so that a candidate is compiled once for all of them.
//
//===----------------------------------------------------------------------===//

#include "TunerImpl.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"

#include <algorithm>

using namespace mlir;
using namespace flash;
using namespace flash::tuner;
using reference::RuntimeValue;
using reference::Tensor;
using rt::Result;
using rt::Status;

namespace {
/// A problem's function while its cases are made.
struct Function {
  OwningOpRef<ModuleOp> module;
  func::FuncOp func;
  FunctionSignature signature;
};
} // namespace

static Result<Function> parse(const std::string &text, const std::string &entry,
                              MLIRContext &context) {
  Function function;
  DiagnosticCollector diagnostics(&context);
  function.module = parseSourceString<ModuleOp>(text, &context);
  if (!function.module)
    return diagnostics.takeError("it does not parse");
  Result<func::FuncOp> func = findEntry(*function.module, entry);
  if (func.failed())
    return func.status();
  function.func = *func;
  Result<FunctionSignature> signature = FunctionSignature::get(*func);
  if (signature.failed())
    return signature.status();
  function.signature = std::move(*signature);
  return std::move(function);
}

/// A call with these sizes.
static Result<TuneCase> makeCase(Function &function, FlashRunOptions options) {
  options.shapesOnly = true;
  Result<RunInputs> inputs = makeInputs(function.signature, options);
  if (inputs.failed())
    return inputs.status();
  TuneCase what;
  what.arguments = std::move(inputs->values);
  double bytes = 0;
  for (const RuntimeValue &value : what.arguments) {
    const auto *tensor = std::get_if<Tensor>(&value);
    what.sizes += (what.sizes.empty() ? "" : ", ") +
                  (tensor ? rt::shapeToString(tensor->shape)
                          : std::to_string(std::get<int64_t>(value)));
    if (!tensor)
      continue;
    double size = rt::sizeOf(tensor->type);
    for (int64_t dim : tensor->shape)
      size *= double(dim);
    bytes += size;
  }
  if (Status status = checkMemory(bytes); status.failed())
    return status;
  Result<reference::ShapeRun> shapes =
      reference::runShapes(function.func, what.arguments);
  if (shapes.failed())
    return shapes.status();
  what.flops = shapes->work.flops;
  for (auto [value, info] :
       llvm::zip(shapes->results, function.signature.results))
    what.results.push_back({info.dtype, std::get<Tensor>(value).shape});
  return what;
}

/// The longer of queries and keys in a call; `otherwise`, where they are not
/// arguments.
static int64_t lengthOf(AttentionOp op, const TuneCase &what,
                        int64_t otherwise) {
  int64_t length = 0;
  for (Value operand : {Value(op.getQuery()), Value(op.getKey())})
    if (auto argument = dyn_cast<BlockArgument>(operand))
      if (const auto *tensor =
              std::get_if<Tensor>(&what.arguments[argument.getArgNumber()]))
        length = std::max(length, tensor->shape[op.getLengthDim()]);
  return length ? length : otherwise;
}

/// The options with lengths set, where the function leaves them open.
static FlashRunOptions withLengths(const Function &function,
                                   FlashRunOptions options, int64_t queries,
                                   int64_t keys) {
  for (const auto &entry : {std::pair{"sq", queries}, {"sk", keys}}) {
    const char *name = entry.first;
    int symbol = function.signature.findSymbol(name);
    if (symbol < 0 || function.signature.symbols[symbol].fixed)
      continue;
    llvm::erase_if(options.dims, [&](const std::string &dim) {
      return StringRef(dim).starts_with(std::string(name) + "=");
    });
    options.dims.push_back(std::string(name) + "=" +
                           std::to_string(entry.second));
  }
  return options;
}

/// Makes the cases of a problem; `sizes` gives the options of each.
static Result<TuneProblem>
makeProblem(std::string text, const TuneOptions &options, MLIRContext &context,
            ArrayRef<FlashRunOptions> sizes, const FlashRunOptions &odd) {
  TuneProblem problem;
  problem.text = std::move(text);
  problem.entry = options.run.entry;
  Result<Function> function = parse(problem.text, problem.entry, context);
  if (function.failed())
    return function.status();
  SmallVector<AttentionOp> attentions;
  function->func.walk([&](AttentionOp op) { attentions.push_back(op); });
  std::string name = "@" + function->signature.name;
  if (attentions.size() != 1)
    return Status::error(name + " has " + std::to_string(attentions.size()) +
                         " attentions; --tune is for a function with one");
  if (attentions[0].getScheduleAttr())
    return Status::error(name + "'s attention has a schedule: nothing is left "
                                "to tune");
  problem.tile = TileProblem::get(attentions[0]);
  problem.key = ScheduleKey::get(problem.tile);
  problem.title = problem.key.str();
  for (const FlashRunOptions &size : sizes) {
    FlashRunOptions run = size;
    for (int64_t length :
         options.lengths.empty() ? std::vector<int64_t>{0} : options.lengths) {
      if (length)
        run = withLengths(*function, size, length, length);
      Result<TuneCase> what = makeCase(*function, run);
      if (what.failed())
        return what.status();
      what->length = lengthOf(attentions[0], *what, length);
      problem.cases.push_back(std::move(*what));
    }
  }
  llvm::sort(problem.cases, [](const TuneCase &a, const TuneCase &b) {
    return a.length < b.length;
  });
  auto same = [](const TuneCase &a, const TuneCase &b) {
    return a.length == b.length;
  };
  problem.cases.erase(
      std::unique(problem.cases.begin(), problem.cases.end(), same),
      problem.cases.end());
  // Sizes that the program does not allow are those of the first case.
  Result<TuneCase> uneven =
      makeCase(*function, withLengths(*function, odd, 201, 333));
  problem.odd = uneven.ok() ? std::move(*uneven) : problem.cases.front();
  return std::move(problem);
}

//===----------------------------------------------------------------------===//
// Standard problems
//===----------------------------------------------------------------------===//

static std::string standardProgram(int64_t qk, int64_t v, StringRef mask,
                                   StringRef element, bool lse) {
  std::string attribute;
  if (mask == "causal")
    attribute = " {mask = #flash.causal}";
  else if (mask == "window")
    attribute = " {mask = #flash.window<left = 1023, right = 0>}";
  std::string q = llvm::formatv("tensor<?x?x?x{0}x{1}>", qk, element),
              o = llvm::formatv("tensor<?x?x?x{0}x{1}>", v, element),
              more = lse ? ", tensor<?x?x?xf32>" : "";
  return llvm::formatv(R"(
func.func @attention(%q: {0}, %k: {0}, %v: {1}) -> ({1}{2}) {{
  %o{3} = flash.attention %q, %k, %v{4} : {0}, {0}, {1} -> {1}{2}
  return %o{3} : {1}{2}
}
)",
                       q, o, more, lse ? ", %l" : "", attribute);
}

/// As many tokens and as wide at every length, so that times compare: 16 K
/// tokens of width 2048 on a GPU; on a CPU 2 heads.
static FlashRunOptions standardSizes(FlashRunOptions options, bool onDevice,
                                     int64_t length, int64_t headDim) {
  constexpr int64_t kTokens = 16384, kWidth = 2048;
  auto set = [&](const char *name, int64_t size) {
    options.dims.push_back(std::string(name) + "=" + std::to_string(size));
  };
  set("batch", onDevice ? std::max<int64_t>(kTokens / length, 1) : 1);
  set("heads", onDevice ? std::max<int64_t>(kWidth / headDim, 1) : 2);
  set("sq", length);
  set("sk", length);
  return options;
}

static Result<std::vector<TuneProblem>>
makeStandardProblems(TuneOptions options, MLIRContext &context, bool onDevice) {
  auto orElse = [](auto given, auto standard) {
    return given.empty() ? standard : given;
  };
  using Names = std::vector<std::string>;
  Names masks = orElse(options.masks, Names{"causal", "full", "window"});
  Names headDims = orElse(options.headDims,
                          onDevice ? Names{"128", "64", "256", "192/128", "96"}
                                   : Names{"128", "64"});
  std::vector<int64_t> lengths =
      orElse(options.lengths,
             onDevice ? std::vector<int64_t>{512, 1024, 2048, 4096, 8192, 16384}
                      : std::vector<int64_t>{512, 2048});
  if (!options.run.dims.empty() || !options.run.inputs.empty() ||
      !options.run.entry.empty())
    return Status::error("--dim, --input and --entry need a FILE; standard "
                         "problems have --tune-lengths and --tune-head-dims");
  options.lengths.clear(); // sizes below have them
  std::vector<TuneProblem> problems;
  for (const std::string &mask : masks) {
    if (mask != "full" && mask != "causal" && mask != "window")
      return Status::error("--tune-masks: there are full, causal and window, "
                           "not '" +
                           mask + "'");
    for (const std::string &headDim : headDims) {
      auto [qkText, vText] = StringRef(headDim).split('/');
      int64_t qk, v;
      if (qkText.getAsInteger(10, qk) ||
          (vText.empty() ? qkText : vText).getAsInteger(10, v) || qk < 1 ||
          v < 1 || qk > 256 || v > 256)
        return Status::error("--tune-head-dims: '" + headDim +
                             "' is no head dim, as 64 or 192/128");
      std::vector<FlashRunOptions> sizes;
      sizes.reserve(lengths.size());
      for (int64_t length : lengths)
        sizes.push_back(standardSizes(options.run, onDevice, length, v));
      // More blocks of queries than a GPU has cores.
      FlashRunOptions odd = options.run;
      for (const char *dim : {"batch=2", "heads=40"})
        odd.dims.push_back(dim);
      if (!onDevice)
        odd.dims = {"batch=1", "heads=2"};
      Result<TuneProblem> problem = makeProblem(
          standardProgram(qk, v, mask, onDevice ? "bf16" : "f32", options.lse),
          options, context, sizes, odd);
      if (problem.failed())
        return problem.status();
      problems.push_back(std::move(*problem));
    }
  }
  return problems;
}

Result<std::vector<TuneProblem>> tuner::makeProblems(const TuneOptions &options,
                                                     MLIRContext &context,
                                                     bool onDevice) {
  for (int64_t length : options.lengths)
    if (length < 1 || length > (int64_t(1) << 24))
      return Status::error("--tune-lengths: " + std::to_string(length) +
                           " is no length");
  if (options.run.file.empty())
    return makeStandardProblems(options, context, onDevice);
  if (!options.headDims.empty() || !options.masks.empty() || options.lse)
    return Status::error("--tune-head-dims, --tune-masks and --tune-lse are "
                         "for standard problems: not with a FILE");
  auto buffer =
      llvm::MemoryBuffer::getFileOrSTDIN(options.run.file, /*IsText=*/true);
  if (!buffer)
    return Status::error("reading '" + options.run.file +
                         "': " + buffer.getError().message());
  Result<TuneProblem> problem =
      makeProblem((*buffer)->getBuffer().str(), options, context, {options.run},
                  options.run);
  if (problem.failed())
    return problem.status().withContext(options.run.file);
  std::vector<TuneProblem> problems;
  problems.push_back(std::move(*problem));
  return problems;
}
