//===- AttentionTest.cpp - The reference itself ---------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Cases small enough to compute by hand, and identities that any attention has.
//
//===----------------------------------------------------------------------===//

#include "flash/Reference/Attention.h"

#include "TestUtils.h"

#include <cmath>
#include <limits>

using namespace flash;
using namespace flash::reference;
using namespace flash::test;
using rt::Array;
using rt::DType;

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

static Options causal() {
  Options options;
  options.visible = [](const Element &e) { return e.key <= e.query; };
  return options;
}

static Attended inF64(const Array &q, const Array &k, const Array &v,
                      const Options &options = {}) {
  return unwrap(attention(Arithmetic::Float64, q, k, v, options));
}

TEST(AttentionTest, TwoKeysByHand) {
  // Scores 0 and ln 3 with scale 1: probabilities 1/4 and 3/4.
  Array q = array(DType::F64, {1, 1, 1, 1}, {1});
  Array k = array(DType::F64, {1, 1, 2, 1}, {0, std::log(3.0)});
  Array v = array(DType::F64, {1, 1, 2, 2}, {4, 0, 8, 1});
  Options options;
  options.scale = 1;
  Attended result = inF64(q, k, v, options);
  EXPECT_NEAR(result.output.at(0), 7, 1e-14);
  EXPECT_NEAR(result.output.at(1), 0.75, 1e-14);
  EXPECT_NEAR(result.lse.at(0), std::log(4.0), 1e-14);
}

TEST(AttentionTest, DefaultScaleIsInverseRoot) {
  // dqk = 4: scores are halved, (2*2 * 1) / 2 = 2 against 0.
  Array q = array(DType::F32, {1, 1, 1, 4}, {1, 1, 1, 1});
  Array k = array(DType::F32, {1, 1, 2, 4}, {1, 1, 1, 1, 0, 0, 0, 0});
  Array v = array(DType::F32, {1, 1, 2, 1}, {1, 0});
  Attended result = inF64(q, k, v);
  EXPECT_NEAR(result.output.at(0), 1 / (1 + std::exp(-2.0)), 1e-14);
  EXPECT_NEAR(result.lse.at(0), std::log(std::exp(2.0) + 1), 1e-14);
}

TEST(AttentionTest, CausalIsAlignedBottomRight) {
  // All scores 0: a row is the mean of the values it sees. 2 queries, 3 keys:
  // the first sees 2 keys, the last all.
  Array q = array(DType::F32, {1, 1, 2, 1}, {0, 0});
  Array k = array(DType::F32, {1, 1, 3, 1}, {1, 2, 3});
  Array v = array(DType::F32, {1, 1, 3, 1}, {2, 4, 9});
  Attended result = inF64(q, k, v, causal());
  EXPECT_NEAR(result.output.at(0), 3, 1e-14);
  EXPECT_NEAR(result.output.at(1), 5, 1e-14);
  EXPECT_NEAR(result.lse.at(0), std::log(2.0), 1e-14);
}

TEST(AttentionTest, RowsWithoutKeys) {
  // 3 queries, 2 keys: the first row sees nothing.
  Array q = array(DType::F32, {1, 1, 3, 1}, {1, 1, 1});
  Array k = array(DType::F32, {1, 1, 2, 1}, {1, 1});
  Array v = array(DType::F32, {1, 1, 2, 1}, {5, 7});
  for (Arithmetic arithmetic : {Arithmetic::Float64, Arithmetic::Unfused}) {
    Attended result = unwrap(attention(arithmetic, q, k, v, causal()));
    EXPECT_EQ(result.output.at(0), 0);
    EXPECT_EQ(result.lse.at(0), -kInfinity);
    EXPECT_EQ(result.output.at(1), 5);
    EXPECT_EQ(result.output.at(2), 6);
  }
}

TEST(AttentionTest, NoKeysAtAll) {
  Array q = normal(DType::BF16, {2, 3, 5, 8}, 1);
  Array k = normal(DType::BF16, {2, 3, 0, 8}, 2);
  Attended result = inF64(q, k, k);
  for (int64_t i = 0; i < result.output.numElements(); ++i)
    EXPECT_EQ(result.output.at(i), 0);
  for (int64_t i = 0; i < result.lse.numElements(); ++i)
    EXPECT_EQ(result.lse.at(i), -kInfinity);
}

TEST(AttentionTest, Offsets) {
  // A query at position 10 and keys at 9, 10, 11: it sees two.
  Array q = array(DType::F32, {1, 1, 1, 1}, {0});
  Array k = array(DType::F32, {1, 1, 3, 1}, {1, 2, 3});
  Array v = array(DType::F32, {1, 1, 3, 1}, {2, 4, 9});
  Options options = causal();
  options.qOffset = 10;
  options.kvOffset = 9;
  EXPECT_NEAR(inF64(q, k, v, options).output.at(0), 3, 1e-14);
  options.qOffset = 8;
  EXPECT_EQ(inF64(q, k, v, options).lse.at(0), -kInfinity);
}

