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

#include "FloatBuilder.h"
#include "flash/Conversion/ExpandScalars.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
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
  FloatBuilder f32(b, loc, x.getType());
  x = f32.clamp(x, -8.5, 8.5);
  Value square = arith::MulFOp::create(b, loc, x, x);
  Value p = arith::MulFOp::create(b, loc, x, f32.polynomial(square, numerator));
  return arith::DivFOp::create(b, loc, p, f32.polynomial(square, denominator));
}

namespace {

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
  patterns.add<ExpandFunction<math::TanhOp, expandTanh, Float32Type>>(
      patterns.getContext());
  patterns.add<ExpandClampF, ExpandIPowI, ExpandQuestion<math::IsInfOp>,
               ExpandQuestion<math::IsNormalOp>>(patterns.getContext());
  // What LLVM has no instruction of vectors for.
  math::populateExpansionPatterns(patterns, {"fpowi"});
  // rsqrt would become an AVX2 intrinsic, whatever the target; as it is, it is
  // a square root and a division, which vectors have.
  populateMathPolynomialApproximationPatterns(patterns, [](StringRef name) {
    return name != "math.tanh" && name != "math.rsqrt";
  });
}
