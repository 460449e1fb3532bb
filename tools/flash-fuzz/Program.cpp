//===- Program.cpp - The kernel of a draw ---------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Text of score functions and of what belongs to heads, the kernel, and
// operands for them.
//
//===----------------------------------------------------------------------===//

#include "ProgramBuilder.h"

#include <limits>

using namespace flash;
using namespace flash::fuzz;
using matrix::Extra;
using matrix::Kernel;
using matrix::Shape;
using rt::Array;
using rt::DType;

Extra ProgramBuilder::operand(const std::string &prefix, DType element,
                              Sizes sizes, Fill fill, int64_t ones) {
  auto shape = [sizes, ones](const Shape &s) {
    Dims dims = sizes(s);
    for (size_t i = 0; i < dims.size(); ++i)
      if (ones >> i & 1)
        dims[i] = 1;
    return dims;
  };
  std::string type = "tensor<";
  Dims first = shape(draw.shapes[0]);
  for (size_t i = 0; i < first.size(); ++i)
    type +=
        (draw.isStatic || (ones >> i & 1) ? std::to_string(first[i]) : "?") +
        std::string("x");
  type += rt::nameOf(element) + std::string(">");
  // The data of an operand does not depend on what else there is.
  uint64_t salt = draw.seed + uint64_t(numOperands);
  Extra extra{
      prefix + std::to_string(numOperands++), type, element,
      [shape](const Kernel &, const Shape &s) { return shape(s); },
      [fill, salt](const Kernel &, const Shape &s, uint64_t, Array &array) {
        Random random(salt);
        fill(s, random, array);
      }};
  kernel.extras.push_back(extra);
  return extra;
}

