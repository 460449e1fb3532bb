//===- Watcher.h - What stands between copies and consumers -----*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The watcher of a specialised kernel: which loads have one, and what it does.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_TILE_TRANSFORMS_WATCHER_H
#define FLASH_LIB_DIALECT_TILE_TRANSFORMS_WATCHER_H

#include "RingUtils.h"

namespace flash::tile {

/// What clears rows of a load's tile, or null.
ClearUnseenOp findClear(LoadOp load);

/// Why a watcher cannot do what clears the load's tile, or an empty string.
llvm::StringRef reasonAgainstWatching(LoadOp load, const KernelLoads &loads);

/// A load that is watched, and its ring.
struct WatchedLoad {
  LoadOp load;
  mlir::Value ring;
};

/// Writes the watcher of a kernel: the loops of its loads, with a
/// `flash_tile.watch` for each clear of these tiles, which are erased.
/// `loads.loop` counts its iterations in its last argument.
void makeWatcher(SpecializeOp roles, const KernelLoads &loads,
                 llvm::ArrayRef<WatchedLoad> watched, mlir::Value zero);

} // namespace flash::tile

#endif // FLASH_LIB_DIALECT_TILE_TRANSFORMS_WATCHER_H
