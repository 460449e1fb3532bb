//===- TileResults.cpp - The results of a block of queries ------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// After the loop over keys: O = acc / sum, LSE = max * scale + ln(sum), as
// linalg.generic. A sink is one more score of each row, which has no value: it
// joins the sum here. So do the factors of dropout and of 8-bit values, which
// are alike for all that a row adds up.
//
//===----------------------------------------------------------------------===//

#include "AttentionTiler.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <limits>

using namespace mlir;
using namespace flash;

static constexpr double kNone = -std::numeric_limits<double>::infinity();

/// The entry of a head in an operand of one number a head; null if there is no
/// operand.
Value AttentionTiler::headFactor(Value factors, Value head) {
  return factors ? tensor::ExtractOp::create(rewriter, loc, factors, head)
                       .getResult()
                 : Value();
}

/// The sink of a row in the accumulation type, inside of an element-wise op on
/// rows: that of the block's head, or of the row's.
Value AttentionTiler::sinkOfRow(const QueryBlock &block, OpBuilder &builder,
                                Location l) {
  if (block.sink)
    return block.sink;
  Value row = linalg::IndexOp::create(builder, l, 0);
  Value head =
      arith::AddIOp::create(builder, l, block.queryHead,
                            placeOfRow(builder, l, packing, rows, row).head);
  Value own = tensor::ExtractOp::create(builder, l, op.getSinks(), head);
  return own.getType() == accumulator
             ? own
             : arith::ExtFOp::create(builder, l, accumulator, own);
}

/// What the maximum of a row still has to be multiplied by.
double AttentionTiler::rowScale() {
  double scale = op.getScaleOrDefault();
  return scalesFirst(scale, !op.getEffectiveScores().empty(),
                     bool(op.getKeyScale()), accumulator)
             ? 1.0
             : scale;
}

namespace {
/// The sum of a row with its sink, as exp(reference) * sum; `weight` is what
/// the sum over keys was multiplied by for that.
struct JoinedSum {
  Value reference, weight, sum;
};

struct RowBuilder {
  OpBuilder &b;
  Location loc;
  Type type;

  Value constant(double value) {
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(type, value));
  }
  Value isEqual(Value value, double to) {
    return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, value,
                                 constant(to));
  }
  Value select(Value condition, Value yes, Value no) {
    return arith::SelectOp::create(b, loc, condition, yes, no);
  }
  Value exp(Value value, Value reference) {
    return math::ExpOp::create(b, loc,
                               arith::SubFOp::create(b, loc, value, reference));
  }
  /// From the row's scaled maximum, its sum relative to that, and the sink.
  JoinedSum join(Value max, Value sum, Value sink) {
    Value top = arith::MaximumFOp::create(b, loc, max, sink);
    Value reference = select(isEqual(top, kNone), constant(0), top);
    Value weight = exp(max, reference);
    Value keys = arith::MulFOp::create(b, loc, sum, weight);
    return {reference, weight,
            arith::AddFOp::create(b, loc, keys, exp(sink, reference))};
  }
};
} // namespace

/// What a row of acc is multiplied by: 1 / sum, 0 where the sum is 0.
Value AttentionTiler::rowFactor(const QueryBlock &block, const State &state) {
  Value valueScale = headFactor(op.getValueScale(), block.keyHead);
  double kept = op.getDropoutP() ? 1 - op.getDropoutP()->convertToDouble() : 1;
  if (valueScale && valueScale.getType() != accumulator)
    valueScale = arith::ExtFOp::create(rewriter, loc, accumulator, valueScale);
  AffineMap identity = rewriter.getMultiDimIdentityMap(1);
  SmallVector<Value> inputs{state[2]};
  if (op.getSinks())
    inputs.push_back(state[1]);
  return mapTiles(
             rewriter, loc, rows, inputs,
             SmallVector<AffineMap>(inputs.size(), identity), accumulator,
             [&](OpBuilder &b, Location l, ValueRange in) {
               RowBuilder row{b, l, accumulator};
               Value sum = in[0], dividend = row.constant(1 / kept);
               if (op.getSinks()) {
                 Value max = arith::MulFOp::create(b, l, in[1],
                                                   row.constant(rowScale()));
                 JoinedSum joined = row.join(max, sum, sinkOfRow(block, b, l));
                 sum = joined.sum;
                 dividend =
                     arith::MulFOp::create(b, l, joined.weight, dividend);
               }
               if (valueScale)
                 dividend = arith::MulFOp::create(b, l, dividend, valueScale);
               Value zero = row.constant(0);
               Value empty = arith::CmpFOp::create(
                   b, l, arith::CmpFPredicate::OEQ, sum, zero);
               Value quotient = arith::DivFOp::create(b, l, dividend, sum);
               return SmallVector<Value>{row.select(empty, zero, quotient)};
             })
      .front();
}

/// acc / sum, rounded to the output's type; 0 where no key was seen.
Value AttentionTiler::output(const QueryBlock &block, const State &state) {
  Type element = op.getOutput().getType().getElementType();
  MLIRContext *context = rewriter.getContext();
  AffineExpr d0 = rewriter.getAffineDimExpr(0),
             d1 = rewriter.getAffineDimExpr(1);
  AffineMap accMap = tiling.getTransposed()
                         ? AffineMap::get(2, 0, {d1, d0}, context)
                         : AffineMap::get(2, 0, {d0, d1}, context);
  AffineMap rowMap = AffineMap::get(2, 0, {d0}, context);
  return mapTiles(rewriter, loc, {rows, vDim},
                  {state[0], rowFactor(block, state)}, {accMap, rowMap},
                  element,
                  [&](OpBuilder &b, Location l, ValueRange in) {
                    Value o = arith::MulFOp::create(b, l, in[0], in[1]);
                    if (element != accumulator)
                      o = arith::TruncFOp::create(b, l, element, o);
                    return SmallVector<Value>{o};
                  })
      .front();
}

/// max * scale + ln(sum); -inf where the sum is 0.
Value AttentionTiler::logSumExp(const QueryBlock &block, const State &state) {
  AffineMap identity = rewriter.getMultiDimIdentityMap(1);
  return mapTiles(rewriter, loc, rows, {state[1], state[2]},
                  {identity, identity}, accumulator,
                  [&](OpBuilder &b, Location l, ValueRange in) {
                    RowBuilder row{b, l, accumulator};
                    Value factor = row.constant(rowScale()),
                          zero = row.constant(0), none = row.constant(kNone);
                    Value sum = in[1];
                    Value reference =
                        arith::MulFOp::create(b, l, in[0], factor);
                    if (op.getSinks()) {
                      JoinedSum joined =
                          row.join(reference, sum, sinkOfRow(block, b, l));
                      reference = joined.reference;
                      sum = joined.sum;
                    }
                    Value empty = arith::CmpFOp::create(
                        b, l, arith::CmpFPredicate::OEQ, sum, zero);
                    Value log = math::LogOp::create(b, l, sum);
                    Value lse = arith::AddFOp::create(b, l, reference, log);
                    return SmallVector<Value>{row.select(empty, none, lse)};
                  })
      .front();
}
