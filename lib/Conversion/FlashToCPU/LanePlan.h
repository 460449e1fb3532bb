//===- LanePlan.h - Which loop of a linalg op lies along vectors ----------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_CONVERSION_FLASHTOCPU_LANEPLAN_H
#define FLASH_LIB_CONVERSION_FLASHTOCPU_LANEPLAN_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"

namespace flash {

/// The parts that the loop dimensions of a linalg op on buffers play: the
/// lanes, at most one row dimension (unrolled, so that a vector loaded once
/// serves several rows, or that vectors read along it can be turned), other
/// parallel ones, and reductions.
struct LanePlan {
  /// Fails, with the reason, for an op that cannot be vectorized.
  static mlir::FailureOr<LanePlan> get(mlir::RewriterBase &rewriter,
                                       mlir::linalg::LinalgOp op);

  mlir::AffineMap map(mlir::OpOperand &operand) const {
    return mlir::linalg::LinalgOp(op).getMatchingIndexingMap(&operand);
  }
  bool dependsOn(mlir::OpOperand &operand, int64_t dim) const {
    return dim >= 0 && map(operand).isFunctionOfDim(dim);
  }
  /// Which of the operand's dimensions a loop dimension is, if any.
  std::optional<unsigned> positionOf(mlir::OpOperand &operand,
                                     int64_t dim) const;
  /// Whether the operand's elements along the lanes are neighbours in memory.
  bool isContiguous(mlir::OpOperand &operand) const;
  /// Whether an output is carried through the reduction loops.
  bool isAccumulator(mlir::OpOperand &init) const {
    return llvm::any_of(reductions,
                        [&](int64_t dim) { return !dependsOn(init, dim); });
  }
  bool dependsOnReduction(mlir::OpOperand &operand) const {
    return llvm::any_of(reductions,
                        [&](int64_t dim) { return dependsOn(operand, dim); });
  }

  mlir::linalg::LinalgOp op;
  llvm::SmallVector<int64_t> sizes; ///< Static, or ShapedType::kDynamic.
  llvm::SmallVector<int64_t> outer, reductions;
  int64_t lanes = -1, row = -1;
  bool isContraction = false;

private:
  explicit LanePlan(mlir::linalg::LinalgOp op) : op(op) {}
  llvm::LogicalResult check(mlir::RewriterBase &rewriter);
  void chooseLanes();
};

} // namespace flash

#endif // FLASH_LIB_CONVERSION_FLASHTOCPU_LANEPLAN_H
