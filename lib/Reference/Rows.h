//===- Rows.h - Rows of host arrays -----------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads and writes rows of arrays in any element type.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_REFERENCE_ROWS_H
#define FLASH_LIB_REFERENCE_ROWS_H

#include "flash/Reference/AttentionBackward.h"
#include "flash/Runtime/Float16.h"

/// A function that is compiled for several CPUs; it cannot be a template.
#if defined(__x86_64__) && defined(__linux__)
#define FLASH_EACH_CPU                                                         \
  __attribute__((                                                              \
      target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#else
#define FLASH_EACH_CPU
#endif

namespace flash::reference {

/// Reads `count` neighbouring elements from `first` on.
template <typename T>
void readRow(const rt::Array &array, int64_t first, int64_t count, T *to,
             int64_t stride = 1) {
  switch (array.dtype()) {
  case rt::DType::F32:
    for (int64_t i = 0; i < count; ++i)
      to[i * stride] = array.dataAs<float>()[first + i];
    return;
  case rt::DType::BF16:
    for (int64_t i = 0; i < count; ++i)
      to[i * stride] = rt::bf16ToFloat(array.dataAs<uint16_t>()[first + i]);
    return;
  case rt::DType::F16:
    for (int64_t i = 0; i < count; ++i)
      to[i * stride] = rt::f16ToFloat(array.dataAs<uint16_t>()[first + i]);
    return;
  default:
    for (int64_t i = 0; i < count; ++i)
      to[i * stride] = static_cast<T>(array.at(first + i));
  }
}

inline void writeRow(rt::Array &array, int64_t first, int64_t count,
                     const double *from) {
  for (int64_t i = 0; i < count; ++i)
    array.set(first + i, from[i]);
}

inline float roundTo(rt::DType type, float x) {
  switch (type) {
  case rt::DType::BF16:
    return rt::bf16ToFloat(rt::floatToBf16(x));
  case rt::DType::F16:
    return rt::f16ToFloat(rt::floatToF16(x));
  default:
    return x;
  }
}
/// Float64 arithmetic rounds nothing.
inline double roundTo(rt::DType, double x) { return x; }

/// Where row (b, h, s) of an array in either layout begins.
inline int64_t rowStart(const rt::Array &array, bool bshd, int64_t b, int64_t h,
                        int64_t s) {
  const std::vector<int64_t> &shape = array.shape();
  int64_t i = bshd ? s : h, j = bshd ? h : s;
  return ((b * shape[1] + i) * shape[2] + j) * shape[3];
}

/// Results of the types that the arithmetic has, not filled.
rt::Result<Attended> createResult(Arithmetic arithmetic, const Sizes &sizes,
                                  bool bshd, rt::DType outputType);

/// Gradients of the types that the arithmetic has, zero.
rt::Result<AttentionGradients> createGradients(Arithmetic arithmetic,
                                               const rt::Array &query,
                                               const rt::Array &key,
                                               const rt::Array &value);

/// Whether gradients of these shapes are known, and options have some.
rt::Status checkBackward(const rt::Array &query,
                         const rt::Array &outputGradient,
                         const rt::Array *lseGradient,
                         const std::vector<int64_t> &outputShape,
                         const Options &options);

/// What masks and score functions are told of query i and key j of a batch.
Element elementAt(const Options &options, int64_t batch, int64_t head,
                  int64_t i, int64_t j, int64_t qOffset, int64_t kvOffset);

/// The part of its value that dropout leaves of a probability of the query and
/// the key at these positions: 0 if it is dropped.
double keptPart(const Options &options, int64_t batch, int64_t head,
                int64_t query, int64_t key);

} // namespace flash::reference

#endif // FLASH_LIB_REFERENCE_ROWS_H
