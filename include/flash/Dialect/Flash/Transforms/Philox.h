//===- Philox.h - The bits of dropout ---------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Philox 4x32-10 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3,
// SC 2011) as scalar arithmetic, and which of its bits an element of the score
// matrix has. A backward and every target build the same.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_TRANSFORMS_PHILOX_H
#define FLASH_DIALECT_FLASH_TRANSFORMS_PHILOX_H

#include "mlir/IR/Builders.h"
#include "llvm/ADT/APFloat.h"
#include <array>

namespace flash {

/// The four words (i32) of a counter and a key.
std::array<mlir::Value, 4> buildPhilox(mlir::OpBuilder &builder,
                                       mlir::Location loc,
                                       std::array<mlir::Value, 4> counter,
                                       std::array<mlir::Value, 2> key);

/// The words of the keys 2 * pair and 2 * pair + 1 for the query at position q
/// (both of type index; seed and offset are i64).
std::array<mlir::Value, 2> buildPairWords(mlir::OpBuilder &builder,
                                          mlir::Location loc, mlir::Value seed,
                                          mlir::Value offset, mlir::Value batch,
                                          mlir::Value head, mlir::Value q,
                                          mlir::Value pair);

/// An i1: whether dropout with chance p keeps the element whose word it is.
mlir::Value buildIsKept(mlir::OpBuilder &builder, mlir::Location loc,
                        const llvm::APFloat &p, mlir::Value word);

/// An i1: whether dropout with chance p keeps the element of the query at
/// position q and the key at position k (of type index; seed and offset are
/// i64).
mlir::Value buildIsKept(mlir::OpBuilder &builder, mlir::Location loc,
                        const llvm::APFloat &p, mlir::Value seed,
                        mlir::Value offset, mlir::Value batch, mlir::Value head,
                        mlir::Value q, mlir::Value k);

} // namespace flash

#endif // FLASH_DIALECT_FLASH_TRANSFORMS_PHILOX_H
