//===- BackwardBlocks.cpp - The blocks that a backward meets --------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block outside asks for the range of rows that it meets, and which blocks of
// the range are full. Where a mask has to be asked about each block, of long
// sequences some blocks, outside and inside, stand for those beside them.
//
//===----------------------------------------------------------------------===//

#include "BackwardBlocks.h"

#include "llvm/ADT/Sequence.h"

#include <algorithm>
#include <limits>

using namespace mlir;
using namespace flash;
using namespace flash::io;

/// So many answers about blocks, one by one, are waited for.
static constexpr int64_t kMostAnswers = int64_t(1) << 20;
/// Else blocks outside, over all batches and heads; but of each at least
/// `kFewest`; and blocks inside.
static constexpr int64_t kOutside = 256, kFewest = 16, kInside = 256;

void BackwardBlocks::setPlace(int64_t batch, int64_t head) {
  mask.setPlace({batch, head, qOffset, kvOffset, qOffset, kvOffset,
                 qOffset + sizes.queries, kvOffset + sizes.keys});
}

/// The rows inside that the mask shows to a block outside.
FailureOr<RowRange<int64_t>>
BackwardBlocks::visibleRows(const BackwardLoop &loop, Tile block) {
  KnownIndex index;
  int64_t first = block.first, last = first + block.count - 1;
  FailureOr<KeyRange> range =
      loop.keysOutside ? mask.visibleQueries(kvOffset + first, kvOffset + last)
                       : mask.visibleKeys(qOffset + first, qOffset + last);
  if (failed(range))
    return failure();
  std::pair positions(range->first, range->end);
  return loop.keysOutside
             ? flash::rowsOf(index, positions, qOffset, sizes.queries, loop.m)
             : flash::rowsOf(index, positions, kvOffset, sizes.keys, loop.n);
}

/// The same for each of some heads, as the loop walks them.
FailureOr<SmallVector<RowRange<int64_t>>>
BackwardBlocks::rowsOfHeads(const BackwardLoop &loop, Tile block, int64_t batch,
                            int64_t first, int64_t heads) {
  KnownIndex index;
  SmallVector<Rows> own;
  for (int64_t i = 0; i < heads; ++i) {
    setPlace(batch, first + i);
    FailureOr<Rows> rows = visibleRows(loop, block);
    if (failed(rows))
      return failure();
    own.push_back(*rows);
  }
  if (loop.keysOutside) {
    auto [rows, differ] =
        walk.joinHeads(index, mask.queriesDependOnHead(), sizes.queries,
                       [&](int64_t head) { return own[heads > 1 ? head : 0]; });
    if (!walk.leavesOut(differ))
      std::fill(own.begin(), own.end(), rows);
  }
  return own;
}

/// The rows inside with which all of a block outside have a visible pair, of a
/// mask of ranges whose bounds do not fall from one query to the next: keys
/// between what the last and the first query see; queries that see the first
/// key of the block and the last.
FailureOr<RowRange<int64_t>> BackwardBlocks::rowsOfAll(const BackwardLoop &loop,
                                                       Tile block) {
  constexpr int64_t far = std::numeric_limits<int64_t>::max() / 4;
  if (!mask.hasMask())
    return Rows{-far, far};
  bool failed = false;
  // Rows of keys that a query sees.
  auto seenBy = [&](int64_t query) {
    FailureOr<KeyRange> range =
        mask.visibleKeys(qOffset + query, qOffset + query);
    failed |= llvm::failed(range);
    return failed ? Rows{0, 0}
                  : Rows{range->first.value_or(-far) - kvOffset,
                         range->end.value_or(far) - kvOffset};
  };
  int64_t first = block.first, last = first + block.count - 1;
  Rows all{0, 0};
  if (loop.keysOutside) {
    auto queries = llvm::seq<int64_t>(0, sizes.queries);
    auto firstWithout = [&](function_ref<bool(Rows)> holds) {
      return *std::partition_point(
          queries.begin(), queries.end(),
          [&](int64_t query) { return holds(seenBy(query)); });
    };
    all = {firstWithout([&](Rows seen) { return seen.end <= last; }),
           firstWithout([&](Rows seen) { return seen.first <= first; })};
  } else {
    all = {seenBy(last).first, seenBy(first).end};
  }
  if (failed)
    return failure();
  return all;
}

