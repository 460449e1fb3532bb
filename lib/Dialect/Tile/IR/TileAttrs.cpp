//===- TileAttrs.cpp - Layouts and instructions -----------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What each register layout and each matrix instruction says about itself.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/IR/Tile.h"

#include <limits>

using namespace mlir;
using namespace flash::tile;

using EmitError = llvm::function_ref<InFlightDiagnostic()>;

//===----------------------------------------------------------------------===//
// Layouts
//===----------------------------------------------------------------------===//

static LogicalResult verifyWarpCount(EmitError emitError, int64_t warps) {
  if (warps < 1 || warps > 32)
    return emitError() << "a layout needs 1 to 32 warps, not " << warps;
  return success();
}

/// Rows are dealt 16 to a warp, and all warps have the same number.
static LogicalResult verifyRows(EmitError emitError, ArrayRef<int64_t> shape,
                                int64_t rank, int64_t warps) {
  if (static_cast<int64_t>(shape.size()) != rank)
    return emitError() << "the layout is for rank " << rank
                       << ", but the fragment has rank " << shape.size();
  if (shape[0] % (16 * warps) != 0)
    return emitError() << "a fragment of " << shape[0]
                       << " rows cannot be dealt 16 by 16 to " << warps
                       << " warps";
  return success();
}

LogicalResult AccLayoutAttr::verify(EmitError emitError, int64_t warps) {
  return verifyWarpCount(emitError, warps);
}
int64_t AccLayoutAttr::getRank() const { return 2; }
int64_t AccLayoutAttr::getElementsPerLane(ArrayRef<int64_t> shape) const {
  return shape[0] * shape[1] / (32 * getWarps());
}
LogicalResult AccLayoutAttr::verifyFragment(EmitError emitError,
                                            ArrayRef<int64_t> shape,
                                            Type elementType) const {
  if (failed(verifyRows(emitError, shape, 2, getWarps())))
    return failure();
  if (shape[1] % 8 != 0)
    return emitError() << "an accumulator has a multiple of 8 columns, not "
                       << shape[1];
  return success();
}

LogicalResult LhsLayoutAttr::verify(EmitError emitError, int64_t warps) {
  return verifyWarpCount(emitError, warps);
}
int64_t LhsLayoutAttr::getRank() const { return 2; }
int64_t LhsLayoutAttr::getElementsPerLane(ArrayRef<int64_t> shape) const {
  return shape[0] * shape[1] / (32 * getWarps());
}
LogicalResult LhsLayoutAttr::verifyFragment(EmitError emitError,
                                            ArrayRef<int64_t> shape,
                                            Type elementType) const {
  if (failed(verifyRows(emitError, shape, 2, getWarps())))
    return failure();
  if (shape[1] % 16 != 0)
    return emitError() << "an A operand has a multiple of 16 columns, not "
                       << shape[1];
  if (!elementType.isF16() && !elementType.isBF16())
    return emitError() << "an A operand has elements f16 or bf16, not "
                       << elementType;
  return success();
}

LogicalResult RowLayoutAttr::verify(EmitError emitError, int64_t warps) {
  return verifyWarpCount(emitError, warps);
}
int64_t RowLayoutAttr::getRank() const { return 1; }
int64_t RowLayoutAttr::getElementsPerLane(ArrayRef<int64_t> shape) const {
  return shape[0] / (8 * getWarps());
}
LogicalResult RowLayoutAttr::verifyFragment(EmitError emitError,
                                            ArrayRef<int64_t> shape,
                                            Type elementType) const {
  return verifyRows(emitError, shape, 1, getWarps());
}

LogicalResult RowPartialLayoutAttr::verify(EmitError emitError, int64_t warps) {
  return verifyWarpCount(emitError, warps);
}
int64_t RowPartialLayoutAttr::getRank() const { return 1; }
int64_t
RowPartialLayoutAttr::getElementsPerLane(ArrayRef<int64_t> shape) const {
  return shape[0] / (8 * getWarps());
}
LogicalResult RowPartialLayoutAttr::verifyFragment(EmitError emitError,
                                                   ArrayRef<int64_t> shape,
                                                   Type elementType) const {
  return verifyRows(emitError, shape, 1, getWarps());
}

//===----------------------------------------------------------------------===//
// Matrix instructions
//===----------------------------------------------------------------------===//

static int64_t get16BitKGranularity(Type elementType) {
  return elementType.isF16() || elementType.isBF16() ? 16 : 0;
}

bool MmaSyncAttr::isAsynchronous() const { return false; }
int64_t MmaSyncAttr::getWarpsPerInstruction() const { return 1; }
int64_t MmaSyncAttr::getKGranularity(Type elementType) const {
  return get16BitKGranularity(elementType);
}
int64_t MmaSyncAttr::getNGranularity() const { return 8; }
int64_t MmaSyncAttr::getMaxN() const {
  return std::numeric_limits<int64_t>::max();
}

bool WgmmaAttr::isAsynchronous() const { return true; }
int64_t WgmmaAttr::getWarpsPerInstruction() const { return 4; }
int64_t WgmmaAttr::getKGranularity(Type elementType) const {
  return get16BitKGranularity(elementType);
}
int64_t WgmmaAttr::getNGranularity() const { return 8; }
int64_t WgmmaAttr::getMaxN() const { return 256; }
