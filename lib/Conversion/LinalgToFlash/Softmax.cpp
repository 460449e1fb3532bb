//===- Softmax.cpp - The usual decompositions of softmax --------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Over the keys, of scores s:
//
//   e = exp(s - max(s)), exp(s), exp2(c * (s - max(s))), exp2(c * s - max(c *
//   s)) e / sum(e), e * (1 / sum(e)), linalg.softmax select(no key is visible,
//   0, any of these), exp(s - m - log(sum(exp(s - m))))
//
// The maximum only keeps numbers in range: flash.attention has its own.
//
//===----------------------------------------------------------------------===//

#include "Matchers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/Support/SaveAndRestore.h"

#include <cmath>

using namespace mlir;
using namespace flash::raise;

static bool dependsOn(ArrayRef<AffineExpr> at, AffineExpr key) {
  bool depends = false;
  key.walk([&](AffineExpr part) {
    if (auto dim = dyn_cast<AffineDimExpr>(part))
      depends |= llvm::any_of(at, [&](AffineExpr index) {
        return index.isFunctionOfDim(dim.getPosition());
      });
  });
  return depends;
}

LogicalResult flash::raise::matchSum(Match &match, const Scalar &divisor,
                                     const Scalar &exponential,
                                     AffineExpr key) {
  Tracer &tracer = match.tracer;
  Scalar sum = tracer.traceCasts(divisor);
  if (sum.isElement() && dependsOn(sum.at, key))
    return match.miss(sum.getLoc(),
                      "the softmax is over another dimension than the keys "
                      "that the second contraction sums over");
  auto reduction = tracer.matchReduction(sum, key);
  if (!reduction || !isa<arith::AddFOp>(reduction->combiner) ||
      tracer.getNumber(reduction->init) != 0.0 ||
      !tracer.same(reduction->operand, exponential))
    return match.miss(sum.getLoc(), "the exponentials are divided by something "
                                    "else than their sum over the keys");
  return success();
}

/// x from select(|x| != inf, x, 0), which is a number for rows that see no key.
static Scalar stripFinite(Tracer &tracer, const Scalar &scalar) {
  if (!scalar.getOp<arith::SelectOp>())
    return scalar;
  Scalar condition = tracer.operand(scalar, 0);
  auto compare = condition.getOp<arith::CmpFOp>();
  if (!compare ||
      tracer.getNumber(tracer.operand(condition, 1)) != HUGE_VAL)
    return scalar;
  using Predicate = arith::CmpFPredicate;
  Predicate predicate = compare.getPredicate();
  bool isFinite = predicate == Predicate::ONE ||
                  predicate == Predicate::UNE || predicate == Predicate::OLT;
  if (!isFinite && predicate != Predicate::OEQ)
    return scalar;
  Scalar magnitude = tracer.traceCasts(tracer.operand(condition, 0)),
         kept = tracer.traceCasts(tracer.operand(scalar, isFinite ? 1 : 2));
  if (!magnitude.getOp<math::AbsFOp>() ||
      tracer.getNumber(tracer.operand(scalar, isFinite ? 2 : 1)) != 0.0 ||
      !tracer.same(tracer.operand(magnitude, 0), kept))
    return scalar;
  return kept;
}

/// Whether `maximum` is the maximum over the keys of `scores`, perhaps with a
/// constant: max(-inf, max(scores)).
static LogicalResult matchMaximum(Match &match, const Scalar &maximum,
                                  const Scalar &scores, AffineExpr key) {
  Tracer &tracer = match.tracer;
  Scalar scalar = tracer.traceCasts(maximum);
  scalar = stripFinite(tracer, scalar);
  while (isa_and_nonnull<arith::MaximumFOp, arith::MaxNumFOp>(
             scalar.getDefiningOp()) &&
         !scalar.isElement()) {
    unsigned constant = tracer.getNumber(tracer.operand(scalar, 0)) ? 0 : 1;
    if (!tracer.getNumber(tracer.operand(scalar, constant)))
      return failure();
    scalar = tracer.traceCasts(tracer.operand(scalar, 1 - constant));
  }
  auto reduction = tracer.matchReduction(scalar, key);
  if (!reduction ||
      !isa<arith::MaximumFOp, arith::MaxNumFOp>(reduction->combiner))
    return failure();
  if (dependsOn(scalar.at, key))
    return match.miss(scalar.getLoc(),
                      "the maximum is over another dimension than the keys "
                      "that the second contraction sums over");
  if (!tracer.same(reduction->operand, scores))
    return match.miss(scalar.getLoc(), "the maximum that is subtracted is not "
                                       "that of the scores");
  return success();
}

