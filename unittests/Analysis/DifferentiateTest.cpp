//===- DifferentiateTest.cpp - Rules, dual numbers and differences --------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Regions with one op that depends on the score by all its operands: the
// derivative that the compiler builds and the reference's dual numbers are both
// what differences of the score say. At kinks they are what PyTorch says.
//
//===----------------------------------------------------------------------===//

#include "ScoreRegion.h"

#include <cmath>

using namespace flash;
using namespace flash::test;

namespace {

/// Lines of a region, and from where to where its scores go.
struct Case {
  const char *lines;
  double low = -2, high = 2;
};

const Case kCases[] = {
    {"%r = arith.negf %s : f64"},
    {"%r = arith.addf %s, %y : f64"},
    {"%r = arith.subf %y, %s : f64"},
    {"%r = arith.mulf %s, %y : f64"},
    {"%e = math.exp %s : f64\n %r = arith.divf %y, %e : f64"},
    {"%e = arith.constant 0.7 : f64\n %r = arith.divf %y, %e : f64"},
    {"%e = math.exp %s : f64\n %r = arith.remf %two, %e : f64", 0.05, 0.6},
    {"%e = arith.constant 3.1 : f64\n %r = arith.remf %s, %e : f64"},
    {"%r = arith.maximumf %s, %y : f64", 0.1, 2},
    {"%r = arith.maximumf %s, %y : f64", -2, -0.1},
    {"%r = arith.minimumf %s, %y : f64", 0.1, 2},
    {"%r = arith.minimumf %s, %y : f64", -2, -0.1},
    {"%r = arith.maxnumf %s, %y : f64", 0.1, 2},
    {"%r = arith.maxnumf %s, %y : f64", -2, -0.1},
    {"%r = arith.minnumf %s, %y : f64", 0.1, 2},
    {"%r = arith.minnumf %s, %y : f64", -2, -0.1},
    {"%x = arith.constant 0.5 : f64\n %r = arith.maxnumf %x, %y : f64", -1, 0},
    {"%r = math.clampf %y to [%s, %two] : f64", 0.1, 1.9},
    {"%r = math.clampf %two to [%y, %s] : f64", 0.1, 1.9},
    {"%m = arith.negf %one : f64\n %r = math.clampf %s to [%m, %one] : f64",
     -0.9, 0.9},
    {"%m = arith.negf %one : f64\n %r = math.clampf %s to [%m, %one] : f64",
     1.1, 2},
    {"%r = math.absf %s : f64", 0.1, 2},
    {"%r = math.absf %s : f64", -2, -0.1},
    {"%r = math.copysign %s, %y : f64", -2, -0.1},
    {"%m = arith.negf %y : f64\n %r = math.copysign %s, %m : f64", 0.1, 2},
    {"%r = math.fma %s, %y, %s : f64"},
    {"%r = math.sqrt %s : f64", 0.1, 2},
    {"%r = math.rsqrt %s : f64", 0.1, 2},
    {"%r = math.cbrt %s : f64", -2, -0.1},
    {"%r = math.exp %s : f64"},
    {"%r = math.exp2 %s : f64"},
    {"%r = math.expm1 %s : f64"},
    {"%r = math.log %s : f64", 0.1, 2},
    {"%r = math.log2 %s : f64", 0.1, 2},
    {"%r = math.log10 %s : f64", 0.1, 2},
    {"%r = math.log1p %s : f64", -0.5, 2},
    {"%r = math.sin %s : f64"},
    {"%r = math.cos %s : f64"},
    {"%x, %z = math.sincos %s : f64\n %r = arith.mulf %x, %z : f64"},
    {"%r = math.tan %s : f64", -1, 1},
    {"%r = math.asin %s : f64", -0.9, 0.9},
    {"%r = math.acos %s : f64", -0.9, 0.9},
    {"%r = math.atan %s : f64"},
    {"%r = math.atan2 %y, %s : f64", -2, -0.1},
    {"%x = arith.mulf %s, %s : f64\n %r = math.atan2 %x, %y : f64", 0.1, 2},
    {"%r = math.sinh %s : f64"},
    {"%r = math.cosh %s : f64"},
    {"%r = math.tanh %s : f64"},
    {"%r = math.asinh %s : f64"},
    {"%r = math.acosh %s : f64", 1.1, 2},
    {"%r = math.atanh %s : f64", -0.9, 0.9},
    {"%r = math.erf %s : f64"},
    {"%r = math.erfc %s : f64"},
    {"%r = math.powf %s, %y : f64", 0.1, 2},
    {"%r = math.powf %two, %s : f64"},
    {"%e = arith.constant 2.5 : f64\n %r = math.powf %s, %e : f64", 0.1, 2},
    {"%r = math.powf %s, %two : f64"},
    {"%r = math.powf %s, %one : f64"},
    {"%r = math.fpowi %s, %n : f64, i32", 0.1, 2},
    {"%e = arith.constant -3 : i32\n %r = math.fpowi %s, %e : f64, i32", 0.1,
     2},
    {"%f = math.floor %s : f64\n %r = arith.mulf %f, %s : f64", 0.1, 0.9},
    {"%f = math.ceil %s : f64\n %r = arith.mulf %f, %s : f64", 0.1, 0.9},
    {"%f = math.trunc %s : f64\n %r = arith.addf %f, %s : f64", 1.1, 1.9},
    {"%f = math.round %s : f64\n %r = arith.mulf %f, %s : f64", 0.6, 1.4},
    {"%f = math.roundeven %s : f64\n %r = arith.mulf %f, %s : f64", 0.6, 1.4},
    {"%k = arith.fptosi %s : f64 to i32\n %f = arith.sitofp %k : i32 to f64\n"
     "%r = arith.mulf %f, %s : f64",
     1.1, 1.9},
    {"%f = arith.truncf %s : f64 to f32\n %e = math.exp %f : f32\n"
     "%r = arith.extf %e : f32 to f64"},
    {"%k = arith.cmpf ogt, %s, %one : f64\n"
     "%r = arith.select %k, %y, %two : f64",
     0, 0.9},
    {"%k = arith.cmpf ogt, %s, %one : f64\n"
     "%r = arith.select %k, %y, %s : f64",
     1.1, 2},
    {"%k = math.isfinite %s : f64\n %r = arith.select %k, %y, %s : f64"},
    {"%k = arith.cmpi sgt, %i, %j : index\n"
     "%r = scf.if %k -> f64 {\n %e = math.exp %s : f64\n scf.yield %e : f64\n"
     "} else {\n scf.yield %y : f64\n }"},
    {"%z = arith.constant 0 : index\n %w = arith.constant 1 : index\n"
     "%g = arith.constant 3 : index\n"
     "%r = scf.for %k = %z to %g step %w iter_args(%a = %s) -> f64 {\n"
     "%x = tensor.extract %c[%k] : tensor<3xf64>\n"
     "%m = arith.mulf %a, %y : f64\n %e = arith.addf %m, %x : f64\n"
     "scf.yield %e : f64\n }"},
    // Softcap, a logistic, a rational function, and one that is not used.
    {"%x = arith.divf %s, %two : f64\n %e = math.tanh %x : f64\n"
     "%r = arith.mulf %e, %two : f64"},
    {"%m = arith.negf %s : f64\n %e = math.exp %m : f64\n"
     "%d = arith.addf %one, %e : f64\n %r = arith.divf %one, %d : f64"},
    {"%x = arith.mulf %s, %s : f64\n %d = arith.addf %x, %one : f64\n"
     "%l = math.log %d : f64\n %m = arith.divf %l, %d : f64\n"
     "%r = arith.subf %m, %l : f64"},
    {"%r = arith.addf %one, %two : f64"},
};

} // namespace

