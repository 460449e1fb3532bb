//===- OpUtils.h - Shared by the verifiers of ops ---------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Checks whose messages name the dimension and both values, and patterns that
// several ops have.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_IR_OPUTILS_H
#define FLASH_LIB_DIALECT_FLASH_IR_OPUTILS_H

#include "flash/Dialect/Flash/IR/Flash.h"
#include "flash/Dialect/Flash/IR/MaskRange.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

namespace flash {

/// Whether two sizes can be equal at run time.
inline bool compatible(int64_t a, int64_t b) {
  return mlir::ShapedType::isDynamic(a) || mlir::ShapedType::isDynamic(b) ||
         a == b;
}

/// Whether keys and values of this type have factors.
inline bool isNarrow(mlir::RankedTensorType type) {
  return type.getElementTypeBitWidth() == 8;
}

/// A dimension of a named operand, for messages.
struct NamedDim {
  llvm::StringRef owner;
  mlir::RankedTensorType type;
  int64_t dim;
  int64_t size() const { return type.getDimSize(dim); }
};

/// Checks that two dimensions that mean the same have the same size.
llvm::LogicalResult checkSame(mlir::Operation *op, llvm::StringRef what,
                              NamedDim a, NamedDim b);

/// Checks that two element types are the same.
llvm::LogicalResult checkElement(mlir::Operation *op, llvm::StringRef aName,
                                 mlir::Type a, llvm::StringRef bName,
                                 mlir::Type b);

/// Checks that keys have the queries' element type or 8 bits, and so values.
llvm::LogicalResult checkKeyElements(mlir::Operation *op,
                                     mlir::RankedTensorType query,
                                     mlir::RankedTensorType key,
                                     mlir::RankedTensorType value);

/// Checks that a factor is there exactly where what it belongs to has 8 bits.
llvm::LogicalResult checkFactor(mlir::Operation *op, llvm::StringRef name,
                                mlir::Value factor, llvm::StringRef owners,
                                mlir::RankedTensorType type);

/// Checks what all attentions have alike: queries, keys and values, lengths,
/// the data of masks and scores, dropout.
llvm::LogicalResult verifyAttention(AttentionOpInterface op);

/// Checks a tensor that has the shape of the output, or of the log-sum-exp.
llvm::LogicalResult verifyOutput(AttentionOpInterface op, llvm::StringRef name,
                                 mlir::RankedTensorType type);
llvm::LogicalResult verifyLse(AttentionOpInterface op, llvm::StringRef name,
                              mlir::RankedTensorType type);

/// Checks the score and mask regions and that captures are read.
llvm::LogicalResult verifyAttentionRegions(AttentionOpInterface op);

/// Checks the block of a score or mask region: its arguments and what it
/// yields.
llvm::LogicalResult verifyBody(mlir::Operation *op, llvm::StringRef name,
                               mlir::Region &body, mlir::Type score,
                               mlir::ValueRange captures);

/// Says by attributes what a mask region says of distances.
template <typename OpT> struct LiftMaskRegion : mlir::OpRewritePattern<OpT> {
  using mlir::OpRewritePattern<OpT>::OpRewritePattern;
  llvm::LogicalResult
  matchAndRewrite(OpT op, mlir::PatternRewriter &rewriter) const override {
    return liftMaskRegion(rewriter, op);
  }
};

/// Reads through a tensor.cast that only forgot static sizes. Not of captures:
/// their types are those of block arguments.
template <typename OpT> struct AbsorbCasts : mlir::OpRewritePattern<OpT> {
  using mlir::OpRewritePattern<OpT>::OpRewritePattern;
  llvm::LogicalResult
  matchAndRewrite(OpT op, mlir::PatternRewriter &rewriter) const override {
    bool changed = false;
    rewriter.startOpModification(op);
    for (mlir::OpOperand &operand : op->getOpOperands()) {
      auto cast = operand.get().template getDefiningOp<mlir::tensor::CastOp>();
      if (!cast || !mlir::tensor::canFoldIntoConsumerOp(cast) ||
          isCapture(op, operand))
        continue;
      operand.set(cast.getSource());
      changed = true;
    }
    if (!changed) {
      rewriter.cancelOpModification(op);
      return rewriter.notifyMatchFailure(op, "no cast to absorb");
    }
    rewriter.finalizeOpModification(op);
    return mlir::success();
  }

private:
  static bool isCapture(OpT op, mlir::OpOperand &operand) {
    if constexpr (OpT::template hasTrait<AttentionOpInterface::Trait>()) {
      auto [start, length] =
          op.getODSOperandIndexAndLength(OpT::odsIndex_captures);
      return operand.getOperandNumber() >= start &&
             operand.getOperandNumber() < start + length;
    }
    return false;
  }
};

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_IR_OPUTILS_H
