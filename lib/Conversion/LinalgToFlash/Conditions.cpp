//===- Conditions.cpp - What a condition says -------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Comparisons of positions, through the ways in which frontends write booleans,
// become inequalities of sums of dimensions:
//
//   cmpi sge, %q, %k                                    q - k >= 0
//   cmpf oeq, select(k - q <= 0, 1.0, 0.0), 0.0: hides  the same
//   cmpi eq, %q, %k                                     both q - k and k - q
//   ori(%a, %b)                                         one clause of two
//
// What bounds of the dimensions decide, falls out.
//
//===----------------------------------------------------------------------===//

#include "Conditions.h"
#include "Matchers.h"
#include "Tables.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace flash::raise;

static Clauses always() { return {}; }
static Clauses never() { return {Clause()}; }
static Clauses known(bool holds) { return holds ? always() : never(); }

/// Whether `sum` is at least `least` everywhere.
static bool isAtLeast(Tracer &tracer, const LinearSum &sum, int64_t least) {
  auto lowest = tracer.getDomain().lowerBound(sum);
  return lowest && *lowest >= least;
}

//===----------------------------------------------------------------------===//
// Conditions
//===----------------------------------------------------------------------===//

namespace {
class ConditionMatcher {
public:
  explicit ConditionMatcher(Tracer &tracer) : tracer(tracer) {}

  /// Nothing where it is a literal of its own.
  std::optional<Clauses> match(const Scalar &condition, bool wanted);

private:
  Scalar operand(const Scalar &scalar, unsigned index) {
    return tracer.operand(scalar, index);
  }
  Clauses clausesOf(const Scalar &scalar, unsigned index, bool wanted) {
    return getClauses(tracer, operand(scalar, index), wanted);
  }
  std::optional<bool> getBool(const Scalar &condition);
  std::optional<Clauses> matchSelect(const Scalar &condition, bool wanted);
  std::optional<Clauses> matchCompare(const Scalar &condition, bool wanted);
  std::optional<Clauses> matchIndices(const Scalar &condition,
                                      arith::CmpIPredicate predicate,
                                      bool wanted);
  std::optional<Clauses>
  matchCases(const Scalar &condition,
             llvm::function_ref<bool(double, double)> compare, bool wanted);
  Clauses atLeastZero(const LinearSum &sum);

  Tracer &tracer;
};
} // namespace

Clauses ConditionMatcher::atLeastZero(const LinearSum &sum) {
  if (isAtLeast(tracer, sum, 0))
    return always();
  auto highest = tracer.getDomain().upperBound(sum);
  if (highest && *highest < 0)
    return never();
  return {Clause{Literal{sum}}};
}

std::optional<bool> ConditionMatcher::getBool(const Scalar &condition) {
  APInt number;
  Scalar scalar = tracer.trace(condition);
  if (!matchPattern(scalar.value, m_ConstantInt(&number)))
    return std::nullopt;
  if (number.isZero())
    return false;
  return number.isOne() ? std::optional(true) : std::nullopt;
}

std::optional<Clauses>
ConditionMatcher::matchIndices(const Scalar &condition,
                               arith::CmpIPredicate predicate, bool wanted) {
  using Predicate = arith::CmpIPredicate;
  auto left = matchIndex(tracer, operand(condition, 0));
  auto right = left ? matchIndex(tracer, operand(condition, 1)) : std::nullopt;
  auto lhs = left ? LinearSum::get(*left) : std::nullopt,
       rhs = right ? LinearSum::get(*right) : std::nullopt;
  if (!lhs || !rhs)
    return std::nullopt;
  // Of numbers that are not negative, unsigned comparisons are the same.
  bool isUnsigned = predicate >= Predicate::ult;
  if (isUnsigned) {
    if (!isAtLeast(tracer, *lhs, 0) || !isAtLeast(tracer, *rhs, 0))
      return std::nullopt;
    predicate = static_cast<Predicate>(static_cast<uint64_t>(predicate) -
                                       static_cast<uint64_t>(Predicate::ult) +
                                       static_cast<uint64_t>(Predicate::slt));
  }
  if (!wanted)
    predicate = arith::invertPredicate(predicate);
  LinearSum difference = lhs->plus(*rhs, -1), opposite = rhs->plus(*lhs, -1);
  LinearSum less = LinearSum(-1).plus(opposite),
            more = LinearSum(-1).plus(difference);
  switch (predicate) {
  case Predicate::sge:
    return atLeastZero(difference);
  case Predicate::sgt:
    return atLeastZero(more);
  case Predicate::sle:
    return atLeastZero(opposite);
  case Predicate::slt:
    return atLeastZero(less);
  case Predicate::eq:
    return conjoin(tracer, atLeastZero(difference), atLeastZero(opposite));
  case Predicate::ne:
    return disjoin(tracer, atLeastZero(more), atLeastZero(less));
  default:
    return std::nullopt;
  }
}