TEST(DifferentiateTest, EachOpIsWhatDifferencesSay) {
  for (const Case &each : kCases) {
    ScoreRegion score(each.lines);
    ASSERT_TRUE(score.prepared && score.built) << each.lines;
    for (int64_t query : {0, 1, 3})
      for (int n = 0; n <= 8; ++n) {
        double s = each.low + (each.high - each.low) * n / 8;
        constexpr double kStep = 1e-6;
        double want =
            (score.score(s + kStep, query) - score.score(s - kStep, query)) /
            (2 * kStep);
        double tolerance = 1e-8 * (1 + std::fabs(want));
        EXPECT_NEAR(score.byDuals(s, query), want, tolerance)
            << each.lines << " at " << s;
        EXPECT_NEAR(score.byRules(s, query), want, tolerance)
            << each.lines << " at " << s;
        EXPECT_NEAR(score.byRules(s, query), score.byDuals(s, query),
                    1e-13 * (1 + std::fabs(want)))
            << each.lines << " at " << s;
      }
  }
}

TEST(DifferentiateTest, ReverseModeSaysTheSame) {
  for (const Case &each : kCases) {
    if (StringRef(each.lines).contains("scf.for"))
      continue;
    ScoreRegion score(each.lines);
    Region region;
    auto reverse = score.makeReverse(region);
    ASSERT_TRUE(score.built && reverse) << each.lines;
    for (int64_t query : {0, 1, 3})
      for (int n = 0; n <= 8; ++n) {
        double s = each.low + (each.high - each.low) * n / 8;
        double want = score.byRules(s, query);
        EXPECT_NEAR(reverse->score(s, ScoreRegion::at(query)), want,
                    1e-13 * (1 + std::fabs(want)))
            << each.lines << " at " << s;
      }
  }
}

