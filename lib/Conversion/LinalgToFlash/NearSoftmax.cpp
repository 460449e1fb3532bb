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
#include "mlir/Interfaces/CallInterfaces.h"
#include "llvm/Support/SaveAndRestore.h"

using namespace mlir;
using namespace flash::raise;

namespace {
/// What of a softmax was seen.
struct Parts {
  bool exponentials = false, sums = false;

  void note(Operation *op);
  bool areAll() const { return exponentials && sums; }
};
} // namespace

/// Notes what is in the op.
void Parts::note(Operation *op) {
  op->walk([&](Operation *inner) {
    auto around = inner->getParentOfType<linalg::LinalgOp>();
    if (isa<linalg::SoftmaxOp>(inner))
      exponentials = sums = true;
    exponentials |= around && isa<math::ExpOp, math::Exp2Op>(inner);
    sums |= around && around.getNumReductionLoops() > 0 &&
            isa<arith::AddFOp>(inner);
  });
}

static bool holdsContraction(Operation *op) {
  return op
      ->walk([](linalg::LinalgOp inner) {
        return isContraction(inner) ? WalkResult::interrupt()
                                    : WalkResult::advance();
      })
      .wasInterrupted();
}

/// Whether there are exponentials and their sums, or linalg.softmax, among the
/// few ops before `op`, with no contraction on the way. What is called counts.
static bool followsSoftmax(Operation *op) {
  constexpr size_t kMost = 32;
  SetVector<Operation *> ops;
  ops.insert(op);
  Parts parts;
  for (size_t i = 0; i < ops.size() && i < kMost && !parts.areAll(); ++i) {
    auto call = dyn_cast<CallOpInterface>(ops[i]);
    Operation *callee = call ? call.resolveCallable() : nullptr;
    if (holdsContraction(callee ? callee : ops[i]))
      continue;
    parts.note(callee ? callee : ops[i]);
    for (Value operand : ops[i]->getOperands())
      if (Operation *before = operand.getDefiningOp())
        ops.insert(before);
  }
  return parts.areAll();
}

void flash::raise::explainChangedSoftmax(Match &match,
                                         const Contraction &contraction) {
  llvm::SaveAndRestore<bool> whole(match.tracer.seesSlices, false);
  for (const Scalar &factor : {contraction.lhs, contraction.rhs}) {
    Scalar end = match.tracer.traceCasts(factor);
    Operation *by = end.getDefiningOp();
    if (!by)
      continue;
    Operation *around = by->getParentOfType<linalg::LinalgOp>();
    if (!followsSoftmax(end.isElement() || !around ? by : around))
      continue;
    if (isa<CallOpInterface>(by))
      (void)match.miss(by->getLoc(), "the probabilities are the result of a "
                                     "call; calls have to be inlined before");
    else
      (void)match.miss(by->getLoc(), "the probabilities go through '" +
                                         by->getName().getStringRef() +
                                         "' before the second contraction");
  }
}

void flash::raise::explainSumOverMore(Match &match, linalg::LinalgOp op) {
  for (OpOperand *input : op.getDpsInputOperands())
    if (Operation *by = input->get().getDefiningOp(); by && followsSoftmax(by))
      (void)match.miss(op.getLoc(), "the keys are several dimensions");
}

void flash::raise::explainAccumulation(Match &match, linalg::LinalgOp op) {
  for (OpOperand *input : op.getDpsInputOperands())
    if (Operation *by = input->get().getDefiningOp(); by && followsSoftmax(by))
      (void)match.miss(op.getLoc(), "the second contraction adds to what its "
                                    "destination holds");
}
