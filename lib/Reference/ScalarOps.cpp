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

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace flash;
using namespace flash::reference;

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
        return [](int64_t a, int64_t b, unsigned) { return std::min(a, b); };
      })
      .Case([](arith::MaxSIOp) -> IntegerFunction {
        return [](int64_t a, int64_t b, unsigned) { return std::max(a, b); };
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
      .Case([](math::PowFOp) -> RealFunction {
        return [](double a, double b) { return std::pow(a, b); };
      })
      .Default([](Operation *) { return nullptr; });
}

Unary reference::unaryFunction(Operation *op) {
  return llvm::TypeSwitch<Operation *, Unary>(op)
      .Case<arith::NegFOp>(
          [](auto) -> Unary { return [](double x) { return -x; }; })
      .Case<math::AbsFOp>(
          [](auto) -> Unary { return [](double x) { return std::fabs(x); }; })
      .Case<math::ExpOp>(
          [](auto) -> Unary { return [](double x) { return std::exp(x); }; })
      .Case<math::Exp2Op>(
          [](auto) -> Unary { return [](double x) { return std::exp2(x); }; })
      .Case<math::LogOp>(
          [](auto) -> Unary { return [](double x) { return std::log(x); }; })
      .Case<math::Log2Op>(
          [](auto) -> Unary { return [](double x) { return std::log2(x); }; })
      .Case<math::Log1pOp>(
          [](auto) -> Unary { return [](double x) { return std::log1p(x); }; })
      .Case<math::TanhOp>(
          [](auto) -> Unary { return [](double x) { return std::tanh(x); }; })
      .Case<math::ErfOp>(
          [](auto) -> Unary { return [](double x) { return std::erf(x); }; })
      .Case<math::SqrtOp>(
          [](auto) -> Unary { return [](double x) { return std::sqrt(x); }; })
      .Case<math::RsqrtOp>([](auto) -> Unary {
        return [](double x) { return 1 / std::sqrt(x); };
      })
      .Case<math::SinOp>(
          [](auto) -> Unary { return [](double x) { return std::sin(x); }; })
      .Case<math::CosOp>(
          [](auto) -> Unary { return [](double x) { return std::cos(x); }; })
      .Case<math::FloorOp>(
          [](auto) -> Unary { return [](double x) { return std::floor(x); }; })
      .Case<arith::ExtFOp, arith::TruncFOp>(
          [](auto) -> Unary { return [](double x) { return x; }; })
      .Default([](Operation *) { return nullptr; });
}
