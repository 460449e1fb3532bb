//===- Sequences.cpp - Ragged and paged attention, one by one ---*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each sequence's queries, keys and values are copied together into tensors of
// their own, on which plain attention runs; its results are copied back. So are
// gradients, where those of what several read are added.
//
//===----------------------------------------------------------------------===//

#include "Rows.h"

#include <algorithm>
#include <cmath>
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

namespace {
using Place = std::function<std::pair<int64_t, int64_t>(int64_t)>;

/// One sequence (or batch) by itself, and where its rows lie.
struct Own {
  int64_t batch, firstQuery, queries, keys;
  Place queryPlace, keyPlace;
  Array query, key, value;
  Options options;
};
} // namespace

static int64_t countSequences(const Array &query, const Sequences &sequences) {
  return sequences.queryStarts.empty()
             ? query.shape()[0]
             : int64_t(sequences.queryStarts.size()) - 1;
}

/// Sequence n, copied together.
static Result<Own> takeSequence(int64_t n, const Array &query, const Array &key,
                                const Array &value, const Options &options,
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
  Result<Array> queryRows = gather({query, queryPlace}, queries, bshd),
                keyRows = gather({key, keyPlace}, keys, bshd),
                valueRows = gather({value, keyPlace}, keys, bshd);
  for (const Result<Array> *rows : {&queryRows, &keyRows, &valueRows})
    if (rows->failed())
      return rows->status();
  return Own{batch,
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

Result<Attended> reference::attention(Arithmetic arithmetic, const Array &query,
                                      const Array &key, const Array &value,
                                      const Options &options,
                                      const Sequences &sequences) {
  const bool bshd = options.bshd;
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

  int64_t count = countSequences(query, sequences);
  for (int64_t n = 0; n < count; ++n) {
    Result<Own> own = takeSequence(n, query, key, value, options, sequences);
    if (own.failed())
      return own.status();
    Result<Attended> part =
        attention(arithmetic, own->query, own->key, own->value, own->options);
    if (part.failed())
      return part;
    scatter(*part, *result, bshd, own->batch, own->firstQuery, own->queries);
    if (options.progress)
      options.progress(double(n + 1) / count);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Gradients
//===----------------------------------------------------------------------===//

/// Adds what belongs to the rows of one sequence where they lie, magnitudes by
/// their squares.
static void addRows(const Array &part, Array &all, bool bshd, int64_t count,
                    const Place &place, bool squares) {
  const std::vector<int64_t> &shape = part.shape();
  for (int64_t h = 0; h < shape[bshd ? 2 : 1]; ++h)
    for (int64_t i = 0; i < count; ++i) {
      auto [batch, row] = place(i);
      int64_t from = rowStart(part, bshd, 0, h, i),
              to = rowStart(all, bshd, batch, h, row);
      for (int64_t d = 0; d < shape[3]; ++d) {
        double x = part.at(from + d), y = all.at(to + d);
        all.set(to + d, squares ? std::hypot(x, y) : x + y);
      }
    }
}

static void addRows(const Gradients &part, Gradients &all, const Own &own,
                    bool squares) {
  bool bshd = own.options.bshd;
  addRows(part.query, all.query, bshd, own.queries, own.queryPlace, squares);
  addRows(part.key, all.key, bshd, own.keys, own.keyPlace, squares);
  addRows(part.value, all.value, bshd, own.keys, own.keyPlace, squares);
}

/// The LSE's gradient of the rows of one sequence.
static Result<Array> gatherLse(const Array &all, const Own &own) {
  int64_t heads = all.shape()[1], total = all.shape()[2];
  Result<Array> result = Array::create(all.dtype(), {1, heads, own.queries});
  for (int64_t h = 0; result.ok() && h < heads; ++h)
    for (int64_t i = 0; i < own.queries; ++i)
      result->set(h * own.queries + i,
                  all.at((own.batch * heads + h) * total + own.firstQuery + i));
  return result;
}

Result<AttentionGradients> reference::attentionBackward(
    Arithmetic arithmetic, const Array &query, const Array &key,
    const Array &value, const Array &outputGradient, const Array *lseGradient,
    const Options &options, const Sequences &sequences) {
  std::vector<int64_t> outputShape = query.shape();
  outputShape[3] = value.shape()[3];
  Status status =
      checkBackward(query, outputGradient, lseGradient, outputShape, options);
  if (status.failed())
    return status;
  Result<AttentionGradients> result =
      createGradients(arithmetic, query, key, value);
  int64_t count = countSequences(query, sequences);
  for (int64_t n = 0; result.ok() && n < count; ++n) {
    Result<Own> own = takeSequence(n, query, key, value, options, sequences);
    if (own.failed())
      return own.status();
    Result<Array> grads =
        gather({outputGradient, own->queryPlace}, own->queries, options.bshd);
    if (grads.failed())
      return grads.status();
    std::optional<Array> lseGrads;
    if (lseGradient) {
      Result<Array> gathered = gatherLse(*lseGradient, *own);
      if (gathered.failed())
        return gathered.status();
      lseGrads = std::move(*gathered);
    }
    Result<AttentionGradients> part =
        attentionBackward(arithmetic, own->query, own->key, own->value, *grads,
                          lseGrads ? &*lseGrads : nullptr, own->options);
    if (part.failed())
      return part;
    addRows(part->gradients, result->gradients, *own, /*squares=*/false);
    if (result->magnitudes)
      addRows(*part->magnitudes, *result->magnitudes, *own, /*squares=*/true);
    if (options.progress)
      options.progress(double(n + 1) / count);
  }
  return result;
}
