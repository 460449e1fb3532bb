//===- SequenceRows.cpp - The rows of one sequence ------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where they lie: in a batch, between two starts, or in pages.
//
//===----------------------------------------------------------------------===//

#include "SequenceRows.h"

#include <algorithm>
#include <cstring>

using namespace flash;
using namespace flash::reference;
using rt::Array;
using rt::Result;
using rt::Status;

Result<Array> reference::gatherRows(const Array &source, const Place &place,
                                    int64_t count, bool bshd) {
  std::vector<int64_t> shape = source.shape();
  int64_t headDim = bshd ? 2 : 1, lengthDim = bshd ? 1 : 2;
  shape[0] = 1;
  shape[lengthDim] = count;
  Result<Array> result = Array::create(source.dtype(), shape);
  if (result.failed())
    return result;
  int64_t element = rt::sizeOf(source.dtype()), bytes = shape[3] * element;
  for (int64_t h = 0; h < shape[headDim]; ++h)
    for (int64_t i = 0; i < count; ++i) {
      auto [batch, row] = place(i);
      std::memcpy(result->dataAs<char>() +
                      rowStart(*result, bshd, 0, h, i) * element,
                  source.dataAs<char>() +
                      rowStart(source, bshd, batch, h, row) * element,
                  bytes);
    }
  return result;
}

static Status outside(const char *what, int64_t n, int64_t value,
                      int64_t limit) {
  return Status::error(std::string(what) + " " + std::to_string(n) + " is " +
                       std::to_string(value) + ", but must be from 0 to " +
                       std::to_string(limit));
}

/// Where sequence n begins and how many rows it has, of `total`.
static Status bounds(const char *name, const std::vector<int64_t> &starts,
                     int64_t n, int64_t total, int64_t &first, int64_t &count) {
  first = starts[n];
  count = starts[n + 1] - first;
  if (first < 0 || first > total)
    return outside(name, n, first, total);
  if (count < 0 || count > total - first)
    return outside(name, n + 1, starts[n + 1], total);
  return Status::success();
}

/// Where a slice of `keys` keys begins and ends.
static std::pair<int64_t, int64_t> sliceOf(const Sequences::Slice &slice,
                                           int64_t keys) {
  int64_t units = (keys + slice.unit - 1) / slice.unit;
  int64_t each = (units + slice.of - 1) / slice.of * slice.unit;
  return {std::min(keys, each * slice.part),
          std::min(keys, each * (slice.part + 1))};
}

int64_t reference::countSequences(const Array &query,
                                  const Sequences &sequences) {
  return sequences.queryStarts.empty()
             ? query.shape()[0]
             : int64_t(sequences.queryStarts.size()) - 1;
}

Result<OwnRows> reference::takeSequence(int64_t n, const Array &query,
                                        const Array &key, const Array &value,
                                        const Options &options,
                                        const Sequences &sequences) {
  const bool bshd = options.bshd, ragged = !sequences.queryStarts.empty(),
             paged = sequences.pagesEach > 0 || !sequences.pages.empty();
  const int64_t length = bshd ? 1 : 2;
  const std::vector<int64_t> &q = query.shape(), &k = key.shape();
  int64_t batch = ragged ? 0 : n, firstQuery = 0, queries = q[length],
          firstKey = 0,
          keys = paged ? sequences.pagesEach * k[length] : k[length];
  Status status;
  if (ragged)
    status = bounds("cu_seqlens_q", sequences.queryStarts, n, q[length],
                    firstQuery, queries);
  if (status.ok() && !sequences.keyStarts.empty())
    status = bounds("cu_seqlens_k", sequences.keyStarts, n, k[length], firstKey,
                    keys);
  if (status.ok() && !sequences.keyLengths.empty()) {
    int64_t given = sequences.keyLengths[n];
    if (given < 0 || given > keys)
      status = outside("kv_lengths", n, given, keys);
    keys = given;
  }
  if (status.failed())
    return status;
  // Positions are those of all keys.
  Options own = options;
  int64_t firstPosition = options.kvOffset.value_or(0), keysBefore = 0;
  own.qOffset = options.qOffset.value_or(firstPosition + keys - queries);
  if (sequences.slice) {
    auto [begin, end] = sliceOf(*sequences.slice, keys);
    keysBefore = begin;
    firstKey += begin;
    firstPosition += begin;
    keys = end - begin;
  }
  own.kvOffset = firstPosition;
  own.firstBatch = n;
  own.firstQueryRow = firstQuery;
  own.firstKeyRow = firstKey;
  own.firstOwnKeyRow = keysBefore;
  own.progress = nullptr;

  int64_t pageSize = k[length], pages = k[0],
          firstPage = n * sequences.pagesEach;
  Place queryPlace = [=](int64_t i) {
    return std::pair(batch, firstQuery + i);
  };
  Place keyPlace = [=, &sequences](int64_t j) -> std::pair<int64_t, int64_t> {
    int64_t row = firstKey + j;
    if (!paged)
      return {batch, row};
    return {sequences.pages[firstPage + row / pageSize], row % pageSize};
  };
  for (int64_t j = 0; paged && j < keys; ++j)
    if (int64_t page = keyPlace(j).first; page < 0 || page >= pages)
      return outside("page", (firstKey + j) / pageSize, page, pages - 1);
  Result<Array> queryRows = gatherRows(query, queryPlace, queries, bshd),
                keyRows = gatherRows(key, keyPlace, keys, bshd),
                valueRows = gatherRows(value, keyPlace, keys, bshd);
  for (const Result<Array> *rows : {&queryRows, &keyRows, &valueRows})
    if (rows->failed())
      return rows->status();
  return OwnRows{batch,
                 firstQuery,
                 queries,
                 keys,
                 std::move(queryPlace),
                 std::move(keyPlace),
                 std::move(*queryRows),
                 std::move(*keyRows),
                 std::move(*valueRows),
                 std::move(own)};
}
