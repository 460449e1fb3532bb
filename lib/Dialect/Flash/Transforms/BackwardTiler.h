//===- BackwardTiler.h - Tiles one backward ---------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What TileBackward.cpp (the loops) and BackwardRows.cpp (what is done for each
// row before and after them) share.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_TRANSFORMS_BACKWARDTILER_H
#define FLASH_LIB_DIALECT_FLASH_TRANSFORMS_BACKWARDTILER_H

#include "SplitSchedule.h"
#include "TileUtils.h"

namespace flash {

/// What is known of the whole of a backward, and the blocks that it is cut
/// into.
struct BackwardProblem {
  BackwardProblem(mlir::RewriterBase &rewriter, AttentionBackwardOp op,
                  ScheduleAttr schedule);

  /// The same with other blocks.
  BackwardProblem withBlocksOf(int64_t queries, int64_t keysOfBlock) const;
  /// Gives a loop its schedule; one that describes no kernel is an error, and
  /// the tiling fails.
  void setSchedule(mlir::scf::ForallOp loop, ScheduleAttr schedule,
                   LoopContents contents);
  /// Blocks of `rows` queries.
  mlir::Value countQueryBlocks();
  /// Rows of a block that begins at `first`, of `most` all; a constant where
  /// all blocks are whole.
  mlir::OpFoldResult existing(mlir::Value first, mlir::Value count,
                              int64_t most);

  mlir::RewriterBase &rewriter;
  AttentionBackwardOp op;
  ScheduleAttr schedule;
  mlir::Location loc;
  IndexBuilder index;
  /// Queries and keys of a block; head dims, padded.
  int64_t rows, keys, qkDim, vDim;
  /// Queries of a block of the loop that computes statistics.
  int64_t statisticsRows;
  mlir::Type accumulator;
  mlir::Value batches, queryHeads, keyHeads, numQueries, numKeys;
  /// Query heads that share a key head.
  mlir::Value group;
  /// Queries rounded up to whole blocks: of tensors that only we read.
  mlir::Value paddedQueries;
  /// Positions of the first query and key.
  mlir::Value qOffset, kvOffset;
  bool hasFailed = false;
};

/// Of each query, in tensors of batch x query heads x blocks x queries of a
/// block: how far a block is from the next is known. With `statistics =
/// product` a block has rows of bf16 instead, whose sum is the negated number
/// in the units of what a product makes.
struct RowStatistics {
  /// Log-sum-exp in units of log 2; +inf where the row sees no key, or does not
  /// exist: exp2(s - lse) is 0 there. Rows: -log-sum-exp / scale.
  mlir::Value lse;
  /// rowsum(d_output * output) - d_lse.
  mlir::Value delta;
};

/// Computes the statistics, in a loop of their own before the gradients'.
RowStatistics buildRowStatistics(BackwardProblem &problem);

/// Scales sums (batch x query heads x padded queries x padded dqk) and rounds
/// them to the gradient for the queries.
mlir::Value buildQueryGradient(BackwardProblem &problem, mlir::Value sums);

/// A tile of sums, times `scale`, in the type of a gradient.
mlir::Value roundGradient(BackwardProblem &problem, mlir::Value sums,
                          mlir::Type element, double scale);

/// A tensor of zeros.
mlir::Value zeroTensor(BackwardProblem &problem,
                       llvm::ArrayRef<mlir::OpFoldResult> sizes);

/// Tiles a backward (its schedule and what it recomputes are attributes);
/// gives a value for each result, none after an error.
llvm::SmallVector<mlir::Value> tileBackward(mlir::RewriterBase &rewriter,
                                            AttentionBackwardOp op,
                                            ScheduleAttr schedule);

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_TRANSFORMS_BACKWARDTILER_H
