//===- AttentionBackward.cpp - Gradients of attention ---------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For each (batch, key head), once row by row: LSE, O, delta and dQ. Then once
// key by key, over all rows of all heads of the group: dK and dV. Scores are
// computed in both, so that no matrix of them is kept and no two threads add to
// one gradient.
//
//===----------------------------------------------------------------------===//

#include "flash/Reference/AttentionBackward.h"

#include "Roundings.h"
#include "Rows.h"
#include "flash/Runtime/ThreadPool.h"

#include <array>
#include <cmath>
#include <limits>
#include <map>

using namespace flash;
using namespace flash::reference;
using rt::Array;
using rt::Result;
using rt::Status;

/// In sums that any compiler vectorises.
template <typename T>
__attribute__((always_inline)) static inline T dotRows(int64_t n, const T *a,
                                                       const T *b) {
  constexpr int64_t kSums = 128 / sizeof(T);
  T sums[kSums] = {}, rest = 0;
  int64_t d = 0;
  for (; d + kSums <= n; d += kSums)
    for (int64_t i = 0; i < kSums; ++i)
      sums[i] += a[d + i] * b[d + i];
  for (; d < n; ++d)
    rest += a[d] * b[d];
  for (T sum : sums)
    rest += sum;
  return rest;
}

/// sum_d a[d] * b[d].
FLASH_EACH_CPU static float dot(int64_t n, const float *a, const float *b) {
  return dotRows(n, a, b);
}
FLASH_EACH_CPU static double dot(int64_t n, const double *a, const double *b) {
  return dotRows(n, a, b);
}

/// to[d] += factor * a[d].
FLASH_EACH_CPU static void
add(int64_t n, float factor, const float *__restrict a, float *__restrict to) {
  for (int64_t d = 0; d < n; ++d)
    to[d] += factor * a[d];
}
FLASH_EACH_CPU static void add(int64_t n, double factor,
                               const double *__restrict a,
                               double *__restrict to) {
  for (int64_t d = 0; d < n; ++d)
    to[d] += factor * a[d];
}

namespace {

/// Gradients in arithmetic T; P and dS are rounded to the query's type.
template <typename T> class Backward {
public:
  Backward(const Sizes &sizes, const Options &options, const Array &query,
           const Array &key, const Array &value, const Array &outputGradient,
           const Array *lseGradient, AttentionGradients &result)
      : sizes(sizes), options(options), query(query), key(key), value(value),
        outputGradient(outputGradient), lseGradient(lseGradient),
        result(result), group(sizes.kvHeads ? sizes.heads / sizes.kvHeads : 0) {
    scale = static_cast<T>(options.scale ? *options.scale
                                         : 1 / std::sqrt(double(sizes.dqk)));
    kvOffset = options.kvOffset.value_or(0);
    qOffset = options.qOffset.value_or(kvOffset + sizes.sk - sizes.sq);
    int64_t rows = group * sizes.sq;
    keys.resize(sizes.sk * sizes.dqk);
    values.resize(sizes.sk * sizes.dv);
    queries.resize(rows * sizes.dqk);
    grads.resize(rows * sizes.dv);
    for (auto [from, to] : squared())
      if (result.magnitudes)
        to->resize(from->size());
    for (auto *each : {&lse, &delta, &deltaSize, &lseGrads})
      each->assign(rows, 0);
    for (Gradients *of : {&result.gradients,
                          result.magnitudes ? &*result.magnitudes : nullptr}) {
      if (!of)
        continue;
      of->sinks.assign(options.sinks.size(), 0);
      for (int64_t size : options.readSizes)
        of->read.emplace_back(size, 0.0);
    }
  }

  void run() {
    for (int64_t b = 0; b < sizes.batch; ++b)
      for (int64_t hk = 0; hk < sizes.kvHeads; ++hk) {
        roundings = Roundings<T>(options.variant, b);
        read(b, hk);
        each(group * sizes.sq, [&](int64_t row) { queryRow(b, hk, row); });
        each(sizes.sk, [&](int64_t j) { keyRow(b, hk, j); });
        if (!options.sinks.empty() || options.readSlopes)
          for (int64_t row = 0; row < group * sizes.sq; ++row)
            addOperands(b, hk, row);
        if (options.progress)
          options.progress(double(b * sizes.kvHeads + hk + 1) /
                           (sizes.batch * sizes.kvHeads));
      }
  }

private:
  /// A query and a key that it sees.
  struct Pair {
    T score, slope, kept;
    /// Before score functions.
    T scaled;
  };

  template <typename Body> static void each(int64_t n, Body body) {
    rt::parallelFor(n, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        body(i);
    });
  }

