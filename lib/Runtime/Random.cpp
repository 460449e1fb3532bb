//===- Random.cpp - Seeded normal numbers ---------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Counter based: SplitMix64 of the pair's number gives two uniforms, Box and
// Muller's transform makes two normals of them. Logarithm, sine and cosine are
// polynomials here, since libm differs between systems; this file is compiled
// without contraction to fused multiply-adds, for the same reason. The loops
// have no branch, so that compilers vectorise them.
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/Random.h"
#include "flash/Runtime/Float16.h"
#include "flash/Runtime/Float8.h"
#include "flash/Runtime/ThreadPool.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace flash::rt;

namespace {

constexpr uint64_t kGolden = 0x9e3779b97f4a7c15u;

inline uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// Natural logarithm of a normal positive double, to about 1e-16.
inline double logarithm(double x) {
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  // Split x = m * 2^e with m in [sqrt(1/2), sqrt(2)).
  constexpr uint64_t kSqrtHalf = 0x3fe6a09e667f3bcdu;
  int64_t exponent = static_cast<int64_t>(bits - kSqrtHalf) >> 52;
  uint64_t mantissa = bits - (static_cast<uint64_t>(exponent) << 52);
  double m;
  std::memcpy(&m, &mantissa, sizeof(m));
  double s = (m - 1) / (m + 1), z = s * s;
  double series = 1.0 / 21;
  series = series * z + 1.0 / 19;
  series = series * z + 1.0 / 17;
  series = series * z + 1.0 / 15;
  series = series * z + 1.0 / 13;
  series = series * z + 1.0 / 11;
  series = series * z + 1.0 / 9;
  series = series * z + 1.0 / 7;
  series = series * z + 1.0 / 5;
  series = series * z + 1.0 / 3;
  return 2 * (s + s * (z * series)) +
         static_cast<double>(exponent) * 0.6931471805599453;
}

/// Sine and cosine of 2 pi turns, for turns in [0, 1).
inline void sineCosine(double turns, double &sine, double &cosine) {
  // Any quadrant within rounding of the nearest will do, and lround is a call.
  // NOLINTNEXTLINE(bugprone-incorrect-roundings)
  int64_t quadrant = static_cast<int64_t>(turns * 4 + 0.5);
  double x = (turns * 4 - static_cast<double>(quadrant)) * 1.5707963267948966;
  double z = x * x;
  double s = -1.0 / 1307674368000;
  s = s * z + 1.0 / 6227020800;
  s = s * z - 1.0 / 39916800;
  s = s * z + 1.0 / 362880;
  s = s * z - 1.0 / 5040;
  s = s * z + 1.0 / 120;
  s = s * z - 1.0 / 6;
  s = x + x * (z * s);
  double c = 1.0 / 20922789888000;
  c = c * z - 1.0 / 87178291200;
  c = c * z + 1.0 / 479001600;
  c = c * z - 1.0 / 3628800;
  c = c * z + 1.0 / 40320;
  c = c * z - 1.0 / 720;
  c = c * z + 1.0 / 24;
  c = c * z - 1.0 / 2;
  c = 1 + z * c;
  bool swap = quadrant & 1;
  double first = swap ? c : s, second = swap ? s : c;
  sine = (quadrant & 2) ? -first : first;
  cosine = ((quadrant + 1) & 2) ? -second : second;
}

/// Pair `index` of the stream `key`.
inline void normalPair(uint64_t key, uint64_t index, double &a, double &b) {
  uint64_t x = mix(key + kGolden * (2 * index + 1));
  uint64_t y = mix(key + kGolden * (2 * index + 2));
  // (0, 1] for the logarithm, [0, 1) for the angle.
  double u = static_cast<double>(static_cast<int64_t>(x >> 11) + 1) * 0x1p-53;
  double v = static_cast<double>(static_cast<int64_t>(y >> 11)) * 0x1p-53;
  double radius = std::sqrt(-2 * logarithm(u));
  double sine, cosine;
  sineCosine(v, sine, cosine);
  a = radius * cosine;
  b = radius * sine;
}

/// Writes all elements by blocks, converting with `convert`.
template <typename T, typename Convert>
void fill(Array &array, uint64_t key, double mean, double stddev,
          Convert convert) {
  constexpr int64_t kBlock = 512; // elements; even, so that pairs stay whole
  int64_t count = array.numElements();
  T *data = array.dataAs<T>();
  parallelFor((count + kBlock - 1) / kBlock, [&](int64_t begin, int64_t end) {
    double values[kBlock];
    for (int64_t block = begin; block < end; ++block) {
      int64_t base = block * kBlock;
      for (int64_t i = 0; i < kBlock / 2; ++i)
        normalPair(key, static_cast<uint64_t>(base / 2 + i), values[2 * i],
                   values[2 * i + 1]);
      int64_t size = std::min(kBlock, count - base);
      for (int64_t i = 0; i < size; ++i)
        data[base + i] = convert(mean + stddev * values[i]);
    }
  });
}

} // namespace

Status flash::rt::fillNormal(Array &array, uint64_t seed, double mean,
                             double stddev) {
  // Mixed, so that the streams of neighbouring seeds have nothing in common.
  uint64_t key = mix(seed + kGolden);
  switch (array.dtype()) {
  case DType::F32:
    fill<float>(array, key, mean, stddev,
                [](double x) { return static_cast<float>(x); });
    return Status::success();
  case DType::F16:
    fill<uint16_t>(array, key, mean, stddev,
                   [](double x) { return floatToF16(static_cast<float>(x)); });
    return Status::success();
  case DType::BF16:
    fill<uint16_t>(array, key, mean, stddev,
                   [](double x) { return floatToBf16(static_cast<float>(x)); });
    return Status::success();
  case DType::F64:
    fill<double>(array, key, mean, stddev, [](double x) { return x; });
    return Status::success();
  case DType::F8E4M3FN:
    fill<uint8_t>(array, key, mean, stddev, [](double x) {
      return floatToF8E4M3FN(static_cast<float>(x));
    });
    return Status::success();
  case DType::F8E5M2:
    fill<uint8_t>(array, key, mean, stddev, [](double x) {
      return floatToF8E5M2(static_cast<float>(x));
    });
    return Status::success();
  case DType::I8:
    // What a factor of 1/40 makes normal numbers of.
    fill<int8_t>(array, key, 40 * mean, 40 * stddev, [](double x) {
      return static_cast<int8_t>(std::lround(std::clamp(x, -128.0, 127.0)));
    });
    return Status::success();
  case DType::I1:
    fill<uint8_t>(array, key, mean, stddev,
                  [](double x) { return static_cast<uint8_t>(x > 0); });
    return Status::success();
  case DType::I64:
  case DType::I32:
    break;
  }
  return Status::error(std::string("normal numbers do not fit an array of ") +
                       nameOf(array.dtype()));
}