TEST(DifferentiateTest, KinksArePyTorchs) {
  struct {
    const char *lines;
    double at, slope;
  } kinks[] = {
      {"%r = math.absf %s : f64", 0, 0},
      {"%r = math.absf %s : f64", -0.0, 0},
      {"%r = arith.maximumf %s, %one : f64", 1, 0.5},
      {"%r = arith.minimumf %one, %s : f64", 1, 0.5},
      {"%r = arith.maximumf %s, %s : f64", 1, 1},
      {"%r = arith.maxnumf %s, %one : f64", 1, 1},
      {"%r = arith.maxnumf %one, %s : f64", 1, 0},
      {"%r = arith.minnumf %s, %one : f64", 1, 1},
      {"%r = math.clampf %s to [%one, %two] : f64", 1, 1},
      {"%r = math.clampf %s to [%one, %two] : f64", 2, 1},
      {"%r = math.copysign %s, %one : f64", 0, 0},
      {"%r = math.powf %s, %two : f64", 0, 0},
      {"%z = arith.constant 0.0 : f64\n %r = math.powf %z, %s : f64", 2, 0},
      {"%z = arith.constant 0.0 : f64\n %r = math.powf %s, %z : f64", 0, 0},
      {"%z = arith.constant 0 : i32\n %r = math.fpowi %s, %z : f64, i32", 0, 0},
      {"%r = math.floor %s : f64", 1, 0},
      {"%r = math.sqrt %s : f64", 0, INFINITY},
  };
  for (auto &[lines, at, slope] : kinks) {
    ScoreRegion score(lines);
    ASSERT_TRUE(score.prepared && score.built) << lines;
    EXPECT_EQ(score.byDuals(at, 0), slope) << lines;
    EXPECT_EQ(score.byRules(at, 0), slope) << lines;
  }
}

TEST(DifferentiateTest, WhatIsNotChosenHasNoPart) {
  // The branch that is not taken is infinite or not a number there.
  ScoreRegion score(
      "%k = arith.cmpf ogt, %s, %one : f64\n %l = math.log %s : f64\n"
      "%r = arith.select %k, %l, %s : f64");
  for (double s : {0.0, -1.0}) {
    EXPECT_EQ(score.byDuals(s, 0), 1);
    EXPECT_EQ(score.byRules(s, 0), 1);
  }
}
