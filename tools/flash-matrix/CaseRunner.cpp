//===- CaseRunner.cpp - Compiles one kernel and checks its calls ----------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Inputs in memory of their own, results between NaNs, both references, and a
// verdict. The matrix and the fuzzer share it.
//
//===----------------------------------------------------------------------===//

#include "CaseRunner.h"
#include "Fence.h"
#include "FilledMemory.h"
#include "Guarded.h"

#include "flash/InitAll.h"
#include "flash/Runtime/Random.h"

#include "mlir/Parser/Parser.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cstring>

using namespace flash;
using namespace flash::matrix;
using reference::RuntimeValue;
using reference::Tensor;
using rt::Array;
using rt::Result;
using rt::Status;

/// The arguments of one call, for the reference and for the kernel.
struct CaseRunner::Operands {
  std::vector<std::unique_ptr<Array>> arrays;
  std::vector<Guarded> guarded;
  std::vector<Fence> fenced;
  std::vector<RuntimeValue> values;
  std::vector<rt::Argument> arguments;
};

std::string Kernel::describe(const Shape &shape) const {
  std::string text = " B=" + std::to_string(shape.batch) +
                     " Sq=" + std::to_string(shape.sq) +
                     " Sk=" + std::to_string(shape.sk);
  if (offsets)
    text += " q_offset=" + std::to_string(shape.qOffset) +
            " kv_offset=" + std::to_string(shape.kvOffset);
  if (dynamicHeads)
    text += " heads=" + std::to_string(shape.heads) + "/" +
            std::to_string(shape.kvHeads);
  return text;
}

Status CaseRunner::compile() {
  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  context.appendDialectRegistry(registry);
  {
    DiagnosticCollector diagnostics(&context);
    module =
        mlir::parseSourceString<mlir::ModuleOp>(kernel.program(), &context);
    if (!module)
      return diagnostics.takeError("the program does not parse");
  }
  Result<mlir::func::FuncOp> entry = findEntry(*module, "");
  if (entry.failed())
    return entry.status();
  func = forward = *entry;
  if (kernel.hasGradients()) {
    Result<mlir::func::FuncOp> both = addGradients(kernel, func);
    if (both.failed())
      return both.status();
    func = *both;
  }
  compileOptions.target = options.target;
  compileOptions.splitKV = kernel.splitKV;
  compileOptions.passes = options.passes;
  // A GPU clears such values where it is asked to.
  if (kernel.spoilsUnseen && options.target != "cpu" &&
      !llvm::StringRef(options.target).starts_with("cpu:"))
    compileOptions.passes += " hide-unseen=true";
  compileOptions.countIO = options.io;
  compileOptions.schedule = options.schedule;
  compileOptions.optLevel = options.optLevel;
  compileOptions.scheduleTable = options.scheduleTable;
  Result<std::unique_ptr<Executable>> compiled =
      Executable::compile(func, compileOptions);
  if (compiled.failed())
    return compiled.status();
  executable = std::move(*compiled);
  return Status::success();
}

std::vector<std::vector<int64_t>>
CaseRunner::inputShapes(const Shape &shape) const {
  int64_t heads = kernel.dynamicHeads ? shape.heads : kernel.heads,
          kvHeads = kernel.dynamicHeads ? shape.kvHeads : kernel.kvHeads;
  auto dims = [&](int64_t headCount, int64_t length, int64_t dim) {
    return kernel.bshd
               ? std::vector<int64_t>{shape.batch, length, headCount, dim}
               : std::vector<int64_t>{shape.batch, headCount, length, dim};
  };
  auto keys = [&](int64_t dim) {
    std::vector<int64_t> all =
        dims(kvHeads, kernel.pageSize ? kernel.pageSize : shape.sk, dim);
    if (kernel.pageSize)
      all[0] = pagesOf(kernel, shape);
    return all;
  };
  return {dims(heads, shape.sq, kernel.dqk), keys(kernel.dqk), keys(kernel.dv)};
}

/// An operand in memory of its own: between guards on a GPU, between pages that
/// cannot be read on a CPU.
Status CaseRunner::addInput(Array array, Operands &operands) const {
  if (cuda) {
    Result<Guarded> guarded =
        Guarded::create(array.dtype(), array.shape(), cuda);
    if (guarded.failed())
      return guarded.status();
    guarded->set(array);
    if (Status copied = guarded->toDevice(); copied.failed())
      return copied;
    operands.arguments.push_back(guarded->argument());
    operands.guarded.push_back(std::move(*guarded));
  } else {
    Result<Fence> fence = Fence::create(array);
    if (fence.failed())
      return fence.status();
    operands.arguments.push_back(rt::Argument::tensor(
        reinterpret_cast<uint64_t>(fence->data()), array.shape()));
    operands.fenced.push_back(std::move(*fence));
  }
  operands.arrays.push_back(std::make_unique<Array>(std::move(array)));
  operands.values.push_back(Tensor::view(*operands.arrays.back()));
  return Status::success();
}