  std::array<std::pair<std::vector<T> *, std::vector<T> *>, 4> squared() {
    return {{{&keys, &keySquares},
             {&values, &valueSquares},
             {&queries, &querySquares},
             {&grads, &gradSquares}}};
  }

  int64_t headOf(int64_t hk, int64_t row) {
    return hk * group + row / sizes.sq;
  }

  /// The rows of a key head and of the query heads of its group.
  void read(int64_t b, int64_t hk) {
    for (int64_t j = 0; j < sizes.sk; ++j) {
      readRow(key, rowStart(key, options.bshd, b, hk, j), sizes.dqk,
              keys.data() + j * sizes.dqk);
      readRow(value, rowStart(value, options.bshd, b, hk, j), sizes.dv,
              values.data() + j * sizes.dv);
    }
    for (int64_t row = 0; row < group * sizes.sq; ++row) {
      int64_t h = headOf(hk, row), i = row % sizes.sq;
      readRow(query, rowStart(query, options.bshd, b, h, i), sizes.dqk,
              queries.data() + row * sizes.dqk);
      readRow(outputGradient, rowStart(outputGradient, options.bshd, b, h, i),
              sizes.dv, grads.data() + row * sizes.dv);
      if (lseGradient)
        lseGrads[row] = static_cast<T>(
            lseGradient->at((b * sizes.heads + h) * sizes.sq + i));
    }
    for (auto [from, to] : squared())
      for (size_t i = 0; i < to->size(); ++i)
        (*to)[i] = (*from)[i] * (*from)[i];
    if (!roundings)
      return;
    auto norms = [](const std::vector<T> &rows, int64_t length,
                    std::vector<T> &to) {
      to.clear();
      for (size_t i = 0; i < rows.size(); i += std::max<int64_t>(length, 1))
        to.push_back(norm(rows.data() + i, length, 1));
    };
    norms(keys, sizes.dqk, keyNorms);
    norms(values, sizes.dv, valueNorms);
    norms(queries, sizes.dqk, queryNorms);
    norms(grads, sizes.dv, gradNorms);
  }

  /// Nothing where the query does not see the key, or the score says so.
  std::optional<Pair> pairOf(int64_t b, int64_t hk, int64_t row, int64_t j) {
    int64_t h = headOf(hk, row), i = row % sizes.sq;
    Element element = elementAt(options, b, h, i, j, qOffset, kvOffset);
    if (options.visible && !options.visible(element))
      return std::nullopt;
    Pair pair{scale * dot(sizes.dqk, queries.data() + row * sizes.dqk,
                          keys.data() + j * sizes.dqk),
              1, 1, 0};
    if (roundings)
      pair.score = roundings.pairSum(
          pair.score,
          sizeOfSum(pair.score, scale * queryNorms[row] * keyNorms[j]), h, i,
          j);
    pair.scaled = pair.score;
    if (options.scoreWithSlope) {
      auto [score, slope] = options.scoreWithSlope(pair.score, element);
      pair.score = static_cast<T>(score);
      pair.slope = static_cast<T>(slope);
    }
    if (pair.score == kNone)
      return std::nullopt;
    pair.kept =
        static_cast<T>(keptPart(options, b, h, element.query, element.key));
    return pair;
  }

