//===- SplitGrid.h - How many blocks share a tile ---------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_TILE_TRANSFORMS_SPLITGRID_H
#define FLASH_LIB_DIALECT_TILE_TRANSFORMS_SPLITGRID_H

#include "flash/Dialect/Tile/IR/Tile.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace flash::tile {

/// What a launch asks of a kernel that it may split.
struct SplitWork {
  LoadOp keys;           ///< a load of the loop over keys
  mlir::TypeRange state; ///< what the loop passes on
  bool alike;            ///< all tiles take as many steps
};

/// Blocks that the device runs at a time, the most parts of a tile, and the
/// least blocks of keys that a part has.
struct SplitLimits {
  int64_t cores, parts, blocks;
};

/// Parameters of a kernel: tiles that are whole, the logarithm of the parts of
/// each other one, slots for states and turns.
struct SplitParameters {
  mlir::Value whole, log, state, turns;
};

/// Gives the kernel these parameters, and the launches their values and grids.
SplitParameters addSplitParameters(mlir::gpu::GPUFuncOp kernel,
                                   llvm::ArrayRef<LaunchOp> launches,
                                   const SplitWork &work, SplitLimits limits);

} // namespace flash::tile

#endif // FLASH_LIB_DIALECT_TILE_TRANSFORMS_SPLITGRID_H
