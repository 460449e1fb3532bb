//===- MergeOp.cpp - Attention over disjoint keys, joined -------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifier, shape inference and canonicalisation of flash.merge.
//
//===----------------------------------------------------------------------===//

#include "OpUtils.h"

using namespace mlir;
using namespace flash;

LogicalResult MergeOp::verify() {
  if (getOutputs().empty())
    return emitOpError() << "needs at least one part";
  RankedTensorType result = getOutput().getType();
  int64_t heads = getLayout() == Layout::BHSD ? 1 : 2, length = 3 - heads;
  Type element =
      cast<RankedTensorType>(getOutputs().front().getType()).getElementType();
  auto checkLse = [&](StringRef name, RankedTensorType lse) -> LogicalResult {
    if (failed(
            checkSame(*this, "batch", {"result", result, 0}, {name, lse, 0})) ||
        failed(checkSame(*this, "number of heads", {"result", result, heads},
                         {name, lse, 1})) ||
        failed(checkSame(*this, "length", {"result", result, length},
                         {name, lse, 2})))
      return failure();
    return success();
  };
  for (auto [index, outputValue, lseValue] :
       llvm::enumerate(getOutputs(), getLses())) {
    auto output = cast<RankedTensorType>(outputValue.getType());
    std::string name = "output " + std::to_string(index);
    if (failed(checkElement(*this, "output 0", element, name,
                            output.getElementType())))
      return failure();
    static constexpr StringRef kDims[] = {"batch", "dimension 1", "dimension 2",
                                          "head dim"};
    for (int64_t dim = 0; dim < 4; ++dim)
      if (failed(checkSame(*this, kDims[dim], {"result", result, dim},
                           {name, output, dim})))
        return failure();
    if (failed(checkLse("lse " + std::to_string(index),
                        cast<RankedTensorType>(lseValue.getType()))))
      return failure();
  }
  if (getLse() && failed(checkLse("lse result", getLse().getType())))
    return failure();
  return success();
}

LogicalResult MergeOp::reifyResultShapes(OpBuilder &builder,
                                         ReifiedRankedShapedTypeDims &reified) {
  reified.push_back(
      tensor::getMixedSizes(builder, getLoc(), getOutputs().front()));
  if (getLse())
    reified.push_back(
        tensor::getMixedSizes(builder, getLoc(), getLses().front()));
  return success();
}

namespace {
/// A merge of one part of the same types is that part.
struct FoldSinglePart : OpRewritePattern<MergeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MergeOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getOutputs().size() != 1)
      return rewriter.notifyMatchFailure(op, "has several parts");
    if (op.getOutputs().front().getType() != op.getOutput().getType() ||
        (op.getLse() &&
         op.getLses().front().getType() != op.getLse().getType()))
      return rewriter.notifyMatchFailure(op, "changes the type");
    SmallVector<Value> results{op.getOutputs().front()};
    if (op.getLse())
      results.push_back(op.getLses().front());
    rewriter.replaceOp(op, results);
    return success();
  }
};
} // namespace

void MergeOp::getCanonicalizationPatterns(RewritePatternSet &results,
                                          MLIRContext *context) {
  results.add<FoldSinglePart, AbsorbCasts<MergeOp>>(context);
}
