//===- ScoreMasks.cpp - Masks of scores -------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Takes masks off the scores, and off what is added to them:
//
//   select(visible, s, -inf)                          visible
//   s + select(visible, 0, -inf)                      visible
//   select(visible, s, s - 1e9)                       the same
//   s + (bias + select(visible, 0, -inf))             visible; s + bias
//   s + select(visible, bias, -inf)                   the same
//   s * keep - 1e9 * (1 - keep), of a float keep      keep == 1
//   max(s + mask, lowest)                             a finite mask
//
// The lowest numbers of a type, down from half the lowest, and what lies below
// -1e8 count as -inf: no score comes near them. By finite-minima-hide numbers
// down from -9000 do, for models that mask with -10000.
//
//===----------------------------------------------------------------------===//

#include "Conditions.h"
#include "ScoreMatcher.h"
#include "Tables.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>

using namespace mlir;
using namespace flash::raise;

void ScoreMatcher::hideWhereZero(const Scalar &condition, bool shown) {
  scores.masks.push_back({getClauses(tracer, condition, shown),
                          condition.getLoc(), /*infinite=*/true});
}

bool ScoreMatcher::hides(double number, double factor, const Scalar &scalar) {
  auto type = dyn_cast<FloatType>(scalar.getElementType());
  if (!type || !(factor > 0))
    return false;
  constexpr double kBelowScores = -1e8, kBelowByOption = -9e3;
  double added = number * std::min(factor, 1.0);
  APFloat lowest = APFloat::getLargest(type.getFloatSemantics());
  bool lost;
  lowest.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lost);
  if (added <= std::max(-lowest.convertToDouble() / 2, kBelowScores))
    return true;
  if (added > kBelowByOption)
    return false;
  if (!match.options.finiteMinimaHide)
    match.advise(scalar.getLoc(),
                 "a mask of " + std::to_string(int64_t(number)) +
                     " is added to the scores as it is; if none of them comes "
                     "near it, --flash-raise=finite-minima-hide makes it a "
                     "mask, which skips blocks");
  return match.options.finiteMinimaHide;
}

LogicalResult ScoreMatcher::addMask(Clauses visible, Location loc,
                                    bool infinite) {
  infinite &= !hasFloor;
  if (!infinite && match.keepFiniteMasks) {
    match.advise(loc,
                 "a mask with a finite number is a score function, for a row "
                 "that sees no key averages the values; if each row sees a "
                 "key, --flash-raise=finite-minima-hide makes it a mask, "
                 "which skips blocks");
    return failure();
  }
  scores.masks.push_back({std::move(visible), loc, infinite});
  return success();
}

std::optional<double> ScoreMatcher::getHiding(const Scalar &hidden,
                                              const Scalar &seen) {
  if (auto number = tracer.getNumber(hidden))
    return number;
  bool isSum = bool(hidden.getOp<arith::AddFOp>());
  if (!isSum && !hidden.getOp<arith::SubFOp>())
    return std::nullopt;
  auto number = tracer.getNumber(tracer.operand(hidden, 1));
  if (!number || !tracer.same(tracer.operand(hidden, 0), seen))
    return std::nullopt;
  return isSum ? *number : -*number;
}

std::optional<Scalar> ScoreMatcher::takeMask(const Scalar &select,
                                             double factor) {
  Scalar condition = tracer.operand(select, 0);
  for (unsigned i : {1, 2}) {
    Scalar hidden = tracer.operand(select, i),
           seen = tracer.operand(select, 3 - i);
    std::optional<double> number = getHiding(hidden, seen);
    if (!mayMask || !number || !findProduct(seen) || findProduct(condition) ||
        !hides(*number, factor, hidden))
      continue;
    if (failed(addMask(getClauses(tracer, condition, i == 2),
                       condition.getLoc(), std::isinf(*number))))
      continue;
    match.unmasked.push_back({select, seen});
    return seen;
  }
  return std::nullopt;
}

std::optional<Scalar> ScoreMatcher::takeFloor(const Scalar &scalar,
                                              double factor) {
  Operation *def = scalar.isElement() ? nullptr : scalar.getDefiningOp();
  unsigned first = 0;
  if (isa_and_nonnull<arith::SelectOp>(def)) {
    // select(x < c, c, x), select(x > c, x, c)
    Scalar condition = tracer.operand(scalar, 0);
    auto compare = condition.getOp<arith::CmpFOp>();
    if (!compare)
      return std::nullopt;
    using Predicate = arith::CmpFPredicate;
    bool isLess = llvm::is_contained(
        {Predicate::OLT, Predicate::ULT, Predicate::OLE, Predicate::ULE},
        compare.getPredicate());
    bool isMore = llvm::is_contained(
        {Predicate::OGT, Predicate::UGT, Predicate::OGE, Predicate::UGE},
        compare.getPredicate());
    if ((!isLess && !isMore) ||
        !tracer.same(tracer.operand(condition, 0),
                     tracer.operand(scalar, isLess ? 2 : 1)) ||
        !tracer.same(tracer.operand(condition, 1),
                     tracer.operand(scalar, isLess ? 1 : 2)))
      return std::nullopt;
    first = 1;
  } else if (!isa_and_nonnull<arith::MaximumFOp, arith::MaxNumFOp>(def)) {
    return std::nullopt;
  }
  for (unsigned i : {first, first + 1}) {
    Scalar floor = tracer.operand(scalar, i),
           inner = tracer.operand(scalar, 2 * first + 1 - i);
    auto number = tracer.getNumber(floor);
    if (!number || !findProduct(inner) || !hides(*number, factor, floor))
      continue;
    hasFloor |= std::isfinite(*number);
    match.unmasked.push_back({scalar, inner});
    return inner;
  }
  return std::nullopt;
}