/// Whether a scalar is the same for all keys.
static bool isOfRow(Tracer &tracer, Scalar scalar, AffineExpr key) {
  scalar = tracer.trace(scalar);
  if (scalar.isElement())
    return !dependsOn(scalar.at, key);
  Operation *def = scalar.getDefiningOp();
  if (!def || !isa_and_nonnull<linalg::LinalgOp>(def->getParentOp()))
    return true;
  return def->getNumRegions() == 0 && !isa<linalg::IndexOp>(def) &&
         llvm::all_of(def->getOperands(), [&](Value operand) {
           return isOfRow(tracer, {operand, scalar.at}, key);
         });
}

namespace {
/// An exponent as scores less terms of the row.
struct Exponent {
  Scalar scores;
  SmallVector<Scalar> less;
};
} // namespace

/// The terms of a sum.
static void addTerms(Tracer &tracer, Scalar scalar,
                     SmallVectorImpl<Scalar> &terms) {
  scalar = tracer.traceCasts(scalar);
  if (!scalar.getOp<arith::AddFOp>()) {
    terms.push_back(scalar);
    return;
  }
  addTerms(tracer, tracer.operand(scalar, 0), terms);
  addTerms(tracer, tracer.operand(scalar, 1), terms);
}

/// (s - m) - log(l), s - (log(l) + m), s + -(log(l) + m)
static Exponent getExponent(Tracer &tracer, Scalar argument, AffineExpr key) {
  Exponent exponent;
  while (true) {
    argument = tracer.traceCasts(argument);
    bool isSub = bool(argument.getOp<arith::SubFOp>());
    if (!isSub && !argument.getOp<arith::AddFOp>())
      break;
    Scalar term = tracer.traceCasts(tracer.operand(argument, 1));
    if (!isSub) {
      if (!term.getOp<arith::NegFOp>())
        break;
      term = tracer.operand(term, 0);
    }
    if (!isOfRow(tracer, term, key))
      break;
    addTerms(tracer, term, exponent.less);
    argument = tracer.operand(argument, 0);
  }
  exponent.scores = argument;
  return exponent;
}

/// Reads a term of the row to its ends, reductions over the keys among it.
static void readAll(Tracer &tracer, Scalar scalar, AffineExpr key) {
  scalar = tracer.trace(scalar);
  if (scalar.isElement()) {
    if (auto reduction = tracer.matchReduction(scalar, key))
      readAll(tracer, reduction->operand, key);
    return;
  }
  Operation *def = scalar.getDefiningOp();
  if (!def || !isa_and_nonnull<linalg::LinalgOp>(def->getParentOp()))
    return;
  for (Value operand : def->getOperands())
    readAll(tracer, {operand, scalar.at}, key);
}

