//===- ScalarSlopes.h - Slopes of operations of scalars ---------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Dual numbers: each float has its slope beside it, and an op makes the slope
// of its result from values and slopes of its operands.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_REFERENCE_SCALARSLOPES_H
#define FLASH_LIB_REFERENCE_SCALARSLOPES_H

#include "mlir/IR/Operation.h"

namespace flash::reference {

/// Operands of an op: floats with slopes, or integers.
struct SlopeInput {
  double value[3] = {}, slope[3] = {};
  int64_t integer[3] = {};
};

/// The slope of a result with this value.
using SlopeFunction = double (*)(const SlopeInput &, double);

/// Null for an op that has none, or that is not known.
SlopeFunction slopeFunction(mlir::OpResult result);

} // namespace flash::reference

#endif // FLASH_LIB_REFERENCE_SCALARSLOPES_H
