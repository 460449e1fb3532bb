//===- DifferentiateReverse.cpp - Cotangents of scores and captures -------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reverse mode: a body yields one score and may read many elements, so one pass
// against the order of the ops gives the cotangents of all.
//
//   %x = tensor.extract %t[%h]           %x = tensor.extract %t[%h]
//   %r = arith.mulf %s, %x        ->     %r = arith.mulf %s, %x
//                                        %ds = arith.mulf %x, %g
//                                        %dx = arith.mulf %s, %g
//
// A branch is taken again, with what its reverse needs of its own values; it
// yields the cotangents of values from outside, and of the elements read in it.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Transforms/Differentiate.h"

#include "ActiveValues.h"
#include "DerivativeTerms.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace flash;

namespace {
/// The cotangents of a block's values, by the values of the body, and of the
/// elements that are read in it, last first.
struct Cotangents {
  DenseMap<Value, Term> terms;
  llvm::MapVector<tensor::ExtractOp, ElementCotangent> elements;
};

class ReverseMode {
public:
  ReverseMode(OpBuilder &builder, Block &body, Value wrt)
      : b(builder), active(body, wrt, /*elements=*/true) {}

  LogicalResult check(Block &body) { return active.check(body); }
  /// Goes through a block whose copies `mapping` knows, last op first.
  LogicalResult visit(Block &block, IRMapping &mapping, Cotangents &of);
  void add(Cotangents &of, Value value, Term term) {
    if (active.contains(value))
      of.terms[value] = terms(value).add(of.terms.lookup(value), term);
  }

private:
  LogicalResult visit(Operation *op, IRMapping &mapping, Cotangents &of);
  LogicalResult visitResult(OpResult result, IRMapping &mapping, Term term,
                            Cotangents &of);
  LogicalResult visitIf(scf::IfOp op, IRMapping &mapping, Cotangents &of);
  /// A branch of the reverse: what it yields for these values and reads.
  FailureOr<SmallVector<Value>> visitBranch(Block &block, scf::IfOp op,
                                            IRMapping mapping,
                                            const Cotangents &of,
                                            ArrayRef<Value> outer,
                                            ArrayRef<tensor::ExtractOp> reads);
  TermBuilder terms(Value value) {
    return TermBuilder(b, value.getLoc(), value.getType());
  }

  OpBuilder &b;
  ActiveValues active;
};
} // namespace

LogicalResult ReverseMode::visit(Block &block, IRMapping &mapping,
                                 Cotangents &of) {
  for (Operation &op : llvm::reverse(block.without_terminator()))
    if (failed(visit(&op, mapping, of)))
      return failure();
  return success();
}

LogicalResult ReverseMode::visit(Operation *op, IRMapping &mapping,
                                 Cotangents &of) {
  if (auto branch = dyn_cast<scf::IfOp>(op))
    return visitIf(branch, mapping, of);
  for (OpResult result : op->getResults())
    if (Term term = of.terms.lookup(result); !term.isZero())
      if (failed(visitResult(result, mapping, term, of)))
        return failure();
  return success();
}

LogicalResult ReverseMode::visitResult(OpResult result, IRMapping &mapping,
                                       Term term, Cotangents &of) {
  Operation *op = result.getOwner();
  TermBuilder builder = terms(result);
  if (auto read = dyn_cast<tensor::ExtractOp>(op)) {
    ElementCotangent &element = of.elements[read];
    element.tensor = mapping.lookupOrDefault(read.getTensor());
    for (Value index : read.getIndices())
      element.indices.push_back(mapping.lookupOrDefault(index));
    element.cotangent = builder.build(term);
    return success();
  }
  if (auto select = dyn_cast<arith::SelectOp>(op)) {
    Value condition = mapping.lookupOrDefault(select.getCondition());
    if (active.contains(select.getTrueValue()))
      add(of, select.getTrueValue(), builder.select(condition, term, {}));
    if (active.contains(select.getFalseValue()))
      add(of, select.getFalseValue(), builder.select(condition, {}, term));
    return success();
  }
  if (isa<arith::ExtFOp, arith::TruncFOp>(op)) {
    Value in = op->getOperand(0);
    add(of, in, terms(in).convert(term, result.getType()));
    return success();
  }
  if (isa<scf::ForOp>(op))
    return op->emitError()
           << "'scf.for' carries what depends on a score or on captures, which "
              "has no gradient of captures: write its steps one after another";
  auto own = cast<OpResult>(mapping.lookup(Value(result)));
  for (OpOperand &operand : op->getOpOperands()) {
    if (!active.contains(operand.get()))
      continue;
    std::optional<Partial> partial =
        getPartial(builder, own, operand.getOperandNumber());
    if (!partial)
      return emitNoDerivative(op);
    add(of, operand.get(), builder.apply(*partial, term));
  }
  return success();
}

