//===- PackedCases.cpp - Kernels whose tiles are of several heads ---------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Query heads that share keys share tiles where a schedule says so: in both
// layouts (which order rows differently), with few and with many queries, and
// with each mask and score function that may meet it. Static short lengths are
// what the model chooses it for itself (on a GPU).
//
//===----------------------------------------------------------------------===//

#include "Matrix.h"

using namespace flash;
using namespace flash::matrix;
using rt::DType;

/// Decoding, speculative decoding, a little more than tiles, and no queries.
static const std::vector<Shape> kShapes = {
    {1, 0, 63},   {2, 1, 113},  {1, 3, 1},     {2, 5, 300},   {1, 16, 1023},
    {1, 17, 200}, {3, 64, 128}, {1, 113, 113}, {2, 129, 257}, {1, 200, 97}};

static Kernel pack(Kernel kernel, int64_t heads) {
  kernel.attributes += kernel.attributes.empty() ? "" : ", ";
  kernel.attributes +=
      "schedule = #flash.schedule<packHeads = " + std::to_string(heads) + ">";
  kernel.feature += kernel.feature.empty() ? "" : " ";
  kernel.feature += "packed=" + std::to_string(heads);
  return kernel;
}

/// Whether two query heads of the kernel can share a tile: not where a mask
/// tells heads apart, where their number is not known, or in ragged sequences.
static bool canPack(const Kernel &kernel) {
  if (kernel.dynamicHeads || kernel.heads % (2 * kernel.kvHeads) ||
      kernel.attributes.find("schedule") != std::string::npos)
    return false;
  for (const char *unfit : {"region-dilated", "region-captures", "ragged"})
    if (kernel.feature.find(unfit) != std::string::npos)
      return false;
  return true;
}

std::vector<Kernel> matrix::makePackedKernels(DType type) {
  std::vector<Kernel> kernels;
  if (type == DType::F64)
    return kernels;
  Kernel base;
  base.type = type;
  base.shapes = kShapes;
  auto add = [&](int64_t heads, int64_t kvHeads, int64_t packed, int64_t dim,
                 bool bshd, bool causal) {
    Kernel kernel = base;
    kernel.heads = heads;
    kernel.kvHeads = kvHeads;
    kernel.dqk = kernel.dv = dim;
    kernel.bshd = bshd;
    kernel.causal = causal;
    kernels.push_back(pack(kernel, packed));
  };
  for (bool bshd : {false, true}) {
    for (int64_t dim : {64, 128, 256, 80, 59})
      for (bool causal : {false, true})
        add(8, 2, 4, dim, bshd, causal);
    // As many heads as a warp stores rows at a time, and a part of those that
    // share keys.
    add(16, 2, 8, 64, bshd, true);
    add(16, 1, 16, 128, bshd, true);
    add(32, 1, 16, 64, bshd, false);
    add(8, 1, 2, 128, bshd, true);
    Kernel split = base;
    split.bshd = bshd;
    split.causal = true;
    split.splitKV = 3;
    kernels.push_back(pack(split, 2));
    // The model's choice.
    for (Shape shape : {Shape{2, 1, 113}, {1, 5, 300}, {2, 17, 200}})
      for (bool causal : {false, true}) {
        Kernel kernel = base;
        kernel.heads = 16;
        kernel.kvHeads = 2;
        kernel.bshd = bshd;
        kernel.causal = causal;
        kernel.isStatic = true;
        kernel.shapes = {shape};
        kernel.feature = "short=" + std::to_string(shape.sq);
        kernels.push_back(kernel);
      }
  }
  // Which query a row is does not depend on the type.
  if (type != DType::BF16)
    return kernels;
  for (const std::vector<Kernel> &others :
       {makeMaskKernels(type), makeScoreKernels(type), makeNarrowKernels(type)})
    for (const Kernel &kernel : others)
      if (canPack(kernel))
        kernels.push_back(pack(kernel, 2));
  return kernels;
}
