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

#include "RowTerms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/Support/SaveAndRestore.h"

#include <cmath>

using namespace mlir;
using namespace flash::raise;

/// Whether exponentials are 0 where the probabilities are set to 0, so that
/// these are a softmax: in their sum, or by scores of -inf.
static bool isHidden(Tracer &tracer, const Softmax::Where &where,
                     Scalar scores) {
  if (where.isInSum)
    return true;
  scores = tracer.traceCasts(scores);
  while (scores.getOp<arith::SelectOp>()) {
    unsigned hidden = where.shown ? 2 : 1;
    bool infinite =
        tracer.getNumber(tracer.operand(scores, hidden)) == -HUGE_VAL;
    if (infinite && tracer.same(tracer.operand(scores, 0), where.condition))
      return true;
    unsigned number = tracer.getNumber(tracer.operand(scores, 1)) ? 1 : 2;
    if (!tracer.getNumber(tracer.operand(scores, number)))
      return false;
    scores = tracer.traceCasts(tracer.operand(scores, 3 - number));
  }
  return false;
}

bool flash::raise::isHiddenWhereZero(Tracer &tracer, const Softmax &softmax) {
  return llvm::all_of(softmax.where, [&](const Softmax::Where &where) {
    return isHidden(tracer, where, softmax.scores);
  });
}

