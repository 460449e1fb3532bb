//===- Contract.cpp - Products and sums in one instruction ------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   addf (mulf %a, %b), %c      ->  fma %a, %b, %c
//   mulf (mulf %a, 2.0), 3.0    ->  mulf %a, 6.0
//   mulf (fma %a, -2.0, 1.0), c ->  fma %a, -2c, c
//   mulf %s, (addf %d, 24.0)    ->  fma %s, 24.0, (mulf %s, %d)
//   fma (fma %x, 0.1, (fma %s, 24.0, %r)), c, %m
//                               ->  fma %x, 0.1c, (fma %s, 24.0c,
//                                                  (fma %r, c, %m))
//
// The scale, the score functions and the exponent of a softmax meet only here,
// where an element's bodies stand one after the other. Rounding once in the
// place of twice. What elements of a row share, as a distance %d to the row's
// first element and the reference %m, moves together, where it is computed once
// for all: of ALiBi, one fma an element is left.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace flash::tile;

static std::optional<double> getNumber(Value value) {
  FloatAttr number;
  if (matchPattern(value, m_Constant(&number)))
    return number.getValueAsDouble();
  return std::nullopt;
}

/// A product with a number, as (factor, number).
static std::pair<Value, std::optional<double>> getScaled(arith::MulFOp op) {
  if (auto number = getNumber(op.getRhs()))
    return {op.getLhs(), number};
  return {op.getRhs(), getNumber(op.getLhs())};
}

static Value constant(OpBuilder &b, Location loc, double value) {
  return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(float(value)));
}

/// `a * b` where the op is a product that nobody else uses.
static arith::MulFOp getProduct(Value value) {
  auto product = value.getDefiningOp<arith::MulFOp>();
  return product && product->hasOneUse() ? product : arith::MulFOp();
}

static Value negate(OpBuilder &b, Location loc, Value value) {
  if (auto number = getNumber(value))
    return constant(b, loc, -*number);
  if (auto fma = value.getDefiningOp<math::FmaOp>(); fma && fma->hasOneUse())
    if (auto by = getNumber(fma.getB()))
      return math::FmaOp::create(b, loc, fma.getA(), constant(b, loc, -*by),
                                 negate(b, loc, fma.getC()));
  return arith::NegFOp::create(b, loc, value);
}

static Value contractScaled(OpBuilder &b, arith::MulFOp op) {
  auto [value, number] = getScaled(op);
  Operation *inner = value.getDefiningOp();
  if (!number || !inner || !inner->hasOneUse())
    return Value();
  Location loc = op.getLoc();
  if (auto product = dyn_cast<arith::MulFOp>(inner))
    if (auto [factor, other] = getScaled(product); other)
      return arith::MulFOp::create(b, loc, factor,
                                   constant(b, loc, *number * *other));
  if (auto fma = dyn_cast<math::FmaOp>(inner)) {
    auto by = getNumber(fma.getB()), plus = getNumber(fma.getC());
    if (by && plus)
      return math::FmaOp::create(b, loc, fma.getA(),
                                 constant(b, loc, *by * *number),
                                 constant(b, loc, *plus * *number));
  }
  return Value();
}

/// A factor times a distance that differs from the row's by a number. Only of
/// distances: they are exact, and the number is less than the tile is wide, so
/// that hardly anything cancels.
static Value contractDistance(OpBuilder &b, arith::MulFOp op) {
  for (auto [factor, value] : {std::pair(op.getLhs(), op.getRhs()),
                               std::pair(op.getRhs(), op.getLhs())}) {
    auto distance = value.getDefiningOp<arith::AddFOp>();
    if (!distance || !distance->hasOneUse() ||
        !distance.getLhs().getDefiningOp<arith::SIToFPOp>() ||
        !getNumber(distance.getRhs()))
      continue;
    Location loc = op.getLoc();
    return math::FmaOp::create(
        b, loc, factor, distance.getRhs(),
        arith::MulFOp::create(b, loc, factor, distance.getLhs()));
  }
  return Value();
}

/// An exponent: of a score that a number multiplies, or that has a part which
/// its row shares.
static Value contractExponent(OpBuilder &b, math::FmaOp op) {
  auto c = getNumber(op.getB());
  Operation *score = op.getA().getDefiningOp();
  if (!c || !score || !score->hasOneUse())
    return Value();
  Location loc = op.getLoc();
  if (auto product = dyn_cast<arith::MulFOp>(score))
    if (auto [factor, number] = getScaled(product); number)
      return math::FmaOp::create(b, loc, factor, constant(b, loc, *number * *c),
                                 op.getC());
  auto sum = dyn_cast<math::FmaOp>(score);
  auto by = sum ? getNumber(sum.getB()) : std::nullopt;
  if (!by)
    return Value();
  Value rest;
  if (getNumber(sum.getC())) {
    rest = math::FmaOp::create(b, loc, sum.getC(), op.getB(), op.getC());
  } else if (auto part = sum.getC().getDefiningOp<math::FmaOp>();
             part && part->hasOneUse()) {
    if (auto number = getNumber(part.getB()))
      rest = math::FmaOp::create(
          b, loc, part.getA(), constant(b, loc, *number * *c),
          math::FmaOp::create(b, loc, part.getC(), op.getB(), op.getC()));
  }
  if (!rest)
    return Value();
  return math::FmaOp::create(b, loc, sum.getA(), constant(b, loc, *by * *c),
                             rest);
}

static Value contractSum(OpBuilder &b, Operation *op) {
  Location loc = op->getLoc();
  Value lhs = op->getOperand(0), rhs = op->getOperand(1);
  bool isDifference = isa<arith::SubFOp>(op);
  if (auto product = getProduct(rhs)) {
    Value a = product.getLhs(), factor = product.getRhs();
    if (isDifference) {
      // A number or what is alike for many elements costs least to negate.
      if (getNumber(a))
        std::swap(a, factor);
      factor = negate(b, loc, factor);
    }
    return math::FmaOp::create(b, loc, a, factor, lhs);
  }
  if (auto product = getProduct(lhs))
    return math::FmaOp::create(b, loc, product.getLhs(), product.getRhs(),
                               isDifference ? negate(b, loc, rhs) : rhs);
  return Value();
}

void flash::tile::contractProducts(gpu::GPUFuncOp function) {
  // Uses stand after definitions, so that chains contract from their begin.
  function.walk([&](Operation *op) {
    if (op->getNumResults() != 1 || !op->getResult(0).getType().isF32())
      return;
    OpBuilder builder(op);
    Value value =
        TypeSwitch<Operation *, Value>(op)
            .Case([&](arith::MulFOp product) {
              Value value = contractScaled(builder, product);
              return value ? value : contractDistance(builder, product);
            })
            .Case<arith::AddFOp, arith::SubFOp>(
                [&](Operation *sum) { return contractSum(builder, sum); })
            .Case(
                [&](math::FmaOp fma) { return contractExponent(builder, fma); })
            .Default([](Operation *) { return Value(); });
    if (!value)
      return;
    llvm::SmallSetVector<Operation *, 4> definitions;
    for (Value operand : op->getOperands())
      if (Operation *definition = operand.getDefiningOp())
        definitions.insert(definition);
    op->getResult(0).replaceAllUsesWith(value);
    op->erase();
    for (Operation *definition : definitions)
      if (isOpTriviallyDead(definition))
        definition->erase();
  });
}
