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
// the keys, segments out of order.
//
//===----------------------------------------------------------------------===//

#include "Extras.h"

#include <tuple>

using namespace flash;
using namespace flash::matrix;
using rt::DType;

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
    kernel.shapes = mixedShapes();
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
      dilatedMask;
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
