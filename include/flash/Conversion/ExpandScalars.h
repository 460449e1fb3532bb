//===- ExpandScalars.h - Ops that no target has -----------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// On numbers and on vectors: math.ipowi by repeated squaring, without branches,
// and questions about a float as comparisons of its magnitude.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_CONVERSION_EXPANDSCALARS_H
#define FLASH_CONVERSION_EXPANDSCALARS_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

namespace flash {

/// math.isinf and math.isnormal: |x| is infinite, or from the least normal
/// number on and finite.
template <typename OpT> struct ExpandQuestion : mlir::OpRewritePattern<OpT> {
  using mlir::OpRewritePattern<OpT>::OpRewritePattern;

  mlir::LogicalResult
  matchAndRewrite(OpT op, mlir::PatternRewriter &b) const override {
    using namespace mlir;
    Location loc = op.getLoc();
    Type type = op.getOperand().getType();
    auto element = cast<FloatType>(getElementTypeOrSelf(type));
    const llvm::fltSemantics &semantics = element.getFloatSemantics();
    auto constant = [&](const llvm::APFloat &value) -> Value {
      Attribute attr = b.getFloatAttr(element, value);
      if (auto shaped = dyn_cast<ShapedType>(type))
        return arith::ConstantOp::create(b, loc,
                                         DenseElementsAttr::get(shaped, attr));
      return arith::ConstantOp::create(b, loc, cast<TypedAttr>(attr));
    };
    Value size = math::AbsFOp::create(b, loc, op.getOperand());
    Value infinity = constant(llvm::APFloat::getInf(semantics));
    using P = arith::CmpFPredicate;
    if constexpr (std::is_same_v<OpT, math::IsInfOp>) {
      b.replaceOpWithNewOp<arith::CmpFOp>(op, P::OEQ, size, infinity);
    } else {
      Value least =
          constant(llvm::APFloat::getSmallestNormalized(semantics));
      Value some = arith::CmpFOp::create(b, loc, P::OGE, size, least);
      Value finite = arith::CmpFOp::create(b, loc, P::OLT, size, infinity);
      b.replaceOpWithNewOp<arith::AndIOp>(op, some, finite);
    }
    return success();
  }
};

/// math.clampf: at least the one, then at most the other. (LLVM 22's own
/// expansion takes the least for the most.)
struct ExpandClampF : mlir::OpRewritePattern<mlir::math::ClampFOp> {
  using OpRewritePattern::OpRewritePattern;

  mlir::LogicalResult
  matchAndRewrite(mlir::math::ClampFOp op,
                  mlir::PatternRewriter &b) const override {
    using namespace mlir;
    Value low = arith::MaximumFOp::create(b, op.getLoc(), op.getValue(),
                                          op.getMin());
    b.replaceOpWithNewOp<arith::MinimumFOp>(op, low, op.getMax());
    return success();
  }
};

struct ExpandIPowI : mlir::OpRewritePattern<mlir::math::IPowIOp> {
  using OpRewritePattern::OpRewritePattern;

  mlir::LogicalResult
  matchAndRewrite(mlir::math::IPowIOp op,
                  mlir::PatternRewriter &b) const override {
    using namespace mlir;
    Location loc = op.getLoc();
    Type type = op.getType();
    Type element = getElementTypeOrSelf(type);
    int64_t width = element.isIndex() ? 64 : element.getIntOrFloatBitWidth();
    auto constant = [&](int64_t value) -> Value {
      auto attr = b.getIntegerAttr(element, value);
      if (auto shaped = dyn_cast<ShapedType>(type))
        return arith::ConstantOp::create(
            b, loc, DenseElementsAttr::get(shaped, Attribute(attr)));
      return arith::ConstantOp::create(b, loc, attr);
    };
    auto is = [&](arith::CmpIPredicate predicate, Value x, int64_t number) {
      return arith::CmpIOp::create(b, loc, predicate, x, constant(number));
    };
    auto select = [&](Value condition, Value yes, Value no) -> Value {
      return arith::SelectOp::create(b, loc, condition, yes, no);
    };
    Value base = op.getLhs(), exponent = op.getRhs();
    // Of a known exponent, as many bits as it has.
    APInt number;
    int64_t bits = width - 1;
    if (matchPattern(exponent, m_ConstantInt(&number)) && !number.isNegative())
      bits = number.getActiveBits();
    Value power = constant(1), square = base;
    for (int64_t bit = 0; bit < bits; ++bit) {
      Value digit = arith::AndIOp::create(
          b, loc,
          arith::ShRUIOp::create(b, loc, exponent, constant(bit)).getResult(),
          constant(1));
      power = select(is(arith::CmpIPredicate::ne, digit, 0),
                     arith::MulIOp::create(b, loc, power, square), power);
      if (bit + 1 < bits)
        square = arith::MulIOp::create(b, loc, square, square);
    }
    // 1 / base^n, of which only ones are integers.
    Value odd = arith::AndIOp::create(b, loc, exponent, constant(1));
    Value ofMinusOne = select(is(arith::CmpIPredicate::ne, odd, 0),
                              constant(-1), constant(1));
    Value inverse =
        select(is(arith::CmpIPredicate::eq, base, 1), constant(1),
               select(is(arith::CmpIPredicate::eq, base, -1), ofMinusOne,
                      constant(0)));
    b.replaceOp(op, select(is(arith::CmpIPredicate::slt, exponent, 0), inverse,
                           power));
    return success();
  }
};

} // namespace flash

#endif // FLASH_CONVERSION_EXPANDSCALARS_H
