//===- TunerTest.cpp - From measurements to an entry of the table ---------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TunerImpl.h"

#include "gtest/gtest.h"

using namespace flash;
using namespace flash::tuner;

namespace {

class SelectTest : public ::testing::Test {
protected:
  /// Times of schedules `model`, `a`, `b`, ... at a length, in one session.
  void measure(int64_t length, std::vector<double> times) {
    cases.push_back(std::make_unique<TuneCase>());
    cases.back()->length = length;
    cases.back()->flops = 1e9;
    std::vector<Measurement> session;
    session.reserve(times.size());
    for (size_t i = 0; i < times.size(); ++i)
      session.push_back(
          {i ? std::string(1, char('a' + i - 1)) : "model", times[i], 20});
    results.push_back({cases.back().get(), {session}});
  }

  std::vector<std::pair<int64_t, std::string>> choose() {
    ScheduleEntry entry = makeEntry(ScheduleKey(), results, "model");
    std::vector<std::pair<int64_t, std::string>> ranges;
    ranges.reserve(entry.ranges.size());
    for (const ScheduleRange &range : entry.ranges)
      ranges.push_back({range.upTo, range.schedule});
    return ranges;
  }

  using Ranges = std::vector<std::pair<int64_t, std::string>>;
  std::vector<std::unique_ptr<TuneCase>> cases;
  std::vector<CaseResult> results;
};

TEST_F(SelectTest, OneThatIsBestAtMostLengthsServesAll) {
  measure(512, {1.0, 0.90, 0.89});
  measure(1024, {1.0, 0.80, 0.95});
  measure(2048, {1.0, 0.85, 1.10});
  EXPECT_EQ(choose(), (Ranges{{0, "a"}}));
}

TEST_F(SelectTest, AnotherKernelForShortLengthsWhereItPays) {
  measure(512, {1.0, 0.85});
  measure(1024, {1.0, 0.90});
  measure(2048, {1.0, 1.03});
  measure(16384, {1.0, 1.40});
  // Up to half-way from 1024 to 2048, in whole tiles.
  EXPECT_EQ(choose(), (Ranges{{1408, "a"}, {0, "model"}}));
}

TEST_F(SelectTest, NoiseChangesNothing) {
  measure(512, {1.0, 0.995});
  measure(1024, {1.0, 0.992});
  EXPECT_EQ(choose(), (Ranges{{0, "model"}}));
}

TEST_F(SelectTest, LittleDoesNotPayForAnotherKernel) {
  measure(512, {1.0, 1.02});
  measure(1024, {1.0, 1.02});
  measure(2048, {1.0, 0.97});
  EXPECT_EQ(choose(), (Ranges{{0, "model"}}));
}

TEST_F(SelectTest, WhatWasNotMeasuredEverywhereIsForWhereItWas) {
  measure(512, {1.0, 0.5, 0.8});
  measure(1024, {1.0});
  EXPECT_EQ(choose(), (Ranges{{704, "a"}, {0, "model"}}));
}

TEST_F(SelectTest, LaterSessionsCountByTheirOwnReference) {
  measure(512, {1.0, 0.8, 1.0});
  // The device's clock has dropped: all is slower, `a` still the best.
  results[0].sessions.push_back(
      {{"model", 2.0, 20}, {"a", 1.5, 20}, {"c", 1.7, 20}});
  EXPECT_EQ(choose(), (Ranges{{0, "a"}}));
  EXPECT_EQ(findBest(results, "model"), std::vector<std::string>{"a"});
  // In a session of its own it is not.
  results[0].sessions.push_back({{"model", 1.0, 20}, {"a", 1.01, 20}});
  EXPECT_EQ(choose(), (Ranges{{0, "c"}}));
}

TEST_F(SelectTest, TheSameMeasurementsGiveTheSameTable) {
  measure(512, {1.0, 0.8, 0.8});
  ScheduleTable table;
  table.set(makeEntry(ScheduleKey(), results, "model"));
  std::string first = table.str();
  table.set(makeEntry(ScheduleKey(), results, "model"));
  EXPECT_EQ(table.str(), first);
  EXPECT_EQ(choose(), (Ranges{{0, "a"}}));
}

} // namespace
