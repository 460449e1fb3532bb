//===- SoftmaxSum.cpp - What probabilities are divided by -------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   sum(e)                        over the keys
//   sum(select(where, e, 0))      of those that the program shows
//   sum(e) + exp(sink - m)        and a sink, or one more column of e
//
//===----------------------------------------------------------------------===//

#include "RowTerms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace flash::raise;

std::optional<int64_t> flash::raise::getRowSize(const Softmax &softmax) {
  return softmax.rowSize;
}

std::optional<Kept> flash::raise::getKept(Tracer &tracer, const Scalar &scalar,
                                          double other) {
  if (scalar.getOp<arith::SelectOp>())
    for (unsigned hidden : {2, 1})
      if (tracer.getNumber(tracer.operand(scalar, hidden)) == other)
        return Kept{tracer.operand(scalar, 0), /*shown=*/hidden == 2,
                    tracer.traceCasts(tracer.operand(scalar, 3 - hidden))};
  if (!scalar.getOp<arith::MulFOp>() || other != 0)
    return std::nullopt;
  for (unsigned i : {0, 1}) {
    Scalar factor = tracer.traceCasts(tracer.operand(scalar, i));
    if (!factor.getOp<arith::UIToFPOp>())
      continue;
    Scalar condition = tracer.operand(factor, 0);
    if (condition.getElementType().isInteger(1))
      return Kept{condition, /*shown=*/true,
                  tracer.traceCasts(tracer.operand(scalar, 1 - i))};
  }
  return std::nullopt;
}

Scalar flash::raise::stripWhere(Tracer &tracer, Softmax &softmax, Scalar scalar,
                                double other) {
  scalar = tracer.traceCasts(scalar);
  while (auto kept = getKept(tracer, scalar, other)) {
    auto place = llvm::find_if(softmax.where, [&](const Softmax::Where &where) {
      return where.shown == kept->shown &&
             tracer.same(where.condition, kept->condition);
    });
    if (place == softmax.where.end())
      break;
    place->isInSum |= other == 0;
    scalar = kept->scalar;
  }
  return scalar;
}

/// The sink's logit, of exp(sink - m) beside exponentials exp(s - m).
static LogicalResult matchSink(Tracer &tracer, Scalar term,
                               const Scalar &exponential, AffineExpr key,
                               Softmax &softmax) {
  term = tracer.traceCasts(term);
  if (!exponential.getOp<math::ExpOp>())
    return failure();
  Exponent rest = getExponent(tracer, tracer.operand(exponential, 0), key);
  if (tracer.getNumber(term) == 1.0 && rest.less.empty()) {
    softmax.sinkNumber = 0;
    return success();
  }
  if (!term.getOp<math::ExpOp>())
    return failure();
  Scalar argument = tracer.traceCasts(tracer.operand(term, 0));
  if (argument.getOp<arith::NegFOp>()) {
    SmallVector<Scalar> less;
    addTerms(tracer, tracer.operand(argument, 0), less);
    softmax.sinkNumber = 0;
    return success(areSame(tracer, less, rest.less));
  }
  // The sink is of the row itself: as many terms as the exponentials have are
  // taken off it.
  SmallVector<Scalar> less;
  while (argument.getOp<arith::SubFOp>() && less.size() < rest.less.size()) {
    addTerms(tracer, tracer.operand(argument, 1), less);
    argument = tracer.traceCasts(tracer.operand(argument, 0));
  }
  if (!areSame(tracer, less, rest.less))
    return failure();
  softmax.sinkNumber = tracer.getNumber(argument);
  if (!softmax.sinkNumber)
    softmax.sink = argument;
  return success();
}

LogicalResult flash::raise::matchSum(Match &match, const Scalar &divisor,
                                     const Scalar &exponential, AffineExpr key,
                                     Softmax &softmax) {
  Tracer &tracer = match.tracer;
  Scalar sum = tracer.traceCasts(divisor);
  if (sum.isElement() && dependsOn(sum.at, key))
    return match.miss(sum.getLoc(),
                      "the softmax is over another dimension than the keys "
                      "that the second contraction sums over; take it along "
                      "those");
  auto fail = [&] {
    return match.miss(sum.getLoc(), "the exponentials are divided by something "
                                    "else than their sum over the keys; divide "
                                    "by the sum of the same exponentials");
  };
  // sum(e) + exp(sink - m)
  std::optional<Scalar> sink;
  if (sum.getOp<arith::AddFOp>()) {
    for (unsigned i = 0; i < 2 && !sink; ++i) {
      Scalar term = tracer.traceCasts(tracer.operand(sum, i));
      if (!term.isElement() && isOfRow(tracer, term, key))
        sink = term;
      if (sink)
        sum = tracer.traceCasts(tracer.operand(sum, 1 - i));
    }
  }
  auto reduction = tracer.matchReduction(sum, key, getRowSize(softmax));
  if (!reduction || !isa<arith::AddFOp>(reduction->combiner) ||
      tracer.getNumber(reduction->init) != 0.0 ||
      !tracer.same(stripWhere(tracer, softmax, reduction->operand, 0.0),
                   exponential))
    return fail();
  softmax.sum = sum;
  if (softmax.sinkColumn) {
    auto last = tracer.matchReduction(
        sum, getAffineConstantExpr(*softmax.sinkColumn, key.getContext()),
        getRowSize(softmax));
    if (!last || sink)
      return fail();
    sink = last->operand;
  }
  if (sink && failed(matchSink(tracer, *sink, tracer.traceCasts(exponential),
                               key, softmax)))
    return fail();
  if (sink)
    readAll(tracer, *sink, key, getRowSize(softmax));
  return success();
}
