//===- LanePrefetch.h - Ask for broadcast operands in time ------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_CONVERSION_FLASHTOCPU_LANEPREFETCH_H
#define FLASH_LIB_CONVERSION_FLASHTOCPU_LANEPREFETCH_H

#include "LaneBody.h"

namespace flash {

/// Whether a buffer is memory of the function's own: two different ones do not
/// overlap, and they are small enough to be in a cache.
bool isFreshBuffer(mlir::Value value);

/// Prefetches the operands of a contraction that are read in place, element by
/// element.
class LanePrefetch {
public:
  LanePrefetch(mlir::RewriterBase &rewriter, const LanePlan &plan);

  /// Before a register tile's reduction: the next rows of operands that are
  /// contiguous along the reduction.
  void beforeTile(const LanePanel &panel);
  /// At each step of the reduction: the next line of operands that are
  /// contiguous along the rows, at the last line that of the next block.
  void atStep(const LanePanel &panel);

private:
  void prefetch(mlir::OpOperand &operand, mlir::ValueRange indices);
  mlir::SmallVector<mlir::Value> indicesOf(mlir::OpOperand &operand,
                                           const LanePanel &panel);

  mlir::RewriterBase &rewriter;
  const LanePlan &plan;
  mlir::Location loc;
  llvm::SmallVector<mlir::OpOperand *> alongReduction, alongRows;
  /// Where the line after the tile's is: a row, and how many steps on.
  mlir::Value nextRow, nextStep;
};

} // namespace flash

#endif // FLASH_LIB_CONVERSION_FLASHTOCPU_LANEPREFETCH_H