Status CaseRunner::makeOperands(const Shape &shape, Operands &operands) const {
  uint64_t seed = options.seed * 1009 + shape.sq * 31 + shape.sk;
  std::vector<Array> arrays;
  rt::DType elements[] = {kernel.type, kernel.keyElement(),
                          kernel.valueElement()};
  for (auto [dims, element] : llvm::zip_equal(inputShapes(shape), elements)) {
    Result<Array> array = Array::create(element, dims);
    Status status = array.status();
    if (array.ok())
      status = rt::fillNormal(*array, seed++);
    if (status.failed())
      return status;
    arrays.push_back(std::move(*array));
  }
  size_t numTensors = arrays.size();
  for (const Extra &extra : kernel.extras) {
    Result<Array> array =
        Array::create(extra.element, extra.shape(kernel, shape));
    if (array.failed())
      return array.status();
    extra.fill(kernel, shape, seed++, *array);
    arrays.push_back(std::move(*array));
  }
  if (kernel.spoil)
    kernel.spoil(kernel, shape, arrays);
  if (kernel.spoilsUnseen) {
    auto run = [&](const std::vector<Array> &from)
        -> Result<std::shared_ptr<const Array>> {
      std::vector<RuntimeValue> values;
      for (auto [index, array] : llvm::enumerate(from)) {
        values.push_back(Tensor::view(array));
        if (kernel.offsets && index + 1 == numTensors) {
          values.push_back(shape.qOffset);
          values.push_back(shape.kvOffset);
        }
      }
      auto results =
          reference::run(forward, values, reference::Arithmetic::Unfused);
      if (results.failed())
        return results.status();
      return std::get<Tensor>(results->front()).array;
    };
    if (Status status = spoilUnseen(kernel, shape, arrays, run);
        status.failed())
      return status;
  }
  auto addAll = [&](size_t from, size_t to) {
    for (; from < to; ++from)
      if (Status status = addInput(std::move(arrays[from]), operands);
          status.failed())
        return status;
    return Status::success();
  };
  if (Status status = addAll(0, numTensors); status.failed())
    return status;
  if (kernel.offsets)
    for (int64_t offset : {shape.qOffset, shape.kvOffset}) {
      operands.values.push_back(offset);
      operands.arguments.push_back(rt::Argument::index(offset));
    }
  if (kernel.seeds)
    // Beyond 32 bits, and with the sign bit.
    for (int64_t number : {int64_t(seed * 0x9e3779b97f4a7c15ull) | INT64_MIN,
                           int64_t(seed) << 34}) {
      operands.values.push_back(number);
      operands.arguments.push_back(rt::Argument::index(number));
    }
  if (Status status = addAll(numTensors, arrays.size()); status.failed())
    return status;
  return addResultGradients(shape, seed, operands);
}

/// Operands of a backward: gradients for the kernel's results.
Status CaseRunner::addResultGradients(const Shape &shape, uint64_t seed,
                                      Operands &operands) const {
  if (!kernel.hasGradients())
    return Status::success();
  int64_t heads = kernel.dynamicHeads ? shape.heads : kernel.heads;
  std::vector<int64_t> output = inputShapes(shape)[0];
  output.back() = kernel.dv;
  auto add = [&](rt::DType element, const std::vector<int64_t> &dims) {
    Result<Array> array = Array::create(element, dims);
    Status status = array.status();
    if (status.ok())
      status = rt::fillNormal(*array, ++seed);
    return status.ok() ? addInput(std::move(*array), operands) : status;
  };
  Status status = add(kernel.wideOutput ? rt::DType::F32 : kernel.type, output);
  if (status.ok() && kernel.lse)
    status = add(kernel.type == rt::DType::F64 ? kernel.type : rt::DType::F32,
                 {shape.batch, heads, shape.sq});
  return status;
}

/// Device memory for temporaries; none on a CPU.
Result<std::optional<rt::cuda::DeviceBuffer>>
CaseRunner::makeWorkspace(const Operands &operands) const {
  if (!cuda)
    return std::optional<rt::cuda::DeviceBuffer>();
  Result<int64_t> bytes = executable->plan().getWorkspaceSize(
      rt::toCallArguments(operands.arguments).data());
  if (bytes.failed())
    return bytes.status();
  Result<rt::cuda::DeviceBuffer> buffer =
      rt::cuda::DeviceBuffer::allocate(*cuda, *bytes);
  if (buffer.failed())
    return buffer.status();
  return std::optional<rt::cuda::DeviceBuffer>(std::move(*buffer));
}

