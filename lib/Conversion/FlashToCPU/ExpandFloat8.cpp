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

#include "flash/Conversion/ExpandFloat8.h"
#include "flash/Conversion/FlashToCPU/Passes.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

#define DEBUG_TYPE "flash-expand-float8"

namespace flash {
#define GEN_PASS_DEF_EXPANDFLOAT8PASS
#include "flash/Conversion/FlashToCPU/Passes.h.inc"
} // namespace flash

using namespace mlir;

Value flash::expandFloat8(OpBuilder &b, Location loc, Value x) {
  return Float8Builder(b, loc, x.getType()).widen(x);
}

namespace {

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
  patterns.add<WidenFloat8, NarrowToFloat8>(patterns.getContext());
}
