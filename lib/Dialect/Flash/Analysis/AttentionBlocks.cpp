//===- AttentionBlocks.cpp - Which blocks are visited -----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The key loop of the tiled program in numbers: the tiler's walk (KeyWalk.h),
// followed with answers of the same mask.
//
//===----------------------------------------------------------------------===//

#include "AttentionModel.h"

#include <limits>
#include <optional>

using namespace mlir;
using namespace flash;
using namespace flash::io;

FailureOr<RowRange<int64_t>>
AttentionModel::visibleRows(const Rows &rows, Tile queries, int64_t size) {
  int64_t first = rows.qOffset + queries.first;
  FailureOr<KeyRange> range =
      mask->visibleKeys(first, first + queries.count - 1);
  if (failed(range))
    return failure();
  KnownIndex index;
  return rowsOf(index, {range->first, range->end}, rows.keyPosition, rows.keys,
                size);
}

LogicalResult AttentionModel::walkList(const Rows &rows, const KeyWalk &walk,
                                       Tile tile, const KeyList &list,
                                       std::optional<size_t> which,
                                       bool together,
                                       SmallVectorImpl<Step> &steps) {
  KnownIndex index;
  int64_t m = walk.queries.size, n = walk.keys.size;
  int64_t qFirst = rows.qOffset + tile.first, qLast = qFirst + tile.count - 1;
  // One loop over both lists does not ask.
  bool asksHidden =
      !together &&
      walk.asksHidden(cast_if_present<MaskAttrInterface>(list.mask));
  bool cut = walk.isCut(index, list.size, rows.keys);
  int64_t last = walk.lastListed(index, cut, rows.keys);
  auto number = [&](int64_t entry) { return list.numbers[entry]; };
  int64_t count = int64_t(list.numbers.size()) * walk.stepsOf(list.size);
  for (int64_t step = 0; step < count; ++step) {
    auto listed = walk.listedTile(index, list.size, number, step);
    // Other blocks of the list belong to other slices.
    if (walk.isSliced()) {
      listed.first -= rows.keysBefore;
      if (walk.isElsewhere(index, listed.first, rows.keys))
        continue;
    }
    Tile keys = together ? walk.joinedKeys(index, listed, cut, last, rows.keys)
                         : walk.listedKeys(index, list.size, listed, rows.keys);
    if (keys.count == 0)
      continue;
    int64_t kFirst = rows.keyPosition + keys.first;
    if (asksHidden) {
      FailureOr<bool> hidden =
          mask->isHidden(qFirst, qLast, kFirst, kFirst + keys.count - 1, which);
      if (failed(hidden))
        return failure();
      if (*hidden)
        continue;
    }
    FailureOr<bool> full =
        mask->isFull(qFirst, qFirst + m - 1, kFirst, kFirst + n - 1, which);
    if (failed(full))
      return failure();
    steps.push_back({keys, *full && keys.count == n});
  }
  return success();
}

/// The rows of keys that all queries of a tile see, of a mask of ranges: what
/// the first and the last one see. As the compiled program asks, of the whole
/// tile, padding included.
FailureOr<RowRange<int64_t>>
AttentionModel::rangeOfAll(const Rows &rows, int64_t first, int64_t m) {
  int64_t qFirst = rows.qOffset + first;
  FailureOr<KeyRange> ofFirst = mask->visibleKeys(qFirst, qFirst),
                      ofLast =
                          mask->visibleKeys(qFirst + m - 1, qFirst + m - 1);
  if (failed(ofFirst) || failed(ofLast))
    return failure();
  constexpr int64_t far = std::numeric_limits<int64_t>::max() / 4;
  return RowRange<int64_t>{ofLast->first.value_or(-far) - rows.keyPosition,
                           ofFirst->end.value_or(far) - rows.keyPosition};
}

/// The blocks of a tile, counted without a look at each: where those that are
/// visited are a range, and those that are full another one in it.
FailureOr<bool> AttentionModel::countRange(const Rows &rows,
                                           const KeyWalk &walk, Tile tile,
                                           bool classify, TileCount &count) {
  if (mask->hasLists() || mask->hasHoles() || walk.walksRangeAsList() ||
      (classify && mask->hasMask() && !mask->hasRanges()))
    return false;
  KnownIndex index;
  int64_t n = walk.keys.size;
  FailureOr<RowRange<int64_t>> seen = visibleRows(rows, tile, n);
  if (failed(seen))
    return failure();
  if (seen->first >= seen->end)
    return true;
  walk.forEachLoop(index, *seen, rows.keys, [&](RowRange<int64_t> range, bool) {
    int64_t blocks = flash::countBlocks(index, range, n);
    int64_t end = range.first + blocks * n;
    count.blocks += blocks;
    count.keys += std::min(end, rows.keys) - range.first;
  });
  if (!classify)
    return true;
  RowRange<int64_t> all{seen->first, seen->first + count.keys};
  if (mask->hasMask()) {
    FailureOr<RowRange<int64_t>> range =
        rangeOfAll(rows, tile.first, walk.queries.size);
    if (failed(range))
      return failure();
    all = {std::max(range->first, all.first), std::min(range->end, all.end)};
  }
  int64_t begin = seen->first + ceilDiv(all.first - seen->first, n) * n;
  count.full = std::max<int64_t>((all.end - begin) / n, 0);
  if (all.end <= begin)
    count.full = 0;
  return true;
}

