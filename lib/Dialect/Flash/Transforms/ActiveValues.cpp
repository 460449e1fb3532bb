//===- ActiveValues.cpp - What depends on what one differentiates by ------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One walk in the order of the ops; the body of a loop until nothing is new.
//
//===----------------------------------------------------------------------===//

#include "ActiveValues.h"
#include "DerivativeTerms.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace flash;

LogicalResult ActiveValues::check(Block &body) const {
  WalkResult walk = body.walk([&](Operation *op) {
    auto bits = dyn_cast<arith::BitcastOp>(op);
    if (bits && contains(bits.getIn())) {
      op->emitError()
          << "'arith.bitcast' makes bits of a score, which has no derivative: "
             "round it with 'arith.truncf' or the functions of math";
      return WalkResult::interrupt();
    }
    if (isa<tensor::FromElementsOp>(op) && containsResult(op)) {
      op->emitError()
          << "'tensor.from_elements' makes a table of scores, which "
             "has no derivative: choose one of them with "
             "'arith.select'";
      return WalkResult::interrupt();
    }
    // Nothing is followed into what is neither branch nor loop.
    if (op->getNumRegions() == 0 || isa<scf::IfOp, scf::ForOp>(op) ||
        !containsResult(op))
      return WalkResult::advance();
    (void)emitNoDerivative(op);
    return WalkResult::interrupt();
  });
  return failure(walk.wasInterrupted());
}

void ActiveValues::visit(Block &block) {
  for (Operation &op : block.without_terminator())
    visit(&op);
}

void ActiveValues::visit(Operation *op) {
  if (auto branch = dyn_cast<scf::IfOp>(op)) {
    for (Region *region : {&branch.getThenRegion(), &branch.getElseRegion()}) {
      if (region->empty())
        continue;
      visit(region->front());
      for (auto [yielded, result] :
           llvm::zip(region->front().getTerminator()->getOperands(),
                     branch.getResults()))
        follow(yielded, result);
    }
    return;
  }
  if (auto loop = dyn_cast<scf::ForOp>(op)) {
    for (auto [init, argument] :
         llvm::zip(loop.getInitArgs(), loop.getRegionIterArgs()))
      follow(init, argument);
    for (size_t before = 0; before != active.size();) {
      before = active.size();
      visit(*loop.getBody());
      for (auto [yielded, argument] :
           llvm::zip(loop.getYieldedValues(), loop.getRegionIterArgs()))
        follow(yielded, argument);
    }
    for (auto [argument, result] :
         llvm::zip(loop.getRegionIterArgs(), loop.getResults()))
      follow(argument, result);
    return;
  }
  if (isLocallyConstant(op))
    return;
  bool reads = elements && isa<tensor::ExtractOp>(op);
  // Of an op with regions that is not known, any value within counts.
  op->walk([&](Operation *inner) {
    reads |= llvm::any_of(inner->getOperands(),
                          [&](Value value) { return contains(value); });
  });
  for (Value result : op->getResults())
    if (reads && isa<FloatType>(getElementTypeOrSelf(result.getType())))
      active.insert(result);
}
