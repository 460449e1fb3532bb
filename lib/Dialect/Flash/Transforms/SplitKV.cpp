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

/// Keys or values [start, start + size) along the length.
static Value sliceLength(OpBuilder &builder, Location loc, Value tensor,
                         int64_t lengthDim, OpFoldResult start,
                         OpFoldResult size) {
  SmallVector<OpFoldResult> offsets(4, builder.getIndexAttr(0)),
      strides(4, builder.getIndexAttr(1)),
      sizes = tensor::getMixedSizes(builder, loc, tensor);
  offsets[lengthDim] = start;
  sizes[lengthDim] = size;
  return tensor::ExtractSliceOp::create(builder, loc, tensor, offsets, sizes,
                                        strides);
}

/// Whether a slice of the keys is an attention of the same kind.
static LogicalResult checkSplits(AttentionOp op) {
  StringRef what = op.isPaged()                     ? "paged keys"
                   : op.isRagged()                  ? "ragged sequences"
                   : op.getKvLengths()              ? "kv_lengths"
                   : op.getSinks()                  ? "sinks"
                   : !op.getMaskOperands().empty()  ? "mask_operands"
                   : !op.getScoreOperands().empty() ? "score_operands"
                                                    : "";
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

  OpFoldResult chunk = apply(rewriter, loc, a.ceilDiv(parts), {keys});
  RankedTensorType output = op.getOutput().getType();
  Type partType = output.clone(rewriter.getF32Type());
  RankedTensorType q = op.getQuery().getType();
  auto lseType = RankedTensorType::get(
      {q.getDimSize(0), q.getDimSize(op.getHeadsDim()), q.getDimSize(length)},
      rewriter.getF32Type());

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
    auto attention = op.cloneWithTypes(rewriter, {partType, lseType});
    attention.getKeyMutable().assign(key);
    attention.getValueMutable().assign(value);
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
