//===- Sequences.cpp - Ragged and paged attention, one by one ---*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each sequence's queries, keys and values are copied together into tensors of
// their own, on which plain attention runs; its results are copied back.
//
//===----------------------------------------------------------------------===//

#include "Rows.h"

#include <algorithm>
#include <cstring>
#include <limits>

using namespace flash;
using namespace flash::reference;
using rt::Array;
using rt::Result;
using rt::Status;

namespace {
/// The rows of one tensor that a sequence has: row i lies in outer dimension
/// `batch(i)` at `row(i)`.
struct Source {
  const Array &array;
  std::function<std::pair<int64_t, int64_t>(int64_t)> place;
};
} // namespace

/// Copies `count` rows of each head, as a tensor of batch 1 in the same layout.
static Result<Array> gather(const Source &source, int64_t count, bool bshd) {
  std::vector<int64_t> shape = source.array.shape();
  int64_t headDim = bshd ? 2 : 1, lengthDim = bshd ? 1 : 2;
  shape[0] = 1;
  shape[lengthDim] = count;
  Result<Array> result = Array::create(source.array.dtype(), shape);
  if (result.failed())
    return result;
  int64_t element = rt::sizeOf(source.array.dtype()),
          bytes = shape[3] * element;
  for (int64_t h = 0; h < shape[headDim]; ++h)
    for (int64_t i = 0; i < count; ++i) {
      auto [batch, row] = source.place(i);
      std::memcpy(result->dataAs<char>() +
                      rowStart(*result, bshd, 0, h, i) * element,
                  source.array.dataAs<char>() +
                      rowStart(source.array, bshd, batch, h, row) * element,
                  bytes);
    }
  return result;
}

/// Copies the results of one sequence to where its queries lie.
static void scatter(const Attended &part, Attended &all, bool bshd,
                    int64_t batch, int64_t first, int64_t count) {
  const std::vector<int64_t> &shape = part.output.shape();
  int64_t heads = shape[bshd ? 2 : 1], total = all.lse.shape()[2];
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t i = 0; i < count; ++i) {
      int64_t from = rowStart(part.output, bshd, 0, h, i),
              to = rowStart(all.output, bshd, batch, h, first + i);
      for (int64_t d = 0; d < shape[3]; ++d)
        all.output.set(to + d, part.output.at(from + d));
      all.lse.set((batch * heads + h) * total + first + i,
                  part.lse.at(h * count + i));
    }
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

Result<Attended> reference::attention(Arithmetic arithmetic, const Array &query,
                                      const Array &key, const Array &value,
                                      const Options &options,
                                      const Sequences &sequences) {
  const bool bshd = options.bshd, ragged = !sequences.queryStarts.empty(),
             paged = sequences.pagesEach > 0 || !sequences.pages.empty();
  const int64_t head = bshd ? 2 : 1, length = bshd ? 1 : 2;
  const std::vector<int64_t> &q = query.shape(), &k = key.shape();
  Sizes sizes{q[0], q[head], k[head], q[length], 0, q[3], value.shape()[3]};
  Result<Attended> result =
      createResult(arithmetic, sizes, bshd, options.outputType);
  if (result.failed())
    return result;
  for (int64_t i = 0, e = result->output.numElements(); i < e; ++i)
    result->output.set(i, 0);
  for (int64_t i = 0, e = result->lse.numElements(); i < e; ++i)
    result->lse.set(i, -std::numeric_limits<double>::infinity());

  int64_t count = ragged ? sequences.queryStarts.size() - 1 : q[0];
  for (int64_t n = 0; n < count; ++n) {
    int64_t batch = ragged ? 0 : n, firstQuery = 0, queries = q[length],
            firstKey = 0,
            keys = paged ? sequences.pagesEach * k[length] : k[length];
    Status status;
    if (ragged)
      status = bounds("cu_seqlens_q", sequences.queryStarts, n, q[length],
                      firstQuery, queries);
    if (status.ok() && !sequences.keyStarts.empty())
      status = bounds("cu_seqlens_k", sequences.keyStarts, n, k[length],
                      firstKey, keys);
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
    std::string badPage;
    auto keyPlace = [&](int64_t j) -> std::pair<int64_t, int64_t> {
      if (!paged)
        return {batch, firstKey + j};
      int64_t row = firstKey + j, at = row / k[length];
      int64_t page = sequences.pages[n * sequences.pagesEach + at];
      if (page < 0 || page >= k[0]) {
        badPage = outside("page", at, page, k[0] - 1).message();
        page = 0;
      }
      return {page, row % k[length]};
    };
    Result<Array> queryRows = gather(
        {query, [&](int64_t i) { return std::pair(batch, firstQuery + i); }},
        queries, bshd);
    Result<Array> keyRows = gather({key, keyPlace}, keys, bshd);
    Result<Array> valueRows = gather({value, keyPlace}, keys, bshd);
    for (const Result<Array> *rows : {&queryRows, &keyRows, &valueRows})
      if (rows->failed())
        return rows->status();
    if (!badPage.empty())
      return Status::error(badPage);
    own.firstBatch = n;
    own.firstQueryRow = firstQuery;
    own.firstKeyRow = firstKey;
    own.firstOwnKeyRow = keysBefore;
    own.progress = nullptr;
    Result<Attended> part =
        attention(arithmetic, *queryRows, *keyRows, *valueRows, own);
    if (part.failed())
      return part;
    scatter(*part, *result, bshd, batch, firstQuery, queries);
    if (options.progress)
      options.progress(double(n + 1) / count);
  }
  return result;
}
