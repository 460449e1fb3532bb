//===- TileUtils.h - Building blocks of tiled programs ----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Shared by the passes that write L1 and L2: index arithmetic that folds,
// padded tiles of a tensor, element-wise steps on tiles.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_TRANSFORMS_TILEUTILS_H
#define FLASH_LIB_DIALECT_FLASH_TRANSFORMS_TILEUTILS_H

#include "flash/Dialect/Flash/IR/Flash.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"

namespace flash {

/// Index arithmetic at one location; constants fold. What a walk over blocks is
/// built with (BlockWalk.h).
class IndexBuilder {
public:
  using Number = mlir::Value;
  using Truth = mlir::Value;
  using Bound = mlir::Value; // null where a range is open
  static mlir::Value valueOf(Bound bound) { return bound; }

  IndexBuilder(mlir::OpBuilder &builder, mlir::Location loc)
      : builder(builder), loc(loc) {}
  mlir::Value constant(int64_t value);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  /// Both operands are not negative.
  mlir::Value div(mlir::Value a, mlir::Value b);
  mlir::Value ceilDiv(mlir::Value a, int64_t b);
  mlir::Value min(mlir::Value a, mlir::Value b);
  mlir::Value max(mlir::Value a, mlir::Value b);
  mlir::Value truth(bool value);
  mlir::Value less(mlir::Value a, mlir::Value b);
  mlir::Value atLeast(mlir::Value a, mlir::Value b);
  mlir::Value either(mlir::Value a, mlir::Value b);
  mlir::Value both(mlir::Value a, mlir::Value b);
  mlir::Value select(mlir::Value condition, mlir::Value yes, mlir::Value no);
  mlir::Value dim(mlir::Value tensor, int64_t dim);

private:
  mlir::OpBuilder &builder;
  mlir::Location loc;
};

/// `value` rounded up to a multiple of `multiple`.
inline int64_t roundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// Reads rows [first, first + rows) of one head of a rank-4 tensor in `layout`
/// (of a rank-3 one, without the head dim) as a tile of static shape, padded
/// with `padValue` at the end of each dimension. `rows` is at most the tile's.
mlir::Value readTile(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value tensor, Layout layout, mlir::Value batch,
                     mlir::Value head, mlir::Value first,
                     mlir::OpFoldResult rows, llvm::ArrayRef<int64_t> tileShape,
                     double padValue = 0.0);

/// Inserts the first `rows` rows of a tile into one head of `dest`, a shared
/// output of the enclosing forall.
void insertTile(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value tile,
                mlir::Value dest, Layout layout, mlir::Value batch,
                mlir::Value head, mlir::Value first, mlir::OpFoldResult rows,
                mlir::scf::InParallelOp inParallel);

/// A tile filled with one f32 value.
mlir::Value filledTile(mlir::OpBuilder &builder, mlir::Location loc,
                       llvm::ArrayRef<int64_t> shape, double value,
                       mlir::Type element);

/// A linalg.generic over `shape` with parallel loops: one identity map an
/// output, `maps` for the inputs, and `body` making the scalars from the
/// inputs' (outputs are not read).
llvm::SmallVector<mlir::Value>
mapTiles(mlir::OpBuilder &builder, mlir::Location loc,
         llvm::ArrayRef<int64_t> shape, mlir::ValueRange inputs,
         llvm::ArrayRef<mlir::AffineMap> maps, mlir::TypeRange elementTypes,
         llvm::function_ref<llvm::SmallVector<mlir::Value>(
             mlir::OpBuilder &, mlir::Location, mlir::ValueRange)>
             body);

/// out += lhs x rhs: the loops are the two dimensions of `out`, then the one
/// that is contracted; `lhsDims` and `rhsDims` are the loops of the operands'
/// dimensions.
mlir::Value contract(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value lhs, mlir::Value rhs, mlir::Value out,
                     llvm::ArrayRef<unsigned> lhsDims,
                     llvm::ArrayRef<unsigned> rhsDims);

/// Moves what an element-wise op computes alike for all elements (reads at
/// batch and head, sizes of operands) before it.
void hoistInvariants(mlir::Operation *op);

/// Whether scores are scaled before softmax: for score functions, by what is
/// known at run time only, by a scale that is not positive, and in f64. Else
/// softmax scales the differences from the maximum.
inline bool scalesFirst(double scale, bool hasScores, bool hasKeyScale,
                        mlir::Type accumulator) {
  return hasScores || hasKeyScale || !(scale > 0) || accumulator.isF64();
}

/// Tiles a flash.merge.
llvm::LogicalResult tileMerge(mlir::RewriterBase &rewriter, MergeOp op,
                              ScheduleAttr schedule);

/// Where keys of a sequence lie in tensors of pages.
class PagedRows {
public:
  PagedRows(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value tensor,
            mlir::Value table, Layout layout);

  /// The page of key `key` of sequence `batch`, and its row there. The table is
  /// data: what it says does not lead out of the tensor.
  std::pair<mlir::Value, mlir::Value> find(mlir::Value batch, mlir::Value key);

private:
  mlir::OpBuilder &builder;
  mlir::Location loc;
  IndexBuilder index;
  mlir::Value table, size, last;
};

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_TRANSFORMS_TILEUTILS_H