Extra ProgramBuilder::integers(
    const std::string &prefix, Sizes sizes,
    std::function<std::pair<int64_t, int64_t>(const Shape &)> range) {
  return operand(prefix, DType::I32, std::move(sizes),
                 [range](const Shape &s, Random &random, Array &array) {
                   auto [low, high] = range(s);
                   for (int64_t i = 0; i < array.numElements(); ++i)
                     array.set(i, double(random.between(low, high)));
                 });
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

std::string ProgramBuilder::print(const Score &score) {
  int64_t sequences = draw.sequences;
  auto uniform = [infinities = score.infinities](double low, double high) {
    return [=](const Shape &, Random &random, Array &array) {
      for (int64_t i = 0; i < array.numElements(); ++i)
        array.set(i, infinities && random.chance(0.2)
                         ? -std::numeric_limits<double>::infinity()
                         : low + (high - low) *
                                     double(random.between(0, 1 << 20)) /
                                     (1 << 20));
    };
  };
  switch (score.kind) {
  case Score::Alibi:
    // Such that distances stay within what a score can hold.
    scoreOperands.push_back(operand(
        "slopes", score.type,
        [=, heads = heads()](const Shape &s) {
          return score.a ? Dims{batches(sequences, s), heads} : Dims{heads};
        },
        uniform(0, draw.offsets ? 0.01 : 0.1)));
    return "#flash.alibi";
  case Score::Bias:
    scoreOperands.push_back(operand(
        "bias", score.type,
        [heads = heads(), page = draw.pageSize](const Shape &s) {
          return Dims{s.batch, heads, s.sq, keys(page, s)};
        },
        uniform(-2, 2), score.a));
    return "#flash.bias";
  case Score::Softcap:
    return "#flash.softcap<" + std::to_string(score.a) + ".0 : f32>";
  case Score::Region:
    return "#flash.region";
  }
  return "";
}

//===----------------------------------------------------------------------===//
// Numbers of heads
//===----------------------------------------------------------------------===//

/// `keyword(%operand : type) `, an operand with a number for each head.
std::string ProgramBuilder::headNumbers(const char *keyword, int64_t count,
                                        double (*number)(Random &)) {
  Extra extra = operand(
      keyword, DType::F32, [count](const Shape &) { return Dims{count}; },
      [number](const Shape &, Random &random, Array &array) {
        for (int64_t i = 0; i < array.numElements(); ++i)
          array.set(i, number(random));
      });
  return matrix::listOperands(keyword, {extra});
}

/// Factors that make numbers of about one of what has 8 bits.
std::string ProgramBuilder::narrowFactors() {
  auto factors = [&](const char *keyword, std::optional<DType> type) {
    if (!type)
      return std::string();
    double (*factor)(Random &) = [](Random &random) {
      return double(random.between(128, 384)) / 256;
    };
    if (*type == DType::I8)
      factor = [](Random &random) {
        return double(random.between(20, 30)) / 1024;
      };
    return headNumbers(keyword, draw.kvHeads, factor);
  };
  std::string ofKeys = factors("key_scale", draw.keyType);
  return ofKeys + factors("value_scale", draw.valueType);
}

/// From far below to far above all scores; -inf is none.
std::string ProgramBuilder::sinks() {
  if (!draw.sinks)
    return "";
  return headNumbers("sinks", heads(), [](Random &random) {
    return random.of(
        {-std::numeric_limits<double>::infinity(), -30.0, 0.0, 1.5, 60.0});
  });
}

/// Seed and offset are constants, of all 64 bits.
std::string ProgramBuilder::dropout() {
  if (draw.dropout.empty())
    return "";
  Random random(draw.seed * 3);
  for (const char *name : {"seed", "offset"})
    kernel.prelude += std::string("  %") + name + " = arith.constant " +
                      std::to_string(int64_t(random.next())) + " : i64\n";
  return "dropout(%seed, %offset) ";
}

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

Kernel ProgramBuilder::build() {
  kernel.type = draw.type;
  kernel.keyType = draw.keyType;
  kernel.valueType = draw.valueType;
  kernel.bshd = draw.bshd;
  kernel.lse = draw.lse;
  kernel.wideOutput = draw.wideOutput;
  kernel.isStatic = draw.isStatic;
  kernel.dynamicHeads = draw.dynamicHeads;
  kernel.offsets = draw.offsets;
  kernel.dqk = draw.dqk;
  kernel.dv = draw.dv;
  kernel.heads = heads();
  kernel.kvHeads = draw.kvHeads;
  kernel.scale = draw.scale;
  kernel.splitKV = draw.splitKV;
  kernel.pageSize = draw.pageSize;
  kernel.gradients = draw.gradients;
  kernel.recompute = draw.recompute;
  kernel.backwardSchedule = draw.backwardSchedule;
  kernel.shapes = draw.shapes;
  for (Shape &shape : kernel.shapes)
    std::tie(shape.heads, shape.kvHeads) = std::pair(heads(), draw.kvHeads);

  kernel.operands = sequences() + narrowFactors();
  std::string &attributes = kernel.attributes;
  auto attribute = [&](const std::string &text) {
    attributes += (attributes.empty() ? "" : ", ") + text;
  };
  if (!draw.mask.empty()) {
    std::string mask = print(draw.mask[0]);
    if (mask != "#flash.region" || !draw.bareRegions)
      attribute("mask = " + mask);
  }
  std::string scores;
  for (const Score &score : draw.scores)
    scores += (scores.empty() ? "" : ", ") + print(score);
  if (!scores.empty() && (scores != "#flash.region" || !draw.bareRegions))
    attribute("scores = [" + scores + "]");
  if (!draw.dropout.empty())
    attribute("dropout_p = " + draw.dropout + " : f32");
  std::string schedule;
  auto field = [&](llvm::StringRef name, int64_t value) {
    schedule += (schedule.empty() ? "" : ", ") + name.str() + " = " +
                std::to_string(value);
  };
  if (draw.m) {
    field("m", draw.m);
    field("n", draw.n);
    if (draw.reverseKeys)
      schedule += ", reverseKeys = true";
  }
  if (draw.packHeads)
    field("packHeads", draw.packHeads);
  if (!schedule.empty())
    attribute("schedule = #flash.schedule<" + schedule + ">");
  std::vector<Extra> captures = makeCaptures(draw);
  for (const Extra &capture : captures)
    kernel.extras.push_back(capture);
  kernel.operands += matrix::listOperands("mask_operands", maskOperands) +
                     matrix::listOperands("score_operands", scoreOperands) +
                     sinks() + dropout() +
                     matrix::listOperands("captures", captures);
  if (!draw.scoreRegion.empty())
    kernel.region += printRegion(draw, /*ofScore=*/true) + " ";
  if (!draw.maskRegion.empty())
    kernel.region += printRegion(draw, /*ofScore=*/false);
  if (draw.ofExtras)
    for (const Extra &extra : kernel.extras)
      if (rt::isFloat(extra.element))
        kernel.gradientsOfExtras.push_back(extra.name);
  return std::move(kernel);
}

Kernel fuzz::makeKernel(const Draw &draw) {
  return ProgramBuilder(draw).build();
}