TEST(AttentionTest, GroupedQueriesReadTheirKeyHead) {
  // One key a head, so that O is V of the head read: query heads 0, 1 read key
  // head 0 and heads 2, 3 key head 1.
  Array q = normal(DType::F32, {1, 4, 1, 1}, 1);
  Array k = normal(DType::F32, {1, 2, 1, 1}, 2);
  Array v = array(DType::F32, {1, 2, 1, 1}, {3, 5});
  Attended result = inF64(q, k, v);
  for (auto [index, want] : {std::pair{0, 3}, {1, 3}, {2, 5}, {3, 5}})
    EXPECT_EQ(result.output.at(index), want);
}

/// Swaps dimensions 1 and 2.
static Array swapMiddle(const Array &from) {
  auto s = from.shape();
  Array to = unwrap(Array::create(from.dtype(), {s[0], s[2], s[1], s[3]}));
  int64_t index = 0;
  for (int64_t a = 0; a < s[0]; ++a)
    for (int64_t b = 0; b < s[1]; ++b)
      for (int64_t c = 0; c < s[2]; ++c)
        for (int64_t d = 0; d < s[3]; ++d)
          to.set(((a * s[2] + c) * s[1] + b) * s[3] + d, from.at(index++));
  return to;
}

TEST(AttentionTest, LayoutsAgree) {
  Array q = normal(DType::F16, {2, 6, 7, 9}, 1);
  Array k = normal(DType::F16, {2, 3, 11, 9}, 2);
  Array v = normal(DType::F16, {2, 3, 11, 5}, 3);
  Attended plain = inF64(q, k, v, causal());
  Options options = causal();
  options.bshd = true;
  Attended swapped =
      inF64(swapMiddle(q), swapMiddle(k), swapMiddle(v), options);
  expectNear(swapMiddle(swapped.output), plain.output, 0);
  expectNear(swapped.lse, plain.lse, 0);
}

TEST(AttentionTest, AgainstADirectSum) {
  // Off every multiple that the reference blocks by.
  int64_t sq = 7, sk = 37, dqk = 59, dv = 33;
  Array q = normal(DType::F32, {1, 1, sq, dqk}, 1);
  Array k = normal(DType::F32, {1, 1, sk, dqk}, 2);
  Array v = normal(DType::F32, {1, 1, sk, dv}, 3);
  Attended result = inF64(q, k, v, causal());
  for (int64_t i = 0; i < sq; ++i) {
    double sum = 0;
    std::vector<double> o(dv, 0);
    for (int64_t j = 0; j <= i + sk - sq; ++j) {
      double s = 0;
      for (int64_t d = 0; d < dqk; ++d)
        s += q.at(i * dqk + d) * k.at(j * dqk + d);
      double p = std::exp(s / std::sqrt(double(dqk)));
      sum += p;
      for (int64_t d = 0; d < dv; ++d)
        o[d] += p * v.at(j * dv + d);
    }
    EXPECT_NEAR(result.lse.at(i), std::log(sum), 1e-12);
    for (int64_t d = 0; d < dv; ++d)
      EXPECT_NEAR(result.output.at(i * dv + d), o[d] / sum, 1e-12);
  }
}

TEST(AttentionTest, UnfusedRoundsProbabilitiesToTheInputType) {
  // Probabilities 1/3 each; in bf16 that is 0.333984375, so that the sum of
  // three equal values is 3 * 0.333984375, before and after rounding O to f32.
  Array q = array(DType::BF16, {1, 1, 1, 1}, {0});
  Array k = array(DType::BF16, {1, 1, 3, 1}, {1, 1, 1});
  Array v = array(DType::BF16, {1, 1, 3, 1}, {1, 1, 1});
  Options options;
  options.outputType = DType::F32;
  Attended result = unwrap(attention(Arithmetic::Unfused, q, k, v, options));
  EXPECT_EQ(result.output.at(0), 3 * 0.333984375);
  options.outputType = DType::BF16;
  result = unwrap(attention(Arithmetic::Unfused, q, k, v, options));
  EXPECT_EQ(result.output.dtype(), DType::BF16);
  EXPECT_EQ(result.output.at(0), 1);
}

TEST(AttentionTest, NaNIsKept) {
  Array q = array(DType::F32, {1, 1, 1, 1}, {std::nan("")});
  Array k = array(DType::F32, {1, 1, 2, 1}, {1, 1});
  Attended result = inF64(q, k, k);
  EXPECT_TRUE(std::isnan(result.output.at(0)));
  EXPECT_TRUE(std::isnan(result.lse.at(0)));
}

