//===- InterpretControl.cpp - Loops and branches around attentions --------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A loop of layers or of steps, a branch that leaves something out. A run on
// shapes takes a loop whose condition it cannot know as one that has ended: the
// sizes of what it carries do not change.
//
//===----------------------------------------------------------------------===//

#include "InterpreterImpl.h"
#include "ScalarBody.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"

using namespace mlir;
using namespace flash;
using namespace flash::reference;
using rt::Status;

/// More is taken for a loop without end.
static constexpr int64_t kMostTurns = int64_t(1) << 24;

Status Interpreter::visitBlock(Block &block) {
  for (Operation &op : block.without_terminator())
    if (Status status = visit(&op); status.failed())
      return status;
  return Status::success();
}

std::vector<RuntimeValue> Interpreter::take(ValueRange from) {
  std::vector<RuntimeValue> taken;
  for (Value value : from)
    taken.push_back(values[value]);
  return taken;
}

void Interpreter::give(ValueRange to, const std::vector<RuntimeValue> &taken) {
  for (auto [value, what] : llvm::zip(to, taken))
    values[value] = what;
}

Status Interpreter::visitRange(LoopLikeOpInterface op, int64_t begin,
                               int64_t end, int64_t step) {
  if (step <= 0)
    return errorAt(op, "has a step of " + std::to_string(step));
  std::vector<RuntimeValue> carried = take(op.getInits());
  Block &body = op.getLoopRegions().front()->front();
  for (int64_t i = begin; i < end; i += step) {
    values[*op.getSingleInductionVar()] = i;
    give(op.getRegionIterArgs(), carried);
    if (Status status = visitBlock(body); status.failed())
      return status;
    carried = take(op.getYieldedValues());
  }
  give(*op.getLoopResults(), carried);
  return Status::success();
}

Status Interpreter::visit(scf::ForOp op) {
  return visitRange(op, integer(op.getLowerBound()),
                    integer(op.getUpperBound()), integer(op.getStep()));
}

Status Interpreter::visit(affine::AffineForOp op) {
  auto bound = [&](AffineMap map, ValueRange operands, bool largest) {
    Builder builder(op.getContext());
    SmallVector<Attribute> known, results;
    for (Value operand : operands)
      known.push_back(builder.getIndexAttr(integer(operand)));
    if (failed(map.constantFold(known, results)))
      return int64_t(0);
    auto numbers = llvm::map_to_vector(results, [](Attribute number) {
      return cast<IntegerAttr>(number).getInt();
    });
    return largest ? *llvm::max_element(numbers) : *llvm::min_element(numbers);
  };
  return visitRange(op,
                    bound(op.getLowerBoundMap(), op.getLowerBoundOperands(),
                          /*largest=*/true),
                    bound(op.getUpperBoundMap(), op.getUpperBoundOperands(),
                          /*largest=*/false),
                    op.getStepAsInt());
}

Status Interpreter::visit(scf::WhileOp op) {
  std::vector<RuntimeValue> carried = take(op.getInits());
  for (int64_t n = 0;; ++n) {
    give(op.getBeforeArguments(), carried);
    if (Status status = visitBlock(*op.getBeforeBody()); status.failed())
      return status;
    scf::ConditionOp condition = op.getConditionOp();
    carried = take(condition.getArgs());
    if (!integer(condition.getCondition()) || (!arithmetic && guessed))
      break;
    if (n == kMostTurns)
      return errorAt(op, "has not ended after " + std::to_string(n) + " turns");
    give(op.getAfterArguments(), carried);
    if (Status status = visitBlock(*op.getAfterBody()); status.failed())
      return status;
    carried = take(op.getAfterBody()->getTerminator()->getOperands());
  }
  give(op.getResults(), carried);
  return Status::success();
}

/// One point after another, in order; reductions begin with their inits.
Status Interpreter::visit(scf::ParallelOp op) {
  SmallVector<int64_t> lower, upper, step;
  for (auto [from, to, by] :
       llvm::zip(op.getLowerBound(), op.getUpperBound(), op.getStep())) {
    lower.push_back(integer(from));
    upper.push_back(integer(to));
    step.push_back(integer(by));
    if (step.back() <= 0)
      return errorAt(op, "a step is " + std::to_string(step.back()));
  }
  std::vector<RuntimeValue> carried = take(op.getInitVals());
  bool none = llvm::any_of(llvm::zip(lower, upper), [](auto bounds) {
    return std::get<0>(bounds) >= std::get<1>(bounds);
  });
  auto reduce = cast<scf::ReduceOp>(op.getBody()->getTerminator());
  for (SmallVector<int64_t> point = lower; !none;) {
    for (auto [argument, index] : llvm::zip(op.getInductionVars(), point))
      values[argument] = index;
    if (Status status = visitBlock(*op.getBody()); status.failed())
      return status;
    for (auto [number, region] : llvm::enumerate(reduce.getReductions())) {
      Block &body = region.front();
      values[body.getArgument(0)] = carried[number];
      bindAs(body.getArgument(1), reduce.getOperands()[number]);
      if (Status status = visitBlock(body); status.failed())
        return status;
      carried[number] = values[body.getTerminator()->getOperand(0)];
    }
    int64_t dim = static_cast<int64_t>(point.size()) - 1;
    while (dim >= 0 && (point[dim] += step[dim]) >= upper[dim]) {
      point[dim] = lower[dim];
      --dim;
    }
    none = dim < 0;
  }
  give(op.getResults(), carried);
  return Status::success();
}

Status Interpreter::visitTaken(Operation *op, Region &taken) {
  if (taken.empty())
    return Status::success();
  if (!taken.hasOneBlock())
    return errorAt(op, "has more than one block");
  if (Status status = visitBlock(taken.front()); status.failed())
    return status;
  give(op->getResults(), take(taken.front().getTerminator()->getOperands()));
  return Status::success();
}

Status Interpreter::visit(scf::IndexSwitchOp op) {
  int64_t taken = 0, argument = integer(op.getArg());
  for (auto [number, value] : llvm::enumerate(op.getCases()))
    if (value == argument)
      taken = static_cast<int64_t>(number) + 1;
  return visitTaken(op, op->getRegion(taken));
}

Status Interpreter::visit(scf::ExecuteRegionOp op) {
  return visitTaken(op, op.getRegion());
}

Status Interpreter::visit(scf::IfOp op) {
  return visitTaken(op, integer(op.getCondition()) ? op.getThenRegion()
                                                   : op.getElseRegion());
}
