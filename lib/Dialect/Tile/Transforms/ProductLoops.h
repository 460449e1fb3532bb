//===- ProductLoops.h - Loops with many products --------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which loops flash-tile-split-maps and flash-tile-start-products work on.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_TILE_TRANSFORMS_PRODUCTLOOPS_H
#define FLASH_LIB_DIALECT_TILE_TRANSFORMS_PRODUCTLOOPS_H

#include "flash/Dialect/Tile/IR/Tile.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace flash::tile {

/// The loops of consumers with more than two asynchronous products in their
/// body; flash-tile-overlap has its own order for two.
llvm::SmallVector<mlir::scf::ForOp>
findProductLoops(mlir::gpu::GPUFuncOp kernel);

/// 32-bit registers of a lane that hold a fragment; 0 for other values.
int64_t countRegisters(mlir::Value value);

/// Registers of consumers that are there for fragments: some are for addresses
/// and the like.
int64_t getFragmentRegisters(SpecializeOp roles);

} // namespace flash::tile

#endif // FLASH_LIB_DIALECT_TILE_TRANSFORMS_PRODUCTLOOPS_H
