//===- Arithmetic.cpp - Sizes and checks of a launch plan -----------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Index arithmetic of the host function becomes expressions, its assertions the
// plan's checks:
//
//   %n = arith.ceildivsi %sq, %c128          ->  ceildiv(dim(0, 2), 128)
//   %e = arith.cmpi eq, %a, %b ; cf.assert %e, "..."
//   ->  check dim(0, 0) == dim(1, 0): "..."
//
//===----------------------------------------------------------------------===//

#include "ProgramBuilder.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace flash;
using rt::Expr;

FailureOr<Expr> ProgramBuilder::affine(Location loc, AffineExpr expr,
                                       ValueRange operands, unsigned numDims) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return Expr(constant.getValue());
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return index(operands[dim.getPosition()]);
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return index(operands[numDims + symbol.getPosition()]);
  auto binary = cast<AffineBinaryOpExpr>(expr);
  FailureOr<Expr> lhs = affine(loc, binary.getLHS(), operands, numDims);
  FailureOr<Expr> rhs = affine(loc, binary.getRHS(), operands, numDims);
  if (failed(lhs) || failed(rhs))
    return failure();
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return *lhs + *rhs;
  case AffineExprKind::Mul:
    return *lhs * *rhs;
  case AffineExprKind::FloorDiv:
    return Expr::floorDiv(*lhs, *rhs);
  case AffineExprKind::CeilDiv:
    return Expr::ceilDiv(*lhs, *rhs);
  case AffineExprKind::Mod:
    return Expr::mod(*lhs, *rhs);
  default:
    return emitError(loc) << "a launch plan has no such affine expression";
  }
}

static bool isEquality(arith::CmpIPredicate predicate) {
  return predicate == arith::CmpIPredicate::eq ||
         predicate == arith::CmpIPredicate::ne;
}

LogicalResult ProgramBuilder::convertArithmetic(Operation *op) {
  auto set = [&](const Expr &value) {
    indices[op->getResult(0)] = value;
    return success();
  };
  // Sizes are not negative, hence signed and unsigned forms agree.
  if (op->getNumOperands() == 2 && op->getNumResults() == 1 &&
      op->getResult(0).getType().isIndex() &&
      isa<arith::ArithDialect>(op->getDialect())) {
    Expr a = index(op->getOperand(0)), b = index(op->getOperand(1));
    std::optional<Expr> value =
        llvm::TypeSwitch<Operation *, std::optional<Expr>>(op)
            .Case([&](arith::AddIOp) { return a + b; })
            .Case([&](arith::SubIOp) { return a - b; })
            .Case([&](arith::MulIOp) { return a * b; })
            .Case<arith::DivUIOp, arith::DivSIOp, arith::FloorDivSIOp>(
                [&](auto) { return Expr::floorDiv(a, b); })
            .Case<arith::CeilDivSIOp, arith::CeilDivUIOp>(
                [&](auto) { return Expr::ceilDiv(a, b); })
            .Case<arith::RemUIOp, arith::RemSIOp>(
                [&](auto) { return Expr::mod(a, b); })
            .Case<arith::MinSIOp, arith::MinUIOp>(
                [&](auto) { return Expr::min(a, b); })
            .Case<arith::MaxSIOp, arith::MaxUIOp>(
                [&](auto) { return Expr::max(a, b); })
            .Default([](Operation *) { return std::nullopt; });
    if (value)
      return set(*value);
  }
  auto evaluate = [&](AffineMap map, auto combine) -> LogicalResult {
    std::optional<Expr> result;
    for (AffineExpr expr : map.getResults()) {
      FailureOr<Expr> value =
          affine(op->getLoc(), expr, op->getOperands(), map.getNumDims());
      if (failed(value))
        return failure();
      result = result ? combine(*result, *value) : *value;
    }
    return set(*result);
  };
  if (auto apply = dyn_cast<affine::AffineApplyOp>(op))
    return evaluate(apply.getAffineMap(), [](Expr a, Expr) { return a; });
  if (auto min = dyn_cast<affine::AffineMinOp>(op))
    return evaluate(min.getAffineMap(),
                    [](Expr a, Expr b) { return Expr::min(a, b); });
  if (auto max = dyn_cast<affine::AffineMaxOp>(op))
    return evaluate(max.getAffineMap(),
                    [](Expr a, Expr b) { return Expr::max(a, b); });
  // A choice by equality: where a size is 1, as of a bias for all heads.
  if (auto select = dyn_cast<arith::SelectOp>(op))
    if (auto compare = select.getCondition().getDefiningOp<arith::CmpIOp>();
        compare && select.getType().isIndex() &&
        compare.getLhs().getType().isIndex() &&
        isEquality(compare.getPredicate())) {
      Expr a = index(compare.getLhs()), b = index(compare.getRhs());
      Expr differ = Expr::min(Expr(1), Expr::max(a - b, b - a));
      Expr equal = index(select.getTrueValue()),
           other = index(select.getFalseValue());
      if (compare.getPredicate() == arith::CmpIPredicate::ne)
        std::swap(equal, other);
      return set(equal + (other - equal) * differ);
    }
  // Nobody needs a value of another kind: comparisons are read by assertions.
  if (op->use_empty() || op->getResult(0).getType().isInteger(1))
    return success();
  return op->emitOpError("cannot be part of a launch plan");
}