std::optional<Clauses>
ConditionMatcher::matchCases(const Scalar &condition,
                             llvm::function_ref<bool(double, double)> compare,
                             bool wanted) {
  for (unsigned i = 0; i < 2; ++i) {
    auto with =
        getConstant(tracer, tracer.traceCasts(operand(condition, 1 - i)));
    if (!with)
      continue;
    auto cases = getCases(tracer, operand(condition, i));
    if (!cases)
      return std::nullopt;
    return getOtherCases(tracer, *cases, [&](double value) {
      return (i == 0 ? compare(value, *with) : compare(*with, value)) != wanted;
    });
  }
  return std::nullopt;
}

static std::optional<arith::CmpIPredicate>
getIntegerPredicate(arith::CmpFPredicate predicate) {
  using From = arith::CmpFPredicate;
  using To = arith::CmpIPredicate;
  switch (predicate) {
  case From::OEQ:
  case From::UEQ:
    return To::eq;
  case From::ONE:
  case From::UNE:
    return To::ne;
  case From::OGE:
  case From::UGE:
    return To::sge;
  case From::OGT:
  case From::UGT:
    return To::sgt;
  case From::OLE:
  case From::ULE:
    return To::sle;
  case From::OLT:
  case From::ULT:
    return To::slt;
  default:
    return std::nullopt;
  }
}

std::optional<Clauses> ConditionMatcher::matchCompare(const Scalar &condition,
                                                      bool wanted) {
  if (auto compare = condition.getOp<arith::CmpFOp>()) {
    if (auto predicate = getIntegerPredicate(compare.getPredicate()))
      if (auto clauses = matchIndices(condition, *predicate, wanted))
        return clauses;
    return matchCases(
        condition,
        [&](double a, double b) {
          return arith::applyCmpPredicate(compare.getPredicate(), APFloat(a),
                                          APFloat(b));
        },
        wanted);
  }
  auto compare = condition.getOp<arith::CmpIOp>();
  if (!compare)
    return std::nullopt;
  if (tracer.same(operand(condition, 0), operand(condition, 1)))
    return known(arith::applyCmpPredicate(compare.getPredicate(), APInt(64, 0),
                                          APInt(64, 0)) == wanted);
  bool equal = compare.getPredicate() == arith::CmpIPredicate::eq;
  std::optional<bool> constant = getBool(operand(condition, 1));
  if (constant &&
      (equal || compare.getPredicate() == arith::CmpIPredicate::ne)) {
    // (x == false), (x != 0): x is a boolean, perhaps widened.
    Scalar tested = operand(condition, 0);
    if (tested.getOp<arith::ExtUIOp>())
      tested = tracer.operand(tested, 0);
    if (tested.getElementType().isInteger(1))
      return getClauses(tracer, tested, (equal == *constant) == wanted);
  }
  if (auto clauses = matchIndices(condition, compare.getPredicate(), wanted))
    return clauses;
  return matchCases(
      condition,
      [&](double a, double b) {
        // Integers beyond 53 bits are not positions.
        auto number = [](double value) {
          return APInt(64, std::abs(value) < 9e15 ? int64_t(value) : 0, true);
        };
        return arith::applyCmpPredicate(compare.getPredicate(), number(a),
                                        number(b));
      },
      wanted);
}

