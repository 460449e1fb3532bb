//===- AttentionBlocks.cpp - Which blocks are visited -----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The key loop of the tiled program in numbers: the same ranges, lists and
// conditions, asked of the same mask.
//
//===----------------------------------------------------------------------===//

#include "AttentionModel.h"

#include <limits>
#include <optional>

using namespace mlir;
using namespace flash;
using namespace flash::io;

FailureOr<std::pair<int64_t, int64_t>>
AttentionModel::visibleRows(const Rows &rows, int64_t first, int64_t count) {
  FailureOr<KeyRange> range =
      mask->visibleKeys(rows.qOffset + first, rows.qOffset + first + count - 1);
  if (failed(range))
    return failure();
  auto toRow = [&](int64_t position) {
    return std::clamp<int64_t>(position - rows.keyPosition, 0, rows.keys);
  };
  return std::pair<int64_t, int64_t>(range->first ? toRow(*range->first) : 0,
                                     range->end ? toRow(*range->end)
                                                : rows.keys);
}

LogicalResult AttentionModel::walkList(const Rows &rows, int64_t first,
                                       int64_t m, int64_t n,
                                       const KeyList &list,
                                       std::optional<size_t> which,
                                       SmallVectorImpl<Step> &steps) {
  int64_t block = blockSizes().second;
  int64_t qFirst = rows.qOffset + first;
  int64_t qLast = rows.qOffset - 1 +
                  std::min(tileEnd(first, m, blockSizes().first), rows.queries);
  for (int64_t number : list.numbers)
    for (int64_t offset = 0, end = 0; offset < list.size; offset = end) {
      end = tileEnd(offset, n, block);
      int64_t k = number * list.size + offset - rows.keysBefore;
      // Other blocks of the list belong to other slices.
      if (op.getKeySlice() && (k < 0 || k >= rows.keys))
        continue;
      // The list is data: what lies outside of the keys is no key.
      bool whole = block % n == 0 && allWhole(list.size);
      int64_t last = whole ? rows.keys - n : rows.keys;
      k = std::clamp<int64_t>(k, 0, last);
      int64_t count = std::min(end - offset, rows.keys - k);
      if (count == 0)
        continue;
      int64_t kFirst = rows.keyPosition + k;
      FailureOr<bool> hidden =
          mask->isHidden(qFirst, qLast, kFirst, kFirst + count - 1, which);
      if (failed(hidden))
        return failure();
      // One loop over both lists does not ask.
      if (*hidden && !together)
        continue;
      FailureOr<bool> full =
          mask->isFull(qFirst, qFirst + m - 1, kFirst, kFirst + n - 1, which);
      if (failed(full))
        return failure();
      steps.push_back({k, count, *full && count == n});
    }
  return success();
}

/// The rows of keys that all queries of a tile see, of a mask of ranges: what
/// the first and the last one see. As the compiled program asks, of the whole
/// tile, padding included.
FailureOr<std::pair<int64_t, int64_t>>
AttentionModel::rangeOfAll(const Rows &rows, int64_t first, int64_t m) {
  int64_t qFirst = rows.qOffset + first;
  FailureOr<KeyRange> ofFirst = mask->visibleKeys(qFirst, qFirst),
                      ofLast =
                          mask->visibleKeys(qFirst + m - 1, qFirst + m - 1);
  if (failed(ofFirst) || failed(ofLast))
    return failure();
  constexpr int64_t far = std::numeric_limits<int64_t>::max() / 4;
  return std::pair(ofLast->first.value_or(-far) - rows.keyPosition,
                   ofFirst->end.value_or(far) - rows.keyPosition);
}

/// The blocks of a tile, counted without a look at each: where those that are
/// visited are a range, and those that are full another one in it.
FailureOr<bool> AttentionModel::countRange(const Rows &rows, int64_t first,
                                           int64_t m, int64_t n, bool classify,
                                           TileCount &count) {
  if (mask->hasLists() || mask->hasHoles() || blockSizes().second % n != 0 ||
      (classify && mask->hasMask() && !mask->hasRanges()))
    return false;
  int64_t queries =
      std::min(tileEnd(first, m, blockSizes().first), rows.queries) - first;
  FailureOr<std::pair<int64_t, int64_t>> visible =
      visibleRows(rows, first, queries);
  if (failed(visible))
    return failure();
  auto [from, to] = *visible;
  // The program begins at a block: one in which nothing is seen is loaded.
  from = from / n * n;
  if (from >= to)
    return true;
  count.blocks = ceilDiv(to - from, n);
  int64_t end = std::min(from + count.blocks * n, rows.keys);
  count.keys = end - from;
  if (!classify)
    return true;
  std::pair<int64_t, int64_t> all{from, end};
  if (mask->hasMask()) {
    FailureOr<std::pair<int64_t, int64_t>> range = rangeOfAll(rows, first, m);
    if (failed(range))
      return failure();
    all = {std::max(range->first, from), std::min(range->second, end)};
  }
  int64_t begin = from + ceilDiv(all.first - from, n) * n;
  count.full = std::max<int64_t>((all.second - begin) / n, 0);
  if (all.second <= begin)
    count.full = 0;
  return true;
}

