//===- HoistHides.h - Tiles that a loop over queries reads ------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// flash.hide_unseen in front of the loop whose iterations all read its tile.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_CONVERSION_FLASHTOTILE_HOISTHIDES_H
#define FLASH_LIB_CONVERSION_FLASHTOTILE_HOISTHIDES_H

#include "mlir/IR/Operation.h"

namespace flash {

/// Moves what hides rows of a tile from outside of its loop before the loop:
/// hidden are rows that no iteration sees. Fails, with an error, where that
/// cannot be told there.
llvm::LogicalResult hoistHides(mlir::Operation *root);

} // namespace flash

#endif // FLASH_LIB_CONVERSION_FLASHTOTILE_HOISTHIDES_H
