//===- TestUtils.h - Arrays for tests ---------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_UNITTESTS_REFERENCE_TESTUTILS_H
#define FLASH_UNITTESTS_REFERENCE_TESTUTILS_H

#include "flash/Reference/Check.h"
#include "flash/Runtime/Array.h"
#include "flash/Runtime/Random.h"
#include "gtest/gtest.h"

#include <string>
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

/// The largest errors of all unfused computations of the same inputs:
/// `compute(variant)` gives the results of one.
template <typename Compute>
reference::Errors widest(const rt::Array &truth, Compute compute,
                         const rt::Array *magnitudes = nullptr) {
  reference::Errors largest;
  for (uint64_t variant = 0; variant <= reference::kVariants; ++variant)
    reference::raiseTo(largest,
                       reference::measure(compute(variant), truth, magnitudes));
  return largest;
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

/// A causal attention as two over halves of the keys, and their merge.
inline std::string splitProgram(const std::string &type, int64_t headDim) {
  std::string text = R"(
func.func @f(%q: tensor<?x4x?xDIMxTYPE>, %k: tensor<?x2x?xDIMxTYPE>, %v: tensor<?x2x?xDIMxTYPE>)
    -> (tensor<?x4x?xDIMxTYPE>, tensor<?x4x?xf32>) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %b = tensor.dim %k, %c0 : tensor<?x2x?xDIMxTYPE>
  %sq = tensor.dim %q, %c2 : tensor<?x4x?xDIMxTYPE>
  %sk = tensor.dim %k, %c2 : tensor<?x2x?xDIMxTYPE>
  %half = affine.apply affine_map<(d0) -> (d0 ceildiv 2)>(%sk)
  %rest = arith.subi %sk, %half : index
  %offset = arith.subi %sk, %sq : index
  %k0 = tensor.extract_slice %k[0, 0, 0, 0] [%b, 2, %half, DIM] [1, 1, 1, 1] : tensor<?x2x?xDIMxTYPE> to tensor<?x2x?xDIMxTYPE>
  %v0 = tensor.extract_slice %v[0, 0, 0, 0] [%b, 2, %half, DIM] [1, 1, 1, 1] : tensor<?x2x?xDIMxTYPE> to tensor<?x2x?xDIMxTYPE>
  %k1 = tensor.extract_slice %k[0, 0, %half, 0] [%b, 2, %rest, DIM] [1, 1, 1, 1] : tensor<?x2x?xDIMxTYPE> to tensor<?x2x?xDIMxTYPE>
  %v1 = tensor.extract_slice %v[0, 0, %half, 0] [%b, 2, %rest, DIM] [1, 1, 1, 1] : tensor<?x2x?xDIMxTYPE> to tensor<?x2x?xDIMxTYPE>
  %o0, %l0 = flash.attention %q, %k0, %v0 q_offset(%offset) {mask = #flash.causal}
      : tensor<?x4x?xDIMxTYPE>, tensor<?x2x?xDIMxTYPE>, tensor<?x2x?xDIMxTYPE> -> tensor<?x4x?xDIMxf32>, tensor<?x4x?xf32>
  %o1, %l1 = flash.attention %q, %k1, %v1 q_offset(%offset) kv_offset(%half) {mask = #flash.causal}
      : tensor<?x4x?xDIMxTYPE>, tensor<?x2x?xDIMxTYPE>, tensor<?x2x?xDIMxTYPE> -> tensor<?x4x?xDIMxf32>, tensor<?x4x?xf32>
  %o, %l = flash.merge outputs(%o0, %o1 : tensor<?x4x?xDIMxf32>, tensor<?x4x?xDIMxf32>)
      lses(%l0, %l1 : tensor<?x4x?xf32>, tensor<?x4x?xf32>) -> tensor<?x4x?xDIMxTYPE>, tensor<?x4x?xf32>
  return %o, %l : tensor<?x4x?xDIMxTYPE>, tensor<?x4x?xf32>
}
)";
  auto replace = [&](const std::string &from, const std::string &to) {
    for (size_t at = text.find(from); at != std::string::npos;
         at = text.find(from, at + to.size()))
      text.replace(at, from.size(), to);
  };
  replace("TYPE", type);
  replace("DIM", std::to_string(headDim));
  return text;
}

} // namespace flash::test

#endif // FLASH_UNITTESTS_REFERENCE_TESTUTILS_H
