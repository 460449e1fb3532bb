//===- KnownDivisor.cpp - What divides an index ---------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   scf.for %i = 0 to %n step 64 { addi %i, (muli %j, 32) }   ->  32
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/IR/KnownDivisor.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/TypeSwitch.h"
#include <numeric>

using namespace mlir;
using namespace flash;

/// Of an expression in values with known divisors.
static int64_t getDivisor(AffineExpr expr, ArrayRef<int64_t> dims,
                          ArrayRef<int64_t> symbols) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return std::abs(constant.getValue());
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return dims[dim.getPosition()];
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return symbols[symbol.getPosition()];
  auto binary = cast<AffineBinaryOpExpr>(expr);
  int64_t lhs = getDivisor(binary.getLHS(), dims, symbols),
          rhs = getDivisor(binary.getRHS(), dims, symbols);
  switch (expr.getKind()) {
  case AffineExprKind::Add:
  case AffineExprKind::Mod:
    return std::gcd(lhs, rhs);
  case AffineExprKind::Mul:
    return lhs * rhs;
  default:
    return 1;
  }
}

/// Of all results of a map at once.
template <typename OpT> static int64_t getDivisorOfMap(OpT op) {
  SmallVector<int64_t> operands = llvm::map_to_vector(
      op.getMapOperands(), [](Value value) { return getKnownDivisor(value); });
  AffineMap map = op.getAffineMap();
  ArrayRef<int64_t> all(operands);
  int64_t divisor = 0;
  for (AffineExpr expr : map.getResults())
    divisor =
        std::gcd(divisor, getDivisor(expr, all.take_front(map.getNumDims()),
                                     all.drop_front(map.getNumDims())));
  return divisor;
}

int64_t flash::getKnownDivisor(Value value) {
  if (std::optional<int64_t> number =
          getConstantIntValue(getAsOpFoldResult(value)))
    return std::abs(*number);
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
    if (!loop || argument != loop.getInductionVar())
      return 1;
    return std::gcd(getKnownDivisor(loop.getLowerBound()),
                    getKnownDivisor(loop.getStep()));
  }
  auto common = [](Value a, Value b) {
    return std::gcd(getKnownDivisor(a), getKnownDivisor(b));
  };
  return llvm::TypeSwitch<Operation *, int64_t>(value.getDefiningOp())
      .Case<arith::AddIOp, arith::SubIOp, arith::MinSIOp, arith::MaxSIOp,
            arith::MinUIOp, arith::MaxUIOp, arith::RemSIOp, arith::RemUIOp>(
          [&](auto op) { return common(op.getLhs(), op.getRhs()); })
      .Case([&](arith::SelectOp op) {
        return common(op.getTrueValue(), op.getFalseValue());
      })
      .Case([&](arith::MulIOp op) {
        return getKnownDivisor(op.getLhs()) * getKnownDivisor(op.getRhs());
      })
      .Case<arith::IndexCastOp, arith::IndexCastUIOp, arith::ExtSIOp,
            arith::ExtUIOp>(
          [&](auto op) { return getKnownDivisor(op.getIn()); })
      .Case<affine::AffineApplyOp, affine::AffineMinOp, affine::AffineMaxOp>(
          [](auto op) { return getDivisorOfMap(op); })
      .Default([](Operation *) { return 1; });
}
