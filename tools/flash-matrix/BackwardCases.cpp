//===- BackwardCases.cpp - Kernels that give gradients --------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Forward and backward in one function. Each value of each feature that a
// backward takes, with every type; layouts and masks take turns, so that each
// type has others. Lengths are none, one, odd, a block and several.
//
//===----------------------------------------------------------------------===//

#include "Extras.h"

#include <tuple>

using namespace flash;
using namespace flash::matrix;
using rt::DType;

/// Lengths of a kernel that says nothing of them.
static const std::vector<Shape> &backwardShapes() {
  static const std::vector<Shape> shapes = {
      {1, 0, 5},     {1, 5, 0},   {1, 1, 1},    {2, 1, 113},
      {1, 113, 1},   {1, 63, 97}, {2, 113, 63}, {1, 64, 128},
      {1, 130, 130}, {0, 5, 5},   {1, 97, 260}};
  return shapes;
}

namespace {
/// Collects the kernels of one type.
class BackwardCases {
public:
  explicit BackwardCases(DType type) : type(type), turn(int(type)) {}
  std::vector<Kernel> kernels;

  void sizes();
  void gradients();
  void loops();
  void positions();
  void masks();
  void scores();
  void regions();
  void others();

private:
  Kernel &add(std::string feature = "") {
    Kernel kernel;
    kernel.type = type;
    kernel.gradients = "qkv";
    kernel.bshd = ++turn & 1;
    kernel.causal = turn >> 1 & 1;
    kernel.dqk = kernel.dv = 32;
    kernel.feature = std::move(feature);
    kernel.shapes = backwardShapes();
    kernels.push_back(std::move(kernel));
    return kernels.back();
  }
  Kernel &addMask(std::string feature, const std::string &mask,
                  std::vector<Extra> extras = {}) {
    Kernel &kernel = add(std::move(feature));
    kernel.causal = false;
    if (!mask.empty())
      kernel.attributes = "mask = " + mask;
    kernel.operands = listOperands("mask_operands", extras);
    kernel.extras = std::move(extras);
    return kernel;
  }
  Kernel &addScores(std::string feature, const std::string &scores,
                    std::vector<Extra> extras = {}) {
    Kernel &kernel = add(std::move(feature));
    kernel.attributes = "scores = [" + scores + "]";
    kernel.operands = listOperands("score_operands", extras);
    kernel.extras = std::move(extras);
    return kernel;
  }
  /// Text with the type of scores, which those of f64 have.
  std::string ofType(std::string text) const {
    for (size_t at = 0; type == DType::F64 &&
                        (at = text.find("f32", at)) != std::string::npos;)
      text.replace(at, 3, "f64");
    return text;
  }

  DType type;
  int turn;
};
} // namespace

/// Head dims, ratios of heads.
void BackwardCases::sizes() {
  for (int64_t dim : {64, 128})
    for (bool causal : {false, true}) {
      Kernel &kernel = add();
      kernel.dqk = kernel.dv = dim;
      kernel.causal = causal;
      kernel.shapes.push_back({1, 300, 300});
    }
  for (auto [dqk, dv] : {std::pair<int64_t, int64_t>{59, 111},
                         {111, 59},
                         {16, 8},
                         {1, 1},
                         {192, 128},
                         {256, 256}}) {
    Kernel &kernel = add();
    kernel.dqk = dqk;
    kernel.dv = dv;
  }
  for (auto [heads, kvHeads] :
       {std::pair<int64_t, int64_t>{3, 3}, {1, 1}, {6, 1}, {6, 2}, {16, 2}}) {
    Kernel &kernel = add();
    kernel.heads = heads;
    kernel.kvHeads = kvHeads;
  }
  Kernel &dynamic = add();
  dynamic.dynamicHeads = true;
  dynamic.shapes.clear();
  for (Shape shape : {Shape{1, 63, 113}, {2, 113, 63}})
    for (auto [heads, kvHeads] :
         {std::pair<int64_t, int64_t>{4, 4}, {6, 3}, {5, 1}, {0, 0}}) {
      shape.heads = heads;
      shape.kvHeads = kvHeads;
      dynamic.shapes.push_back(shape);
    }
}

/// Some gradients of the three; no gradient for the LSE.
void BackwardCases::gradients() {
  for (const char *some : {"q", "k", "v", "qk", "qv", "kv"}) {
    add().gradients = some;
    kernels.back().lse = turn & 1;
  }
  add().lse = false;
}

