//===- ScoreMeaning.cpp - What score functions mean -------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   [#flash.alibi, #flash.bias]
//   ->  s - slope[h] * |query - key| + bias[b][h][i][j]
//
//===----------------------------------------------------------------------===//

#include "ScoreMeaning.h"

#include "llvm/Support/raw_ostream.h"

#include <cmath>

using namespace mlir;
using namespace flash;
using namespace flash::reference;
using rt::Status;

/// An element; dimensions of size 1 serve all indices.
static double read(const Tensor &tensor, ArrayRef<int64_t> indices) {
  int64_t flat = 0;
  for (auto [size, index] : llvm::zip(tensor.shape, indices))
    flat = flat * size + (size == 1 ? 0 : index);
  return tensor.array->at(flat);
}

Status reference::setScore(Options &options,
                           ArrayRef<ScoreAttrInterface> functions,
                           ArrayRef<Tensor> operands,
                           std::shared_ptr<const ScalarBody> body) {
  std::vector<Score> steps;
  for (ScoreAttrInterface function : functions) {
    if (isa<AlibiAttr>(function)) {
      Tensor slopes = operands.front();
      operands = operands.drop_front();
      steps.push_back([slopes](double score, const Element &e) {
        double slope = slopes.shape.size() == 1
                           ? read(slopes, {e.head})
                           : read(slopes, {e.batch, e.head});
        return score - slope * double(std::abs(e.query - e.key));
      });
    } else if (isa<BiasAttr>(function)) {
      Tensor bias = operands.front();
      operands = operands.drop_front();
      steps.push_back([bias](double score, const Element &e) {
        return score + read(bias, {e.batch, e.head, e.queryRow, e.keyRow});
      });
    } else if (auto softcap = dyn_cast<SoftcapAttr>(function)) {
      double cap = softcap.getCap().getValueAsDouble();
      steps.push_back([cap](double score, const Element &) {
        return cap * std::tanh(score / cap);
      });
    } else if (isa<RegionAttr>(function) && body) {
      steps.push_back([body](double score, const Element &e) {
        return body->score(score, e);
      });
    } else {
      std::string text;
      llvm::raw_string_ostream(text) << function;
      return Status::error("the reference does not know the score function " +
                           text);
    }
  }
  if (!steps.empty())
    options.score = [steps](double score, const Element &e) {
      for (const Score &step : steps)
        score = step(score, e);
      return score;
    };
  return Status::success();
}
