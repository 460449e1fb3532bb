//===- AttentionModel.h - Counts what an attention moves --------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What AttentionIO.cpp (sizes, the whole), AttentionBlocks.cpp (which blocks
// the key loop visits), AttentionNeeds.cpp (which rows are needed at all),
// AttentionElements.cpp (what each score reads) and AttentionBytes.cpp (bytes
// of each operand) share.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_ANALYSIS_ATTENTIONMODEL_H
#define FLASH_LIB_DIALECT_FLASH_ANALYSIS_ATTENTIONMODEL_H

#include "AttentionIO.h"

#include "flash/Dialect/Flash/Analysis/KeyWalk.h"
#include "flash/Dialect/Flash/Analysis/MaskBlocks.h"

namespace flash::io {

inline int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// A batch or sequence: how many queries and keys it has, where they lie in the
/// tensors' rows, and the positions of its first query and key.
struct Rows {
  int64_t queries, keys, queryRow, keyRow, qOffset, keyPosition;
  /// Keys that the batch has before the slice of them.
  int64_t keysBefore = 0;
};

/// Queries (as rows of the batch) of a tile that exist; keys alike.
using Tile = RowBlock<int64_t>;

/// Steps of the key loop, one after another and alike: keys as rows of the
/// batch.
struct Step {
  Tile keys;
  bool full = false;
  int64_t blocks = 1;
};

/// Tiles of queries that are looked at in one of them: that one, how many they
/// are, and the rows of all.
struct TileGroup {
  Tile tile;
  int64_t tiles, from, to;
};

/// How many blocks a tile visits, how many of them are full, and the keys that
/// exist in them.
struct TileCount {
  int64_t blocks = 0, full = 0, keys = 0;
};

/// What the key loop does, over batches and query heads (that share tiles: once
/// for all of them).
struct KeyLoop {
  int64_t loadedKeys = 0;
  /// Scores that are computed, padding left out.
  int64_t pairs = 0;
  /// Those of blocks that are not full, whose predicate is asked.
  int64_t askedPairs = 0;
  BlockCounts blocks;
};

/// Sums over batches and query heads that do not depend on the mask.
struct Totals {
  int64_t rows = 0, keyRows = 0, pairs = 0;
  /// Rows that unfused products read, with tiles of m x n.
  int64_t queryLoads = 0, keyLoads = 0;
};

/// N^2 d^2 / M in bytes, or N^2 d / sqrt(M) for M < d^2; `pairs` are those of
/// queries and keys.
double orderOfGrowth(const AttentionSizes &sizes, int64_t fastMemory,
                     double pairs, bool &large);

class AttentionModel {
public:
  AttentionModel(AttentionOp op, TargetAttr target,
                 const IndexInterpreter &known)
      : op(op), target(target), known(known) {}

  llvm::LogicalResult run(OperationIO &io, std::optional<unsigned> part,
                          Needs &needs);

private:
  // AttentionIO.cpp
  llvm::LogicalResult readSizes();
  llvm::FailureOr<Rows> readRows(const KeyWalk &walk, int64_t batch);
  llvm::FailureOr<int64_t> element(mlir::Value tensor,
                                   llvm::ArrayRef<int64_t> indices);
  /// Calls `visit` for each (batch, query head) that can differ from others,
  /// with the number of those that are alike.
  llvm::LogicalResult forEachPlace(
      const KeyWalk &walk,
      llvm::function_ref<llvm::LogicalResult(const Rows &, int64_t batch,
                                             int64_t head, int64_t copies)>
          visit);

