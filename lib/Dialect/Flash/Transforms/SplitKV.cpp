//===- SplitKV.cpp - Attention on slices of the keys ------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An attention over all keys is the merge of attentions over disjoint slices of
// them:
//
//   %o = flash.attention %q, %k, %v
//   // becomes, for each part,
//   %o0, %l0 = flash.attention %q, %k0, %v0 q_offset(%qo) kv_offset(%c0)
//   %o = flash.merge outputs(%o0, %o1) lses(%l0, %l1)
//
// It runs at L0, because there a slice of the keys is just another attention
// with its own offset; every target then gets split-KV for nothing.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace flash {
#define GEN_PASS_DEF_SPLITKV
#include "flash/Dialect/Flash/Transforms/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

/// Evaluates an affine expression of sizes, folding constants.
static OpFoldResult apply(OpBuilder &builder, Location loc, AffineExpr expr,
                          ArrayRef<OpFoldResult> operands) {
  return affine::makeComposedFoldedAffineApply(builder, loc, expr, operands);
}

static OpFoldResult minimum(OpBuilder &builder, Location loc, OpFoldResult a,
                            OpFoldResult b) {
  return affine::makeComposedFoldedAffineMin(
      builder, loc, AffineMap::getMultiDimIdentityMap(2, builder.getContext()),
      {a, b});
}

/// Keys, values or data of them [start, start + size) along a dimension.
static Value sliceLength(OpBuilder &builder, Location loc, Value tensor,
                         int64_t lengthDim, OpFoldResult start,
                         OpFoldResult size) {
  int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
  SmallVector<OpFoldResult> offsets(rank, builder.getIndexAttr(0)),
      strides(rank, builder.getIndexAttr(1)),
      sizes = tensor::getMixedSizes(builder, loc, tensor);
  offsets[lengthDim] = start;
  sizes[lengthDim] = size;
  return tensor::ExtractSliceOp::create(builder, loc, tensor, offsets, sizes,
                                        strides);
}

/// Whether a slice of the keys is an attention of the same kind.
static LogicalResult checkSplits(AttentionOp op) {
  StringRef what = op.isPaged()        ? "paged keys"
                   : op.isRagged()     ? "ragged sequences"
                   : op.getKvLengths() ? "kv_lengths"
                                       : "";
  MaskAttrInterface mask = op.getEffectiveMask();
  if (what.empty() && mask && failed(mask.getKeyDims()))
    what = "lists of key blocks";
  if (what.empty())
    return success();
  return op.emitOpError() << "splitting the keys of an attention with " << what
                          << " is not supported";
}

/// How many of `parts` have keys; a slice of none, at the end of a static
/// dimension, is not even legal.
static int64_t countParts(AttentionOp op, int64_t parts) {
  int64_t keys = op.getKey().getType().getDimSize(op.getLengthDim());
  if (ShapedType::isDynamic(keys))
    return parts;
  return keys == 0 ? 1 : llvm::divideCeil(keys, llvm::divideCeil(keys, parts));
}

/// The part of an operand of a mask or a score function that belongs to keys
/// [start, start + size).
static Value sliceOperand(OpBuilder &builder, Location loc, Value operand,
                          KeyDim key, OpFoldResult start, OpFoldResult size) {
  if (key.dim < 0)
    return operand;
  if (key.broadcasts) {
    OpFoldResult all = tensor::getMixedSize(builder, loc, operand, key.dim);
    if (isConstantIntValue(all, 1))
      return operand;
    // A size of 1 that only a call knows serves all keys too.
    if (auto run = dyn_cast<Value>(all)) {
      Value one = arith::ConstantIndexOp::create(builder, loc, 1),
            zero = arith::ConstantIndexOp::create(builder, loc, 0);
      Value isOne = arith::CmpIOp::create(builder, loc,
                                          arith::CmpIPredicate::eq, run, one);
      auto unlessOne = [&](Value instead, OpFoldResult value) -> OpFoldResult {
        return arith::SelectOp::create(
                   builder, loc, isOne, instead,
                   getValueOrCreateConstantIndexOp(builder, loc, value))
            .getResult();
      };
      start = unlessOne(zero, start);
      size = unlessOne(one, size);
    }
  }
  return sliceLength(builder, loc, operand, key.dim, start, size);
}

/// How the operands of an attention's score functions run along the keys.
static SmallVector<KeyDim> getScoreKeyDims(AttentionOp op) {
  SmallVector<KeyDim> all;
  for (ScoreAttrInterface score : op.getEffectiveScores())
    all.append(score.getScoreKeyDims());
  return all;
}

