//===- ScalarOps.h - Operations of scalars as functions ---------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What ops of arith and math do to numbers.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_REFERENCE_SCALAROPS_H
#define FLASH_LIB_REFERENCE_SCALAROPS_H

#include "mlir/IR/Operation.h"

namespace flash::reference {

inline unsigned widthOf(mlir::Type type) {
  return type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
}

/// An integer of a width, sign-extended (i1: 0 or 1).
inline int64_t wrap(unsigned width, uint64_t value) {
  if (width == 1)
    return value & 1;
  if (width >= 64)
    return static_cast<int64_t>(value);
  return static_cast<int64_t>(value << (64 - width)) >> (64 - width);
}

inline uint64_t bits(unsigned width, int64_t value) {
  return width >= 64 ? value : value & ((uint64_t(1) << width) - 1);
}

/// Two integers and their width; one or two floats.
using IntegerFunction = int64_t (*)(int64_t, int64_t, unsigned);
using RealFunction = double (*)(double, double);
using Unary = double (*)(double);
/// A question about a float; bits of an integer, and their number.
using Question = bool (*)(double);
using BitFunction = int64_t (*)(uint64_t, unsigned);

/// Each null for an op of another kind.
IntegerFunction integerFunction(mlir::Operation *op);
RealFunction realFunction(mlir::Operation *op);
Unary unaryFunction(mlir::Operation *op);
Question questionFunction(mlir::Operation *op);
BitFunction bitFunction(mlir::Operation *op);

} // namespace flash::reference

#endif // FLASH_LIB_REFERENCE_SCALAROPS_H
