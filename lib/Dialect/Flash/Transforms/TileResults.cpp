//===- TileResults.cpp - The results of a block of queries ------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// After the loop over keys: O = acc / sum, LSE = max * scale + ln(sum), as
// linalg.generic.
//
//===----------------------------------------------------------------------===//

#include "AttentionTiler.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include <limits>

using namespace mlir;
using namespace flash;

/// acc / sum, rounded to the output's type; 0 where no key was seen.
Value AttentionTiler::output(const State &state) {
  Type f32 = rewriter.getF32Type(),
       element = op.getOutput().getType().getElementType();
  MLIRContext *context = rewriter.getContext();
  AffineExpr d0 = rewriter.getAffineDimExpr(0),
             d1 = rewriter.getAffineDimExpr(1);
  Value inverse =
      mapTiles(rewriter, loc, rows, state[2],
               {rewriter.getMultiDimIdentityMap(1)}, f32,
               [&](OpBuilder &b, Location l, ValueRange in) {
                 Value zero =
                     arith::ConstantOp::create(b, l, b.getF32FloatAttr(0.0f));
                 Value one =
                     arith::ConstantOp::create(b, l, b.getF32FloatAttr(1.0f));
                 Value empty = arith::CmpFOp::create(
                     b, l, arith::CmpFPredicate::OEQ, in[0], zero);
                 Value quotient = arith::DivFOp::create(b, l, one, in[0]);
                 return SmallVector<Value>{
                     arith::SelectOp::create(b, l, empty, zero, quotient)};
               })
          .front();
  AffineMap accMap = schedule.getTransposed()
                         ? AffineMap::get(2, 0, {d1, d0}, context)
                         : AffineMap::get(2, 0, {d0, d1}, context);
  AffineMap rowMap = AffineMap::get(2, 0, {d0}, context);
  return mapTiles(rewriter, loc, {rows, vDim}, {state[0], inverse},
                  {accMap, rowMap}, element,
                  [&](OpBuilder &b, Location l, ValueRange in) {
                    Value o = arith::MulFOp::create(b, l, in[0], in[1]);
                    if (!element.isF32())
                      o = arith::TruncFOp::create(b, l, element, o);
                    return SmallVector<Value>{o};
                  })
      .front();
}

/// max * scale + ln(sum); -inf where no key was seen.
Value AttentionTiler::logSumExp(const State &state) {
  float scale = op.getEffectiveScores().empty()
                    ? softmaxScale(op.getScaleOrDefault())
                    : 1.0f; // applied before the score functions
  AffineMap identity = rewriter.getMultiDimIdentityMap(1);
  return mapTiles(
             rewriter, loc, rows, {state[1], state[2]}, {identity, identity},
             rewriter.getF32Type(),
             [&](OpBuilder &b, Location l, ValueRange in) {
               Value factor =
                   arith::ConstantOp::create(b, l, b.getF32FloatAttr(scale));
               Value zero =
                   arith::ConstantOp::create(b, l, b.getF32FloatAttr(0.0f));
               Value none = arith::ConstantOp::create(
                   b, l,
                   b.getF32FloatAttr(-std::numeric_limits<float>::infinity()));
               Value empty = arith::CmpFOp::create(
                   b, l, arith::CmpFPredicate::OEQ, in[1], zero);
               Value log = math::LogOp::create(b, l, in[1]);
               Value scaled = arith::MulFOp::create(b, l, in[0], factor);
               Value lse = arith::AddFOp::create(b, l, scaled, log);
               return SmallVector<Value>{
                   arith::SelectOp::create(b, l, empty, none, lse)};
             })
      .front();
}
