//===- NearSoftmax.cpp - What keeps a softmax from being one --------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A contraction of something that was a softmax a few operations ago looks like
// attention to a reader. These say what stands between, or behind.
//
//===----------------------------------------------------------------------===//

#include "Matchers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace flash::raise;

/// Whether `op` holds an operation of these types.
template <typename... OpTys> static bool holds(Operation *op) {
  bool found = false;
  op->walk([&](Operation *inner) { found |= isa<OpTys...>(inner); });
  return found;
}

/// Whether there are exponentials and their sums, or linalg.softmax, among the
/// few ops before `op`, with no contraction on the way.
static bool followsSoftmax(Operation *op) {
  constexpr size_t kMost = 32;
  SetVector<Operation *> ops;
  ops.insert(op);
  bool exponentials = false, sums = false;
  for (size_t i = 0; i < ops.size() && i < kMost; ++i) {
    auto linalgOp = dyn_cast<linalg::LinalgOp>(ops[i]);
    if (linalgOp && isContraction(linalgOp))
      continue;
    if (isa<linalg::SoftmaxOp>(ops[i]))
      return true;
    exponentials |= linalgOp && holds<math::ExpOp, math::Exp2Op>(ops[i]);
    sums |= linalgOp && linalgOp.getNumReductionLoops() > 0 &&
            holds<arith::AddFOp>(ops[i]);
    for (Value operand : ops[i]->getOperands())
      if (Operation *before = operand.getDefiningOp())
        ops.insert(before);
  }
  return exponentials && sums;
}

void flash::raise::explainChangedSoftmax(Match &match,
                                         const Contraction &contraction) {
  for (const Scalar &factor : {contraction.lhs, contraction.rhs}) {
    Scalar end = match.tracer.traceCasts(factor);
    Operation *by = end.getDefiningOp();
    if (!by)
      continue;
    Operation *around = by->getParentOfType<linalg::LinalgOp>();
    if (followsSoftmax(end.isElement() || !around ? by : around))
      (void)match.miss(by->getLoc(), "the probabilities go through '" +
                                         by->getName().getStringRef() +
                                         "' before the second contraction");
  }
}

void flash::raise::explainAccumulation(Match &match, linalg::LinalgOp op) {
  if (!isContraction(op))
    return;
  for (OpOperand *input : op.getDpsInputOperands())
    if (Operation *by = input->get().getDefiningOp(); by && followsSoftmax(by))
      (void)match.miss(op.getLoc(), "the second contraction adds to what its "
                                    "destination holds");
}
