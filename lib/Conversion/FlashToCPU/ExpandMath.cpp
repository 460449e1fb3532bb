//===- ExpandMath.cpp - Functions of score regions as arithmetic ----------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a score function may call, on f32, without a call or a branch:
//
//   %y = math.tanh %x : vector<8xf32>
//   ->
//   y = x * P(x^2) / Q(x^2), |x| <= 8.5
//
// tanh is ours, for softcap meets every score: a rational function with P(0) =
// Q(0) = 1, 15 instructions, relative error below 2.7e-7 (4e-8 in the mean);
// beyond 8.5 it is 1 within a unit in the last place, and a NaN stays one. The
// others (exp, log, sin, erf, ...) are upstream's polynomials. exp2 is in
// ExpandExp2.cpp; what no polynomial is known for remains a call a lane.
//
//===----------------------------------------------------------------------===//

#include "flash/Conversion/FlashToCPU/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

#define DEBUG_TYPE "flash-expand-math"

namespace flash {
#define GEN_PASS_DEF_EXPANDMATHPASS
#include "flash/Conversion/FlashToCPU/Passes.h.inc"
} // namespace flash

using namespace mlir;

/// Minimax in relative error over [-8.5, 8.5], with the first held at 1.
static constexpr double numerator[] = {
    1.0, 0.13415856659412384, 0.0035370755940675735, 2.1299336367519572e-05,
    1.4332959707985538e-08};
static constexpr double denominator[] = {
    1.0, 0.46749183535575867, 0.026034479960799217, 0.0003353767388034612,
    8.171861054506735e-07};

Value flash::expandTanh(OpBuilder &b, Location loc, Value x) {
  Type type = x.getType();
  auto splat = [&](double v) -> Value {
    TypedAttr attr = b.getF32FloatAttr(v);
    if (auto vector = dyn_cast<VectorType>(type))
      attr = DenseElementsAttr::get(vector, attr);
    return arith::ConstantOp::create(b, loc, attr);
  };
  // The comparison is false for a NaN, which is so kept.
  auto clamp = [&](arith::CmpFPredicate beyond, double limit,
                   Value v) -> Value {
    Value bound = splat(limit);
    Value out = arith::CmpFOp::create(b, loc, beyond, bound, v);
    return arith::SelectOp::create(b, loc, out, bound, v);
  };
  x = clamp(arith::CmpFPredicate::OGT, -8.5, x);
  x = clamp(arith::CmpFPredicate::OLT, 8.5, x);
  Value square = arith::MulFOp::create(b, loc, x, x);
  auto polynomial = [&](ArrayRef<double> coefficients) {
    Value p = splat(coefficients.back());
    for (double c : llvm::reverse(coefficients.drop_back()))
      p = math::FmaOp::create(b, loc, p, square, splat(c));
    return p;
  };
  Value p = arith::MulFOp::create(b, loc, x, polynomial(numerator));
  return arith::DivFOp::create(b, loc, p, polynomial(denominator));
}

namespace {

struct ExpandTanh : OpRewritePattern<math::TanhOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::TanhOp op,
                                PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isF32())
      return rewriter.notifyMatchFailure(op, "only f32 is expanded");
    if (auto vector = dyn_cast<VectorType>(op.getType());
        vector && vector.isScalable())
      return rewriter.notifyMatchFailure(op, "the vector is scalable");
    rewriter.replaceOp(
        op, flash::expandTanh(rewriter, op.getLoc(), op.getOperand()));
    return success();
  }
};

struct ExpandMathPass : flash::impl::ExpandMathPassBase<ExpandMathPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    flash::populateExpandMathPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace

void flash::populateExpandMathPatterns(RewritePatternSet &patterns) {
  patterns.add<ExpandTanh>(patterns.getContext());
  // rsqrt would become an AVX2 intrinsic, whatever the target; as it is, it is
  // a square root and a division, which vectors have.
  populateMathPolynomialApproximationPatterns(patterns, [](StringRef name) {
    return name != "math.tanh" && name != "math.rsqrt";
  });
}
