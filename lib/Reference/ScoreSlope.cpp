//===- ScoreSlope.cpp - Slopes of score functions -------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is added to a score has slope 1; softcap's is 1 - tanh^2; a region's
// comes out of its dual numbers. The slope of several is the product.
//
//===----------------------------------------------------------------------===//

#include "ScoreMeaning.h"

#include <cmath>

using namespace mlir;
using namespace flash;
using namespace flash::reference;
using rt::Status;

/// A score as the arithmetic keeps it.
static double keep(Arithmetic arithmetic, double x) {
  return arithmetic == Arithmetic::Unfused ? static_cast<float>(x) : x;
}

static Status collectSteps(std::vector<ScoreWithSlope> &steps,
                           ArrayRef<ScoreAttrInterface> functions,
                           ArrayRef<Tensor> operands,
                           std::shared_ptr<const ScalarBody> body,
                           Arithmetic arithmetic);

Status reference::setScoreWithSlope(Options &options,
                                    ArrayRef<ScoreAttrInterface> functions,
                                    ArrayRef<Tensor> operands,
                                    std::shared_ptr<const ScalarBody> body,
                                    Arithmetic arithmetic) {
  std::vector<ScoreWithSlope> steps;
  Status status = collectSteps(steps, functions, operands, body, arithmetic);
  if (status.failed())
    return status;
  if (!steps.empty())
    options.scoreWithSlope = [steps, arithmetic](double score,
                                                 const Element &e) {
      double slope = 1;
      for (const ScoreWithSlope &step : steps) {
        auto [next, factor] = step(score, e);
        score = next;
        slope = slope == 0 ? 0 : keep(arithmetic, slope * factor);
      }
      return std::pair(score, slope);
    };
  return Status::success();
}

/// A step for each score function.
static Status collectSteps(std::vector<ScoreWithSlope> &steps,
                           ArrayRef<ScoreAttrInterface> functions,
                           ArrayRef<Tensor> operands,
                           std::shared_ptr<const ScalarBody> body,
                           Arithmetic arithmetic) {
  for (ScoreAttrInterface function : functions) {
    if (isa<RegionAttr>(function)) {
      if (!body)
        return Status::error("#flash.region without a score region");
      steps.push_back([body](double score, const Element &e) {
        return body->scoreWithSlope(score, e);
      });
      continue;
    }
    size_t count = function.getNumScoreOperands();
    Options one;
    Status status =
        setScore(one, function, operands.take_front(count), /*body=*/nullptr);
    if (status.failed())
      return status;
    operands = operands.drop_front(count);
    double cap = 0;
    if (auto softcap = dyn_cast<SoftcapAttr>(function))
      cap = softcap.getCap().getValueAsDouble();
    else if (!isa<AlibiAttr, BiasAttr>(function))
      return Status::error("the reference does not know a score's slope");
    steps.push_back(
        [score = one.score, cap, arithmetic](double x, const Element &e) {
          double slope = 1;
          if (cap) {
            double t = keep(arithmetic, std::tanh(x / cap));
            slope = 1 - t * t;
          }
          return std::pair(score(x, e), keep(arithmetic, slope));
        });
  }
  return Status::success();
}

//===----------------------------------------------------------------------===//
// What scores read
//===----------------------------------------------------------------------===//

/// Where an element lies; dimensions of size 1 serve all indices.
static int64_t flatIndex(ArrayRef<int64_t> shape, ArrayRef<int64_t> indices) {
  int64_t flat = 0;
  for (auto [size, index] : llvm::zip(shape, indices))
    flat = flat * size + (size == 1 ? 0 : index);
  return flat;
}

Status reference::setReadSlopes(Options &options,
                                ArrayRef<ScoreAttrInterface> functions,
                                ArrayRef<Tensor> operands,
                                ArrayRef<RuntimeValue> captures,
                                ArrayRef<int64_t> numbers,
                                std::shared_ptr<const ScalarBody> body,
                                Arithmetic arithmetic) {
  std::vector<ScoreWithSlope> steps;
  Status status = collectSteps(steps, functions, operands, body, arithmetic);
  if (status.failed())
    return status;
  // What each function reads, by the numbers of all operands and captures.
  auto firstCapture = int64_t(operands.size());
  std::vector<ReadSlopes> reads;
  int64_t operand = 0;
  for (ScoreAttrInterface function : functions) {
    ReadSlopes read = [](double, const Element &) {
      return std::vector<ReadSlope>();
    };
    int64_t number = operand;
    operand += function.getNumScoreOperands();
    if (isa<AlibiAttr>(function)) {
      std::vector<int64_t> shape = operands[number].shape;
      read = [=](double, const Element &e) {
        SmallVector<int64_t> at{e.batch, e.head};
        return std::vector<ReadSlope>{
            {number, flatIndex(shape, ArrayRef(at).take_back(shape.size())),
             -double(std::abs(e.query - e.key))}};
      };
    } else if (isa<BiasAttr>(function)) {
      std::vector<int64_t> shape = operands[number].shape;
      read = [=](double, const Element &e) {
        return std::vector<ReadSlope>{
            {number, flatIndex(shape, {e.batch, e.head, e.queryRow, e.keyRow}),
             1}};
      };
    } else if (isa<RegionAttr>(function)) {
      read = [=](double score, const Element &e) {
        std::vector<ReadSlope> all = body->readSlopes(score, e);
        for (ReadSlope &one : all)
          one.tensor += firstCapture;
        return all;
      };
    }
    reads.push_back(read);
  }
  for (int64_t number : numbers) {
    const Tensor &tensor =
        number < firstCapture
            ? operands[number]
            : std::get<Tensor>(captures[number - firstCapture]);
    options.readSizes.push_back(tensor.array->numElements());
  }
  // A tensor that stands twice has the sum with the first of its numbers.
  std::vector<int64_t> places(firstCapture + captures.size(), -1);
  for (auto [place, number] : llvm::enumerate(numbers))
    places[number] = place;
  options.readSlopes = [=](double score, const Element &e) {
    std::vector<ReadSlope> all;
    for (auto [step, read] : llvm::zip(steps, reads)) {
      std::vector<ReadSlope> own = read(score, e);
      auto [next, slope] = step(score, e);
      for (ReadSlope &before : all)
        before.slope = before.slope == 0 ? 0 : before.slope * slope;
      for (const ReadSlope &one : own)
        if (places[one.tensor] >= 0)
          all.push_back({places[one.tensor], one.element, one.slope});
      score = next;
    }
    return all;
  };
  return Status::success();
}
