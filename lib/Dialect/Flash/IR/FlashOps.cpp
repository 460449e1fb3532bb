//===- FlashOps.cpp - Operations of the flash dialect -----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifiers, shape inference and canonicalisations. A verifier's message names
// the dimension and both values.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/IR/Flash.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/PatternMatch.h"
#include <cmath>

using namespace mlir;
using namespace flash;

#define GET_OP_CLASSES
#include "flash/Dialect/Flash/IR/FlashOps.cpp.inc"

/// Whether two sizes can be equal at run time.
static bool compatible(int64_t a, int64_t b) {
  return ShapedType::isDynamic(a) || ShapedType::isDynamic(b) || a == b;
}

namespace {
/// A dimension of a named operand, for messages.
struct NamedDim {
  StringRef owner;
  RankedTensorType type;
  int64_t dim;
  int64_t size() const { return type.getDimSize(dim); }
};
} // namespace

/// Checks that two dimensions that mean the same have the same size.
static LogicalResult checkSame(Operation *op, StringRef what, NamedDim a,
                               NamedDim b) {
  if (compatible(a.size(), b.size()))
    return success();
  return op->emitOpError() << what << " differs: " << a.owner << " has "
                           << a.size() << " (dimension " << a.dim << "), "
                           << b.owner << " has " << b.size() << " (dimension "
                           << b.dim << ")";
}

static LogicalResult checkElement(Operation *op, StringRef aName, Type a,
                                  StringRef bName, Type b) {
  if (a == b)
    return success();
  return op->emitOpError() << "element types differ: " << aName << " has " << a
                           << ", " << bName << " has " << b;
}

//===----------------------------------------------------------------------===//
// AttentionOp
//===----------------------------------------------------------------------===//

static constexpr int64_t kMaxHeadDim = 256;

static LogicalResult checkHeadDim(Operation *op, StringRef owner,
                                  RankedTensorType type) {
  int64_t size = type.getDimSize(3);
  if (ShapedType::isDynamic(size))
    return op->emitOpError()
           << "head dim of " << owner << " (dimension 3) must be static";
  if (size < 1 || size > kMaxHeadDim)
    return op->emitOpError()
           << "head dim of " << owner << " (dimension 3) is " << size
           << ", but must be from 1 to " << kMaxHeadDim;
  return success();
}

LogicalResult AttentionOp::verify() {
  RankedTensorType q = getQuery().getType(), k = getKey().getType(),
                   v = getValue().getType(), o = getOutput().getType();
  if (failed(checkElement(*this, "query", q.getElementType(), "key",
                          k.getElementType())) ||
      failed(checkElement(*this, "query", q.getElementType(), "value",
                          v.getElementType())))
    return failure();
  if (o.getElementType() != q.getElementType() && !o.getElementType().isF32())
    return emitOpError() << "output has element type " << o.getElementType()
                         << ", but must have the query's, "
                         << q.getElementType() << ", or f32";

  if (failed(checkHeadDim(*this, "query", q)) ||
      failed(checkHeadDim(*this, "key", k)) ||
      failed(checkHeadDim(*this, "value", v)))
    return failure();

  int64_t heads = getHeadsDim(), length = getLengthDim();
  auto same = [&](StringRef what, NamedDim a, NamedDim b) {
    return checkSame(*this, what, a, b);
  };
  if (failed(same("batch", {"query", q, 0}, {"key", k, 0})) ||
      failed(same("batch", {"query", q, 0}, {"value", v, 0})) ||
      failed(same("batch", {"query", q, 0}, {"output", o, 0})) ||
      failed(same("head dim", {"query", q, 3}, {"key", k, 3})) ||
      failed(same("head dim", {"value", v, 3}, {"output", o, 3})) ||
      failed(same("number of heads", {"key", k, heads}, {"value", v, heads})) ||
      failed(
          same("number of heads", {"query", q, heads}, {"output", o, heads})) ||
      failed(same("length", {"key", k, length}, {"value", v, length})) ||
      failed(same("length", {"query", q, length}, {"output", o, length})))
    return failure();

  int64_t queryHeads = q.getDimSize(heads), keyHeads = k.getDimSize(heads);
  if (!ShapedType::isDynamic(queryHeads) && !ShapedType::isDynamic(keyHeads) &&
      (keyHeads == 0 ? queryHeads != 0 : queryHeads % keyHeads != 0))
    return emitOpError() << "number of query heads (" << queryHeads
                         << ") is not a multiple of the number of key heads ("
                         << keyHeads << ")";

  if (getLse()) {
    RankedTensorType lse = getLse().getType();
    if (failed(same("batch", {"query", q, 0}, {"lse", lse, 0})) ||
        failed(same("number of heads", {"query", q, heads}, {"lse", lse, 1})) ||
        failed(same("length", {"query", q, length}, {"lse", lse, 2})))
      return failure();
  }
  if (getScale() && !std::isfinite(getScale()->convertToFloat()))
    return emitOpError() << "scale must be finite";
  return success();
}

float AttentionOp::getScaleOrDefault() {
  if (getScale())
    return getScale()->convertToFloat();
  return static_cast<float>(1.0 / std::sqrt(double(getQKHeadDim())));
}

