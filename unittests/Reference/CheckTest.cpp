//===- CheckTest.cpp - What a check lets through --------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The unfused computation passes against itself, and a fused one beside it;
// each kind of damage fails, mistakes that a compiler could make among them.
//
//===----------------------------------------------------------------------===//

#include "flash/Reference/Check.h"

#include "TestUtils.h"
#include "flash/Reference/Attention.h"

#include <cmath>
#include <cstring>
#include <limits>

using namespace flash;
using namespace flash::reference;
using namespace flash::test;
using rt::Array;
using rt::DType;

namespace {

/// A causal attention whose first row sees no key.
struct CheckTest : testing::TestWithParam<DType> {
  CheckTest()
      : q(normal(GetParam(), {1, 2, 65, 64}, 1)),
        k(normal(GetParam(), {1, 2, 64, 64}, 2)),
        v(normal(GetParam(), {1, 2, 64, 64}, 3)),
        truth(compute(Arithmetic::Float64)),
        unfused(widest(truth.output,
                       [&](uint64_t variant) {
                         return compute(Arithmetic::Unfused, variant).output;
                       })),
        unfusedLse(widest(truth.lse,
                          [&](uint64_t variant) {
                            return compute(Arithmetic::Unfused, variant).lse;
                          })),
        candidate(compute(Arithmetic::Unfused)) {}

  Attended compute(Arithmetic arithmetic, uint64_t variant = 0) {
    Options options;
    options.variant = variant;
    options.outputType = GetParam();
    options.visible = [](const Element &e) { return e.key <= e.query; };
    return unwrap(attention(arithmetic, q, k, v, options));
  }
  std::string judgeOutput() {
    return judge(candidate.output, truth.output, unfused, ResultKind::Output,
                 GetParam())
        .failure;
  }
  std::string judgeLse() {
    return judge(candidate.lse, truth.lse, unfusedLse, ResultKind::Lse,
                 GetParam())
        .failure;
  }

  Array q, k, v;
  Attended truth;
  Errors unfused, unfusedLse;
  Attended candidate;
};

TEST_P(CheckTest, UnfusedPasses) {
  EXPECT_EQ(judgeOutput(), "");
  EXPECT_EQ(judgeLse(), "");
}

TEST_P(CheckTest, NaNFails) {
  candidate.output.set(100, std::nan(""));
  candidate.lse.set(5, std::nan(""));
  EXPECT_NE(judgeOutput().find("NaN: not written"), std::string::npos);
  EXPECT_NE(judgeLse().find("at [0, 0, 5]"), std::string::npos);
}

TEST_P(CheckTest, PoisonFails) {
  poison(candidate.output);
  poison(candidate.lse);
  EXPECT_NE(judgeOutput(), "");
  EXPECT_NE(judgeLse(), "");
}

TEST_P(CheckTest, InfinitiesMustMatch) {
  ASSERT_EQ(candidate.lse.at(0), -std::numeric_limits<double>::infinity());
  candidate.lse.set(0, -1e30);
  EXPECT_NE(judgeLse().find("infinite"), std::string::npos);
  candidate.lse.set(0, -std::numeric_limits<double>::infinity());
  candidate.lse.set(1, -std::numeric_limits<double>::infinity());
  EXPECT_NE(judgeLse().find("infinite"), std::string::npos);
}

TEST_P(CheckTest, RowsWithoutKeysAreZero) {
  ASSERT_EQ(candidate.output.at(3), 0);
  candidate.output.set(3, 1e-6);
  EXPECT_NE(judgeOutput().find("sees no key"), std::string::npos);
}

TEST_P(CheckTest, OneWrongRowFails) {
  // The last row of the last head: small values, few elements.
  for (int64_t i = candidate.output.numElements() - 64;
       i < candidate.output.numElements(); ++i)
    candidate.output.set(i, 1.1 * candidate.output.at(i));
  EXPECT_NE(judgeOutput(), "");
}

TEST_P(CheckTest, AWrongScaleFails) {
  for (int64_t i = 0; i < candidate.output.numElements(); ++i)
    candidate.output.set(i, 1.02 * candidate.output.at(i));
  for (int64_t i = 0; i < candidate.lse.numElements(); ++i)
    candidate.lse.set(i, 1.0001 * candidate.lse.at(i));
  EXPECT_NE(judgeOutput(), "");
  EXPECT_NE(judgeLse(), "");
}

TEST_P(CheckTest, ShapesMustAgree) {
  EXPECT_NE(judge(candidate.lse, truth.output, unfused, ResultKind::Output,
                  GetParam())
                .failure,
            "");
}

/// A fused attention, right but for one mistake. Without a mask, in blocks of
/// kBlock queries and keys.
struct PlantedTest : testing::TestWithParam<DType> {
  static constexpr int64_t kHeads = 2, kLength = 256, kDim = 64, kBlock = 32;
  struct Mistakes {
    DType accumulator = DType::F32;
    /// In the last query block of the last head: a key block whose values are
    /// those of the block before, and one that is skipped.
    int64_t stale = -1, skipped = -1;
  };

