//===- AttentionIO.h - What one attention moves -----------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_ANALYSIS_ATTENTIONIO_H
#define FLASH_LIB_DIALECT_FLASH_ANALYSIS_ATTENTIONIO_H

#include "IntervalSet.h"
#include "flash/Dialect/Flash/Analysis/IOModel.h"

namespace flash {

/// Rows that some query or key needs; intervals of the length if all batches
/// and heads are alike.
struct NeededRows {
  int64_t queries = 0; // over batches and query heads
  int64_t keys = 0;    // over batches and key heads
  std::optional<std::pair<IntervalSet, IntervalSet>> alike;
};

/// Fills in what an attention moves. `part` is its number where it is part of a
/// merge.
llvm::LogicalResult modelAttention(AttentionOp op, TargetAttr target,
                                   const IndexInterpreter &known,
                                   std::optional<unsigned> part,
                                   OperationIO &io, NeededRows &needed);

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_ANALYSIS_ATTENTIONIO_H
