//===- Fragments.cpp - Operations on fragments, lane by lane ----*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// splat, convert, reduce, all_reduce and any. A reduction is over the columns
// that the lane holds, then over the four lanes that share a row:
//
//   reduce max %s : acc -> row   ->   max of elements, shfl.bfly 1, shfl.bfly 2
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace flash::tile;

static Value combine(Emitter &e, ReduceKind kind, Value a, Value b) {
  if (kind == ReduceKind::Max)
    return arith::MaxNumFOp::create(e, a, b);
  return arith::AddFOp::create(e, a, b);
}

/// Over the four lanes of a quad.
static Value combineQuad(Emitter &e, ReduceKind kind, Value value) {
  for (int64_t distance : {1, 2})
    value = combine(e, kind, value, e.shuffleXor(value, distance));
  return value;
}

namespace {

struct SplatLowering : TilePattern<SplatOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(SplatOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Emitter e(op.getLoc(), rewriter);
    FragmentType type = op.getResult().getType();
    SmallVector<Value> elements(type.getElementsPerLane(), adaptor.getValue());
    rewriter.replaceOp(op, pack(e, elements, type));
    return success();
  }
};

/// cvt.rn.bf16x2 of each pair of columns: the order of the pairs is the same in
/// the accumulator and in the A operand.
struct ConvertLowering : TilePattern<ConvertOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(ConvertOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Emitter e(op.getLoc(), rewriter);
    Type element = op.getResult().getType().getElementType();
    SmallVector<Value> source =
        unpack(e, adaptor.getSource(), op.getSource().getType());
    SmallVector<Value> pairs;
    for (size_t i = 0; i < source.size(); i += 2) {
      Value pair = e.makeVector({source[i], source[i + 1]});
      Value rounded =
          LLVM::FPTruncOp::create(e, VectorType::get(2, element), pair);
      pairs.push_back(LLVM::BitcastOp::create(e, e.getI32Type(), rounded));
    }
    rewriter.replaceOp(op, e.makeVector(pairs));
    return success();
  }
};

/// The elements in f32. A bf16 is the upper half of an f32: two integer
/// operations widen a pair, where a conversion would be a slow instruction.
SmallVector<Value> unpackWide(Emitter &e, Value lowered, FragmentType type) {
  SmallVector<Value> elements;
  if (isPacked(type) && type.getElementType().isBF16()) {
    int64_t count = cast<VectorType>(lowered.getType()).getNumElements();
    for (int64_t i = 0; i < count; ++i) {
      Value pair = e.extract(lowered, i);
      for (Value half : {e.shl(pair, 16), e.bitAnd(pair, 0xFFFF0000)})
        elements.push_back(arith::BitcastOp::create(e, e.getF32Type(), half));
    }
    return elements;
  }
  for (Value element : unpack(e, lowered, type))
    elements.push_back(
        element.getType().isF32()
            ? element
            : arith::ExtFOp::create(e, e.getF32Type(), element).getResult());
  return elements;
}

struct ReduceLowering : TilePattern<ReduceOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(ReduceOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Emitter e(op.getLoc(), rewriter);
    FragmentType type = op.getSource().getType();
    SmallVector<Value> elements = unpackWide(e, adaptor.getSource(), type);
    bool toRow = isa<RowLayoutAttr>(op.getResult().getType().getLayout());
    int64_t blocks = type.getColumns() / 8;
    SmallVector<Value> rows;
    for (int64_t r = 0; r < type.getRepetitions(); ++r)
      for (int64_t half = 0; half < 2; ++half) {
        // Even and odd columns apart: two chains of half the length.
        Value chains[2];
        for (int64_t i = 0; i < blocks; ++i)
          for (int64_t k = 0; k < 2; ++k) {
            Value element = elements[(r * blocks + i) * 4 + half * 2 + k];
            chains[k] =
                i == 0 ? element : combine(e, op.getKind(), chains[k], element);
          }
        Value row = combine(e, op.getKind(), chains[0], chains[1]);
        rows.push_back(toRow ? combineQuad(e, op.getKind(), row) : row);
      }
    rewriter.replaceOp(op, e.makeVector(rows));
    return success();
  }
};

struct AllReduceLowering : TilePattern<AllReduceOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(AllReduceOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Emitter e(op.getLoc(), rewriter);
    SmallVector<Value> rows =
        unpack(e, adaptor.getSource(), op.getSource().getType());
    for (Value &row : rows)
      row = combineQuad(e, op.getKind(), row);
    rewriter.replaceOp(op, e.makeVector(rows));
    return success();
  }
};

struct AnyLowering : TilePattern<AnyOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(AnyOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Emitter e(op.getLoc(), rewriter);
    Value any;
    for (Value row : unpack(e, adaptor.getSource(), op.getSource().getType()))
      any = any ? e.bitOr(any, row) : row;
    rewriter.replaceOpWithNewOp<NVVM::VoteSyncOp>(op, e.getI1Type(), e.i32(-1),
                                                  any, NVVM::VoteSyncKind::any);
    return success();
  }
};

} // namespace

void flash::tile::populateFragmentPatterns(const TileTypeConverter &converter,
                                           RewritePatternSet &patterns,
                                           const KernelMap &kernels) {
  patterns.add<SplatLowering, ConvertLowering, ReduceLowering,
               AllReduceLowering, AnyLowering>(converter, patterns.getContext(),
                                               kernels);
}
