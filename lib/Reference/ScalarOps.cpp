//===- ScalarOps.cpp - Operations of scalars as functions -------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Written without MLIR's folders: what is checked may use those.
//
//===----------------------------------------------------------------------===//

#include "ScalarOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/ADT/bit.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace flash;
using namespace flash::reference;

/// The one of a bit is its sign.
static bool lessSigned(int64_t a, int64_t b, unsigned width) {
  return width == 1 ? a > b : a < b;
}

IntegerFunction reference::integerFunction(Operation *op) {
  return llvm::TypeSwitch<Operation *, IntegerFunction>(op)
      .Case([](arith::AddIOp) -> IntegerFunction {
        return [](int64_t a, int64_t b, unsigned) {
          return int64_t(uint64_t(a) + uint64_t(b));
        };
      })
      .Case([](arith::SubIOp) -> IntegerFunction {
        return [](int64_t a, int64_t b, unsigned) {
          return int64_t(uint64_t(a) - uint64_t(b));
        };
      })
      .Case([](arith::MulIOp) -> IntegerFunction {
        return [](int64_t a, int64_t b, unsigned) {
          return int64_t(uint64_t(a) * uint64_t(b));
        };
      })
      .Case([](arith::AndIOp) -> IntegerFunction {
        return [](int64_t a, int64_t b, unsigned) { return a & b; };
      })
      .Case([](arith::OrIOp) -> IntegerFunction {
        return [](int64_t a, int64_t b, unsigned) { return a | b; };
      })
      .Case([](arith::XOrIOp) -> IntegerFunction {
        return [](int64_t a, int64_t b, unsigned) { return a ^ b; };
      })
      .Case([](arith::MinSIOp) -> IntegerFunction {
        return [](int64_t a, int64_t b, unsigned w) {
          return lessSigned(a, b, w) ? a : b;
        };
      })
      .Case([](arith::MaxSIOp) -> IntegerFunction {
        return [](int64_t a, int64_t b, unsigned w) {
          return lessSigned(a, b, w) ? b : a;
        };
      })
      .Case([](arith::MinUIOp) -> IntegerFunction {
        return [](int64_t a, int64_t b, unsigned w) {
          return bits(w, a) < bits(w, b) ? a : b;
        };
      })
      .Case([](arith::MaxUIOp) -> IntegerFunction {
        return [](int64_t a, int64_t b, unsigned w) {
          return bits(w, a) > bits(w, b) ? a : b;
        };
      })
      // A division by zero is undefined; here it gives 0.
      .Case([](arith::DivSIOp) -> IntegerFunction {
        return [](int64_t a, int64_t b, unsigned) {
          return b == 0 ? 0 : b == -1 ? int64_t(-uint64_t(a)) : a / b;
        };
      })
      .Case([](arith::RemSIOp) -> IntegerFunction {
        return [](int64_t a, int64_t b, unsigned) {
          return b == 0 || b == -1 ? 0 : a % b;
        };
      })
      .Case([](arith::FloorDivSIOp) -> IntegerFunction {
        return [](int64_t a, int64_t b, unsigned) {
          if (b == 0 || b == -1)
            return b == 0 ? 0 : int64_t(-uint64_t(a));
          return a / b - (a % b != 0 && (a < 0) != (b < 0));
        };
      })
      .Case([](arith::CeilDivSIOp) -> IntegerFunction {
        return [](int64_t a, int64_t b, unsigned) {
          if (b == 0 || b == -1)
            return b == 0 ? 0 : int64_t(-uint64_t(a));
          return a / b + (a % b != 0 && (a < 0) == (b < 0));
        };
      })
      .Case([](arith::CeilDivUIOp) -> IntegerFunction {
        return [](int64_t a, int64_t b, unsigned w) {
          uint64_t x = bits(w, a), y = bits(w, b);
          return y == 0 ? 0 : int64_t(x / y + (x % y != 0));
        };
      })
      .Case([](math::IPowIOp) -> IntegerFunction {
        return [](int64_t a, int64_t b, unsigned) -> int64_t {
          if (b < 0)
            return a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0;
          uint64_t power = 1, base = a;
          for (; b; b >>= 1, base *= base)
            if (b & 1)
              power *= base;
          return power;
        };
      })
      .Case([](arith::DivUIOp) -> IntegerFunction {
        return [](int64_t a, int64_t b, unsigned w) {
          return b == 0 ? 0 : int64_t(bits(w, a) / bits(w, b));
        };
      })
      .Case([](arith::RemUIOp) -> IntegerFunction {
        return [](int64_t a, int64_t b, unsigned w) {
          return b == 0 ? 0 : int64_t(bits(w, a) % bits(w, b));
        };
      })
      .Case([](arith::ShLIOp) -> IntegerFunction {
        return [](int64_t a, int64_t b, unsigned w) {
          return uint64_t(b) >= w ? 0 : int64_t(uint64_t(a) << b);
        };
      })
      .Case([](arith::ShRSIOp) -> IntegerFunction {
        return [](int64_t a, int64_t b, unsigned w) {
          return uint64_t(b) >= w ? 0 : a >> b;
        };
      })
      .Case([](arith::ShRUIOp) -> IntegerFunction {
        return [](int64_t a, int64_t b, unsigned w) {
          return uint64_t(b) >= w ? 0 : int64_t(bits(w, a) >> b);
        };
      })
      .Default([](Operation *) { return nullptr; });
}

