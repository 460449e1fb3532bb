//===- BackwardTest.cpp - The reference of gradients ----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each gradient against differences of the forward's reference: the loss is
// sum(O dO) + sum(LSE dLSE), of which each input is moved by a little.
//
//===----------------------------------------------------------------------===//

#include "flash/Reference/AttentionBackward.h"

#include "TestUtils.h"

#include <cmath>
#include <limits>

using namespace flash;
using namespace flash::reference;
using namespace flash::test;
using rt::Array;
using rt::DType;

namespace {

/// Inputs in f64 and what the backward is given.
struct Problem {
  explicit Problem(std::vector<int64_t> q, std::vector<int64_t> k, int64_t dv,
                   Options options = {})
      : options(std::move(options)), query(normal(DType::F64, q, 1)),
        key(normal(DType::F64, k, 2)), value(normal(DType::F64, at(k, dv), 3)),
        grad(normal(DType::F64, at(q, dv), 4)),
        lseGrad(normal(DType::F64,
                       this->options.bshd
                           ? std::vector<int64_t>{q[0], q[2], q[1]}
                           : std::vector<int64_t>{q[0], q[1], q[2]},
                       5)) {}

  static std::vector<int64_t> at(std::vector<int64_t> shape, int64_t last) {
    shape.back() = last;
    return shape;
  }

  double loss() const {
    Attended result = unwrap(
        sequences ? attention(Arithmetic::Float64, query, key, value, options,
                              *sequences)
                  : attention(Arithmetic::Float64, query, key, value, options));
    double sum = 0;
    for (int64_t i = 0; i < grad.numElements(); ++i)
      sum += grad.at(i) * result.output.at(i);
    for (int64_t i = 0; withLse && i < lseGrad.numElements(); ++i)
      if (std::isfinite(result.lse.at(i)))
        sum += lseGrad.at(i) * result.lse.at(i);
    return sum;
  }

  AttentionGradients backward(Arithmetic arithmetic = Arithmetic::Float64) {
    const Array *lse = withLse ? &lseGrad : nullptr;
    return unwrap(sequences ? attentionBackward(arithmetic, query, key, value,
                                                grad, lse, options, *sequences)
                            : attentionBackward(arithmetic, query, key, value,
                                                grad, lse, options));
  }

  void check(Array &input, const Array &gradient, const char *name) {
    ASSERT_EQ(input.shape(), gradient.shape());
    // Every third: each computes two attentions.
    for (int64_t i = 0; i < input.numElements(); i += 3) {
      constexpr double kStep = 1e-5;
      double x = input.at(i);
      input.set(i, x + kStep);
      double more = loss();
      input.set(i, x - kStep);
      double less = loss();
      input.set(i, x);
      EXPECT_NEAR(gradient.at(i), (more - less) / (2 * kStep), 1e-8)
          << name << " " << i;
    }
  }

  void check(std::vector<double> &numbers, const std::vector<double> &gradient,
             const char *name) {
    ASSERT_EQ(numbers.size(), gradient.size());
    for (size_t i = 0; i < numbers.size(); ++i) {
      constexpr double kStep = 1e-5;
      double x = numbers[i];
      numbers[i] = x + kStep;
      double more = loss();
      numbers[i] = x - kStep;
      double less = loss();
      numbers[i] = x;
      EXPECT_NEAR(gradient[i], (more - less) / (2 * kStep), 1e-8)
          << name << " " << i;
    }
  }

  /// All three and the sinks, with the LSE's gradient and without.
  void check() {
    for (bool lse : {false, true}) {
      withLse = lse;
      AttentionGradients result = backward();
      check(query, result.gradients.query, "query");
      check(key, result.gradients.key, "key");
      check(value, result.gradients.value, "value");
      check(options.sinks, result.gradients.sinks, "sinks");
    }
  }

  Options options;
  std::optional<Sequences> sequences;
  Array query, key, value, grad, lseGrad;
  bool withLse = true;
};

Options causal() {
  Options options;
  options.visible = [](const Element &e) { return e.key <= e.query; };
  return options;
}

} // namespace

TEST(BackwardTest, Dense) { Problem({2, 2, 3, 5}, {2, 2, 4, 5}, 3).check(); }

TEST(BackwardTest, CausalGroupsAndRowsWithoutKeys) {
  // 7 queries, 4 keys: the first three see none.
  Problem problem({1, 4, 7, 3}, {1, 2, 4, 3}, 5, causal());
  problem.check();
  AttentionGradients result = problem.backward();
  for (int64_t i = 0; i < 3 * 3; ++i)
    EXPECT_EQ(result.gradients.query.at(i), 0);
}

TEST(BackwardTest, OtherLayout) {
  Options options = causal();
  options.bshd = true;
  options.scale = 0.3;
  Problem({2, 5, 3, 4}, {2, 6, 1, 4}, 2, options).check();
}

TEST(BackwardTest, WindowAndOffsets) {
  Options options;
  options.visible = [](const Element &e) {
    return e.query - e.key <= 2 && e.key - e.query <= 1;
  };
  options.qOffset = 3;
  options.kvOffset = 1;
  Problem({1, 2, 4, 3}, {1, 2, 6, 3}, 4, options).check();
}

TEST(BackwardTest, Scores) {
  Options options = causal();
  options.score = [](double s, const Element &e) {
    return 2 * std::tanh((s + 0.1 * double(e.query - e.key)) / 2);
  };
  options.scoreWithSlope = [](double s, const Element &e) {
    double t = std::tanh((s + 0.1 * double(e.query - e.key)) / 2);
    return std::pair(2 * t, 1 - t * t);
  };
  Problem({1, 2, 5, 3}, {1, 2, 5, 3}, 4, options).check();
}