FailureOr<SmallVector<Step>> AttentionModel::steps(const Rows &rows,
                                                   const KeyWalk &walk,
                                                   Tile tile, bool classify) {
  KnownIndex index;
  SmallVector<Step> steps;
  int64_t qFirst = rows.qOffset + tile.first;
  int64_t m = walk.queries.size, n = walk.keys.size;
  if (mask->hasLists()) {
    FailureOr<SmallVector<KeyList>> lists = mask->keyLists(qFirst);
    if (failed(lists))
      return failure();
    bool together = walk.walksTogether(*lists);
    for (auto [which, list] : llvm::enumerate(*lists))
      if (failed(walkList(rows, walk, tile, list, which, together, steps)))
        return failure();
    return steps;
  }
  FailureOr<RowRange<int64_t>> seen = visibleRows(rows, tile, n);
  if (failed(seen))
    return failure();
  MaskAttrInterface ofAll = op.getEffectiveMask();
  if (walk.walksRangeAsList()) {
    auto [number, count] = walk.numberBlocks(
        index, *seen,
        walk.isSliced() ? std::optional(rows.keysBefore) : std::nullopt);
    KeyList range{walk.keys.block, {}, ofAll, /*full=*/false};
    for (int64_t entry = 0; entry < count; ++entry)
      range.numbers.push_back(number + entry);
    if (failed(walkList(rows, walk, tile, range, std::nullopt,
                        /*together=*/false, steps)))
      return failure();
    return steps;
  }
  std::optional<RowRange<int64_t>> seenByAll;
  if (classify && mask->hasRanges()) {
    FailureOr<RowRange<int64_t>> range = rangeOfAll(rows, tile.first, m);
    if (failed(range))
      return failure();
    seenByAll = *range;
  }
  auto takeAll = [&](RowRange<int64_t> range, bool whole) -> LogicalResult {
    int64_t blocks = flash::countBlocks(index, range, n);
    if (!seenByAll) {
      int64_t each = mask->hasMask() && mask->asksByBlock()
                         ? grain
                         : std::max<int64_t>(blocks, 1);
      for (int64_t done = 0; done < blocks; done += each)
        if (failed(addSteps(rows, walk, tile, range.first + done * n,
                            std::min(each, blocks - done), classify, steps)))
          return failure();
      return success();
    }
    bool asksHidden = walk.asksHidden(ofAll);
    for (int64_t k = range.first; k < range.end; k += n) {
      Tile keys = walk.keysAt(index, k, rows.keys, whole);
      int64_t kFirst = rows.keyPosition + k;
      if (asksHidden) {
        FailureOr<bool> hidden = mask->isHidden(
            qFirst, qFirst + tile.count - 1, kFirst, kFirst + keys.count - 1);
        if (failed(hidden))
          return failure();
        if (*hidden)
          continue;
      }
      bool full =
          keys.count == n && seenByAll->first <= k && k + n <= seenByAll->end;
      steps.push_back({keys, full});
    }
    return success();
  };
  // In which order blocks are walked changes nothing here.
  LogicalResult taken = success();
  walk.forEachLoop(index, *seen, rows.keys,
                   [&](RowRange<int64_t> range, bool whole) {
                     if (succeeded(taken))
                       taken = takeAll(range, whole);
                   });
  if (failed(taken))
    return failure();
  return steps;
}

