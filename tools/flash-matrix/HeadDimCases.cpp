//===- HeadDimCases.cpp - Every head dim of every type ----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is left of a head dim when vectors are full has another length for each,
// and every CPU its own idea of which lengths it can do.
//
//===----------------------------------------------------------------------===//

#include "Extras.h"

using namespace flash;
using namespace flash::matrix;
using rt::DType;

std::vector<Kernel> matrix::makeHeadDimKernels() {
  constexpr int64_t kLargest = 256;
  constexpr std::pair<DType, std::optional<DType>> kTypes[] = {
      {DType::F32, std::nullopt},  {DType::F16, std::nullopt},
      {DType::BF16, std::nullopt}, {DType::F64, std::nullopt},
      {DType::BF16, DType::I8},    {DType::F16, DType::F8E4M3FN},
      {DType::F32, DType::F8E5M2}};
  std::vector<Kernel> kernels;
  int turn = 0;
  for (auto [type, narrow] : kTypes)
    for (int64_t dim = 1; dim <= kLargest; ++dim) {
      Kernel &kernel = kernels.emplace_back();
      kernel.type = type;
      kernel.dqk = kernel.dv = dim;
      kernel.heads = 2;
      kernel.kvHeads = 1;
      kernel.bshd = ++turn & 1;
      kernel.causal = turn & 2;
      kernel.shapes = {{1, 19, 53}};
      if (narrow)
        makeNarrow(kernel, narrow, narrow);
    }
  return kernels;
}
