//===- MaskCases.cpp - Kernels with masks ---------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each mask by itself and in the compositions that people write, in both
// layouts; operands at random, with what is hard put in: empty sequences,
// lengths of zero, prefixes longer than the keys, segments out of order.
//
//===----------------------------------------------------------------------===//

#include "Matrix.h"

#include <algorithm>
#include <random>
#include <tuple>

using namespace flash;
using namespace flash::matrix;
using rt::Array;
using rt::DType;

using Dims = std::vector<int64_t>;

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t matrix::pagesOf(const Kernel &kernel, const Shape &shape) {
  return kernel.pageSize ? shape.batch * ceilDiv(shape.sk, kernel.pageSize) + 2
                         : 0;
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

/// Integers from `low` to `high`, each drawn by itself.
static Extra
drawn(std::string name, std::string type,
      std::function<Dims(const Kernel &, const Shape &)> shape,
      std::function<std::pair<int64_t, int64_t>(const Shape &)> range) {
  return {
      std::move(name), std::move(type), DType::I32, std::move(shape),
      [range](const Kernel &, const Shape &shape, uint64_t seed, Array &array) {
        std::mt19937_64 random(seed);
        auto [low, high] = range(shape);
        std::uniform_int_distribution<int64_t> draw(low, high);
        for (int64_t i = 0; i < array.numElements(); ++i)
          array.set(i, double(draw(random)));
      }};
}

static Extra prefixLengths() {
  return drawn(
      "p", "tensor<?xi32>",
      [](const Kernel &, const Shape &s) { return Dims{s.batch}; },
      [](const Shape &s) { return std::pair<int64_t, int64_t>{0, s.sk + 9}; });
}

/// Documents of odd lengths one after another, the same for queries and keys
/// where both exist; a few rows are of a document that stands elsewhere.
static Extra segments(std::string name, bool ofQueries) {
  return {std::move(name), "tensor<?x?xi32>", DType::I32,
          [ofQueries](const Kernel &, const Shape &s) {
            return Dims{s.batch, ofQueries ? s.sq : s.sk};
          },
          [](const Kernel &, const Shape &s, uint64_t seed, Array &array) {
            int64_t length = s.batch ? array.numElements() / s.batch : 0;
            for (int64_t i = 0; i < array.numElements(); ++i) {
              int64_t row = i % length;
              array.set(i, double(row % 89 == 7 ? 0 : row / 37));
            }
          }};
}

/// Starts of four sequences (one may be empty) that leave a few rows out.
static Extra starts(std::string name, bool ofQueries) {
  return {
      std::move(name), "tensor<?xi32>", DType::I32,
      [](const Kernel &, const Shape &) { return Dims{5}; },
      [ofQueries](const Kernel &, const Shape &s, uint64_t seed, Array &array) {
        int64_t total = ofQueries ? s.sq : s.sk;
        std::mt19937_64 random(seed);
        std::vector<int64_t> cuts{0};
        for (int i = 0; i < 3; ++i)
          cuts.push_back(int64_t(random() % (total + 1)));
        cuts.push_back(std::max<int64_t>(total - 3, 0));
        cuts[2] = cuts[1];
        std::sort(cuts.begin(), cuts.end());
        for (int i = 0; i < 5; ++i)
          array.set(i, double(cuts[i]));
      }};
}

static Extra keyLengths() {
  return drawn(
      "n", "tensor<?xi32>",
      [](const Kernel &, const Shape &s) { return Dims{s.batch}; },
      [](const Shape &s) { return std::pair<int64_t, int64_t>{0, s.sk}; });
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

/// Pages in an order of their own.
static Extra pageTable() {
  return {"t", "tensor<?x?xi32>", DType::I32,
          [](const Kernel &k, const Shape &s) {
            return Dims{s.batch, ceilDiv(s.sk, k.pageSize)};
          },
          [](const Kernel &k, const Shape &s, uint64_t seed, Array &array) {
            std::vector<int64_t> pages(pagesOf(k, s));
            for (size_t i = 0; i < pages.size(); ++i)
              pages[i] = int64_t(i);
            std::shuffle(pages.begin(), pages.end(), std::mt19937_64(seed));
            for (int64_t i = 0; i < array.numElements(); ++i)
              array.set(i, double(pages[i]));
          }};
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
  // Ragged, key lengths, pages that a block of keys fills and crosses.
  auto sequences = [&](std::string feature, std::string attributes,
                       std::vector<Extra> extras, std::string operands,
                       int64_t pageSize) -> Kernel & {
    Kernel &kernel = add(std::move(feature), "", std::move(extras));
    kernel.attributes = std::move(attributes);
    kernel.operands = std::move(operands);
    kernel.pageSize = pageSize;
    if (!pageSize)
      kernel.spoil = kernel.extras.size() == 1 ? spoilBehindLengths
                                               : spoilOutsideSequences;
    return kernel;
  };
  // Tiles of every schedule, whole ones and cut ones.
  for (int64_t dim : {64, 128, 256}) {
    auto wide = [&](Kernel &kernel, std::vector<Shape> shapes) {
      kernel.dqk = kernel.dv = dim;
      kernel.lse = dim != 128;
      kernel.shapes = std::move(shapes);
    };
    std::string mask = dim == 64    ? ""
                       : dim == 128 ? "mask = #flash.causal"
                                    : "mask = #flash.window<left = 200, "
                                      "right = 0>",
                name = "-hd" + std::to_string(dim);
    wide(sequences("ragged" + name, mask,
                   {starts("cq", true), starts("ck", false)},
                   "cu_seqlens_q(%cq : tensor<?xi32>) cu_seqlens_k(%ck : "
                   "tensor<?xi32>)",
                   0),
         {{1, 1000, 1000}, {1, 517, 300}, {1, 2050, 1023}});
    for (bool masked : {false, true})
      if (!masked || !mask.empty())
        wide(sequences((masked ? "kv-lengths-masked" : "kv-lengths") + name,
                       masked ? mask : "", {keyLengths()},
                       "kv_lengths(%n : tensor<?xi32>)", 0),
             {{4, 200, 700}, {3, 1, 1023}, {2, 640, 512}});
  }
  static const std::vector<Shape> kPacked = {
      {1, 0, 63}, {1, 63, 0}, {1, 113, 113}, {1, 517, 300}, {1, 300, 1023}};
  for (bool causal : {false, true})
    sequences(causal ? "ragged-causal" : "ragged",
              causal ? "mask = #flash.causal" : "",
              {starts("cq", true), starts("ck", false)},
              "cu_seqlens_q(%cq : tensor<?xi32>) cu_seqlens_k(%ck : "
              "tensor<?xi32>)",
              0)
        .shapes = kPacked;
  sequences("ragged-segments", "mask = #flash.segments",
            {starts("cq", true), starts("ck", false), segments("sq", true),
             segments("sk", false)},
            "cu_seqlens_q(%cq : tensor<?xi32>) cu_seqlens_k(%ck : "
            "tensor<?xi32>) mask_operands(%sq, %sk : tensor<?x?xi32>, "
            "tensor<?x?xi32>)",
            0)
      .shapes = kPacked;
  sequences("kv-lengths", "mask = #flash.causal", {keyLengths()},
            "kv_lengths(%n : tensor<?xi32>)", 0);
  sequences("kv-lengths-split", "mask = #flash.causal", {keyLengths()},
            "kv_lengths(%n : tensor<?xi32>)", 0)
      .splitKV = 3;
  Kernel &parts = sequences(
      "ragged-split", "mask = #flash.and<#flash.causal, #flash.segments>",
      {starts("cq", true), starts("ck", false), segments("sq", true),
       segments("sk", false)},
      "cu_seqlens_q(%cq : tensor<?xi32>) cu_seqlens_k(%ck : "
      "tensor<?xi32>) mask_operands(%sq, %sk : tensor<?x?xi32>, "
      "tensor<?x?xi32>)",
      0);
  parts.shapes = kPacked;
  parts.splitKV = 2;
  for (auto [pageSize, splits] : {std::pair<int64_t, int64_t>{1, 0},
                                  {7, 0},
                                  {16, 0},
                                  {64, 0},
                                  {7, 3},
                                  {64, 2}}) {
    Kernel &kernel = sequences(
        "paged-" + std::to_string(pageSize),
        pageSize == 7 ? "" : "mask = #flash.causal",
        {keyLengths(), pageTable()},
        "kv_lengths(%n : tensor<?xi32>) page_table(%t : tensor<?x?xi32>)",
        pageSize);
    kernel.shapes = {
        {1, 5, 0}, {2, 1, 113}, {3, 64, 128}, {1, 1, 1023}, {2, 97, 300}};
    kernel.splitKV = splits;
  }
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
  return kernels;
}
