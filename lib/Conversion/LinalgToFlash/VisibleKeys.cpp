//===- VisibleKeys.cpp - Masks as inequalities of positions -----*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Proves what a mask says: comparisons of loop indices, with constants added,
// through the ways in which frontends write booleans, become sums of dimensions
// that are at least 0:
//
//   cmpi sge, %q, %k          -> q - k >= 0
//   cmpf oeq, select(cmpi sle (%k - %q), 0), 1.0, 0.0), 0.0, hidden  -> the
//   same
//
//===----------------------------------------------------------------------===//

#include "Matchers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace flash::raise;

namespace {
class ConditionMatcher {
public:
  ConditionMatcher(Tracer &tracer, SmallVector<LinearSum> &atLeastZero)
      : tracer(tracer), atLeastZero(atLeastZero) {}

  /// Adds what holds where the condition is `wanted`; fails where that is not
  /// a conjunction of inequalities.
  bool require(Scalar condition, bool wanted);

private:
  std::optional<bool> getBool(const Scalar &condition);
  /// The condition, if `compare` is that of select(condition, a, b), where a
  /// and b are constants, with a constant; else nothing.
  bool requireSelected(const Scalar &compare, bool wanted, bool &handled);
  bool requireCompare(const Scalar &compare, arith::CmpIPredicate predicate,
                      bool wanted);
  bool requireAtLeastZero(AffineExpr expr);
  std::optional<AffineExpr> getIndex(Scalar scalar) {
    return matchIndex(tracer, scalar);
  }

  Tracer &tracer;
  SmallVector<LinearSum> &atLeastZero;
};
} // namespace

/// start + step * i, if the constant is that along its only long dimension.
static std::optional<AffineExpr> getProgression(const Scalar &scalar) {
  DenseIntElementsAttr elements;
  if (!matchPattern(scalar.value, m_Constant(&elements)))
    return std::nullopt;
  std::optional<AffineExpr> index;
  for (auto [expr, size] :
       llvm::zip(scalar.at, elements.getType().getShape())) {
    if (size != 1 && index)
      return std::nullopt;
    if (size != 1)
      index = expr;
  }
  auto values = llvm::map_to_vector(elements.getValues<APInt>(),
                                    [](APInt v) { return v.getSExtValue(); });
  if (!index || values.size() < 2)
    return std::nullopt;
  int64_t step = values[1] - values[0];
  for (auto [i, value] : llvm::enumerate(values))
    if (value != values[0] + int64_t(i) * step)
      return std::nullopt;
  return *index * step + values[0];
}

std::optional<AffineExpr> flash::raise::matchIndex(Tracer &tracer,
                                                   Scalar scalar) {
  auto getIndex = [&](Scalar inner) { return matchIndex(tracer, inner); };
  scalar = tracer.trace(scalar);
  MLIRContext *context = tracer.getDomain().getContext();
  // Positions are far from the ends of 32-bit integers, not of smaller ones.
  auto integer = dyn_cast<IntegerType>(scalar.getElementType());
  if (integer && integer.getWidth() < 32)
    return std::nullopt;
  APInt number;
  if (matchPattern(scalar.value, m_ConstantInt(&number)) &&
      number.getSignificantBits() <= 64)
    return getAffineConstantExpr(number.getSExtValue(), context);
  if (scalar.isElement() && isa<IntegerType>(scalar.getElementType()))
    return getProgression(scalar);
  Operation *def = scalar.getDefiningOp();
  if (!def || scalar.isElement())
    return std::nullopt;
  if (auto index = dyn_cast<linalg::IndexOp>(def))
    return scalar.at[index.getDim()];
  if (isa<arith::IndexCastOp, arith::IndexCastUIOp, arith::ExtSIOp,
          arith::TruncIOp, arith::SIToFPOp, arith::FPToSIOp>(def))
    return getIndex(tracer.operand(scalar, 0));
  if (!isa<arith::AddIOp, arith::SubIOp, arith::MulIOp>(def))
    return std::nullopt;
  auto lhs = getIndex(tracer.operand(scalar, 0)),
       rhs = getIndex(tracer.operand(scalar, 1));
  if (!lhs || !rhs)
    return std::nullopt;
  if (isa<arith::AddIOp>(def))
    return *lhs + *rhs;
  if (isa<arith::SubIOp>(def))
    return *lhs - *rhs;
  if (!lhs->isSymbolicOrConstant() && !rhs->isSymbolicOrConstant())
    return std::nullopt;
  return *lhs * *rhs;
}

bool ConditionMatcher::requireAtLeastZero(AffineExpr expr) {
  std::optional<LinearSum> sum = LinearSum::get(expr);
  if (!sum)
    return false;
  std::optional<int64_t> lowest = tracer.getDomain().lowerBound(*sum);
  if (!lowest || *lowest < 0)
    atLeastZero.push_back(*sum);
  return true;
}

