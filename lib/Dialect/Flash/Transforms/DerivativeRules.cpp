//===- DerivativeRules.cpp - A derivative for each op of a region ---------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One rule an op, x its operands and r its result, which is reused where it
// helps: d tanh(x) / dx = 1 - r * r. Forward and reverse mode read the same
// rules. At kinks they follow PyTorch's derivatives.yaml, as said beside each;
// what it lacks (cbrt) has the limit.
//
// Choices, casts and loops are no rules but structure: Differentiate.cpp.
//
//===----------------------------------------------------------------------===//

#include "DerivativeTerms.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace flash;

using P = arith::CmpFPredicate;

static constexpr double kLn2 = 0.69314718055994530942;
static constexpr double kLn10 = 2.30258509299404568402;
static constexpr double kTwoOverRootPi = 1.12837916709551257390;

bool flash::isLocallyConstant(Operation *op) {
  return isa<math::CeilOp, math::FloorOp, math::TruncOp, math::RoundOp,
             math::RoundEvenOp>(op);
}

LogicalResult flash::emitNoDerivative(Operation *op) {
  return op->emitError()
         << "'" << op->getName()
         << "' of a score has no derivative, which a backward needs: write the "
            "score with ops that have one (docs/Functions.md)";
}

static Partial only(Value condition) {
  return {TermBuilder::number(1), condition, {}};
}

/// x * x.
static Term square(TermBuilder &b, Value x) {
  return b.multiply(b.of(x), b.of(x));
}

/// (1 - x) * (1 + x), which near 1 has more digits than 1 - x * x.
static Value oneMinusSquare(TermBuilder &b, Value x) {
  Term less = b.subtract(b.number(1), b.of(x)),
       more = b.add(b.number(1), b.of(x));
  return b.build(b.multiply(less, more));
}

static std::optional<Partial> getUnary(TermBuilder &b, Operation *op,
                                       OpResult r) {
  if (op->getNumOperands() != 1)
    return std::nullopt;
  Value x = op->getOperand(0);
  const Term one = b.number(1);
  auto rsqrt = [&](Value of) { return b.of(b.op<math::RsqrtOp>(of)); };
  auto over = [&](double top, Value below) {
    return b.divide(b.number(top), below);
  };
  auto bell = [&](double factor) {
    Value power = b.build(b.negate(square(b, x)));
    return b.multiply(b.number(factor), b.of(b.op<math::ExpOp>(power)));
  };
  std::optional<Term> term =
      llvm::TypeSwitch<Operation *, std::optional<Term>>(op)
          .Case([&](arith::NegFOp) { return b.number(-1); })
          // Roots.
          .Case([&](math::SqrtOp) { return over(0.5, r); })
          .Case([&](math::RsqrtOp) {
            Term cube = b.multiply(square(b, r), b.of(r));
            return b.multiply(b.number(-0.5), cube);
          })
          .Case([&](math::CbrtOp) {
            return over(1.0 / 3, b.build(square(b, r)));
          })
          // Powers and logarithms.
          .Case([&](math::ExpOp) { return b.of(r); })
          .Case([&](math::Exp2Op) { return Term{kLn2, r, {}}; })
          .Case([&](math::ExpM1Op) { return b.add(b.of(r), one); })
          .Case([&](math::LogOp) { return over(1, x); })
          .Case([&](math::Log2Op) { return over(1 / kLn2, x); })
          .Case([&](math::Log10Op) { return over(1 / kLn10, x); })
          .Case([&](math::Log1pOp) {
            return over(1, b.build(b.add(b.of(x), one)));
          })
          // Circular, hyperbolic and their inverses.
          .Case([&](math::SinOp) { return b.of(b.op<math::CosOp>(x)); })
          .Case(
              [&](math::CosOp) { return b.negate(b.of(b.op<math::SinOp>(x))); })
          .Case([&](math::SincosOp both) {
            return r == both.getSin() ? b.of(both.getCos())
                                      : b.negate(b.of(both.getSin()));
          })
          .Case([&](math::TanOp) { return b.add(square(b, r), one); })
          .Case([&](math::AsinOp) { return rsqrt(oneMinusSquare(b, x)); })
          .Case([&](math::AcosOp) {
            return b.negate(rsqrt(oneMinusSquare(b, x)));
          })
          .Case([&](math::AtanOp) {
            return over(1, b.build(b.add(square(b, x), one)));
          })
          .Case([&](math::SinhOp) { return b.of(b.op<math::CoshOp>(x)); })
          .Case([&](math::CoshOp) { return b.of(b.op<math::SinhOp>(x)); })
          .Case([&](math::TanhOp) { return b.subtract(one, square(b, r)); })
          .Case([&](math::AsinhOp) {
            return rsqrt(b.build(b.add(square(b, x), one)));
          })
          .Case([&](math::AcoshOp) {
            Term less = b.subtract(b.of(x), one), more = b.add(b.of(x), one);
            return rsqrt(b.build(b.multiply(less, more)));
          })
          .Case([&](math::AtanhOp) { return over(1, oneMinusSquare(b, x)); })
          // Errors.
          .Case([&](math::ErfOp) { return bell(kTwoOverRootPi); })
          .Case([&](math::ErfcOp) { return bell(-kTwoOverRootPi); })
          .Default([](Operation *) { return std::nullopt; });
  if (term)
    return Partial{*term, {}, {}};
  // sgn(x): 0 at 0.
  if (isa<math::AbsFOp>(op))
    return Partial{b.of(b.op<math::CopySignOp>(b.constant(1), x)),
                   b.compare(P::UNE, x, b.constant(0)),
                   {}};
  return std::nullopt;
}

