//===- RandomTest.cpp - Seeded normal numbers -----------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The same numbers for any number of threads and on every platform (pinned
// below), with the distribution of a normal.
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/Random.h"
#include "flash/Runtime/Float16.h"
#include "flash/Runtime/ThreadPool.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <vector>

using namespace flash::rt;

namespace {

Array normal(DType type, std::vector<int64_t> shape, uint64_t seed) {
  Result<Array> array = Array::create(type, std::move(shape));
  EXPECT_TRUE(array.ok()) << array.message();
  Status status = fillNormal(*array, seed);
  EXPECT_TRUE(status.ok()) << status.message();
  return std::move(*array);
}

TEST(RandomTest, IndependentOfThreadsAndLength) {
  setNumThreads(1);
  Array one = normal(DType::F32, {100003}, 7);
  setNumThreads(5);
  Array five = normal(DType::F32, {100003}, 7);
  Array shorter = normal(DType::F32, {3, 333}, 7);
  setNumThreads(0);
  EXPECT_EQ(std::memcmp(one.data(), five.data(), 4 * 100003), 0);
  EXPECT_EQ(std::memcmp(one.data(), shorter.data(), 4 * 999), 0);
}

TEST(RandomTest, TypesRoundTheSameNumbers) {
  Array f64 = normal(DType::F64, {1000}, 3),
        f32 = normal(DType::F32, {1000}, 3),
        f16 = normal(DType::F16, {1000}, 3),
        bf16 = normal(DType::BF16, {1000}, 3);
  for (int64_t i = 0; i < 1000; ++i) {
    float x = static_cast<float>(f64.at(i));
    ASSERT_EQ(f32.at(i), x);
    ASSERT_EQ(f16.at(i), f16ToFloat(floatToF16(x)));
    ASSERT_EQ(bf16.at(i), bf16ToFloat(floatToBf16(x)));
  }
}

TEST(RandomTest, Moments) {
  Array x = normal(DType::F64, {1 << 20}, 42);
  int64_t n = x.numElements();
  double sum = 0, squares = 0, cubes = 0, fourths = 0, lag = 0, largest = 0;
  int64_t beyond2 = 0;
  for (int64_t i = 0; i < n; ++i) {
    double v = x.at(i);
    ASSERT_TRUE(std::isfinite(v));
    sum += v;
    squares += v * v;
    cubes += v * v * v;
    fourths += v * v * v * v;
    lag += v * x.at((i + 1) % n);
    largest = std::max(largest, std::abs(v));
    beyond2 += std::abs(v) > 2;
  }
  double count = static_cast<double>(n);
  // Five standard deviations of each statistic.
  EXPECT_NEAR(sum / count, 0, 5 / std::sqrt(count));
  EXPECT_NEAR(squares / count, 1, 5 * std::sqrt(2 / count));
  EXPECT_NEAR(cubes / count, 0, 5 * std::sqrt(15 / count));
  EXPECT_NEAR(fourths / count, 3, 5 * std::sqrt(96 / count));
  EXPECT_NEAR(lag / count, 0, 5 / std::sqrt(count));
  EXPECT_NEAR(static_cast<double>(beyond2) / count, std::erfc(std::sqrt(2.0)),
              5 * std::sqrt(0.0455 / count));
  EXPECT_GT(largest, 4.2);
  EXPECT_LT(largest, 6.5);
}

TEST(RandomTest, KolmogorovSmirnov) {
  Array x = normal(DType::F64, {200000}, 1);
  std::vector<double> sorted(x.dataAs<double>(), x.dataAs<double>() + 200000);
  std::sort(sorted.begin(), sorted.end());
  double worst = 0;
  for (size_t i = 0; i < sorted.size(); ++i) {
    double cdf = 0.5 * std::erfc(-sorted[i] / std::sqrt(2.0));
    worst = std::max(worst,
                     std::abs(cdf - (static_cast<double>(i) + 0.5) / 200000));
  }
  EXPECT_LT(worst * std::sqrt(200000.0), 1.95); // the 0.1 % point
}

TEST(RandomTest, SeedsDiffer) {
  Array a = normal(DType::F64, {10000}, 1), b = normal(DType::F64, {10000}, 2);
  double product = 0;
  int64_t same = 0;
  for (int64_t i = 0; i < 10000; ++i) {
    product += a.at(i) * b.at(i);
    same += a.at(i) == b.at(i);
  }
  EXPECT_EQ(same, 0);
  EXPECT_LT(std::abs(product / 10000), 0.05);
}

TEST(RandomTest, SameBitsEverywhere) {
  Array x = normal(DType::F64, {4}, 0);
  uint64_t bits[4];
  std::memcpy(bits, x.data(), sizeof(bits));
  EXPECT_EQ(bits[0], 0xbfd1d916340baa77u);
  EXPECT_EQ(bits[1], 0xbfec31ae8afcc2d0u);
  EXPECT_EQ(bits[2], 0xbfe8748380e74affu);
  EXPECT_EQ(bits[3], 0xbff2573544a445b9u);
}

TEST(RandomTest, MeanAndDeviation) {
  Array plain = normal(DType::F64, {10}, 5);
  Array scaled = normal(DType::F64, {10}, 5);
  ASSERT_TRUE(fillNormal(scaled, 5, 3, 0.5).ok());
  for (int64_t i = 0; i < 10; ++i)
    EXPECT_DOUBLE_EQ(scaled.at(i), 3 + 0.5 * plain.at(i));
}

TEST(RandomTest, IntegersAreRefused) {
  Result<Array> array = Array::create(DType::I32, {4});
  ASSERT_TRUE(array.ok());
  EXPECT_EQ(fillNormal(*array, 0).message(),
            "normal numbers do not fit an array of i32");
}

TEST(RandomTest, BytesAreFortyTimesAsLarge) {
  Result<Array> bytes = Array::create(DType::I8, {1000}),
                plain = Array::create(DType::F64, {1000});
  ASSERT_TRUE(bytes.ok() && plain.ok());
  ASSERT_TRUE(fillNormal(*bytes, 3).ok() && fillNormal(*plain, 3).ok());
  for (int64_t i = 0; i < 1000; ++i)
    EXPECT_EQ(bytes->at(i),
              std::round(std::clamp(40 * plain->at(i), -128.0, 127.0)));
}

TEST(RandomTest, HalfOfBooleansAreTrue) {
  Array booleans = normal(DType::I1, {1000}, 3),
        plain = normal(DType::F64, {1000}, 3);
  int64_t count = 0;
  for (int64_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(booleans.dataAs<uint8_t>()[i], plain.at(i) > 0 ? 1 : 0);
    count += booleans.at(i) != 0;
  }
  EXPECT_NEAR(double(count), 500, 60);
}

} // namespace
