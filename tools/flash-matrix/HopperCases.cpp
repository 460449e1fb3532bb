//===- HopperCases.cpp - Kernels that are measured, and hard inputs -------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a schedule does differently from others: kernels without LSE on lengths
// beyond each bound of the tables, tiles in parts, tiles that overlap,
// clusters; maxima that move with each block of keys, or once, at every
// position; NaN and infinities among the inputs.
//
//===----------------------------------------------------------------------===//

#include "Matrix.h"

#include <cmath>
#include <limits>

using namespace flash;
using namespace flash::matrix;
using rt::Array;
using rt::DType;

/// Calls `visit(batch, head, row, first element)` for all rows.
template <typename Visit>
static void forEachRow(const Kernel &kernel, const Array &array, Visit visit) {
  const std::vector<int64_t> &shape = array.shape();
  int64_t length = shape[kernel.bshd ? 1 : 2],
          heads = shape[kernel.bshd ? 2 : 1];
  for (int64_t batch = 0; batch < shape[0]; ++batch)
    for (int64_t head = 0; head < heads; ++head)
      for (int64_t row = 0; row < length; ++row)
        visit(batch, head, row, startOfRow(kernel, array, batch, head, row));
}

/// Adds `score(batch, head, key)` to the scores, through the first column.
template <typename Score>
static void addToScores(const Kernel &kernel, std::vector<Array> &operands,
                        Score score) {
  constexpr double kQuery = 8;
  forEachRow(kernel, operands[0],
             [&](int64_t, int64_t, int64_t, int64_t first) {
               operands[0].set(first, kQuery);
             });
  double unit = std::sqrt(double(kernel.dqk)) / kQuery;
  forEachRow(kernel, operands[1],
             [&](int64_t batch, int64_t head, int64_t key, int64_t first) {
               operands[1].set(first, unit * score(batch, head, key));
             });
}

/// Each block of keys has scores beyond what the ones before leave in range:
/// 2^30 of bf16 and 2^12 of f16 in 64 keys.
static void grow(const Kernel &kernel, const Shape &,
                 std::vector<Array> &operands) {
  double slope = kernel.type == DType::F16 ? 0.14 : 0.34;
  addToScores(kernel, operands, [&](int64_t, int64_t, int64_t key) {
    return slope * double(key);
  });
}

/// Scores are out of range from one key on, another one in each head.
static void jump(const Kernel &kernel, const Shape &shape,
                 std::vector<Array> &operands) {
  int64_t places = shape.batch * kernel.kvHeads;
  addToScores(kernel, operands, [&](int64_t batch, int64_t head, int64_t key) {
    int64_t place = batch * kernel.kvHeads + head;
    return key >= place * shape.sk / places + place % 7 ? 40.0 : 0.0;
  });
}

/// NaN in a query; NaN and infinity in keys; infinity in a value.
static void spread(const Kernel &kernel, const Shape &shape,
                   std::vector<Array> &operands) {
  double nan = std::numeric_limits<double>::quiet_NaN(),
         infinity = std::numeric_limits<double>::infinity();
  forEachRow(kernel, operands[0],
             [&](int64_t batch, int64_t, int64_t row, int64_t first) {
               if (batch == 0 && row % 37 == 5)
                 operands[0].set(first + row % kernel.dqk, nan);
             });
  // A key of head 0 late enough that some rows do not see it under a causal
  // mask; one of head 1 of which half of the queries make -infinity.
  forEachRow(kernel, operands[1],
             [&](int64_t batch, int64_t head, int64_t key, int64_t first) {
               if (batch == 1 && key == shape.sk * 3 / 4)
                 operands[1].set(first + 3, head == 0 ? nan : infinity);
             });
  if (!kernel.causal)
    forEachRow(kernel, operands[2],
               [&](int64_t batch, int64_t, int64_t key, int64_t first) {
                 if (batch == 2 && key == 70)
                   operands[2].set(first + 1, infinity);
               });
}

std::vector<Kernel> matrix::makeHopperKernels(DType type) {
  std::vector<Kernel> kernels;
  if (rt::sizeOf(type) != 2)
    return kernels;
  int turn = static_cast<int>(type);
  auto add = [&](std::string feature, int64_t dim, bool causal) -> Kernel & {
    Kernel kernel;
    kernel.type = type;
    kernel.feature = std::move(feature);
    kernel.dqk = kernel.dv = dim;
    kernel.causal = causal;
    kernel.bshd = ++turn & 1;
    kernels.push_back(std::move(kernel));
    return kernels.back();
  };
  for (int64_t dim : {64, 128, 256})
    for (bool causal : {false, true}) {
      Kernel &measured = add("long", dim, causal);
      measured.lse = false;
      measured.onlyGPU = true;
      measured.shapes = {
          {2, 200, 1023}, {1, 1409, 1409}, {1, 2111, 1601}, {1, 300, 2500}};
      for (const char *schedule :
           {"splitTiles = 8", "overlapTiles = true", "cluster = 2"}) {
        Kernel &other = add(schedule, dim, causal);
        other.attributes =
            "schedule = #flash.schedule<" + std::string(schedule) + ">";
        other.lse = dim == 64;
        other.onlyGPU = true;
        other.shapes = {{1, 300, 1023}, {2, 640, 1024}, {1, 517, 2111}};
        if (turn % 3 == 0)
          other.spoil = jump;
      }
      for (bool lse : {false, true}) {
        Kernel &growing = add("scores-grow", dim, causal);
        growing.lse = lse;
        growing.onlyGPU = lse;
        growing.spoil = grow;
        growing.shapes = {{2, 200, 1023}, {1, 517, 517}};
        Kernel &jumping = add("scores-jump", dim, causal);
        jumping.lse = lse;
        jumping.onlyGPU = !lse;
        jumping.heads = jumping.kvHeads = 8;
        jumping.spoil = jump;
        jumping.shapes = {{4, 200, 1023}, {2, 517, 517}};
      }
      Kernel &nonFinite = add("not-finite", dim, causal);
      nonFinite.nanAsReference = true;
      nonFinite.spoil = spread;
      nonFinite.shapes = {{3, 200, 300}, {3, 130, 517}};
    }
  return kernels;
}
