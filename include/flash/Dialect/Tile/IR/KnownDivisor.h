//===- KnownDivisor.h - What divides an index -----------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// How rows of a tile are aligned follows from what their first column is a
// multiple of.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_TILE_IR_KNOWNDIVISOR_H
#define FLASH_DIALECT_TILE_IR_KNOWNDIVISOR_H

#include "mlir/IR/Value.h"

namespace flash {

/// The largest number that is known to divide a value of type index; 0 of a
/// value that is 0, which all numbers divide.
int64_t getKnownDivisor(mlir::Value value);

} // namespace flash

#endif // FLASH_DIALECT_TILE_IR_KNOWNDIVISOR_H
