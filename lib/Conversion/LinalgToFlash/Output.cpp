//===- Output.cpp - What becomes of the second contraction ------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The attention's output is what the second contraction's result becomes by
// transposes, reshapes and rounding, so that these are done once or not at all.
// An attention that normalises late divides here:
//
//   %o = linalg.batch_matmul ins(%e, %v);  %d = divf %o, %sum;  reshape %d
//
//===----------------------------------------------------------------------===//

#include "Output.h"
#include "RowTerms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace flash::raise;

namespace {
class OutputFollower {
public:
  OutputFollower(Match &match, Softmax &softmax, AffineExpr key, Type element)
      : match(match), softmax(softmax), key(key), element(element),
        divided(!softmax.unnormalized) {}

  /// One user on; nothing if the output ends here.
  std::optional<Output> step(const Output &output);
  bool isDivided() const { return divided; }

private:
  /// What the op yields is the scalar, the same rounded, or divided by the sum.
  bool isKept(linalg::LinalgOp op, Value arg, ArrayRef<AffineExpr> loops);

  Match &match;
  Softmax &softmax;
  AffineExpr key;
  Type element;
  bool divided;
};
} // namespace

bool OutputFollower::isKept(linalg::LinalgOp op, Value arg,
                            ArrayRef<AffineExpr> loops) {
  Value yielded = op.getBlock()->getTerminator()->getOperand(0);
  if (auto round = yielded.getDefiningOp<arith::TruncFOp>();
      round && round.getType() == element)
    yielded = round.getIn();
  if (yielded == arg)
    return true;
  if (divided)
    return false;
  Tracer &tracer = match.tracer;
  Indices at(loops);
  if (auto division = yielded.getDefiningOp<arith::DivFOp>();
      division && division.getLhs() == arg)
    return divided = succeeded(matchSum(match, {division.getRhs(), at},
                                        *softmax.unnormalized, key, softmax));
  auto product = yielded.getDefiningOp<arith::MulFOp>();
  for (unsigned i = 0; i < 2 && product; ++i) {
    Scalar reciprocal = tracer.traceCasts({product->getOperand(1 - i), at});
    if (product->getOperand(i) == arg && reciprocal.getOp<arith::DivFOp>() &&
        tracer.getNumber(tracer.operand(reciprocal, 0)) == 1.0)
      return divided = succeeded(matchSum(match, tracer.operand(reciprocal, 1),
                                          *softmax.unnormalized, key, softmax));
  }
  return false;
}

std::optional<Output> flash::raise::stepElementwise(
    linalg::LinalgOp op, OpOperand &use, const Output &output,
    llvm::function_ref<bool(ArrayRef<AffineExpr>)> isAllowed) {
  if (!op.hasPureTensorSemantics() || op->getNumResults() != 1 ||
      op.getNumLoops() != op.getNumParallelLoops() || !op.isDpsInput(&use))
    return std::nullopt;
  Indices loops(op.getNumLoops());
  for (auto [result, index] :
       llvm::zip(op.getMatchingIndexingMap(&use).getResults(), output.at)) {
    if (auto dim = dyn_cast<AffineDimExpr>(result))
      loops[dim.getPosition()] = index;
    else if (!isa<AffineConstantExpr>(result))
      return std::nullopt;
  }
  for (auto [loop, size] : llvm::zip(loops, op.getStaticLoopRanges())) {
    if (!loop && size != 1)
      return std::nullopt; // a broadcast
    if (!loop)
      loop = getAffineConstantExpr(0, op.getContext());
  }
  AffineMap map = op.getIndexingMapMatchingResult(op->getResult(0));
  if (!map.isProjectedPermutation(/*allowZeroInResults=*/true) ||
      !isAllowed(loops))
    return std::nullopt;
  Output next{op->getResult(0), {}};
  for (AffineExpr result : map.getResults())
    next.at.push_back(result.replaceDims(loops));
  return next;
}

