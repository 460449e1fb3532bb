//===- BackwardWalk.h - Which blocks a backward walks -----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A backward is a loop over rows for their statistics, loops with products
// (`loops`), and where several blocks add to the gradient for the queries a
// loop over rows that rounds it. In a loop with products, a block outside meets
// the blocks inside that the mask shows to it. The tiler builds these loops,
// the IO model follows them (BlockWalk.h).
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_ANALYSIS_BACKWARDWALK_H
#define FLASH_DIALECT_FLASH_ANALYSIS_BACKWARDWALK_H

#include "flash/Dialect/Flash/Analysis/BlockWalk.h"
#include "flash/Dialect/Flash/IR/Flash.h"

namespace flash {

/// A loop with products: what is outside, the gradients that it gives, and its
/// tiles of m queries and n keys.
struct BackwardLoop {
  bool keysOutside;
  bool query, key, value;
  int64_t m, n;
  /// Whether it gives the gradients of what score functions read, and no other.
  bool operands = false;

  /// Whether blocks of keys add to the gradient for the queries, which is
  /// scaled and rounded after the loop.
  bool addsToQueries() const { return keysOutside && query; }
  /// Two products compute the scores and their gradients again; of the gradient
  /// for the values alone the second is not needed.
  bool needsScoreGradients() const { return query || key || operands; }
};

/// The rows of queries that see a block of keys, for all heads of a group.
template <typename Number> struct GroupRows {
  RowRange<Number> rows;
  /// Whether each head may have rows of its own, of which these are the first
  /// and the last.
  bool differ = false;
};

class BackwardWalk {
public:
  explicit BackwardWalk(AttentionBackwardOp op);

  /// The loops with products, in order; none where nothing is seen, or nothing
  /// is asked for.
  llvm::SmallVector<BackwardLoop> loops;
  /// Queries of a block of the loop that computes statistics: whole blocks of
  /// each loop that reads them.
  int64_t statisticsRows = 0;
  /// Queries and keys of the blocks that the mask's lists number; 0 without.
  std::pair<int64_t, int64_t> listed;
  /// Query heads that share a key head, where types say how many.
  std::optional<int64_t> group;

  /// Whether a loop that rounds follows those with products.
  bool rounds() const {
    return llvm::any_of(
        loops, [](const BackwardLoop &loop) { return loop.addsToQueries(); });
  }
  /// Whether one thread has a tile.
  bool isOfOneThread() const { return oneThread; }

  /// Queries rounded up to whole blocks: of tensors that only we read.
  template <typename Index>
  typename Index::Number padQueries(Index &index,
                                    typename Index::Number queries) const {
    return index.mul(index.ceilDiv(queries, statisticsRows),
                     index.constant(statisticsRows));
  }

  /// The rows that a loop over the heads of a group walks for a block of keys.
  /// `ask` says what the mask shows of the n-th head; `dependsOnHead`, whether
  /// that asks which head it is.
  template <typename Index, typename Ask>
  GroupRows<typename Index::Number> joinHeads(Index &index, bool dependsOnHead,
                                              typename Index::Number queries,
                                              Ask ask) const {
    // Up to so many heads are asked for the first and the last of their rows.
    constexpr int64_t most = 16;
    if (!dependsOnHead || group == 1)
      return {ask(0), false};
    if (!group || *group > most)
      return {{index.constant(0), queries}, true};
    auto rows = ask(0);
    for (int64_t head = 1; head < *group; ++head) {
      auto own = ask(head);
      rows = {index.min(rows.first, own.first), index.max(rows.end, own.end)};
    }
    return {rows, true};
  }

  /// Where heads have rows of their own, one thread leaves out those of others;
  /// warps mask them.
  bool leavesOut(bool differ) const { return differ && oneThread; }
  template <typename Index>
  typename Index::Truth isOwn(Index &index, typename Index::Number row,
                              RowRange<typename Index::Number> own) const {
    auto begun = index.atLeast(row, own.first);
    return index.both(begun, index.less(row, own.end));
  }

private:
  bool oneThread = false;
};

} // namespace flash

#endif // FLASH_DIALECT_FLASH_ANALYSIS_BACKWARDWALK_H
