//===- AttentionTiler.h - Tiles one attention -------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What TileAttention.cpp (the loops over batches, heads and queries),
// TileKeys.cpp (the loops over keys) and TileResults.cpp (what follows them)
// share.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_TRANSFORMS_ATTENTIONTILER_H
#define FLASH_LIB_DIALECT_FLASH_TRANSFORMS_ATTENTIONTILER_H

#include "PackedRows.h"
#include "SequencePlaces.h"
#include "TileUtils.h"

#include "flash/Dialect/Flash/Analysis/KeyWalk.h"

namespace flash {

/// Values of one batch or sequence.
struct BatchRows {
  mlir::Value batch;
  /// How many queries and keys there are, in which batch of the operands and
  /// from which row on they lie, and which positions the first ones have.
  mlir::Value numQueries, numKeys, qOffset, kvOffset, keyPosition, rowBatch,
      queryRow, keyRow;
  /// Of ragged sequences: the place of this one, from 1 on, among the bounds;
  /// and whether it is one, and not what lies before the first or after the
  /// last.
  mlir::Value place, isSequence;
  /// How many keys before the slice the batch has; null if it is not sliced.
  mlir::Value keysBefore;
};

/// Values of one block of queries.
struct QueryBlock : BatchRows {
  explicit QueryBlock(const BatchRows &here) : BatchRows(here) {}

  /// Of several heads, queryHead is the first.
  mlir::Value keyHead, queryHead;
  /// The first one's position, how many there are, and how many are read.
  mlir::Value qPosition, existingQueries, readQueries;
  /// Of its heads; null if there is none, or if each row has its own.
  mlir::Value keyScale, sink;
};

/// What decides inside of steps: the attention's mask, or what a list of blocks
/// leaves of it (null: all is visible).
struct StepMask {
  MaskAttrInterface attr;
  llvm::SmallVector<mlir::Value> operands;
  /// Of the block's queries, and of the step's keys, where the mask has data to
  /// sum up (TilePlace).
  llvm::SmallVector<mlir::Value> querySummary, keySummary;
  /// Of a step in a loop over several lists (TilePlace); else null.
  mlir::Value listedFull;
};

/// Tiles one flash.attention: what is fixed for all its blocks, and the steps
/// that build one.
class AttentionTiler {
public:
  AttentionTiler(mlir::RewriterBase &rewriter, AttentionOp op,
                 ScheduleAttr schedule)
      : rewriter(rewriter), op(op), schedule(schedule),
        tiling(schedule.getTiling()), walk(op, tiling), loc(op.getLoc()),
        index(rewriter, loc), rows(tiling.getM()), keys(tiling.getN()),
        qkDim(roundUp(op.getQKHeadDim(), tiling.getD())),
        vDim(roundUp(op.getVHeadDim(), tiling.getD())),
        accumulator(op.getAccumulatorType()) {
    if (tiling.getTileHeads() > 1)
      packing = PackingAttr::get(op.getContext(), tiling.getTileHeads(),
                                 op.getLayout() == Layout::BHSD);
  }

  /// Tiles calls whose length (of queries or keys, whichever is longer) is
  /// above `above` and, where there is one, at most `upTo`. For others, nothing
  /// happens and the results are `outs` (none: what has no value).
  llvm::SmallVector<mlir::Value> tile(int64_t above,
                                      std::optional<int64_t> upTo,
                                      llvm::SmallVector<mlir::Value> outs);

private:
  using Value = mlir::Value;
  using State = llvm::SmallVector<Value>; // acc, max, sum

  // TileAttention.cpp
  llvm::SmallVector<Value> emptyResults();
  Value isWithin(int64_t above, std::optional<int64_t> upTo);
  BatchRows findRows(BatchRows here);
  BatchRows takeSlice(BatchRows here);
  void buildBlock(const BatchRows &here, Value headsPerKeyHead, Value head,
                  Value number, mlir::ValueRange outs,
                  mlir::scf::InParallelOp terminator);
  Value queryTile(const QueryBlock &block, Value first);
  void insertRows(const QueryBlock &block, Value tile, Value dest, Value first,
                  mlir::scf::InParallelOp terminator);

  // TileSequences.cpp
  SequencePlaces placesOfQueries();
  Value countSequenceBlocks();
  std::pair<BatchRows, Value> findSequence(BatchRows here, Value block);
  RowBlock<Value> findSequenceRows(Value starts, Value place, Value count);
  QueryBlock leaveOut(QueryBlock block);

  // TileKeys.cpp
  TilePlace maskPlace(const QueryBlock &block, const StepMask &mask);
  State loopOverKeys(const QueryBlock &block, Value query, Value qLast);
  State walkRange(const QueryBlock &block, StepMask mask, Value query,
                  Value qLast, State state);
  State walkBlocks(const QueryBlock &block, const StepMask &mask, Value query,
                   RowRange<Value> range, bool whole, State state);
  KeyBlocks listRange(const QueryBlock &block, const StepMask &mask,
                      RowRange<Value> seen);
  State walkList(const QueryBlock &block, Value query, const KeyBlocks &list,
                 State state);
  State walkTogether(const QueryBlock &block, StepMask mask, Value query,
                     llvm::ArrayRef<KeyBlocks> lists, State state);
  ListedTile<Value> listedTile(const KeyBlocks &list, Value n);
  KeyBlocks joinLists(const KeyBlocks &first, const KeyBlocks &second);
  State stepUnless(const QueryBlock &block, Value hidden, const StepMask &mask,
                   Value query, Value k0, mlir::OpFoldResult existing,
                   State state);
  StepMask sumUpQueries(const QueryBlock &block, StepMask mask);
  StepMask sumUpKeys(const QueryBlock &block, StepMask mask, Value k0,
                     mlir::OpFoldResult existing);
  Value isHidden(const QueryBlock &block, const StepMask &mask, Value k0,
                 mlir::OpFoldResult existing);
  State step(const QueryBlock &block, const StepMask &mask, Value query,
             Value k0, mlir::OpFoldResult existing, State state);
  RowRange<Value> visibleKeys(const QueryBlock &block, const StepMask &mask,
                              Value qLast);
  Value keyTile(const QueryBlock &block, Value tensor, Value k0,
                mlir::OpFoldResult existing, int64_t dim);
  Value pagedTile(const QueryBlock &block, Value tensor, Value k0,
                  mlir::OpFoldResult existing, int64_t dim);

  // TileResults.cpp
  Value headFactor(Value factors, Value head);
  Value sinkOfRow(const QueryBlock &block, mlir::OpBuilder &builder,
                  mlir::Location loc);
  Value rowFactor(const QueryBlock &block, const State &state);
  Value output(const QueryBlock &block, const State &state);
  Value logSumExp(const QueryBlock &block, const State &state);
  double rowScale();

  mlir::RewriterBase &rewriter;
  AttentionOp op;
  /// What is said of the loop over tiles, for who comes after; and what is read
  /// here.
  ScheduleAttr schedule;
  TilingAttr tiling;
  KeyWalk walk;
  mlir::Location loc;
  IndexBuilder index;
  /// Rows of a query tile, keys of a tile, and head dims, padded.
  int64_t rows, keys, qkDim, vDim;
  mlir::Type accumulator;
  /// Which query each row is; null where all are of one head.
  PackingAttr packing;
};

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_TRANSFORMS_ATTENTIONTILER_H
