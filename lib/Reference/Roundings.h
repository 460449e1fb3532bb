//===- Roundings.h - Where unfused computations round -----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Variant 0 of the unfused computation rounds as it is written. Each other one
// is as exact and rounds elsewhere: its sums in f32 are off by what sums in
// another order are off by, neighbouring keys sharing a part of that as a block
// of keys does; and what is rounded to the input type is multiplied by a factor
// of its row before, as a kernel does that divides by the sum of the row later.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_REFERENCE_ROUNDINGS_H
#define FLASH_LIB_REFERENCE_ROUNDINGS_H

#include <cmath>
#include <cstdint>
#include <initializer_list>

namespace flash::reference {

/// The length of a vector.
template <typename T> T norm(const T *from, int64_t count, int64_t stride) {
  T sum = 0;
  for (int64_t i = 0; i < count; ++i)
    sum += from[i * stride] * from[i * stride];
  return std::sqrt(sum);
}

/// What the terms of a dot product amount to where they do not cancel, whose
/// factors' lengths have this product. At least 1: exp2 is approximate, too.
template <typename T> T sizeOfSum(T sum, T lengths) {
  return 1 + std::fabs(sum) + lengths / 2;
}

/// The roundings of one batch and key head in arithmetic T.
template <typename T> class Roundings {
public:
  /// Float64 arithmetic has but one variant.
  Roundings(uint64_t variant, int64_t batch)
      : variant(sizeof(T) == sizeof(float) ? variant : 0), batch(batch) {}

  /// Whether this variant differs from what is written.
  explicit operator bool() const { return variant != 0; }

  /// A sum over the key's row, or the query's, of terms that amount to `size`.
  T pairSum(T sum, T size, int64_t head, int64_t query, int64_t key,
            int64_t which = 0) const {
    if (!variant)
      return sum;
    int64_t block = key >> (variant % 8);
    return sum + kUnit * size *
                     (noise({which, head, query, key}) +
                      noise({which + kBlocks, head, query, block}));
  }
  /// A sum over all keys of a query.
  T rowSum(T sum, T size, int64_t head, int64_t query,
           int64_t which = 0) const {
    return variant ? sum + kUnit * size * noise({which + kRows, head, query})
                   : sum;
  }
  /// What a row is multiplied by before it is rounded: 1/2 to 1.
  T factor(int64_t head, int64_t query) const {
    return variant && variant % 2
               ? std::exp2((noise({kFactors, head, query}) - 1) / 2)
               : T(1);
  }

private:
  static constexpr T kUnit = T(0x1p-24);
  static constexpr int64_t kBlocks = 100, kRows = 200, kFactors = 300;

  /// -1 to 1.
  T noise(std::initializer_list<int64_t> numbers) const {
    uint64_t state = mix(variant) ^ uint64_t(batch);
    for (int64_t number : numbers)
      state = mix(state ^ uint64_t(number));
    return T(int64_t(state >> 40) - (1 << 23)) * T(0x1p-23);
  }
  /// The finalizer of splitmix64.
  static uint64_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
  }

  uint64_t variant;
  int64_t batch;
};

} // namespace flash::reference

#endif // FLASH_LIB_REFERENCE_ROUNDINGS_H