/// What is outside. Keys outside have another name for each target.
void BackwardCases::loops() {
  for (const char *outer : {"both", "each"})
    for (int64_t dim : {32, 128}) {
      Kernel &kernel = add();
      kernel.recompute = std::string("outer = ") + outer;
      kernel.dqk = kernel.dv = dim;
      kernel.heads = dim == 32 ? 6 : 4;
    }
  // All gradients of wide heads in one loop, which nobody chooses by default.
  for (int64_t dim : {192, 256}) {
    Kernel &kernel = add();
    kernel.recompute = "outer = keys, sum = added";
    kernel.dqk = kernel.dv = dim;
    kernel.causal = dim == 256;
    kernel.onlyGPU = true;
  }
  add().recompute = "outer = both";
  kernels.back().gradients = "kv";
  add().recompute = "outer = each";
  kernels.back().gradients = "qv";
  add().recompute = "outer = queries";
  kernels.back().gradients = "q";
  Kernel &dropped = addMask("window", "#flash.window<left = 40, right = 3>");
  dropped.recompute = "outer = both";
  dropped.offsets = true;
  dropped.shapes = {{1, 113, 113, 0, 0}, {1, 63, 200, 5, 0}};
}

/// Where queries and keys lie, rows that see no key among them.
void BackwardCases::positions() {
  const std::vector<Shape> shapes = {
      {1, 113, 113, 0, 0},           {1, 63, 200, 5, 0},
      {2, 113, 130, -3, 4},          {1, 200, 17, 40, 7},
      {1, 63, 113, 1000000, 999990}, {1, 113, 63, -100000, -99990},
      {1, 63, 200, 0, 2000}};
  for (const char *mask :
       {"#flash.causal", "#flash.window<left = 40, right = 3>"}) {
    Kernel &kernel = addMask(mask[7] == 'c' ? "moved" : "moved-window", mask);
    kernel.offsets = true;
    kernel.shapes = shapes;
  }
}

void BackwardCases::masks() {
  addMask("window-left", "#flash.window<left = 60>");
  addMask("window-right", "#flash.window<right = 5>");
  addMask("window-one", "#flash.window<left = 0, right = 0>");
  addMask("window-causal", "#flash.window<left = 70, right = 0>")
      .shapes.push_back({1, 300, 300});
  addMask("prefix-lm", "#flash.or<#flash.causal, #flash.prefix>",
          {prefixLengths()});
  addMask("segments-causal", "#flash.and<#flash.causal, #flash.segments>",
          {segments("sq", true), segments("sk", false)});
  addMask("segments-or-window",
          "#flash.or<#flash.segments, #flash.window<left = 9, right = 9>>",
          {segments("sq", true), segments("sk", false)});
}

void BackwardCases::scores() {
  addScores("alibi", "#flash.alibi", {slopes()});
  addScores("softcap", "#flash.softcap<5.0>").scale = "1.0";
  Kernel &capped = addScores("softcap", "#flash.softcap<1.5>");
  capped.heads = 6;
  capped.kvHeads = 1;
  capped.dqk = 59;
  capped.dv = 111;
  addScores("bias", "#flash.bias", {bias()});
  addScores("softcap-alibi-bias",
            "#flash.softcap<3.0>, #flash.alibi, #flash.bias",
            {slopes(), bias()})
      .scale = "0.5";
  addScores("bias-softcap", "#flash.bias, #flash.softcap<3.0>", {bias()});
}

