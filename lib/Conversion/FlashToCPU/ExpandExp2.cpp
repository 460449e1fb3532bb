//===- ExpandExp2.cpp - exp2 as arithmetic --------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// math.exp2 on f32 becomes a dozen instructions without a call or a branch:
//
//   %y = math.exp2 %x : vector<8xf32>
//   ->
//   n + r = x, |r| <= 0.5;  y = polynomial(r) * 2^n
//
// A call a lane would cost more than both contractions of an attention step.
// The relative error is below 1.7e-7; exp2(-inf) is 0, exp2(0) is 1, a NaN
// stays one. Results below 2^-126 are flushed to 0, which keeps denormals out
// of the loops that follow.
//
//===----------------------------------------------------------------------===//

#include "flash/Conversion/FlashToCPU/Passes.h"

#include "F32Builder.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

#define DEBUG_TYPE "flash-expand-exp2"

namespace flash {
#define GEN_PASS_DEF_EXPANDEXP2PASS
#include "flash/Conversion/FlashToCPU/Passes.h.inc"
} // namespace flash

using namespace mlir;

/// Degree 5, minimax in relative error over [-0.5, 0.5], with exp2(0) held
/// at 1.
static constexpr double coefficients[] = {
    1.0,
    0.6931469775973308,
    0.2402224208267746,
    0.05550733744824521,
    0.009671512812495713,
    0.0013264727213766724,
};

Value flash::expandExp2(OpBuilder &b, Location loc, Value x) {
  F32Builder f32(b, loc, x.getType());
  x = f32.clamp(x, -127.0, 128.0);

  // Adding 1.5 * 2^23 rounds to an integer, which is then found in the low
  // bits, already biased as an exponent; -127 gives the scale 0, and 128
  // infinity.
  Value magic = f32.splat(12582912.0 + 127.0);
  Value shifted = arith::AddFOp::create(b, loc, x, magic);
  Value whole = arith::SubFOp::create(b, loc, shifted, magic);
  Value r = arith::SubFOp::create(b, loc, x, whole);
  Value bits = arith::BitcastOp::create(b, loc, f32.intType(), shifted);
  bits = arith::ShLIOp::create(b, loc, bits, f32.splatInt(23));
  Value scale = arith::BitcastOp::create(b, loc, x.getType(), bits);
  return arith::MulFOp::create(b, loc, f32.polynomial(r, coefficients), scale);
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
  patterns.add<ExpandF32<math::Exp2Op, expandExp2>>(patterns.getContext());
}
