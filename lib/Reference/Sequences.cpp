//===- Sequences.cpp - Ragged and paged attention, one by one ---*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Plain attention runs on each sequence's rows, copied together; its results
// are copied back. So are gradients, where those of what several read are
// added.
//
//===----------------------------------------------------------------------===//

#include "SequenceRows.h"

#include <cmath>
#include <limits>

using namespace flash;
using namespace flash::reference;
using rt::Array;
using rt::Result;
using rt::Status;

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
    Result<OwnRows> own =
        takeSequence(n, query, key, value, options, sequences);
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

static void addRows(const Gradients &part, Gradients &all, const OwnRows &own,
                    bool squares) {
  bool bshd = own.options.bshd;
  addRows(part.query, all.query, bshd, own.queries, own.queryPlace, squares);
  addRows(part.key, all.key, bshd, own.keys, own.keyPlace, squares);
  addRows(part.value, all.value, bshd, own.keys, own.keyPlace, squares);
  auto addAll = [&](const std::vector<double> &from, std::vector<double> &to) {
    to.resize(from.size());
    for (size_t i = 0; i < from.size(); ++i)
      to[i] = squares ? std::hypot(from[i], to[i]) : from[i] + to[i];
  };
  addAll(part.sinks, all.sinks);
  all.read.resize(part.read.size());
  for (size_t n = 0; n < part.read.size(); ++n)
    addAll(part.read[n], all.read[n]);
}

/// The LSE's gradient of the rows of one sequence.
static Result<Array> gatherLse(const Array &all, const OwnRows &own) {
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
    Result<OwnRows> own =
        takeSequence(n, query, key, value, options, sequences);
    if (own.failed())
      return own.status();
    Result<Array> grads =
        gatherRows(outputGradient, own->queryPlace, own->queries, options.bshd);
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