  /// What a pair adds: dV = sum of `kept` dO, dQ = scale times that of `ds` K.
  struct Terms {
    T kept, ds, dsSize;
  };
  /// What meets V and dO: P as it is stored, of which dropout keeps a part.
  T keptOf(const Pair &pair, int64_t hk, int64_t row) {
    T factor = factorOf(hk, row);
    T stored = roundTo(query.dtype(), factor * std::exp(pair.score - lse[row]));
    return roundTo(query.dtype(), static_cast<T>(stored * pair.kept)) / factor;
  }
  T factorOf(int64_t hk, int64_t row) {
    return roundings.factor(headOf(hk, row), row % sizes.sq);
  }
  /// Of P before dropout: dO times V, of which dropout keeps a part.
  T probabilityGradient(const Pair &pair, int64_t hk, int64_t row, int64_t j) {
    T sum = dot(sizes.dv, grads.data() + row * sizes.dv,
                values.data() + j * sizes.dv);
    if (roundings)
      sum = roundings.pairSum(
          sum, std::fabs(sum) + gradNorms[row] * valueNorms[j] / 2,
          headOf(hk, row), row % sizes.sq, j, 1);
    return pair.kept * sum;
  }
  Terms termsOf(const Pair &pair, int64_t hk, int64_t row, int64_t j) {
    T p = std::exp(pair.score - lse[row]), factor = factorOf(hk, row);
    T dp = probabilityGradient(pair, hk, row, j);
    T ds = p * (dp - delta[row] + lseGrads[row]) * pair.slope;
    Terms terms{keptOf(pair, hk, row),
                roundTo(query.dtype(), ds * factor) / factor, 0};
    // A slope is the sum of others, and has an error though it may be 0.
    T slope = options.scoreWithSlope ? std::hypot(pair.slope, T(0.1)) : T(1);
    if (result.magnitudes)
      terms.dsSize =
          p * slope *
          std::sqrt(pair.kept * pair.kept *
                        dot(sizes.dv, gradSquares.data() + row * sizes.dv,
                            valueSquares.data() + j * sizes.dv) +
                    deltaSize[row] * deltaSize[row] +
                    lseGrads[row] * lseGrads[row]);
    return terms;
  }

  void write(Array &to, int64_t b, int64_t h, int64_t s, int64_t n,
             const T *from, double factor) {
    std::vector<double> row(n);
    for (int64_t d = 0; d < n; ++d)
      row[d] = static_cast<T>(from[d] * static_cast<T>(factor));
    writeRow(to, rowStart(to, options.bshd, b, h, s), n, row.data());
  }
  void writeRoots(Array &to, int64_t b, int64_t h, int64_t s,
                  std::vector<T> squares, double factor) {
    for (T &square : squares)
      square = std::sqrt(square);
    write(to, b, h, s, squares.size(), squares.data(), std::fabs(factor));
  }

  void queryRow(int64_t b, int64_t hk, int64_t row);
  void keyRow(int64_t b, int64_t hk, int64_t j);
  void addOperands(int64_t b, int64_t hk, int64_t row);

  static constexpr T kNone = -std::numeric_limits<T>::infinity();

  const Sizes &sizes;
  const Options &options;
  const Array &query, &key, &value, &outputGradient, *lseGradient;
  AttentionGradients &result;
  const int64_t group;
  T scale;
  Roundings<T> roundings{0, 0};
  int64_t qOffset, kvOffset;
  std::vector<T> keys, values;   ///< of a key head
  std::vector<T> queries, grads; ///< Q and dO of its group, head by head
  std::vector<T> keySquares, valueSquares, querySquares, gradSquares;
  /// Where roundings ask for them.
  std::vector<T> keyNorms, valueNorms, queryNorms, gradNorms;
  std::vector<T> lse, lseGrads; ///< of the same rows
  std::vector<T> delta, deltaSize;
};

} // namespace

