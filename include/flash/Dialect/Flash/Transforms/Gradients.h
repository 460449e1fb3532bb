//===- Gradients.h - Gradients of operations --------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The reverse mode of flash-differentiate: a rule for each operation builds,
// from the gradients for its results, those for its operands.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_TRANSFORMS_GRADIENTS_H
#define FLASH_DIALECT_FLASH_TRANSFORMS_GRADIENTS_H

#include "flash/Dialect/Flash/IR/Flash.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/IRMapping.h"

namespace flash {

/// What the rules of one function's backward share: the values of the forward
/// that it has, and the gradients that it has so far.
class GradientBuilder {
public:
  virtual ~GradientBuilder() = default;

  /// The value that a value of the forward has in the backward: computed again
  /// where that is a view or arithmetic on sizes, else kept by the forward.
  virtual mlir::Value get(mlir::Value forward) = 0;
  /// The gradient for a value of the forward; null where there is none, which
  /// means zeros.
  virtual mlir::Value gradientFor(mlir::Value forward) = 0;
  /// Whether the gradient for a value of the forward is asked for.
  virtual bool wants(mlir::Value forward) = 0;
  /// Adds to the gradient for a value of the forward.
  virtual void add(mlir::Value forward, mlir::Value gradient) = 0;

  mlir::OpBuilder &builder() { return b; }
  /// Zeros of the shape of a value of the forward, of its type or another.
  mlir::Value zerosLike(mlir::Value forward, mlir::Type element = {});

protected:
  explicit GradientBuilder(mlir::MLIRContext *context) : b(context) {}
  mlir::OpBuilder b;
};

/// Builds the gradients for the operands of an operation of the forward. Fails,
/// with an error at the operation, where it has no rule.
llvm::LogicalResult buildGradients(GradientBuilder &gradients,
                                   mlir::Operation *op);

/// The attribute of a function that numbers the arguments with gradients.
inline constexpr llvm::StringLiteral kWrtAttrName = "wrt";

/// Adds @f_forward and @f_backward after @f (see flash-differentiate). `wrt`
/// numbers the arguments with gradients, as `0,2`; empty: what the function's
/// attribute says, or all tensors of floats.
mlir::FailureOr<std::pair<mlir::func::FuncOp, mlir::func::FuncOp>>
differentiate(mlir::func::FuncOp func, llvm::StringRef wrt = "");

/// Adds @f_gradients after @f: the body of its forward, then that of its
/// backward. It takes @f's arguments and the gradients for its results, and
/// gives its results and then the gradients for its arguments.
mlir::FailureOr<mlir::func::FuncOp>
addForwardAndBackward(mlir::func::FuncOp func);

/// The rules that have files of their own.
llvm::LogicalResult buildGradients(GradientBuilder &gradients, AttentionOp op);
llvm::LogicalResult buildGradients(GradientBuilder &gradients, MergeOp op);
llvm::LogicalResult buildGradients(GradientBuilder &gradients,
                                   mlir::linalg::LinalgOp op);

/// An element-wise linalg.generic on tensors that all have the shape of the
/// first one.
mlir::Value
mapElements(mlir::OpBuilder &builder, mlir::Location loc,
            mlir::ValueRange inputs, mlir::Type element,
            llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location,
                                           mlir::ValueRange)>
                body);

/// A value of a float type in another one.
mlir::Value convertFloat(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value value, mlir::Type type);

} // namespace flash

#endif // FLASH_DIALECT_FLASH_TRANSFORMS_GRADIENTS_H
