//===- Cases.cpp - Numbers with conditions ----------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a mask adds to the scores is one of few numbers, by conditions:
//
//   select(c, -inf, 0) * uitofp(d)     -inf where c and d hold, else 0
//
//===----------------------------------------------------------------------===//

#include "Conditions.h"
#include "Matchers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace flash::raise;

std::optional<double> flash::raise::getConstant(Tracer &tracer,
                                                const Scalar &scalar) {
  APInt number;
  if (isa<FloatType>(scalar.getElementType()))
    return tracer.getNumber(scalar);
  if (scalar.getElementType().isInteger(1) ||
      !matchPattern(scalar.value, m_ConstantInt(&number)) ||
      number.getSignificantBits() > 53)
    return std::nullopt;
  return double(number.getSExtValue());
}

static std::optional<double> combine(Operation *op, double a, double b) {
  if (isa<arith::AddFOp, arith::AddIOp>(op))
    return a + b;
  if (isa<arith::SubFOp, arith::SubIOp>(op))
    return a - b;
  if (isa<arith::MulFOp, arith::MulIOp>(op))
    return a * b;
  if (isa<arith::DivFOp>(op))
    return a / b;
  if (isa<arith::MaximumFOp, arith::MaxNumFOp, arith::MaxSIOp>(op))
    return std::max(a, b);
  if (isa<arith::MinimumFOp, arith::MinNumFOp, arith::MinSIOp>(op))
    return std::min(a, b);
  return std::nullopt;
}

/// Adds a condition to a case; fails where the case cannot be.
static bool restrict(Tracer &tracer, Case &one, const Scalar &condition,
                     bool wanted) {
  for (const auto &[other, value] : one.when)
    if (tracer.same(other, condition))
      return value == wanted;
  one.when.push_back({condition, wanted});
  return true;
}

std::optional<SmallVector<Case>> flash::raise::getCases(Tracer &tracer,
                                                        Scalar scalar) {
  using List = SmallVector<Case>;
  constexpr size_t kMost = 8;
  scalar = tracer.traceCasts(scalar);
  if (auto number = getConstant(tracer, scalar))
    return List{{*number}};
  Operation *def = scalar.getDefiningOp();
  if (!def || scalar.isElement())
    return std::nullopt;
  List cases;
  // Cases in which a condition holds, and those in which it does not.
  auto branch = [&](const Scalar &condition, const List &yes, const List &no) {
    std::optional<bool> holds = decide(tracer, condition);
    for (auto [list, wanted] : {std::pair(&yes, true), {&no, false}}) {
      if (holds == !wanted)
        continue;
      for (Case one : *list)
        if (holds || restrict(tracer, one, condition, wanted))
          cases.push_back(one);
    }
  };
  if (isa<arith::SelectOp>(def)) {
    auto yes = getCases(tracer, tracer.operand(scalar, 1)),
         no = getCases(tracer, tracer.operand(scalar, 2));
    if (!yes || !no)
      return std::nullopt;
    branch(tracer.operand(scalar, 0), *yes, *no);
  } else if (isa<arith::UIToFPOp, arith::SIToFPOp, arith::ExtUIOp,
                 arith::ExtSIOp, arith::TruncIOp>(def) &&
             !scalar.getElementType().isInteger(1)) {
    Scalar in = tracer.operand(scalar, 0);
    if (!in.getElementType().isInteger(1))
      return getCases(tracer, in);
    double one = isa<arith::SIToFPOp, arith::ExtSIOp>(def) ? -1 : 1;
    branch(in, {{one}}, {{0}});
  } else if (isa<arith::NegFOp>(def)) {
    auto in = getCases(tracer, tracer.operand(scalar, 0));
    if (!in)
      return std::nullopt;
    for (Case &one : *in)
      one.value = -one.value;
    return in;
  } else if (def->getNumOperands() == 2 && combine(def, 1, 1)) {
    auto lhs = getCases(tracer, tracer.operand(scalar, 0));
    auto rhs = lhs ? getCases(tracer, tracer.operand(scalar, 1)) : std::nullopt;
    if (!rhs)
      return std::nullopt;
    for (const Case &a : *lhs)
      for (const Case &b : *rhs) {
        Case both{*combine(def, a.value, b.value), a.when};
        if (llvm::all_of(b.when, [&](const auto &when) {
              return restrict(tracer, both, when.first, when.second);
            }))
          cases.push_back(both);
      }
  } else {
    return std::nullopt;
  }
  if (cases.empty() || cases.size() > kMost)
    return std::nullopt;
  return cases;
}

std::optional<Clauses>
flash::raise::getOtherCases(Tracer &tracer, ArrayRef<Case> cases,
                            llvm::function_ref<bool(double)> isOne) {
  Clauses clauses;
  for (const Case &one : cases) {
    if (!isOne(one.value))
      continue;
    std::optional<Clauses> another = Clauses{Clause()};
    for (const auto &[condition, value] : one.when) {
      another =
          disjoin(tracer, *another, getClauses(tracer, condition, !value));
      if (!another)
        return std::nullopt;
    }
    clauses = conjoin(tracer, clauses, *another);
  }
  return clauses;
}
