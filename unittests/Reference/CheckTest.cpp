//===- CheckTest.cpp - What a check lets through --------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The unfused computation passes against itself; each kind of damage fails.
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
        unfused(compute(Arithmetic::Unfused)),
        candidate(compute(Arithmetic::Unfused)) {}

  Attended compute(Arithmetic arithmetic) {
    Options options;
    options.outputType = GetParam();
    options.visible = [](const Element &e) { return e.key <= e.query; };
    return unwrap(attention(arithmetic, q, k, v, options));
  }
  std::string judgeOutput() {
    return judge(candidate.output, truth.output, unfused.output,
                 ResultKind::Output, GetParam())
        .failure;
  }
  std::string judgeLse() {
    return judge(candidate.lse, truth.lse, unfused.lse, ResultKind::Lse,
                 GetParam())
        .failure;
  }

  Array q, k, v;
  Attended truth, unfused, candidate;
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
  EXPECT_NE(judge(candidate.lse, truth.output, unfused.output,
                  ResultKind::Output, GetParam())
                .failure,
            "");
}

INSTANTIATE_TEST_SUITE_P(Types, CheckTest,
                         testing::Values(DType::F32, DType::F16, DType::BF16),
                         [](const auto &info) {
                           return rt::nameOf(info.param);
                         });

} // namespace
