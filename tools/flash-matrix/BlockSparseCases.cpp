//===- BlockSparseCases.cpp - Kernels with lists of blocks ----------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lists that are walked, and lists in which blocks are looked up; some name
// blocks after the last key.
//
//===----------------------------------------------------------------------===//

#include "Extras.h"

#include <algorithm>

using namespace flash;
using namespace flash::matrix;
using rt::Array;
using rt::DType;

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

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

/// The four operands of a mask; names begin with `prefix`.
static std::vector<Extra> blockLists(const std::string &prefix, int64_t bq,
                                     int64_t bk) {
  return {blockList(prefix + "pn", bq, bk, false, false),
          blockList(prefix + "pl", bq, bk, false, true),
          blockList(prefix + "fn", bq, bk, true, false),
          blockList(prefix + "fl", bq, bk, true, true)};
}

static std::string blockSparse(int64_t bq, int64_t bk,
                               const std::string &partial = "") {
  return "#flash.block_sparse<bq = " + std::to_string(bq) +
         ", bk = " + std::to_string(bk) +
         (partial.empty() ? ">" : ", partial = " + partial + ">");
}

static std::vector<Extra> joined(std::vector<Extra> first,
                                 std::vector<Extra> second) {
  for (Extra &extra : second)
    first.push_back(std::move(extra));
  return first;
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

std::vector<Kernel> matrix::makeBlockSparseKernels(DType type) {
  std::vector<Kernel> kernels;
  // Layouts take turns, and begin with another one for each type.
  int turn = static_cast<int>(type);
  auto add = [&](std::string feature, const std::string &mask,
                 std::vector<Extra> extras) -> Kernel & {
    Kernel kernel;
    kernel.type = type;
    kernel.bshd = ++turn & 1;
    kernel.feature = std::move(feature);
    kernel.attributes = "mask = " + mask;
    kernel.operands = listOperands("mask_operands", extras);
    kernel.extras = std::move(extras);
    kernel.shapes = mixedShapes();
    kernels.push_back(std::move(kernel));
    return kernels.back();
  };
  auto sparse = [&](std::string feature, const std::string &mask, int64_t bq,
                    int64_t bk, std::vector<Extra> more) -> Kernel & {
    return add(std::move(feature), mask,
               joined(blockLists("", bq, bk), std::move(more)));
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
  // Lists that name blocks after the end of a batch's keys.
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
  std::vector<Extra> ids{documents("sq", true), documents("sk", false)};
  std::vector<Shape> shapes{{2, 200, 97},
                            {1, 1, 1023},
                            {1, 517, 517},
                            {2, 300, 1023},
                            {1, 1023, 300}};
  sparse("block-sparse-documents",
         "#flash.and<#flash.causal, #flash.block_sparse<bq = 64, bk = 128, "
         "partial = #flash.segments>>",
         64, 128, ids)
      .shapes = shapes;
  // Looked up: blocks of the range of another mask, of another mask's lists, of
  // keys that the other one hides.
  std::string window = "#flash.window<left = 40, right = 0>";
  sparse("blocks-or-window",
         "#flash.or<" + blockSparse(64, 64) + ", " + window + ">", 64, 64, {});
  sparse("blocks-or-window-split",
         "#flash.or<" + blockSparse(100, 40, "#flash.causal") + ", " + window +
             ">",
         100, 40, {})
      .splitKV = 3;
  sparse("blocks-or-prefix",
         "#flash.or<" + blockSparse(20, 10, "#flash.causal") +
             ", #flash.prefix>",
         20, 10, {prefixLengths()});
  sparse("blocks-or-documents",
         "#flash.and<#flash.causal, #flash.or<" +
             blockSparse(64, 128, "#flash.segments") + ", #flash.segments>>",
         64, 128, joined(ids, {documents("uq", true), documents("uk", false)}))
      .shapes = shapes;
  for (auto [bq, bk] : {std::pair<int64_t, int64_t>{128, 96}, {48, 40}}) {
    add("blocks-and-blocks-" + std::to_string(bk),
        "#flash.and<" + blockSparse(64, 64, "#flash.causal") + ", " +
            blockSparse(bq, bk) + ">",
        joined(blockLists("", 64, 64), blockLists("o", bq, bk)));
    add("blocks-or-blocks-" + std::to_string(bk),
        "#flash.or<" + blockSparse(64, 64) + ", " +
            blockSparse(bq, bk, "#flash.causal") + ">",
        joined(blockLists("", 64, 64), blockLists("o", bq, bk)))
        .splitKV = bk == 40 ? 2 : 0;
  }
  add("blocks-in-blocks", blockSparse(128, 128, blockSparse(32, 64)),
      joined(blockLists("", 128, 128), blockLists("i", 32, 64)));
  Kernel &lengths = sparse(
      "blocks-or-window-lengths",
      "#flash.or<" + blockSparse(64, 64) + ", " + window + ">", 64, 64, {});
  lengths.extras.insert(lengths.extras.begin(), lengthsByBlocks(64));
  lengths.operands = "kv_lengths(%n : tensor<?xi32>) " + lengths.operands;
  lengths.spoil = spoilBehindLengths;
  lengths.shapes = {{3, 200, 700}, {2, 1, 1023}, {3, 640, 512}};
  // Of ragged sequences, whose own rows are counted.
  auto ragged = [&](std::string feature, const std::string &mask, int64_t bq,
                    int64_t bk) -> Kernel & {
    Kernel &kernel = sparse("ragged-" + std::move(feature), mask, bq, bk, {});
    std::vector<Extra> bounds{starts("cq", true), starts("ck", false)};
    kernel.extras.insert(kernel.extras.begin(), bounds.begin(), bounds.end());
    kernel.operands = "cu_seqlens_q(%cq : tensor<?xi32>) cu_seqlens_k(%ck : "
                      "tensor<?xi32>) " +
                      kernel.operands;
    kernel.spoil = spoilOutsideSequences;
    kernel.shapes = {
        {1, 0, 63}, {1, 63, 0}, {1, 113, 113}, {1, 517, 300}, {1, 300, 1023}};
    return kernel;
  };
  for (auto [bq, bk] :
       {std::pair<int64_t, int64_t>{128, 128}, {64, 64}, {20, 10}, {100, 30}}) {
    std::string size = std::to_string(bq) + "x" + std::to_string(bk);
    Kernel &kernel = ragged("block-sparse-" + size,
                            blockSparse(bq, bk, "#flash.causal"), bq, bk);
    kernel.dqk = kernel.dv = bq == 64 ? 64 : 128;
    kernel.lse = bq != 128;
  }
  ragged("block-sparse-split",
         "#flash.and<#flash.causal, " + blockSparse(64, 32) + ">", 64, 32)
      .splitKV = 3;
  ragged("blocks-or-window",
         "#flash.or<" + blockSparse(40, 24) + ", " + window + ">", 40, 24);
  return kernels;
}
