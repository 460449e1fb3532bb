//===- Scores.cpp - From the product of Q and K to the softmax --*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From the softmax inwards to the first contraction:
//
//   select(visible, q.k * scale, -inf)            scale, mask
//   q.k / c + select(visible, 0, -inf)            the same
//   tanh(q.k * a) * cap + bias[..]                softcap, bias
//   anything else that is made of q.k             a score region
//
// with constant factors anywhere, casts, and any order. The lowest numbers of a
// type, down from half the lowest, count as -inf: no score comes near them.
//
//===----------------------------------------------------------------------===//

#include "Matchers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace flash::raise;

namespace {
class ScoreMatcher {
public:
  ScoreMatcher(Match &match, AffineExpr key)
      : match(match), tracer(match.tracer), key(key) {}

  LogicalResult visit(Scalar scalar, double factor);
  Scores take();

private:
  /// The element of a contraction's result that a scalar is made of.
  std::optional<Scalar> findProduct(Scalar scalar);
  LogicalResult setProduct(const Scalar &scalar);

  /// Takes the mask that select(condition, yes, no) is, where what is not
  /// hidden is to be seen by `isScore`.
  std::optional<Scalar> takeMask(const Scalar &select, double factor,
                                 llvm::function_ref<bool(Scalar)> isScore);
  bool isHidden(const Scalar &value, double factor);
  bool takeBias(const Scalar &term, double factor);
  LogicalResult takeRegion(const Scalar &scalar, double factor);

  Match &match;
  Tracer &tracer;
  AffineExpr key;
  Scores scores;
  std::optional<Contraction> product;
  /// A mask inside of a score function is not one.
  bool mayMask = true;
};
} // namespace

static bool isOne(double factor) { return std::abs(factor - 1) < 1e-6; }

std::optional<double> flash::raise::getScaleOf(Tracer &tracer, Scalar scalar,
                                               const Contraction &product) {
  scalar = tracer.traceCasts(scalar);
  Operation *def = scalar.getDefiningOp();
  linalg::LinalgOp op = product.op;
  if (scalar.isElement())
    return def == op.getOperation() && scalar.at == product.at
               ? std::optional(1.0)
               : std::nullopt;
  if (!isa_and_nonnull<arith::MulFOp, arith::DivFOp>(def))
    return std::nullopt;
  for (unsigned i = 0; i < 2; ++i) {
    auto number = tracer.getNumber(tracer.operand(scalar, 1 - i));
    bool isMul = isa<arith::MulFOp>(def);
    if (!number || (i == 1 && !isMul))
      continue;
    if (auto inner = getScaleOf(tracer, tracer.operand(scalar, i), product))
      return isMul ? *inner * *number : *inner / *number;
  }
  return std::nullopt;
}

std::optional<Scalar> ScoreMatcher::findProduct(Scalar scalar) {
  scalar = tracer.traceCasts(scalar);
  Operation *def = scalar.getDefiningOp();
  if (!def)
    return std::nullopt;
  if (scalar.isElement()) {
    auto op = dyn_cast<linalg::LinalgOp>(def);
    return op && isContraction(op) ? std::optional(scalar) : std::nullopt;
  }
  for (unsigned i = 0; i < def->getNumOperands(); ++i)
    if (auto found = findProduct(tracer.operand(scalar, i)))
      return found;
  return std::nullopt;
}

LogicalResult ScoreMatcher::setProduct(const Scalar &scalar) {
  product = matchContraction(tracer, scalar);
  if (!product)
    return match.miss(scalar.getLoc(),
                      "the scores are not a product of queries and keys");
  return success();
}

bool ScoreMatcher::isHidden(const Scalar &value, double factor) {
  std::optional<double> number = tracer.getNumber(value);
  auto type = dyn_cast<FloatType>(value.getElementType());
  if (!number || !type || !(factor > 0))
    return false;
  APFloat lowest = APFloat::getLargest(type.getFloatSemantics());
  bool lost;
  lowest.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lost);
  return *number * std::min(factor, 1.0) <= -lowest.convertToDouble() / 2;
}

std::optional<Scalar>
ScoreMatcher::takeMask(const Scalar &select, double factor,
                       llvm::function_ref<bool(Scalar)> isScore) {
  Scalar condition = tracer.operand(select, 0);
  for (unsigned i : {1, 2}) {
    Scalar hidden = tracer.operand(select, i),
           seen = tracer.operand(select, 3 - i);
    if (!mayMask || !isHidden(hidden, factor) || !isScore(seen))
      continue;
    Mask mask{condition, /*hidden=*/i == 1,
              std::isinf(*tracer.getNumber(hidden))};
    // Rows where all is hidden by a finite number average the values. Of a mask
    // that is not one of positions it is not known whether there are any.
    if (!mask.infinite && !matchVisibleKeys(tracer, mask))
      continue;
    scores.masks.push_back(mask);
    return seen;
  }
  return std::nullopt;
}

