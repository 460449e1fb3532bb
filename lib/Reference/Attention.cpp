//===- Attention.cpp - What attention means, computed plainly -------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For each (batch, key head): K is transposed and V padded, both converted to
// the arithmetic's type; then for each four query rows S = Q K^T is formed
// whole, then P = softmax(S), then O = P V. The products run along a row of 64
// bytes so that any compiler vectorises them without reordering a sum.
//
//===----------------------------------------------------------------------===//

#include "Philox.h"
#include "Roundings.h"
#include "Rows.h"
#include "flash/Runtime/ThreadPool.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

using namespace flash;
using namespace flash::reference;
using rt::Array;
using rt::DType;
using rt::Result;
using rt::Status;

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

static Status disagree(const char *what, const char *aName, int64_t a,
                       const char *bName, int64_t b) {
  return Status::error(std::string(what) + " differs: " + aName + " has " +
                       std::to_string(a) + ", " + bName + " has " +
                       std::to_string(b));
}

Result<Sizes> Sizes::get(const std::vector<int64_t> &query,
                         const std::vector<int64_t> &key,
                         const std::vector<int64_t> &value, bool bshd) {
  const int head = bshd ? 2 : 1, length = bshd ? 1 : 2;
  for (const auto *shape : {&query, &key, &value})
    if (shape->size() != 4)
      return Status::error("query, key and value must have 4 dimensions, not " +
                           std::to_string(shape->size()));
  Sizes sizes{query[0],    query[head], key[head], query[length],
              key[length], query[3],    value[3]};
  if (key[0] != query[0])
    return disagree("batch", "query", query[0], "key", key[0]);
  if (value[0] != query[0])
    return disagree("batch", "query", query[0], "value", value[0]);
  if (value[head] != key[head])
    return disagree("number of heads", "key", key[head], "value", value[head]);
  if (value[length] != key[length])
    return disagree("length", "key", key[length], "value", value[length]);
  if (key[3] != query[3])
    return disagree("head dim", "query", query[3], "key", key[3]);
  if (sizes.kvHeads == 0 ? sizes.heads != 0 : sizes.heads % sizes.kvHeads != 0)
    return Status::error("number of query heads (" +
                         std::to_string(sizes.heads) +
                         ") is not a multiple of the number of key heads (" +
                         std::to_string(sizes.kvHeads) + ")");
  return sizes;
}

std::vector<int64_t> Sizes::outputShape(bool bshd) const {
  return bshd ? std::vector<int64_t>{batch, sq, heads, dv}
              : std::vector<int64_t>{batch, heads, sq, dv};
}

Element reference::elementAt(const Options &options, int64_t batch,
                             int64_t head, int64_t i, int64_t j,
                             int64_t qOffset, int64_t kvOffset) {
  return {options.firstBatch + batch,
          head,
          options.firstQueryRow + i,
          options.firstKeyRow + j,
          qOffset + i,
          kvOffset + j,
          i,
          options.firstOwnKeyRow + j};
}

