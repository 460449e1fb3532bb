//===- Sequences.cpp - Ragged and paged draws -----------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lengths that differ from batch to batch, and where rows lie: some sequences
// are empty, some rows belong to none, some pages are shared.
//
//===----------------------------------------------------------------------===//

#include "ProgramBuilder.h"

#include <algorithm>

using namespace flash;
using namespace flash::fuzz;
using matrix::Extra;
using matrix::Kernel;
using matrix::Shape;
using rt::Array;
using rt::DType;

/// Where sequences begin; some are empty, and some rows belong to none.
static std::vector<int64_t> startsOf(const Draw &draw, int64_t total,
                                     bool ofQueries) {
  Random random(draw.seed * 2 + ofQueries);
  std::vector<int64_t> cuts(draw.sequences + 1);
  for (int64_t &cut : cuts)
    cut = random.chance(0.2) ? 0 : random.between(0, total);
  if (random.chance(0.7))
    cuts[0] = 0;
  if (random.chance(0.7))
    cuts.back() = total;
  std::sort(cuts.begin(), cuts.end());
  return cuts;
}

std::string ProgramBuilder::sequences() {
  std::string text;
  int64_t sequences = draw.sequences;
  bool ragged = draw.sequences > 0, paged = draw.pageSize > 0;
  auto add = [&](const char *keyword, const Extra &extra) {
    text += matrix::listOperands(keyword, {extra});
  };
  for (bool ofQueries : {true, false})
    if (ragged && (ofQueries || !paged))
      add(ofQueries ? "cu_seqlens_q" : "cu_seqlens_k",
          operand(
              ofQueries ? "cuq" : "cuk", DType::I32,
              [n = draw.sequences](const Shape &) { return Dims{n + 1}; },
              [d = draw, ofQueries](const Shape &s, Random &, Array &array) {
                std::vector<int64_t> starts =
                    startsOf(d, ofQueries ? s.sq : s.sk, ofQueries);
                for (size_t i = 0; i < starts.size(); ++i)
                  array.set(int64_t(i), double(starts[i]));
              }));
  auto perBatch = [=](const Shape &s) { return Dims{batches(sequences, s)}; };
  if (draw.kvLengths)
    add("kv_lengths",
        operand("lengths", DType::I32, perBatch,
                [d = draw, ragged, paged](const Shape &s, Random &random,
                                          Array &array) {
                  std::vector<int64_t> starts;
                  if (ragged && !paged)
                    starts = startsOf(d, s.sk, false);
                  for (int64_t i = 0; i < array.numElements(); ++i) {
                    int64_t most =
                        starts.empty() ? s.sk : starts[i + 1] - starts[i];
                    array.set(i, double(random.chance(0.2)
                                            ? most
                                            : random.between(0, most)));
                  }
                }));
  if (paged)
    add("page_table", operand(
                          "pages", DType::I32,
                          [=, size = draw.pageSize](const Shape &s) {
                            return Dims{batches(sequences, s),
                                        ceilDiv(s.sk, size)};
                          },
                          [size = draw.pageSize](const Shape &s, Random &random,
                                                 Array &array) {
                            Kernel paged;
                            paged.pageSize = size;
                            int64_t last = matrix::pagesOf(paged, s) - 1;
                            for (int64_t i = 0; i < array.numElements(); ++i)
                              array.set(i, double(random.between(0, last)));
                          }));
  return text;
}