template <typename T>
void Backward<T>::queryRow(int64_t b, int64_t hk, int64_t row) {
  int64_t h = headOf(hk, row), i = row % sizes.sq;
  std::vector<std::pair<int64_t, Pair>> pairs;
  T max = options.sinks.empty() ? kNone : static_cast<T>(options.sinks[h]);
  const T sink = max;
  for (int64_t j = 0; j < sizes.sk; ++j)
    if (std::optional<Pair> pair = pairOf(b, hk, row, j)) {
      pairs.emplace_back(j, *pair);
      // A NaN must survive: std::max would drop it.
      if (pair->score > max || std::isnan(pair->score))
        max = pair->score;
    }
  std::vector<T> dq(sizes.dqk, 0), o(sizes.dv, 0);
  lse[row] = max;
  if (!pairs.empty()) {
    T sum = std::exp(sink - max);
    for (auto &[j, pair] : pairs)
      sum += std::exp(pair.score - max);
    lse[row] = max + std::log(sum);
    lse[row] = roundings.rowSum(lse[row], 1 + std::fabs(lse[row]), h, i);
  }
  // delta, from O as it is kept.
  for (auto &[j, pair] : pairs)
    add(sizes.dv, keptOf(pair, hk, row), values.data() + j * sizes.dv,
        o.data());
  for (T &element : o)
    element = roundTo(options.outputType, element);
  delta[row] = dot(sizes.dv, grads.data() + row * sizes.dv, o.data());
  if (roundings)
    delta[row] =
        roundings.rowSum(delta[row],
                         std::fabs(delta[row]) +
                             gradNorms[row] * norm(o.data(), sizes.dv, 1) / 2,
                         h, i, 1);
  if (result.magnitudes) {
    for (T &element : o)
      element *= element;
    deltaSize[row] =
        std::sqrt(dot(sizes.dv, gradSquares.data() + row * sizes.dv, o.data()));
  }

  std::vector<T> squares(sizes.dqk, 0), mean(sizes.dqk, 0);
  for (auto &[j, pair] : pairs) {
    Terms terms = termsOf(pair, hk, row, j);
    const T *k = keys.data() + j * sizes.dqk;
    add(sizes.dqk, terms.ds, k, dq.data());
    if (!result.magnitudes)
      continue;
    add(sizes.dqk, terms.dsSize * terms.dsSize,
        keySquares.data() + j * sizes.dqk, squares.data());
    add(sizes.dqk, std::exp(pair.score - lse[row]) * pair.slope, k,
        mean.data());
  }
  write(result.gradients.query, b, h, i, sizes.dqk, dq.data(), scale);
  if (!result.magnitudes)
    return;
  // What delta is off by is so for all keys of the row.
  for (int64_t d = 0; d < sizes.dqk; ++d)
    squares[d] += deltaSize[row] * deltaSize[row] * mean[d] * mean[d];
  writeRoots(result.magnitudes->query, b, h, i, squares, scale);
}

template <typename T>
void Backward<T>::keyRow(int64_t b, int64_t hk, int64_t j) {
  std::vector<T> dk(sizes.dqk, 0), dv(sizes.dv, 0), dkSquares(sizes.dqk, 0),
      dvSquares(sizes.dv, 0);
  for (int64_t row = 0; row < group * sizes.sq; ++row) {
    std::optional<Pair> pair = pairOf(b, hk, row, j);
    if (!pair)
      continue;
    Terms terms = termsOf(*pair, hk, row, j);
    const T *q = queries.data() + row * sizes.dqk,
            *grad = grads.data() + row * sizes.dv;
    add(sizes.dqk, terms.ds, q, dk.data());
    add(sizes.dv, terms.kept, grad, dv.data());
    if (!result.magnitudes)
      continue;
    add(sizes.dqk, terms.dsSize * terms.dsSize,
        querySquares.data() + row * sizes.dqk, dkSquares.data());
    add(sizes.dv, terms.kept * terms.kept, gradSquares.data() + row * sizes.dv,
        dvSquares.data());
  }
  write(result.gradients.key, b, hk, j, sizes.dqk, dk.data(), scale);
  write(result.gradients.value, b, hk, j, sizes.dv, dv.data(), 1);
  if (!result.magnitudes)
    return;
  writeRoots(result.magnitudes->key, b, hk, j, dkSquares, scale);
  writeRoots(result.magnitudes->value, b, hk, j, dvSquares, 1);
}