FailureOr<SmallVector<Value>>
ReverseMode::visitBranch(Block &block, scf::IfOp op, IRMapping mapping,
                         const Cotangents &of, ArrayRef<Value> outer,
                         ArrayRef<tensor::ExtractOp> reads) {
  for (Operation &inner : block.without_terminator())
    b.clone(inner, mapping);
  Cotangents own;
  for (auto [yielded, result] :
       llvm::zip(block.getTerminator()->getOperands(), op.getResults()))
    add(own, yielded, of.terms.lookup(result));
  if (failed(visit(block, mapping, own)))
    return failure();
  SmallVector<Value> values;
  for (Value value : outer)
    values.push_back(terms(value).build(own.terms.lookup(value)));
  for (tensor::ExtractOp read : reads) {
    auto found = own.elements.find(read);
    bool isRead = found != own.elements.end();
    for (int64_t n = 0, e = read.getIndices().size(); n < e; ++n)
      values.push_back(isRead ? found->second.indices[n]
                              : terms(read).integer(b.getIndexType(), 0));
    values.push_back(isRead ? found->second.cotangent
                            : terms(read).constant(0));
  }
  return values;
}

LogicalResult ReverseMode::visitIf(scf::IfOp op, IRMapping &mapping,
                                   Cotangents &of) {
  if (llvm::none_of(op.getResults(), [&](Value result) {
        return !of.terms.lookup(result).isZero();
      }))
    return success();
  llvm::SetVector<Value> outer;
  SmallVector<tensor::ExtractOp> reads;
  SmallVector<Type> types;
  auto isOuter = [&](Value value) {
    Operation *owner = value.getParentBlock()->getParentOp();
    return !owner || !op->isAncestor(owner);
  };
  op->walk([&](Operation *inner) {
    for (Value value : inner->getOperands())
      if (active.contains(value) && isOuter(value))
        outer.insert(value);
    if (auto read = dyn_cast<tensor::ExtractOp>(inner);
        read && active.contains(read))
      reads.push_back(read);
  });
  for (Value value : outer)
    types.push_back(value.getType());
  for (tensor::ExtractOp read : reads) {
    types.append(read.getIndices().size(), b.getIndexType());
    types.push_back(read.getType());
  }
  auto reversed = scf::IfOp::create(
      b, op.getLoc(), types, mapping.lookupOrDefault(op.getCondition()),
      /*addThenBlock=*/true, /*addElseBlock=*/true);
  for (auto [from, to] : {std::pair(op.thenBlock(), reversed.thenBlock()),
                          {op.elseBlock(), reversed.elseBlock()}}) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(to);
    FailureOr<SmallVector<Value>> values =
        visitBranch(*from, op, mapping, of, outer.getArrayRef(), reads);
    if (failed(values))
      return failure();
    scf::YieldOp::create(b, op.getLoc(), *values);
  }
  ValueRange results = reversed.getResults();
  for (auto [value, result] : llvm::zip(outer, results))
    add(of, value, {1, result, {}});
  for (tensor::ExtractOp read : llvm::reverse(reads)) {
    size_t rank = read.getIndices().size();
    ValueRange own = results.take_back(rank + 1);
    results = results.drop_back(rank + 1);
    of.elements[read] = {mapping.lookupOrDefault(read.getTensor()),
                         SmallVector<Value>(own.drop_back()), own.back()};
  }
  return success();
}

FailureOr<ValueAndCotangents>
flash::copyWithCotangents(OpBuilder &builder, Block &body, Value result,
                          Value cotangent, Value wrt, IRMapping &mapping) {
  ReverseMode mode(builder, body, wrt);
  if (failed(mode.check(body)))
    return failure();
  for (Operation &op : body.without_terminator())
    builder.clone(op, mapping);
  Cotangents of;
  mode.add(of, result, TermBuilder::of(cotangent));
  if (failed(mode.visit(body, mapping, of)))
    return failure();
  TermBuilder terms(builder, wrt.getLoc(), wrt.getType());
  ValueAndCotangents all{
      mapping.lookupOrDefault(result), terms.build(of.terms.lookup(wrt)), {}};
  // They were found last first.
  for (auto &[read, element] : llvm::reverse(of.elements))
    all.elements.push_back(element);
  return all;
}