TEST(BackwardTest, ElementsThatScoresRead) {
  // A table read at a distance, by several scores and in a product; the last
  // element by none.
  auto table = std::make_shared<std::vector<double>>(
      std::vector<double>{0.3, -0.2, 0.7, 1.1, 0.5, 2});
  auto at = [](const Element &e) {
    return std::min<int64_t>(e.query - e.key, 4);
  };
  Options options = causal();
  options.score = [=](double s, const Element &e) {
    return std::tanh(s * (*table)[at(e)]);
  };
  options.scoreWithSlope = [=](double s, const Element &e) {
    double x = (*table)[at(e)], t = std::tanh(s * x);
    return std::pair(t, (1 - t * t) * x);
  };
  options.readSlopes = [=](double s, const Element &e) {
    double t = std::tanh(s * (*table)[at(e)]);
    return std::vector<ReadSlope>{{0, at(e), (1 - t * t) * s}};
  };
  options.readSizes = {6};
  for (bool ragged : {false, true}) {
    Problem problem({1, 2, 8, 3}, {1, 1, 8, 3}, 4, options);
    if (ragged) {
      problem.sequences.emplace();
      problem.sequences->queryStarts = problem.sequences->keyStarts = {0, 3, 8};
    }
    problem.check();
    problem.check(*table, problem.backward().gradients.read.at(0), "table");
  }
}

TEST(BackwardTest, ScoresWithoutSlopes) {
  Options options;
  options.score = [](double s, const Element &) { return s * s; };
  Problem p({1, 1, 2, 3}, {1, 1, 2, 3}, 3, options);
  EXPECT_EQ(attentionBackward(Arithmetic::Float64, p.query, p.key, p.value,
                              p.grad, nullptr, options)
                .message(),
            "the score functions have no slopes");
}

TEST(BackwardTest, SinksAndDropout) {
  Options options = causal();
  options.sinks = {0.5, -1};
  options.dropout = Dropout{0.3, 7, 11};
  Problem({2, 2, 5, 3}, {2, 1, 5, 3}, 4, options).check();
}

TEST(BackwardTest, SinksOfRowsThatSeeNoKey) {
  Options options = causal();
  options.sinks = {0.5, -1};
  Problem({1, 2, 6, 3}, {1, 1, 2, 3}, 4, options).check();
}

TEST(BackwardTest, HiddenByTheirScores) {
  // A score of -inf, whatever the slope is there.
  Options options;
  static constexpr double kInfinity = std::numeric_limits<double>::infinity();
  options.score = [](double s, const Element &e) {
    return e.key == 1 ? -kInfinity : s;
  };
  options.scoreWithSlope = [](double s, const Element &e) {
    return e.key == 1 ? std::pair(-kInfinity, kInfinity) : std::pair(s, 1.0);
  };
  Problem({1, 1, 3, 3}, {1, 1, 3, 3}, 3, options).check();
}

TEST(BackwardTest, Ragged) {
  Problem problem({1, 2, 9, 3}, {1, 2, 8, 3}, 4, causal());
  problem.sequences.emplace();
  problem.sequences->queryStarts = {0, 3, 3, 8};
  problem.sequences->keyStarts = {0, 2, 5, 8};
  problem.check();
  // The last row is in no sequence.
  AttentionGradients result = problem.backward();
  EXPECT_EQ(result.gradients.query.at(8 * 3), 0);
}

TEST(BackwardTest, LengthsAndPages) {
  Problem problem({2, 2, 3, 3}, {3, 1, 2, 3}, 3, causal());
  problem.sequences.emplace();
  // Both read page 1.
  problem.sequences->pages = {1, 0, 2, 1};
  problem.sequences->pagesEach = 2;
  problem.sequences->keyLengths = {3, 4};
  problem.check();
}

TEST(BackwardTest, NoKeys) {
  Problem problem({1, 1, 2, 3}, {1, 1, 0, 3}, 3);
  AttentionGradients result = problem.backward();
  for (int64_t i = 0; i < 6; ++i)
    EXPECT_EQ(result.gradients.query.at(i), 0);
}

TEST(BackwardTest, ShapesThatDisagree) {
  Problem p({1, 2, 3, 4}, {1, 2, 3, 4}, 5);
  EXPECT_EQ(attentionBackward(Arithmetic::Float64, p.query, p.key, p.value,
                              p.query, nullptr, {})
                .message(),
            "the gradient of the output is 1x2x3x4, but must be 1x2x3x5");
  EXPECT_EQ(attentionBackward(Arithmetic::Float64, p.query, p.key, p.value,
                              p.grad, &p.grad, {})
                .message(),
            "the gradient of the lse is 1x2x3x5, but must be 1x2x3");
}

TEST(BackwardTest, MagnitudesDoNotCancel) {
  // One key: P is 1, dP is delta, and dQ zero.
  Problem problem({1, 1, 2, 4}, {1, 1, 1, 4}, 4);
  problem.withLse = false;
  AttentionGradients result = problem.backward();
  for (int64_t i = 0; i < 8; ++i) {
    EXPECT_NEAR(result.gradients.query.at(i), 0, 1e-15);
    EXPECT_GT(result.magnitudes->query.at(i), 1e-3);
  }
  // Nor is it for f32 inputs without fusion but for roundings.
  AttentionGradients unfused = problem.backward(Arithmetic::Unfused);
  EXPECT_FALSE(unfused.magnitudes);
  for (int64_t i = 0; i < 8; ++i)
    EXPECT_NEAR(unfused.gradients.query.at(i), 0, 1e-5);
}
