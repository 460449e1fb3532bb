//===- ScoreBody.h - What happens to the scores of a step -------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Scale, score functions and mask of one block of queries and keys, as
// element-wise ops on a tile of scores. The forward, what the backward computes
// again, and the derivative of the score functions read this one description.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_TRANSFORMS_SCOREBODY_H
#define FLASH_LIB_DIALECT_FLASH_TRANSFORMS_SCOREBODY_H

#include "PackedRows.h"
#include "TileUtils.h"

namespace flash {

/// The scores of one step: where they stand, and what is done to each.
class ScoreBody {
public:
  /// Of flash.online_attention or flash.backward_step. `rows`: of the tile of
  /// queries.
  template <typename StepOp>
  ScoreBody(mlir::OpBuilder &builder, StepOp op, int64_t rows,
            mlir::Type accumulator)
      : b(builder), loc(op.getLoc()), index(builder, loc), rows(rows),
        positions(positionsOf(op.getPackingAttr(), rows)),
        keys(op.getKey().getType().getDimSize(0)),
        isTransposed(op.getTransposed()), clampsReads(op.getClampReads()),
        scale(op.getScale()), accumulator(accumulator),
        qPosition(op.getQPosition()), kPosition(op.getKPosition()),
        existingKeys(op.getKeys()), existingQueries(op.getQueries()),
        head(op.getHead()), keyScale(op.getKeyScale()),
        packing(op.getPackingAttr()), mask(op.getMaskAttr()),
        scores(op.getScoresAttr()), scoreOperands(op.getScoreOperands()),
        maskPlace(op.getPlace(op.getMaskOperands(), op.getMaskBody())),
        scorePlace(op.getPlace(op.getScoreOperands(), op.getScoreBody())) {}

  /// Rows and columns of a tile of scores.
  llvm::SmallVector<int64_t> getShape() const {
    return isTransposed ? llvm::SmallVector<int64_t>{keys, rows}
                        : llvm::SmallVector<int64_t>{rows, keys};
  }
  /// Whether anything is done to scores before softmax, which else scales the
  /// differences from the maximum.
  bool scalesBefore() const {
    return scalesFirst(scale, bool(scores), bool(keyScale), accumulator);
  }

  /// The scale and the score functions in their order, each on what the one
  /// before made.
  mlir::Value applyScores(mlir::Value tile);
  /// The same, whatever the scale; and the derivative of the score functions
  /// for what they are given, null where it is 1. Fails, with an error, where
  /// an op has none.
  struct Differentiated {
    mlir::Value scores, derivative;
    /// Whether the derivative is finite for all scores, those that the mask
    /// hides included.
    bool isBounded = true;
  };
  llvm::FailureOr<Differentiated> differentiateScores(mlir::Value tile);

  /// Scores with -inf where the key does not exist or the mask hides it, in a
  /// condition that is true of blocks that have such scores. With `ofPadding`
  /// a query that does not exist sees nothing in a block that the mask cuts:
  /// its score with a key that no other sees may be no number.
  mlir::Value maskScores(mlir::Value tile, bool ofPadding = false);
  /// An i1, made where it is first asked for: whether the mask hides some score
  /// of the block; null without one.
  mlir::Value isCut();

  /// A tile of keys or values, without those that no query of the tile sees:
  /// what they hold, be it NaN, does not matter.
  mlir::Value hideUnseen(mlir::Value tile);
  /// A tile in the form of scores with 0 where the mask hides the key, or the
  /// query is padding, which may see what no other does.
  mlir::Value hideGradients(mlir::Value tile);

private:
  mlir::Value mayHide();
  mlir::Value isRagged();
  /// An element: its key within the tile, its head, the positions of query and
  /// key, and its query within the tile.
  struct Element {
    mlir::Value column, head, q, k, row;
  };
  using Values = llvm::SmallVector<mlir::Value>;
  /// (builder, location, score, element) -> results
  using PositionBody = llvm::function_ref<Values(
      mlir::OpBuilder &, mlir::Location, mlir::Value, const Element &)>;
  Values mapPositions(mlir::Value tile, unsigned results,
                      const PositionBody &body);
  void guardReads(mlir::linalg::GenericOp mapped);
  std::pair<RowPlace, mlir::Value> placeInTile(mlir::OpBuilder &builder,
                                               mlir::Location l);
  mlir::Value firstHead() const { return packing ? head : mlir::Value(); }
  mlir::Value buildFactor();
  mlir::Value buildScores(mlir::OpBuilder &builder, mlir::Location l,
                          mlir::Value score, const Element &element);
  mlir::Value hide(mlir::Value tile, double hidden, bool ofPadding);

  mlir::OpBuilder &b;
  mlir::Location loc;
  IndexBuilder index;
  int64_t rows, positions, keys;
  /// Scores are keys x queries.
  bool isTransposed;
  /// Padding asks for the last element that exists; else it is not asked.
  bool clampsReads;
  double scale;
  mlir::Type accumulator;
  mlir::Value qPosition, kPosition, existingKeys, existingQueries, head,
      keyScale;
  PackingAttr packing;
  MaskAttrInterface mask;
  mlir::ArrayAttr scores;
  mlir::ValueRange scoreOperands;
  TilePlace maskPlace, scorePlace;
  mlir::Value cut;
};

/// Whether fewer than all `size` rows of a tile may exist.
bool mayPad(mlir::Value existing, int64_t size);

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_TRANSFORMS_SCOREBODY_H
