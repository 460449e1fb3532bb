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

Status reference::setScoreWithSlope(Options &options,
                                    ArrayRef<ScoreAttrInterface> functions,
                                    ArrayRef<Tensor> operands,
                                    std::shared_ptr<const ScalarBody> body,
                                    Arithmetic arithmetic) {
  std::vector<ScoreWithSlope> steps;
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