FailureOr<SmallVector<Step>> AttentionModel::steps(const Rows &rows,
                                                   int64_t first, int64_t m,
                                                   int64_t n, bool classify) {
  SmallVector<Step> steps;
  if (mask->hasLists()) {
    FailureOr<SmallVector<KeyList>> lists =
        mask->keyLists(rows.qOffset + first);
    if (failed(lists))
      return failure();
    for (auto [index, list] : llvm::enumerate(*lists))
      if (failed(walkList(rows, first, m, n, list, index, steps)))
        return failure();
    return steps;
  }
  int64_t block = blockSizes().second;
  int64_t count =
      std::min(tileEnd(first, m, blockSizes().first), rows.queries) - first;
  FailureOr<std::pair<int64_t, int64_t>> visible =
      visibleRows(rows, first, count);
  if (failed(visible))
    return failure();
  auto [from, to] = *visible;
  if (block % n != 0) {
    KeyList range{block, {}};
    for (int64_t number = from / block; number < ceilDiv(to, block); ++number)
      range.numbers.push_back(number + rows.keysBefore / block);
    if (failed(walkList(rows, first, m, n, range, std::nullopt, steps)))
      return failure();
    return steps;
  }
  int64_t qFirst = rows.qOffset + first;
  std::optional<std::pair<int64_t, int64_t>> seenByAll;
  if (classify && mask->hasRanges()) {
    FailureOr<std::pair<int64_t, int64_t>> range = rangeOfAll(rows, first, m);
    if (failed(range))
      return failure();
    seenByAll = *range;
  }
  bool hasHoles = mask->hasHoles();
  steps.reserve(to > from ? ceilDiv(to - from / n * n, n) : 0);
  for (int64_t k = from / n * n; k < to; k += n) {
    int64_t keys = std::min(n, rows.keys - k), kFirst = rows.keyPosition + k;
    if (hasHoles) {
      FailureOr<bool> hidden =
          mask->isHidden(qFirst, qFirst + count - 1, kFirst, kFirst + keys - 1);
      if (failed(hidden))
        return failure();
      if (*hidden)
        continue;
    }
    steps.push_back({k, keys});
    if (!classify || keys < n)
      continue;
    if (seenByAll) {
      steps.back().full = seenByAll->first <= k && k + n <= seenByAll->second;
      continue;
    }
    // As the compiled program asks: of the whole tile, padding included.
    FailureOr<bool> full =
        mask->isFull(qFirst, qFirst + m - 1, kFirst, kFirst + n - 1);
    if (failed(full))
      return failure();
    steps.back().full = *full;
  }
  return steps;
}

FailureOr<KeyLoop> AttentionModel::countBlocks(int64_t m, int64_t n,
                                               bool classify) {
  KeyLoop loop;
  auto [queryBlock, keyBlock] = blockSizes();
  auto visit = [&, queryBlock = queryBlock,
                keyBlock = keyBlock](const Rows &rows, int64_t, int64_t,
                                     int64_t copies) -> LogicalResult {
    for (int64_t q = 0, end = 0; q < rows.queries; q = end) {
      end = tileEnd(q, m, queryBlock);
      int64_t here = std::min(end, rows.queries) - q;
      TileCount count;
      FailureOr<bool> counted = countRange(rows, q, m, n, classify, count);
      if (failed(counted))
        return failure();
      if (*counted) {
        loop.blocks.all += copies * countTiles(rows.keys, n, keyBlock);
        loop.blocks.visited += copies * count.blocks;
        loop.loadedKeys += copies * count.keys;
        loop.pairs += copies * count.keys * here;
        loop.askedPairs += copies * (count.keys - count.full * n) * here;
        loop.blocks.full += copies * count.full;
        continue;
      }
      FailureOr<SmallVector<Step>> taken = steps(rows, q, m, n, classify);
      if (failed(taken))
        return failure();
      loop.blocks.all += copies * countTiles(rows.keys, n, keyBlock);
      loop.blocks.visited += copies * int64_t(taken->size());
      for (const Step &step : *taken) {
        loop.loadedKeys += copies * step.count;
        int64_t pairs = copies * step.count * (std::min(end, rows.queries) - q);
        loop.pairs += pairs;
        loop.askedPairs += step.full ? 0 : pairs;
        loop.blocks.full += copies * int64_t(step.full);
      }
    }
    return success();
  };
  if (failed(forEachPlace(visit)))
    return failure();
  for (int64_t *count : {&loop.loadedKeys, &loop.blocks.all,
                         &loop.blocks.visited, &loop.blocks.full})
    *count /= tileHeads;
  return loop;
}

FailureOr<Totals> AttentionModel::addUp(int64_t m, int64_t n) {
  Totals totals;
  auto visit = [&](const Rows &rows, int64_t, int64_t,
                   int64_t copies) -> LogicalResult {
    totals.rows += copies * rows.queries;
    totals.keyRows += copies * rows.keys; // of query heads, for now
    totals.pairs += copies * rows.queries * rows.keys;
    totals.queryLoads += copies * rows.queries * ceilDiv(rows.keys, n);
    totals.keyLoads += copies * ceilDiv(rows.queries, m) * rows.keys;
    return success();
  };
  if (failed(forEachPlace(visit)))
    return failure();
  totals.keyRows /= group();
  return totals;
}
