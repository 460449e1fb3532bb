//===- TileLayouts.h - Which lanes hold a tile ----------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A matrix is dealt to the warps by its shape alone. A vector lies along the
// rows or along the columns of the matrices that it meets: that is found out
// before the kernel is built, for all vectors that an element-wise step or a
// loop joins.
//
// A kernel without products streams: its matrices are dealt in runs of
// neighbouring columns, which are read and written 16 bytes at a time. One
// length of runs is that of all, so that they lie alike: 16 bytes of the widest
// elements in memory, so that what the lanes of a row read or write at a time
// has no gaps.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_CONVERSION_FLASHTOTILE_TILELAYOUTS_H
#define FLASH_LIB_CONVERSION_FLASHTOTILE_TILELAYOUTS_H

#include "flash/Dialect/Tile/IR/Tile.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/EquivalenceClasses.h"

namespace flash {

/// Along which dimension of matrices a vector lies, and how many groups of
/// warps share out the columns of these.
struct VectorPlace {
  bool alongColumns = false;
  int64_t columnGroups = 1;

  bool operator==(const VectorPlace &other) const {
    return alongColumns == other.alongColumns &&
           columnGroups == other.columnGroups;
  }
  tile::LayoutAttrInterface getLayout(mlir::MLIRContext *context,
                                      int64_t warps) const;
};

class TileLayouts {
public:
  TileLayouts(int64_t warps, int64_t warpsPerInstruction)
      : warps(warps), warpsPerInstruction(warpsPerInstruction) {}

  /// Looks at the tiles of a kernel's body. Reports vectors that would have to
  /// lie along rows and along columns.
  llvm::LogicalResult analyze(mlir::Block &body);

  /// Groups of columns of a matrix with so many rows: the fewest with which
  /// each warp has 16 rows.
  int64_t getColumnGroups(int64_t rows) const;

  /// How a matrix lies that is not the first operand of a product.
  tile::LayoutAttrInterface getMatrixLayout(mlir::MLIRContext *context,
                                            int64_t rows) const;

  /// Whether matrices are dealt in runs of columns.
  bool isStreamed() const { return run != 0; }

  /// Where a vector lies; along rows where nothing asks for it.
  VectorPlace getPlace(mlir::Value vector) const;

  /// Where a rank-two op reads or writes a vector by `map`; nothing where the
  /// map is no broadcast.
  std::optional<VectorPlace> getPlace(mlir::linalg::LinalgOp op,
                                      mlir::AffineMap map) const;

private:
  void join(mlir::Value a, mlir::Value b);
  void joinAll(mlir::Operation *op);
  llvm::LogicalResult require(mlir::Operation *user, mlir::Value vector,
                              VectorPlace place);
  llvm::LogicalResult requireOf(mlir::linalg::LinalgOp op);
  int64_t findRun(mlir::Block &body) const;
  bool
  isStreamedBy(mlir::linalg::LinalgOp op,
               llvm::SmallVectorImpl<llvm::ArrayRef<int64_t>> &shapes) const;

  int64_t warps, warpsPerInstruction;
  /// Columns of a run where the kernel streams, else 0.
  int64_t run = 0;
  llvm::EquivalenceClasses<void *> classes;
  llvm::DenseMap<void *, VectorPlace> places;
};

/// Whether a vector takes the place that its reader asks for: it is read from
/// memory or has one value.
bool hasAnyPlace(mlir::Value vector);

} // namespace flash

#endif // FLASH_LIB_CONVERSION_FLASHTOTILE_TILELAYOUTS_H
