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
  SeenKeys ofQueries(mlir::Value condition, bool negated);
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

/// A block of its own, in which an analysis writes IR about a region that is
/// dropped afterwards: the region's arguments, and what comes after them.
struct ScratchBlock {
  ScratchBlock(mlir::OpBuilder &builder, mlir::Region &mask) {
    for (mlir::BlockArgument argument : mask.getArguments())
      block.addArgument(argument.getType(), mask.getLoc());
    for (unsigned i = 4; i < mask.getNumArguments(); ++i)
      captures.push_back(block.getArgument(i));
    at.batch = block.getArgument(0);
    at.head = block.getArgument(1);
    at.captures = captures;
    builder.setInsertionPointToEnd(&block);
  }

  mlir::Value query() { return block.getArgument(2); }
  mlir::Value key() { return block.getArgument(3); }
  /// Another position.
  mlir::Value position() {
    return block.addArgument(mlir::IndexType::get(at.batch.getContext()),
                             at.batch.getLoc());
  }

  mlir::Block block;
  llvm::SmallVector<mlir::Value> captures;
  TilePlace at;
};

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_IR_SEENKEYS_H
