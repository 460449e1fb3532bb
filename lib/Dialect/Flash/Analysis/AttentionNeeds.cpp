//===- AttentionNeeds.cpp - Which rows are needed at all --------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Queries that see a key and keys that a query sees: compulsory traffic,
// however the attention is tiled.
//
//===----------------------------------------------------------------------===//

#include "AttentionModel.h"

using namespace mlir;
using namespace flash;
using namespace flash::io;

/// Adds keys of a batch as rows of the tensor; in pages, of the pages.
LogicalResult AttentionModel::addKeys(const Rows &rows, int64_t batch,
                                      int64_t first, int64_t end,
                                      IntervalSet &keys) {
  if (!op.isPaged()) {
    int64_t start = rows.keyRow + (op.isRagged() ? 0 : batch * sizes.keys);
    keys.insert(start + first, start + end);
    return success();
  }
  const KnownValue *key = known.find(op.getKey());
  int64_t pages = key->shape[0], size = key->shape[op.getLengthDim()];
  first += rows.keyRow;
  end += rows.keyRow;
  for (int64_t k = first; k < end;) {
    FailureOr<int64_t> page = element(op.getPageTable(), {batch, k / size});
    if (failed(page))
      return failure();
    int64_t row = std::clamp<int64_t>(*page, 0, pages - 1) * size + k % size;
    int64_t count = std::min(end - k, size - k % size);
    keys.insert(row, row + count);
    k += count;
  }
  return success();
}

/// Queries that see a key, and keys that a query sees, as far as the mask's
/// interface tells: row by row for a range of positions, else as whole blocks.
LogicalResult AttentionModel::findNeeds(const KeyWalk &walk, Needs &needs) {
  bool byRows = !mask->dependsOnPlace() && !mask->hasHoles();
  // Alike batches have rows of their own.
  int64_t batches = batchesDiffer() ? 1 : sizes.batch;
  std::map<int64_t, IntervalSet> &queries = needs.queries.byHead,
                                 &keys = needs.keys.byHead;
  // Queries [from, to) of a place, which see these rows of keys.
  auto note = [&](const Rows &rows, int64_t b, int64_t h, int64_t from,
                  int64_t to,
                  ArrayRef<std::pair<int64_t, int64_t>> seen) -> LogicalResult {
    for (int64_t other = b; other < b + batches && !seen.empty(); ++other) {
      int64_t row = op.isRagged() ? rows.queryRow : other * sizes.queries;
      queries[h].insert(row + from, row + to);
      for (auto [first, end] : seen)
        if (failed(addKeys(rows, other, first, end, keys[h / group()])))
          return failure();
    }
    return success();
  };
  auto byTile = [&](const Rows &rows, int64_t b, int64_t h) {
    return forEachTile(rows, walk, /*classify=*/false,
                       [&](const TileGroup &tile) -> LogicalResult {
                         FailureOr<SmallVector<Step>> taken =
                             steps(rows, walk, tile.tile);
                         if (failed(taken))
                           return failure();
                         SmallVector<std::pair<int64_t, int64_t>> seen;
                         for (const Step &step : *taken)
                           seen.push_back({step.keys.first,
                                           step.keys.first + step.keys.count});
                         return note(rows, b, h, tile.from, tile.to, seen);
                       });
  };
  auto visit = [&](const Rows &rows, int64_t b, int64_t h,
                   int64_t) -> LogicalResult {
    if (!byRows && mask->hasMask())
      return byTile(rows, b, h);
    // Of ranges that overlap from query to query: as many rows at once as have
    // one that sees a key at both ends.
    auto seesSome = [&](int64_t q) -> FailureOr<bool> {
      FailureOr<RowRange<int64_t>> keys = visibleRows(rows, {q, 1}, 1);
      if (failed(keys))
        return failure();
      return keys->first < keys->end;
    };
    for (int64_t q = 0, block = 1; q < rows.queries; q += block) {
      if (!mask->hasMask() || mask->hasRanges()) {
        block = rows.queries - q;
        for (bool whole = !mask->hasMask(); block > 1 && !whole;) {
          FailureOr<bool> first = seesSome(q), last = seesSome(q + block - 1);
          if (failed(first) || failed(last))
            return failure();
          whole = *first && *last;
          block = whole ? block : ceilDiv(block, 2);
        }
      }
      FailureOr<RowRange<int64_t>> visible = visibleRows(rows, {q, block}, 1);
      if (failed(visible))
        return failure();
      if (visible->first < visible->end &&
          failed(note(rows, b, h, q, q + block,
                      std::pair(visible->first, visible->end))))
        return failure();
    }
    return success();
  };
  if (failed(forEachPlace(walk, visit)))
    return failure();
  if (!mask->dependsOnHead()) {
    needs.queries.copies = sizes.heads;
    needs.keys.copies = sizes.keyHeads;
  }
  for (NeededRows *rows : {&needs.queries, &needs.keys})
    for (auto &[head, set] : rows->byHead)
      rows->count += rows->copies * set.size();
  if (!batchesDiffer() && !mask->dependsOnHead() && sizes.batch > 0) {
    needs.queries.alike = queries[0].clipped(sizes.queries);
    needs.keys.alike = keys[0].clipped(sizes.keys);
  }
  return success();
}
