//===- ExpandFloat8.h - Floats of 8 bits as integers ------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// No processor here computes with f8E4M3FN and f8E5M2, and those that convert
// them do it in pairs. On numbers and on vectors, a few integer instructions:
//
//   %y = arith.extf %x : f8E5M2 to f32     -> the upper half of an f16
//   %y = arith.extf %x : f8E4M3FN to f32   -> sign, exponent and mantissa in
//                                             their places in an f16, times 2^8
//   %y = arith.truncf %x : f32 to f8E5M2   -> rounded to nearest even, in place
//
// What is too large for an f8E5M2 is infinite, for an f8E4M3FN a NaN.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_CONVERSION_EXPANDFLOAT8_H
#define FLASH_CONVERSION_EXPANDFLOAT8_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"

#include <limits>

namespace flash {

/// Integers and floats of one shape, for bits.
class Float8Builder {
public:
  Float8Builder(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type shape)
      : b(builder), loc(loc), shape(shape) {}

  /// As an f32, exactly.
  mlir::Value widen(mlir::Value x) {
    using namespace mlir;
    Type i16 = of(b.getI16Type());
    Value byte = cast<arith::BitcastOp>(b.getIntegerType(8), x);
    Value bits = arith::ExtUIOp::create(b, loc, i16, byte);
    auto word = [&](int64_t v) { return constant(b.getI16Type(), v); };
    auto toFloat = [&](Value half) {
      half = cast<arith::BitcastOp>(b.getF16Type(), half);
      return cast<arith::ExtFOp>(b.getF32Type(), half);
    };
    if (isa<Float8E5M2Type>(getElementTypeOrSelf(x.getType())))
      return toFloat(op<arith::ShLIOp>(bits, word(8)));
    Value sign =
        op<arith::ShLIOp>(op<arith::AndIOp>(bits, word(0x80)), word(8));
    Value rest = op<arith::AndIOp>(bits, word(0x7f));
    Value half = op<arith::OrIOp>(sign, op<arith::ShLIOp>(rest, word(7)));
    Value number =
        op<arith::MulFOp>(toFloat(half), constant(b.getF32FloatAttr(256.0f)));
    Value nan =
        constant(b.getF32FloatAttr(std::numeric_limits<float>::quiet_NaN()));
    return select(arith::CmpIPredicate::eq, rest, word(0x7f), nan, number);
  }

