//===- MaskCases.cpp - Kernels with masks ---------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each mask by itself and in the compositions that people write, in both
// layouts; operands at random, with what is hard put in: prefixes longer than
// the keys, segments out of order, lists that name blocks behind the last key.
//
//===----------------------------------------------------------------------===//

#include "Extras.h"

#include <algorithm>
#include <random>
#include <tuple>

using namespace flash;
using namespace flash::matrix;
using rt::Array;
using rt::DType;

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

static Extra prefixLengths() {
  return drawn(
      "p", "tensor<?xi32>",
      [](const Kernel &, const Shape &s) { return Dims{s.batch}; },
      [](const Shape &s) { return std::pair<int64_t, int64_t>{0, s.sk + 9}; });
}

/// Documents that hold whole blocks, with ids that fall and are as far apart as
/// there are; of pages, all of whose keys have one, those behind the last too.
static Extra documents(std::string name, bool ofQueries) {
  return {std::move(name), "tensor<?x?xi32>", DType::I32,
          [ofQueries](const Kernel &k, const Shape &s) {
            return Dims{s.batch, ofQueries ? s.sq : keysOf(k, s)};
          },
          [](const Kernel &, const Shape &, uint64_t, Array &array) {
            constexpr int32_t kIds[]{INT32_MAX, 1, 0, -1, INT32_MIN};
            int64_t length = std::max<int64_t>(array.shape()[1], 1);
            for (int64_t i = 0; i < array.numElements(); ++i)
              array.set(i, double(kIds[i % length / 150 % 5]));
          }};
}

/// Lengths that end with a block of keys, before the first, and inside one.
static Extra lengthsByBlocks(int64_t bk) {
  Extra extra = keyLengths();
  extra.fill = [bk](const Kernel &, const Shape &s, uint64_t, Array &array) {
    for (int64_t i = 0; i < array.numElements(); ++i)
      array.set(i, i % 3 == 0   ? double(s.sk / 2 / bk * bk)
                   : i % 3 == 1 ? 0.0
                                : double(s.sk / 3));
  };
  return extra;
}

