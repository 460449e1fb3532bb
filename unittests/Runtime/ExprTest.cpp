//===- ExprTest.cpp - Integer expressions ---------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Values against a plain definition, limits, text.
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/Expr.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace flash::rt;

namespace {

const std::vector<Argument> kCall = {Argument::tensor(64, {2, 32, 1000, 128}),
                                     Argument::index(-5)};
const std::vector<int> kRanks = {4, -1};

int64_t valueOf(const Expr &expr) {
  EXPECT_TRUE(expr.verify(kRanks).ok()) << expr.verify(kRanks).message();
  Result<int64_t> value = expr.evaluate(kCall);
  EXPECT_TRUE(value.ok()) << value.message();
  return value.ok() ? *value : INT64_MIN;
}

TEST(ExprTest, Values) {
  Expr length = Expr::dim(0, 2), offset = Expr::scalar(1);
  EXPECT_EQ(valueOf(7), 7);
  EXPECT_EQ(valueOf(length), 1000);
  EXPECT_EQ(valueOf(offset), -5);
  EXPECT_EQ(valueOf(length + offset), 995);
  EXPECT_EQ(valueOf(length - offset), 1005);
  EXPECT_EQ(valueOf(length * offset), -5000);
  EXPECT_EQ(valueOf(Expr::ceilDiv(length, 128)), 8);
  EXPECT_EQ(valueOf(Expr::min(length, offset)), -5);
  EXPECT_EQ(valueOf(Expr::max(length, offset)), 1000);
  EXPECT_EQ(valueOf((length + 1) * 2 - Expr::mod(length, 3)), 2001);
}

TEST(ExprTest, DivisionRoundsAsInAffineMaps) {
  for (int64_t a = -9; a <= 9; ++a) {
    for (int64_t b = -4; b <= 4; ++b) {
      if (b == 0)
        continue;
      double exact = static_cast<double>(a) / static_cast<double>(b);
      // Through an argument too, where nothing is folded.
      for (const Expr &lhs : {Expr(a), Expr::scalar(1) + Expr(a + 5)}) {
        EXPECT_EQ(valueOf(Expr::floorDiv(lhs, b)), std::floor(exact));
        EXPECT_EQ(valueOf(Expr::ceilDiv(lhs, b)), std::ceil(exact));
        EXPECT_EQ(valueOf(Expr::mod(lhs, b)),
                  static_cast<double>(a) -
                      static_cast<double>(b) * std::floor(exact));
      }
    }
  }
}

TEST(ExprTest, Overflow) {
  Expr length = Expr::dim(0, 2), negative = Expr::scalar(1);
  auto error = [](const Expr &expr) { return expr.evaluate(kCall).message(); };
  EXPECT_EQ(error(length * INT64_MAX),
            "evaluating dim(0, 2) * 9223372036854775807: the value does not "
            "fit in 64 bits");
  EXPECT_FALSE(error(length + INT64_MAX).empty());
  EXPECT_FALSE(error(negative - INT64_MAX).empty());
  EXPECT_EQ(error(Expr::floorDiv(length, 0)),
            "evaluating floordiv(dim(0, 2), 0): division by zero");
  EXPECT_FALSE(error(Expr::mod(1, length - 1000)).empty());
  EXPECT_FALSE(error(Expr::ceilDiv(length, negative + 5)).empty());
  // Constants that do not fold keep their error for the call.
  EXPECT_FALSE(error(Expr(INT64_MAX) + 1).empty());
  EXPECT_FALSE(error(Expr::floorDiv(INT64_MIN, -1)).empty());
  EXPECT_EQ(valueOf(Expr::mod(INT64_MIN, -1)), 0);
}

TEST(ExprTest, Folds) {
  EXPECT_TRUE((Expr(3) * 4 + 1).isConstant(13));
  EXPECT_EQ((Expr::dim(0, 2) * 1 + 0).str(), "dim(0, 2)");
  EXPECT_EQ(Expr::ceilDiv(Expr::dim(0, 2), 1).str(), "dim(0, 2)");
}

TEST(ExprTest, Text) {
  Expr a = Expr::dim(0, 1), b = Expr::scalar(1);
  EXPECT_EQ((a + b * 2).str(), "dim(0, 1) + index(1) * 2");
  EXPECT_EQ(((a + b) * 2).str(), "(dim(0, 1) + index(1)) * 2");
  EXPECT_EQ((a - (b - 1)).str(), "dim(0, 1) - (index(1) - 1)");
  EXPECT_EQ((a - b - 1).str(), "dim(0, 1) - index(1) - 1");
  EXPECT_EQ(Expr::min(a + 1, Expr::mod(b, 8)).str(),
            "min(dim(0, 1) + 1, mod(index(1), 8))");
}

TEST(ExprTest, Verify) {
  auto error = [](const Expr &expr) { return expr.verify(kRanks).message(); };
  EXPECT_EQ(error(Expr::dim(2, 0)), "'dim(2, 0)' names an argument of 2");
  EXPECT_EQ(error(Expr::dim(-1, 0)), "'dim(-1, 0)' names an argument of 2");
  EXPECT_EQ(error(Expr::dim(0, 4)),
            "'dim(0, 4)' names a dimension of a tensor of rank 4");
  EXPECT_EQ(error(Expr::dim(1, 0)),
            "'dim(1, 0)' names a dimension of an index");
  EXPECT_EQ(error(Expr::scalar(0)), "'index(0)' names a tensor, not an index");
  EXPECT_EQ(error(1 + Expr::min(2, Expr::scalar(0) * 3)),
            "'index(0)' names a tensor, not an index");
}

} // namespace