/// An i1: whether maxnumf (or minnumf) takes its first operand. Of equals, and
/// of a number and a NaN, one gets all: fmax.
static Value takesFirst(TermBuilder &b, Value x, Value y, bool least) {
  auto isNumber = [](Value v) { return TermBuilder::of(v).isNumber(); };
  if (isNumber(x))
    return b.compare(least ? P::ULE : P::UGE, x, y);
  Value takes = b.compare(least ? P::OLE : P::OGE, x, y);
  if (isNumber(y))
    return takes;
  return b.op<arith::OrIOp>(takes, b.compare(P::UNO, y, y));
}

/// x ^ n for a float x: n x^(n-1), and 0 for n = 0 whatever x is; for an n that
/// is known, without a power where it can be.
static Partial getPowerOfBase(TermBuilder &b, Operation *op) {
  Value x = op->getOperand(0), n = op->getOperand(1);
  std::optional<double> known;
  APInt integer;
  if (Term number = b.of(n); number.isNumber())
    known = number.factor;
  else if (matchPattern(n, m_ConstantInt(&integer)))
    known = integer.getSExtValue();
  if (known && (*known == 0 || *known == 1))
    return {b.number(*known), {}, {}};
  if (known && *known == 2)
    return {{2, x, {}}, {}, {}};
  auto power = [&](Value exponent) -> Value {
    return isa<math::PowFOp>(op) ? b.op<math::PowFOp>(x, exponent)
                                 : b.op<math::FPowIOp>(x, exponent);
  };
  if (isa<math::PowFOp>(op)) {
    if (known)
      return {{*known, power(b.constant(*known - 1)), {}}, {}, {}};
    Value lower = power(b.build(b.subtract(b.of(n), b.number(1))));
    return {b.multiply(b.of(n), b.of(lower)),
            b.compare(P::UNE, n, b.constant(0)),
            {}};
  }
  if (known) {
    Value less = b.integer(n.getType(), integer.getSExtValue() - 1);
    return {{*known, power(less), {}}, {}, {}};
  }
  Value lower = power(b.op<arith::SubIOp>(n, b.integer(n.getType(), 1)));
  Value factor = b.op<arith::SIToFPOp>(b.getType(), n);
  return {b.multiply(b.of(factor), b.of(lower)),
          b.op<arith::CmpIOp>(arith::CmpIPredicate::ne, n,
                              b.integer(n.getType(), 0)),
          {}};
}

/// x ^ y for a float y: r log x, and 0 where x is 0 and y is not negative.
static Partial getPowerOfExponent(TermBuilder &b, math::PowFOp op) {
  Value x = op.getLhs(), y = op.getRhs(), r = op.getResult();
  if (Term base = b.of(x); base.isNumber() && base.factor > 0)
    return {{std::log(base.factor), r, {}}, {}, {}};
  Value zero = b.constant(0), some = b.compare(P::UNE, x, zero),
        below = b.compare(P::OLT, y, zero);
  return {b.multiply(b.of(r), b.of(b.op<math::LogOp>(x))),
          b.op<arith::OrIOp>(some, below),
          {}};
}

