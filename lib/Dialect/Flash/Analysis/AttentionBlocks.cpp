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
  from = from / n * n;
  if (from >= to)
    return steps;
  int64_t blocks = ceilDiv(to - from, n);
  if (!seenByAll) {
    int64_t each = mask->hasMask() && mask->asksByBlock() ? grain : blocks;
    for (int64_t done = 0; done < blocks; done += each)
      if (failed(addSteps(rows, first, m, n, from + done * n,
                          std::min(each, blocks - done), classify, steps)))
        return failure();
    return steps;
  }
  bool hasHoles = mask->hasHoles();
  for (int64_t k = from; k < to; k += n) {
    int64_t keys = std::min(n, rows.keys - k), kFirst = rows.keyPosition + k;
    if (hasHoles) {
      FailureOr<bool> hidden =
          mask->isHidden(qFirst, qFirst + count - 1, kFirst, kFirst + keys - 1);
      if (failed(hidden))
        return failure();
      if (*hidden)
        continue;
    }
    bool full =
        keys == n && seenByAll->first <= k && k + n <= seenByAll->second;
    steps.push_back({k, keys, full});
  }
  return steps;
}

LogicalResult AttentionModel::addSteps(const Rows &rows, int64_t first,
                                       int64_t m, int64_t n, int64_t key,
                                       int64_t blocks, bool classify,
                                       SmallVectorImpl<Step> &steps) {
  int64_t qFirst = rows.qOffset + first,
          count =
              std::min(tileEnd(first, m, blockSizes().first), rows.queries) -
              first,
          keys = std::min(blocks * n, rows.keys - key),
          kFirst = rows.keyPosition + key;
  bool asksHidden = mask->hasHoles() && mask->mayBeHidden(),
       asksFull = (classify || asksHidden) && mask->mayBeFull();
  Step all{key, keys, false, blocks};
  bool asksOne = blocks > 1 && mask->hasMask() && mask->asksByBlock();
  if (asksHidden && !asksOne) {
    FailureOr<bool> hidden =
        mask->isHidden(qFirst, qFirst + count - 1, kFirst, kFirst + keys - 1);
    if (failed(hidden))
      return failure();
    if (*hidden)
      return success();
  }
  bool full = false;
  if (asksFull && !asksOne && keys == blocks * n) {
    // As the compiled program asks: of the whole tile, padding included.
    FailureOr<bool> answer =
        mask->isFull(qFirst, qFirst + m - 1, kFirst, kFirst + keys - 1);
    if (failed(answer))
      return failure();
    full = *answer;
  }
  if (full || blocks == 1 || (!asksHidden && !asksFull)) {
    all.full = full && classify;
    steps.push_back(all);
    return success();
  }
  if (blocks <= grain) {
    ++numCoarse;
    SmallVector<Step> middle;
    if (failed(addSteps(rows, first, m, n, key + blocks / 2 * n, 1, classify,
                        middle)))
      return failure();
    if (!middle.empty()) {
      all.full = middle.front().full && keys == blocks * n;
      steps.push_back(all);
    }
    return success();
  }
  int64_t half = blocks / 2;
  return success(
      succeeded(addSteps(rows, first, m, n, key, half, classify, steps)) &&
      succeeded(addSteps(rows, first, m, n, key + half * n, blocks - half,
                         classify, steps)));
}

FailureOr<int64_t> AttentionModel::estimateWork(const Rows &rows, int64_t first,
                                                int64_t m, int64_t n,
                                                bool classify) {
  grain = std::max<int64_t>(ceilDiv(rows.keys, n) / 256, 1);
  int64_t before = mask->getWork(), coarse = numCoarse;
  TileCount count;
  FailureOr<bool> counted = countRange(rows, first, m, n, classify, count);
  if (failed(counted) ||
      (!*counted && failed(steps(rows, first, m, n, classify))))
    return failure();
  // Each of the blocks that one stood for would be asked about.
  return mask->getWork() - before +
         (numCoarse - coarse) * grain * mask->getBlockWork();
}

LogicalResult AttentionModel::forEachTile(
    const Rows &rows, int64_t m, int64_t n, bool classify,
    function_ref<LogicalResult(const TileGroup &)> visit) {
  int64_t block = blockSizes().first,
          tiles = countTiles(rows.queries, m, block);
  int64_t groups = tiles;
  grain = 1;
  if (!block && tiles > 64 && mask->hasMask() && !mask->hasLists()) {
    int64_t most = 1;
    for (int64_t probe : {tiles / 2, tiles - 2}) {
      FailureOr<int64_t> work = estimateWork(rows, probe * m, m, n, classify);
      if (failed(work))
        return failure();
      most = std::max(most, *work);
    }
    // Few tiles at least, of a long row some blocks.
    int64_t share = std::max<int64_t>(budget / places, 1);
    grain = 1;
    if (most * tiles > share) {
      groups = std::clamp<int64_t>(share / most, 16, tiles);
      grain = std::clamp<int64_t>(groups * most / share, 1,
                                  ceilDiv(ceilDiv(rows.keys, n), 64));
    }
  }
  if (groups == tiles) {
    for (int64_t q = 0, end = 0; q < rows.queries; q = end) {
      end = std::min(tileEnd(q, m, block), rows.queries);
      if (failed(visit({q, end, 1, q, end})))
        return failure();
    }
    return success();
  }
  sampled = true;
  // The last tile, which may have fewer rows, stands for itself.
  int64_t whole = tiles - 1;
  for (int64_t group = 0; group < groups; ++group) {
    int64_t from = whole * group / groups, to = whole * (group + 1) / groups;
    if (from == to)
      continue;
    int64_t middle = (from + to) / 2;
    if (failed(
            visit({middle * m, (middle + 1) * m, to - from, from * m, to * m})))
      return failure();
  }
  return visit({whole * m, rows.queries, 1, whole * m, rows.queries});
}

FailureOr<KeyLoop> AttentionModel::countBlocks(int64_t m, int64_t n,
                                               bool classify) {
  KeyLoop loop;
  int64_t keyBlock = blockSizes().second;
  auto visit = [&](const Rows &rows, int64_t, int64_t,
                   int64_t places) -> LogicalResult {
    return forEachTile(
        rows, m, n, classify, [&](const TileGroup &tile) -> LogicalResult {
          int64_t here = tile.end - tile.first, copies = places * tile.tiles;
          TileCount count;
          FailureOr<bool> counted =
              countRange(rows, tile.first, m, n, classify, count);
          if (failed(counted))
            return failure();
          loop.blocks.all += copies * countTiles(rows.keys, n, keyBlock);
          auto add = [&](int64_t blocks, int64_t full, int64_t keys,
                         int64_t askedKeys) {
            loop.blocks.visited += copies * blocks;
            loop.blocks.full += copies * full;
            loop.loadedKeys += copies * keys;
            loop.pairs += copies * keys * here;
            loop.askedPairs += copies * askedKeys * here;
          };
          if (*counted) {
            add(count.blocks, count.full, count.keys,
                count.keys - count.full * n);
            return success();
          }
          FailureOr<SmallVector<Step>> taken =
              steps(rows, tile.first, m, n, classify);
          if (failed(taken))
            return failure();
          for (const Step &step : *taken)
            add(step.blocks, step.full ? step.blocks : 0, step.count,
                step.full ? 0 : step.count);
          return success();
        });
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
