//===- ExpandFloat8.cpp - 8-bit floating point as arithmetic --------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// LLVM has no 8-bit floating point; by way of f16, which CPUs convert from, it
// takes a few integer instructions and is exact:
//
//   %y = arith.extf %x : vector<8xf8E5M2> to vector<8xf32>
//   -> the upper half of an f16
//   %y = arith.extf %x : vector<8xf8E4M3FN> to vector<8xf32>
//   -> sign, exponent and mantissa in their places in an f16, times 2^8; NaN
//      where all but the sign are ones
//
//===----------------------------------------------------------------------===//

#include "flash/Conversion/FlashToCPU/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include <limits>

#define DEBUG_TYPE "flash-expand-float8"

namespace flash {
#define GEN_PASS_DEF_EXPANDFLOAT8PASS
#include "flash/Conversion/FlashToCPU/Passes.h.inc"
} // namespace flash

using namespace mlir;

static Type withElement(Type type, Type element) {
  if (auto vector = dyn_cast<VectorType>(type))
    return vector.clone(element);
  return element;
}

Value flash::expandFloat8(OpBuilder &b, Location loc, Value x) {
  Type type = x.getType(), i16 = withElement(type, b.getI16Type()),
       f32 = withElement(type, b.getF32Type());
  auto splat = [&](Type of, TypedAttr attr) -> Value {
    if (auto vector = dyn_cast<VectorType>(of))
      attr = DenseElementsAttr::get(vector, attr);
    return arith::ConstantOp::create(b, loc, attr);
  };
  auto word = [&](int16_t v) { return splat(i16, b.getI16IntegerAttr(v)); };
  Value byte = arith::BitcastOp::create(
      b, loc, withElement(type, b.getIntegerType(8)), x);
  Value bits = arith::ExtUIOp::create(b, loc, i16, byte);
  auto toFloat = [&](Value half) -> Value {
    half = arith::BitcastOp::create(b, loc, withElement(type, b.getF16Type()),
                                    half);
    return arith::ExtFOp::create(b, loc, f32, half);
  };
  if (isa<Float8E5M2Type>(getElementTypeOrSelf(type)))
    return toFloat(arith::ShLIOp::create(b, loc, bits, word(8)));

  Value sign = arith::ShLIOp::create(
      b, loc, arith::AndIOp::create(b, loc, bits, word(0x80)), word(8));
  Value rest = arith::AndIOp::create(b, loc, bits, word(0x7f));
  Value half = arith::OrIOp::create(
      b, loc, sign, arith::ShLIOp::create(b, loc, rest, word(7)));
  Value number = arith::MulFOp::create(b, loc, toFloat(half),
                                       splat(f32, b.getF32FloatAttr(256.0f)));
  Value isNaN =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, rest, word(0x7f));
  Value nan =
      splat(f32, b.getF32FloatAttr(std::numeric_limits<float>::quiet_NaN()));
  return arith::SelectOp::create(b, loc, isNaN, nan, number);
}

namespace {

struct ExpandFloat8 : OpRewritePattern<arith::ExtFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::ExtFOp op,
                                PatternRewriter &rewriter) const override {
    if (!isa<Float8E4M3FNType, Float8E5M2Type>(
            getElementTypeOrSelf(op.getIn().getType())))
      return rewriter.notifyMatchFailure(op, "the operand is not f8");
    Value wide = flash::expandFloat8(rewriter, op.getLoc(), op.getIn());
    Type element = getElementTypeOrSelf(op.getType());
    if (element.isF64())
      wide = arith::ExtFOp::create(rewriter, op.getLoc(), op.getType(), wide);
    else if (!element.isF32())
      wide = arith::TruncFOp::create(rewriter, op.getLoc(), op.getType(), wide);
    rewriter.replaceOp(op, wide);
    return success();
  }
};

struct ExpandFloat8Pass : flash::impl::ExpandFloat8PassBase<ExpandFloat8Pass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    flash::populateExpandFloat8Patterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace

void flash::populateExpandFloat8Patterns(RewritePatternSet &patterns) {
  patterns.add<ExpandFloat8>(patterns.getContext());
}
