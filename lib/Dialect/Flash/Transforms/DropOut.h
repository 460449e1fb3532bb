//===- DropOut.h - Dropout of one step --------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_TRANSFORMS_DROPOUT_H
#define FLASH_LIB_DIALECT_FLASH_TRANSFORMS_DROPOUT_H

#include "TileUtils.h"

namespace flash {

/// P of a step with 0 for what is dropped, if the step has dropout. What is
/// kept is divided by 1 - p when the row is done.
mlir::Value dropOut(mlir::OpBuilder &builder, OnlineAttentionOp op,
                    mlir::Value probabilities);

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_TRANSFORMS_DROPOUT_H