RealFunction reference::realFunction(Operation *op) {
  return llvm::TypeSwitch<Operation *, RealFunction>(op)
      .Case([](arith::AddFOp) -> RealFunction {
        return [](double a, double b) { return a + b; };
      })
      .Case([](arith::SubFOp) -> RealFunction {
        return [](double a, double b) { return a - b; };
      })
      .Case([](arith::MulFOp) -> RealFunction {
        return [](double a, double b) { return a * b; };
      })
      .Case([](arith::DivFOp) -> RealFunction {
        return [](double a, double b) { return a / b; };
      })
      .Case<arith::MaximumFOp>([](auto) -> RealFunction {
        return [](double a, double b) {
          return std::isnan(a) ? a : std::isnan(b) ? b : std::max(a, b);
        };
      })
      .Case<arith::MinimumFOp>([](auto) -> RealFunction {
        return [](double a, double b) {
          return std::isnan(a) ? a : std::isnan(b) ? b : std::min(a, b);
        };
      })
      .Case<arith::MaxNumFOp>([](auto) -> RealFunction {
        return [](double a, double b) { return std::fmax(a, b); };
      })
      .Case<arith::MinNumFOp>([](auto) -> RealFunction {
        return [](double a, double b) { return std::fmin(a, b); };
      })
      .Case([](arith::RemFOp) -> RealFunction {
        return [](double a, double b) { return std::fmod(a, b); };
      })
      .Case([](math::Atan2Op) -> RealFunction {
        return [](double a, double b) { return std::atan2(a, b); };
      })
      .Case([](math::CopySignOp) -> RealFunction {
        return [](double a, double b) { return std::copysign(a, b); };
      })
      .Case([](math::PowFOp) -> RealFunction {
        return [](double a, double b) { return std::pow(a, b); };
      })
      .Default([](Operation *) { return nullptr; });
}

/// A case of `unaryFunction`: an op, and what it does to x.
#define FLASH_UNARY(OP, VALUE)                                                 \
  Case<OP>(                                                                    \
      [](auto) -> Unary { return [](double x) -> double { return VALUE; }; })

