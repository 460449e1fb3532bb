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

#include "SequencePlaces.h"
#include "SplitSchedule.h"
#include "TileUtils.h"

#include "flash/Dialect/Flash/Analysis/BackwardWalk.h"

namespace flash {

/// The rows of one batch or ragged sequence.
struct OwnRows {
  using Value = mlir::Value;
  /// Its number for operands, and where its rows lie. Keys that were in pages
  /// lie in batches of their own.
  Value batch, rowBatch, keyBatch, queryRow, keyRow;
  /// Rows that it has; of the keys, those that exist, and all that have a
  /// gradient.
  Value numQueries, numKeys, allKeys;
  /// Positions of the first query and key.
  Value qOffset, keyPosition;
  /// Blocks of statistics before its own.
  Value tilesBefore;
};

/// Rows from `first` on; `padded`, their place among rows in whole blocks.
struct RowTile {
  mlir::Value first, padded;
  mlir::OpFoldResult existing;
};

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
  /// Rows of a block that begins at `first`, of `count` all and `most` of a
  /// block; a constant where all blocks are whole.
  mlir::OpFoldResult existing(mlir::Value first, mlir::Value count,
                              int64_t most);

  // BackwardSequences.cpp
  /// Tiles of queries and keys; none crosses a block of the mask's lists.
  RowTiles queryTiles() const { return {rows, walk.listed.first}; }
  RowTiles keyTiles() const { return {keys, walk.listed.second}; }
  /// How many batches, or sequences, there are.
  mlir::Value countOwners();
  /// The rows of one of them.
  OwnRows rowsOf(mlir::Value owner);
  /// The batches, and numbers of tiles, of a loop over all tiles of queries or
  /// keys; and whose tile such a number is.
  mlir::Value countGridBatches(bool ofKeys);
  mlir::Value countTiles(bool ofKeys);
  std::pair<OwnRows, RowTile> findTile(mlir::Value batch, mlir::Value number,
                                       bool ofKeys);
  /// The tile with a number of an owner's.
  RowTile tileOf(const RowTiles &tiles, mlir::Value number, mlir::Value count);
  /// A loop over the tiles of a range, in steps of rows; in numbers of tiles
  /// where blocks of lists cut them off.
  struct Steps {
    mlir::Value from, to, by;
  };
  Steps stepsOver(const RowTiles &tiles, RowRange<mlir::Value> rows);
  RowTile tileAt(const RowTiles &tiles, mlir::Value step, mlir::Value count);
  /// Whether keys of a batch may not exist though their rows do.
  bool mayLackKeys() {
    return op.getKvLengths() || op.isRagged() || op.getKeySliceAttr();
  }

  mlir::RewriterBase &rewriter;
  AttentionBackwardOp op;
  ScheduleAttr schedule;
  BackwardWalk walk;
  mlir::Location loc;
  IndexBuilder index;
  /// Queries and keys of a block; head dims, padded.
  int64_t rows, keys, qkDim, vDim;
  mlir::Type accumulator;
  mlir::Value batches, queryHeads, keyHeads, numQueries, numKeys;
  /// Query heads that share a key head.
  mlir::Value group;
  /// Queries rounded up to whole blocks: of tensors that only we read.
  mlir::Value paddedQueries;
  /// Positions of the first query and key.
  mlir::Value qOffset, kvOffset;
  bool hasFailed = false;

private:
  OwnRows rowsAt(const SequencePlaces::Sequence &sequence);
  OwnRows rowsOfBatch(mlir::Value batch);
  void limitKeys(OwnRows &own);
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

/// The gradient for the sinks (BackwardSinks.cpp).
mlir::Value buildSinkGradient(mlir::RewriterBase &rewriter,
                              AttentionBackwardOp op);

/// The same backward of rows that were in pages; and its gradients for keys and
/// values as those of the pages (BackwardPages.cpp).
AttentionBackwardOp gatherPages(mlir::RewriterBase &rewriter,
                                AttentionBackwardOp op);
void scatterPages(mlir::RewriterBase &rewriter, AttentionBackwardOp op,
                  llvm::MutableArrayRef<mlir::Value> results);

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
