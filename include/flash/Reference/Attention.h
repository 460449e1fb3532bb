//===- Attention.h - What attention means, computed plainly -----*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention and merge on host arrays, against which compiled code is checked.
// Nothing here is shared with the compiler: no tiling, no online softmax. Two
// arithmetics:
//
//   Float64   everything in f64 from the inputs on, results in f64: the truth
//   Unfused   what a framework without fusion does in the input type: S = Q K^T
//             accumulated in f32 and kept, softmax in f32, P rounded to the
//             input type, O accumulated in f32 and rounded: the yardstick for
//             errors
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_REFERENCE_ATTENTION_H
#define FLASH_REFERENCE_ATTENTION_H

#include "flash/Runtime/Array.h"

#include <functional>
#include <optional>

namespace flash::reference {

enum class Arithmetic { Float64, Unfused };

/// Sizes of an attention.
struct Sizes {
  int64_t batch = 0, heads = 0, kvHeads = 0, sq = 0, sk = 0, dqk = 0, dv = 0;

  /// The sizes of Q, K and V, or an error that names a dimension and the two
  /// values that disagree.
  static rt::Result<Sizes> get(const std::vector<int64_t> &query,
                               const std::vector<int64_t> &key,
                               const std::vector<int64_t> &value, bool bshd);
  std::vector<int64_t> outputShape(bool bshd) const;
  std::vector<int64_t> lseShape() const { return {batch, heads, sq}; }
};

/// One score: whose it is. Rows count within the tensors that belong to queries
/// and keys (through all sequences of a ragged batch), or within the batch or
/// sequence; positions are those of masks.
struct Element {
  int64_t batch = 0, head = 0, queryRow = 0, keyRow = 0, query = 0, key = 0;
  int64_t ownQueryRow = 0, ownKeyRow = 0;
};

/// Whether the query of an element sees its key.
using Visible = std::function<bool(const Element &)>;

/// What a scaled score becomes before the mask.
using Score = std::function<double(double, const Element &)>;

/// The same, and the slope there: what a small change of the scaled score
/// becomes, divided by it.
using ScoreWithSlope =
    std::function<std::pair<double, double>(double, const Element &)>;

/// An element that a score reads of the tensors which have gradients: which of
/// these, which element of it, and what a small change of it becomes in the
/// score, divided by it.
struct ReadSlope {
  int64_t tensor, element;
  double slope;
};

/// What the score of an element reads of the tensors that have gradients.
using ReadSlopes =
    std::function<std::vector<ReadSlope>(double, const Element &)>;

/// Which probabilities are dropped: those whose 32 bits, which follow from
/// seed, offset and place alone (docs/Scores.md), are less than p * 2^32.
struct Dropout {
  double p = 0;
  uint64_t seed = 0, offset = 0;
};

struct Options {
  bool bshd = false;
  /// All keys when empty.
  Visible visible;
  /// Unchanged when empty.
  Score score;
  /// Set beside `score` where gradients are asked for.
  ScoreWithSlope scoreWithSlope;
  /// Set where gradients of what scores read are asked for; and how many
  /// elements each of these tensors has.
  ReadSlopes readSlopes;
  std::vector<int64_t> readSizes;
  /// A logit of each query head that joins the sum of a row; none when empty.
  std::vector<double> sinks;
  /// Factors of each key head's keys and values; 1 when empty.
  std::vector<double> keyScales, valueScales;
  std::optional<Dropout> dropout;
  /// Whether `visible` looks at positions alone, so that all heads see alike.
  bool positionsOnly = true;
  /// How many of the keys at positions [first, end) a query sees, where that
  /// has a closed form; only counting work uses it.
  std::function<int64_t(int64_t query, int64_t first, int64_t end)>
      countVisible;
  /// 1/sqrt(dqk) when absent.
  std::optional<double> scale;
  /// Positions of the first query and the first key; the defaults align the
  /// last query with the last key.
  std::optional<int64_t> qOffset, kvOffset;
  /// What elements are told of the arrays' first batch and rows.
  int64_t firstBatch = 0, firstQueryRow = 0, firstKeyRow = 0;
  /// Keys of the batch or sequence before the first one.
  int64_t firstOwnKeyRow = 0;
  /// In Unfused arithmetic, which of the computations that are as exact: 0 is
  /// the plain one, others round elsewhere.
  uint64_t variant = 0;
  /// Element type of O in Unfused arithmetic.
  rt::DType outputType = rt::DType::F32;
  /// Called now and then with the part that is done, from 0 to 1.
  std::function<void(double)> progress;
};

struct Attended {
  rt::Array output; ///< layout of Q; f64, or outputType
  rt::Array lse;    ///< batch x heads x sq; f64, or f32
};

rt::Result<Attended> attention(Arithmetic arithmetic, const rt::Array &query,
                               const rt::Array &key, const rt::Array &value,
                               const Options &options);

/// Joins attentions of the same queries over disjoint keys.
rt::Result<Attended> merge(Arithmetic arithmetic,
                           const std::vector<const rt::Array *> &outputs,
                           const std::vector<const rt::Array *> &lses,
                           bool bshd, rt::DType outputType);

/// Where the queries and keys of several sequences lie, when they do not fill a
/// tensor of equal lengths. All are optional; counts that say more than there
/// is are an error.
struct Sequences {
  /// Where each sequence's rows begin, and the last ends; ragged.
  std::vector<int64_t> queryStarts, keyStarts;
  /// How many keys each sequence or batch has.
  std::vector<int64_t> keyLengths;
  /// Pages of each sequence or batch, `pagesEach` of them, row by row.
  std::vector<int64_t> pages;
  int64_t pagesEach = 0;
  /// Of the keys of each, the part with this number of so many parts, which
  /// hold whole units.
  struct Slice {
    int64_t part = 0, of = 1, unit = 1;
  };
  std::optional<Slice> slice;
};

/// Attention of each sequence by itself. Rows that belong to no sequence give
/// O = 0 and LSE = -inf.
rt::Result<Attended> attention(Arithmetic arithmetic, const rt::Array &query,
                               const rt::Array &key, const rt::Array &value,
                               const Options &options,
                               const Sequences &sequences);

/// Pairs, over all batches and heads, in which the query sees the key.
int64_t visiblePairs(const Sizes &sizes, const Options &options);

} // namespace flash::reference

#endif // FLASH_REFERENCE_ATTENTION_H
