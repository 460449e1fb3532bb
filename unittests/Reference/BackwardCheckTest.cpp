//===- BackwardCheckTest.cpp - What a check lets through of gradients -----===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The unfused gradients pass against themselves, and others beside them whose
// roundings are different; damage fails.
//
//===----------------------------------------------------------------------===//

#include "flash/Reference/AttentionBackward.h"
#include "flash/Reference/Check.h"

#include "TestUtils.h"

#include <cmath>

using namespace flash;
using namespace flash::reference;
using namespace flash::test;
using rt::Array;
using rt::DType;

namespace {

/// Causal, with groups; the first query sees no key.
struct BackwardCheckTest : testing::TestWithParam<DType> {
  static constexpr int64_t kDim = 64;

  BackwardCheckTest()
      : q(normal(GetParam(), {1, 4, 65, kDim}, 1)),
        k(normal(GetParam(), {1, 2, 64, kDim}, 2)),
        v(normal(GetParam(), {1, 2, 64, kDim}, 3)),
        grad(normal(GetParam(), {1, 4, 65, kDim}, 4)),
        truth(compute(Arithmetic::Float64)),
        candidate(compute(Arithmetic::Unfused)) {
    for (uint64_t variant = 0; variant <= kVariants; ++variant)
      unfused.push_back(compute(Arithmetic::Unfused, variant));
  }

  AttentionGradients compute(Arithmetic arithmetic, uint64_t variant = 0) {
    Options options;
    options.variant = variant;
    options.outputType = outputType;
    options.visible = [](const Element &e) { return e.key <= e.query; };
    return unwrap(
        attentionBackward(arithmetic, q, k, v, grad, nullptr, options));
  }
  std::string judgeOne(Array Gradients::*which) {
    const Array *magnitudes = &((*truth.magnitudes).*which);
    Errors errors = widest(
        truth.gradients.*which,
        [&](uint64_t variant) -> const Array & {
          return unfused[variant].gradients.*which;
        },
        magnitudes);
    return judge(candidate.gradients.*which, truth.gradients.*which, errors,
                 ResultKind::Gradient, GetParam(),
                 /*nanAsReference=*/false, {magnitudes, 4 * 65})
        .failure;
  }

  Array q, k, v, grad;
  DType outputType = GetParam();
  AttentionGradients truth, candidate;
  std::vector<AttentionGradients> unfused;
};

constexpr Array Gradients::*kAll[] = {&Gradients::query, &Gradients::key,
                                      &Gradients::value};

} // namespace

TEST_P(BackwardCheckTest, UnfusedPasses) {
  for (auto which : kAll)
    EXPECT_EQ(judgeOne(which), "");
}

TEST_P(BackwardCheckTest, DeltaOfMoreDigitsPasses) {
  outputType = DType::F32;
  candidate = compute(Arithmetic::Unfused);
  for (auto which : kAll)
    EXPECT_EQ(judgeOne(which), "");
}

TEST_P(BackwardCheckTest, NaNFails) {
  for (auto which : kAll) {
    (candidate.gradients.*which).set(100, std::nan(""));
    EXPECT_NE(judgeOne(which).find("NaN: not written"), std::string::npos);
  }
}

TEST_P(BackwardCheckTest, RowsWithoutKeysAreZero) {
  ASSERT_EQ(candidate.gradients.query.at(3), 0);
  candidate.gradients.query.set(3, 1e-6);
  EXPECT_NE(judgeOne(&Gradients::query).find("sees none and is not seen"),
            std::string::npos);
}

TEST_P(BackwardCheckTest, OneWrongRowFails) {
  for (auto which : kAll) {
    Array &array = candidate.gradients.*which;
    for (int64_t i = array.numElements() - kDim; i < array.numElements(); ++i)
      array.set(i, 1.1 * array.at(i));
    EXPECT_NE(judgeOne(which), "");
  }
}

TEST_P(BackwardCheckTest, AWrongScaleFails) {
  for (auto which : kAll) {
    Array &array = candidate.gradients.*which;
    for (int64_t i = 0; i < array.numElements(); ++i)
      array.set(i, 1.02 * array.at(i));
    EXPECT_NE(judgeOne(which), "");
  }
}

TEST_P(BackwardCheckTest, ASkippedBlockFails) {
  // The last 16 queries of one head add nothing.
  for (int64_t i = (2 * 65 - 16) * kDim; i < 2 * 65 * kDim; ++i)
    grad.set(i, 0);
  candidate = compute(Arithmetic::Unfused);
  for (auto which : kAll)
    EXPECT_NE(judgeOne(which), "");
}

TEST_P(BackwardCheckTest, StaleStatisticsFail) {
  // One block of queries with the gradients of O of the block before, as where
  // a ring is read too early.
  for (int64_t i = (65 - 16) * kDim; i < 65 * kDim; ++i)
    grad.set(i, grad.at(i - 16 * kDim));
  candidate = compute(Arithmetic::Unfused);
  for (auto which : kAll)
    EXPECT_NE(judgeOne(which), "");
}

INSTANTIATE_TEST_SUITE_P(Types, BackwardCheckTest,
                         testing::Values(DType::F32, DType::F16, DType::BF16));
