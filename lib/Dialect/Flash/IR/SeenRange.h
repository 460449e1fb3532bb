//===- SeenRange.h - What a mask region shows, as a range -------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_IR_SEENRANGE_H
#define FLASH_LIB_DIALECT_FLASH_IR_SEENRANGE_H

#include "MaskIntervals.h"

namespace flash {

/// Positions [low, end); null: no bound. `exact`: it says all that a condition
/// says of the position that is asked for.
struct SeenRange {
  mlir::Value low, end;
  bool exact = true;
};

/// Solves the conditions of a mask region for the key or for the query.
class SeenRangeBuilder {
public:
  SeenRangeBuilder(mlir::OpBuilder &builder, mlir::Location loc)
      : b(builder, loc), others(builder, loc) {}

  /// The keys that some query of [qFirst, qLast] may see.
  SeenRange keys(mlir::Region &body, const TilePlace &at, mlir::Value qFirst,
                 mlir::Value qLast);
  /// The queries that may see some key of [kFirst, kLast].
  SeenRange queries(mlir::Region &body, const TilePlace &at, mlir::Value kFirst,
                    mlir::Value kLast);

private:
  /// Where a condition, or its opposite, may hold.
  SeenRange find(mlir::Value condition, bool negated);
  SeenRange ofOthers(mlir::Value condition, bool negated);
  SeenRange ofComparison(mlir::arith::CmpIOp compare, bool negated);
  /// Where `value` is at most, or if `least` at least, `bound`.
  SeenRange solve(mlir::Value value, mlir::Value bound, bool least);
  SeenRange solveDivision(mlir::Operation *op, mlir::Value bound, bool least);
  SeenRange solveNarrow(mlir::Value bound, bool least);
  SeenRange equal(mlir::Value value, mlir::Value low, mlir::Value high);
  SeenRange both(SeenRange x, SeenRange y);
  SeenRange either(SeenRange x, SeenRange y);
  SeenRange unknown() { return {{}, {}, /*exact=*/false}; }

  /// Whether a value depends on the position that is asked for.
  bool depends(mlir::Value value);
  /// Bounds of what does not depend on it; null where they are not known.
  mlir::Value lowest(mlir::Value value);
  mlir::Value highest(mlir::Value value);
  mlir::Value boundOf(mlir::Value value, bool high);

  MaskBuilder b;
  /// What all other values of the body are.
  IntervalBuilder others;
  /// The argument that is asked for, and the position of the first row.
  mlir::Value asked, origin;
  llvm::DenseMap<mlir::Value, bool> dependent;
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
    at.queryOrigin = position();
    at.keyOrigin = position();
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

#endif // FLASH_LIB_DIALECT_FLASH_IR_SEENRANGE_H