void BackwardCases::regions() {
  addMask("region-mask", "").region = dilatedMask;
  // Bounds of both loops from quotients: the query's block of 24 and the two
  // before it.
  addMask("region-blocks", "").region = R"(mask {
  ^bb0(%b: index, %h: index, %x: index, %y: index):
    %c24 = arith.constant 24 : index
    %c2 = arith.constant 2 : index
    %own = arith.floordivsi %x, %c24 : index
    %of = arith.floordivsi %y, %c24 : index
    %last = arith.addi %of, %c2 : index
    %m = arith.cmpi sle, %of, %own : index
    %n = arith.cmpi sle, %own, %last : index
    %s = arith.andi %m, %n : i1
    flash.yield %s : i1
  })";
  // Heads of a group see different queries, some none.
  addMask("region-heads", "").region = R"(mask {
  ^bb0(%b: index, %h: index, %x: index, %y: index):
    %c40 = arith.constant 40 : index
    %later = arith.muli %h, %c40 : index
    %from = arith.addi %y, %later : index
    %m = arith.cmpi sge, %x, %from : index
    %n = arith.cmpi sle, %b, %h : index
    %s = arith.andi %m, %n : i1
    flash.yield %s : i1
  })";
  // One term is #flash.causal; the other stays a region.
  addMask("region-causal", "").region = R"(mask {
  ^bb0(%b: index, %h: index, %x: index, %y: index):
    %c3 = arith.constant 3 : index
    %c1 = arith.constant 1 : index
    %m = arith.cmpi sle, %y, %x : index
    %d = arith.subi %x, %y : index
    %r = arith.remsi %d, %c3 : index
    %n = arith.cmpi ne, %r, %c1 : index
    %s = arith.andi %m, %n : i1
    flash.yield %s : i1
  })";
  // A slope that depends on the score, on data and on positions.
  DType scoreType = type == DType::F64 ? type : DType::F32;
  Kernel &region =
      addMask("region-score", "#flash.window<left = 90, right = 20>", {});
  region.attributes += ", scores = [#flash.region]";
  region.extras = {slopes(scoreType)};
  region.operands = ofType("captures(%a : tensor<?xf32>)");
  region.scale = "-0.1";
  region.region = ofType(R"(score {
  ^bb0(%s: f32, %b: index, %h: index, %x: index, %y: index, %slopes: tensor<?xf32>):
    %slope = tensor.extract %slopes[%h] : tensor<?xf32>
    %d = arith.subi %x, %y : index
    %di = arith.index_cast %d : index to i32
    %df = arith.sitofp %di : i32 to f32
    %p = arith.mulf %slope, %df : f32
    %t = math.tanh %s : f32
    %u = arith.mulf %t, %s : f32
    %r = arith.subf %u, %p : f32
    flash.yield %r : f32
  })");
  // Smooth functions, whose slopes have rules.
  add("region-functions").region = ofType(R"(score {
  ^bb0(%s: f32, %b: index, %h: index, %x: index, %y: index):
    %half = arith.constant 0.5 : f32
    %abs = math.absf %s : f32
    %more = arith.addf %abs, %half : f32
    %log1p = math.log1p %abs : f32
    %erf = math.erf %s : f32
    %sin = math.sin %s : f32
    %rsqrt = math.rsqrt %more : f32
    %s0 = arith.addf %log1p, %erf : f32
    %s1 = arith.addf %s0, %sin : f32
    %s2 = arith.mulf %s1, %rsqrt : f32
    %s3 = arith.maximumf %s2, %s : f32
    flash.yield %s3 : f32
  })");
  // A slope that grows without bound, of scores that a mask hides among others.
  add("region-cube").region = ofType(R"(score {
  ^bb0(%s: f32, %b: index, %h: index, %x: index, %y: index):
    %t = arith.mulf %s, %s : f32
    %u = arith.mulf %t, %s : f32
    flash.yield %u : f32
  })");
  // A slope that is infinite, and a score that is, at 0: rows that pad a tile
  // have that score alone.
  for (const char *some : {"qkv", "v"}) {
    Kernel &kernel = add(std::string("region-power-") + some);
    kernel.gradients = some;
    kernel.region = ofType(R"(score {
  ^bb0(%s: f32, %b: index, %h: index, %x: index, %y: index):
    %one = arith.constant 1.0 : f32
    %zero = arith.constant 0.0 : f32
    %part = arith.constant 0.99 : f32
    %abs = math.absf %s : f32
    %power = math.powf %abs, %part : f32
    %infinite = arith.divf %one, %zero : f32
    %none = arith.cmpf oeq, %s, %zero : f32
    %r = arith.select %none, %infinite, %power : f32
    flash.yield %r : f32
  })");
  }
  // Even keys hidden by the score itself.
  add("region-hides").region = ofType(R"(score {
  ^bb0(%s: f32, %b: index, %h: index, %x: index, %y: index):
    %none = arith.constant 0xFF800000 : f32
    %c1 = arith.constant 1 : index
    %c0 = arith.constant 0 : index
    %low = arith.andi %y, %c1 : index
    %odd = arith.cmpi ne, %low, %c0 : index
    %r = arith.select %odd, %s, %none : f32
    flash.yield %r : f32
  })");
  if (type == DType::F64) // -inf of f64 is written otherwise
    kernels.pop_back();
}

void BackwardCases::others() {
  for (const char *scale : {"0.0", "-0.125"})
    add().scale = scale;
  for (Shape shape : {Shape{2, 113, 200}, {1, 128, 256}}) {
    Kernel &kernel = add();
    kernel.isStatic = true;
    kernel.shapes = {shape};
  }
  // The LSE of parts that were merged.
  add().splitKV = 3;
  if (rt::sizeOf(type) == 2)
    add().wideOutput = true;
}

std::vector<Kernel> matrix::makeBackwardKernels(DType type) {
  BackwardCases cases(type);
  cases.sizes();
  cases.gradients();
  cases.loops();
  cases.positions();
  cases.masks();
  cases.scores();
  cases.regions();
  cases.others();
  return std::move(cases.kernels);
}