/// Inside its bounds and on them a clamped value passes; a bound passes where
/// it is what comes out: clamp_backward.
static Partial getClamp(TermBuilder &b, math::ClampFOp op, unsigned operand) {
  Value x = op.getValue(), low = op.getMin(), high = op.getMax();
  if (operand == 0) {
    Value above = b.compare(P::OGE, x, low), below = b.compare(P::OLE, x, high);
    return only(b.op<arith::AndIOp>(above, below));
  }
  if (operand == 1) {
    Value bounds = b.compare(P::OLT, low, high),
          below = b.compare(P::OLT, x, low);
    return only(b.op<arith::AndIOp>(bounds, below));
  }
  Value above = b.compare(P::OGT, x, high),
        crossed = b.compare(P::OLT, high, low);
  return only(b.op<arith::OrIOp>(above, crossed));
}

std::optional<Partial> flash::getPartial(TermBuilder &b, OpResult r,
                                         unsigned operand) {
  Operation *op = r.getOwner();
  if (isLocallyConstant(op))
    return Partial();
  if (std::optional<Partial> unary = getUnary(b, op, r))
    return unary;
  auto in = [&](unsigned n) { return op->getOperand(n); };
  const Term one = b.number(1);
  auto plain = [](Term term) { return Partial{term, {}, {}}; };
  using Found = std::optional<Partial>;
  return llvm::TypeSwitch<Operation *, Found>(op)
      .Case([&](arith::AddFOp) -> Found { return plain(one); })
      .Case([&](arith::SubFOp) -> Found {
        return plain(operand ? b.number(-1) : one);
      })
      .Case(
          [&](arith::MulFOp) -> Found { return plain(b.of(in(1 - operand))); })
      .Case([&](arith::DivFOp) -> Found {
        return plain(b.divide(operand ? Term{-1, r, {}} : one, in(1)));
      })
      // x - trunc(x / y) y, of which trunc is constant: fmod.
      .Case([&](arith::RemFOp) -> Found {
        if (!operand)
          return plain(one);
        Value quotient = b.op<arith::DivFOp>(in(0), in(1));
        return plain({-1, b.op<math::TruncOp>(quotient), {}});
      })
      .Case([&](math::FmaOp) -> Found {
        return plain(operand < 2 ? b.of(in(1 - operand)) : one);
      })
      // Of equals each gets a half: maximum, minimum.
      .Case<arith::MaximumFOp, arith::MinimumFOp>([&](auto) -> Found {
        bool least = isa<arith::MinimumFOp>(op);
        return Partial{
            one,
            b.compare(least ? P::ULE : P::UGE, in(operand), in(1 - operand)),
            b.compare(P::OEQ, in(0), in(1))};
      })
      .Case<arith::MaxNumFOp, arith::MinNumFOp>([&](auto) -> Found {
        Value first = takesFirst(b, in(0), in(1), isa<arith::MinNumFOp>(op));
        if (operand)
          first = b.op<arith::XOrIOp>(first, b.integer(first.getType(), 1));
        return only(first);
      })
      .Case([&](math::ClampFOp clamp) -> Found {
        return getClamp(b, clamp, operand);
      })
      // 1 or -1, and 0 at 0; the sign's owner changes nothing: copysign.
      .Case([&](math::CopySignOp) -> Found {
        if (operand)
          return Partial();
        Value keeps = b.compare(P::OEQ, r, in(0));
        return Partial{b.select(keeps, one, b.number(-1)),
                       b.compare(P::UNE, in(0), b.constant(0)),
                       {}};
      })
      .Case([&](math::Atan2Op) -> Found {
        Term y2 = square(b, in(0)), x2 = square(b, in(1));
        Value below = b.build(b.add(y2, x2));
        Term top = b.of(in(1 - operand));
        return plain(b.divide(operand ? b.negate(top) : top, below));
      })
      .Case([&](math::PowFOp power) -> Found {
        return operand ? getPowerOfExponent(b, power) : getPowerOfBase(b, op);
      })
      .Case([&](math::FPowIOp) -> Found { return getPowerOfBase(b, op); })
      .Default([](Operation *) -> Found { return std::nullopt; });
}
