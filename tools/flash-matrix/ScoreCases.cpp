//===- ScoreCases.cpp - Kernels with score functions ----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What changes a score before the mask: each function alone and in company,
// with data of its own, where it makes a difference (scores are drawn from
// N(0, 1) after the default scale, so caps are small and scales large).
//
//===----------------------------------------------------------------------===//

#include "Extras.h"

#include <limits>
#include <random>

using namespace flash;
using namespace flash::matrix;
using rt::Array;
using rt::DType;

/// A number for each key.
static Extra columns(DType type) {
  return floats("c", std::string("tensor<?x") + rt::nameOf(type) + ">", type,
                -1.0, 1.0,
                [](const Kernel &, const Shape &s) { return Dims{s.sk}; });
}

/// A bias that hides keys: a third of the elements, all of every fifth row.
static Extra hidingBias() {
  Extra extra = bias();
  auto draw = extra.fill;
  extra.fill = [draw](const Kernel &k, const Shape &s, uint64_t seed,
                      Array &array) {
    draw(k, s, seed, array);
    for (int64_t i = 0; i < array.numElements(); ++i)
      if (i / s.sk % 5 == 2 || i % 3 == 0)
        array.set(i, -std::numeric_limits<double>::infinity());
  };
  return extra;
}

std::vector<Kernel> matrix::makeScoreKernels(DType type) {
  std::vector<Kernel> kernels;
  // Layouts take turns, and begin with another one for each type.
  int turn = static_cast<int>(type);
  auto add = [&](std::string feature, std::string attributes,
                 std::vector<Extra> extras = {},
                 std::string operands = "") -> Kernel & {
    Kernel kernel;
    kernel.type = type;
    kernel.bshd = ++turn & 1;
    kernel.feature = "score-" + feature;
    kernel.attributes = std::move(attributes);
    kernel.extras = std::move(extras);
    kernel.operands = std::move(operands);
    kernel.shapes = mixedShapes();
    kernels.push_back(std::move(kernel));
    return kernels.back();
  };
  const std::string takesSlopes = "score_operands(%a : tensor<?xf32>)",
                    takesBias = "score_operands(%w : tensor<1x?x?x?xf32>)";
  add("alibi", "scores = [#flash.alibi], mask = #flash.causal", {slopes()},
      takesSlopes);
  // Walked from the diagonal on: scores that fall, far from it and near; and
  // that grow, so that no block's maximum is a reference for the next.
  Kernel &aligned = add("alibi-window",
                        "scores = [#flash.alibi], mask = #flash.window<left = "
                        "150, right = 0>",
                        {slopes()}, takesSlopes);
  aligned.dqk = aligned.dv = 128;
  aligned.offsets = true;
  aligned.shapes = {{2, 113, 113, 0, 0},   {1, 300, 517, 217, 0},
                    {1, 300, 517, 127, 0}, {1, 113, 300, 500, 0},
                    {1, 200, 113, -3, 4},  {1, 113, 113, 1000000, 999990},
                    {1, 63, 200, 0, 2000}};
  Kernel &growing =
      add("alibi-grows", "scores = [#flash.alibi], mask = #flash.causal",
          {slopes(DType::F32, -0.25, 0.25)}, takesSlopes);
  growing.dqk = growing.dv = 128;
  growing.lse = false;
  add("bias", "scores = [#flash.bias]", {bias()}, takesBias);
  add("bias-hides", "scores = [#flash.bias], mask = #flash.causal",
      {hidingBias()}, takesBias);
  add("bias-large", "scores = [#flash.bias]", {bias(-1e30, 1e30)}, takesBias);
  // Softcap: of scores far beyond the cap, with others around it.
  add("softcap", "scores = [#flash.softcap<5.0>]").scale = "1.0";
  Kernel &capped = add("softcap-causal",
                       "scores = [#flash.softcap<1.5>], mask = #flash.causal");
  capped.heads = 6;
  capped.kvHeads = 1;
  capped.dqk = 59;
  capped.dv = 111;
  Kernel &split = add("softcap-window", "scores = [#flash.softcap<2.0>], mask "
                                        "= #flash.window<left = 70, right = "
                                        "30>");
  split.offsets = true;
  split.splitKV = 3;
  split.shapes = {{1, 113, 113, 0, 0},
                  {1, 63, 200, 5, 0},
                  {1, 113, 113, -3, 4},
                  {1, 113, 113, 1000000, 999990},
                  {1, 63, 200, 0, 2000}};
  add("softcap-alibi-bias",
      "scores = [#flash.softcap<3.0>, #flash.alibi, #flash.bias]",
      {slopes(), bias()},
      "score_operands(%a, %w : tensor<?xf32>, tensor<1x?x?x?xf32>)")
      .scale = "0.5";
  add("bias-softcap", "scores = [#flash.bias, #flash.softcap<3.0>]",
      {hidingBias()}, takesBias);
  // Split: what belongs to keys is sliced, positions are of all keys.
  Kernel &slices = add("split-bias-alibi",
                       "scores = [#flash.alibi, #flash.bias], mask = "
                       "#flash.causal",
                       {slopes(), bias()},
                       "score_operands(%a, %w : tensor<?xf32>, "
                       "tensor<1x?x?x?xf32>)");
  slices.splitKV = 3;
  Kernel &row = add("split-bias-row", "scores = [#flash.bias]",
                    {floats("w", "tensor<?x1x?x?xf32>", DType::F32, -2, 2,
                            [](const Kernel &, const Shape &s) {
                              return Dims{s.batch, 1, s.sq, 1};
                            })},
                    "score_operands(%w : tensor<?x1x?x?xf32>)");
  row.splitKV = 2;
  // Sinks.
  const std::string takesSinks = "sinks(%z : tensor<?xf32>)";
  add("sinks", "", {sinks()}, takesSinks);
  Kernel &sinking = add("sinks-softcap",
                        "scores = [#flash.softcap<2.0>], mask = "
                        "#flash.window<left = 33, right = 0>",
                        {sinks()}, takesSinks);
  sinking.heads = 6;
  sinking.kvHeads = 3;
  sinking.dqk = 59;
  sinking.scale = "-0.2";
  Kernel &divided =
      add("sinks-split", "mask = #flash.causal", {sinks()}, takesSinks);
  divided.splitKV = 3;
  divided.wideOutput = rt::sizeOf(type) == 2;
  // Dropout.
  auto dropped = [&](std::string feature, std::string attributes,
                     std::string p) -> Kernel & {
    if (!attributes.empty())
      attributes += ", ";
    Kernel &kernel =
        add("dropout" + feature, attributes + "dropout_p = " + p + " : f32", {},
            "dropout(%seed, %offset)");
    kernel.prelude = "  %seed = arith.constant 81985529216486895 : i64\n"
                     "  %offset = arith.constant 1311768467463790320 : i64\n";
    return kernel;
  };
  dropped("", "", "0.25");
  Kernel &most = dropped("-causal", "mask = #flash.causal", "0.9");
  most.heads = 6;
  most.kvHeads = 1;
  most.dv = 111;
  dropped("-none", "", "0.0").lse = false;
  dropped("-split", "scores = [#flash.softcap<2.0>]", "0.5").splitKV = 3;
  Kernel &far = dropped("-offsets", "mask = #flash.causal", "0.1");
  far.offsets = true;
  far.shapes = {{2, 113, 113, 0, 0},
                {1, 113, 113, -3, 4},
                {1, 113, 113, 1000001, 999990},
                {1, 63, 200, 5, 0}};
  // Regions: one that reads data, before a bias and with a negative scale, and
  // the functions that one may call.
  // Of f64, scores are f64.
  DType scoreType = type == DType::F64 ? type : DType::F32;
  auto ofType = [&](std::string text) {
    for (size_t at = 0; type == DType::F64 &&
                        (at = text.find("f32", at)) != std::string::npos;)
      text.replace(at, 3, "f64");
    return text;
  };
  Kernel &region = add("region",
                       "scores = [#flash.region, #flash.bias], mask = "
                       "#flash.window<left = 90, right = 20>",
                       {slopes(scoreType), bias(), columns(scoreType)},
                       takesBias + ofType(" captures(%a, %c : tensor<?xf32>, "
                                          "tensor<?xf32>)"));
  region.scale = "-0.1";
  region.region = ofType(R"(score {
  ^bb0(%s: f32, %b: index, %h: index, %x: index, %y: index, %slopes: tensor<?xf32>, %columns: tensor<?xf32>):
    %slope = tensor.extract %slopes[%h] : tensor<?xf32>
    %column = tensor.extract %columns[%y] : tensor<?xf32>
    %d = arith.subi %x, %y : index
    %di = arith.index_cast %d : index to i32
    %df = arith.sitofp %di : i32 to f32
    %p = arith.mulf %slope, %df : f32
    %t = arith.subf %s, %p : f32
    %r = arith.addf %t, %column : f32
    flash.yield %r : f32
  })");
  // A floor of a score would jump where roundings differ: that of a distance is
  // exact.
  add("functions", "").region = ofType(R"(score {
  ^bb0(%s: f32, %b: index, %h: index, %x: index, %y: index):
    %half = arith.constant 0.5 : f32
    %abs = math.absf %s : f32
    %more = arith.addf %abs, %half : f32
    %exp = math.exp %s : f32
    %exp2 = math.exp2 %s : f32
    %log = math.log %more : f32
    %log2 = math.log2 %more : f32
    %log1p = math.log1p %abs : f32
    %tanh = math.tanh %s : f32
    %erf = math.erf %s : f32
    %sin = math.sin %s : f32
    %cos = math.cos %s : f32
    %sqrt = math.sqrt %abs : f32
    %rsqrt = math.rsqrt %more : f32
    %d = arith.subi %x, %y : index
    %di = arith.index_cast %d : index to i32
    %df = arith.sitofp %di : i32 to f32
    %part = arith.constant 0.015625 : f32
    %far = arith.mulf %df, %part : f32
    %floor = math.floor %far : f32
    %pow = math.powf %more, %half : f32
    %s0 = arith.minimumf %exp, %exp2 : f32
    %s1 = arith.addf %s0, %log : f32
    %s2 = arith.subf %s1, %log2 : f32
    %s3 = arith.addf %s2, %log1p : f32
    %s4 = arith.addf %s3, %tanh : f32
    %s5 = arith.subf %s4, %erf : f32
    %s6 = arith.addf %s5, %sin : f32
    %s7 = arith.mulf %s6, %cos : f32
    %s8 = arith.addf %s7, %sqrt : f32
    %s9 = arith.mulf %s8, %rsqrt : f32
    %s10 = arith.subf %s9, %floor : f32
    %s11 = arith.addf %s10, %pow : f32
    flash.yield %s11 : f32
  })");
  return kernels;
}
