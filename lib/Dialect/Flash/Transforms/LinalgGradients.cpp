//===- LinalgGradients.cpp - Gradients of linalg on tensors ---------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %y = linalg.generic ins(%a, %b) outs(%c) { c + f(a, b) }    maps A, B, Y
//   ->  %da = linalg.generic ins(%dy, %a, %b) outs(0) { da + dy * f'(a) }  map
//   A
//       ...                                                   and %dc = %dy
//
// One rule for element-wise ops, contractions, sums and broadcasts: the same
// loops, of which those that an operand does not have are reductions. The
// derivative of the body is the differentiator's of scores.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Transforms/Gradients.h"

#include "flash/Dialect/Flash/Transforms/Differentiate.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace flash;

namespace {
/// A result of the op, as a function of its inputs: `term`, which is added to
/// what the output holds where `adds`.
struct Term {
  Value term;
  bool adds = false;
};
} // namespace

/// Whether `value` depends on an argument of the body.
static bool dependsOn(Value value, BlockArgument argument) {
  if (value == argument)
    return true;
  Operation *op = value.getDefiningOp();
  if (!op || op->getBlock() != argument.getOwner())
    return false;
  return llvm::any_of(op->getOperands(), [&](Value operand) {
    return dependsOn(operand, argument);
  });
}

/// Fails where a result is a reduction other than a sum.
static FailureOr<Term> findTerm(linalg::GenericOp op, unsigned result) {
  Value yielded = op.getBody()->getTerminator()->getOperand(result);
  BlockArgument out = op.getBody()->getArgument(op.getNumDpsInputs() + result);
  if (op.getNumReductionLoops() == 0)
    return Term{yielded, false};
  auto sum = yielded.getDefiningOp<arith::AddFOp>();
  if (!sum)
    return failure();
  for (auto [held, term] :
       {std::pair{sum.getLhs(), sum.getRhs()}, {sum.getRhs(), sum.getLhs()}})
    if (held == out && !dependsOn(term, out))
      return Term{term, true};
  return failure();
}

namespace {
/// Builds the gradients for the operands of one op, whose copy in the backward
/// is `copy` (its operands are not read: only the body and the maps are).
class GenericGradients {
public:
  GenericGradients(GradientBuilder &gradients, linalg::LinalgOp forward,
                   linalg::GenericOp copy)
      : gradients(gradients), b(gradients.builder()), forward(forward),
        copy(copy), loc(forward.getLoc()) {}

  LogicalResult build();

private:
  LogicalResult buildFor(unsigned operand);
  /// The derivative of a term for an argument of the body, in a scratch copy:
  /// which arguments it reads.
  LogicalResult findReads(const Term &term, unsigned argument,
                          SmallVectorImpl<bool> &reads);

  GradientBuilder &gradients;
  OpBuilder &b;
  linalg::LinalgOp forward;
  linalg::GenericOp copy;
  Location loc;
  SmallVector<Term> terms;
  SmallVector<Value> dResults;
};
} // namespace

LogicalResult GenericGradients::findReads(const Term &term, unsigned argument,
                                          SmallVectorImpl<bool> &reads) {
  Block scratch;
  OpBuilder inside(b.getContext());
  inside.setInsertionPointToStart(&scratch);
  IRMapping mapping;
  Block &body = *copy.getBody();
  SmallVector<Value> arguments;
  for (BlockArgument from : body.getArguments()) {
    arguments.push_back(scratch.addArgument(from.getType(), loc));
    mapping.map(from, arguments.back());
  }
  FailureOr<ValueAndDerivative> both = copyWithDerivative(
      inside, body, term.term, body.getArgument(argument), mapping);
  if (succeeded(both)) {
    SmallVector<Value> work;
    if (both->derivative)
      work.push_back(both->derivative);
    llvm::DenseSet<Value> seen;
    while (!work.empty()) {
      Value value = work.pop_back_val();
      if (!seen.insert(value).second)
        continue;
      if (Operation *op = value.getDefiningOp())
        llvm::append_range(work, op->getOperands());
    }
    for (auto [i, value] : llvm::enumerate(arguments))
      reads[i] = reads[i] || seen.contains(value);
  }
  while (!scratch.empty())
    scratch.back().erase();
  return success(succeeded(both));
}