/// One launch, with temporaries that hold NaNs (on a CPU: numbers that no sum
/// survives).
Status CaseRunner::launchOnce(const Operands &operands,
                              const std::vector<rt::Argument> &results,
                              std::optional<rt::cuda::DeviceBuffer> &memory) {
  if (!cuda) {
    FilledMemory filled;
    return executable->launch(operands.arguments, results, nullptr);
  }
  rt::Workspace workspace;
  if (memory) {
    if (Status filled = memory->fill(0xff); filled.failed())
      return filled;
    workspace = {reinterpret_cast<void *>(memory->address()),
                 size_t(memory->size())};
  }
  Status status = executable->plan().checkKinds(operands.arguments, results);
  if (status.ok())
    status = executable->launch(rt::toCallArguments(operands.arguments).data(),
                                rt::toCallArguments(results).data(), nullptr,
                                workspace.bytes ? &workspace : nullptr);
  return status.ok() ? rt::cuda::synchronize(*cuda, nullptr) : status;
}

/// Launches as often as the options say. `like` has results of the right types
/// and shapes; `first` becomes those of the first launch, or of the last one
/// where they may differ.
Status CaseRunner::launch(const Operands &operands,
                          const reference::CheckedCall &like,
                          std::vector<Array> &first) {
  std::vector<Guarded> guardedResults;
  std::vector<rt::Argument> results;
  for (size_t i = 0; i < like.numResults(); ++i) {
    const Tensor &tensor = like.unfused(i);
    Result<Guarded> guarded = Guarded::create(tensor.type, tensor.shape, cuda);
    if (guarded.failed())
      return guarded.status();
    guardedResults.push_back(std::move(*guarded));
  }
  results.reserve(guardedResults.size());
  for (const Guarded &result : guardedResults)
    results.push_back(result.argument());

  Result<std::optional<rt::cuda::DeviceBuffer>> workspace =
      makeWorkspace(operands);
  if (workspace.failed())
    return workspace.status();
  for (int64_t repeat = 0; repeat < options.repeats; ++repeat) {
    for (Guarded &result : guardedResults) {
      result.poison();
      if (Status copied = result.toDevice(); copied.failed())
        return copied;
    }
    if (Status status = launchOnce(operands, results, *workspace);
        status.failed())
      return status;
    for (size_t i = 0; i < guardedResults.size(); ++i) {
      Guarded &result = guardedResults[i];
      if (Status copied = result.fromDevice(); copied.failed())
        return copied;
      if (!result.intact())
        return Status::error("result " + std::to_string(i) +
                             ": written outside of its memory");
      Result<Array> array = result.values();
      if (array.failed())
        return array.status();
      // Of what may differ the last one is judged.
      if (repeat == 0)
        first.push_back(std::move(*array));
      else if (!isRepeatable(kernel, options, i))
        first[i] = std::move(*array);
      else if (std::memcmp(array->data(), first[i].data(),
                           array->sizeInBytes()) != 0)
        return Status::error("result " + std::to_string(i) + ": launch " +
                             std::to_string(repeat) +
                             " gave other bits than the first");
    }
  }
  return Status::success();
}

Status CaseRunner::check(const Shape &shape, CaseResult &result) {
  std::optional<rt::cuda::ContextScope> scope;
  if (executable->onDevice()) {
    Result<const rt::cuda::Driver *> driver = rt::cuda::Driver::get();
    if (driver.failed())
      return driver.status();
    cuda = *driver;
    Result<rt::cuda::ContextScope> entered =
        rt::cuda::ContextScope::enter(*cuda);
    if (entered.failed())
      return entered.status();
    scope.emplace(std::move(*entered));
  }

  Fence::setCase(kernel.name() + kernel.describe(shape));
  Operands operands;
  if (Status status = makeOperands(shape, operands); status.failed())
    return status;
  if (options.io) {
    result.failure = checkIO(func, compileOptions, *executable, operands.values,
                             operands.arguments);
    return Status::success();
  }

  auto call = reference::CheckedCall::create(func, operands.values);
  if (call.failed())
    return Status::error("reference: " + call.message());
  std::vector<Array> first;
  if (Status status = launch(operands, *call, first); status.failed())
    return status;

  for (size_t i = 0; i < first.size(); ++i) {
    auto [what, kind] = describeResult(kernel, i);
    Result<reference::Verdict> judged =
        call->judge(i, first[i], kind, kernel.type, kernel.nanAsReference);
    if (judged.failed())
      return judged.status();
    const reference::Verdict &verdict = *judged;
    auto ratio = [](double error, double limit) {
      return error > 0 ? error / limit : 0;
    };
    double part =
        std::max({ratio(verdict.error.relative, verdict.limit.relative),
                  ratio(verdict.error.maximum, verdict.limit.maximum),
                  ratio(verdict.error.row, verdict.limit.row)});
    if (part > result.part) {
      result.part = part;
      result.partOf = what;
    }
    if (!verdict.passed())
      return Status::error(what + ": " + verdict.failure);
  }
  return Status::success();
}

CaseResult CaseRunner::run(const Shape &shape) {
  CaseResult result;
  if (Status status = check(shape, result); status.failed())
    result.failure = status.message();
  return result;
}