std::optional<Clauses> ConditionMatcher::matchSelect(const Scalar &condition,
                                                     bool wanted) {
  std::optional<bool> yes = getBool(operand(condition, 1)),
                      no = getBool(operand(condition, 2));
  if (yes && no)
    return *yes == *no ? known(*yes == wanted)
                       : clausesOf(condition, 0, *yes == wanted);
  // select(c, x, false) is and(c, x), and so on.
  if (no)
    return *no != wanted ? conjoin(tracer, clausesOf(condition, 0, true),
                                   clausesOf(condition, 1, wanted))
                         : disjoin(tracer, clausesOf(condition, 0, false),
                                   clausesOf(condition, 1, wanted));
  if (yes)
    return *yes != wanted ? conjoin(tracer, clausesOf(condition, 0, false),
                                    clausesOf(condition, 2, wanted))
                          : disjoin(tracer, clausesOf(condition, 0, true),
                                    clausesOf(condition, 2, wanted));
  if (auto holds = decide(tracer, operand(condition, 0)))
    return clausesOf(condition, *holds ? 1 : 2, wanted);
  return std::nullopt;
}

std::optional<Clauses> ConditionMatcher::match(const Scalar &condition,
                                               bool wanted) {
  if (std::optional<bool> constant = getBool(condition))
    return known(*constant == wanted);
  Operation *def = condition.getDefiningOp();
  if (!def || condition.isElement())
    return std::nullopt;
  if (isa<arith::TruncIOp>(def)) {
    Scalar widened = operand(condition, 0);
    if (widened.getOp<arith::ExtUIOp>() || widened.getOp<arith::ExtSIOp>())
      return clausesOf(widened, 0, wanted);
    return std::nullopt;
  }
  if (isa<arith::AndIOp, arith::OrIOp>(def)) {
    Clauses a = clausesOf(condition, 0, wanted),
            b = clausesOf(condition, 1, wanted);
    return isa<arith::AndIOp>(def) == wanted
               ? std::optional(conjoin(tracer, std::move(a), b))
               : disjoin(tracer, a, b);
  }
  if (isa<arith::XOrIOp>(def)) {
    for (unsigned i = 0; i < 2; ++i)
      if (auto holds = decide(tracer, operand(condition, i)))
        return clausesOf(condition, 1 - i, wanted != *holds);
    return std::nullopt;
  }
  if (isa<arith::SelectOp>(def))
    return matchSelect(condition, wanted);
  return matchCompare(condition, wanted);
}

Clauses flash::raise::getClauses(Tracer &tracer, Scalar condition,
                                 bool wanted) {
  condition = tracer.trace(condition);
  std::vector<const void *> key{condition.value.getAsOpaquePointer(),
                                wanted ? &tracer : nullptr};
  for (AffineExpr index : condition.at)
    key.push_back(index.getAsOpaquePointer());
  auto place = tracer.conditions.find(key);
  if (place != tracer.conditions.end())
    return place->second;
  std::optional<Clauses> clauses =
      ConditionMatcher(tracer).match(condition, wanted);
  if (!clauses) {
    clauses = Clauses{Clause{Literal{std::nullopt, condition, wanted}}};
    if (auto sums = tabulate(tracer, condition, [&](double value) {
          return (value != 0) == wanted;
        })) {
      clauses = always();
      for (const LinearSum &sum : *sums)
        clauses->push_back(Clause{Literal{sum}});
      if (sums->size() == 1 && sums->front().isConstant())
        clauses = never();
    }
  }
  return tracer.conditions[key] = *clauses;
}

std::optional<bool> flash::raise::decide(Tracer &tracer,
                                         const Scalar &condition) {
  Clauses clauses = getClauses(tracer, condition, true);
  if (isAlways(clauses))
    return true;
  if (isNever(clauses))
    return false;
  // A disjunction may be known where its conjunction is not.
  Clauses opposite = getClauses(tracer, condition, false);
  if (isAlways(opposite))
    return false;
  if (isNever(opposite))
    return true;
  return std::nullopt;
}
