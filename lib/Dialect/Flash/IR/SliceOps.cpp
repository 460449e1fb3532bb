//===- SliceOps.cpp - Sums over iterations --------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifiers and interfaces of flash.add_slice and flash.parallel_add_slice.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/IR/Flash.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace flash;

/// The source is a slice of the destination, dimensions of size 1 dropped.
template <typename OpT> static LogicalResult verifySlice(OpT op) {
  RankedTensorType dest = op.getDestType(), source = op.getSourceType();
  if (!isa<FloatType>(dest.getElementType()))
    return op.emitOpError() << "adds floats, not " << dest.getElementType();
  if (!op.hasUnitStride())
    return op.emitOpError() << "has strides that are not 1";
  RankedTensorType slice =
      tensor::ExtractSliceOp::inferResultType(dest, op.getStaticSizes());
  if (isRankReducedType(slice, source) != SliceVerificationResult::Success)
    return op.emitOpError()
           << "adds " << source << " to a slice of type " << slice;
  return success();
}

/// Of a slice that verifies, some dimensions of size 1.
template <typename OpT> static llvm::SmallBitVector findDroppedDims(OpT op) {
  llvm::SmallBitVector dropped(op.getDestType().getRank());
  auto mask = computeRankReductionMask(op.getStaticSizes(),
                                       op.getSourceType().getShape());
  for (unsigned dim : mask.value_or(llvm::SmallDenseSet<unsigned>()))
    dropped.set(dim);
  return dropped;
}

llvm::SmallBitVector AddSliceOp::getDroppedDims() {
  return findDroppedDims(*this);
}

llvm::SmallBitVector ParallelAddSliceOp::getDroppedDims() {
  return findDroppedDims(*this);
}

LogicalResult AddSliceOp::verify() { return verifySlice(*this); }

LogicalResult ParallelAddSliceOp::verify() {
  if (!isa<InParallelOpInterface>((*this)->getParentOp()))
    return emitOpError() << "belongs in scf.forall.in_parallel";
  return verifySlice(*this);
}

MutableOperandRange ParallelAddSliceOp::getUpdatedDestinations() {
  return getDestMutable();
}

Operation *ParallelAddSliceOp::getIteratingParent() {
  if (auto combining = dyn_cast<InParallelOpInterface>((*this)->getParentOp()))
    return combining->getParentOp();
  return nullptr;
}
