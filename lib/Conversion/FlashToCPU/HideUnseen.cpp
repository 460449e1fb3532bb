//===- HideUnseen.cpp - Values that no query sees, on the CPU -------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %w = flash.hide_unseen %v when %cut { ... }
//   %o = linalg.matmul ins(%w, %p) outs(%acc)
//   ->
//   %bad = scf.if %cut { the largest bits of %v are those of Inf or more }
//   %o = scf.if %bad {
//     %seen = linalg.generic { or over the queries }    // a key's
//     %w = linalg.generic { %seen ? %v : 0 }
//     linalg.matmul ins(%w, %p) outs(%acc)
//   } else { linalg.matmul ins(%v, %p) outs(%acc) }
//
// Values are read where they lie, so looking at them is all that a block costs
// which the mask cuts, and has nothing to hide. There is a product in each
// branch, for a copy and what lies in place have no memref type in common
// whose columns are contiguous. The rare one is marked: it stays a plain loop.
// On tensors, at L2.
//
//===----------------------------------------------------------------------===//

#include "flash/Conversion/FlashToCPU/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace flash;

namespace {
/// Writes one op out.
class Hiding {
public:
  Hiding(RewriterBase &b, HideUnseenOp op)
      : b(b), op(op), loc(op.getLoc()),
        type(cast<RankedTensorType>(op.getValues().getType())),
        element(cast<FloatType>(type.getElementType())) {}

  Value isIrregular();
  Value seenKeys();
  Value clean(Value seen);

private:
  using Body = function_ref<Value(OpBuilder &, ValueRange)>;
  linalg::GenericOp generic(ValueRange in, Value out, ArrayRef<AffineMap> maps,
                            ArrayRef<utils::IteratorType> loops, Body body);
  Value constant(Type t, int64_t value) {
    return arith::ConstantOp::create(b, loc, b.getIntegerAttr(t, value));
  }
  Value filled(ArrayRef<int64_t> shape, Type t) {
    Value empty = tensor::EmptyOp::create(b, loc, shape, t);
    return linalg::FillOp::create(b, loc, constant(t, 0), empty).getResult(0);
  }
  AffineMap map(unsigned dims, ArrayRef<unsigned> results) {
    SmallVector<AffineExpr> exprs;
    for (unsigned result : results)
      exprs.push_back(b.getAffineDimExpr(result));
    return AffineMap::get(dims, 0, exprs, b.getContext());
  }

  RewriterBase &b;
  HideUnseenOp op;
  Location loc;
  RankedTensorType type;
  FloatType element;
};
} // namespace

linalg::GenericOp Hiding::generic(ValueRange in, Value out,
                                  ArrayRef<AffineMap> maps,
                                  ArrayRef<utils::IteratorType> loops,
                                  Body body) {
  return linalg::GenericOp::create(
      b, loc, out.getType(), in, out, maps, loops,
      [&](OpBuilder &nested, Location l, ValueRange args) {
        linalg::YieldOp::create(nested, l, body(nested, args));
      });
}

/// An i1: whether some value is infinite or no number. Without their signs the
/// bits of floating point numbers are in order, and after them what is none.
Value Hiding::isIrregular() {
  using utils::IteratorType;
  unsigned width = element.getWidth();
  Type bits = b.getIntegerType(width);
  const llvm::fltSemantics &semantics = element.getFloatSemantics();
  APInt least = llvm::APFloat::semanticsHasInf(semantics)
                    ? llvm::APFloat::getInf(semantics).bitcastToAPInt()
                    : llvm::APFloat::getNaN(semantics).bitcastToAPInt();
  APInt noSign = APInt::getSignedMaxValue(width);
  auto number = [&](OpBuilder &nested, const APInt &value) -> Value {
    return arith::ConstantOp::create(nested, loc,
                                     nested.getIntegerAttr(bits, value));
  };
  auto columns = generic(
      op.getValues(), filled(type.getDimSize(1), bits),
      {map(2, {1, 0}), map(2, {0})},
      {IteratorType::parallel, IteratorType::reduction},
      [&](OpBuilder &nested, ValueRange args) -> Value {
        Value x = arith::BitcastOp::create(nested, loc, bits, args[0]);
        x = arith::AndIOp::create(nested, loc, x, number(nested, noSign));
        return arith::MaxUIOp::create(nested, loc, args[1], x);
      });
  auto largest =
      generic(columns.getResult(0), filled({}, bits), {map(1, {0}), map(1, {})},
              {IteratorType::reduction},
              [&](OpBuilder &nested, ValueRange args) -> Value {
                return arith::MaxUIOp::create(nested, loc, args[1], args[0]);
              });
  Value most = tensor::ExtractOp::create(b, loc, largest.getResult(0));
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::uge, most,
                               number(b, least));
}

