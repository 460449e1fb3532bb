//===- NarrowCases.cpp - Kernels with keys and values of 8 bits ---------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Keys and values of one type, of two, and only one of them of 8 bits; with
// head dims that fill no vector, in pages that tiles divide and others, in
// parts.
//
//===----------------------------------------------------------------------===//

#include "Extras.h"

using namespace flash;
using namespace flash::matrix;
using rt::DType;

static const std::vector<Shape> kPaged = {
    {1, 5, 0}, {2, 1, 113}, {3, 64, 128}, {2, 97, 300}};

std::vector<Kernel> matrix::makeNarrowKernels(DType type) {
  std::vector<Kernel> kernels;
  constexpr std::optional<DType> kWide = std::nullopt, kInteger = DType::I8,
                                 kFloat4 = DType::F8E4M3FN,
                                 kFloat5 = DType::F8E5M2;
  // Layouts take turns, and begin with another one for each type.
  int turn = static_cast<int>(type);
  auto add = [&](std::string attributes, std::optional<DType> key,
                 std::optional<DType> value, int64_t dqk,
                 int64_t dv) -> Kernel & {
    Kernel &kernel = kernels.emplace_back();
    kernel.type = type;
    kernel.bshd = ++turn & 1;
    kernel.feature = "narrow";
    kernel.attributes = std::move(attributes);
    kernel.dqk = dqk;
    kernel.dv = dv;
    kernel.shapes = mixedShapes();
    makeNarrow(kernel, key, value);
    return kernel;
  };
  auto paged = [&](int64_t pageSize, std::optional<DType> key,
                   std::optional<DType> value, int64_t dqk,
                   int64_t dv) -> Kernel & {
    Kernel &kernel = kernels.emplace_back();
    kernel.type = type;
    kernel.bshd = ++turn & 1;
    kernel.feature = "narrow-paged-" + std::to_string(pageSize);
    kernel.attributes = "mask = #flash.causal";
    kernel.pageSize = pageSize;
    kernel.dqk = dqk;
    kernel.dv = dv;
    kernel.shapes = kPaged;
    kernel.extras = {keyLengths(), pageTable()};
    kernel.operands =
        "kv_lengths(%n : tensor<?xi32>) page_table(%t : tensor<?x?xi32>)";
    makeNarrow(kernel, key, value);
    return kernel;
  };
  const std::string causal = "mask = #flash.causal",
                    softcap = "scores = [#flash.softcap<3.0>]",
                    window = "mask = #flash.window<left = 90, right = 20>";
  add(causal, kInteger, kInteger, 59, 64);
  add("", kFloat4, kFloat4, 64, 64);
  add(softcap, kFloat5, kFloat5, 64, 64).splitKV = 2;
  add(causal, kInteger, kFloat4, 59, 111);
  add("", kFloat5, kInteger, 64, 64).lse = false;
  add(window, kWide, kInteger, 64, 59);
  add(softcap, kWide, kFloat4, 13, 13);
  add(causal, kInteger, kWide, 13, 64).splitKV = 3;
  Kernel &sunk = add("", kFloat5, kWide, 111, 59);
  sunk.extras.push_back(sinks());
  sunk.operands += listOperands("sinks", {sunk.extras.back()});
  paged(7, kInteger, kFloat4, 59, 13);
  paged(64, kWide, kFloat4, 59, 59);
  paged(16, kInteger, kWide, 20, 64).dynamicPages = true;
  paged(64, kFloat4, kWide, 64, 111).splitKV = 2;
  paged(128, kWide, kInteger, 13, 59);
  return kernels;
}