LogicalResult
AttentionOp::reifyResultShapes(OpBuilder &builder,
                               ReifiedRankedShapedTypeDims &reified) {
  Location loc = getLoc();
  SmallVector<OpFoldResult> output, lse;
  for (int64_t dim = 0; dim < 3; ++dim)
    output.push_back(tensor::getMixedSize(builder, loc, getQuery(), dim));
  output.push_back(tensor::getMixedSize(builder, loc, getValue(), 3));
  reified.push_back(output);
  if (getLse())
    reified.push_back(
        {output[0], output[getHeadsDim()], output[getLengthDim()]});
  return success();
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
    auto plain = AttentionOp::create(
        rewriter, op.getLoc(), op.getOutput().getType(), /*lse=*/Type(),
        op.getQuery(), op.getKey(), op.getValue(), op.getQOffset(),
        op.getKvOffset(), op.getLayout(), op.getMaskAttr(), op.getScaleAttr(),
        op.getScheduleAttr());
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
    auto refined = AttentionOp::create(
        rewriter, op.getLoc(), output, lse, op.getQuery(), op.getKey(),
        op.getValue(), op.getQOffset(), op.getKvOffset(), op.getLayout(),
        op.getMaskAttr(), op.getScaleAttr(), op.getScheduleAttr());
    SmallVector<Value> results;
    for (auto [now, was] :
         llvm::zip(refined->getResults(), op->getResultTypes()))
      results.push_back(
          tensor::CastOp::create(rewriter, op.getLoc(), was, now));
    rewriter.replaceOp(op, results);
    return success();
  }
};

/// Reads through a tensor.cast that only forgot static sizes.
template <typename OpT> struct AbsorbCasts : OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;
  LogicalResult matchAndRewrite(OpT op,
                                PatternRewriter &rewriter) const override {
    bool changed = false;
    rewriter.startOpModification(op);
    for (OpOperand &operand : op->getOpOperands()) {
      auto cast = operand.get().template getDefiningOp<tensor::CastOp>();
      if (!cast || !tensor::canFoldIntoConsumerOp(cast))
        continue;
      operand.set(cast.getSource());
      changed = true;
    }
    if (!changed) {
      rewriter.cancelOpModification(op);
      return rewriter.notifyMatchFailure(op, "no cast to absorb");
    }
    rewriter.finalizeOpModification(op);
    return success();
  }
};
} // namespace

void AttentionOp::getCanonicalizationPatterns(RewritePatternSet &results,
                                              MLIRContext *context) {
  results.add<DropUnusedLse, RefineResultShape, AbsorbCasts<AttentionOp>>(
      context);
}

//===----------------------------------------------------------------------===//
// MergeOp
//===----------------------------------------------------------------------===//

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

//===----------------------------------------------------------------------===//
// OnlineAttentionOp
//===----------------------------------------------------------------------===//

LogicalResult OnlineAttentionOp::verify() {
  RankedTensorType q = getQuery().getType(), k = getKey().getType(),
                   v = getValue().getType(), acc = getAcc().getType(),
                   max = getMax().getType(), sum = getSum().getType();
  for (auto [name, type] :
       {std::pair{"query", q}, {"key", k}, {"value", v}, {"acc", acc}})
    if (!type.hasStaticShape())
      return emitOpError() << "tiles must be static, but " << name << " is "
                           << type;
  if (failed(checkElement(*this, "query", q.getElementType(), "key",
                          k.getElementType())) ||
      failed(checkElement(*this, "query", q.getElementType(), "value",
                          v.getElementType())))
    return failure();
  int64_t row = getTransposed() ? 1 : 0, col = 1 - row;
  if (failed(checkSame(*this, "head dim", {"query", q, col}, {"key", k, 1})) ||
      failed(
          checkSame(*this, "head dim", {"value", v, 1}, {"acc", acc, col})) ||
      failed(checkSame(*this, "keys", {"key", k, 0}, {"value", v, 0})) ||
      failed(checkSame(*this, "query rows", {"query", q, row},
                       {"acc", acc, row})) ||
      failed(
          checkSame(*this, "query rows", {"query", q, row}, {"max", max, 0})) ||
      failed(
          checkSame(*this, "query rows", {"query", q, row}, {"sum", sum, 0})))
    return failure();
  return success();
}

/// Results of a destination-style op have their destinations' shapes.
static void reifyFromInits(DestinationStyleOpInterface op, OpBuilder &builder,
                           ReifiedRankedShapedTypeDims &reified) {
  for (Value init : op.getDpsInits())
    reified.push_back(tensor::getMixedSizes(builder, op.getLoc(), init));
}

LogicalResult
OnlineAttentionOp::reifyResultShapes(OpBuilder &builder,
                                     ReifiedRankedShapedTypeDims &reified) {
  reifyFromInits(*this, builder, reified);
  return success();
}

//===----------------------------------------------------------------------===//
// OnlineSoftmaxOp
//===----------------------------------------------------------------------===//

LogicalResult OnlineSoftmaxOp::verify() {
  RankedTensorType s = getScores().getType(), p = getPInit().getType();
  int64_t row = 1 - getDim();
  if (failed(checkSame(*this, "dimension 0", {"scores", s, 0}, {"p", p, 0})) ||
      failed(checkSame(*this, "dimension 1", {"scores", s, 1}, {"p", p, 1})) ||
      failed(checkSame(*this, "query rows", {"scores", s, row},
                       {"max", getMax().getType(), 0})) ||
      failed(checkSame(*this, "query rows", {"scores", s, row},
                       {"sum", getSum().getType(), 0})) ||
      failed(checkSame(*this, "query rows", {"scores", s, row},
                       {"alpha", getAlphaInit().getType(), 0})))
    return failure();
  float scale = getScale().convertToFloat();
  if (!(scale > 0) || !std::isfinite(scale))
    return emitOpError() << "scale must be positive and finite, but is "
                         << scale;
  return success();
}

LogicalResult
OnlineSoftmaxOp::reifyResultShapes(OpBuilder &builder,
                                   ReifiedRankedShapedTypeDims &reified) {
  reifyFromInits(*this, builder, reified);
  return success();
}
