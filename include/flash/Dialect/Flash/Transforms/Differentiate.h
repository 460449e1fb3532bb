//===- Differentiate.h - Derivatives of scores ------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Differentiates bodies of scalars, which a backward copies instead of what
// the forward copies. The copy computes the same, and its values serve the
// derivative:
//
//   %t = math.tanh %s : f32
//   %r = arith.mulf %t, %c30 : f32
//   ->
//   %t = math.tanh %s : f32
//   %u = arith.mulf %t, %t : f32
//   %v = arith.subf %c1, %u : f32
//   %r = arith.mulf %t, %c30 : f32
//   %derivative = arith.mulf %v, %c30 : f32
//
// What is 1 or 0 whatever the score, and so no operation, is known as such. An
// op that has no derivative is an error at the op (docs/Functions.md lists
// those that have one).
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_TRANSFORMS_DIFFERENTIATE_H
#define FLASH_DIALECT_FLASH_TRANSFORMS_DIFFERENTIATE_H

#include "flash/Dialect/Flash/IR/Flash.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

namespace flash {

/// A value and its derivative, which is null where it is 1.
struct ValueAndDerivative {
  mlir::Value value, derivative;
  /// Whether the derivative is a number for any score. Where it is not, a
  /// hidden key's probability of 0 times it may be a NaN, and has to be made 0:
  /// a region may divide by what only visible keys have.
  bool isBounded = true;
};

/// Copies the ops of a body but for its terminator. `mapping` says what its
/// arguments are, and then also what its values are in the copy. Gives
/// `result`, a float of the body, and its derivative with respect to `wrt`,
/// one of the body's arguments or a value from outside.
mlir::FailureOr<ValueAndDerivative>
copyWithDerivative(mlir::OpBuilder &builder, mlir::Block &body,
                   mlir::Value result, mlir::Value wrt,
                   mlir::IRMapping &mapping);

/// An element of a tensor that a body reads, and what the result's cotangent
/// makes of it.
struct ElementCotangent {
  mlir::Value tensor;
  llvm::SmallVector<mlir::Value> indices;
  mlir::Value cotangent;
};

struct ValueAndCotangents {
  mlir::Value value;
  /// Of what one differentiates by.
  mlir::Value cotangent;
  /// Of all floats that the body reads from tensors and that its result depends
  /// on, in the order in which it does. One that it reads in a branch which is
  /// not taken has cotangent 0 and indices 0.
  llvm::SmallVector<ElementCotangent> elements;
};

/// The same copy, and what a cotangent of `result` makes of `wrt` and of each
/// element of a tensor that the body reads: the gradients of captures. A loop
/// that carries what depends on either is an error.
mlir::FailureOr<ValueAndCotangents>
copyWithCotangents(mlir::OpBuilder &builder, mlir::Block &body,
                   mlir::Value result, mlir::Value cotangent, mlir::Value wrt,
                   mlir::IRMapping &mapping);

/// What score functions make of a score, each of what the one before made, and
/// the derivative of that with respect to `score`. `operands` are those of all
/// functions in their order; `at.operands` is not read. Positions are q and k.
mlir::FailureOr<ValueAndDerivative>
buildScoreAndDerivative(mlir::OpBuilder &builder, mlir::Location loc,
                        llvm::ArrayRef<ScoreAttrInterface> functions,
                        const TilePlace &at, mlir::ValueRange operands,
                        mlir::Value score, mlir::Value q, mlir::Value k);

} // namespace flash

#endif // FLASH_DIALECT_FLASH_TRANSFORMS_DIFFERENTIATE_H
