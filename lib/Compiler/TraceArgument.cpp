//===- TraceArgument.cpp - Arguments behind reshapes ----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TraceArgument.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace flash;

/// What an op that moves no element, or moves all, moves; null of other ops.
static Value getSource(Operation *op) {
  if (isa_and_nonnull<tensor::CastOp, tensor::ExpandShapeOp,
                      tensor::CollapseShapeOp, linalg::TransposeOp>(op))
    return op->getOperand(0);
  return {};
}

/// The only dimension of a group that is not 1, or its only one; -1 if there
/// is none such.
static int findOnly(ArrayRef<int64_t> group, ArrayRef<int64_t> shape) {
  if (group.size() == 1)
    return group.front();
  int only = -1;
  for (int64_t dim : group) {
    if (shape[dim] == 1)
      continue;
    if (only >= 0)
      return -1;
    only = dim;
  }
  return only;
}

/// The source's dimension that dimension `dim` of the result is, or -1.
static int getSourceDim(Operation *op, int dim) {
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    for (auto [source, group] :
         llvm::enumerate(expand.getReassociationIndices()))
      if (llvm::is_contained(group, dim))
        return findOnly(group, expand.getResultType().getShape()) == dim
                   ? int(source)
                   : -1;
    return -1;
  }
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
    return findOnly(collapse.getReassociationIndices()[dim],
                    collapse.getSrcType().getShape());
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op))
    return transpose.getPermutation()[dim];
  return dim;
}

static BlockArgument asArgument(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  return argument && isa<func::FuncOp>(argument.getOwner()->getParentOp())
             ? argument
             : BlockArgument();
}

BlockArgument compiler::traceArgument(Value value) {
  while (Value source = getSource(value.getDefiningOp()))
    value = source;
  return asArgument(value);
}

std::optional<std::pair<int, int>> compiler::traceDim(Value value, int dim) {
  while (Value source = getSource(value.getDefiningOp())) {
    dim = getSourceDim(value.getDefiningOp(), dim);
    if (dim < 0)
      return std::nullopt;
    value = source;
  }
  BlockArgument argument = asArgument(value);
  if (!argument)
    return std::nullopt;
  return std::pair(int(argument.getArgNumber()), dim);
}
