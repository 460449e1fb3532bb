//===- TensorMaps.h - Kernels with tensor maps ------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What passes need that hand copies over to the tensor memory accelerator:
// whether it can make them, the maps as parameters, and the launches that pass
// them.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_TILE_TRANSFORMS_TENSORMAPS_H
#define FLASH_LIB_DIALECT_TILE_TRANSFORMS_TENSORMAPS_H

#include "flash/Dialect/Tile/Transforms/Passes.h"

namespace flash::tile {

/// The launches of each kernel of a module.
using LaunchMap =
    llvm::DenseMap<mlir::Operation *, llvm::SmallVector<LaunchOp>>;
LaunchMap findLaunches(mlir::ModuleOp module);

/// Whether the rows of a transfer are cut off by the memref's end only: outside
/// of it the accelerator reads zeros and writes nothing. What lies after
/// another end it reads, and would overwrite.
template <typename TransferOp> bool isCutByMemref(TransferOp op) {
  return !op.getRows() || op.getToEnd();
}

/// Why the accelerator cannot copy between `memref` and a tile, wherever its
/// rows are cut off, or an empty string.
template <typename TransferOp>
llvm::StringRef reasonAgainstTma(TransferOp op, mlir::Value memref);

/// How many rows of a box lie along which dimensions.
struct BoxRows {
  int64_t dim, count;
  /// Of packed rows; else -1.
  int64_t packedDim = -1, packedCount = 1;
};

/// The box of `count` rows, from a multiple of that on, of a tile of
/// `tileRows`; nothing where they are no box.
std::optional<BoxRows> findBox(int64_t rowDim, PackedRowsAttr packed,
                               int64_t tileRows, int64_t count);

/// Gives a kernel tensor maps as parameters, and its launches the arguments.
class TensorMaps {
public:
  TensorMaps(mlir::gpu::GPUFuncOp kernel, llvm::ArrayRef<LaunchOp> launches)
      : kernel(kernel), launches(launches) {}

  /// The map of a memref that is a parameter of the kernel, for boxes of some
  /// rows and some columns.
  mlir::Value get(mlir::Location loc, mlir::Value memref, BoxRows rows,
                  int64_t columns);

private:
  mlir::gpu::GPUFuncOp kernel;
  llvm::ArrayRef<LaunchOp> launches;
  llvm::DenseMap<std::pair<mlir::Value, mlir::Type>, mlir::Value> maps;
};

} // namespace flash::tile

#endif // FLASH_LIB_DIALECT_TILE_TRANSFORMS_TENSORMAPS_H