/// `a == b or a == 1`: the first of the comparisons.
static arith::CmpIOp matchEqualOrOne(arith::OrIOp either) {
  auto equal = either.getLhs().getDefiningOp<arith::CmpIOp>(),
       isOne = either.getRhs().getDefiningOp<arith::CmpIOp>();
  for (arith::CmpIOp compare : {equal, isOne})
    if (!compare || compare.getPredicate() != arith::CmpIPredicate::eq)
      return {};
  return matchPattern(isOne.getRhs(), m_One()) &&
                 isOne.getLhs() == equal.getLhs()
             ? equal
             : arith::CmpIOp();
}

std::optional<Expr> ProgramBuilder::truth(Value condition) {
  if (matchPattern(condition, m_One()) || matchPattern(condition, m_Zero()))
    return Expr(matchPattern(condition, m_One()));
  Operation *op = condition.getDefiningOp();
  if (isa_and_nonnull<arith::AndIOp, arith::OrIOp, arith::XOrIOp>(op)) {
    std::optional<Expr> a = truth(op->getOperand(0)),
                        b = truth(op->getOperand(1));
    if (!a || !b)
      return std::nullopt;
    if (isa<arith::AndIOp>(op))
      return *a * *b;
    return isa<arith::OrIOp>(op) ? Expr::max(*a, *b)
                                 : *a + *b - *a * *b * Expr(2);
  }
  auto compare = dyn_cast_or_null<arith::CmpIOp>(op);
  if (!compare || !compare.getLhs().getType().isIndex())
    return std::nullopt;
  for (Value side : compare.getOperands())
    if (!getConstantIntValue(side) && !indices.contains(side))
      return std::nullopt;
  Expr a = index(compare.getLhs()), b = index(compare.getRhs());
  auto less = [](const Expr &x, const Expr &y) {
    return Expr::min(Expr(1), Expr::max(Expr(0), y - x));
  };
  switch (compare.getPredicate()) {
  case arith::CmpIPredicate::eq:
    return Expr(1) - Expr::min(Expr(1), Expr::max(a - b, b - a));
  case arith::CmpIPredicate::ne:
    return Expr::min(Expr(1), Expr::max(a - b, b - a));
  case arith::CmpIPredicate::slt:
  case arith::CmpIPredicate::ult:
    return less(a, b);
  case arith::CmpIPredicate::sgt:
  case arith::CmpIPredicate::ugt:
    return less(b, a);
  case arith::CmpIPredicate::sle:
  case arith::CmpIPredicate::ule:
    return Expr(1) - less(b, a);
  case arith::CmpIPredicate::sge:
  case arith::CmpIPredicate::uge:
    return Expr(1) - less(a, b);
  }
  return std::nullopt;
}

/// `assert a == b`, `assert a <= b`, `assert a mod b == 0` and
/// `assert a == b or a == 1`.
LogicalResult ProgramBuilder::convertAssert(cf::AssertOp op) {
  if (matchPattern(op.getArg(), m_One()))
    return success();
  auto compare = op.getArg().getDefiningOp<arith::CmpIOp>();
  using Relation = rt::Check::Relation;
  Relation relation = Relation::Equal;
  if (auto either = op.getArg().getDefiningOp<arith::OrIOp>()) {
    compare = matchEqualOrOne(either);
    relation = Relation::EqualOrOne;
  } else if (compare && (compare.getPredicate() == arith::CmpIPredicate::sle ||
                         compare.getPredicate() == arith::CmpIPredicate::sge)) {
    relation = Relation::LessEqual;
  } else if (compare && compare.getPredicate() != arith::CmpIPredicate::eq) {
    compare = {};
  }
  if (!compare || !compare.getLhs().getType().isIndex()) {
    std::optional<Expr> holds = truth(op.getArg());
    if (!holds)
      return op.emitOpError("must compare sizes in a launch plan");
    program.checks.push_back(
        {Relation::Equal, *holds, Expr(1), op.getMsg().str()});
    return success();
  }
  Value small = compare.getLhs(), large = compare.getRhs();
  // What a number on the left has become.
  if (compare.getPredicate() == arith::CmpIPredicate::sge)
    std::swap(small, large);
  rt::Check check{relation, index(small), index(large), op.getMsg().str()};
  if (auto rest = compare.getLhs().getDefiningOp<arith::RemUIOp>();
      rest && relation == Relation::Equal &&
      matchPattern(compare.getRhs(), m_Zero()))
    check = rt::Check{Relation::Divisible, index(rest.getLhs()),
                      index(rest.getRhs()), op.getMsg().str()};
  program.checks.push_back(std::move(check));
  return success();
}