/// x from select(|x| != inf, x, 0), which is a number for rows that see no key.
static Scalar stripFinite(Tracer &tracer, const Scalar &scalar) {
  if (!scalar.getOp<arith::SelectOp>())
    return scalar;
  Scalar condition = tracer.operand(scalar, 0);
  auto compare = condition.getOp<arith::CmpFOp>();
  if (!compare || tracer.getNumber(tracer.operand(condition, 1)) != HUGE_VAL)
    return scalar;
  using Predicate = arith::CmpFPredicate;
  Predicate predicate = compare.getPredicate();
  bool isFinite = predicate == Predicate::ONE || predicate == Predicate::UNE ||
                  predicate == Predicate::OLT;
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
/// constant or a sink: max(-inf, max(scores)).
static LogicalResult matchMaximum(Match &match, const Scalar &maximum,
                                  const Scalar &scores, AffineExpr key,
                                  Softmax &softmax) {
  Tracer &tracer = match.tracer;
  Scalar scalar = tracer.traceCasts(maximum);
  scalar = stripFinite(tracer, scalar);
  while (isa_and_nonnull<arith::MaximumFOp, arith::MaxNumFOp>(
             scalar.getDefiningOp()) &&
         !scalar.isElement()) {
    auto isMaximum = [&](unsigned operand) {
      return bool(tracer.matchReduction(
          tracer.traceCasts(tracer.operand(scalar, operand)), key,
          getRowSize(softmax)));
    };
    unsigned other = tracer.getNumber(tracer.operand(scalar, 0))   ? 0
                     : tracer.getNumber(tracer.operand(scalar, 1)) ? 1
                     : isMaximum(0)                                ? 1
                                                                   : 0;
    if (!isOfRow(tracer, tracer.operand(scalar, other), key))
      return failure();
    readAll(tracer, tracer.operand(scalar, other), key, getRowSize(softmax));
    scalar = tracer.traceCasts(tracer.operand(scalar, 1 - other));
  }
  auto op = scalar.isElement() ? scalar.value.getDefiningOp<linalg::LinalgOp>()
                               : linalg::LinalgOp();
  if (op && op.getNumReductionLoops() == 1 && dependsOn(scalar.at, key))
    return match.miss(scalar.getLoc(),
                      "the maximum is over another dimension than the keys "
                      "that the second contraction sums over; reduce along "
                      "those");
  auto reduction = tracer.matchReduction(scalar, key, getRowSize(softmax));
  if (!reduction ||
      !isa<arith::MaximumFOp, arith::MaxNumFOp>(reduction->combiner))
    return failure();
  if (!tracer.same(reduction->operand, scores) &&
      !tracer.same(stripWhere(tracer, softmax, reduction->operand, -HUGE_VAL),
                   scores))
    return match.miss(scalar.getLoc(), "the maximum that is subtracted is not "
                                       "that of the scores");
  return success();
}

/// Whether a scalar is made of the maximum of the scores and numbers alone:
/// select(max(s) < 0, 0, max(s)).
static bool isOfMaximum(Match &match, const Scalar &scalar,
                        const Scalar &scores, AffineExpr key,
                        Softmax &softmax) {
  Tracer &tracer = match.tracer;
  Scalar traced = tracer.traceCasts(scalar);
  if (tracer.getNumber(traced))
    return true;
  if (auto reduction = tracer.matchReduction(traced, key, getRowSize(softmax)))
    return isa<arith::MaximumFOp, arith::MaxNumFOp>(reduction->combiner) &&
           tracer.same(reduction->operand, scores);
  Operation *def = traced.isElement() ? nullptr : traced.getDefiningOp();
  return def &&
         isa<arith::ArithDialect, math::MathDialect>(def->getDialect()) &&
         llvm::all_of(def->getOperands(), [&](Value operand) {
           return isOfMaximum(match, {operand, traced.at}, scores, key,
                              softmax);
         });
}

/// Takes exp or exp2 apart into scores and the factor before them.
static LogicalResult matchExponential(Match &match, const Scalar &scalar,
                                      AffineExpr key, Softmax &softmax) {
  Tracer &tracer = match.tracer;
  if (!scalar.getOp<math::ExpOp>() && !scalar.getOp<math::Exp2Op>())
    return failure();
  softmax.unnormalized = scalar;
  if (scalar.getOp<math::Exp2Op>())
    softmax.factor = std::log(2.0);
  Scalar argument = tracer.traceCasts(tracer.operand(scalar, 0));
  if (scalar.getOp<math::ExpOp>()) {
    Exponent exponent = getExponent(tracer, argument, key);
    if (auto sum = findLogOfSum(tracer, exponent, key, getRowSize(softmax))) {
      softmax.sum = sum;
      for (const Scalar &term : exponent.less)
        readAll(tracer, term, key, getRowSize(softmax));
      softmax.scores = exponent.scores;
      softmax.unnormalized.reset();
      return success();
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
  while (argument.getOp<arith::SubFOp>()) {
    Scalar scores = tracer.operand(argument, 0);
    if (failed(matchMaximum(match, tracer.operand(argument, 1), scores, key,
                            softmax))) {
      if (match.nearMiss)
        return failure();
      if (!isOfMaximum(match, tracer.operand(argument, 1), scores, key,
                       softmax))
        break;
      readAll(tracer, tracer.operand(argument, 1), key, getRowSize(softmax));
    }
    argument = tracer.traceCasts(scores);
  }
  softmax.scores = argument;
  return success();
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

/// Takes off what sets exponentials or probabilities to 0: x * uitofp(c).
static Scalar takeWhere(Tracer &tracer, Softmax &softmax, const Scalar &scalar,
                        llvm::function_ref<Scalar(Scalar)> trace) {
  Scalar inner = trace(scalar);
  while (auto kept = getKept(tracer, inner, 0)) {
    bool isKnown =
        llvm::any_of(softmax.where, [&](const Softmax::Where &where) {
          return where.shown == kept->shown &&
                 tracer.same(where.condition, kept->condition);
        });
    if (!isKnown)
      softmax.where.push_back({kept->condition, kept->shown});
    inner = trace(kept->scalar);
  }
  return inner;
}

/// The softmax over one more column, of which the probabilities are all but the
/// first or the last: a sink that is concatenated to the scores.
static std::optional<Scalar> takeSinkColumn(Tracer &tracer,
                                            const Scalar &probability,
                                            AffineExpr key, Softmax &softmax) {
  auto slice = probability.value.getDefiningOp<tensor::ExtractSliceOp>();
  if (!slice || !slice.getType().hasStaticShape() ||
      !slice.getSourceType().hasStaticShape() ||
      slice.getType().getRank() != slice.getSourceType().getRank())
    return std::nullopt;
  Indices at(probability.at);
  for (auto [index, size, whole, offset, step] : llvm::zip(
           at, slice.getType().getShape(), slice.getSourceType().getShape(),
           slice.getStaticOffsets(), slice.getStaticStrides())) {
    if (ShapedType::isDynamic(offset) || step != 1)
      return std::nullopt;
    if (size == whole)
      continue;
    if (index != key || whole != size + 1 || softmax.sinkColumn)
      return std::nullopt;
    softmax.sinkColumn = offset == 0 ? size : 0;
    softmax.rowSize = whole;
    softmax.row = index = index + offset;
  }
  if (!softmax.sinkColumn)
    return std::nullopt;
  tracer.visited.insert(slice);
  return Scalar{slice.getSource(), at};
}

FailureOr<Softmax> flash::raise::matchSoftmax(Match &match, Scalar probability,
                                              AffineExpr key) {
  Tracer &tracer = match.tracer;
  Softmax softmax;
  softmax.row = key;
  unsigned bits = 64;
  if (!isa<FloatType>(probability.getElementType()))
    return failure();
  probability = traceRounding(tracer, probability, bits);

  // select(the row is empty, 0, probability), select(where, probability, 0)
  std::optional<Scalar> emptyRowScores;
  while (probability.getOp<arith::SelectOp>()) {
    Scalar scores, condition = tracer.operand(probability, 0);
    unsigned zero =
        tracer.getNumber(tracer.operand(probability, 1)) == 0.0 ? 1 : 2;
    if (tracer.getNumber(tracer.operand(probability, zero)) != 0.0)
      return failure();
    if (zero == 1 && !emptyRowScores &&
        matchEmptyRow(tracer, condition, key, &scores))
      emptyRowScores = scores;
    else
      softmax.where.push_back({condition, /*shown=*/zero == 2});
    probability =
        traceRounding(tracer, tracer.operand(probability, 3 - zero), bits);
  }
  probability =
      takeWhere(tracer, softmax, probability, [&](const Scalar &scalar) {
        return traceRounding(tracer, scalar, bits);
      });
  if (auto whole = takeSinkColumn(tracer, probability, key, softmax))
    probability = traceRounding(tracer, *whole, bits);
  key = softmax.row;

  auto traceCasts = [&](const Scalar &scalar) {
    return tracer.traceCasts(scalar);
  };
  if (auto op = probability.value.getDefiningOp<linalg::SoftmaxOp>()) {
    if (probability.at[op.getDimension()] != key)
      return match.miss(op.getLoc(),
                        "the softmax is over another dimension than the keys "
                        "that the second contraction sums over; take it along "
                        "those");
    tracer.visited.insert(op);
    softmax.scores = tracer.trace({op.getInput(), probability.at});
    if (softmax.sinkColumn) {
      Indices at(probability.at);
      at[op.getDimension()] =
          getAffineConstantExpr(*softmax.sinkColumn, key.getContext());
      softmax.sink = tracer.traceCasts({op.getInput(), at});
      // One more key, not a sink: a part of the probabilities is read.
      auto product = softmax.sink->value.getDefiningOp<linalg::LinalgOp>();
      if (product && isContraction(product))
        return failure();
    }
  } else if (probability.getOp<arith::DivFOp>()) {
    Scalar exponential =
        takeWhere(tracer, softmax, tracer.operand(probability, 0), traceCasts);
    if (failed(matchExponential(match, exponential, key, softmax)) ||
        failed(matchSum(match, tracer.operand(probability, 1), exponential, key,
                        softmax)))
      return failure();
    softmax.unnormalized.reset();
  } else if (probability.getOp<arith::MulFOp>()) {
    bool found = false;
    for (unsigned i = 0; i < 2 && !found; ++i) {
      Scalar reciprocal = tracer.traceCasts(tracer.operand(probability, i));
      if (!reciprocal.getOp<arith::DivFOp>() ||
          tracer.getNumber(tracer.operand(reciprocal, 0)) != 1.0)
        continue;
      Scalar exponential = takeWhere(
          tracer, softmax, tracer.operand(probability, 1 - i), traceCasts);
      if (failed(matchExponential(match, exponential, key, softmax)) ||
          failed(matchSum(match, tracer.operand(reciprocal, 1), exponential,
                          key, softmax)))
        return failure();
      softmax.unnormalized.reset();
      found = true;
    }
    if (!found)
      return failure();
  } else if (failed(matchExponential(match, probability, key, softmax))) {
    return failure();
  }
  if (emptyRowScores && !tracer.same(*emptyRowScores, softmax.scores))
    return match.miss(probability.getLoc(), "rows are set to 0 by a condition "
                                            "that is not on the scores");
  if (!softmax.unnormalized && !isHiddenWhereZero(tracer, softmax))
    return failure();
  softmax.emptyRowsAreZero = emptyRowScores.has_value();
  softmax.bits = bits;
  return softmax;
}