std::optional<Output> flash::raise::stepReshape(Tracer &tracer, OpOperand &use,
                                                const Output &output) {
  Operation *user = use.getOwner();
  Domain &domain = tracer.getDomain();
  std::optional<Indices> at;
  if (auto op = dyn_cast<tensor::ExpandShapeOp>(user)) {
    at = expandIndices(domain, output.at, op.getReassociationIndices(),
                       op.getResultType());
  } else if (auto op = dyn_cast<tensor::CollapseShapeOp>(user)) {
    at = collapseIndices(domain, output.at, op.getReassociationIndices(),
                         op.getSrcType());
  } else if (auto op = dyn_cast<tensor::ReshapeOp>(user)) {
    Sizes &sizes = tracer.getSizes();
    auto type = dyn_cast<RankedTensorType>(op.getType());
    auto groups = type ? matchReshape(sizes.getShape(op.getSource()),
                                      sizes.getShape(op.getResult()))
                       : std::nullopt;
    if (groups)
      at = reshapeIndices(domain, output.at,
                          cast<RankedTensorType>(op.getSource().getType()),
                          type, *groups);
  }
  if (!at)
    return std::nullopt;
  return Output{user->getResult(0), *at};
}

std::optional<Output> OutputFollower::step(const Output &output) {
  OpOperand *only = nullptr;
  for (OpOperand &use : output.value.getUses()) {
    if (isa<tensor::DimOp>(use.getOwner()))
      continue;
    if (only)
      return std::nullopt;
    only = &use;
  }
  if (!only)
    return std::nullopt;
  auto op = dyn_cast<linalg::LinalgOp>(only->getOwner());
  if (!op)
    return stepReshape(match.tracer, *only, output);
  return stepElementwise(op, *only, output, [&](ArrayRef<AffineExpr> loops) {
    return isKept(op, op.getMatchingBlockArgument(only), loops);
  });
}

FailureOr<Output> flash::raise::followOutput(Match &match,
                                             const Contraction &product,
                                             Softmax &softmax, AffineExpr key,
                                             Type element) {
  linalg::LinalgOp op = product.op;
  Output output{op->getResult(0), {}};
  for (AffineExpr result :
       op.getIndexingMapMatchingResult(op->getResult(0)).getResults())
    output.at.push_back(result.replaceDims(product.loops));
  OutputFollower follower(match, softmax, key, element);
  SmallVector<Output> path{output};
  while (auto next = follower.step(path.back())) {
    path.push_back(*next);
  }
  if (!follower.isDivided())
    return match.miss(op.getLoc(), "the exponentials are not divided by their "
                                   "sum over the keys; divide them, or the "
                                   "output, by it");
  if (!isHiddenWhereZero(match.tracer, softmax))
    return match.miss(op.getLoc(), "exponentials are set to 0 that their sum "
                                   "over the keys has");
  // A reshape may have joined dimensions that an attention keeps apart from
  // others: the last place that is whole counts. Division has happened there,
  // because it follows the contraction before any reshape that is not.
  for (const Output &place : llvm::reverse(path)) {
    auto type = cast<RankedTensorType>(place.value.getType());
    if (!getAtoms(match.tracer.getDomain(), place.at, type))
      continue;
    Output last = place;
    for (const Output &step : path)
      last.path.push_back(step.value.getDefiningOp());
    return last;
  }
  return match.miss(op.getLoc(), "the second contraction does not write all of "
                                 "its destination; let it, and slice after");
}

LogicalResult flash::raise::checkOnlyUse(Match &match,
                                         const Contraction &scores,
                                         const Output &output,
                                         const std::optional<Output> &lse) {
  linalg::LinalgOp first = scores.op;
  SmallVector<Operation *> worklist{first};
  SmallPtrSet<Operation *, 16> done;
  while (!worklist.empty()) {
    Operation *op = worklist.pop_back_val();
    for (Operation *user : op->getUsers()) {
      // A value of a body belongs to its linalg op.
      if (auto around = user->getParentOfType<linalg::LinalgOp>())
        user = around;
      if (llvm::is_contained(output.path, user) || isa<tensor::DimOp>(user) ||
          (lse && llvm::is_contained(lse->path, user)) ||
          !done.insert(user).second || isOpTriviallyDead(user))
        continue;
      if (!match.tracer.visited.contains(user))
        return match.miss(user->getLoc(),
                          Twine("the scores or probabilities have another use, "
                                "which needs them in memory: '") +
                              user->getName().getStringRef() +
                              "'; leave it out, or compute them for it apart");
      worklist.push_back(user);
    }
  }
  return success();
}
