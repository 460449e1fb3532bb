//===- Float8.h - 8-bit floating point on the host --------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// f8E4M3FN (no infinity, NaN is all ones, largest 448) and f8E5M2 (the upper
// half of an f16), from and to f32. Rounding is to nearest even; what is too
// large becomes the largest number for E4M3FN, infinity for E5M2.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_RUNTIME_FLOAT8_H
#define FLASH_RUNTIME_FLOAT8_H

#include "flash/Runtime/Float16.h"

#include <cmath>

namespace flash::rt {

inline float f8E5M2ToFloat(uint8_t value) {
  return f16ToFloat(static_cast<uint16_t>(value << 8));
}

inline float f8E4M3FNToFloat(uint8_t value) {
  int exponent = (value >> 3) & 15, mantissa = value & 7;
  float magnitude;
  if ((value & 0x7f) == 0x7f)
    magnitude = std::nanf("");
  else if (exponent == 0)
    magnitude = std::ldexp(static_cast<float>(mantissa), -9);
  else
    magnitude = std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
  return value & 0x80 ? -magnitude : magnitude;
}

/// Numbers of a format ascend with their bits, so that the nearest is found by
/// halving, and lies between two neighbours.
template <typename Widen>
uint8_t nearestFloat8(float value, uint8_t largest, Widen widen) {
  uint8_t sign = std::signbit(value) ? 0x80 : 0;
  float magnitude = std::fabs(value);
  uint8_t low = 0, high = largest;
  while (high - low > 1) {
    uint8_t middle = static_cast<uint8_t>((low + high) / 2);
    (widen(middle) <= magnitude ? low : high) = middle;
  }
  float below = magnitude - widen(low), above = widen(high) - magnitude;
  bool up = above < below || (above == below && (high & 1) == 0);
  return static_cast<uint8_t>(sign | (up ? high : low));
}

inline uint8_t floatToF8E4M3FN(float value) {
  if (std::isnan(value))
    return 0x7f;
  return nearestFloat8(value, 0x7e, f8E4M3FNToFloat);
}

inline uint8_t floatToF8E5M2(float value) {
  if (std::isnan(value))
    return 0x7f;
  // Half a unit beyond the largest number, 57344, is infinity.
  if (std::fabs(value) >= 61440.0f)
    return value < 0 ? 0xfc : 0x7c;
  return nearestFloat8(value, 0x7b, f8E5M2ToFloat);
}

} // namespace flash::rt

#endif // FLASH_RUNTIME_FLOAT8_H