  // AttentionBlocks.cpp
  /// The keys that a batch's queries may see, from the begin of a block of
  /// `size` on.
  llvm::FailureOr<RowRange<int64_t>> visibleRows(const Rows &rows, Tile queries,
                                                 int64_t size);
  /// The steps of a tile of queries; with `classify`, whether they are full.
  llvm::FailureOr<llvm::SmallVector<Step>> steps(const Rows &rows,
                                                 const KeyWalk &walk, Tile tile,
                                                 bool classify = false);
  llvm::FailureOr<RowRange<int64_t>> rangeOfAll(const Rows &rows, int64_t first,
                                                int64_t m);
  /// Counts the blocks of a tile; false where only `steps` can.
  llvm::FailureOr<bool> countRange(const Rows &rows, const KeyWalk &walk,
                                   Tile tile, bool classify, TileCount &count);
  /// Adds what is known of blocks of a range of keys, from `key` on, halving it
  /// where it is not the same of all.
  llvm::LogicalResult addSteps(const Rows &rows, const KeyWalk &walk, Tile tile,
                               int64_t key, int64_t blocks, bool classify,
                               llvm::SmallVectorImpl<Step> &steps);
  /// Operations that asking about a tile's blocks takes.
  llvm::FailureOr<int64_t> estimateWork(const Rows &rows, const KeyWalk &walk,
                                        Tile tile, bool classify);
  /// Visits tiles of queries: each of them, or, where that would ask more of
  /// the mask than a report may take, some for the others beside them.
  llvm::LogicalResult
  forEachTile(const Rows &rows, const KeyWalk &walk, bool classify,
              llvm::function_ref<llvm::LogicalResult(const TileGroup &)> visit);
  /// Adds those of the blocks of a list: the mask's with this number, or one of
  /// the blocks of a range. `together`: with the other list in one loop.
  llvm::LogicalResult walkList(const Rows &rows, const KeyWalk &walk, Tile tile,
                               const KeyList &list, std::optional<size_t> which,
                               bool together,
                               llvm::SmallVectorImpl<Step> &steps);
  llvm::FailureOr<KeyLoop> countBlocks(const KeyWalk &walk, bool classify);
  llvm::FailureOr<Totals> addUp(const KeyWalk &walk, int64_t m);

  // AttentionNeeds.cpp
  llvm::LogicalResult findNeeds(const KeyWalk &walk, Needs &needs);
  llvm::LogicalResult addKeys(const Rows &rows, int64_t batch, int64_t first,
                              int64_t end, IntervalSet &keys);

  // AttentionElements.cpp
  void addBiases(OperationIO &io, const KeyLoop &loop, const Totals &totals,
                 llvm::function_ref<OperandIO &(llvm::StringRef)> add);
  void addCaptures(OperationIO &io, const KeyLoop &loop, const Totals &totals,
                   llvm::function_ref<OperandIO &(llvm::StringRef)> add);

  // AttentionBytes.cpp
  void addOperands(OperationIO &io, const KeyLoop &loop, const Totals &totals,
                   std::optional<unsigned> part, const Needs &needs);
  llvm::LogicalResult sweep(OperationIO &io, const KeyWalk &walk,
                            const KeyLoop &chosen, int64_t pairs);
  int64_t streamedKeys(const KeyLoop &loop, int64_t once, int64_t m);

  /// Query heads of a key head.
  int64_t group() const {
    return sizes.keyHeads && sizes.heads ? sizes.heads / sizes.keyHeads : 1;
  }
  bool batchesDiffer() {
    return mask->dependsOnBatch() || op.isRagged() || op.getKvLengths();
  }
  AttentionOp op;
  TargetAttr target;
  const IndexInterpreter &known;
  std::optional<MaskBlocks> mask;
  AttentionSizes sizes;
  int64_t kvOffset = 0;
  std::optional<int64_t> qOffset; // given for all
  /// Query heads of a tile.
  int64_t tileHeads = 1;
  /// Places that are visited, and operations that a count may take for asking
  /// the mask.
  int64_t places = 1, budget = 0;
  /// Blocks of keys that one in the middle stands for, where they are not
  /// alike, and how often one did.
  int64_t grain = 1, numCoarse = 0;
  /// Whether some tiles stood for others.
  bool sampled = false;
};

} // namespace flash::io

#endif // FLASH_LIB_DIALECT_FLASH_ANALYSIS_ATTENTIONMODEL_H
