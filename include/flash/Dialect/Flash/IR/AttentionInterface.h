//===- AttentionInterface.h - What attentions share -------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// AttentionOpInterface, and what follows from its answers. Included by Flash.h,
// after the attributes.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_IR_ATTENTIONINTERFACE_H
#define FLASH_DIALECT_FLASH_IR_ATTENTIONINTERFACE_H

#include "flash/Dialect/Flash/IR/TilePlace.h"
#include "mlir/IR/OpDefinition.h"

namespace flash {
class AttentionOpInterface;

namespace detail {
double getScaleOrDefault(AttentionOpInterface op);
mlir::Type getAccumulatorType(AttentionOpInterface op);
MaskAttrInterface getEffectiveMask(AttentionOpInterface op);
std::pair<int64_t, int64_t> getMaskBlockSizes(AttentionOpInterface op);
llvm::SmallVector<ScoreAttrInterface>
getEffectiveScores(AttentionOpInterface op);
bool usesPositions(AttentionOpInterface op);
AttentionDims getDims(AttentionOpInterface op);
/// The region of an op that has none: empty, and nobody writes to it.
mlir::Region &getNoRegion();
} // namespace detail
} // namespace flash

#include "flash/Dialect/Flash/IR/AttentionInterface.h.inc"

#endif // FLASH_DIALECT_FLASH_IR_ATTENTIONINTERFACE_H
