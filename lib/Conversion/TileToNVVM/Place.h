//===- Place.h - Where a tile lies in device memory -------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Addresses of rows of a tile in a strided memref, and how much of it exists.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_CONVERSION_TILETONVVM_PLACE_H
#define FLASH_LIB_CONVERSION_TILETONVVM_PLACE_H

#include "Lowering.h"

namespace flash::tile {

/// A place in a memref. Bytes and 64 bits: a tensor may be larger than 4 GiB.
struct Place {
  mlir::Value base;      ///< address of the tile's first element, i64
  mlir::Value rowStride; ///< bytes, i64
  /// Where rows run along a second dimension, with its stride; else null. Then
  /// the offsets of both (i64) are not in the base: an address is made of what
  /// changes from tile to tile, so that no part of it is kept in registers
  /// meanwhile.
  PackedRowsAttr packed;
  mlir::Value packedStride, rowOffset, packedOffset;
  int64_t tileRows = 0;
  /// Where rows lie in pages, the table (a memref) and whose row of it; else
  /// null. The base is then that of page 0, and `firstRow` (i32) the sequence's
  /// row of the tile's first one.
  mlir::Value pages, sequence, firstRow;
  mlir::Value pageStride, pageSize, lastPage; ///< bytes (i64), i32, i32

  /// Of a tile of `tileRows` rows.
  static Place get(Emitter &e, mlir::Value memref, mlir::ValueRange offsets,
                   int64_t rowDim, PackedRowsAttr packed, int64_t tileRows);

  /// Of a tile of rows in pages, which lie along the memref's dimension 0.
  static Place inPages(Emitter &e, mlir::Value memref, mlir::ValueRange offsets,
                       int64_t rowDim, mlir::Value pages, mlir::Value sequence,
                       int64_t tileRows);

  /// Whether rows are not a stride apart.
  bool isScattered() const { return packed || pages; }

  /// How far a row (i32) is along the dimension of rows, which bounds count.
  mlir::Value along(Emitter &e, mlir::Value row) const;
  /// The address of a row's first element.
  mlir::Value address(Emitter &e, mlir::Value row) const;
};

/// A row (i32) as places along the two dimensions of packed rows: that of rows,
/// and the other.
std::pair<mlir::Value, mlir::Value>
splitRow(Emitter &e, mlir::Value row, PackedRowsAttr packed, int64_t tileRows);

/// Rows of a tile along the dimension that bounds count.
inline int64_t rowsAlong(PackedRowsAttr packed, int64_t tileRows) {
  return packed ? packed.getOthers(tileRows) : tileRows;
}

/// How many rows or columns of a tile exist, as i32; null when all do. A
/// constant, where it is known, is kept.
struct Bound {
  mlir::Value value;
  std::optional<int64_t> constant;

  static Bound get(Emitter &e, mlir::Value count, int64_t size);
  explicit operator bool() const { return static_cast<bool>(value); }
  /// Whether all of the positions below `end` certainly exist.
  bool covers(int64_t end) const {
    return !value || (constant && *constant >= end);
  }
};

/// The addresses of the strips of 16 rows (`strips` of flash_tile.store and
/// fetch) that the executing warp has, at the lane's first element, in a tile
/// that begins at `base` (i64); those of the next 8 columns lie 512 bytes
/// further.
llvm::SmallVector<mlir::Value> getStrips(Emitter &e, const KernelValues &kernel,
                                         FragmentType type, mlir::Value base);

/// How many neighbours of a run are moved together: what is aligned to, at most
/// 16 bytes, of which all exist or none.
int64_t getPieceOfRun(FragmentType type, uint64_t alignment,
                      const Bound &columns);

/// Where the elements of a lane's run number `run` end in any lane, counted
/// from the first column of the first group of warps.
int64_t getEndOfRun(FragmentType type, int64_t run);

} // namespace flash::tile

#endif // FLASH_LIB_CONVERSION_TILETONVVM_PLACE_H
