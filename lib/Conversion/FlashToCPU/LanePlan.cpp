//===- LanePlan.cpp - Which loop of a linalg op lies along vectors --------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For flash-vectorize-lanes: decides what each loop of an op becomes, and makes
// no IR.
//
//   s(n,m) += k(n,d) * q(d,m)    lanes: m, contiguous in s and q; row: n;
//                                reduction: d
//
//===----------------------------------------------------------------------===//

#include "LanePlan.h"
#include "LaneTranspose.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include <limits>

#define DEBUG_TYPE "flash-vectorize-lanes"

using namespace mlir;
using namespace flash;

std::optional<unsigned> LanePlan::positionOf(OpOperand &operand,
                                             int64_t dim) const {
  return map(operand).getResultPosition(
      getAffineDimExpr(dim, op->getContext()));
}

bool LanePlan::isContiguous(OpOperand &operand) const {
  auto type = cast<MemRefType>(operand.get().getType());
  int64_t offset;
  SmallVector<int64_t> strides;
  return type.getRank() > 0 &&
         positionOf(operand, lanes) == unsigned(type.getRank() - 1) &&
         succeeded(type.getStridesAndOffset(strides, offset)) &&
         strides.back() == 1 &&
         // A buffer has a byte for each, a vector in memory a bit.
         !type.getElementType().isInteger(1);
}

LogicalResult LanePlan::check(RewriterBase &rewriter) {
  if (!op.hasPureBufferSemantics())
    return rewriter.notifyMatchFailure(op, "operands are not buffers");
  for (OpOperand &operand : op->getOpOperands())
    if (!map(operand).isProjectedPermutation())
      return rewriter.notifyMatchFailure(
          op, "an indexing map is not a projected permutation");
  for (Operation &inner : op.getBlock()->without_terminator())
    if (!isa<linalg::IndexOp, arith::ConstantOp, memref::LoadOp>(inner) &&
        !OpTrait::hasElementwiseMappableTraits(&inner))
      return rewriter.notifyMatchFailure(
          op, "the body holds an op that is not element-wise");
  for (OpOperand &init : op.getDpsInitsMutable()) {
    int64_t seen = llvm::count_if(
        reductions, [&](int64_t dim) { return dependsOn(init, dim); });
    if (seen != 0 && seen != int64_t(reductions.size()))
      return rewriter.notifyMatchFailure(
          op, "an output depends on some of the reduction dimensions only");
  }
  return success();
}

/// The parallel dimension along which most operands are contiguous. An output
/// weighs more, for a scattered store is the dearest.
void LanePlan::chooseLanes() {
  int64_t best = -1, bestScore = std::numeric_limits<int64_t>::min();
  for (auto [dim, type] : llvm::enumerate(op.getIteratorTypesArray())) {
    if (type != utils::IteratorType::parallel)
      continue;
    lanes = dim;
    int64_t score = 0;
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isa<MemRefType>(operand.get().getType()) || !dependsOn(operand, dim))
        continue;
      int64_t weight = op.isDpsInit(&operand) ? 3 : 2;
      score += isContiguous(operand) ? weight : -weight;
    }
    if (score >= bestScore) {
      bestScore = score;
      best = dim;
    }
  }
  lanes = best;
}

FailureOr<LanePlan> LanePlan::get(RewriterBase &rewriter, linalg::LinalgOp op) {
  LanePlan plan(op);
  auto types = op.getIteratorTypesArray();
  for (auto [dim, type] : llvm::enumerate(types))
    if (type == utils::IteratorType::reduction)
      plan.reductions.push_back(dim);
  if (failed(plan.check(rewriter)))
    return failure();
  plan.sizes = op.getStaticLoopRanges();
  plan.chooseLanes();
  if (plan.lanes < 0)
    return rewriter.notifyMatchFailure(op, "there is no parallel dimension");

  plan.isContraction = !plan.reductions.empty() && op.getNumDpsInputs() >= 2;
  auto isOther = [&](int64_t dim) {
    return types[dim] == utils::IteratorType::parallel && dim != plan.lanes;
  };
  for (int64_t dim = 0, e = types.size(); dim < e; ++dim)
    if (plan.isContraction && isOther(dim) &&
        !ShapedType::isDynamic(plan.sizes[dim]))
      plan.row = dim; // The innermost one that can be unrolled.
  if (plan.reductions.empty())
    plan.row = findAcross(op, plan.lanes);
  for (int64_t dim = 0, e = types.size(); dim < e; ++dim)
    if (isOther(dim) && dim != plan.row)
      plan.outer.push_back(dim);
  return plan;
}