double reference::keptPart(const Options &options, int64_t batch, int64_t head,
                           int64_t query, int64_t key) {
  if (!options.dropout)
    return 1;
  const Dropout &dropout = *options.dropout;
  std::array<uint32_t, 4> words =
      philox({uint32_t(key >> 1), uint32_t(query >> 1),
              uint32_t((options.firstBatch + batch) * 65536 + head),
              uint32_t(dropout.offset)},
             {uint32_t(dropout.seed),
              uint32_t(dropout.seed >> 32) ^ uint32_t(dropout.offset >> 32)});
  bool drops = words[(key & 1) + 2 * (query & 1)] < std::ldexp(dropout.p, 32);
  return drops ? 0 : 1 / (1 - dropout.p);
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

static constexpr int64_t kRows = 4;
static constexpr int64_t kBytes = 128; // columns of a block, two registers

/// c[r][0..n) = sum_k a[r][k] * b[k][0..n), with n elements in kBytes.
template <typename T>
__attribute__((always_inline)) static inline void
multiplyBlock(int64_t depth, const T *a, int64_t lda, const T *b, int64_t ldb,
              T *c, int64_t ldc) {
  typedef T Vector __attribute__((vector_size(64), aligned(sizeof(T))));
  constexpr int64_t kLanes = 64 / sizeof(T);
  Vector sum[kRows][2] = {};
  for (int64_t k = 0; k < depth; ++k) {
    Vector low = *reinterpret_cast<const Vector *>(b + k * ldb);
    Vector high = *reinterpret_cast<const Vector *>(b + k * ldb + kLanes);
    for (int64_t r = 0; r < kRows; ++r) {
      sum[r][0] += a[r * lda + k] * low;
      sum[r][1] += a[r * lda + k] * high;
    }
  }
  for (int64_t r = 0; r < kRows; ++r) {
    *reinterpret_cast<Vector *>(c + r * ldc) = sum[r][0];
    *reinterpret_cast<Vector *>(c + r * ldc + kLanes) = sum[r][1];
  }
}

// Templates cannot be compiled for several CPUs; functions can.
FLASH_EACH_CPU static void blockProduct(int64_t depth, const float *a,
                                        int64_t lda, const float *b,
                                        int64_t ldb, float *c, int64_t ldc) {
  multiplyBlock(depth, a, lda, b, ldb, c, ldc);
}
FLASH_EACH_CPU static void blockProduct(int64_t depth, const double *a,
                                        int64_t lda, const double *b,
                                        int64_t ldb, double *c, int64_t ldc) {
  multiplyBlock(depth, a, lda, b, ldb, c, ldc);
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

namespace {

/// Attention in arithmetic T; P is rounded to `probability`.
template <typename T> class Computation {
public:
  Computation(const Sizes &sizes, const Options &options, const Array &query,
              const Array &key, const Array &value, Attended &result)
      : sizes(sizes), options(options), query(query), key(key), value(value),
        result(result) {
    scale = static_cast<T>(options.scale ? *options.scale
                                         : 1 / std::sqrt(double(sizes.dqk)));
    kvOffset = options.kvOffset.value_or(0);
    qOffset = options.qOffset.value_or(kvOffset + sizes.sk - sizes.sq);
    skPadded = (sizes.sk + kColumns - 1) / kColumns * kColumns;
    dvPadded = (sizes.dv + kColumns - 1) / kColumns * kColumns;
    keyTransposed.assign(sizes.dqk * skPadded, 0);
    valuePadded.assign(sizes.sk * dvPadded, 0);
  }

  void run() {
    int64_t group = sizes.kvHeads ? sizes.heads / sizes.kvHeads : 0;
    int64_t blocks = (sizes.sq + kRows - 1) / kRows, done = 0;
    for (int64_t b = 0; b < sizes.batch; ++b)
      for (int64_t hk = 0; hk < sizes.kvHeads; ++hk) {
        roundings = Roundings<T>(options.variant, b);
        readHead(b, hk);
        rt::parallelFor(group * blocks, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i)
            fourRows(b, hk * group + i / blocks, i % blocks * kRows);
        });
        if (options.progress)
          options.progress(double(++done) / (sizes.batch * sizes.kvHeads));
      }
  }

private:
  static constexpr int64_t kColumns = kBytes / sizeof(T);

  void readHead(int64_t b, int64_t hk) {
    irregular.clear();
    rt::parallelFor(sizes.sk, [&](int64_t begin, int64_t end) {
      for (int64_t j = begin; j < end; ++j) {
        readRow(key, rowStart(key, options.bshd, b, hk, j), sizes.dqk,
                keyTransposed.data() + j, skPadded);
        readRow(value, rowStart(value, options.bshd, b, hk, j), sizes.dv,
                valuePadded.data() + j * dvPadded);
        if (!options.keyScales.empty())
          for (int64_t d = 0; d < sizes.dqk; ++d)
            keyTransposed[d * skPadded + j] *=
                static_cast<T>(options.keyScales[hk]);
        if (!options.valueScales.empty())
          for (int64_t d = 0; d < sizes.dv; ++d)
            valuePadded[j * dvPadded + d] *=
                static_cast<T>(options.valueScales[hk]);
      }
    });
    keyNorms.assign(roundings ? sizes.sk : 0, 0);
    for (int64_t j = 0; roundings && j < sizes.sk; ++j)
      keyNorms[j] = norm(keyTransposed.data() + j, sizes.dqk, skPadded);
    // 0 times NaN is NaN: what is not finite is added for those who see it, and
    // zero in the product.
    for (int64_t j = 0; j < sizes.sk; ++j) {
      T *row = valuePadded.data() + j * dvPadded;
      if (std::all_of(row, row + sizes.dv,
                      [](T x) { return std::isfinite(x); }))
        continue;
      irregular.emplace_back(j, std::vector<T>(row, row + sizes.dv));
      std::fill(row, row + sizes.dv, T(0));
    }
  }

  /// Rows [first, first + 4) of head h, as far as they exist.
  void fourRows(int64_t b, int64_t h, int64_t first) {
    int64_t rows = std::min(kRows, sizes.sq - first);
    std::vector<T> q(kRows * sizes.dqk, 0), s(kRows * skPadded, 0);
    for (int64_t r = 0; r < rows; ++r)
      readRow(query, rowStart(query, options.bshd, b, h, first + r), sizes.dqk,
              q.data() + r * sizes.dqk);

    T queryNorms[kRows] = {};
    for (int64_t r = 0; roundings && r < rows; ++r)
      queryNorms[r] = norm(q.data() + r * sizes.dqk, sizes.dqk, 1);

    // Keys from `end` on are hidden from all four.
    std::vector<char> seen(kRows * sizes.sk, 1);
    int64_t end = options.visible ? 0 : sizes.sk;
    if (options.visible)
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t j = 0; j < sizes.sk; ++j) {
          bool sees = options.visible(
              elementAt(options, b, h, first + r, j, qOffset, kvOffset));
          seen[r * sizes.sk + j] = sees;
          if (sees)
            end = std::max(end, j + 1);
        }

    for (int64_t j = 0; j < end; j += kColumns)
      blockProduct(sizes.dqk, q.data(), sizes.dqk, keyTransposed.data() + j,
                   skPadded, s.data() + j, skPadded);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t j = 0; j < end; ++j) {
        T &score = s[r * skPadded + j];
        score *= scale;
        if (roundings)
          score = roundings.pairSum(
              score, sizeOfSum(score, scale * queryNorms[r] * keyNorms[j]), h,
              first + r, j);
        if (options.score && seen[r * sizes.sk + j])
          score = static_cast<T>(
              options.score(score, elementAt(options, b, h, first + r, j,
                                             qOffset, kvOffset)));
      }
    T lse[kRows];
    for (int64_t r = 0; r < rows; ++r)
      lse[r] = softmax(s.data() + r * skPadded, seen.data() + r * sizes.sk, end,
                       b, h, first + r);

    std::vector<T> o(kRows * dvPadded, 0);
    // Without keys there is no memory of values to point into.
    for (int64_t d = 0; end > 0 && d < sizes.dv; d += kColumns)
      blockProduct(end, s.data(), skPadded, valuePadded.data() + d, dvPadded,
                   o.data() + d, dvPadded);
    for (const auto &[j, values] : irregular)
      for (int64_t r = 0; j < end && r < rows; ++r)
        for (int64_t d = 0; seen[r * sizes.sk + j] && d < sizes.dv; ++d)
          o[r * dvPadded + d] += s[r * skPadded + j] * values[d];
    std::vector<double> row(sizes.dv);
    for (int64_t r = 0; r < rows; ++r) {
      std::copy_n(o.data() + r * dvPadded, sizes.dv, row.begin());
      writeRow(result.output,
               rowStart(result.output, options.bshd, b, h, first + r), sizes.dv,
               row.data());
      result.lse.set((b * sizes.heads + h) * sizes.sq + first + r, lse[r]);
    }
  }

  /// Turns the scores of row i into probabilities; returns the LSE.
  T softmax(T *s, const char *seen, int64_t end, int64_t b, int64_t h,
            int64_t i) {
    constexpr T kNone = -std::numeric_limits<T>::infinity();
    T sink = options.sinks.empty() ? kNone : static_cast<T>(options.sinks[h]);
    T max = sink;
    bool any = !options.sinks.empty();
    for (int64_t j = 0; j < end; ++j)
      if (seen[j]) {
        any = true;
        // A NaN must survive: std::max would drop it.
        if (s[j] > max || std::isnan(s[j]))
          max = s[j];
      }
    if (!any || max == kNone) {
      std::fill(s, s + end, T(0));
      return kNone;
    }
    T sum = std::exp(sink - max);
    const T factor = roundings.factor(h, i);
    for (int64_t j = 0; j < end; ++j) {
      s[j] = seen[j] ? std::exp(s[j] - max) : T(0);
      sum += s[j];
    }
    // Dropout is an operation of its own, on probabilities that were stored;
    // other variants divide by the sum at the end.
    const T before = roundings ? 1 / factor : sum,
            after = roundings ? factor * sum : 1;
    for (int64_t j = 0; j < end; ++j) {
      T stored = roundTo(query.dtype(), s[j] / before);
      s[j] =
          roundTo(query.dtype(),
                  static_cast<T>(stored * keptPart(options, b, h, qOffset + i,
                                                   kvOffset + j))) /
          after;
    }
    return max + std::log(sum);
  }

  const Sizes &sizes;
  const Options &options;
  const Array &query, &key, &value;
  Attended &result;
  T scale;
  Roundings<T> roundings{0, 0};
  int64_t qOffset, kvOffset, skPadded, dvPadded;
  std::vector<T> keyTransposed; // dqk x skPadded
  std::vector<T> valuePadded;   // sk x dvPadded
  std::vector<T> keyNorms;      // where roundings ask for them
  /// Keys with values that are not finite, and the values.
  std::vector<std::pair<int64_t, std::vector<T>>> irregular;
};

} // namespace

