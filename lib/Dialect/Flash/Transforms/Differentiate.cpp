//===- Differentiate.cpp - Derivatives of scores --------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Forward mode: a body has one score and yields one, so a single pass in the
// order of the ops carries the derivative of each value beside it.
//
//   %r = scf.if %c -> (f32) {            %r:2 = scf.if %c -> (f32, f32) {
//     %e = math.exp %s                     %e = math.exp %s
//     scf.yield %e                  ->     scf.yield %e, %e
//   } else {                             } else {
//     scf.yield %s                         scf.yield %s, %c1
//   }                                    }
//
// A loop carries the derivatives of what it carries in the same way.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Transforms/Differentiate.h"

#include "ActiveValues.h"
#include "DerivativeTerms.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace flash;

namespace {
class ForwardMode {
public:
  ForwardMode(OpBuilder &builder, Block &body, Value wrt, IRMapping &mapping)
      : b(builder), mapping(mapping), active(body, wrt) {
    terms[wrt] = TermBuilder::number(1);
  }

  LogicalResult check(Block &body) { return active.check(body); }
  LogicalResult copy(Block &block);
  /// The derivative of a value of the body.
  Term termOf(Value value) const { return terms.lookup(value); }

private:
  LogicalResult copy(Operation *op);
  LogicalResult copyIf(scf::IfOp op);
  LogicalResult copyFor(scf::ForOp op);
  FailureOr<Term> differentiate(OpResult result, Operation *copied);
  /// The active ones of `of`, by their position.
  SmallVector<int64_t> activeOf(ValueRange of) const;
  /// What a block yields in the copy: its values and the derivatives of those
  /// that are active.
  SmallVector<Value> yieldedBy(Block &block, ArrayRef<int64_t> which);
  Value build(Value value) {
    return TermBuilder(b, value.getLoc(), value.getType()).build(termOf(value));
  }

  OpBuilder &b;
  IRMapping &mapping;
  ActiveValues active;
  DenseMap<Value, Term> terms;
};
} // namespace

LogicalResult ForwardMode::copy(Block &block) {
  for (Operation &op : block.without_terminator())
    if (failed(copy(&op)))
      return failure();
  return success();
}

LogicalResult ForwardMode::copy(Operation *op) {
  if (active.containsResult(op)) {
    if (auto branch = dyn_cast<scf::IfOp>(op))
      return copyIf(branch);
    if (auto loop = dyn_cast<scf::ForOp>(op))
      return copyFor(loop);
  }
  Operation *copied = b.clone(*op, mapping);
  for (OpResult result : op->getResults()) {
    if (!active.contains(result))
      continue;
    FailureOr<Term> term = differentiate(result, copied);
    if (failed(term))
      return failure();
    terms[result] = *term;
  }
  return success();
}

/// The sum over the operands of what each makes of its own derivative.
FailureOr<Term> ForwardMode::differentiate(OpResult result, Operation *copied) {
  Operation *op = result.getOwner();
  OpResult own = copied->getResult(result.getResultNumber());
  TermBuilder terms(b, op->getLoc(), result.getType());
  if (auto select = dyn_cast<arith::SelectOp>(op))
    return terms.select(copied->getOperand(0), termOf(select.getTrueValue()),
                        termOf(select.getFalseValue()));
  if (isa<arith::ExtFOp, arith::TruncFOp>(op))
    return terms.convert(termOf(op->getOperand(0)),
                         op->getOperand(0).getType());
  Term sum;
  for (OpOperand &operand : op->getOpOperands()) {
    if (!active.contains(operand.get()))
      continue;
    std::optional<Partial> partial =
        getPartial(terms, own, operand.getOperandNumber());
    if (!partial)
      return emitNoDerivative(op);
    sum = terms.add(sum, terms.apply(*partial, termOf(operand.get())));
  }
  return sum;
}

SmallVector<int64_t> ForwardMode::activeOf(ValueRange of) const {
  SmallVector<int64_t> which;
  for (auto [n, value] : llvm::enumerate(of))
    if (active.contains(value))
      which.push_back(n);
  return which;
}

SmallVector<Value> ForwardMode::yieldedBy(Block &block,
                                          ArrayRef<int64_t> which) {
  SmallVector<Value> values, derivatives;
  Operation *terminator = block.getTerminator();
  for (Value value : terminator->getOperands())
    values.push_back(mapping.lookupOrDefault(value));
  for (int64_t n : which)
    derivatives.push_back(build(terminator->getOperand(n)));
  values.append(derivatives);
  return values;
}

