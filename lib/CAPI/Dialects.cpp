//===- Dialects.cpp - The dialects, for MLIR's C API ----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// flash-c/Dialects.h. In a library of its own: libflash-c.so keeps its MLIR to
// itself, and these hand out objects of the caller's.
//
//===----------------------------------------------------------------------===//

#include "flash-c/Dialects.h"

#include "flash/Dialect/Flash/IR/Flash.h"
#include "flash/Dialect/Tile/IR/Tile.h"
#include "flash/InitAll.h"

#include "mlir/CAPI/Registration.h"

MLIR_DEFINE_CAPI_DIALECT_REGISTRATION(Flash, flash, flash::FlashDialect)
MLIR_DEFINE_CAPI_DIALECT_REGISTRATION(FlashTile, flash_tile,
                                      flash::tile::FlashTileDialect)

void mlirFlashRegisterAllDialects(MlirDialectRegistry registry) {
  flash::registerAllDialects(*unwrap(registry));
}

void mlirFlashRegisterPasses(void) { flash::registerOwnPasses(); }
