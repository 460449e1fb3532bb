//===- PackedRows.h - Tiles of queries of several heads ---------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Query heads that share their keys can share a tile: its rows are some
// positions of each of them, in the order of the query tensor's memory, as
// #flash.packing says. What reads and writes such tiles, and what says which
// query a row is.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_TRANSFORMS_PACKEDROWS_H
#define FLASH_LIB_DIALECT_FLASH_TRANSFORMS_PACKEDROWS_H

#include "TileUtils.h"

namespace flash {

/// Which query a row of a tile is: its place among the tile's positions and
/// heads. `head` is null where all rows are of one head.
struct RowPlace {
  mlir::Value position, head;
};

/// The place of row `row` of a tile of `rows` rows; `packing` may be null.
RowPlace placeOfRow(mlir::OpBuilder &builder, mlir::Location loc,
                    PackingAttr packing, int64_t rows, mlir::Value row);

/// How many positions a tile of `rows` rows has; `packing` may be null.
int64_t positionsOf(PackingAttr packing, int64_t rows);

/// Where the queries of a tile lie in a tensor of rank 4 (`layout`) or 3
/// (batch, head, row): positions [first, first + count) of the heads from
/// `head` on.
struct PackedPlace {
  Layout layout;
  mlir::Value batch, head, first;
  mlir::OpFoldResult count;
};

/// Reads them as a tile of `tileShape`, padded with zeros; `count` is at most
/// the positions of the tile.
mlir::Value readPackedTile(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::Value tensor, const PackedPlace &place,
                           PackingAttr packing,
                           llvm::ArrayRef<int64_t> tileShape);

/// Inserts the rows of a tile that exist into `dest`, a shared output of the
/// enclosing forall.
void insertPackedTile(mlir::OpBuilder &builder, mlir::Location loc,
                      mlir::Value tile, mlir::Value dest,
                      const PackedPlace &place, PackingAttr packing,
                      mlir::scf::InParallelOp inParallel);

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_TRANSFORMS_PACKEDROWS_H
