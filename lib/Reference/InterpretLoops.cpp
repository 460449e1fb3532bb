//===- InterpretLoops.cpp - Parallel loops and what they combine ---===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A program in tiles, run iteration by iteration: scf.for, scf.if, scf.forall,
// and what they insert into tensors or add to them. Iterations of a parallel
// loop run in order. Without an arithmetic, results have the shapes of what a
// loop begins with.
//
//===----------------------------------------------------------------------===//

#include "InterpreterImpl.h"

#include "ScalarBody.h"

using namespace mlir;
using namespace flash;
using namespace flash::reference;
using rt::Array;
using rt::Result;
using rt::Status;

//===----------------------------------------------------------------------===//
// Slices
//===----------------------------------------------------------------------===//

template <typename OpT>
Status Interpreter::writeSlice(OpT op, Array &dest, bool add) {
  const Array &source = *tensor(op.getSource()).array;
  SmallVector<int64_t> offsets, sizes;
  for (auto [offset, size, stride] : llvm::zip(
           op.getMixedOffsets(), op.getMixedSizes(), op.getMixedStrides())) {
    if (integer(stride) != 1)
      return errorAt(op, "only strides of 1 are supported");
    offsets.push_back(integer(offset));
    sizes.push_back(integer(size));
  }
  int64_t count = 1;
  for (auto [dim, offset, size] : llvm::enumerate(offsets, sizes)) {
    if (offset < 0 || size < 0 || offset + size > dest.shape()[dim])
      return errorAt(op, "dimension " + std::to_string(dim) + ": " +
                             std::to_string(size) + " elements from " +
                             std::to_string(offset) + " on, of " +
                             std::to_string(dest.shape()[dim]));
    count *= size;
  }
  if (count != source.numElements())
    return errorAt(op, "writes " + std::to_string(source.numElements()) +
                           " elements to a slice of " + std::to_string(count));
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i, at = 0, stride = 1;
    for (int64_t dim = sizes.size() - 1; dim >= 0; --dim) {
      at += (offsets[dim] + rest % sizes[dim]) * stride;
      rest /= sizes[dim];
      stride *= dest.shape()[dim];
    }
    ScalarBody::Slot value = ScalarBody::read(source, i);
    if (add)
      value.real += ScalarBody::read(dest, at).real;
    ScalarBody::write(dest, at, value);
  }
  return Status::success();
}

Status Interpreter::visit(AddSliceOp op) {
  Tensor dest = tensor(op.getDest());
  if (!arithmetic)
    return bindShape(op.getResult(), dest.shape);
  Result<Array> copy = copyOf(dest);
  if (copy.failed())
    return errorAt(op, copy.message());
  if (Status status = writeSlice(op, *copy, /*add=*/true); status.failed())
    return status;
  return bind(op.getResult(), std::move(*copy),
              getElementTypeOrSelf(op.getDest().getType()));
}

//===----------------------------------------------------------------------===//
// Parallel loops
//===----------------------------------------------------------------------===//

/// One iteration, and what it combines.
Status Interpreter::visitIteration(scf::ForallOp op, ArrayRef<int64_t> point,
                                   Outputs &outputs) {
  for (auto [argument, index] : llvm::zip(op.getInductionVars(), point))
    values[argument] = index;
  if (Status status = visitBlock(*op.getBody()); status.failed())
    return status;
  for (Operation &nested : op.getTerminator().getYieldingOps()) {
    Status status = Status::success();
    if (auto insert = dyn_cast<tensor::ParallelInsertSliceOp>(nested))
      status = writeSlice(insert, *outputs[insert.getDest()], /*add=*/false);
    else if (auto add = dyn_cast<ParallelAddSliceOp>(nested))
      status = writeSlice(add, *outputs[add.getDest()], /*add=*/true);
    else
      status = errorAt(&nested, "is not an operation that the reference can "
                                "run in parallel loops");
    if (status.failed())
      return status;
  }
  return Status::success();
}

Status Interpreter::visit(scf::ForallOp op) {
  Outputs outputs;
  for (auto [argument, init] :
       llvm::zip(op.getRegionIterArgs(), op.getOutputs())) {
    Tensor out = tensor(init);
    if (arithmetic) {
      Result<Array> copy = copyOf(out);
      if (copy.failed())
        return errorAt(op, copy.message());
      out.array = outputs[argument] = std::make_shared<Array>(std::move(*copy));
    }
    values[argument] = out;
  }
  SmallVector<int64_t> lower, upper, step;
  for (auto [from, to, by] :
       llvm::zip(op.getMixedLowerBound(), op.getMixedUpperBound(),
                 op.getMixedStep())) {
    lower.push_back(integer(from));
    upper.push_back(integer(to));
    step.push_back(integer(by));
    if (step.back() <= 0)
      return errorAt(op, "a step is " + std::to_string(step.back()));
  }
  bool none = !arithmetic;
  for (auto [from, to] : llvm::zip(lower, upper))
    none |= from >= to;
  for (SmallVector<int64_t> point = lower; !none;) {
    if (Status status = visitIteration(op, point, outputs); status.failed())
      return status;
    int64_t dim = static_cast<int64_t>(point.size()) - 1;
    while (dim >= 0 && (point[dim] += step[dim]) >= upper[dim]) {
      point[dim] = lower[dim];
      --dim;
    }
    none = dim < 0;
  }
  for (auto [result, argument] :
       llvm::zip(op.getResults(), op.getRegionIterArgs()))
    bindAs(result, argument);
  return Status::success();
}