/// Counts or lists of #flash.block_sparse, for all batches and each head. A
/// block of keys is full, partial or hidden by a hash of its place.
static Extra blockList(std::string name, int64_t bq, int64_t bk, bool full,
                       bool list) {
  auto kindOf = [](uint64_t head, uint64_t row, uint64_t block) {
    return ((head * 7 + row * 31 + block * 17) >> 1) % 3;
  };
  return {std::move(name), list ? "tensor<1x?x?x?xi32>" : "tensor<1x?x?xi32>",
          DType::I32,
          [=](const Kernel &k, const Shape &s) {
            Dims dims{1, k.heads, ceilDiv(s.sq, bq)};
            if (list)
              dims.push_back(ceilDiv(s.sk, bk) + 1);
            return dims;
          },
          [=](const Kernel &k, const Shape &s, uint64_t, Array &array) {
            int64_t rows = ceilDiv(s.sq, bq), blocks = ceilDiv(s.sk, bk);
            for (int64_t h = 0; h < k.heads; ++h)
              for (int64_t r = 0; r < rows; ++r) {
                int64_t count = 0, at = h * rows + r;
                for (int64_t b = 0; b < blocks; ++b)
                  if (kindOf(h, r, b) == (full ? 1 : 2)) {
                    if (list)
                      array.set(at * (blocks + 1) + count, double(b));
                    ++count;
                  }
                if (!list)
                  array.set(at, double(count));
              }
          }};
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

static const std::vector<Shape> kShapes = {
    {1, 0, 63},   {1, 63, 0},   {2, 1, 113},  {1, 113, 113},  {2, 200, 97},
    {1, 97, 200}, {3, 64, 128}, {1, 1, 1023}, {1, 300, 1023}, {1, 517, 517}};

std::vector<Kernel> matrix::makeMaskKernels(DType type) {
  std::vector<Kernel> kernels;
  // Layouts take turns, and begin with another one for each type.
  int turn = static_cast<int>(type);
  auto add = [&](std::string feature, std::string mask,
                 std::vector<Extra> extras) -> Kernel & {
    Kernel kernel;
    kernel.type = type;
    kernel.bshd = ++turn & 1;
    kernel.feature = std::move(feature);
    if (!mask.empty())
      kernel.attributes = "mask = " + mask;
    kernel.operands = listOperands("mask_operands", extras);
    kernel.extras = std::move(extras);
    kernel.shapes = kShapes;
    kernels.push_back(std::move(kernel));
    return kernels.back();
  };
  // Windows, one side open, of one key, wider than everything; with offsets.
  add("window-left", "#flash.window<left = 60>", {});
  add("window-right", "#flash.window<right = 5>", {});
  add("window-causal", "#flash.window<left = 127, right = 0>", {});
  add("window-one", "#flash.window<left = 0, right = 0>", {});
  add("window-both", "#flash.window<left = 31, right = 17>", {}).lse = false;
  add("window-wide", "#flash.window<left = 100000, right = 100000>", {});
  Kernel &moved =
      add("window-offsets", "#flash.window<left = 40, right = 3>", {});
  moved.offsets = true;
  moved.shapes = {{1, 113, 113, 0, 0},   {1, 63, 200, 5, 0},
                  {1, 113, 113, -3, 4},  {1, 113, 113, 1000000, 999990},
                  {1, 63, 200, 0, 2000}, {1, 200, 17, -100000, -99990}};
  // Composition.
  add("prefix", "#flash.prefix", {prefixLengths()});
  add("prefix-lm", "#flash.or<#flash.causal, #flash.prefix>",
      {prefixLengths()});
  add("window-or-prefix",
      "#flash.or<#flash.window<left = 20, right = 0>, #flash.prefix>",
      {prefixLengths()});
  add("causal-and-prefix", "#flash.and<#flash.causal, #flash.prefix>",
      {prefixLengths()});
  add("segments", "#flash.segments",
      {segments("sq", true), segments("sk", false)});
  add("segments-causal", "#flash.and<#flash.causal, #flash.segments>",
      {segments("sq", true), segments("sk", false)});
  add("segments-or-window",
      "#flash.or<#flash.segments, #flash.window<left = 9, right = 9>>",
      {segments("sq", true), segments("sk", false)});
  // Split: segments of keys are sliced, prefixes are not.
  add("segments-split", "#flash.and<#flash.causal, #flash.segments>",
      {segments("sq", true), segments("sk", false)})
      .splitKV = 3;
  add("prefix-split", "#flash.or<#flash.causal, #flash.prefix>",
      {prefixLengths()})
      .splitKV = 2;
  // Head dims off every tile, other ratios of heads, run-time numbers of heads.
  Kernel &odd =
      add("segments-odd", "#flash.and<#flash.causal, #flash.segments>",
          {segments("sq", true), segments("sk", false)});
  odd.dqk = 59;
  odd.dv = 111;
  odd.heads = 6;
  odd.kvHeads = 1;
  Kernel &dynamic =
      add("prefix-dynamic", "#flash.or<#flash.causal, #flash.prefix>",
          {prefixLengths()});
  dynamic.dynamicHeads = true;
  for (Shape &shape : dynamic.shapes)
    std::tie(shape.heads, shape.kvHeads) = std::pair(6, 3);
  add("window-f32-output", "#flash.window<left = 77, right = 0>", {})
      .wideOutput = type != DType::F64;
  // Regions.
  add("region-causal", "", {}).region = R"(mask {
  ^bb0(%b: index, %h: index, %x: index, %y: index):
    %s = arith.cmpi sle, %y, %x : index
    flash.yield %s : i1
  })";
  add("region-dilated", "#flash.and<#flash.causal, #flash.region>", {}).region =
      R"(mask {
  ^bb0(%b: index, %h: index, %x: index, %y: index):
    %c3 = arith.constant 3 : index
    %c0 = arith.constant 0 : index
    %c40 = arith.constant 40 : index
    %d = arith.subi %x, %y : index
    %r = arith.remsi %d, %c3 : index
    %z = arith.cmpi eq, %r, %c0 : index
    %w = arith.muli %h, %c40 : index
    %n = arith.cmpi slt, %d, %w : index
    %s = arith.ori %z, %n : i1
    flash.yield %s : i1
  })";
  Kernel &captured =
      add("region-captures", "", {segments("sk", false), keyLengths()});
  captured.operands = "captures(%sk, %n : tensor<?x?xi32>, tensor<?xi32>)";
  captured.region = R"(mask {
  ^bb0(%b: index, %h: index, %x: index, %y: index, %ids: tensor<?x?xi32>, %lens: tensor<?xi32>):
    %c1 = arith.constant 1 : i32
    %id = tensor.extract %ids[%b, %y] : tensor<?x?xi32>
    %len = tensor.extract %lens[%b] : tensor<?xi32>
    %m = arith.index_cast %len : i32 to index
    %low = arith.andi %id, %c1 : i32
    %hi = arith.index_cast %h : index to i32
    %odd = arith.andi %hi, %c1 : i32
    %same = arith.cmpi eq, %low, %odd : i32
    %in = arith.cmpi slt, %y, %m : index
    %s = arith.andi %same, %in : i1
    flash.yield %s : i1
  })";
  // Block-sparse.
  auto sparse = [&](std::string feature, std::string mask, int64_t bq,
                    int64_t bk, std::vector<Extra> more) -> Kernel & {
    std::vector<Extra> extras{blockList("pn", bq, bk, false, false),
                              blockList("pl", bq, bk, false, true),
                              blockList("fn", bq, bk, true, false),
                              blockList("fl", bq, bk, true, true)};
    for (Extra &extra : more)
      extras.push_back(std::move(extra));
    return add(std::move(feature), std::move(mask), std::move(extras));
  };
  sparse("block-sparse", "#flash.block_sparse<bq = 128, bk = 128>", 128, 128,
         {});
  sparse("block-sparse-partial",
         "#flash.block_sparse<bq = 64, bk = 96, partial = #flash.causal>", 64,
         96, {});
  sparse("block-sparse-odd",
         "#flash.block_sparse<bq = 20, bk = 10, partial = #flash.prefix>", 20,
         10, {prefixLengths()});
  // Tiles that are cut off at the end of a block of either.
  for (auto [bq, bk] : {std::pair<int64_t, int64_t>{16, 16},
                        {32, 32},
                        {100, 30},
                        {96, 200},
                        {200, 24}}) {
    Kernel &kernel =
        sparse("block-sparse-" + std::to_string(bq) + "x" + std::to_string(bk),
               "#flash.block_sparse<bq = " + std::to_string(bq) + ", bk = " +
                   std::to_string(bk) + ", partial = #flash.causal>",
               bq, bk, {});
    kernel.dqk = kernel.dv = bq == 16 ? 64 : 128;
    kernel.lse = bq != 96;
  }
  sparse("block-sparse-causal",
         "#flash.and<#flash.causal, #flash.block_sparse<bq = 64, bk = 64>>", 64,
         64, {});
  // Keys that blocks divide, and that they do not; head dims of every tile.
  for (int64_t dim : {64, 128, 256}) {
    std::string partial = dim == 64    ? "#flash.window<left = 100, right = 9>"
                          : dim == 128 ? "#flash.causal"
                                       : "#flash.prefix";
    Kernel &kernel = sparse(
        "block-sparse-hd" + std::to_string(dim),
        "#flash.block_sparse<bq = 128, bk = 128, partial = " + partial + ">",
        128, 128,
        dim == 256 ? std::vector<Extra>{prefixLengths()}
                   : std::vector<Extra>{});
    kernel.dqk = kernel.dv = dim;
    kernel.lse = dim != 128;
    kernel.heads = 6;
    kernel.kvHeads = 2;
    kernel.shapes = {{1, 300, 1023}, {2, 640, 1024}, {1, 1024, 384}};
  }
  // Lists that name blocks behind the end of a batch's keys.
  for (int64_t dim : {64, 128, 256}) {
    int64_t bq = dim == 64 ? 64 : 128, bk = dim == 128 ? 128 : 64;
    Kernel &kernel =
        sparse("block-sparse-lengths-hd" + std::to_string(dim),
               "#flash.block_sparse<bq = " + std::to_string(bq) +
                   ", bk = " + std::to_string(bk) +
                   (dim == 64 ? ">" : ", partial = #flash.causal>"),
               bq, bk, {});
    kernel.extras.insert(kernel.extras.begin(), lengthsByBlocks(bk));
    kernel.operands = "kv_lengths(%n : tensor<?xi32>) " + kernel.operands;
    kernel.spoil = spoilBehindLengths;
    kernel.dqk = kernel.dv = dim;
    kernel.shapes = {{3, 200, 700}, {2, 1, 1023}, {3, 640, 512}};
  }
  sparse("block-sparse-split",
         "#flash.block_sparse<bq = 64, bk = 32, partial = #flash.causal>", 64,
         32, {})
      .splitKV = 3;
  // Documents by which blocks are hidden and full, wherever keys come from.
  std::vector<Extra> ids{documents("sq", true), documents("sk", false)};
  std::vector<Shape> shapes{{2, 200, 97},
                            {1, 1, 1023},
                            {1, 517, 517},
                            {2, 300, 1023},
                            {1, 1023, 300}};
  add("documents", "#flash.and<#flash.causal, #flash.segments>", ids).shapes =
      shapes;
  add("documents-or-window",
      "#flash.or<#flash.window<left = 9, right = 9>, #flash.segments>", ids)
      .shapes = shapes;
  sparse("block-sparse-documents",
         "#flash.and<#flash.causal, #flash.block_sparse<bq = 64, bk = 128, "
         "partial = #flash.segments>>",
         64, 128, ids)
      .shapes = shapes;
  for (int64_t pageSize : {0, 7, 64}) {
    Kernel &kernel =
        add(pageSize ? "documents-paged-" + std::to_string(pageSize)
                     : "documents-lengths",
            "#flash.segments", ids);
    if (pageSize) {
      kernel.extras.insert(kernel.extras.begin(), pageTable());
      kernel.operands = "page_table(%t : tensor<?x?xi32>) " + kernel.operands;
    }
    kernel.extras.insert(kernel.extras.begin(), keyLengths());
    kernel.operands = "kv_lengths(%n : tensor<?xi32>) " + kernel.operands;
    kernel.pageSize = pageSize;
    kernel.shapes = shapes;
    if (!pageSize)
      kernel.spoil = spoilBehindLengths;
    kernel.splitKV = pageSize == 7 ? 0 : 2;
  }
  return kernels;
}
