//===- TestUtils.h - Arrays for tests ---------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_UNITTESTS_REFERENCE_TESTUTILS_H
#define FLASH_UNITTESTS_REFERENCE_TESTUTILS_H

#include "flash/Runtime/Array.h"
#include "flash/Runtime/Random.h"
#include "gtest/gtest.h"

#include <vector>

namespace flash::test {

template <typename T> T unwrap(rt::Result<T> result) {
  EXPECT_TRUE(result.ok()) << result.message();
  if (result.failed())
    abort();
  return std::move(*result);
}

inline rt::Array array(rt::DType type, std::vector<int64_t> shape,
                       const std::vector<double> &values) {
  rt::Array result = unwrap(rt::Array::create(type, std::move(shape)));
  EXPECT_EQ(result.numElements(), int64_t(values.size()));
  for (size_t i = 0; i < values.size(); ++i)
    result.set(i, values[i]);
  return result;
}

inline rt::Array normal(rt::DType type, std::vector<int64_t> shape,
                        uint64_t seed) {
  rt::Array result = unwrap(rt::Array::create(type, std::move(shape)));
  EXPECT_TRUE(rt::fillNormal(result, seed).ok());
  return result;
}

inline void expectNear(const rt::Array &have, const rt::Array &want,
                       double tolerance) {
  ASSERT_EQ(have.shape(), want.shape());
  for (int64_t i = 0; i < want.numElements(); ++i) {
    if (have.at(i) == want.at(i)) // infinities
      continue;
    EXPECT_NEAR(have.at(i), want.at(i), tolerance) << "element " << i;
  }
}

} // namespace flash::test

#endif // FLASH_UNITTESTS_REFERENCE_TESTUTILS_H