/// Of the blocks of `rows` that a block outside meets, those of n keys that
/// need no predicate.
FailureOr<int64_t> BackwardBlocks::countFull(const BackwardLoop &loop,
                                             Tile block, Rows rows) {
  int64_t size = sizeInside(loop), full = 0;
  // Of fewer than n keys none is.
  if (loop.keysOutside && block.count < loop.n)
    return full;
  if (findsFull()) {
    FailureOr<Rows> all = rowsOfAll(loop, block);
    if (failed(all))
      return failure();
    int64_t count = rows.end - rows.first;
    int64_t from = ceilDiv(std::max(all->first - rows.first, int64_t(0)), size),
            to = all->end < rows.end ? (all->end - rows.first) / size
                 : loop.keysOutside  ? ceilDiv(count, size)
                                     : count / size;
    return all->end <= rows.first ? full : std::max(to - from, full);
  }
  int64_t blocks = ceilDiv(rows.end - rows.first, size),
          grain = isCoarse ? ceilDiv(blocks, kInside) : 1;
  for (int64_t from = 0; from < blocks; from += grain) {
    int64_t to = std::min(from + grain, blocks);
    int64_t row = rows.first + (from + to - 1) / 2 * size;
    Tile inside{row, std::min(size, rows.end - row)};
    auto [queries, keys] =
        loop.keysOutside ? std::pair(inside, block) : std::pair(block, inside);
    if (keys.count < loop.n)
      continue;
    int64_t q = qOffset + queries.first, k = kvOffset + keys.first;
    FailureOr<bool> isFull =
        mask.isFull(q, q + queries.count - 1, k, k + keys.count - 1);
    if (failed(isFull))
      return failure();
    full += *isFull * (to - from);
  }
  return full;
}

/// The blocks of the loop outside: each by itself, or, where `places` times
/// that is too much to ask about, some in the place of those beside them.
SmallVector<BackwardBlocks::Group>
BackwardBlocks::groupsOf(const BackwardLoop &loop, int64_t places) {
  KnownIndex index;
  int64_t rows = rowsOutside(loop), size = sizeOutside(loop);
  RowTiles tiles{size};
  int64_t blocks = tiles.count(index, rows),
          inside = ceilDiv(rowsInside(loop), sizeInside(loop)), groups = blocks;
  isCoarse = !findsFull() &&
             double(places) * double(blocks) * double(inside) > kMostAnswers;
  if (isCoarse)
    groups = std::min(blocks, std::max(kOutside / places, kFewest));
  SmallVector<Group> made;
  for (int64_t number = 0; number < groups; ++number) {
    int64_t from = blocks * number / groups,
            to = blocks * (number + 1) / groups;
    Tile block = tiles.find(index, (from + to - 1) / 2);
    block.count = std::min(block.count, rows - block.first);
    int64_t first = tiles.find(index, from).first;
    made.push_back(
        {from, to, block, {first, std::min(to * size, rows) - first}});
  }
  return made;
}

FailureOr<LoopCount> BackwardBlocks::count(const BackwardLoop &loop) {
  KnownIndex index;
  LoopCount counted;
  // A block of keys meets the queries of a group of heads. Where the mask asks
  // which head it is, each is walked; otherwise one stands for all.
  bool dependent = mask.dependsOnPlace();
  int64_t inGroup = loop.keysOutside ? group() : 1,
          heads = loop.keysOutside ? sizes.keyHeads : sizes.heads,
          batches = dependent ? sizes.batch : 1, places = dependent ? heads : 1,
          each = dependent ? inGroup : 1;
  if (sizes.batch * sizes.heads * heads == 0)
    return counted;
  int64_t copies = sizes.batch * heads / (batches * places);
  int64_t size = sizeInside(loop);
  SmallVector<Group> groups = groupsOf(loop, batches * places * each);
  counted.sampled = isCoarse;
  for (int64_t b = 0; b < batches; ++b)
    for (int64_t h = 0; h < places; ++h) {
      std::vector<IntervalSet> needed(each);
      for (const Group &group : groups) {
        int64_t times = group.to - group.from;
        auto own = rowsOfHeads(loop, group.block, b, h * inGroup, each);
        // What all of a group need is a range of theirs.
        auto ofAll = times == 1
                         ? own
                         : rowsOfHeads(loop, group.all, b, h * inGroup, each);
        if (failed(own) || failed(ofAll))
          return failure();
        bool met = false;
        for (auto [i, rows, whole] : llvm::enumerate(*own, *ofAll)) {
          counted.blocks.all +=
              ceilDiv(rowsInside(loop), size) * times * copies;
          int64_t steps = flash::countBlocks(index, rows, size);
          if (steps == 0)
            continue;
          met = true;
          rows.end = std::min(rows.first + steps * size, rowsInside(loop));
          counted.steps += steps * times * copies;
          counted.blocks.visited += steps * times * copies;
          counted.rows += (rows.end - rows.first) * times * copies;
          needed[i].insert(whole.first, std::max(whole.end, rows.end));
          setPlace(b, h * inGroup + int64_t(i));
          FailureOr<int64_t> full = countFull(loop, group.block, rows);
          if (failed(full))
            return failure();
          counted.blocks.full += *full * times * copies;
        }
        counted.neededOutside += met * group.all.count * copies;
      }
      for (const IntervalSet &rows : needed)
        counted.neededInside += rows.size() * copies;
    }
  // Each query head of a group has its own tiles.
  for (int64_t *number :
       {&counted.rows, &counted.steps, &counted.neededInside,
        &counted.blocks.all, &counted.blocks.visited, &counted.blocks.full})
    *number *= inGroup / each;
  return counted;
}