bool ScoreMatcher::takeBias(const Scalar &term, double factor) {
  if (!isOne(factor))
    return false;
  // The element that lies deepest, before arithmetic.
  std::optional<Scalar> element;
  std::optional<Scalar> next = term;
  bool computed = false;
  while (next && !computed) {
    if (next->isElement() &&
        getAtoms(tracer.getDomain(), next->at,
                 cast<RankedTensorType>(next->value.getType())))
      element = next;
    Operation *def = next->isElement() ? nullptr : next->getDefiningOp();
    computed = def && !isa<arith::ExtFOp, arith::TruncFOp>(def);
    next = def && !computed ? Scalar{def->getOperand(0), next->at}
                            : tracer.step(*next);
  }
  if (!element || !isa<FloatType>(element->getElementType()))
    return false;
  // One number for each query and key that the program computes: better done
  // for each score than kept.
  bool perKey = false, more = false;
  auto keyDim = cast<AffineDimExpr>(key).getPosition();
  for (AffineExpr index : element->at) {
    perKey |= index.isFunctionOfDim(keyDim);
    for (unsigned dim = 0; dim < tracer.getDomain().getNumDims(); ++dim)
      more |= dim != keyDim && index.isFunctionOfDim(dim);
  }
  if (computed && perKey && more)
    return false;
  scores.functions.push_back({ScoreFunction::Bias, 1, *element});
  return true;
}

LogicalResult ScoreMatcher::takeRegion(const Scalar &scalar, double factor) {
  std::optional<Scalar> element = findProduct(scalar);
  if (!element)
    return match.miss(scalar.getLoc(),
                      "the scores are not a product of queries and keys");
  scores.functions.push_back({ScoreFunction::Region, factor, scalar});
  return setProduct(*element);
}

LogicalResult ScoreMatcher::visit(Scalar scalar, double factor) {
  scalar = tracer.traceCasts(scalar);
  if (scalar.isElement()) {
    scores.scale = factor;
    return setProduct(scalar);
  }
  Operation *def = scalar.getDefiningOp();
  if (!def)
    return match.miss(scalar.getLoc(),
                      "the scores are not a product of queries and keys");

  auto operand = [&](unsigned index) { return tracer.operand(scalar, index); };
  if (isa<arith::NegFOp>(def))
    return visit(operand(0), -factor);
  if (isa<arith::MulFOp, arith::DivFOp>(def)) {
    bool isMul = isa<arith::MulFOp>(def);
    for (unsigned i = 0; i < 2; ++i)
      if (auto number = tracer.getNumber(operand(1 - i));
          number && (i == 0 || isMul))
        return visit(operand(i), isMul ? factor * *number : factor / *number);
  }
  if (isa<math::TanhOp>(def) && factor > 0) {
    scores.functions.push_back({ScoreFunction::Softcap, factor});
    mayMask = false;
    return visit(operand(0), factor);
  }
  if (isa<arith::SelectOp>(def)) {
    auto isScore = [&](Scalar seen) { return findProduct(seen).has_value(); };
    if (auto seen = takeMask(scalar, factor, isScore))
      return visit(*seen, factor);
  }
  if (isa<arith::AddFOp>(def)) {
    auto isZero = [&](Scalar seen) { return tracer.getNumber(seen) == 0.0; };
    for (unsigned i = 0; i < 2; ++i) {
      if (findProduct(operand(i)) || !findProduct(operand(1 - i)))
        continue;
      Scalar term = tracer.traceCasts(operand(i));
      if ((term.getOp<arith::SelectOp>() && takeMask(term, factor, isZero)) ||
          takeBias({def->getOperand(i), scalar.at}, factor))
        return visit(operand(1 - i), factor);
    }
  }
  return takeRegion(scalar, factor);
}

Scores ScoreMatcher::take() {
  scores.product = *product;
  std::reverse(scores.functions.begin(), scores.functions.end());
  return std::move(scores);
}

FailureOr<Scores> flash::raise::matchScores(Match &match,
                                            const Softmax &softmax,
                                            AffineExpr key) {
  ScoreMatcher matcher(match, key);
  if (failed(matcher.visit(softmax.scores, softmax.factor)))
    return failure();
  return matcher.take();
}
