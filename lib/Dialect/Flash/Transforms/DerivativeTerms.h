//===- DerivativeTerms.h - Products and sums of derivatives -----*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A derivative is a product of local derivatives, most of which are constants.
// A term keeps the constant apart from what is computed, so that a product with
// 1, a sum with 0 and a scale that a later one takes back are no operations:
//
//   30 * tanh(s / 30)   ->   {30} * {1, 1 - t * t} * {1 / 30}   ->   1 - t * t
//
// It keeps a divisor apart as well: 1 / x times y is the one operation y / x.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_TRANSFORMS_DERIVATIVETERMS_H
#define FLASH_LIB_DIALECT_FLASH_TRANSFORMS_DERIVATIVETERMS_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"

#include <optional>

namespace flash {

/// factor * value / divisor, where a value or divisor that is null is 1.
struct Term {
  double factor = 0;
  mlir::Value value, divisor;

  bool isZero() const { return factor == 0; }
  bool isNumber() const { return !value && !divisor; }
};

/// What an operation makes of a small change of one operand: `term` times the
/// change, half of that where `half` holds, and nothing where `only` does not.
struct Partial {
  Term term;
  mlir::Value only, half;
};

/// Builds terms of one float type.
class TermBuilder {
public:
  TermBuilder(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type type)
      : b(builder), loc(loc), type(type) {}

  /// The op's result; ops are those of arith and math.
  template <typename OpT, typename... Args> mlir::Value op(Args &&...args) {
    return OpT::create(b, loc, std::forward<Args>(args)...);
  }
  mlir::Value constant(double value);
  mlir::Value integer(mlir::Type type, int64_t value);
  /// Whether two floats compare so.
  mlir::Value compare(mlir::arith::CmpFPredicate predicate, mlir::Value x,
                      mlir::Value y) {
    return op<mlir::arith::CmpFOp>(predicate, x, y);
  }
  mlir::Type getType() const { return type; }

  static Term number(double value) { return {value, {}, {}}; }
  /// A value as a term: a number where it is a constant.
  static Term of(mlir::Value value);

  Term add(Term x, Term y);
  Term subtract(Term x, Term y) { return add(x, negate(y)); }
  Term multiply(Term x, Term y);
  Term divide(Term x, mlir::Value divisor);
  Term negate(Term x) { return {-x.factor, x.value, x.divisor}; }
  /// x where the condition holds, else y.
  Term select(mlir::Value condition, Term x, Term y);
  /// The same number in this builder's type.
  Term convert(Term x, mlir::Type from);
  /// What becomes of a change x.
  Term apply(const Partial &partial, Term x);

  /// The ops that the term stands for.
  mlir::Value build(Term x);

private:
  mlir::Value scale(mlir::Value value, double factor);
  /// x without its factor.
  mlir::Value buildValue(Term x) { return build({1, x.value, x.divisor}); }

  mlir::OpBuilder &b;
  mlir::Location loc;
  mlir::Type type;
};

/// The local derivative of a float result with respect to an operand, or none
/// where there is no rule. Kinks are PyTorch's, where it has them.
std::optional<Partial> getPartial(TermBuilder &b, mlir::OpResult result,
                                  unsigned operand);

/// Whether small changes of operands change no result: floor and the like.
bool isLocallyConstant(mlir::Operation *op);

/// Whether a float that ops of arith and math make is a number whatever the
/// numbers are that they begin with; overflow of sums and products apart.
bool isBounded(mlir::Value value);

/// Says that an op has no rule.
mlir::LogicalResult emitNoDerivative(mlir::Operation *op);

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_TRANSFORMS_DERIVATIVETERMS_H
