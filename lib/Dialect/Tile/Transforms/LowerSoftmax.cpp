//===- LowerSoftmax.cpp - Online softmax on fragments ---------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %e, %max1, %sum1, %alpha = flash_tile.online_softmax %s, %max, %sum
//   ->  %r = reduce max %s ; %max1, %shift, %alpha = map(%max, %r)
//       %e = map(%s, %shift) { exp2(fma(s, c, shift)) }
//       %sum1 = map(%sum, %alpha, reduce add %e)
//
// with c = scale * log2(e). A row without a visible score has the maximum -inf;
// its shift is 0, so that exp2 gives 0 and not NaN. It runs after the passes
// that schedule products, for which the softmax is one op.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/Transforms/Passes.h"

#include "mlir/IR/Matchers.h"
#include <limits>

namespace flash::tile {
#define GEN_PASS_DEF_TILELOWERSOFTMAX
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash;
using namespace flash::tile;

static Value constant(OpBuilder &b, Location loc, float value) {
  return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value));
}

/// Whether no block has been seen before.
static bool isFirst(OnlineSoftmaxOp op) {
  auto max = op.getMax().getDefiningOp<SplatOp>(),
       sum = op.getSum().getDefiningOp<SplatOp>();
  return max && sum && matchPattern(max.getValue(), m_NegInfFloat()) &&
         matchPattern(sum.getValue(), m_AnyZeroFloat());
}

static void lowerSoftmax(OnlineSoftmaxOp op) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  auto scores = cast<FragmentType>(op.getScores().getType());
  auto row = cast<FragmentType>(op.getMax().getType());
  float c = op.getScale().convertToFloat() * 1.44269504088896340736f;
  FragmentType sumType = op.getSum().getType();

  // Scores that functions have made can be large: then the difference comes
  // first, and keeps what a product of each with c would round away.
  bool differenceFirst = op.getScale().convertToFloat() == 1.0f;
  auto exponent = [&](OpBuilder &b, Location l, Value score, Value shift) {
    Value value =
        differenceFirst
            ? arith::MulFOp::create(b, l,
                                    arith::SubFOp::create(b, l, score, shift),
                                    constant(b, l, c))
                  .getResult()
            : math::FmaOp::create(b, l, score, constant(b, l, c), shift);
    return math::Exp2Op::create(b, l, value).getResult();
  };
  Value blockMax =
      createReduction(builder, loc, row, ReduceKind::Max, op.getScores());
  auto state = MapOp::create(
      builder, loc, TypeRange{row, row, row}, ValueRange{op.getMax(), blockMax},
      [&](OpBuilder &b, Location l, ValueRange args) {
        Value none = constant(b, l, -std::numeric_limits<float>::infinity());
        Value max = arith::MaxNumFOp::create(b, l, args[1], args[2]);
        Value empty =
            arith::CmpFOp::create(b, l, arith::CmpFPredicate::OEQ, max, none);
        Value reference = max;
        if (!differenceFirst)
          reference = arith::MulFOp::create(b, l, max, constant(b, l, -c));
        Value shift = arith::SelectOp::create(b, l, empty, constant(b, l, 0.0f),
                                              reference);
        YieldOp::create(b, l,
                        ValueRange{max, shift, exponent(b, l, args[1], shift)});
      });
  Value exponentials =
      MapOp::create(builder, loc, TypeRange(scores),
                    ValueRange{op.getScores(), state.getResult(1)},
                    [&](OpBuilder &b, Location l, ValueRange args) {
                      YieldOp::create(b, l, exponent(b, l, args[2], args[3]));
                    })
          .getResult(0);
  bool partial = isa<RowPartialLayoutAttr>(sumType.getLayout());
  Value blockSum = partial ? ReduceOp::create(builder, loc, sumType,
                                              ReduceKind::Add, exponentials)
                                 .getResult()
                           : createReduction(builder, loc, sumType,
                                             ReduceKind::Add, exponentials);
  Value sum = blockSum, alpha = state.getResult(2);
  if (isFirst(op)) {
    // Nothing comes before the first block: whatever is scaled is zero.
    alpha = SplatOp::create(builder, loc, row, constant(builder, loc, 0.0f));
  } else {
    sum = MapOp::create(builder, loc, TypeRange(sumType),
                        ValueRange{op.getSum(), alpha, blockSum},
                        [&](OpBuilder &b, Location l, ValueRange args) {
                          YieldOp::create(b, l,
                                          math::FmaOp::create(b, l, args[1],
                                                              args[2], args[3])
                                              .getResult());
                        })
              .getResult(0);
  }
  op->replaceAllUsesWith(
      ValueRange{exponentials, state.getResult(0), sum, alpha});
  op.erase();
}

namespace {
struct TileLowerSoftmaxPass
    : flash::tile::impl::TileLowerSoftmaxBase<TileLowerSoftmaxPass> {
  void runOnOperation() override {
    SmallVector<OnlineSoftmaxOp> ops;
    getOperation().walk([&](OnlineSoftmaxOp op) { ops.push_back(op); });
    for (OnlineSoftmaxOp op : ops)
      lowerSoftmax(op);
  }
};
} // namespace
