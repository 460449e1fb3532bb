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
// Where batches differ in how many keys they have and where these lie, or lists
// number them, the parts have all tensors and take their slices themselves:
//
//   %o0, %l0 = flash.attention %q, %k, %v kv_lengths(%n)
//                {key_slice = #flash.slice<part = 0, of = 2>}
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

/// Each part is an attention of its own, which on a GPU has kernels of its own,
/// and the kernel that merges them has parameters for each.
static constexpr int64_t kMostParts = 16;

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

/// Whether keys can be sliced where they lie: all batches have the same ones,
/// and nothing numbers them by blocks.
static bool canSliceTensors(AttentionOp op) {
  bool lists = op.getMaskBlockSizes().second != 0;
  return !lists && !op.isPaged() && !op.isRagged() && !op.getKvLengths();
}

/// Keys that have to stay together in a slice: blocks of lists, or pages, so
/// that tiles do not cross them.
static int64_t unitOf(AttentionOp op) {
  if (int64_t block = op.getMaskBlockSizes().second)
    return block;
  int64_t page = op.getKey().getType().getDimSize(op.getLengthDim());
  return op.isPaged() && !ShapedType::isDynamic(page) ? page : 1;
}

/// How many of `parts` have keys; a slice of none, of a static dimension or at
/// its end, is not even legal.
static int64_t countParts(AttentionOp op, int64_t parts) {
  auto isEmpty = [](RankedTensorType type) {
    return llvm::is_contained(type.getShape(), 0);
  };
  if (isEmpty(op.getQuery().getType()) || isEmpty(op.getKey().getType()) ||
      isEmpty(op.getValue().getType()))
    return 1;
  int64_t keys = op.getKey().getType().getDimSize(op.getLengthDim());
  if (ShapedType::isDynamic(keys))
    return parts;
  return keys == 0 ? 1 : llvm::divideCeil(keys, llvm::divideCeil(keys, parts));
}

/// The part of an operand of a mask or a score function that belongs to keys
/// [start, start + size).
static Value sliceOperand(OpBuilder &builder, Location loc, Value operand,
                          const OperandKind &kind, OpFoldResult start,
                          OpFoldResult size) {
  ArrayRef<OperandDim> dims =
      kind.dimsOf(cast<RankedTensorType>(operand.getType()).getRank());
  const auto *along = llvm::find_if(
      dims, [](const OperandDim &dim) { return dim.along == Along::Keys; });
  if (along == dims.end())
    return operand;
  int64_t position = along - dims.begin();
  if (along->broadcasts) {
    OpFoldResult all = tensor::getMixedSize(builder, loc, operand, position);
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
  return sliceLength(builder, loc, operand, position, start, size);
}

/// Types of the results of a part, which are merged.
static SmallVector<Type> partTypes(AttentionOp op) {
  RankedTensorType q = op.getQuery().getType();
  Type accumulator = op.getAccumulatorType();
  return {
      op.getOutput().getType().clone(accumulator),
      RankedTensorType::get({q.getDimSize(0), q.getDimSize(op.getHeadsDim()),
                             q.getDimSize(op.getLengthDim())},
                            accumulator)};
}

static void mergeParts(RewriterBase &rewriter, AttentionOp op,
                       ArrayRef<AttentionOp> parts) {
  SmallVector<Value> outputs, lses;
  for (auto [number, part] : llvm::enumerate(parts)) {
    // A sink joins the sum of a row once.
    if (number > 0)
      AttentionOp(part).getSinksMutable().clear();
    outputs.push_back(AttentionOp(part).getOutput());
    lses.push_back(AttentionOp(part).getLse());
  }
  rewriter.replaceOpWithNewOp<MergeOp>(op, op.getOutput().getType(),
                                       op.getLse() ? op.getLse().getType()
                                                   : Type(),
                                       outputs, lses, op.getLayout(),
                                       /*schedule=*/ScheduleAttr());
}

/// Parts that take their slices themselves, each of the keys that a batch has.
static void splitByAttribute(RewriterBase &rewriter, AttentionOp op,
                             int64_t count) {
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(op);
  SmallVector<AttentionOp> parts;
  for (int64_t part = 0; part < count; ++part) {
    parts.push_back(op.cloneWithTypes(rewriter, partTypes(op)));
    parts.back().setKeySliceAttr(
        SliceAttr::get(rewriter.getContext(), part, count, unitOf(op)));
  }
  mergeParts(rewriter, op, parts);
}

/// Parts of which each has a slice of the tensors.
static void splitTensors(RewriterBase &rewriter, AttentionOp op,
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

  SmallVector<OperandKind> maskKinds, scoreKinds;
  if (MaskAttrInterface mask = op.getEffectiveMask())
    maskKinds = mask.getMaskOperandKinds();
  for (ScoreAttrInterface score : op.getEffectiveScores())
    scoreKinds.append(score.getScoreOperandKinds());
  auto slices = [&](ValueRange operands, ArrayRef<OperandKind> kinds,
                    OpFoldResult start, OpFoldResult size) {
    SmallVector<Value> result;
    for (auto [operand, kind] : llvm::zip_equal(operands, kinds))
      result.push_back(sliceOperand(rewriter, loc, operand, kind, start, size));
    return result;
  };

  OpFoldResult chunk = apply(rewriter, loc, a.ceilDiv(parts), {keys});
  SmallVector<AttentionOp> made;
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
        slices(op.getMaskOperands(), maskKinds, start, size);
    SmallVector<Value> scoreOperands =
        slices(op.getScoreOperands(), scoreKinds, start, size);
    auto attention = op.cloneWithTypes(rewriter, partTypes(op));
    attention.getKeyMutable().assign(key);
    attention.getValueMutable().assign(value);
    attention.getMaskOperandsMutable().assign(maskOperands);
    attention.getScoreOperandsMutable().assign(scoreOperands);
    if (op.usesPositions()) {
      attention.getQOffsetMutable().assign(qOffsetValue);
      attention.getKvOffsetMutable().assign(partOffset);
    }
    made.push_back(attention);
  }
  mergeParts(rewriter, op, made);
}

namespace {
struct SplitKVPass : flash::impl::SplitKVBase<SplitKVPass> {
  using SplitKVBase::SplitKVBase;

  void runOnOperation() override {
    if (parts < 1 || parts > kMostParts) {
      getOperation().emitError()
          << "flash-split-kv: parts must be 1 to " << kMostParts
          << ", for each is an attention of its own, but is " << int64_t(parts);
      return signalPassFailure();
    }
    SmallVector<AttentionOp> ops;
    getOperation().walk([&](AttentionOp op) { ops.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (AttentionOp op : ops) {
      if (op.getKeySlice()) {
        op.emitOpError("attends to a slice of its keys already, which is not "
                       "split further");
        return signalPassFailure();
      }
      if (!canSliceTensors(op)) {
        splitByAttribute(rewriter, op, parts);
        ++numSplit;
        continue;
      }
      int64_t count = countParts(op, parts);
      if (parts > 1 && count == 1)
        continue;
      splitTensors(rewriter, op, count);
      ++numSplit;
    }
  }
};
} // namespace