Unary reference::unaryFunction(Operation *op) {
  return llvm::TypeSwitch<Operation *, Unary>(op)
      .FLASH_UNARY(arith::NegFOp, -x)
      .FLASH_UNARY(math::AbsFOp, std::fabs(x))
      .FLASH_UNARY(math::RsqrtOp, 1 / std::sqrt(x))
      .FLASH_UNARY(math::ExpOp, std::exp(x))
      .FLASH_UNARY(math::Exp2Op, std::exp2(x))
      .FLASH_UNARY(math::ExpM1Op, std::expm1(x))
      .FLASH_UNARY(math::LogOp, std::log(x))
      .FLASH_UNARY(math::Log2Op, std::log2(x))
      .FLASH_UNARY(math::Log10Op, std::log10(x))
      .FLASH_UNARY(math::Log1pOp, std::log1p(x))
      .FLASH_UNARY(math::TanhOp, std::tanh(x))
      .FLASH_UNARY(math::SinhOp, std::sinh(x))
      .FLASH_UNARY(math::CoshOp, std::cosh(x))
      .FLASH_UNARY(math::TanOp, std::tan(x))
      .FLASH_UNARY(math::SinOp, std::sin(x))
      .FLASH_UNARY(math::CosOp, std::cos(x))
      .FLASH_UNARY(math::AsinOp, std::asin(x))
      .FLASH_UNARY(math::AcosOp, std::acos(x))
      .FLASH_UNARY(math::AtanOp, std::atan(x))
      .FLASH_UNARY(math::AsinhOp, std::asinh(x))
      .FLASH_UNARY(math::AcoshOp, std::acosh(x))
      .FLASH_UNARY(math::AtanhOp, std::atanh(x))
      .FLASH_UNARY(math::ErfOp, std::erf(x))
      .FLASH_UNARY(math::ErfcOp, std::erfc(x))
      .FLASH_UNARY(math::SqrtOp, std::sqrt(x))
      .FLASH_UNARY(math::CbrtOp, std::cbrt(x))
      .FLASH_UNARY(math::FloorOp, std::floor(x))
      .FLASH_UNARY(math::CeilOp, std::ceil(x))
      .FLASH_UNARY(math::TruncOp, std::trunc(x))
      .FLASH_UNARY(math::RoundOp, std::round(x))
      .FLASH_UNARY(math::RoundEvenOp, std::nearbyint(x))
      .Case<arith::ExtFOp, arith::TruncFOp>(
          [](auto) -> Unary { return [](double x) { return x; }; })
      .Default([](Operation *) { return nullptr; });
}

#undef FLASH_UNARY

Question reference::questionFunction(Operation *op) {
  return llvm::TypeSwitch<Operation *, Question>(op)
      .Case<math::IsNaNOp>([](auto) -> Question {
        return [](double x) { return std::isnan(x); };
      })
      .Case<math::IsInfOp>([](auto) -> Question {
        return [](double x) { return std::isinf(x); };
      })
      .Case<math::IsFiniteOp>([](auto) -> Question {
        return [](double x) { return std::isfinite(x); };
      })
      .Case<math::IsNormalOp>([](auto) -> Question {
        return [](double x) { return std::isnormal(x); };
      })
      .Default([](Operation *) { return nullptr; });
}

BitFunction reference::bitFunction(Operation *op) {
  return llvm::TypeSwitch<Operation *, BitFunction>(op)
      .Case<math::CountLeadingZerosOp>([](auto) -> BitFunction {
        return [](uint64_t x, unsigned width) -> int64_t {
          return llvm::countl_zero(x) - (64 - int64_t(width));
        };
      })
      .Case<math::CountTrailingZerosOp>([](auto) -> BitFunction {
        return [](uint64_t x, unsigned width) -> int64_t {
          return std::min<int64_t>(llvm::countr_zero(x), width);
        };
      })
      .Case<math::CtPopOp>([](auto) -> BitFunction {
        return
            [](uint64_t x, unsigned) -> int64_t { return llvm::popcount(x); };
      })
      .Default([](Operation *) { return nullptr; });
}