LogicalResult ForwardMode::copyIf(scf::IfOp op) {
  SmallVector<int64_t> which = activeOf(op.getResults());
  SmallVector<Type> types(op.getResultTypes());
  for (int64_t n : which)
    types.push_back(op.getResult(n).getType());
  auto copied = scf::IfOp::create(b, op.getLoc(), types,
                                  mapping.lookupOrDefault(op.getCondition()),
                                  /*addThenBlock=*/true, /*addElseBlock=*/true);
  for (auto [from, to] : {std::pair(op.thenBlock(), copied.thenBlock()),
                          {op.elseBlock(), copied.elseBlock()}}) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(to);
    if (failed(copy(*from)))
      return failure();
    scf::YieldOp::create(b, op.getLoc(), yieldedBy(*from, which));
  }
  unsigned count = op.getNumResults();
  mapping.map(op.getResults(), copied.getResults().take_front(count));
  for (auto [n, derivative] :
       llvm::zip(which, copied.getResults().drop_front(count)))
    terms[op.getResult(n)] = {1, derivative, {}};
  return success();
}

LogicalResult ForwardMode::copyFor(scf::ForOp op) {
  SmallVector<int64_t> which = activeOf(op.getRegionIterArgs());
  SmallVector<Value> inits;
  for (Value init : op.getInitArgs())
    inits.push_back(mapping.lookupOrDefault(init));
  for (int64_t n : which)
    inits.push_back(build(op.getInitArgs()[n]));
  auto bound = [&](Value value) { return mapping.lookupOrDefault(value); };
  auto copied = scf::ForOp::create(
      b, op.getLoc(), bound(op.getLowerBound()), bound(op.getUpperBound()),
      bound(op.getStep()), inits, /*bodyBuilder=*/nullptr, op.getUnsignedCmp());
  unsigned count = op.getNumResults();
  auto name = [&](ValueRange from, ValueRange to) {
    mapping.map(from, to.take_front(count));
    for (auto [n, derivative] : llvm::zip(which, to.drop_front(count)))
      terms[from[n]] = {1, derivative, {}};
  };
  mapping.map(op.getInductionVar(), copied.getInductionVar());
  name(op.getRegionIterArgs(), copied.getRegionIterArgs());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(copied.getBody());
  if (failed(copy(*op.getBody())))
    return failure();
  scf::YieldOp::create(b, op.getLoc(), yieldedBy(*op.getBody(), which));
  name(op.getResults(), copied.getResults());
  return success();
}

FailureOr<ValueAndDerivative> flash::copyWithDerivative(OpBuilder &builder,
                                                        Block &body,
                                                        Value result, Value wrt,
                                                        IRMapping &mapping) {
  ForwardMode mode(builder, body, wrt, mapping);
  if (failed(mode.check(body)) || failed(mode.copy(body)))
    return failure();
  Term term = mode.termOf(result);
  ValueAndDerivative both;
  both.value = mapping.lookupOrDefault(result);
  if (term.isNumber() && term.factor == 1)
    return both;
  both.derivative =
      TermBuilder(builder, result.getLoc(), result.getType()).build(term);
  both.isBounded = isBounded(both.derivative);
  return both;
}

FailureOr<ValueAndDerivative> flash::buildScoreAndDerivative(
    OpBuilder &builder, Location loc, ArrayRef<ScoreAttrInterface> functions,
    const TilePlace &at, ValueRange operands, Value score, Value q, Value k) {
  // What the forward does, where nobody sees it; the copy is what is built.
  Block scratch;
  OpBuilder inside(builder.getContext());
  inside.setInsertionPointToStart(&scratch);
  Value result = score;
  for (ScoreAttrInterface function : functions) {
    unsigned count = function.getNumScoreOperands();
    result = function.buildScore(
        inside, loc, at.with(operands.take_front(count)), result, q, k);
    operands = operands.drop_front(count);
  }
  IRMapping mapping;
  FailureOr<ValueAndDerivative> both =
      copyWithDerivative(builder, scratch, result, score, mapping);
  // Results before what they are computed from.
  while (!scratch.empty())
    scratch.back().erase();
  return both;
}
