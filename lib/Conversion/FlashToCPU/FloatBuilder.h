//===- FloatBuilder.h - Functions of f32 as arithmetic ----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What ExpandExp2.cpp and ExpandMath.cpp make of a function: constants of a
// scalar's or vector's shape, clamps and polynomials, and the pattern around.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_CONVERSION_FLASHTOCPU_FLOATBUILDER_H
#define FLASH_LIB_CONVERSION_FLASHTOCPU_FLOATBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/PatternMatch.h"

namespace flash {

/// Arithmetic on an f32 or f64, or a vector of them.
class FloatBuilder {
public:
  FloatBuilder(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type type)
      : b(builder), loc(loc), type(type) {}

  /// A constant: of the type, or of an integer as wide in its shape.
  mlir::Value splat(double value) {
    return constant(type, b.getFloatAttr(getElementTypeOrSelf(type), value));
  }
  mlir::Value splatInt(int64_t value) {
    return constant(intType(),
                    b.getIntegerAttr(getElementTypeOrSelf(intType()), value));
  }
  mlir::Type intType() {
    mlir::Type integer =
        b.getIntegerType(getElementTypeOrSelf(type).getIntOrFloatBitWidth());
    if (auto vector = mlir::dyn_cast<mlir::VectorType>(type))
      return vector.clone(integer);
    return integer;
  }
  /// `value` within [low, high]. Comparison and select are one instruction each
  /// on x86, and they keep a NaN, for which the comparison is false.
  mlir::Value clamp(mlir::Value value, double low, double high) {
    value = bound(mlir::arith::CmpFPredicate::OGT, low, value);
    return bound(mlir::arith::CmpFPredicate::OLT, high, value);
  }
  /// The polynomial with these coefficients, the constant one first.
  mlir::Value polynomial(mlir::Value x, llvm::ArrayRef<double> coefficients) {
    mlir::Value p = splat(coefficients.back());
    for (double c : llvm::reverse(coefficients.drop_back()))
      p = mlir::math::FmaOp::create(b, loc, p, x, splat(c));
    return p;
  }

private:
  mlir::Value constant(mlir::Type shape, mlir::TypedAttr value) {
    if (auto vector = mlir::dyn_cast<mlir::VectorType>(shape))
      value = mlir::DenseElementsAttr::get(vector, value);
    return mlir::arith::ConstantOp::create(b, loc, value);
  }
  mlir::Value bound(mlir::arith::CmpFPredicate beyond, double limit,
                    mlir::Value value) {
    mlir::Value at = splat(limit);
    mlir::Value out = mlir::arith::CmpFOp::create(b, loc, beyond, at, value);
    return mlir::arith::SelectOp::create(b, loc, out, at, value);
  }

  mlir::OpBuilder &b;
  mlir::Location loc;
  mlir::Type type;
};

/// Replaces a function of these element types by what `expand` builds.
template <typename FunctionOp,
          mlir::Value expand(mlir::OpBuilder &, mlir::Location, mlir::Value),
          typename... Types>
struct ExpandFunction : mlir::OpRewritePattern<FunctionOp> {
  using mlir::OpRewritePattern<FunctionOp>::OpRewritePattern;

  llvm::LogicalResult
  matchAndRewrite(FunctionOp op,
                  mlir::PatternRewriter &rewriter) const override {
    if (!mlir::isa<Types...>(mlir::getElementTypeOrSelf(op.getType())))
      return rewriter.notifyMatchFailure(op, "its type is not expanded");
    if (auto vector = mlir::dyn_cast<mlir::VectorType>(op.getType());
        vector && vector.isScalable())
      return rewriter.notifyMatchFailure(op, "the vector is scalable");
    rewriter.replaceOp(op, expand(rewriter, op.getLoc(), op.getOperand()));
    return mlir::success();
  }
};

} // namespace flash

#endif // FLASH_LIB_CONVERSION_FLASHTOCPU_FLOATBUILDER_H