bool ScoreMatcher::isOneWhereVisible(Scalar scalar) {
  Clauses visible;
  for (const Mask &mask : scores.masks)
    visible = conjoin(tracer, std::move(visible), mask.visible);
  auto cases = getCases(tracer, tracer.traceCasts(scalar));
  auto isOne = cases ? getOtherCases(tracer, *cases,
                                     [](double value) { return value != 1; })
                     : std::nullopt;
  return isOne && implies(tracer, visible, *isOne);
}

bool ScoreMatcher::takeAddedMask(Scalar term, double factor, double sign) {
  term = tracer.traceCasts(term);
  if (!mayMask || !isa<FloatType>(term.getElementType()))
    return false;
  bool infinite = true, finite = true, isMask = true;
  auto isHidden = [&](double number) {
    bool hidden = hides(sign * number, factor, term);
    (std::isinf(number) ? finite : infinite) &= !hidden;
    isMask &= hidden || number == 0;
    return hidden;
  };
  std::optional<Clauses> visible;
  if (auto cases = getCases(tracer, term)) {
    visible = getOtherCases(tracer, *cases, isHidden);
  } else if (auto sums = tabulate(tracer, term, [&](double number) {
               return !isHidden(number);
             })) {
    visible = Clauses();
    for (const LinearSum &sum : *sums)
      visible->push_back(Clause{Literal{sum}});
  }
  // Nothing is hidden: zeros.
  if (!visible || !isMask || isNever(*visible))
    return false;
  if (infinite && finite) {
    if (!isAlways(*visible))
      return false;
  } else if (failed(addMask(*visible, term.getLoc(), infinite))) {
    return false;
  }
  match.unmasked.push_back({term, std::nullopt});
  return true;
}

bool ScoreMatcher::takeMaskParts(const Scalar &term, double factor,
                                 std::vector<Scalar> &rest) {
  Scalar traced = tracer.traceCasts(term);
  Operation *def = traced.isElement() ? nullptr : traced.getDefiningOp();
  if (match.findUnmasked(traced))
    return true;
  auto operand = [&](unsigned index) {
    return Scalar{def->getOperand(index), traced.at};
  };
  if (isa_and_nonnull<arith::AddFOp>(def)) {
    bool first = takeMaskParts(operand(0), factor, rest);
    return takeMaskParts(operand(1), factor, rest) || first;
  }
  if (takeAddedMask(traced, factor))
    return true;
  if (isa_and_nonnull<arith::SelectOp>(def) && mayMask) {
    Scalar condition = tracer.operand(traced, 0);
    for (unsigned i : {1, 2}) {
      std::optional<double> number = tracer.getNumber(operand(i));
      if (!number || !hides(*number, factor, tracer.operand(traced, i)) ||
          failed(addMask(getClauses(tracer, condition, i == 2),
                         condition.getLoc(), std::isinf(*number))))
        continue;
      match.unmasked.push_back({traced, tracer.operand(traced, 3 - i)});
      takeMaskParts(operand(3 - i), factor, rest);
      return true;
    }
  }
  if (tracer.getNumber(traced) != 0.0)
    rest.push_back(term);
  return false;
}

void ScoreMatcher::takeMasksAlong(Scalar scalar, double factor) {
  while (true) {
    scalar = tracer.traceCasts(scalar);
    Operation *def = scalar.isElement() ? nullptr : scalar.getDefiningOp();
    if (auto inner = takeFloor(scalar, factor)) {
      scalar = *inner;
      continue;
    }
    if (isa_and_nonnull<arith::SelectOp>(def)) {
      auto seen = takeMask(scalar, factor);
      if (!seen)
        return;
      scalar = *seen;
      continue;
    }
    if (!isa_and_nonnull<arith::AddFOp, arith::SubFOp, arith::MulFOp,
                         arith::DivFOp>(def))
      return;
    unsigned inner = findProduct(tracer.operand(scalar, 0)) ? 0 : 1;
    Scalar other = tracer.operand(scalar, 1 - inner);
    if (findProduct(other))
      return;
    if (isa<arith::AddFOp>(def)) {
      std::vector<Scalar> rest;
      takeMaskParts(other, factor, rest);
    } else if (isa<arith::SubFOp>(def)) {
      if (inner == 1 || !takeAddedMask(other, factor, /*sign=*/-1))
        return;
    } else {
      auto number = tracer.getNumber(other);
      if (!number || (inner == 1 && isa<arith::DivFOp>(def)))
        return;
      factor = isa<arith::MulFOp>(def) ? factor * *number : factor / *number;
    }
    scalar = tracer.operand(scalar, inner);
  }
}
