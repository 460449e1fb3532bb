//===- UnseenCases.cpp - Keys and values that no query sees ---------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Whatever hides them: one kind of mask each, with lengths and offsets that let
// blocks of keys end before, at and after what is seen. What is not is NaN or
// infinite.
//
//===----------------------------------------------------------------------===//

#include "Extras.h"

using namespace flash;
using namespace flash::matrix;
using rt::DType;

/// Few queries in a cache with room for more keys, and tiles of queries.
static const std::vector<Shape> kMoved = {{2, 4, 300, 100, 0},
                                          {1, 70, 200, 40, 0},
                                          {1, 1, 130, 3, 0},
                                          {1, 150, 333, 64, 0}};
static const std::vector<Shape> kAligned = {
    {2, 40, 300}, {1, 5, 130}, {1, 200, 200}};

/// Of queries in a few documents, so that some keys are of another one.
static Extra sparseSegments(std::string name, bool ofQueries) {
  Extra extra = segments(std::move(name), ofQueries);
  extra.fill = [ofQueries](const Kernel &, const Shape &s, uint64_t,
                           rt::Array &array) {
    int64_t length = s.batch ? array.numElements() / s.batch : 0;
    for (int64_t i = 0; i < array.numElements(); ++i) {
      int64_t row = i % length;
      array.set(i, double(ofQueries ? row / 23 % 3 * 2 : row / 11 % 5));
    }
  };
  return extra;
}

/// One block of 32 keys in part for each block of 32 queries: the second.
static std::vector<Extra> oneBlock() {
  auto counts = [](const Kernel &, const Shape &s) {
    return Dims{1, 1, ceilDiv(s.sq, 32)};
  };
  auto lists = [](const Kernel &, const Shape &s) {
    return Dims{1, 1, ceilDiv(s.sq, 32), ceilDiv(s.sk, 32)};
  };
  auto all = [](double value) {
    return [value](const Kernel &, const Shape &, uint64_t, rt::Array &array) {
      for (int64_t i = 0; i < array.numElements(); ++i)
        array.set(i, value);
    };
  };
  std::string count = "tensor<1x1x?xi32>", list = "tensor<1x1x?x?xi32>";
  return {{"pn", count, DType::I32, counts, all(1)},
          {"pl", list, DType::I32, lists, all(1)},
          {"fn", count, DType::I32, counts, all(0)},
          {"fl", list, DType::I32, lists, all(0)}};
}

/// The same kernels with gradients, for which keys are hidden from products of
/// three loops.
static void addBackwards(std::vector<Kernel> &kernels) {
  static const char *loops[] = {"", "outer = both", "outer = each"};
  for (size_t i = 0, forwards = kernels.size(); i < forwards; ++i) {
    Kernel kernel = kernels[i];
    if (kernel.splitKV || kernel.feature == "unseen-lists")
      continue;
    kernel.feature += "-backward";
    kernel.gradients = "qkv";
    kernel.recompute = loops[i % 3];
    kernels.push_back(std::move(kernel));
  }
}

std::vector<Kernel> matrix::makeUnseenKernels(DType type) {
  std::vector<Kernel> kernels;
  int turn = static_cast<int>(type);
  auto add = [&](std::string feature, const std::string &mask,
                 std::vector<Extra> extras, bool offsets) -> Kernel & {
    Kernel kernel;
    kernel.type = type;
    kernel.bshd = ++turn & 1;
    kernel.feature = "unseen-" + std::move(feature);
    if (!mask.empty())
      kernel.attributes = "mask = " + mask;
    kernel.operands = listOperands("mask_operands", extras);
    kernel.extras = std::move(extras);
    kernel.offsets = offsets;
    kernel.shapes = offsets ? kMoved : kAligned;
    kernel.spoilsUnseen = true;
    kernels.push_back(std::move(kernel));
    return kernels.back();
  };
  std::vector<Extra> ids{sparseSegments("sq", true),
                         sparseSegments("sk", false)};
  add("causal", "#flash.causal", {}, true);
  add("causal-128", "#flash.causal", {}, true).dqk = 128;
  kernels.back().dv = 128;
  add("window", "#flash.window<left = 30, right = 9>", {}, true);
  add("window-left", "#flash.window<left = 45, right = 0>", {}, true);
  add("prefix", "#flash.prefix", {prefixLengths()}, false);
  add("prefix-lm", "#flash.or<#flash.causal, #flash.prefix>", {prefixLengths()},
      true);
  add("segments", "#flash.segments", ids, false);
  add("segments-causal", "#flash.and<#flash.causal, #flash.segments>", ids,
      false);
  add("lists", "#flash.block_sparse<bq = 32, bk = 32, partial = #flash.causal>",
      oneBlock(), true);
  add("causal-heads", "#flash.causal", {}, true).heads = 16;
  add("causal-split", "#flash.causal", {}, true).splitKV = 3;
  add("region-causal", "", {}, true).region = R"(mask {
  ^bb0(%b: index, %h: index, %x: index, %y: index):
    %s = arith.cmpi sle, %y, %x : index
    flash.yield %s : i1
  })";
  add("region-strided", "", {}, true).region = R"(mask {
  ^bb0(%b: index, %h: index, %x: index, %y: index):
    %c7 = arith.constant 7 : index
    %c0 = arith.constant 0 : index
    %r = arith.remsi %y, %c7 : index
    %s = arith.cmpi ne, %r, %c0 : index
    flash.yield %s : i1
  })";
  Kernel &captured = add("region-captured", "", {ids[1]}, false);
  captured.operands = "captures(%sk : tensor<?x?xi32>)";
  captured.region = R"(mask {
  ^bb0(%b: index, %h: index, %x: index, %y: index, %ids: tensor<?x?xi32>):
    %c2 = arith.constant 2 : i32
    %id = tensor.extract %ids[%b, %y] : tensor<?x?xi32>
    %s = arith.cmpi ne, %id, %c2 : i32
    flash.yield %s : i1
  })";
  addBackwards(kernels);
  return kernels;
}