Result<Attended> reference::createResult(Arithmetic arithmetic,
                                         const Sizes &sizes, bool bshd,
                                         DType outputType) {
  bool wide = arithmetic == Arithmetic::Float64;
  Result<Array> output =
      Array::create(wide ? DType::F64 : outputType, sizes.outputShape(bshd));
  if (output.failed())
    return output.status();
  Result<Array> lse =
      Array::create(wide ? DType::F64 : DType::F32, sizes.lseShape());
  if (lse.failed())
    return lse.status();
  return Attended{std::move(*output), std::move(*lse)};
}

Result<Attended> reference::attention(Arithmetic arithmetic, const Array &query,
                                      const Array &key, const Array &value,
                                      const Options &options) {
  Result<Sizes> sizes =
      Sizes::get(query.shape(), key.shape(), value.shape(), options.bshd);
  if (sizes.failed())
    return sizes.status();
  Result<Attended> result =
      createResult(arithmetic, *sizes, options.bshd, options.outputType);
  if (result.failed())
    return result;
  if (arithmetic == Arithmetic::Float64)
    Computation<double>(*sizes, options, query, key, value, *result).run();
  else
    Computation<float>(*sizes, options, query, key, value, *result).run();
  return result;
}

int64_t reference::visiblePairs(const Sizes &sizes, const Options &options) {
  int64_t heads = sizes.batch * sizes.heads;
  if (!options.visible)
    return heads * sizes.sq * sizes.sk;
  int64_t kvOffset = options.kvOffset.value_or(0);
  int64_t qOffset = options.qOffset.value_or(kvOffset + sizes.sk - sizes.sq);
  int64_t counted = options.positionsOnly ? std::min<int64_t>(heads, 1) : heads;
  std::atomic<int64_t> pairs{0};
  rt::parallelFor(counted * sizes.sq, [&](int64_t begin, int64_t end) {
    int64_t mine = 0;
    for (int64_t n = begin; n < end; ++n) {
      int64_t i = n % sizes.sq, head = n / sizes.sq;
      if (options.countVisible) {
        mine +=
            options.countVisible(qOffset + i, kvOffset, kvOffset + sizes.sk);
        continue;
      }
      for (int64_t j = 0; j < sizes.sk; ++j)
        mine += options.visible(elementAt(options, head / sizes.heads,
                                          head % sizes.heads, i, j, qOffset,
                                          kvOffset));
    }
    pairs += mine;
  });
  return options.positionsOnly ? pairs * heads : pairs.load();
}