/// Whether s - m - log(sum(exp(s - m))) is there: exp of it is the softmax,
/// whatever m is.
static bool hasLogOfSum(Tracer &tracer, Exponent exponent, AffineExpr key) {
  for (auto [i, term] : llvm::enumerate(exponent.less)) {
    if (!term.getOp<math::LogOp>())
      continue;
    Scalar sum = tracer.traceCasts(tracer.operand(term, 0));
    if (sum.getOp<math::AbsFOp>())
      sum = tracer.traceCasts(tracer.operand(sum, 0));
    auto reduction = tracer.matchReduction(sum, key);
    if (!reduction || !isa<arith::AddFOp>(reduction->combiner) ||
        tracer.getNumber(reduction->init) != 0.0)
      continue;
    Scalar exponential = tracer.traceCasts(reduction->operand);
    if (!exponential.getOp<math::ExpOp>())
      continue;
    Exponent inner =
        getExponent(tracer, tracer.operand(exponential, 0), key);
    // The rest of the terms, each once.
    SmallVector<Scalar> rest;
    for (auto [j, other] : llvm::enumerate(exponent.less))
      if (j != i)
        rest.push_back(other);
    for (const Scalar &subtracted : inner.less) {
      auto *place = llvm::find_if(rest, [&](const Scalar &other) {
        return tracer.same(other, subtracted);
      });
      if (place == rest.end())
        return false;
      rest.erase(place);
    }
    return rest.empty() && tracer.same(inner.scores, exponent.scores);
  }
  return false;
}

/// Takes exp or exp2 apart into scores and the factor before them.
static FailureOr<Softmax> matchExponential(Match &match, const Scalar &scalar,
                                           AffineExpr key) {
  Tracer &tracer = match.tracer;
  if (!scalar.getOp<math::ExpOp>() && !scalar.getOp<math::Exp2Op>())
    return failure();
  Softmax softmax;
  softmax.unnormalized = scalar;
  if (scalar.getOp<math::Exp2Op>())
    softmax.factor = std::log(2.0);
  Scalar argument = tracer.traceCasts(tracer.operand(scalar, 0));
  if (scalar.getOp<math::ExpOp>()) {
    Exponent exponent = getExponent(tracer, argument, key);
    if (hasLogOfSum(tracer, exponent, key)) {
      for (const Scalar &term : exponent.less)
        readAll(tracer, term, key);
      softmax.scores = exponent.scores;
      softmax.unnormalized.reset();
      return softmax;
    }
  }
  while (argument.getOp<arith::MulFOp>()) {
    unsigned constant = tracer.getNumber(tracer.operand(argument, 0)) ? 0 : 1;
    auto number = tracer.getNumber(tracer.operand(argument, constant));
    if (!number)
      break;
    softmax.factor *= *number;
    argument = tracer.traceCasts(tracer.operand(argument, 1 - constant));
  }
  if (argument.getOp<arith::SubFOp>()) {
    Scalar scores = tracer.operand(argument, 0);
    if (succeeded(
            matchMaximum(match, tracer.operand(argument, 1), scores, key)))
      argument = scores;
    else if (match.nearMiss)
      return failure();
  }
  softmax.scores = argument;
  return softmax;
}

/// Whether `condition` says that all scores of a row are -inf: with `any` over
/// the keys, not(any(not(score == -inf))), in the ways that booleans are
/// negated.
static bool matchEmptyRow(Tracer &tracer, Scalar condition, AffineExpr key,
                          Scalar *scores) {
  auto stripNot = [&](Scalar scalar, bool &negated) {
    scalar = tracer.trace(scalar);
    while (true) {
      auto compare = scalar.getOp<arith::CmpIOp>();
      auto exclusive = scalar.getOp<arith::XOrIOp>();
      if (!compare && !exclusive)
        return scalar;
      Scalar constant = tracer.operand(scalar, 1);
      APInt number;
      if (!matchPattern(constant.value, m_ConstantInt(&number)))
        return scalar;
      bool one = !number.isZero();
      bool equal =
          compare && compare.getPredicate() == arith::CmpIPredicate::eq;
      if (compare && !equal &&
          compare.getPredicate() != arith::CmpIPredicate::ne)
        return scalar;
      negated ^= equal ? !one : one;
      scalar = tracer.operand(scalar, 0);
    }
  };
  bool negated = false;
  Scalar any = stripNot(condition, negated);
  auto reduction = tracer.matchReduction(any, key);
  if (!reduction)
    return false;
  // not any(visible), or all(hidden).
  bool isAny = isa<arith::OrIOp>(reduction->combiner),
       isAll = isa<arith::AndIOp>(reduction->combiner);
  APInt init;
  if (!matchPattern(reduction->init.value, m_ConstantInt(&init)) ||
      init.isZero() == isAll)
    return false;
  if (!(isAny && negated) && !(isAll && !negated))
    return false;
  bool elementNegated = false;
  Scalar element = stripNot(reduction->operand, elementNegated);
  auto compare = element.getOp<arith::CmpFOp>();
  if (!compare || elementNegated != isAny ||
      compare.getPredicate() != arith::CmpFPredicate::OEQ ||
      tracer.getNumber(tracer.operand(element, 1)) != -HUGE_VAL)
    return false;
  *scores = tracer.operand(element, 0);
  return true;
}

