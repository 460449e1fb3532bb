//===- RowEnds.h - Where the rows of a tile end -----------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_CONVERSION_FLASHTOTILE_ROWENDS_H
#define FLASH_LIB_CONVERSION_FLASHTOTILE_ROWENDS_H

#include "mlir/IR/Value.h"

namespace flash {

/// Whether `count` rows of a tile of `tileRows`, from `first` on along a
/// dimension of a memref, end where the memref does, or are the whole tile: so
/// that after them there is nothing. Not where their number is data.
bool endsWithMemref(mlir::Value count, mlir::Value first, mlir::Value memref,
                    int64_t dim, int64_t tileRows);

} // namespace flash

#endif // FLASH_LIB_CONVERSION_FLASHTOTILE_ROWENDS_H
