//===- BackwardFeatureCases.cpp - Gradients of other cases' kernels -------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the forward is checked with, with gradients: lists of blocks, ragged
// sequences, lengths, dropout, and operands of floats, which have gradients of
// their own. What is not seen stays spoilt. The loops take turns, and calls are
// those of a few thousand scores a head.
//
//===----------------------------------------------------------------------===//

#include "Extras.h"

using namespace flash;
using namespace flash::matrix;
using rt::DType;

static std::vector<std::string> floatExtras(const Kernel &kernel) {
  std::vector<std::string> names;
  for (const Extra &extra : kernel.extras)
    if (rt::isFloat(extra.element))
      names.push_back(extra.name);
  return names;
}

/// Shapes that do not take long, one of each kind of length.
static std::vector<Shape> shortShapes(const std::vector<Shape> &shapes) {
  std::vector<Shape> some;
  for (const Shape &shape : shapes)
    if (shape.batch * shape.sq * shape.sk <= 160000)
      some.push_back(shape);
  return some;
}

/// Two captured tensors: one read at a distance, with an index that not all
/// scores have; one inside of a branch, and before a function of both.
static Kernel capturesKernel(DType type, int turn) {
  DType scoreType = type == DType::F64 ? type : DType::F32;
  Kernel kernel;
  kernel.type = type;
  kernel.bshd = turn & 1;
  kernel.dqk = kernel.dv = 32;
  kernel.feature = "captures";
  kernel.extras = {
      floats("a", std::string("tensor<?x?x") + rt::nameOf(scoreType) + ">",
             scoreType, -1, 1,
             [](const Kernel &k, const Shape &s) {
               return Dims{s.sq + s.sk + 1, k.heads};
             }),
      floats("c", std::string("tensor<?x") + rt::nameOf(scoreType) + ">",
             scoreType, 0.5, 1.5,
             [](const Kernel &, const Shape &s) { return Dims{s.sk}; })};
  kernel.operands = listOperands("captures", kernel.extras);
  kernel.attributes = "mask = #flash.causal, scores = [#flash.region, "
                      "#flash.softcap<4.0>]";
  kernel.region = R"(score {
  ^bb0(%s: f32, %b: index, %h: index, %x: index, %y: index, %table: tensor<?x?xf32>, %columns: tensor<?xf32>):
    %c0 = arith.constant 0 : index
    %c3 = arith.constant 3 : index
    %d = arith.subi %x, %y : index
    %far = arith.maxsi %d, %c0 : index
    %near = arith.cmpi slt, %far, %c3 : index
    %t = scf.if %near -> (f32) {
      %e = tensor.extract %table[%far, %h] : tensor<?x?xf32>
      %n = math.sin %e : f32
      scf.yield %n : f32
    } else {
      %e = tensor.extract %table[%c3, %c0] : tensor<?x?xf32>
      scf.yield %e : f32
    }
    %column = tensor.extract %columns[%y] : tensor<?xf32>
    %m = arith.mulf %s, %column : f32
    %r = arith.addf %m, %t : f32
    flash.yield %r : f32
  })";
  for (size_t at = 0;
       type == DType::F64 &&
       (at = kernel.region.find("f32", at)) != std::string::npos;)
    kernel.region.replace(at, 3, "f64");
  kernel.shapes = {{1, 1, 3}, {2, 63, 113}, {1, 113, 130}, {1, 130, 130}};
  return kernel;
}

std::vector<Kernel> matrix::makeBackwardFeatureKernels(DType type) {
  static const char *loops[] = {"", "outer = both", "outer = each"};
  std::vector<Kernel> kernels;
  auto take = [&](std::vector<Kernel> forwards) {
    for (Kernel &kernel : forwards) {
      // Scores that are too large, or have an infinite slope, to be compared.
      if (kernel.keyType || kernel.valueType || kernel.splitKV ||
          std::max(kernel.dqk, kernel.dv) > 128 ||
          kernel.feature == "score-bias-large" ||
          kernel.feature == "score-functions" ||
          kernel.feature == "score-alibi-grows")
        continue;
      kernel.shapes = shortShapes(kernel.shapes);
      kernel.feature += "-backward";
      kernel.recompute = loops[kernels.size() % 3];
      kernel.gradients = "qkv";
      kernel.gradientsOfExtras = floatExtras(kernel);
      kernels.push_back(kernel);
      if (kernel.gradientsOfExtras.empty())
        continue;
      // On a GPU these have no gradient, and are still read.
      kernel.gradientsOfExtras.clear();
      kernel.onlyGPU = true;
      kernels.push_back(std::move(kernel));
    }
  };
  take(makeScoreKernels(type));
  take(makeSequenceKernels(type));
  take(makeBlockSparseKernels(type));
  take({capturesKernel(type, int(type))});
  // Alone, nothing else is computed.
  kernels.push_back(capturesKernel(type, int(type) + 1));
  kernels.back().feature += "-alone-backward";
  kernels.back().gradientsOfExtras = {"c"};
  return kernels;
}
