//===- FloatOps.cpp - Float arithmetic as it is run -----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each result is rounded to its type, as a compiled program rounds it.
// Functions (exp, tanh, ...) are the C library's.
//
//===----------------------------------------------------------------------===//

#include "FloatOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace flash;

/// A number rounded to a type. One that was rounded to a double before gives
/// the same: sums, products, quotients and roots of narrower types fit twice.
static FloatAttr round(Type type, double value) {
  return FloatAttr::get(type, value);
}

/// Functions that folders leave out, or refuse where the result is no number.
static double (*findFunction(Operation *op))(double) {
  using Function = double (*)(double);
  return llvm::TypeSwitch<Operation *, Function>(op)
      .Case<math::SqrtOp>([](auto) -> Function { return std::sqrt; })
      .Case<math::CbrtOp>([](auto) -> Function { return std::cbrt; })
      .Case<math::LogOp>([](auto) -> Function { return std::log; })
      .Case<math::Log2Op>([](auto) -> Function { return std::log2; })
      .Case<math::Log10Op>([](auto) -> Function { return std::log10; })
      .Case<math::Log1pOp>([](auto) -> Function { return std::log1p; })
      .Default(Function());
}

FloatAttr flash::evaluateFloat(Operation *op, ArrayRef<Attribute> operands) {
  SmallVector<double> in;
  for (Attribute operand : operands) {
    auto number = dyn_cast_if_present<FloatAttr>(operand);
    if (!number)
      return {};
    in.push_back(number.getValueAsDouble());
  }
  auto type = dyn_cast<FloatType>(op->getResult(0).getType());
  if (!type || in.empty())
    return {};
  if (auto truncate = dyn_cast<arith::TruncFOp>(op))
    return truncate.getRoundingmode() ? FloatAttr() : round(type, in[0]);
  if (auto *function = findFunction(op))
    return round(type, function(in[0]));
  if (isa<math::RsqrtOp>(op))
    return round(type, 1 / round(type, std::sqrt(in[0])).getValueAsDouble());
  if (isa<math::FmaOp>(op)) {
    APFloat result = cast<FloatAttr>(operands[0]).getValue();
    result.fusedMultiplyAdd(cast<FloatAttr>(operands[1]).getValue(),
                            cast<FloatAttr>(operands[2]).getValue(),
                            APFloat::rmNearestTiesToEven);
    return FloatAttr::get(type, result);
  }
  if (type.getWidth() != 16 || !isa<math::MathDialect>(op->getDialect()))
    return {};
  Type wide = Float32Type::get(op->getContext());
  SmallVector<Attribute> widened;
  for (double number : in)
    widened.push_back(round(wide, number));
  // A folder looks at the attributes alone.
  SmallVector<OpFoldResult> results;
  if (failed(op->fold(widened, results)) || results.size() != 1)
    return {};
  auto folded = dyn_cast_if_present<FloatAttr>(dyn_cast<Attribute>(results[0]));
  return folded ? round(type, folded.getValueAsDouble()) : FloatAttr();
}
