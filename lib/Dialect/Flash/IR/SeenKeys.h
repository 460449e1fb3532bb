//===- SeenKeys.h - Bounds of the keys that a region shows ------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_IR_SEENKEYS_H
#define FLASH_LIB_DIALECT_FLASH_IR_SEENKEYS_H

#include "MaskIntervals.h"

namespace flash {

/// Positions [low, end); null: no bound. `exact`: it says all that a condition
/// says of keys.
struct SeenKeys {
  mlir::Value low, end;
  bool exact = true;
};

/// Solves the conditions of a mask region for the key.
class SeenKeysBuilder {
public:
  SeenKeysBuilder(mlir::OpBuilder &builder, mlir::Location loc)
      : b(builder, loc), queries(builder, loc) {}

  /// The keys that some query of [qFirst, qLast] may see.
  SeenKeys run(mlir::Region &body, const TilePlace &at, mlir::Value qFirst,
               mlir::Value qLast);

private:
  /// Where a condition, or its opposite, may hold.
  SeenKeys find(mlir::Value condition, bool negated);
  SeenKeys ofComparison(mlir::arith::CmpIOp compare, bool negated);
  /// Where `value` is at most, or if `least` at least, `bound`.
  SeenKeys solve(mlir::Value value, mlir::Value bound, bool least);
  SeenKeys solveDivision(mlir::Operation *op, mlir::Value bound, bool least);
  SeenKeys both(SeenKeys x, SeenKeys y);
  SeenKeys either(SeenKeys x, SeenKeys y);
  SeenKeys unknown() { return {{}, {}, /*exact=*/false}; }

  bool dependsOnKey(mlir::Value value);
  /// Bounds of what does not depend on the key; null where they are not known.
  mlir::Value lowest(mlir::Value value);
  mlir::Value highest(mlir::Value value);
  mlir::Value boundOf(mlir::Value value, bool high);

  MaskBuilder b;
  IntervalBuilder queries;
  mlir::Value key;
  llvm::DenseMap<mlir::Value, bool> depends;
};

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_IR_SEENKEYS_H
