//===- BackwardBlocks.h - The blocks that a backward meets ------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The loops of a backward in numbers: for each block of the loop outside, which
// blocks of the loop inside the mask lets through, asked in the direction in
// which the loop asks.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_ANALYSIS_BACKWARDBLOCKS_H
#define FLASH_LIB_DIALECT_FLASH_ANALYSIS_BACKWARDBLOCKS_H

#include "AttentionModel.h"

#include "flash/Dialect/Flash/Analysis/BackwardWalk.h"

namespace flash::io {

/// What a loop over blocks goes through, over all batches and heads.
struct LoopCount {
  /// Rows of the loop inside that are loaded, and its iterations.
  int64_t rows = 0, steps = 0;
  /// Rows of either loop that some step has.
  int64_t neededOutside = 0, neededInside = 0;
  BlockCounts blocks;
  /// Whether some blocks stand for those beside them.
  bool sampled = false;
};

class BackwardBlocks {
public:
  BackwardBlocks(const BackwardWalk &walk, MaskBlocks &mask,
                 const AttentionSizes &sizes, int64_t qOffset, int64_t kvOffset)
      : walk(walk), mask(mask), sizes(sizes), qOffset(qOffset),
        kvOffset(kvOffset) {}

  /// Exact for masks whose full blocks are neighbours and for short sequences,
  /// else near: it takes a second or two whatever the length.
  llvm::FailureOr<LoopCount> count(const BackwardLoop &loop);

private:
  using Rows = RowRange<int64_t>;

  /// Blocks [from, to) of the loop outside, for which `block` stands: it is one
  /// of them.
  struct Group {
    int64_t from, to;
    Tile block, all;
  };
  llvm::SmallVector<Group> groupsOf(const BackwardLoop &loop, int64_t places);
  void setPlace(int64_t batch, int64_t head);
  llvm::FailureOr<Rows> visibleRows(const BackwardLoop &loop, Tile block);
  llvm::FailureOr<llvm::SmallVector<Rows>>
  rowsOfHeads(const BackwardLoop &loop, Tile block, int64_t batch,
              int64_t first, int64_t heads);
  /// Whether full blocks are neighbours, and found as such.
  bool findsFull() {
    return !mask.hasMask() || (mask.hasRanges() && !mask.hasHoles());
  }
  llvm::FailureOr<Rows> rowsOfAll(const BackwardLoop &loop, Tile block);
  llvm::FailureOr<int64_t> countFull(const BackwardLoop &loop, Tile block,
                                     Rows rows);

  int64_t group() const {
    return sizes.keyHeads ? sizes.heads / sizes.keyHeads : 1;
  }
  int64_t rowsOutside(const BackwardLoop &loop) const {
    return loop.keysOutside ? sizes.keys : sizes.queries;
  }
  int64_t rowsInside(const BackwardLoop &loop) const {
    return loop.keysOutside ? sizes.queries : sizes.keys;
  }
  static int64_t sizeOutside(const BackwardLoop &loop) {
    return loop.keysOutside ? loop.n : loop.m;
  }
  static int64_t sizeInside(const BackwardLoop &loop) {
    return loop.keysOutside ? loop.m : loop.n;
  }

  const BackwardWalk &walk;
  MaskBlocks &mask;
  const AttentionSizes &sizes;
  int64_t qOffset, kvOffset;
  /// Whether some blocks stand for those beside them.
  bool isCoarse = false;
};

} // namespace flash::io

#endif // FLASH_LIB_DIALECT_FLASH_ANALYSIS_BACKWARDBLOCKS_H
