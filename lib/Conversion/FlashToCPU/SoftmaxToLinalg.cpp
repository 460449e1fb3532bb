//===- SoftmaxToLinalg.cpp - Online softmax as linalg ---------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Replaces flash.hide_unseen (HideUnseen.cpp), and flash.online_softmax by
// linalg.generics, with c = scale * log2(e):
//
//   %old   = linalg.generic ins(%max) outs(%alpha0)            // a copy
//   %max1  = linalg.generic ins(%s) outs(%max)                 // running max
//   %alpha = linalg.generic ins(%max1) outs(%old)              //
//   exp2((old-m)c) %sum0  = linalg.generic ins(%alpha) outs(%sum) // sum *
//   alpha %p, %sum1 = linalg.generic ins(%s, %max1) outs(%p0, %sum0) //
//   exp2((s-m)c)
//
// Probabilities take the place of the scores when nothing else reads those. A
// 16-bit P is rounded, kept in f32, and then truncated exactly, so that a
// contraction in f32 can read it without converting it back
// (flash-promote-operands). At L2, before bufferization: each op updates its
// destination, so that all of it bufferizes in place.
//
//===----------------------------------------------------------------------===//

#include "flash/Conversion/FlashToCPU/Passes.h"
#include "flash/Dialect/Flash/IR/Flash.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/Support/MathExtras.h"

#define DEBUG_TYPE "flash-softmax-to-linalg"

namespace flash {
#define GEN_PASS_DEF_SOFTMAXTOLINALGPASS
#include "flash/Conversion/FlashToCPU/Passes.h.inc"
} // namespace flash

using namespace mlir;

void flash::lowerOnlineSoftmax(RewriterBase &rewriter, OnlineSoftmaxOp op) {
  Location loc = op.getLoc();
  MLIRContext *context = op.getContext();
  using utils::IteratorType;
  int64_t reduced = op.getDim(), kept = 1 - reduced;
  AffineMap tile = AffineMap::getMultiDimIdentityMap(2, context);
  AffineMap row =
      AffineMap::get(2, 0, rewriter.getAffineDimExpr(kept), context);
  AffineMap line = AffineMap::getMultiDimIdentityMap(1, context);
  SmallVector<IteratorType> reduction(2, IteratorType::parallel);
  reduction[reduced] = IteratorType::reduction;
  SmallVector<IteratorType> parallel{IteratorType::parallel};

  Type type = op.getScores().getType().getElementType();
  double c = op.getScale().convertToDouble() * llvm::numbers::log2e;
  auto constant = [&](OpBuilder &b, double v) -> Value {
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(type, v));
  };
  auto minusInfinity = [&](OpBuilder &b) -> Value {
    return constant(b, -std::numeric_limits<double>::infinity());
  };
  // m; 0 rather than -inf for a row that has seen no key.
  auto reference = [&](OpBuilder &b, Value max) -> Value {
    Value none = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, max,
                                       minusInfinity(b));
    return arith::SelectOp::create(b, loc, none, constant(b, 0.0f), max);
  };
  // s * c - m * c would be one instruction, but what m * c is rounded by is
  // more than a score is worth where scores are large (2^24 and more).
  auto power = [&](OpBuilder &b, Value s, Value m) -> Value {
    Value x = arith::SubFOp::create(b, loc, s, m);
    x = arith::MulFOp::create(b, loc, x, constant(b, c));
    return math::Exp2Op::create(b, loc, x);
  };
  auto generic =
      [&](ValueRange ins, ValueRange outs, ArrayRef<AffineMap> maps,
          ArrayRef<IteratorType> iterators,
          function_ref<SmallVector<Value>(OpBuilder &, ValueRange)> body) {
        return linalg::GenericOp::create(
            rewriter, loc, TypeRange(outs), ins, outs, maps, iterators,
            [&](OpBuilder &b, Location, ValueRange args) {
              linalg::YieldOp::create(b, loc, body(b, args));
            });
      };

  Value scores = op.getScores();
  auto pType = cast<RankedTensorType>(op.getP().getType());
  bool narrow = pType.getElementType() != type;
  // P takes the place of the scores, unless something else reads those.
  bool inPlace = scores.hasOneUse() || narrow;
  Value old =
      generic({op.getMax()}, {op.getAlphaInit()}, {line, line}, parallel,
              [](OpBuilder &, ValueRange args) {
                return SmallVector<Value>{args[0]};
              })
          .getResult(0);
  // Comparison and select are one instruction; a NaN is not lost, for it turns
  // up again in P and the sum.
  Value max =
      generic({scores}, {op.getMax()}, {tile, row}, reduction,
              [&](OpBuilder &b, ValueRange args) {
                Value greater = arith::CmpFOp::create(
                    b, loc, arith::CmpFPredicate::OGT, args[0], args[1]);
                Value max =
                    arith::SelectOp::create(b, loc, greater, args[0], args[1]);
                return SmallVector<Value>{max};
              })
          .getResult(0);
  Value alpha = generic({max}, {old}, {line, line}, parallel,
                        [&](OpBuilder &b, ValueRange args) {
                          Value v = power(b, args[1], reference(b, args[0]));
                          return SmallVector<Value>{v};
                        })
                    .getResult(0);
  Value rescaled =
      generic({alpha}, {op.getSum()}, {line, line}, parallel,
              [&](OpBuilder &b, ValueRange args) {
                Value v = arith::MulFOp::create(b, loc, args[1], args[0]);
                return SmallVector<Value>{v};
              })
          .getResult(0);

  SmallVector<Value> ins{scores, max};
  Value pInit = op.getPInit();
  SmallVector<AffineMap> maps{tile, row, tile, row};
  if (inPlace) {
    pInit = scores;
    ins = {max};
    maps = {row, tile, row};
  }
  auto probabilities = generic(
      ins, {pInit, rescaled}, maps, reduction,
      [&](OpBuilder &b, ValueRange args) {
        // (s, max, p, sum), or (max, s, sum) in place.
        Value s = args[inPlace ? 1 : 0], m = args[inPlace ? 0 : 1];
        Value p = power(b, s, reference(b, m));
        Value sum = arith::AddFOp::create(b, loc, args.back(), p);
        if (narrow) {
          p = arith::TruncFOp::create(b, loc, pType.getElementType(), p);
          p = arith::ExtFOp::create(b, loc, type, p);
        }
        return SmallVector<Value>{p, sum};
      });
  Value p = probabilities.getResult(0);
  if (narrow) {
    SmallVector<IteratorType> both(2, IteratorType::parallel);
    p = generic({p}, {op.getPInit()}, {tile, tile}, both,
                [&](OpBuilder &b, ValueRange args) {
                  Value v = arith::TruncFOp::create(
                      b, loc, pType.getElementType(), args[0]);
                  return SmallVector<Value>{v};
                })
            .getResult(0);
  }
  rewriter.replaceOp(op, {p, max, probabilities.getResult(1), alpha});
}

namespace {

struct SoftmaxToLinalgPass
    : flash::impl::SoftmaxToLinalgPassBase<SoftmaxToLinalgPass> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    getOperation()->walk([&](flash::OnlineSoftmaxOp op) {
      rewriter.setInsertionPoint(op);
      flash::lowerOnlineSoftmax(rewriter, op);
    });
    SmallVector<flash::HideUnseenOp> hiding;
    getOperation()->walk([&](flash::HideUnseenOp op) { hiding.push_back(op); });
    for (flash::HideUnseenOp op : hiding)
      if (failed(flash::lowerHideUnseen(rewriter, op)))
        return signalPassFailure();
  }
};

} // namespace
