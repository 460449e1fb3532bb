//===- BackwardSteps.h - The loops of a backward ----------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tiles one backward: its steps (BackwardSteps.cpp), and a file for each order
// of loops, keys outside (BackwardByKeys.cpp) or queries outside
// (BackwardByQueries.cpp). What is done for each row before and after them is
// in BackwardRows.cpp.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_TRANSFORMS_BACKWARDSTEPS_H
#define FLASH_LIB_DIALECT_FLASH_TRANSFORMS_BACKWARDSTEPS_H

#include "BackwardTiler.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"

namespace flash {

/// Tiles of a block of keys; transposed copies where the target reads them.
/// Keys exist, or have at least a gradient, of 0.
struct KeyTiles {
  mlir::Value first;
  mlir::OpFoldResult existing, withGradient;
  mlir::Value key, value, keyT, valueT;
};

/// Tiles of a block of queries.
struct QueryTiles {
  mlir::Value first, padded;
  mlir::OpFoldResult existing;
  mlir::Value query, dOutput, lse, delta, queryT, dOutputT;
};

/// Sums that a step adds to; null where nobody asked for them.
struct Sums {
  mlir::Value query, key, value;

  llvm::SmallVector<mlir::Value> list() const {
    llvm::SmallVector<mlir::Value> all;
    for (mlir::Value sum : {query, key, value})
      if (sum)
        all.push_back(sum);
    return all;
  }
  /// The same sums with other values.
  Sums with(mlir::ValueRange values) const {
    Sums sums;
    for (auto [from, to] : {std::pair{&query, &sums.query},
                            {&key, &sums.key},
                            {&value, &sums.value}})
      if (*from) {
        *to = values.front();
        values = values.drop_front();
      }
    return sums;
  }
};

/// What one iteration of a parallel loop has of a result: a slice.
struct Slab {
  llvm::SmallVector<mlir::OpFoldResult> offsets, sizes;
  mlir::RankedTensorType type;
};

class BackwardTiler {
public:
  BackwardTiler(BackwardProblem &problem, RowStatistics statistics)
      : p(problem), rewriter(p.rewriter), op(p.op), loc(p.loc), index(p.index),
        mask(op.getEffectiveMask()), statistics(statistics) {}

  llvm::SmallVector<mlir::Value> tile();

private:
  // BackwardSteps.cpp
  KeyTiles keyTiles(const RowTile &tile);
  QueryTiles queryTiles(const RowTile &tile);
  mlir::Value readParts(mlir::Value tensor, mlir::Value first);
  Sums step(const QueryTiles &queries, const KeyTiles &keys, const Sums &sums,
            bool transposed);
  BackwardStepOp buildStep(const QueryTiles &queries, const KeyTiles &keys,
                           const Sums &sums, bool transposed,
                           bool ofScores = false);
  void sumUp(const QueryTiles &queries, const KeyTiles &keys);
  llvm::SmallVector<mlir::Value>
  unlessHidden(const QueryTiles &queries, const KeyTiles &keys,
               mlir::ValueRange carried,
               llvm::function_ref<llvm::SmallVector<mlir::Value>()> body);
  Sums stepUnlessHidden(const QueryTiles &queries, const KeyTiles &keys,
                        const Sums &sums, bool transposed);
  mlir::Value transpose(mlir::Value tile);

  // BackwardByKeys.cpp
  llvm::SmallVector<mlir::Value> loopOverKeyBlocks(const BackwardLoop &of);
  void addUpByBlock(const BackwardLoop &of, mlir::scf::ForallOp forall,
                    mlir::Value keyBlocks);
  mlir::Value startOfGradient(mlir::Value of);
  void ownAllBlocks(const BackwardLoop &of, mlir::scf::ForallOp forall);
  Slab querySlab();
  Slab headSlab(mlir::Value dest);
  Sums zeroSums(const BackwardLoop &of);
  Sums walkQueries(const KeyTiles &keys, Sums sums);
  RowRange<mlir::Value> visibleQueries(const KeyTiles &keys);
  GroupRows<mlir::Value> visibleQueriesOfGroup(const KeyTiles &keys);
  mlir::Value addToQueries(mlir::Value tile, mlir::Value slab,
                           const RowTile &row);
  mlir::Value divide(mlir::Value a, mlir::Value b);

  // BackwardOperands.cpp
  llvm::SmallVector<mlir::Value> loopOverOperands(const BackwardLoop &of);
  llvm::SmallVector<mlir::Value> walkBlocks(mlir::ValueRange slabs);
  llvm::SmallVector<mlir::Value> addElements(const QueryTiles &queries,
                                             const KeyTiles &keys,
                                             mlir::ValueRange slabs);

  // BackwardByQueries.cpp
  mlir::Value loopOverQueryBlocks(const BackwardLoop &of);
  RowRange<mlir::Value> visibleKeys(const QueryTiles &queries);

  mlir::Value zeroTile(int64_t rows, int64_t columns) {
    return filledTile(rewriter, loc, {rows, columns}, 0.0, p.accumulator);
  }
  TilePlace place() {
    return TilePlace{own.batch,
                     queryHead,
                     index.sub(own.qOffset, own.queryRow),
                     index.sub(own.keyPosition, own.keyRow),
                     op.getMaskOperands(),
                     &op.getMaskBody(),
                     op.getCaptures(),
                     /*laterHidden=*/false,
                     /*listedFull=*/mlir::Value(),
                     querySummary,
                     keySummary,
                     op.isRagged() ? own.qOffset : mlir::Value(),
                     op.isRagged() ? p.kvOffset : mlir::Value()};
  }
  mlir::Value lastOf(mlir::Value first, mlir::OpFoldResult count) {
    return index.sub(index.add(first, mlir::getValueOrCreateConstantIndexOp(
                                          rewriter, loc, count)),
                     index.constant(1));
  }
  /// What is kept of probabilities is divided by 1 - p.
  double valueFactor() {
    return op.getDropoutP() ? 1 / (1 - op.getDropoutP()->convertToDouble()) : 1;
  }
  /// Products of a step, one or two of them to compute the scores and their
  /// gradients again.
  LoopContents contents(const BackwardLoop &of) {
    return {1 + of.needsScoreGradients() + of.query + of.key + of.value, false,
            bool(mask)};
  }
  bool isOfOneThread() { return p.walk.isOfOneThread(); }

  BackwardProblem &p;
  mlir::RewriterBase &rewriter;
  AttentionBackwardOp op;
  mlir::Location loc;
  IndexBuilder &index;
  MaskAttrInterface mask;
  RowStatistics statistics;
  // Of the block being built.
  OwnRows own;
  mlir::Value keyHead, queryHead;
  /// Of its queries and keys, where the mask has data to sum up (TilePlace).
  llvm::SmallVector<mlir::Value> querySummary, keySummary;
  /// Of gradients for operands: what they are for, and of which dimension of
  /// each an iteration has one index, the batch or the query head.
  struct OperandGradient {
    unsigned number;
    mlir::Value operand;
    std::optional<int64_t> batchDim, headDim;
  };
  llvm::SmallVector<OperandGradient> gradients;
  bool hasOwnBatch = false, hasOwnHead = false;
  bool findOwners();
};

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_TRANSFORMS_BACKWARDSTEPS_H
