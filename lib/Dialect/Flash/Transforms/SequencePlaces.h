//===- SequencePlaces.h - Blocks of ragged sequences ------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which blocks of rows a ragged sequence has, of a grid that is known from
// shapes; SequencePlaces.cpp says how they are numbered.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_TRANSFORMS_SEQUENCEPLACES_H
#define FLASH_LIB_DIALECT_FLASH_TRANSFORMS_SEQUENCEPLACES_H

#include "TileUtils.h"

#include "flash/Dialect/Flash/Analysis/BlockWalk.h"

namespace flash {

/// An integer of an operand, kept within bounds: it is data.
mlir::Value readCount(mlir::OpBuilder &builder, mlir::Location loc,
                      mlir::Value counts, mlir::Value at, mlir::Value low,
                      mlir::Value high);

/// The sequences whose rows begin at `starts`, of `total` rows in all. Place 0
/// is what lies before the first, and the last place what lies after all.
class SequencePlaces {
public:
  using Value = mlir::Value;
  SequencePlaces(mlir::OpBuilder &builder, mlir::Location loc, Value starts,
                 Value total)
      : builder(builder), loc(loc), index(builder, loc), starts(starts),
        total(total) {}

  /// How many sequences there are.
  Value countSequences();
  /// How many numbers of tiles there are, and that of the first tile of a place
  /// whose rows begin at `row`, without the place's own.
  Value countTiles(const RowTiles &tiles);
  Value firstTileAt(const RowTiles &tiles, Value row);

  /// A place, whether it is a sequence, and which one; what is read for a place
  /// that is none is that of one which exists.
  struct Sequence {
    Value place, isSequence, number;
  };
  Sequence at(Value place);
  /// Whose tile has the number `tile`, and which one of it this is.
  std::pair<Sequence, Value> find(const RowTiles &tiles, Value tile);

  /// The rows from one bound of the place to the next.
  RowBlock<Value> rowsOf(Value place);

private:
  Value select(Value condition, Value yes, Value no);

  mlir::OpBuilder &builder;
  mlir::Location loc;
  IndexBuilder index;
  Value starts, total;
};

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_TRANSFORMS_SEQUENCEPLACES_H
