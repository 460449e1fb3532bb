//===- Float16.h - 16-bit floating point ------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Conversions between f32 and the two 16-bit types, by integer arithmetic so
// that every machine gives the same bits. They round to nearest even; a NaN
// stays a NaN with its sign and as much of its payload as fits, hence
// 16 -> 32 -> 16 bits is the identity on all 65536 patterns.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_RUNTIME_FLOAT16_H
#define FLASH_RUNTIME_FLOAT16_H

#include <cstdint>
#include <cstring>

namespace flash::rt {

inline uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

inline float floatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

inline float bf16ToFloat(uint16_t value) {
  return floatOf(static_cast<uint32_t>(value) << 16);
}

inline uint16_t floatToBf16(float value) {
  uint32_t bits = bitsOf(value);
  uint32_t top = bits >> 16;
  if ((bits & 0x7fffffffu) > 0x7f800000u) // NaN
    return static_cast<uint16_t>((top & 0x7fu) ? top : top | 0x40u);
  // Half a unit in the last place, less one when the kept part is even.
  return static_cast<uint16_t>((bits + 0x7fffu + (top & 1u)) >> 16);
}

inline float f16ToFloat(uint16_t value) {
  uint32_t sign = static_cast<uint32_t>(value & 0x8000u) << 16;
  uint32_t exponent = (value >> 10) & 0x1fu;
  uint32_t mantissa = value & 0x3ffu;
  if (exponent == 0x1f) // infinity, NaN
    return floatOf(sign | 0x7f800000u | mantissa << 13);
  if (exponent != 0)
    return floatOf(sign | (exponent + 112) << 23 | mantissa << 13);
  // Subnormal: mantissa * 2^-24, exact in f32.
  float magnitude = static_cast<float>(mantissa) * floatOf(0x33800000u);
  return floatOf(sign | bitsOf(magnitude));
}

inline uint16_t floatToF16(float value) {
  uint32_t bits = bitsOf(value);
  uint32_t sign = (bits >> 16) & 0x8000u;
  uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) { // NaN
    uint32_t payload = (magnitude >> 13) & 0x3ffu;
    return static_cast<uint16_t>(sign | 0x7c00u | (payload ? payload : 0x200u));
  }
  if (magnitude >= 0x477ff000u) // at or above 65520, which rounds to infinity
    return static_cast<uint16_t>(sign | 0x7c00u);
  if (magnitude >= 0x38800000u) { // normal: 2^-14 and above
    uint32_t rebiased = magnitude - (112u << 23);
    uint32_t rounded = rebiased + 0xfffu + ((rebiased >> 13) & 1u);
    return static_cast<uint16_t>(sign | rounded >> 13);
  }
  if (magnitude < 0x33000000u) // below 2^-25: zero
    return static_cast<uint16_t>(sign);
  // Subnormal: shift the mantissa, with its leading one, to units of 2^-24.
  uint32_t shift = 126u - (magnitude >> 23);
  uint32_t mantissa = (magnitude & 0x7fffffu) | 0x800000u;
  uint32_t kept = mantissa >> shift;
  uint32_t rest = mantissa & ((1u << shift) - 1);
  uint32_t half = 1u << (shift - 1);
  if (rest > half || (rest == half && (kept & 1u)))
    ++kept; // may become the smallest normal, whose bits follow on
  return static_cast<uint16_t>(sign | kept);
}

} // namespace flash::rt

#endif // FLASH_RUNTIME_FLOAT16_H
