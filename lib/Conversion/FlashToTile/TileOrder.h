//===- TileOrder.h - Which tile a block works on ----------------*- C++ -*-
//===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The order in which blocks of a kernel take the points of a parallel loop.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_CONVERSION_FLASHTOTILE_TILEORDER_H
#define FLASH_LIB_CONVERSION_FLASHTOTILE_TILEORDER_H

#include "flash/Dialect/Tile/IR/Tile.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace flash {

/// The point of `op` that the executing block works on, from its number. The
/// last dimension is the fastest, from its end: neighbours share what does not
/// depend on it, and under a causal mask the last blocks of queries, which are
/// the longest, start first. `order`, if any, says which points of the outer
/// dimensions take turns instead. `bound` gives a bound's value in the kernel.
llvm::SmallVector<mlir::Value>
findTile(mlir::OpBuilder &builder, mlir::scf::ForallOp op,
         tile::OrderAttr order, int64_t cluster,
         llvm::function_ref<mlir::Value(mlir::OpFoldResult)> bound);

} // namespace flash

#endif // FLASH_LIB_CONVERSION_FLASHTOTILE_TILEORDER_H
