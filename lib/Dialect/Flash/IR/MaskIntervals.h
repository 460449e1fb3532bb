//===- MaskIntervals.h - What a mask region says of a block -----*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Interval arithmetic over the body of a mask region: from the bounds of a
// block's positions to whether no, every or some element is visible.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_IR_MASKINTERVALS_H
#define FLASH_LIB_DIALECT_FLASH_IR_MASKINTERVALS_H

#include "MaskUtils.h"

namespace flash {

/// The values that one scalar of the body takes over a block.
struct Interval {
  /// Bounds, as index; of an i1: whether it is always, and ever, true. Null if
  /// not known.
  mlir::Value low, high;
  /// The value itself, where it is the same for the whole block.
  mlir::Value point;
  /// An i1 on which the bounds depend; null: they always hold.
  mlir::Value valid;
  /// The bounds are less than 2^bits in magnitude.
  int64_t bits = 64;

  bool isKnown() const { return point || low; }
};

/// Follows a body op by op, emitting the arithmetic of bounds.
class IntervalBuilder {
public:
  IntervalBuilder(mlir::OpBuilder &builder, mlir::Location loc)
      : b(builder, loc) {}

  /// Bounds of what the body yields, for queries [qFirst, qLast] and keys
  /// [kFirst, kLast] (null: any); unknown where an op is not followed.
  Interval run(mlir::Region &body, const TilePlace &at, mlir::Value qFirst,
               mlir::Value qLast, mlir::Value kFirst, mlir::Value kLast);

  /// What `run` has found of a value of the body.
  Interval lookup(mlir::Value value) const { return known.lookup(value); }

  /// The op because of which the result is unknown.
  mlir::Operation *getCulprit() const { return culprit; }

private:
  Interval visit(mlir::Operation *op);
  Interval visitInteger(mlir::Operation *op, llvm::ArrayRef<Interval> in);
  Interval visitBool(mlir::Operation *op, llvm::ArrayRef<Interval> in);
  Interval visitCompare(mlir::arith::CmpIOp op, Interval lhs, Interval rhs);
  Interval visitDivision(mlir::Operation *op, llvm::ArrayRef<Interval> in);
  Interval visitCast(mlir::Operation *op, Interval in);
  Interval select(Interval condition, Interval a, Interval c, bool isBool);

  Interval fromPoint(mlir::Value value);
  /// Makes `interval` hold only where `condition` does.
  void require(Interval &interval, mlir::Value condition);
  /// The bounds as a type of this width has them.
  Interval fit(Interval interval, mlir::Type type);

  MaskBuilder b;
  llvm::DenseMap<mlir::Value, Interval> known;
  mlir::Operation *culprit = nullptr;
};

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_IR_MASKINTERVALS_H
