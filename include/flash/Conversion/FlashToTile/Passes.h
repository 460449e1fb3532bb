//===- Passes.h - From L2 to the tile program -------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_CONVERSION_FLASHTOTILE_PASSES_H
#define FLASH_CONVERSION_FLASHTOTILE_PASSES_H

#include "flash/Dialect/Tile/IR/Tile.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Pass/Pass.h"

namespace flash {

#define GEN_PASS_DECL
#include "flash/Conversion/FlashToTile/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "flash/Conversion/FlashToTile/Passes.h.inc"

} // namespace flash

#endif // FLASH_CONVERSION_FLASHTOTILE_PASSES_H