  /// An f32, rounded to nearest even.
  mlir::Value narrow(mlir::Value x, mlir::Type element) {
    using namespace mlir;
    bool isE5M2 = isa<Float8E5M2Type>(element);
    // Digits of the mantissa, the least normal number's exponent, and from
    // where on there is none.
    int64_t digits = isE5M2 ? 2 : 3, bias = isE5M2 ? 15 : 7, cut = 23 - digits;
    // An exponent of one, in the bits of an f32.
    const int64_t one = int64_t(1) << 23;
    auto word = [&](int64_t v) { return constant(b.getI32Type(), v); };
    Value bits = cast<arith::BitcastOp>(b.getI32Type(), x);
    Value size = op<arith::AndIOp>(bits, word(0x7fffffff));
    // A normal number: half of the last digit, less one where it is even.
    Value odd = op<arith::AndIOp>(op<arith::ShRUIOp>(size, word(cut)), word(1));
    Value up = op<arith::AddIOp>(
        op<arith::AddIOp>(
            size, word((bias - 127) * one + (int64_t(1) << (cut - 1)) - 1)),
        odd);
    Value normal = op<arith::ShRUIOp>(up, word(cut));
    // Below: a float whose last digit is the least of these numbers, added to
    // it, rounds it.
    int64_t unit = (127 - bias + cut + 1) * one;
    Value sum =
        op<arith::AddFOp>(cast<arith::BitcastOp>(b.getF32Type(), size),
                          cast<arith::BitcastOp>(b.getF32Type(), word(unit)));
    Value small = op<arith::SubIOp>(cast<arith::BitcastOp>(b.getI32Type(), sum),
                                    word(unit));
    using P = arith::CmpIPredicate;
    Value number =
        select(P::ult, size, word((128 - bias) * one), small, normal);
    // 61440 is halfway from the greatest f8E5M2 to what would follow.
    if (isE5M2)
      number = select(P::uge, size, word(0x47700000), word(0x7c), number);
    // NaNs, and what an f8E4M3FN has no number for: above 464.
    int64_t most = isE5M2 ? 0x7f800000 : 0x43e80000;
    number = select(P::ugt, size, word(most), word(0x7f), number);
    Value sign =
        op<arith::AndIOp>(op<arith::ShRUIOp>(bits, word(24)), word(0x80));
    Value all = op<arith::OrIOp>(number, sign);
    Value byte = cast<arith::TruncIOp>(b.getIntegerType(8), all);
    return cast<arith::BitcastOp>(element, byte);
  }

private:
  mlir::Type of(mlir::Type element) {
    if (auto vector = mlir::dyn_cast<mlir::VectorType>(shape))
      return vector.clone(element);
    return element;
  }
  mlir::Value constant(mlir::TypedAttr attr) {
    if (auto vector = mlir::dyn_cast<mlir::VectorType>(of(attr.getType())))
      attr = mlir::DenseElementsAttr::get(vector, mlir::Attribute(attr));
    return mlir::arith::ConstantOp::create(b, loc, attr);
  }
  mlir::Value constant(mlir::Type element, int64_t value) {
    unsigned width = element.getIntOrFloatBitWidth();
    return constant(
        b.getIntegerAttr(element, llvm::APInt(width, value, /*isSigned=*/true,
                                              /*implicitTrunc=*/true)));
  }
  template <typename OpT> mlir::Value op(mlir::Value x, mlir::Value y) {
    return OpT::create(b, loc, x, y);
  }
  template <typename OpT> mlir::Value cast(mlir::Type element, mlir::Value x) {
    return OpT::create(b, loc, of(element), x);
  }
  mlir::Value select(mlir::arith::CmpIPredicate predicate, mlir::Value x,
                     mlir::Value y, mlir::Value yes, mlir::Value no) {
    mlir::Value holds = mlir::arith::CmpIOp::create(b, loc, predicate, x, y);
    return mlir::arith::SelectOp::create(b, loc, holds, yes, no);
  }

  mlir::OpBuilder &b;
  mlir::Location loc;
  mlir::Type shape;
};

inline bool isFloat8(mlir::Type type) {
  return mlir::isa<mlir::Float8E4M3FNType, mlir::Float8E5M2Type>(
      mlir::getElementTypeOrSelf(type));
}

struct WidenFloat8 : mlir::OpRewritePattern<mlir::arith::ExtFOp> {
  using OpRewritePattern::OpRewritePattern;

  mlir::LogicalResult matchAndRewrite(mlir::arith::ExtFOp op,
                                      mlir::PatternRewriter &b) const override {
    using namespace mlir;
    if (!isFloat8(op.getIn().getType()))
      return b.notifyMatchFailure(op, "the operand is not f8");
    Value wide = Float8Builder(b, op.getLoc(), op.getType()).widen(op.getIn());
    Type element = getElementTypeOrSelf(op.getType());
    if (element.isF64())
      wide = arith::ExtFOp::create(b, op.getLoc(), op.getType(), wide);
    else if (!element.isF32())
      wide = arith::TruncFOp::create(b, op.getLoc(), op.getType(), wide);
    b.replaceOp(op, wide);
    return success();
  }
};

struct NarrowToFloat8 : mlir::OpRewritePattern<mlir::arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;

  mlir::LogicalResult matchAndRewrite(mlir::arith::TruncFOp op,
                                      mlir::PatternRewriter &b) const override {
    using namespace mlir;
    if (!isFloat8(op.getType()))
      return b.notifyMatchFailure(op, "the result is not f8");
    Value x = op.getIn();
    Type element = getElementTypeOrSelf(x.getType()), f32 = b.getF32Type();
    if (auto vector = dyn_cast<VectorType>(x.getType()))
      f32 = vector.clone(f32);
    if (element.isF64())
      return b.notifyMatchFailure(op, "would be rounded twice");
    if (!element.isF32())
      x = arith::ExtFOp::create(b, op.getLoc(), f32, x);
    b.replaceOp(op, Float8Builder(b, op.getLoc(), op.getType())
                        .narrow(x, getElementTypeOrSelf(op.getType())));
    return success();
  }
};

} // namespace flash

#endif // FLASH_CONVERSION_EXPANDFLOAT8_H