LogicalResult AttentionModel::addSteps(const Rows &rows, const KeyWalk &walk,
                                       Tile tile, int64_t key, int64_t blocks,
                                       bool classify,
                                       SmallVectorImpl<Step> &steps) {
  int64_t m = walk.queries.size, n = walk.keys.size;
  int64_t qFirst = rows.qOffset + tile.first,
          keys = std::min(blocks * n, rows.keys - key),
          kFirst = rows.keyPosition + key;
  bool asksHidden =
           walk.asksHidden(op.getEffectiveMask()) && mask->mayBeHidden(),
       asksFull = (classify || asksHidden) && mask->mayBeFull();
  Step all{{key, keys}, false, blocks};
  bool asksOne = blocks > 1 && mask->hasMask() && mask->asksByBlock();
  if (asksHidden && !asksOne) {
    FailureOr<bool> hidden = mask->isHidden(qFirst, qFirst + tile.count - 1,
                                            kFirst, kFirst + keys - 1);
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
    if (failed(addSteps(rows, walk, tile, key + blocks / 2 * n, 1, classify,
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
      succeeded(addSteps(rows, walk, tile, key, half, classify, steps)) &&
      succeeded(addSteps(rows, walk, tile, key + half * n, blocks - half,
                         classify, steps)));
}

FailureOr<int64_t> AttentionModel::estimateWork(const Rows &rows,
                                                const KeyWalk &walk, Tile tile,
                                                bool classify) {
  grain = std::max<int64_t>(ceilDiv(rows.keys, walk.keys.size) / 256, 1);
  int64_t before = mask->getWork(), coarse = numCoarse;
  TileCount count;
  FailureOr<bool> counted = countRange(rows, walk, tile, classify, count);
  if (failed(counted) ||
      (!*counted && failed(steps(rows, walk, tile, classify))))
    return failure();
  // Each of the blocks that one stood for would be asked about.
  return mask->getWork() - before +
         (numCoarse - coarse) * grain * mask->getBlockWork();
}

LogicalResult AttentionModel::forEachTile(
    const Rows &rows, const KeyWalk &walk, bool classify,
    function_ref<LogicalResult(const TileGroup &)> visit) {
  KnownIndex index;
  int64_t tiles = walk.queries.count(index, rows.queries), groups = tiles;
  auto tileAt = [&](int64_t number) {
    Tile tile = walk.queries.find(index, number);
    tile.count = std::min(tile.count, rows.queries - tile.first);
    return tile;
  };
  grain = 1;
  if (!walk.queries.block && tiles > 64 && mask->hasMask() &&
      !mask->hasLists()) {
    int64_t most = 1;
    for (int64_t probe : {tiles / 2, tiles - 2}) {
      FailureOr<int64_t> work =
          estimateWork(rows, walk, tileAt(probe), classify);
      if (failed(work))
        return failure();
      most = std::max(most, *work);
    }
    // Few tiles at least, of a long row some blocks.
    int64_t share = std::max<int64_t>(budget / places, 1);
    grain = 1;
    if (most * tiles > share) {
      groups = std::clamp<int64_t>(share / most, 16, tiles);
      grain =
          std::clamp<int64_t>(groups * most / share, 1,
                              ceilDiv(ceilDiv(rows.keys, walk.keys.size), 64));
    }
  }
  if (groups == tiles) {
    for (int64_t number = 0; number < tiles; ++number) {
      Tile tile = tileAt(number);
      if (failed(visit({tile, 1, tile.first, tile.first + tile.count})))
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
    if (failed(visit({tileAt((from + to) / 2), to - from, tileAt(from).first,
                      tileAt(to).first})))
      return failure();
  }
  Tile last = tileAt(whole);
  return visit({last, 1, last.first, rows.queries});
}

FailureOr<KeyLoop> AttentionModel::countBlocks(const KeyWalk &walk,
                                               bool classify) {
  KeyLoop loop;
  KnownIndex index;
  int64_t n = walk.keys.size;
  auto visit = [&](const Rows &rows, int64_t, int64_t,
                   int64_t places) -> LogicalResult {
    int64_t blocks = walk.keys.count(index, rows.keys);
    return forEachTile(
        rows, walk, classify, [&](const TileGroup &group) -> LogicalResult {
          int64_t here = group.tile.count, copies = places * group.tiles;
          TileCount count;
          FailureOr<bool> counted =
              countRange(rows, walk, group.tile, classify, count);
          if (failed(counted))
            return failure();
          loop.blocks.all += copies * blocks;
          auto add = [&](int64_t visited, int64_t full, int64_t keys,
                         int64_t askedKeys) {
            loop.blocks.visited += copies * visited;
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
              steps(rows, walk, group.tile, classify);
          if (failed(taken))
            return failure();
          for (const Step &step : *taken)
            add(step.blocks, step.full ? step.blocks : 0, step.keys.count,
                step.full ? 0 : step.keys.count);
          return success();
        });
  };
  if (failed(forEachPlace(walk, visit)))
    return failure();
  for (int64_t *count : {&loop.loadedKeys, &loop.blocks.all,
                         &loop.blocks.visited, &loop.blocks.full})
    *count /= tileHeads;
  return loop;
}

FailureOr<Totals> AttentionModel::addUp(const KeyWalk &walk, int64_t m) {
  Totals totals;
  int64_t n = walk.keys.size;
  auto visit = [&](const Rows &rows, int64_t, int64_t,
                   int64_t copies) -> LogicalResult {
    totals.rows += copies * rows.queries;
    totals.keyRows += copies * rows.keys; // of query heads, for now
    totals.pairs += copies * rows.queries * rows.keys;
    totals.queryLoads += copies * rows.queries * ceilDiv(rows.keys, n);
    totals.keyLoads += copies * ceilDiv(rows.queries, m) * rows.keys;
    return success();
  };
  if (failed(forEachPlace(walk, visit)))
    return failure();
  totals.keyRows /= group();
  return totals;
}
