//===- Float16Test.cpp - 16-bit floating point ----------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exhaustive: every 16-bit pattern is decoded and read back, and every boundary
// between two neighbours is tried from both sides and on the tie.
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/Float16.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace flash::rt;

namespace {

/// The value of a pattern by its definition, as a double.
double decode(uint16_t bits, int exponentBits, int mantissaBits) {
  int bias = (1 << (exponentBits - 1)) - 1;
  int exponent = (bits >> mantissaBits) & ((1 << exponentBits) - 1);
  int mantissa = bits & ((1 << mantissaBits) - 1);
  double sign = (bits & 0x8000) ? -1 : 1;
  if (exponent == (1 << exponentBits) - 1)
    return mantissa ? NAN : sign * INFINITY;
  if (exponent == 0)
    return sign * std::ldexp(mantissa, 1 - bias - mantissaBits);
  return sign * std::ldexp((1 << mantissaBits) + mantissa,
                           exponent - bias - mantissaBits);
}

template <typename ToFloat, typename FromFloat>
void checkAll(int exponentBits, int mantissaBits, ToFloat toFloat,
              FromFloat fromFloat) {
  for (uint32_t pattern = 0; pattern <= 0xffff; ++pattern) {
    uint16_t bits = static_cast<uint16_t>(pattern);
    double value = decode(bits, exponentBits, mantissaBits);
    float converted = toFloat(bits);
    if (std::isnan(value))
      ASSERT_TRUE(std::isnan(converted)) << pattern;
    else
      ASSERT_EQ(static_cast<double>(converted), value) << pattern;
    ASSERT_EQ(std::signbit(converted), pattern >> 15) << pattern;
    ASSERT_EQ(fromFloat(converted), bits) << pattern;
  }

  // Boundaries between neighbours, up to the one between the largest finite
  // value and infinity (which rounds as if the next exponent existed).
  uint32_t infinity = ((1u << exponentBits) - 1) << mantissaBits;
  for (uint32_t low = 0; low < infinity; ++low) {
    double a = decode(static_cast<uint16_t>(low), exponentBits, mantissaBits);
    double b =
        low + 1 < infinity
            ? decode(static_cast<uint16_t>(low + 1), exponentBits, mantissaBits)
            : 2 * a - decode(static_cast<uint16_t>(low - 1), exponentBits,
                             mantissaBits);
    float middle = static_cast<float>((a + b) / 2);
    ASSERT_EQ(static_cast<double>(middle), (a + b) / 2) << "not exact: " << low;
    uint16_t even = static_cast<uint16_t>(low % 2 ? low + 1 : low);
    ASSERT_EQ(fromFloat(middle), even) << low;
    ASSERT_EQ(fromFloat(-middle), even | 0x8000) << low;
    float below = std::nextafter(middle, 0.0f);
    float above = std::nextafter(middle, INFINITY);
    ASSERT_EQ(fromFloat(below), low) << low;
    ASSERT_EQ(fromFloat(above), low + 1) << low;
  }
  EXPECT_EQ(fromFloat(INFINITY), infinity);
}

TEST(Float16Test, F16) { checkAll(5, 10, f16ToFloat, floatToF16); }

TEST(Float16Test, Bf16) { checkAll(8, 7, bf16ToFloat, floatToBf16); }

TEST(Float16Test, NaNStaysNaN) {
  // Payloads in bits that do not fit, which truncation would make infinite.
  for (uint32_t sign : {0u, 0x80000000u}) {
    for (uint32_t payload : {1u, 0x1000u, 0x1fffu, 0x7fffffu, 0x400000u}) {
      float nan = floatOf(sign | 0x7f800000u | payload);
      EXPECT_TRUE(std::isnan(f16ToFloat(floatToF16(nan)))) << payload;
      EXPECT_TRUE(std::isnan(bf16ToFloat(floatToBf16(nan)))) << payload;
      EXPECT_EQ(floatToF16(nan) >> 15, sign >> 31);
      EXPECT_EQ(floatToBf16(nan) >> 15, sign >> 31);
    }
  }
}

} // namespace
