//===- ExpandExp2.cpp - exp2 as arithmetic --------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// math.exp2 becomes a dozen instructions without a call or a branch, of f64 six
// more:
//
//   %y = math.exp2 %x : vector<8xf32>
//   ->
//   n + r = x, |r| <= 0.5;  y = polynomial(r) * 2^n
//
// A call a lane would cost more than both contractions of an attention step.
// The relative error is below 1.7e-7, of f64 below 2.3e-16; exp2(-inf) is 0,
// exp2(0) is 1, a NaN stays one. Results below 2^-126, of f64 below 2^-1022,
// are flushed to 0, which keeps denormals out of the loops that follow.
//
//===----------------------------------------------------------------------===//

#include "flash/Conversion/FlashToCPU/Passes.h"

#include "FloatBuilder.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

#include <cmath>

#define DEBUG_TYPE "flash-expand-exp2"

namespace flash {
#define GEN_PASS_DEF_EXPANDEXP2PASS
#include "flash/Conversion/FlashToCPU/Passes.h.inc"
} // namespace flash

using namespace mlir;

namespace {
/// What of a type the expansion depends on.
struct Format {
  int mantissa; ///< bits that are stored
  int bias;     ///< of exponents
  ArrayRef<double> coefficients;
};
} // namespace

/// Minimax in relative error over [-0.5, 0.5], with exp2(0) held at 1.
static constexpr double degree5[] = {
    1.0,
    0.6931469775973308,
    0.2402224208267746,
    0.05550733744824521,
    0.009671512812495713,
    0.0013264727213766724,
};
/// From the nodes of Chebyshev's polynomial, off by 2e-17.
static constexpr double degree11[] = {
    1.0,
    0.6931471805599453,
    0.24022650695910097,
    0.0555041086648216,
    0.009618129107606888,
    0.0013333558146416936,
    0.0001540353044173605,
    1.525273382983612e-05,
    1.321544258792169e-06,
    1.0178062445845774e-07,
    7.072585949269223e-09,
    4.4549605981865186e-10,
};

Value flash::expandExp2(OpBuilder &b, Location loc, Value x) {
  Format format = getElementTypeOrSelf(x.getType()).isF64()
                      ? Format{52, 1023, degree11}
                      : Format{23, 127, degree5};
  FloatBuilder builder(b, loc, x.getType());
  x = builder.clamp(x, -format.bias, format.bias + 1);

  // Adding 1.5 * 2^mantissa rounds to an integer, which is then found in the
  // low bits, already biased as an exponent; the lowest gives the scale 0, and
  // the highest infinity.
  Value magic = builder.splat(std::ldexp(1.5, format.mantissa) + format.bias);
  Value shifted = arith::AddFOp::create(b, loc, x, magic);
  Value whole = arith::SubFOp::create(b, loc, shifted, magic);
  Value r = arith::SubFOp::create(b, loc, x, whole);
  Value bits = arith::BitcastOp::create(b, loc, builder.intType(), shifted);
  bits = arith::ShLIOp::create(b, loc, bits, builder.splatInt(format.mantissa));
  Value scale = arith::BitcastOp::create(b, loc, x.getType(), bits);
  return arith::MulFOp::create(
      b, loc, builder.polynomial(r, format.coefficients), scale);
}

namespace {

struct ExpandExp2Pass : flash::impl::ExpandExp2PassBase<ExpandExp2Pass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    flash::populateExpandExp2Patterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace

void flash::populateExpandExp2Patterns(RewritePatternSet &patterns) {
  patterns
      .add<ExpandFunction<math::Exp2Op, expandExp2, Float32Type, Float64Type>>(
          patterns.getContext());
}
