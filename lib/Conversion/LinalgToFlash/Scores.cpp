//===- Scores.cpp - Scale and mask between product and softmax -*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From the softmax inwards to the first contraction:
//
//   select(visible, q.k * scale, -inf), q.k / c + select(visible, 0, -inf), ...
//
// with constant factors anywhere, casts, and any order. The lowest numbers of a
// type, down from half the lowest, count as -inf: no score comes near them.
//
//===----------------------------------------------------------------------===//

#include "Matchers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>

using namespace mlir;
using namespace flash::raise;

namespace {
class ScoreMatcher {
public:
  ScoreMatcher(Match &match) : match(match), tracer(match.tracer) {}

  LogicalResult visit(Scalar scalar, double factor);
  Scores take() {
    scores.product = *product;
    return std::move(scores);
  }

private:
  /// Whether a scalar is made from a contraction over new dimensions.
  bool holdsProduct(Scalar scalar);
  /// The mask that a scalar is, which is added or selected against a score.
  LogicalResult addMask(const Scalar &condition, bool hidden,
                        const Scalar &value, double factor);
  std::optional<double> getHiddenValue(const Scalar &scalar, double factor);

  Match &match;
  Tracer &tracer;
  Scores scores;
  std::optional<Contraction> product;
};
} // namespace

bool ScoreMatcher::holdsProduct(Scalar scalar) {
  scalar = tracer.traceCasts(scalar);
  Operation *def = scalar.getDefiningOp();
  if (!def)
    return false;
  if (scalar.isElement()) {
    auto op = dyn_cast<linalg::LinalgOp>(def);
    return op && isContraction(op);
  }
  for (unsigned i = 0; i < def->getNumOperands(); ++i)
    if (holdsProduct(tracer.operand(scalar, i)))
      return true;
  return false;
}

/// The value, if it takes any score out of the softmax.
std::optional<double> ScoreMatcher::getHiddenValue(const Scalar &scalar,
                                                   double factor) {
  std::optional<double> number = tracer.getNumber(scalar);
  if (!number || !(factor > 0))
    return std::nullopt;
  auto type = dyn_cast<FloatType>(scalar.getElementType());
  if (!type)
    return std::nullopt;
  APFloat lowest = APFloat::getLargest(type.getFloatSemantics());
  bool lost;
  lowest.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lost);
  if (*number * std::min(factor, 1.0) > -lowest.convertToDouble() / 2)
    return std::nullopt;
  return number;
}

LogicalResult ScoreMatcher::addMask(const Scalar &condition, bool hidden,
                                    const Scalar &value, double factor) {
  std::optional<double> number = getHiddenValue(value, factor);
  if (!number)
    return failure();
  scores.masks.push_back({condition, hidden, std::isinf(*number)});
  return success();
}

LogicalResult ScoreMatcher::visit(Scalar scalar, double factor) {
  scalar = tracer.traceCasts(scalar);
  if (scalar.isElement()) {
    product = matchContraction(tracer, scalar);
    if (!product)
      return match.miss(scalar.getLoc(), "the scores are not a product of "
                                         "queries and keys");
    scores.scale = factor;
    return success();
  }
  Operation *def = scalar.getDefiningOp();
  if (!def)
    return match.miss(scalar.getLoc(),
                      "the scores are not a product of queries and keys");

  if (isa<arith::NegFOp>(def))
    return visit(tracer.operand(scalar, 0), -factor);
  if (isa<arith::MulFOp, arith::DivFOp>(def)) {
    for (unsigned i = 0; i < 2; ++i) {
      auto number = tracer.getNumber(tracer.operand(scalar, 1 - i));
      if (!number || (i == 1 && isa<arith::DivFOp>(def)))
        continue;
      return visit(tracer.operand(scalar, i),
                   isa<arith::MulFOp>(def) ? factor * *number
                                           : factor / *number);
    }
  }
  if (isa<arith::SelectOp>(def)) {
    Scalar condition = tracer.operand(scalar, 0),
           yes = tracer.operand(scalar, 1), no = tracer.operand(scalar, 2);
    if (succeeded(addMask(condition, /*hidden=*/true, yes, factor)))
      return visit(no, factor);
    if (succeeded(addMask(condition, /*hidden=*/false, no, factor)))
      return visit(yes, factor);
  }
  if (isa<arith::AddFOp>(def)) {
    for (unsigned i = 0; i < 2; ++i) {
      Scalar term = tracer.traceCasts(tracer.operand(scalar, i));
      if (!term.getOp<arith::SelectOp>())
        continue;
      Scalar condition = tracer.operand(term, 0),
             yes = tracer.operand(term, 1), no = tracer.operand(term, 2);
      if ((tracer.getNumber(no) == 0.0 &&
           succeeded(addMask(condition, /*hidden=*/true, yes, factor))) ||
          (tracer.getNumber(yes) == 0.0 &&
           succeeded(addMask(condition, /*hidden=*/false, no, factor))))
        return visit(tracer.operand(scalar, 1 - i), factor);
    }
  }
  if (!holdsProduct(scalar))
    return match.miss(scalar.getLoc(),
                      "the scores are not a product of queries and keys");
  return match.miss(scalar.getLoc(), "'" + def->getName().getStringRef() +
                                         "' of scores is not recognised");
}

FailureOr<Scores> flash::raise::matchScores(Match &match,
                                            const Softmax &softmax) {
  ScoreMatcher matcher(match);
  if (failed(matcher.visit(softmax.scores, softmax.factor)))
    return failure();
  return matcher.take();
}
