//===- CanonicalizeAttention.cpp - Simpler attentions -----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %o, %lse = flash.attention ...     // nobody uses %lse
//   ->  %o = flash.attention ...
//
// And static result shapes where operands have them, casts absorbed.
//
//===----------------------------------------------------------------------===//

#include "OpUtils.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace flash;

AttentionOp AttentionOp::cloneWithTypes(OpBuilder &builder, TypeRange types) {
  OperationState state(getLoc(), getOperationName(), (*this)->getOperands(),
                       types, (*this)->getAttrs());
  for (Region &region : (*this)->getRegions()) {
    IRMapping mapping;
    region.cloneInto(state.addRegion(), mapping);
  }
  return cast<AttentionOp>(builder.create(state));
}

namespace {
/// Drops a log-sum-exp that nobody uses.
struct DropUnusedLse : OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AttentionOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.getLse())
      return rewriter.notifyMatchFailure(op, "has no log-sum-exp");
    if (!op.getLse().use_empty())
      return rewriter.notifyMatchFailure(op, "its log-sum-exp is used");
    AttentionOp plain = op.cloneWithTypes(rewriter, op.getOutput().getType());
    rewriter.replaceOp(op, {plain.getOutput(), Value()});
    return success();
  }
};

/// Makes result dimensions static where the operands' are, with a cast back.
struct RefineResultShape : OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AttentionOp op,
                                PatternRewriter &rewriter) const override {
    RankedTensorType q = op.getQuery().getType();
    auto refine = [&](RankedTensorType type, ArrayRef<int64_t> from) {
      SmallVector<int64_t> shape(type.getShape());
      for (auto [size, known] : llvm::zip(shape, from))
        if (ShapedType::isDynamic(size))
          size = known;
      return type.clone(shape);
    };
    auto output =
        refine(op.getOutput().getType(), {q.getDimSize(0), q.getDimSize(1),
                                          q.getDimSize(2), op.getVHeadDim()});
    RankedTensorType lse;
    if (op.getLse())
      lse = refine(op.getLse().getType(),
                   {q.getDimSize(0), q.getDimSize(op.getHeadsDim()),
                    q.getDimSize(op.getLengthDim())});
    if (output == op.getOutput().getType() &&
        (!lse || lse == op.getLse().getType()))
      return rewriter.notifyMatchFailure(op, "result shape is known already");
    SmallVector<Type> types{output};
    if (lse)
      types.push_back(lse);
    AttentionOp refined = op.cloneWithTypes(rewriter, types);
    SmallVector<Value> results;
    for (auto [now, was] :
         llvm::zip(refined->getResults(), op->getResultTypes()))
      results.push_back(
          tensor::CastOp::create(rewriter, op.getLoc(), was, now));
    rewriter.replaceOp(op, results);
    return success();
  }
};

} // namespace

void AttentionOp::getCanonicalizationPatterns(RewritePatternSet &results,
                                              MLIRContext *context) {
  results.add<DropUnusedLse, RefineResultShape, LiftMaskRegion<AttentionOp>,
              AbsorbCasts<AttentionOp>>(context);
}
