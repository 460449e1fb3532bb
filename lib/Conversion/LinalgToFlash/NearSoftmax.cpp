//===- NearSoftmax.cpp - What keeps a softmax from being one --------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A contraction of something that was a softmax a few operations ago looks like
// attention to a reader. These say what stands between, or after.
//
//===----------------------------------------------------------------------===//

#include "Matchers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Interfaces/CallInterfaces.h"
#include "llvm/Support/SaveAndRestore.h"

using namespace mlir;
using namespace flash::raise;

static bool holdsContraction(Operation *op) {
  return op
      ->walk([](linalg::LinalgOp inner) {
        return isContraction(inner) ? WalkResult::interrupt()
                                    : WalkResult::advance();
      })
      .wasInterrupted();
}

/// The few ops before `op` and itself, with no contraction and no attention
/// among them. What is called counts as called.
static SetVector<Operation *> collectBefore(Operation *op) {
  constexpr size_t kMost = 32;
  SetVector<Operation *> ops, taken;
  ops.insert(op);
  for (size_t i = 0; i < ops.size() && i < kMost; ++i) {
    auto call = dyn_cast<CallOpInterface>(ops[i]);
    Operation *callee = call ? call.resolveCallable() : nullptr;
    if (isa<flash::AttentionOp>(ops[i]) ||
        holdsContraction(callee ? callee : ops[i]))
      continue;
    taken.insert(callee ? callee : ops[i]);
    for (Value operand : ops[i]->getOperands())
      if (Operation *before = operand.getDefiningOp())
        ops.insert(before);
  }
  return taken;
}

static bool holdsExponential(Operation *op) {
  return op
      ->walk([](Operation *inner) {
        return isa<math::ExpOp, math::Exp2Op>(inner) &&
                       inner->getParentOfType<linalg::LinalgOp>()
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

/// Whether `op` sums, or holds an op that does.
static bool holdsSum(Operation *op) {
  return op
      ->walk([](arith::AddFOp sum) {
        auto around = sum->getParentOfType<linalg::LinalgOp>();
        return around && around.getNumReductionLoops() > 0
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

/// Whether there are sums of exponentials, or linalg.softmax, before `op`.
static bool followsSoftmax(Operation *op) {
  return llvm::any_of(collectBefore(op), [](Operation *before) {
    return before
               ->walk([](linalg::SoftmaxOp) { return WalkResult::interrupt(); })
               .wasInterrupted() ||
           (holdsSum(before) &&
            llvm::any_of(collectBefore(before), holdsExponential));
  });
}

/// What does the same and keeps the probabilities as they are.
static StringRef getRemedy(Operation *op) {
  if (isa<arith::MulFOp, arith::DivFOp>(op))
    return "a factor that is the same for all keys may stand at the output";
  if (isa<arith::AddFOp, arith::SubFOp>(op))
    return "contract each part with the values, and combine the outputs";
  if (isa<tensor::ExtractSliceOp>(op))
    return "hide the keys that are cut off by a mask, or slice before the "
           "softmax";
  return "do it to the scores, to the values or to the output";
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
                                         "' before the second contraction; " +
                                         getRemedy(by));
  }
}

void flash::raise::explainSumOverMore(Match &match, linalg::LinalgOp op) {
  for (OpOperand *input : op.getDpsInputOperands())
    if (Operation *by = input->get().getDefiningOp(); by && followsSoftmax(by))
      (void)match.miss(op.getLoc(),
                       "the keys are several dimensions; join them by "
                       "a reshape before");
}

void flash::raise::explainAccumulation(Match &match, linalg::LinalgOp op) {
  for (OpOperand *input : op.getDpsInputOperands())
    if (Operation *by = input->get().getDefiningOp(); by && followsSoftmax(by))
      (void)match.miss(op.getLoc(), "the second contraction adds to what its "
                                    "destination holds; let it begin at zero, "
                                    "and add after");
}