/// Adds a row's part of the gradients of its sink and of what its scores read;
/// one row after the other.
template <typename T>
void Backward<T>::addOperands(int64_t b, int64_t hk, int64_t row) {
  int64_t h = headOf(hk, row), i = row % sizes.sq;
  auto addTo = [](double &sum, double term) { sum += static_cast<T>(term); };
  auto addSquare = [](double &root, double term) {
    root = std::hypot(root, term);
  };
  if (!options.sinks.empty() && lse[row] != kNone) {
    T p = std::exp(static_cast<T>(options.sinks[h]) - lse[row]);
    addTo(result.gradients.sinks[h], p * (lseGrads[row] - delta[row]));
    if (result.magnitudes)
      addSquare(result.magnitudes->sinks[h],
                p * std::hypot(deltaSize[row], lseGrads[row]));
  }
  if (!options.readSlopes)
    return;
  // By element. Rows are summed by themselves first: one sum of a million terms
  // would be no more exact than what it judges; other variants have just that.
  // What delta is off by is so for all keys of the row.
  struct OfRow {
    double sum = 0, mean = 0;
  };
  std::map<std::pair<int64_t, int64_t>, OfRow> ofRow;
  for (int64_t j = 0; j < sizes.sk; ++j) {
    std::optional<Pair> pair = pairOf(b, hk, row, j);
    if (!pair)
      continue;
    T p = std::exp(pair->score - lse[row]);
    if (p == 0)
      continue;
    T dp = probabilityGradient(*pair, hk, row, j);
    T gradient = p * (dp - delta[row] + lseGrads[row]), size = 0;
    if (result.magnitudes)
      size =
          p * std::sqrt(pair->kept * pair->kept *
                            dot(sizes.dv, gradSquares.data() + row * sizes.dv,
                                valueSquares.data() + j * sizes.dv) +
                        deltaSize[row] * deltaSize[row] +
                        lseGrads[row] * lseGrads[row]);
    for (const ReadSlope &read : options.readSlopes(
             pair->scaled, elementAt(options, b, h, i, j, qOffset, kvOffset))) {
      OfRow &element = ofRow[{read.tensor, read.element}];
      double &sum = roundings ? result.gradients.read[read.tensor][read.element]
                              : element.sum;
      addTo(sum, gradient * read.slope);
      if (roundings)
        sum = static_cast<T>(sum);
      if (!result.magnitudes)
        continue;
      addSquare(result.magnitudes->read[read.tensor][read.element],
                size * read.slope);
      element.mean += p * read.slope;
    }
  }
  for (const auto &[read, element] : ofRow) {
    result.gradients.read[read.first][read.second] += element.sum;
    if (result.magnitudes)
      addSquare(result.magnitudes->read[read.first][read.second],
                deltaSize[row] * element.mean);
  }
}

Result<AttentionGradients>
reference::attentionBackward(Arithmetic arithmetic, const Array &query,
                             const Array &key, const Array &value,
                             const Array &outputGradient,
                             const Array *lseGradient, const Options &options) {
  Result<Sizes> sizes =
      Sizes::get(query.shape(), key.shape(), value.shape(), options.bshd);
  if (sizes.failed())
    return sizes.status();
  Status status = checkBackward(query, outputGradient, lseGradient,
                                sizes->outputShape(options.bshd), options);
  if (status.failed())
    return status;
  Result<AttentionGradients> result =
      createGradients(arithmetic, query, key, value);
  if (result.failed())
    return result;
  if (arithmetic == Arithmetic::Float64)
    Backward<double>(*sizes, options, query, key, value, outputGradient,
                     lseGradient, *result)
        .run();
  else
    Backward<float>(*sizes, options, query, key, value, outputGradient,
                    lseGradient, *result)
        .run();
  return result;
}