/// Replaces `op` by `parts` attentions over slices of the keys, merged.
static void splitAttention(RewriterBase &rewriter, AttentionOp op,
                           int64_t parts) {
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(op);
  Location loc = op.getLoc();
  AffineExpr a, b, c;
  bindDims(rewriter.getContext(), a, b, c);

  int64_t length = op.getLengthDim();
  OpFoldResult keys = tensor::getMixedSize(rewriter, loc, op.getKey(), length);
  OpFoldResult queries =
      tensor::getMixedSize(rewriter, loc, op.getQuery(), length);
  OpFoldResult kvOffset = op.getKvOffset() ? OpFoldResult(op.getKvOffset())
                                           : rewriter.getIndexAttr(0);
  OpFoldResult qOffset = op.getQOffset() ? OpFoldResult(op.getQOffset())
                                         : apply(rewriter, loc, a + b - c,
                                                 {kvOffset, keys, queries});
  Value qOffsetValue =
      op.usesPositions()
          ? getValueOrCreateConstantIndexOp(rewriter, loc, qOffset)
          : Value();

  SmallVector<KeyDim> maskDims, scoreDims = getScoreKeyDims(op);
  if (MaskAttrInterface mask = op.getEffectiveMask())
    maskDims = *mask.getKeyDims();
  auto slices = [&](ValueRange operands, ArrayRef<KeyDim> dims,
                    OpFoldResult start, OpFoldResult size) {
    SmallVector<Value> result;
    for (auto [operand, dim] : llvm::zip_equal(operands, dims))
      result.push_back(sliceOperand(rewriter, loc, operand, dim, start, size));
    return result;
  };

  OpFoldResult chunk = apply(rewriter, loc, a.ceilDiv(parts), {keys});
  RankedTensorType output = op.getOutput().getType();
  Type partType = output.clone(op.getAccumulatorType());
  RankedTensorType q = op.getQuery().getType();
  auto lseType = RankedTensorType::get(
      {q.getDimSize(0), q.getDimSize(op.getHeadsDim()), q.getDimSize(length)},
      op.getAccumulatorType());

  SmallVector<Value> outputs, lses;
  for (int64_t part = 0; part < parts; ++part) {
    OpFoldResult start =
        minimum(rewriter, loc, keys, apply(rewriter, loc, a * part, {chunk}));
    OpFoldResult size = minimum(rewriter, loc, chunk,
                                apply(rewriter, loc, a - b, {keys, start}));
    Value partOffset;
    if (op.usesPositions())
      partOffset = getValueOrCreateConstantIndexOp(
          rewriter, loc, apply(rewriter, loc, a + b, {kvOffset, start}));
    Value key = sliceLength(rewriter, loc, op.getKey(), length, start, size);
    Value value =
        sliceLength(rewriter, loc, op.getValue(), length, start, size);
    SmallVector<Value> maskOperands =
        slices(op.getMaskOperands(), maskDims, start, size);
    SmallVector<Value> scoreOperands =
        slices(op.getScoreOperands(), scoreDims, start, size);
    auto attention = op.cloneWithTypes(rewriter, {partType, lseType});
    attention.getKeyMutable().assign(key);
    attention.getValueMutable().assign(value);
    attention.getMaskOperandsMutable().assign(maskOperands);
    attention.getScoreOperandsMutable().assign(scoreOperands);
    // A sink joins the sum of a row once.
    if (part > 0)
      attention.getSinksMutable().clear();
    if (op.usesPositions()) {
      attention.getQOffsetMutable().assign(qOffsetValue);
      attention.getKvOffsetMutable().assign(partOffset);
    }
    outputs.push_back(attention.getOutput());
    lses.push_back(attention.getLse());
  }
  rewriter.replaceOpWithNewOp<MergeOp>(
      op, output, op.getLse() ? op.getLse().getType() : Type(), outputs, lses,
      op.getLayout());
}

namespace {
struct SplitKVPass : flash::impl::SplitKVBase<SplitKVPass> {
  using SplitKVBase::SplitKVBase;

  void runOnOperation() override {
    if (parts < 1) {
      getOperation().emitError()
          << "flash-split-kv: parts must be at least 1, but is " << parts;
      return signalPassFailure();
    }
    SmallVector<AttentionOp> ops;
    getOperation().walk([&](AttentionOp op) { ops.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (AttentionOp op : ops) {
      if (failed(checkSplits(op)))
        return signalPassFailure();
      int64_t count = countParts(op, parts);
      if (parts > 1 && count == 1)
        continue;
      splitAttention(rewriter, op, count);
      ++numSplit;
    }
  }
};
} // namespace