/// Takes rounding off, and says how far it went.
static Scalar traceRounding(Tracer &tracer, Scalar scalar, unsigned &bits) {
  llvm::SaveAndRestore<bool> whole(tracer.seesSlices, false);
  scalar = tracer.trace(scalar);
  while (true) {
    bits = std::min(bits, scalar.getElementType().getIntOrFloatBitWidth());
    if (!scalar.getOp<arith::ExtFOp>() && !scalar.getOp<arith::TruncFOp>())
      return scalar;
    scalar = tracer.operand(scalar, 0);
  }
}

FailureOr<Softmax> flash::raise::matchSoftmax(Match &match, Scalar probability,
                                              AffineExpr key) {
  Tracer &tracer = match.tracer;
  unsigned bits = 64;
  if (!isa<FloatType>(probability.getElementType()))
    return failure();
  probability = traceRounding(tracer, probability, bits);

  // select(the row is empty, 0, probability)
  std::optional<Scalar> emptyRowScores;
  if (probability.getOp<arith::SelectOp>()) {
    Scalar scores;
    if (tracer.getNumber(tracer.operand(probability, 1)) != 0.0 ||
        !matchEmptyRow(tracer, tracer.operand(probability, 0), key, &scores))
      return failure();
    emptyRowScores = scores;
    probability = traceRounding(tracer, tracer.operand(probability, 2), bits);
  }

  FailureOr<Softmax> softmax = failure();
  if (auto op = probability.value.getDefiningOp<linalg::SoftmaxOp>()) {
    if (probability.at[op.getDimension()] != key)
      return match.miss(op.getLoc(),
                        "the softmax is over another dimension than the keys "
                        "that the second contraction sums over");
    tracer.visited.insert(op);
    softmax = Softmax{tracer.trace({op.getInput(), probability.at})};
  } else if (probability.getOp<arith::DivFOp>()) {
    Scalar exponential = tracer.traceCasts(tracer.operand(probability, 0));
    softmax = matchExponential(match, exponential, key);
    if (failed(softmax) ||
        failed(
            matchSum(match, tracer.operand(probability, 1), exponential, key)))
      return failure();
    softmax->unnormalized.reset();
  } else if (probability.getOp<arith::MulFOp>()) {
    for (unsigned i = 0; i < 2 && failed(softmax); ++i) {
      Scalar reciprocal = tracer.traceCasts(tracer.operand(probability, i));
      if (!reciprocal.getOp<arith::DivFOp>() ||
          tracer.getNumber(tracer.operand(reciprocal, 0)) != 1.0)
        continue;
      Scalar exponential =
          tracer.traceCasts(tracer.operand(probability, 1 - i));
      softmax = matchExponential(match, exponential, key);
      if (failed(softmax) ||
          failed(
              matchSum(match, tracer.operand(reciprocal, 1), exponential, key)))
        return failure();
      softmax->unnormalized.reset();
    }
  } else {
    softmax = matchExponential(match, probability, key);
  }
  if (failed(softmax))
    return failure();
  if (emptyRowScores && !tracer.same(*emptyRowScores, softmax->scores))
    return match.miss(probability.getLoc(), "rows are set to 0 by a condition "
                                            "that is not on the scores");
  softmax->emptyRowsAreZero = emptyRowScores.has_value();
  softmax->bits = bits;
  return softmax;
}
