//===- WidenFloat16.cpp - Arithmetic on 16-bit floats, in f32 -------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Few CPUs compute on f16 and none on bf16 as a whole, and LLVM does not know
// how for every length of a vector. Here each operation rounds once, as it
// would by itself, and all that remains are conversions from and to f32:
//
//   %z = arith.addf %x, %y : vector<9xbf16>
//   ->
//   %a = arith.extf %x : vector<9xbf16> to vector<9xf32>
//   %b = arith.extf %y : vector<9xbf16> to vector<9xf32>
//   %c = arith.addf %a, %b : vector<9xf32>
//   %z = arith.truncf %c : vector<9xf32> to vector<9xbf16>
//
// After vectorization and before functions become arithmetic, which is known
// for f32.
//
//===----------------------------------------------------------------------===//

#include "flash/Conversion/FlashToCPU/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Pass/Pass.h"

#define DEBUG_TYPE "flash-widen-float16"

namespace flash {
#define GEN_PASS_DEF_WIDENFLOAT16PASS
#include "flash/Conversion/FlashToCPU/Passes.h.inc"
} // namespace flash

using namespace mlir;

static bool isFloat16(Type type) {
  return isa<BFloat16Type, Float16Type>(getElementTypeOrSelf(type));
}

static Type withElement(Type type, Type element) {
  if (auto vector = dyn_cast<VectorType>(type))
    return vector.clone(element);
  return element;
}

static Value widen(OpBuilder &b, Location loc, Value value) {
  if (!isFloat16(value.getType()))
    return value;
  return arith::ExtFOp::create(
      b, loc, withElement(value.getType(), b.getF32Type()), value);
}

/// f64 to f32 such that rounding once more, to 16 bits, gives what rounding
/// once would have: what is not exact becomes the neighbour whose last bit is
/// one.
static Value truncateToOdd(OpBuilder &b, Location loc, Value value) {
  Type wide = value.getType(), f32 = withElement(wide, b.getF32Type()),
       i32 = withElement(wide, b.getI32Type());
  auto splat = [&](int32_t number) -> Value {
    TypedAttr attr = b.getI32IntegerAttr(number);
    if (auto vector = dyn_cast<VectorType>(i32))
      attr = DenseElementsAttr::get(vector, Attribute(attr));
    return arith::ConstantOp::create(b, loc, attr);
  };
  auto magnitude = [&](Value of) -> Value {
    return math::AbsFOp::create(b, loc, of);
  };
  Value nearest = arith::TruncFOp::create(b, loc, f32, value);
  Value back = arith::ExtFOp::create(b, loc, wide, nearest);
  Value bits = arith::BitcastOp::create(b, loc, i32, nearest);
  Value isInexact =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::ONE, back, value);
  Value isEven = arith::CmpIOp::create(
      b, loc, arith::CmpIPredicate::eq,
      arith::AndIOp::create(b, loc, bits, splat(1)), splat(0));
  Value isPast = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT,
                                       magnitude(back), magnitude(value));
  // Sign and magnitude: the neighbours are one away, whatever the sign.
  Value neighbour = arith::AddIOp::create(
      b, loc, bits,
      arith::SelectOp::create(b, loc, isPast, splat(-1), splat(1)));
  Value odd = arith::SelectOp::create(
      b, loc, arith::AndIOp::create(b, loc, isInexact, isEven), neighbour,
      bits);
  return arith::BitcastOp::create(b, loc, f32, odd);
}

/// A value of any wider type, rounded once to 16 bits.
static Value narrow(OpBuilder &b, Location loc, Value value, Type type) {
  if (getElementTypeOrSelf(value.getType()).isF64())
    value = truncateToOdd(b, loc, value);
  return arith::TruncFOp::create(b, loc, type, value);
}

LogicalResult flash::widenFloat16(RewriterBase &rewriter, Operation *op) {
  if (!isa_and_nonnull<arith::ArithDialect, math::MathDialect>(
          op->getDialect()) ||
      isa<arith::ConstantOp, arith::BitcastOp, arith::SelectOp>(op))
    return rewriter.notifyMatchFailure(op, "it computes nothing");
  if (llvm::none_of(op->getOperandTypes(), isFloat16) &&
      llvm::none_of(op->getResultTypes(), isFloat16))
    return rewriter.notifyMatchFailure(op, "no value has 16-bit floats");

  Location loc = op->getLoc();
  rewriter.setInsertionPoint(op);
  if (isa<arith::ExtFOp, arith::TruncFOp>(op)) {
    Value from = op->getOperand(0);
    Type to = op->getResult(0).getType();
    bool isExtension = isa<arith::ExtFOp>(op);
    if (!getElementTypeOrSelf(isExtension ? to : from.getType()).isF64())
      return rewriter.notifyMatchFailure(op, "it converts from or to f32");
    Value result = isExtension
                       ? arith::ExtFOp::create(rewriter, loc, to,
                                               widen(rewriter, loc, from))
                             .getResult()
                       : narrow(rewriter, loc, from, to);
    rewriter.replaceOp(op, result);
    return success();
  }

  SmallVector<Value> operands = llvm::map_to_vector(
      op->getOperands(), [&](Value v) { return widen(rewriter, loc, v); });
  // An integer of 32 bits has more digits than an f32.
  bool isInteger = isa<arith::SIToFPOp, arith::UIToFPOp>(op) &&
                   getElementTypeOrSelf(operands.front().getType())
                           .getIntOrFloatBitWidth() >= 32;
  Type wide = isInteger ? Type(rewriter.getF64Type()) : rewriter.getF32Type();
  SmallVector<Type> types =
      llvm::map_to_vector(op->getResultTypes(), [&](Type type) {
        return isFloat16(type) ? withElement(type, wide) : type;
      });
  Operation *widened = rewriter.create(loc, op->getName().getIdentifier(),
                                       operands, types, op->getAttrs());
  SmallVector<Value> results;
  for (auto [was, is] : llvm::zip(op->getResults(), widened->getResults()))
    results.push_back(isFloat16(was.getType())
                          ? narrow(rewriter, loc, is, was.getType())
                          : is);
  rewriter.replaceOp(op, results);
  return success();
}

namespace {

struct WidenFloat16Pass : flash::impl::WidenFloat16PassBase<WidenFloat16Pass> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<Operation *> ops;
    getOperation()->walk([&](Operation *op) { ops.push_back(op); });
    for (Operation *op : ops)
      if (succeeded(flash::widenFloat16(rewriter, op)))
        ++numWidened;
  }
};

} // namespace
