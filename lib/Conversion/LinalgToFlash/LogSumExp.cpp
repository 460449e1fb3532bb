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
// or the scores, where the program sums their exponentials once more for it.
//
//===----------------------------------------------------------------------===//

#include "Output.h"
#include "RowTerms.h"

using namespace mlir;
using namespace flash::raise;

/// Through a reduction over the keys, to its results.
static SmallVector<Output> stepReduction(linalg::LinalgOp op, OpOperand &use,
                                         const Output &output, AffineExpr key) {
  if (!op.hasPureTensorSemantics() || op.getNumReductionLoops() != 1 ||
      !op.isDpsInput(&use) || isContraction(op))
    return {};
  Indices loops(op.getNumLoops());
  for (auto [result, index] :
       llvm::zip(op.getMatchingIndexingMap(&use).getResults(), output.at)) {
    auto dim = dyn_cast<AffineDimExpr>(result);
    if (!dim)
      return {};
    loops[dim.getPosition()] = index;
  }
  for (auto [loop, kind] : llvm::zip(loops, op.getIteratorTypesArray()))
    if (!loop || (kind == utils::IteratorType::reduction && loop != key))
      return {};
  SmallVector<Output> next;
  for (OpResult result : op->getResults()) {
    Output reduced{result, {}};
    for (AffineExpr index :
         op.getIndexingMapMatchingResult(result).getResults())
      reduced.at.push_back(index.replaceDims(loops));
    next.push_back(reduced);
  }
  return next;
}

std::optional<Output> flash::raise::findLogSumExp(Match &match,
                                                  const Softmax &softmax,
                                                  const Contraction &product) {
  constexpr size_t kMost = 64;
  Tracer &tracer = match.tracer;
  if (softmax.factor != 1)
    return std::nullopt;
  // From the softmax's own sum; then from the scores, for programs that sum
  // once more.
  std::vector<Output> reached;
  if (softmax.sum && softmax.sum->isElement())
    reached.push_back({softmax.sum->value, softmax.sum->at});
  linalg::LinalgOp first = product.op;
  reached.push_back({first->getResult(0), product.at});
  auto isLogSumExp = [&](const Output &output) {
    Exponent exponent{softmax.scores, {}};
    addTerms(tracer, {output.value, output.at}, exponent.less);
    auto type = cast<RankedTensorType>(output.value.getType());
    if (!findLogOfSum(tracer, exponent, softmax.row, softmax.rowSize) ||
        !getAtoms(tracer.getDomain(), output.at, type))
      return false;
    for (const Scalar &term : exponent.less)
      readAll(tracer, term, softmax.row, softmax.rowSize);
    return true;
  };
  for (size_t i = 0; i < reached.size() && i < kMost; ++i) {
    const Output from = reached[i];
    for (OpOperand &use : from.value.getUses()) {
      auto op = dyn_cast<linalg::LinalgOp>(use.getOwner());
      SmallVector<Output> next;
      if (op && op.getNumReductionLoops() > 0)
        next = stepReduction(op, use, from, softmax.row);
      else if (auto one = op ? stepElementwise(
                                   op, use, from,
                                   [](ArrayRef<AffineExpr>) { return true; })
                             : stepReshape(tracer, use, from))
        next.push_back(*one);
      for (Output &output : next) {
        if (llvm::any_of(reached, [&](const Output &other) {
              return other.value == output.value;
            }))
          continue;
        output.path = from.path;
        output.path.push_back(use.getOwner());
        if (isa<FloatType>(getElementTypeOrSelf(output.value.getType())) &&
            !dependsOn(output.at, softmax.row) && isLogSumExp(output))
          return output;
        reached.push_back(output);
      }
    }
  }
  return std::nullopt;
}