LogicalResult GenericGradients::buildFor(unsigned operand) {
  Value value = forward->getOperand(operand);
  AffineMap own = copy.getIndexingMapsArray()[operand];
  if (!own.isProjectedPermutation())
    return forward.emitOpError()
           << "reads an operand at places that are not those of its loops, and "
              "so has no gradient for it";
  unsigned loops = copy.getNumLoops(), inputs = copy.getNumDpsInputs();
  SmallVector<bool> reads(copy.getBody()->getNumArguments(), false);
  for (auto [term, dResult] : llvm::zip_equal(terms, dResults))
    if (dResult && failed(findReads(term, operand, reads)))
      return failure();

  // Inputs: gradients, then what the derivative reads, and what says how far
  // each loop goes.
  SmallVector<Value> ins;
  SmallVector<AffineMap> maps;
  llvm::SmallBitVector known(loops);
  auto note = [&](AffineMap map) {
    for (AffineExpr expr : map.getResults())
      if (auto dim = dyn_cast<AffineDimExpr>(expr))
        known.set(dim.getPosition());
  };
  SmallVector<unsigned> gradientOf;
  for (auto [i, dResult] : llvm::enumerate(dResults)) {
    if (!dResult)
      continue;
    ins.push_back(dResult);
    maps.push_back(copy.getIndexingMapsArray()[inputs + i]);
    note(maps.back());
    gradientOf.push_back(i);
  }
  note(own);
  SmallVector<int> place(reads.size(), -1);
  auto take = [&](unsigned i) {
    place[i] = int(ins.size());
    ins.push_back(gradients.get(forward->getOperand(i)));
    maps.push_back(copy.getIndexingMapsArray()[i]);
    note(maps.back());
  };
  for (unsigned i = 0; i < reads.size(); ++i)
    if (reads[i])
      take(i);
  for (unsigned i = 0; i < reads.size() && !known.all(); ++i)
    if (place[i] < 0)
      take(i);

  Type element = getElementTypeOrSelf(value);
  bool reduces = own.getNumResults() < loops;
  Type sumType = element;
  if (reduces && element.getIntOrFloatBitWidth() < 32)
    sumType = b.getF32Type();
  Value zeros = gradients.zerosLike(value, sumType);
  maps.push_back(own);
  SmallVector<utils::IteratorType> iterators;
  for (unsigned dim = 0; dim < loops; ++dim)
    iterators.push_back(own.isFunctionOfDim(dim)
                            ? utils::IteratorType::parallel
                            : utils::IteratorType::reduction);
  Value sum = linalg::GenericOp::create(
                  b, loc, zeros.getType(), ins, zeros, maps, iterators,
                  [&](OpBuilder &nested, Location l, ValueRange args) {
                    Value total = args.back();
                    for (auto [i, result] : llvm::enumerate(gradientOf)) {
                      IRMapping mapping;
                      for (auto [n, argument] :
                           llvm::enumerate(copy.getBody()->getArguments())) {
                        Value known =
                            place[n] >= 0
                                ? args[place[n]]
                                : Value(arith::ConstantOp::create(
                                      nested, l,
                                      nested.getZeroAttr(argument.getType())));
                        mapping.map(argument, known);
                      }
                      // The ops succeeded in the scratch copy.
                      ValueAndDerivative both = *copyWithDerivative(
                          nested, *copy.getBody(), terms[result].term,
                          copy.getBody()->getArgument(operand), mapping);
                      Value part = convertFloat(nested, l, args[i], sumType);
                      if (both.derivative)
                        part = arith::MulFOp::create(
                            nested, l, part,
                            convertFloat(nested, l, both.derivative, sumType));
                      total = arith::AddFOp::create(nested, l, total, part);
                    }
                    linalg::YieldOp::create(nested, l, total);
                  })
                  .getResult(0);
  if (sumType != element)
    sum = mapElements(b, loc, sum, element,
                      [&](OpBuilder &nested, Location l, ValueRange in) {
                        return convertFloat(nested, l, in[0], element);
                      });
  gradients.add(value, sum);
  return success();
}

LogicalResult GenericGradients::build() {
  unsigned inputs = copy.getNumDpsInputs();
  for (unsigned i = 0, e = copy.getNumResults(); i < e; ++i) {
    dResults.push_back(gradients.gradientFor(forward->getResult(i)));
    FailureOr<Term> term = findTerm(copy, i);
    if (failed(term) && dResults.back())
      return forward.emitOpError()
             << "is a reduction that is not a sum, and so has no gradient here";
    terms.push_back(succeeded(term) ? *term : Term{});
  }
  for (unsigned operand = 0, e = forward->getNumOperands(); operand < e;
       ++operand) {
    Value value = forward->getOperand(operand);
    if (!gradients.wants(value))
      continue;
    // What a sum begins with.
    if (operand >= inputs && terms[operand - inputs].adds) {
      if (Value dResult = dResults[operand - inputs])
        gradients.add(value, dResult);
      continue;
    }
    if (failed(buildFor(operand)))
      return failure();
  }
  return success();
}

LogicalResult flash::buildGradients(GradientBuilder &gradients,
                                    linalg::LinalgOp op) {
  // As one generic op, beside the forward's.
  IRRewriter rewriter(op.getContext());
  rewriter.setInsertionPoint(op);
  auto copy = cast<linalg::LinalgOp>(rewriter.clone(*op));
  linalg::GenericOp generic = dyn_cast<linalg::GenericOp>(*copy);
  if (!generic) {
    FailureOr<linalg::GenericOp> made =
        linalg::generalizeNamedOp(rewriter, copy);
    if (failed(made)) {
      rewriter.eraseOp(copy);
      return op.emitOpError() << "has no gradient here: write it as a "
                                 "linalg.generic";
    }
    generic = *made;
  }
  LogicalResult result = GenericGradients(gradients, op, generic).build();
  rewriter.eraseOp(generic);
  return result;
}