TEST(AttentionTest, ErrorsNameTheDimensionAndBothValues) {
  Array q = normal(DType::F32, {1, 4, 5, 8}, 1),
        k = normal(DType::F32, {1, 3, 5, 8}, 2),
        v = normal(DType::F32, {1, 3, 6, 8}, 3);
  EXPECT_EQ(attention(Arithmetic::Float64, q, k, k, {}).message(),
            "number of query heads (4) is not a multiple of the number of key "
            "heads (3)");
  EXPECT_EQ(attention(Arithmetic::Float64, q, k, v, {}).message(),
            "length differs: key has 5, value has 6");
}

//===----------------------------------------------------------------------===//
// Merge
//===----------------------------------------------------------------------===//

/// Rows [first, first + count) of the length of a bhsd array.
static Array rows(const Array &from, int64_t first, int64_t count) {
  auto s = from.shape();
  Array to = unwrap(Array::create(from.dtype(), {s[0], s[1], count, s[3]}));
  int64_t index = 0;
  for (int64_t bh = 0; bh < s[0] * s[1]; ++bh)
    for (int64_t i = 0; i < count * s[3]; ++i)
      to.set(index++, from.at((bh * s[2] + first) * s[3] + i));
  return to;
}

TEST(MergeTest, PartsMakeTheWhole) {
  Array q = normal(DType::F32, {2, 4, 9, 16}, 1);
  Array k = normal(DType::F32, {2, 2, 23, 16}, 2);
  Array v = normal(DType::F32, {2, 2, 23, 12}, 3);
  Options options = causal();
  options.qOffset = 5; // the first parts see all, the last nothing
  Attended whole = inF64(q, k, v, options);

  std::vector<Attended> parts;
  std::vector<const Array *> outputs, lses;
  for (auto [first, count] : {std::pair{0, 8}, {8, 0}, {8, 8}, {16, 7}}) {
    options.kvOffset = first;
    parts.push_back(
        inF64(q, rows(k, first, count), rows(v, first, count), options));
  }
  for (const Attended &part : parts) {
    outputs.push_back(&part.output);
    lses.push_back(&part.lse);
  }
  Attended merged =
      unwrap(merge(Arithmetic::Float64, outputs, lses, false, DType::F32));
  expectNear(merged.output, whole.output, 1e-13);
  expectNear(merged.lse, whole.lse, 1e-13);
}

TEST(MergeTest, ByHand) {
  // Weights 1/4 and 3/4.
  Array o0 = array(DType::F32, {1, 1, 1, 1}, {4}),
        o1 = array(DType::F32, {1, 1, 1, 1}, {8});
  Array l0 = array(DType::F64, {1, 1, 1}, {0}),
        l1 = array(DType::F64, {1, 1, 1}, {std::log(3.0)});
  Attended merged = unwrap(
      merge(Arithmetic::Float64, {&o0, &o1}, {&l0, &l1}, false, DType::F32));
  EXPECT_NEAR(merged.output.at(0), 7, 1e-14);
  EXPECT_NEAR(merged.lse.at(0), std::log(4.0), 1e-14);
}

TEST(MergeTest, EmptyPartsWeighNothing) {
  Array o0 = array(DType::F32, {1, 1, 1, 1}, {3}),
        poison = array(DType::F32, {1, 1, 1, 1}, {std::nan("")});
  Array l0 = array(DType::F32, {1, 1, 1}, {2}),
        none = array(DType::F32, {1, 1, 1}, {-kInfinity});
  Attended merged = unwrap(merge(Arithmetic::Unfused, {&poison, &o0},
                                 {&none, &l0}, false, DType::F32));
  EXPECT_EQ(merged.output.at(0), 3);
  EXPECT_EQ(merged.lse.at(0), 2);
  merged = unwrap(merge(Arithmetic::Unfused, {&poison, &poison}, {&none, &none},
                        false, DType::F32));
  EXPECT_EQ(merged.output.at(0), 0);
  EXPECT_EQ(merged.lse.at(0), -kInfinity);
}

TEST(WorkTest, VisiblePairs) {
  EXPECT_EQ(visiblePairs({1, 1, 1, 3, 5, 1, 1}, {}), 15);
  EXPECT_EQ(visiblePairs({2, 3, 1, 3, 5, 1, 1}, {}), 6 * 15);
  EXPECT_EQ(visiblePairs({1, 1, 1, 3, 5, 1, 1}, causal()), 3 + 4 + 5);
  EXPECT_EQ(visiblePairs({1, 1, 1, 5, 3, 1, 1}, causal()), 1 + 2 + 3);
}
