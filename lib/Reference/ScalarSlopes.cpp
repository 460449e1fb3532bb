//===- ScalarSlopes.cpp - Slopes of operations of scalars -----------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Written apart from the compiler's rules (DerivativeRules.cpp), which build
// IR; unittests/Analysis/DifferentiateTest.cpp holds both against differences.
// At kinks they follow PyTorch.
//
//===----------------------------------------------------------------------===//

#include "ScalarSlopes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace flash;
using namespace flash::reference;

static constexpr double kPi = 3.14159265358979323846;

/// A factor that is 0 stays so, whatever it meets.
static double times(double slope, double factor) {
  return slope == 0 ? 0 : slope * factor;
}

/// A case: an op, and its slope for operands (x, dx), (y, dy), (z, dz) and the
/// result r.
#define FLASH_SLOPE(OP, VALUE)                                                 \
  Case<OP>([](auto) -> SlopeFunction {                                         \
    return [](const SlopeInput &in, double r) -> double {                      \
      [[maybe_unused]] double x = in.value[0], y = in.value[1],                \
                              z = in.value[2], dx = in.slope[0],               \
                              dy = in.slope[1], dz = in.slope[2];              \
      return VALUE;                                                            \
    };                                                                         \
  })
#define FLASH_CHAIN(OP, FACTOR) FLASH_SLOPE(OP, times(dx, FACTOR))

static SlopeFunction unary(Operation *op) {
  return llvm::TypeSwitch<Operation *, SlopeFunction>(op)
      .FLASH_SLOPE(arith::NegFOp, -dx)
      .FLASH_SLOPE(arith::ExtFOp, dx)
      .FLASH_SLOPE(arith::TruncFOp, dx)
      .FLASH_CHAIN(math::AbsFOp, double((x > 0) - (x < 0)))
      .FLASH_CHAIN(math::SqrtOp, 1 / (2 * r))
      .FLASH_CHAIN(math::RsqrtOp, -r / (2 * x))
      .FLASH_CHAIN(math::CbrtOp, 1 / (3 * r * r))
      .FLASH_CHAIN(math::ExpOp, r)
      .FLASH_CHAIN(math::Exp2Op, r * std::log(2.0))
      .FLASH_CHAIN(math::ExpM1Op, r + 1)
      .FLASH_CHAIN(math::LogOp, 1 / x)
      .FLASH_CHAIN(math::Log2Op, 1 / (x * std::log(2.0)))
      .FLASH_CHAIN(math::Log10Op, 1 / (x * std::log(10.0)))
      .FLASH_CHAIN(math::Log1pOp, 1 / (1 + x))
      .FLASH_CHAIN(math::SinOp, std::cos(x))
      .FLASH_CHAIN(math::CosOp, -std::sin(x))
      .FLASH_CHAIN(math::TanOp, 1 + r * r)
      .FLASH_CHAIN(math::AsinOp, 1 / std::sqrt(1 - x * x))
      .FLASH_CHAIN(math::AcosOp, -1 / std::sqrt(1 - x * x))
      .FLASH_CHAIN(math::AtanOp, 1 / (1 + x * x))
      .FLASH_CHAIN(math::SinhOp, std::cosh(x))
      .FLASH_CHAIN(math::CoshOp, std::sinh(x))
      .FLASH_CHAIN(math::TanhOp, 1 - r * r)
      .FLASH_CHAIN(math::AsinhOp, 1 / std::hypot(1.0, x))
      .FLASH_CHAIN(math::AcoshOp, 1 / std::sqrt(x * x - 1))
      .FLASH_CHAIN(math::AtanhOp, 1 / (1 - x * x))
      .FLASH_CHAIN(math::ErfOp, 2 / std::sqrt(kPi) * std::exp(-x * x))
      .FLASH_CHAIN(math::ErfcOp, -2 / std::sqrt(kPi) * std::exp(-x * x))
      .FLASH_SLOPE(math::FloorOp, 0)
      .FLASH_SLOPE(math::CeilOp, 0)
      .FLASH_SLOPE(math::TruncOp, 0)
      .FLASH_SLOPE(math::RoundOp, 0)
      .FLASH_SLOPE(math::RoundEvenOp, 0)
      .Default([](Operation *) { return nullptr; });
}

/// The greater one's slope, of equals the mean.
static double ofGreater(double x, double y, double dx, double dy) {
  return x > y ? dx : x < y ? dy : (dx + dy) / 2;
}

/// The slope of x^y for a fixed y and for a fixed x.
static double powerSlope(double x, double y, double dx, double dy, double r) {
  double base = y == 0 ? 0 : times(dx, y * std::pow(x, y - 1));
  return base + (x == 0 && y >= 0 ? 0 : times(dy, r * std::log(x)));
}

/// x within [y, z]: what comes out has the slope.
static double clampSlope(double x, double y, double z, double dx, double dy,
                         double dz) {
  if (z < y || x > z)
    return dz;
  return x < y ? dy : dx;
}

static SlopeFunction several(Operation *op) {
  return llvm::TypeSwitch<Operation *, SlopeFunction>(op)
      .FLASH_SLOPE(arith::AddFOp, dx + dy)
      .FLASH_SLOPE(arith::SubFOp, dx - dy)
      .FLASH_SLOPE(arith::MulFOp, times(dx, y) + times(dy, x))
      .FLASH_SLOPE(arith::DivFOp, times(dx, 1 / y) - times(dy, r / y))
      .FLASH_SLOPE(arith::RemFOp, dx - times(dy, std::trunc(x / y)))
      .FLASH_SLOPE(math::FmaOp, times(dx, y) + times(dy, x) + dz)
      .FLASH_SLOPE(arith::MaximumFOp, ofGreater(x, y, dx, dy))
      .FLASH_SLOPE(arith::MinimumFOp, ofGreater(-x, -y, dx, dy))
      .FLASH_SLOPE(arith::MaxNumFOp, x >= y || std::isnan(y) ? dx : dy)
      .FLASH_SLOPE(arith::MinNumFOp, x <= y || std::isnan(y) ? dx : dy)
      .FLASH_SLOPE(math::CopySignOp,
                   x == 0 ? 0 : (std::signbit(x) == std::signbit(y) ? dx : -dx))
      .FLASH_SLOPE(math::Atan2Op, times(dx, y / (x * x + y * y)) -
                                      times(dy, x / (x * x + y * y)))
      .FLASH_SLOPE(math::PowFOp, powerSlope(x, y, dx, dy, r))
      .FLASH_SLOPE(math::FPowIOp,
                   powerSlope(x, double(in.integer[1]), dx, 0, r))
      .FLASH_SLOPE(math::ClampFOp, clampSlope(x, y, z, dx, dy, dz))
      .Default([](Operation *) { return nullptr; });
}

SlopeFunction reference::slopeFunction(OpResult result) {
  Operation *op = result.getOwner();
  if (isa<math::SincosOp>(op)) {
    if (result.getResultNumber() == 0)
      return [](const SlopeInput &in, double) {
        return times(in.slope[0], std::cos(in.value[0]));
      };
    return [](const SlopeInput &in, double) {
      return times(in.slope[0], -std::sin(in.value[0]));
    };
  }
  SlopeFunction function = unary(op);
  return function ? function : several(op);
}

#undef FLASH_CHAIN
#undef FLASH_SLOPE
