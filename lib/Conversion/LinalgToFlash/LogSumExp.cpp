//===- LogSumExp.cpp - LSE beside the output --------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Follows the sum of the exponentials to where it is m + log(sum(exp(s - m))),
// which flash.attention gives as its second result:
//
//   %l = sum of exp(s - m);   %log = math.log %l;   %lse = addf %m, %log
//
//===----------------------------------------------------------------------===//

#include "Output.h"
#include "RowTerms.h"

using namespace mlir;
using namespace flash::raise;

std::optional<Output> flash::raise::findLogSumExp(Match &match,
                                                  const Softmax &softmax) {
  constexpr size_t kMost = 32;
  Tracer &tracer = match.tracer;
  if (!softmax.sum || !softmax.sum->isElement() || softmax.factor != 1)
    return std::nullopt;
  std::vector<Output> reached{{softmax.sum->value, softmax.sum->at}};
  for (size_t i = 0; i < reached.size() && i < kMost; ++i) {
    for (OpOperand &use : reached[i].value.getUses()) {
      auto op = dyn_cast<linalg::LinalgOp>(use.getOwner());
      auto next =
          op ? stepElementwise(op, use, reached[i],
                               [](ArrayRef<AffineExpr>) { return true; })
             : stepReshape(tracer, use, reached[i]);
      if (!next)
        continue;
      next->path = reached[i].path;
      next->path.push_back(use.getOwner());
      Exponent exponent{softmax.scores, {}};
      addTerms(tracer, {next->value, next->at}, exponent.less);
      auto type = cast<RankedTensorType>(next->value.getType());
      if (findLogOfSum(tracer, exponent, softmax.row, softmax.rowSize) &&
          getAtoms(tracer.getDomain(), next->at, type))
        return next;
      reached.push_back(*next);
    }
  }
  return std::nullopt;
}
