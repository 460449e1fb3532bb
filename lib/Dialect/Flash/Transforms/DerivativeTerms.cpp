//===- DerivativeTerms.cpp - Products and sums of derivatives -------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The algebra of DerivativeTerms.h. What it leaves out is what canonicalisation
// may not: x * 0 is 0 here, because that 0 is the derivative of a constant and
// not a float that was computed.
//
//===----------------------------------------------------------------------===//

#include "DerivativeTerms.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

#include <cmath>

using namespace mlir;
using namespace flash;

Value TermBuilder::constant(double value) {
  return op<arith::ConstantOp>(b.getFloatAttr(type, value));
}

Value TermBuilder::integer(Type type, int64_t value) {
  return op<arith::ConstantOp>(cast<TypedAttr>(b.getIntegerAttr(type, value)));
}

Term TermBuilder::of(Value value) {
  APFloat known(0.0);
  if (!matchPattern(value, m_ConstantFloat(&known)) || !known.isFinite())
    return {1, value, {}};
  bool loses;
  known.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &loses);
  return number(known.convertToDouble());
}

/// A product of factors, which is 1 if it is so but for the roundings of the
/// two: 1 / 30 and 30 are what softcap multiplies by.
static double multiplyFactors(double x, double y, Type type) {
  double product = x * y;
  unsigned digits =
      APFloat::semanticsPrecision(cast<FloatType>(type).getFloatSemantics());
  double unit = std::copysign(1.0, product);
  return std::fabs(product - unit) <= std::ldexp(1.0, 1 - int(digits))
             ? unit
             : product;
}

Value TermBuilder::scale(Value value, double factor) {
  if (factor == 1)
    return value;
  if (factor == -1)
    return op<arith::NegFOp>(value);
  return op<arith::MulFOp>(value, constant(factor));
}

Value TermBuilder::build(Term x) {
  Value top =
      x.value && !x.isZero() ? scale(x.value, x.factor) : constant(x.factor);
  return x.divisor && !x.isZero() ? op<arith::DivFOp>(top, x.divisor) : top;
}

Term TermBuilder::multiply(Term x, Term y) {
  if (x.isZero() || y.isZero())
    return {};
  // Two divisors are not multiplied: the product could overflow.
  if (x.divisor && y.divisor)
    x = {x.factor, buildValue(x), {}};
  Term product{multiplyFactors(x.factor, y.factor, type),
               x.value ? x.value : y.value, x.divisor ? x.divisor : y.divisor};
  if (x.value && y.value)
    product.value = op<arith::MulFOp>(x.value, y.value);
  return product;
}

Term TermBuilder::divide(Term x, Value divisor) {
  Term below = of(divisor);
  if (below.isNumber() && !below.isZero())
    return multiply(x, number(1 / below.factor));
  return multiply(x, {1, {}, divisor});
}

Term TermBuilder::add(Term x, Term y) {
  if (x.isZero() || y.isZero())
    return x.isZero() ? y : x;
  if (x.value == y.value && x.divisor == y.divisor) {
    double sum = x.factor + y.factor;
    return sum == 0 ? Term() : Term{sum, x.value, x.divisor};
  }
  if (x.factor == y.factor && x.factor != 1) {
    Value first = buildValue(x), second = buildValue(y);
    return {x.factor, op<arith::AddFOp>(first, second), {}};
  }
  if (x.factor < 0 && y.factor > 0)
    std::swap(x, y);
  bool less = y.factor < 0;
  Value first = build(x), second = build(less ? negate(y) : y);
  return {1,
          less ? op<arith::SubFOp>(first, second)
               : op<arith::AddFOp>(first, second),
          {}};
}

Term TermBuilder::select(Value condition, Term x, Term y) {
  if (x.factor == y.factor && x.value == y.value && x.divisor == y.divisor)
    return x;
  // A factor of both, or of the one that is not 0, is left to what follows.
  double factor = y.isZero() || x.factor == y.factor ? x.factor
                  : x.isZero()                       ? y.factor
                                                     : 1;
  auto side = [&](Term term) {
    term.factor = term.isZero() || factor == 1 ? term.factor : 1;
    return build(term);
  };
  Value first = side(x), second = side(y);
  return {factor, op<arith::SelectOp>(condition, first, second), {}};
}

Term TermBuilder::convert(Term x, Type from) {
  if (x.isNumber() || from == type)
    return x;
  Value value = TermBuilder(b, loc, from).buildValue(x);
  bool narrows = from.getIntOrFloatBitWidth() > type.getIntOrFloatBitWidth();
  return {x.factor,
          narrows ? op<arith::TruncFOp>(type, value)
                  : op<arith::ExtFOp>(type, value),
          {}};
}

bool flash::isBounded(Value value) {
  SmallVector<Value> open{value};
  llvm::DenseSet<Value> seen;
  while (!open.empty()) {
    Value next = open.pop_back_val();
    Operation *op = next.getDefiningOp();
    if (!op || !isa<FloatType>(next.getType()) || !seen.insert(next).second)
      continue;
    APFloat known(0.0);
    if (matchPattern(next, m_ConstantFloat(&known)) && !known.isFinite())
      return false;
    // No quotient, root, logarithm or power.
    if (!isa<arith::ConstantOp, arith::AddFOp, arith::SubFOp, arith::MulFOp,
             arith::NegFOp, arith::SelectOp, arith::MaximumFOp,
             arith::MinimumFOp, arith::MaxNumFOp, arith::MinNumFOp,
             arith::ExtFOp, arith::TruncFOp, arith::SIToFPOp, arith::UIToFPOp,
             math::AbsFOp, math::CopySignOp, math::ClampFOp, math::FmaOp,
             math::TanhOp, math::SinOp, math::CosOp, math::SincosOp,
             math::AtanOp, math::ErfOp, math::ErfcOp, math::FloorOp,
             math::CeilOp, math::TruncOp, math::RoundOp, math::RoundEvenOp,
             tensor::ExtractOp>(op))
      return false;
    llvm::append_range(open, op->getOperands());
  }
  return true;
}

Term TermBuilder::apply(const Partial &partial, Term x) {
  Term result = multiply(partial.term, x);
  if (result.isZero())
    return {};
  if (partial.half)
    result = multiply(result, select(partial.half, number(0.5), number(1)));
  return partial.only ? select(partial.only, result, {}) : result;
}