bool ConditionMatcher::requireCompare(const Scalar &compare,
                                      arith::CmpIPredicate predicate,
                                      bool wanted) {
  auto lhs = getIndex(tracer.operand(compare, 0)),
       rhs = getIndex(tracer.operand(compare, 1));
  if (!lhs || !rhs)
    return false;
  if (!wanted)
    predicate = arith::invertPredicate(predicate);
  AffineExpr difference = *lhs - *rhs;
  switch (predicate) {
  case arith::CmpIPredicate::sge:
    return requireAtLeastZero(difference);
  case arith::CmpIPredicate::sgt:
    return requireAtLeastZero(difference - 1);
  case arith::CmpIPredicate::sle:
    return requireAtLeastZero(-difference);
  case arith::CmpIPredicate::slt:
    return requireAtLeastZero(-difference - 1);
  case arith::CmpIPredicate::eq:
    return requireAtLeastZero(difference) && requireAtLeastZero(-difference);
  default:
    return false;
  }
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

bool ConditionMatcher::requireSelected(const Scalar &compare, bool wanted,
                                       bool &handled) {
  handled = false;
  auto floats = compare.getOp<arith::CmpFOp>();
  Scalar selected = tracer.traceCasts(tracer.operand(compare, 0));
  auto with = tracer.getNumber(tracer.operand(compare, 1));
  if (!floats || !with || !selected.getOp<arith::SelectOp>())
    return false;
  auto holds = [&](unsigned operand) -> std::optional<bool> {
    auto number = tracer.getNumber(tracer.operand(selected, operand));
    if (!number)
      return std::nullopt;
    return arith::applyCmpPredicate(floats.getPredicate(), APFloat(*number),
                                    APFloat(*with));
  };
  std::optional<bool> yes = holds(1), no = holds(2);
  if (!yes || !no)
    return false;
  handled = true;
  if (*yes == *no)
    return *yes == wanted;
  return require(tracer.operand(selected, 0), *yes == wanted);
}

bool ConditionMatcher::require(Scalar condition, bool wanted) {
  condition = tracer.trace(condition);
  if (std::optional<bool> constant = getBool(condition))
    return *constant == wanted;
  Operation *def = condition.getDefiningOp();
  if (!def || condition.isElement())
    return false;
  auto operand = [&](unsigned index) {
    return tracer.operand(condition, index);
  };
  if (isa<arith::TruncIOp>(def)) {
    Scalar widened = operand(0);
    return widened.getOp<arith::ExtUIOp>() &&
           require(tracer.operand(widened, 0), wanted);
  }
  if (isa<arith::AndIOp, arith::OrIOp>(def)) {
    // One constant decides, or leaves the other.
    bool isAnd = isa<arith::AndIOp>(def);
    for (unsigned i = 0; i < 2; ++i)
      if (std::optional<bool> constant = getBool(operand(i)))
        return *constant == isAnd ? require(operand(1 - i), wanted)
                                  : *constant == wanted;
    return isAnd == wanted && require(operand(0), wanted) &&
           require(operand(1), wanted);
  }
  if (isa<arith::XOrIOp>(def)) {
    for (unsigned i = 0; i < 2; ++i)
      if (std::optional<bool> constant = getBool(operand(i)))
        return require(operand(1 - i), wanted != *constant);
    return false;
  }
  if (isa<arith::SelectOp>(def)) {
    std::optional<bool> yes = getBool(operand(1)), no = getBool(operand(2));
    if (yes && no)
      return *yes == *no ? *yes == wanted : require(operand(0), *yes == wanted);
    // select(c, x, false) is and(c, x).
    if (no && *no != wanted)
      return require(operand(0), true) && require(operand(1), wanted);
    if (yes && *yes != wanted)
      return require(operand(0), false) && require(operand(2), wanted);
    return false;
  }
  if (auto compare = dyn_cast<arith::CmpIOp>(def)) {
    bool equal = compare.getPredicate() == arith::CmpIPredicate::eq;
    std::optional<bool> constant = getBool(operand(1));
    if (constant &&
        (equal || compare.getPredicate() == arith::CmpIPredicate::ne)) {
      // (x == false), (x != 0): x is a boolean, perhaps widened.
      Scalar tested = operand(0);
      if (tested.getOp<arith::ExtUIOp>())
        tested = tracer.operand(tested, 0);
      if (tested.getElementType().isInteger(1))
        return require(tested, (equal == *constant) == wanted);
    }
    return requireCompare(condition, compare.getPredicate(), wanted);
  }
  bool handled;
  return requireSelected(condition, wanted, handled) && handled;
}

std::optional<SmallVector<LinearSum>>
flash::raise::matchVisibleKeys(Tracer &tracer, const Mask &mask) {
  SmallVector<LinearSum> atLeastZero;
  if (!ConditionMatcher(tracer, atLeastZero)
           .require(mask.condition, !mask.hidden))
    return std::nullopt;
  return atLeastZero;
}
