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
// with constant factors anywhere, casts, and any order.
//
//===----------------------------------------------------------------------===//

#include "ScoreMatcher.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace flash::raise;

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
    return op && isContraction(op) && isOfKeys(scalar.at)
               ? std::optional(scalar)
               : std::nullopt;
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

/// Whether an index is the key's: a product of queries with relative positions
/// has a part of it.
bool ScoreMatcher::isOfKeys(ArrayRef<AffineExpr> at) const {
  auto keyDim = cast<AffineDimExpr>(key).getPosition();
  return llvm::any_of(at, [&](AffineExpr index) {
    return index.isFunctionOfDim(keyDim) && LinearSum::get(index);
  });
}

bool ScoreMatcher::isPerScore(ArrayRef<AffineExpr> at) const {
  bool perKey = false, more = false;
  auto keyDim = cast<AffineDimExpr>(key).getPosition();
  for (AffineExpr index : at) {
    perKey |= index.isFunctionOfDim(keyDim);
    for (unsigned dim = 0; dim < tracer.getDomain().getNumDims(); ++dim)
      more |= dim != keyDim && index.isFunctionOfDim(dim);
  }
  return perKey && more;
}

bool ScoreMatcher::readsPerScore(Scalar scalar) {
  scalar = tracer.traceCasts(scalar);
  Operation *def = scalar.getDefiningOp();
  if (scalar.isElement())
    return isPerScore(scalar.at);
  if (!def || !isa_and_nonnull<linalg::LinalgOp>(def->getParentOp()))
    return false;
  return llvm::any_of(def->getOperands(), [&](Value operand) {
    return readsPerScore({operand, scalar.at});
  });
}

bool ScoreMatcher::gathersPerScore(Scalar scalar) {
  scalar = tracer.traceCasts(scalar);
  Operation *def = scalar.getDefiningOp();
  if (scalar.isElement() || !def ||
      !isa_and_nonnull<linalg::LinalgOp>(def->getParentOp()))
    return false;
  bool isGather = isa<tensor::ExtractOp>(def);
  return llvm::any_of(def->getOperands(), [&](Value operand) {
    Scalar inner{operand, scalar.at};
    return isGather ? !isa<RankedTensorType>(operand.getType()) &&
                          readsPerScore(inner)
                    : gathersPerScore(inner);
  });
}

bool ScoreMatcher::takeBias(const Scalar &term, const Scalar &whole,
                            double factor) {
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
  // for each score than kept, unless it looks up what another such tensor says.
  if (computed && isPerScore(element->at) && !gathersPerScore(term))
    return false;
  scores.functions.push_back({ScoreFunction::Bias, 1, *element, whole});
  return true;
}

bool ScoreMatcher::takeTerm(const Scalar &term, const Scalar &whole,
                            double factor) {
  bool isSum = bool(tracer.traceCasts(term).getOp<arith::AddFOp>());
  if (!isSum && takeAddedMask(term, factor))
    return true;
  std::vector<Scalar> rest;
  if (takeMaskParts(term, factor, rest)) {
    // What is left are biases, or a region of the whole without the masks.
    size_t before = scores.functions.size();
    for (const Scalar &bias : rest)
      if (!takeBias(bias, whole, factor)) {
        scores.functions.resize(before);
        return false;
      }
    return true;
  }
  return (isSum && takeAddedMask(term, factor)) ||
         takeBias(term, whole, factor);
}

LogicalResult ScoreMatcher::takeRegion(const Scalar &scalar, double factor) {
  std::optional<Scalar> element = findProduct(scalar);
  if (!element)
    return match.miss(scalar.getLoc(),
                      "the scores are not a product of queries and keys");
  takeMasksAlong(scalar, factor);
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
  if (isa<arith::MulFOp>(def) && factor > 0)
    for (unsigned i = 0; i < 2; ++i)
      if (findProduct(operand(i)) && isOneWhereVisible(operand(1 - i)))
        return visit(operand(i), factor);
  if (isa<arith::SubFOp>(def) && findProduct(operand(0)) &&
      !findProduct(operand(1)) &&
      takeAddedMask(operand(1), factor, /*sign=*/-1))
    return visit(operand(0), factor);
  if (isa<math::TanhOp>(def) && factor > 0) {
    scores.functions.push_back({ScoreFunction::Softcap, factor});
    mayMask = false;
    return visit(operand(0), factor);
  }
  if (mayMask)
    if (auto inner = takeFloor(scalar, factor))
      return visit(*inner, factor);
  if (isa<arith::SelectOp>(def)) {
    if (auto seen = takeMask(scalar, factor))
      return visit(*seen, factor);
  }
  if (isa<arith::AddFOp>(def)) {
    if (findProduct(operand(0)) && findProduct(operand(1)))
      match.advise(scalar.getLoc(),
                   "a second product of queries and keys is computed for all "
                   "pairs and kept in memory ('arith.addf' of two products); "
                   "concatenate the queries' and the keys' two parts along "
                   "the head dim, so that one product makes the scores");
    for (unsigned i = 0; i < 2; ++i) {
      if (findProduct(operand(i)) || !findProduct(operand(1 - i)))
        continue;
      if (takeTerm({def->getOperand(i), scalar.at}, scalar, factor))
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
  for (const Softmax::Where &where : softmax.where)
    matcher.hideWhereZero(where.condition, where.shown);
  if (failed(matcher.visit(softmax.scores, softmax.factor)))
    return failure();
  return matcher.take();
}