  PlantedTest()
      : q(normal(GetParam(), {1, kHeads, kLength, kDim}, 1)),
        k(normal(GetParam(), {1, kHeads, kLength, kDim}, 2)),
        v(normal(GetParam(), {1, kHeads, kLength, kDim}, 3)),
        truth(compute(Arithmetic::Float64)),
        unfused(widest(truth, [&](uint64_t variant) {
          return compute(Arithmetic::Unfused, variant);
        })) {}

  Array compute(Arithmetic arithmetic, uint64_t variant = 0) {
    Options options;
    options.variant = variant;
    options.outputType = GetParam();
    return unwrap(attention(arithmetic, q, k, v, options)).output;
  }
  static int64_t at(int64_t head, int64_t row, int64_t d = 0) {
    return (head * kLength + row) * kDim + d;
  }

  static std::vector<double> values(const Array &array) {
    std::vector<double> values(array.numElements());
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = array.at(i);
    return values;
  }

  Array fused(const Mistakes &mistakes) {
    std::vector<double> q = values(this->q), k = values(this->k),
                        v = values(this->v);
    Array output = unwrap(Array::create(GetParam(), truth.shape()));
    Array p = unwrap(Array::create(GetParam(), {kBlock}));
    Array acc = unwrap(Array::create(mistakes.accumulator, {kDim}));
    for (int64_t head = 0; head < kHeads; ++head)
      for (int64_t row = 0; row < kLength; ++row) {
        bool damaged = head == kHeads - 1 && row >= kLength - kBlock;
        double max = -std::numeric_limits<double>::infinity(), sum = 0;
        for (int64_t d = 0; d < kDim; ++d)
          acc.set(d, 0);
        for (int64_t first = 0; first < kLength; first += kBlock) {
          int64_t block = first / kBlock;
          if (damaged && block == mistakes.skipped)
            continue;
          double scores[kBlock], before = max;
          for (int64_t j = 0; j < kBlock; ++j) {
            double dot = 0;
            for (int64_t d = 0; d < kDim; ++d)
              dot += q[at(head, row, d)] * k[at(head, first + j, d)];
            scores[j] = dot / std::sqrt(double(kDim));
            max = std::max(max, scores[j]);
          }
          double alpha = std::exp(before - max);
          sum *= alpha;
          for (int64_t j = 0; j < kBlock; ++j) {
            scores[j] = std::exp(scores[j] - max);
            sum += scores[j];
            p.set(j, scores[j]);
            scores[j] = p.at(j);
          }
          int64_t from =
              damaged && block == mistakes.stale ? first - kBlock : first;
          for (int64_t d = 0; d < kDim; ++d) {
            double value = alpha * acc.at(d);
            for (int64_t j = 0; j < kBlock; ++j)
              value += scores[j] * v[at(head, from + j, d)];
            acc.set(d, value);
          }
        }
        for (int64_t d = 0; d < kDim; ++d)
          output.set(at(head, row, d), acc.at(d) / sum);
      }
    return output;
  }
  std::string judgeOutput(const Array &output) {
    return judge(output, truth, unfused, ResultKind::Output, GetParam())
        .failure;
  }

  Array q, k, v, truth;
  Errors unfused;
};

TEST_P(PlantedTest, WithoutMistakePasses) {
  EXPECT_EQ(judgeOutput(fused({})), "");
}

TEST_P(PlantedTest, AStaleKeyBlockFails) {
  Mistakes mistakes;
  mistakes.stale = 5;
  EXPECT_NE(judgeOutput(fused(mistakes)), "");
}

TEST_P(PlantedTest, ASkippedKeyBlockFails) {
  Mistakes mistakes;
  mistakes.skipped = 7;
  EXPECT_NE(judgeOutput(fused(mistakes)), "");
}

TEST_P(PlantedTest, AnAccumulatorOf16BitsFails) {
  Mistakes mistakes;
  mistakes.accumulator = GetParam() == DType::F16 ? DType::F16 : DType::BF16;
  EXPECT_NE(judgeOutput(fused(mistakes)).find("relative error"),
            std::string::npos);
}

/// O through bf16 on its way; to bf16 itself, cut off and not rounded.
TEST_P(PlantedTest, OutputOfTooFewBitsFails) {
  Array output = fused({});
  Array narrow = unwrap(Array::create(DType::BF16, {1}));
  for (int64_t i = 0; i < output.numElements(); ++i) {
    narrow.set(0, output.at(i));
    if (GetParam() == DType::BF16) {
      // The exact value's neighbour towards zero.
      narrow.set(0, truth.at(i));
      double ulp = std::ldexp(1, std::ilogb(narrow.at(0)) - 7);
      if (std::fabs(narrow.at(0)) > std::fabs(truth.at(i)))
        narrow.set(0, narrow.at(0) - std::copysign(ulp, truth.at(i)));
    }
    output.set(i, narrow.at(0));
  }
  EXPECT_NE(judgeOutput(output), "");
}

INSTANTIATE_TEST_SUITE_P(Types, CheckTest,
                         testing::Values(DType::F32, DType::F16, DType::BF16),
                         [](const auto &info) {
                           return rt::nameOf(info.param);
                         });

INSTANTIATE_TEST_SUITE_P(Types, PlantedTest,
                         testing::Values(DType::F32, DType::F16, DType::BF16),
                         [](const auto &info) {
                           return rt::nameOf(info.param);
                         });

} // namespace
