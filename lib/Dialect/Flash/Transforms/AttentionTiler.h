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
  void findRows();
  void takeSlice();
  void buildBlock(Value head, Value block, mlir::ValueRange outs,
                  mlir::scf::InParallelOp terminator);
  Value queryTile(Value first, Value existing);
  void insertRows(Value tile, Value dest, Value first,
                  mlir::OpFoldResult existing,
                  mlir::scf::InParallelOp terminator);
  TilePlace maskPlace();

  // TileSequences.cpp
  SequencePlaces placesOfQueries();
  Value countSequenceBlocks();
  Value findSequence(Value block);
  void findSequenceRows(Value starts, Value &first, Value &count);
  Value leaveOut(Value existing);

  // TileKeys.cpp
  State loopOverKeys(Value query, Value qLast);
  State walkRange(Value query, Value qLast, State state);
  State walkBlocks(Value query, RowRange<Value> range, bool whole, State state);
  KeyBlocks listRange(RowRange<Value> seen);
  State walkList(Value query, const KeyBlocks &list, State state);
  State walkTogether(Value query, llvm::ArrayRef<KeyBlocks> lists, State state);
  ListedTile<Value> listedTile(const KeyBlocks &list, Value n);
  KeyBlocks joinLists(const KeyBlocks &first, const KeyBlocks &second);
  State stepUnless(Value hidden, Value query, Value k0,
                   mlir::OpFoldResult existing, State state);
  void sumUpQueries();
  void sumUpKeys(Value k0, mlir::OpFoldResult existing);
  Value isHidden(Value k0, mlir::OpFoldResult existing);
  State step(Value query, Value k0, mlir::OpFoldResult existing, State state);
  RowRange<Value> visibleKeys(Value qLast);
  Value keyTile(Value tensor, Value k0, mlir::OpFoldResult existing,
                int64_t dim);
  Value pagedTile(Value tensor, Value k0, mlir::OpFoldResult existing,
                  int64_t dim);

  // TileResults.cpp
  Value headFactor(Value factors, Value head);
  Value sinkOfRow(mlir::OpBuilder &builder, mlir::Location loc);
  Value rowFactor(const State &state);
  Value output(const State &state);
  Value logSumExp(const State &state);
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

  // Values that hold for the whole operation.
  Value kvOffset, headsPerKeyHead;
  // Values of one batch or sequence: how many queries and keys there are, in
  // which batch of the operands and from which row on they lie, and which
  // positions the first ones have.
  Value numQueries, numKeys, qOffset, keyPosition, rowBatch, queryRow, keyRow;
  // Of ragged sequences: the place of this one, from 1 on, among the bounds;
  // and whether it is one, and not what lies before the first or behind the
  // last.
  Value place, isSequence;
  // How many keys before the slice the batch has; null if it is not sliced.
  Value keysBefore;
  // Values of one block. Of several heads, queryHead is the first.
  Value batch, keyHead, queryHead, qPosition, existingQueries;
  // Of its heads; null if there is none, or if each row has its own.
  Value keyScale, sink;
  /// The mask of the steps being built: the attention's, or what a list of
  /// blocks leaves of it; with its operands.
  MaskAttrInterface mask;
  llvm::SmallVector<Value> maskOperands;
  /// Of the block's queries, and of the keys of the step being built, where the
  /// mask has data to sum up (TilePlace).
  llvm::SmallVector<Value> querySummary, keySummary;
  /// Of a step in a loop over several lists (TilePlace); else null.
  Value listedFull;
};

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_TRANSFORMS_ATTENTIONTILER_H