/// For each key, 1 where some query sees it, else 0.
Value Hiding::seenKeys() {
  using utils::IteratorType;
  int64_t keys = type.getDimSize(0);
  // The queries are those of a tensor of which nothing is read.
  Value queries = tensor::EmptyOp::create(
      b, loc, ArrayRef<OpFoldResult>{getAsOpFoldResult(op.getQueries())},
      b.getI32Type());
  auto seen = generic(
      queries, filled(keys, b.getI32Type()), {map(2, {1}), map(2, {0})},
      {IteratorType::parallel, IteratorType::reduction},
      [&](OpBuilder &nested, ValueRange args) -> Value {
        Block &body = op.getBody().front();
        IRMapping mapping;
        mapping.map(body.getArgument(0),
                    linalg::IndexOp::create(nested, loc, 1).getResult());
        mapping.map(body.getArgument(1),
                    linalg::IndexOp::create(nested, loc, 0).getResult());
        for (Operation &inner : body.without_terminator())
          nested.clone(inner, mapping);
        Value sees = mapping.lookupOrDefault(
            cast<YieldOp>(body.getTerminator()).getValue());
        sees = arith::ExtUIOp::create(nested, loc, nested.getI32Type(), sees);
        return arith::OrIOp::create(nested, loc, args[1], sees);
      });
  seen->setAttr(FlashDialect::getRareAttrName(), b.getUnitAttr());
  return seen.getResult(0);
}

Value Hiding::clean(Value seen) {
  using utils::IteratorType;
  Value empty = tensor::EmptyOp::create(b, loc, type.getShape(), element);
  auto cleaned = generic(
      {op.getValues(), seen}, empty,
      {map(2, {0, 1}), map(2, {0}), map(2, {0, 1})},
      {IteratorType::parallel, IteratorType::parallel},
      [&](OpBuilder &nested, ValueRange args) -> Value {
        Value none =
            arith::ConstantOp::create(nested, loc, nested.getI32IntegerAttr(0));
        Value is = arith::CmpIOp::create(nested, loc, arith::CmpIPredicate::ne,
                                         args[1], none);
        Value zero =
            arith::ConstantOp::create(nested, loc, nested.getZeroAttr(element));
        return arith::SelectOp::create(nested, loc, is, args[0], zero);
      });
  cleaned->setAttr(FlashDialect::getRareAttrName(), b.getUnitAttr());
  return cleaned.getResult(0);
}

/// The element-wise op, or the fill, that makes what a product adds to, if
/// nothing else reads that: it stays beside the product, which takes it over.
static linalg::LinalgOp findInit(linalg::LinalgOp product) {
  Value init = product.getDpsInits()[0];
  auto producer = init.getDefiningOp<linalg::LinalgOp>();
  return isa_and_nonnull<linalg::GenericOp, linalg::FillOp>(
             producer.getOperation()) &&
                 init.hasOneUse() && producer->getNumResults() == 1 &&
                 producer.getNumReductionLoops() == 0
             ? producer
             : linalg::LinalgOp();
}

LogicalResult flash::lowerHideUnseen(RewriterBase &b, HideUnseenOp op) {
  auto product = op.getResult().hasOneUse()
                     ? dyn_cast<linalg::LinalgOp>(*op->user_begin())
                     : linalg::LinalgOp();
  if (!product || !linalg::isaContractionOpInterface(product) ||
      product->getNumResults() != 1)
    return op.emitOpError("needs a product as its only user on the CPU");
  Location loc = op.getLoc();
  b.setInsertionPoint(op);
  Hiding hiding(b, op);
  auto irregular = scf::IfOp::create(
      b, loc, op.getWhen(),
      [&](OpBuilder &, Location) {
        scf::YieldOp::create(b, loc, hiding.isIrregular());
      },
      [&](OpBuilder &, Location) {
        Value no = arith::ConstantOp::create(b, loc, b.getBoolAttr(false));
        scf::YieldOp::create(b, loc, no);
      });
  b.setInsertionPoint(product);
  linalg::LinalgOp init = findInit(product);
  auto multiply = [&](Value values) -> Operation * {
    IRMapping mapping;
    mapping.map(op.getResult(), values);
    if (init)
      b.clone(*init, mapping);
    return b.clone(*product, mapping);
  };
  auto branch = scf::IfOp::create(b, loc, product->getResultTypes(),
                                  irregular.getResult(0),
                                  /*addThenBlock=*/true, /*addElseBlock=*/true);
  b.setInsertionPointToStart(branch.thenBlock());
  Operation *rare = multiply(hiding.clean(hiding.seenKeys()));
  // As a generic it keeps its mark.
  if (!isa<linalg::GenericOp>(rare))
    rare = *linalg::generalizeNamedOp(b, cast<linalg::LinalgOp>(rare));
  rare->setAttr(FlashDialect::getRareAttrName(), b.getUnitAttr());
  b.setInsertionPointToEnd(branch.thenBlock());
  scf::YieldOp::create(b, loc, rare->getResults());
  b.setInsertionPointToStart(branch.elseBlock());
  Operation *usual = multiply(op.getValues());
  scf::YieldOp::create(b, loc, usual->getResults());
  b.replaceOp(product, branch.getResults());
  if (init)
    b.eraseOp(init);
  b.eraseOp(op);
  return success();
}
