//===- Passes.h - Passes of the tile dialect --------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_TILE_TRANSFORMS_PASSES_H
#define FLASH_DIALECT_TILE_TRANSFORMS_PASSES_H

#include "flash/Dialect/Tile/IR/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Pass/Pass.h"

namespace flash::tile {

#define GEN_PASS_DECL
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"

} // namespace flash::tile

#endif // FLASH_DIALECT_TILE_TRANSFORMS_PASSES_H
