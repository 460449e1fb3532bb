//===- KernelParameters.h - Kernels that get more parameters ----*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What passes need that number a kernel's tiles anew: its one block id, further
// parameters, and memory that blocks share.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_TILE_TRANSFORMS_KERNELPARAMETERS_H
#define FLASH_LIB_DIALECT_TILE_TRANSFORMS_KERNELPARAMETERS_H

#include "flash/Dialect/Tile/Transforms/Passes.h"

namespace flash::tile {

/// The kernel's one block id, or cluster id where blocks of a cluster work
/// together, along x and at its top level; null if it has others.
mlir::Operation *findBlockId(mlir::gpu::GPUFuncOp kernel);

/// Gives the kernel one parameter more, and each launch what `make` builds in
/// front of it. Returns the parameter.
mlir::Value
addParameter(mlir::gpu::GPUFuncOp kernel, llvm::ArrayRef<LaunchOp> launches,
             mlir::Type type,
             llvm::function_ref<mlir::Value(mlir::OpBuilder &, LaunchOp)> make);

/// Memory of integers for the blocks of a launch, which holds anything when the
/// kernel begins.
mlir::Value addMemory(mlir::gpu::GPUFuncOp kernel,
                      llvm::ArrayRef<LaunchOp> launches,
                      llvm::ArrayRef<int64_t> shape, unsigned width);

} // namespace flash::tile

#endif // FLASH_LIB_DIALECT_TILE_TRANSFORMS_KERNELPARAMETERS_H
