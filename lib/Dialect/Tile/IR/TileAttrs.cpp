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

static LogicalResult verifyWarpCount(EmitError emitError, int64_t warps,
                                     int64_t columnGroups) {
  if (warps < 1 || warps > 32)
    return emitError() << "a layout needs 1 to 32 warps, not " << warps;
  if (columnGroups < 1 || warps % columnGroups != 0)
    return emitError() << warps << " warps cannot be dealt to " << columnGroups
                       << " groups of columns";
  return success();
}

static LogicalResult verifyRank(EmitError emitError, ArrayRef<int64_t> shape,
                                int64_t rank) {
  if (static_cast<int64_t>(shape.size()) != rank)
    return emitError() << "the layout is for rank " << rank
                       << ", but the fragment has rank " << shape.size();
  return success();
}

/// Rows are dealt 16 to a warp, and all warps have the same number.
static LogicalResult verifyRows(EmitError emitError, ArrayRef<int64_t> shape,
                                int64_t rank, LayoutAttrInterface layout) {
  if (failed(verifyRank(emitError, shape, rank)))
    return failure();
  int64_t warps = layout.getWarps() / layout.getColumnGroups();
  if (shape[0] % (16 * warps) != 0)
    return emitError() << "a fragment of " << shape[0]
                       << " rows cannot be dealt 16 by 16 to " << warps
                       << " warps";
  return success();
}

/// Columns are dealt in blocks of `block` to the groups.
static LogicalResult verifyColumns(EmitError emitError, StringRef what,
                                   int64_t columns, int64_t block,
                                   LayoutAttrInterface layout) {
  int64_t groups = layout.getColumnGroups();
  if (columns % (block * groups) == 0)
    return success();
  InFlightDiagnostic error = emitError() << what << " has a multiple of "
                                         << block << " columns";
  if (groups > 1)
    error << " in each of " << groups << " groups";
  return error << ", not " << columns;
}

static int64_t getMatrixElements(ArrayRef<int64_t> shape,
                                 LayoutAttrInterface layout) {
  return shape[0] * shape[1] / (32 * layout.getWarps());
}

/// Two rows of each 16, whatever the column.
static int64_t getRowElements(ArrayRef<int64_t> shape,
                              LayoutAttrInterface layout) {
  return shape[0] / (8 * layout.getWarps() / layout.getColumnGroups());
}

/// Two columns of each 8, whatever the row.
static int64_t getColumnElements(ArrayRef<int64_t> shape,
                                 LayoutAttrInterface layout) {
  return shape[0] / (4 * layout.getColumnGroups());
}

/// Two of the rows of each 16 that the warps step down by.
static SmallVector<int64_t> getLaneRows(int64_t rows,
                                        LayoutAttrInterface layout) {
  SmallVector<int64_t> places;
  int64_t step = 16 * (layout.getWarps() / layout.getColumnGroups());
  for (int64_t row = 0; row < rows; row += step)
    places.append({row, row + 8});
  return places;
}

/// Two of each 8 columns of the group.
static SmallVector<int64_t> getLaneColumns(int64_t columns,
                                           LayoutAttrInterface layout) {
  SmallVector<int64_t> places;
  for (int64_t column = 0, end = columns / layout.getColumnGroups();
       column < end; column += 8)
    places.append({column, column + 1});
  return places;
}

/// Each 8 columns of two rows after the other.
static SmallVector<LanePlace> getMatrixPlaces(ArrayRef<int64_t> shape,
                                              LayoutAttrInterface layout) {
  SmallVector<int64_t> rows = getLaneRows(shape[0], layout),
                       columns = getLaneColumns(shape[1], layout);
  SmallVector<LanePlace> places;
  for (size_t r = 0; r < rows.size(); r += 2)
    for (size_t i = 0; i < columns.size(); i += 2)
      for (int64_t row : {rows[r], rows[r + 1]})
        for (int64_t column : {columns[i], columns[i + 1]})
          places.push_back({row, column});
  return places;
}

static SmallVector<LanePlace> getRowPlaces(ArrayRef<int64_t> shape,
                                           LayoutAttrInterface layout) {
  return llvm::map_to_vector(getLaneRows(shape[0], layout),
                             [](int64_t row) { return LanePlace{row, 0}; });
}

static SmallVector<LanePlace> getColumnPlaces(ArrayRef<int64_t> shape,
                                              LayoutAttrInterface layout) {
  return llvm::map_to_vector(
      getLaneColumns(shape[0], layout),
      [](int64_t column) { return LanePlace{0, column}; });
}

LogicalResult AccLayoutAttr::verify(EmitError emitError, int64_t warps,
                                    int64_t columnGroups) {
  return verifyWarpCount(emitError, warps, columnGroups);
}
int64_t AccLayoutAttr::getRank() const { return 2; }
int64_t AccLayoutAttr::getElementsPerLane(ArrayRef<int64_t> shape) const {
  return getMatrixElements(shape, *this);
}
SmallVector<LanePlace>
AccLayoutAttr::getLanePlaces(ArrayRef<int64_t> shape) const {
  return getMatrixPlaces(shape, *this);
}
LogicalResult AccLayoutAttr::verifyFragment(EmitError emitError,
                                            ArrayRef<int64_t> shape,
                                            Type elementType) const {
  if (failed(verifyRows(emitError, shape, 2, *this)))
    return failure();
  return verifyColumns(emitError, "an accumulator", shape[1], 8, *this);
}

LogicalResult LhsLayoutAttr::verify(EmitError emitError, int64_t warps,
                                    int64_t columnGroups) {
  if (columnGroups != 1)
    return emitError() << "an A operand has all of its columns in each warp, "
                          "and no groups of them";
  return verifyWarpCount(emitError, warps, columnGroups);
}
int64_t LhsLayoutAttr::getRank() const { return 2; }
int64_t LhsLayoutAttr::getElementsPerLane(ArrayRef<int64_t> shape) const {
  return getMatrixElements(shape, *this);
}
SmallVector<LanePlace>
LhsLayoutAttr::getLanePlaces(ArrayRef<int64_t> shape) const {
  return getMatrixPlaces(shape, *this);
}
LogicalResult LhsLayoutAttr::verifyFragment(EmitError emitError,
                                            ArrayRef<int64_t> shape,
                                            Type elementType) const {
  if (failed(verifyRows(emitError, shape, 2, *this)))
    return failure();
  // Half a step, or whole ones.
  if (shape[1] != 8 &&
      failed(verifyColumns(emitError, "an A operand", shape[1], 16, *this)))
    return failure();
  if (!elementType.isF16() && !elementType.isBF16())
    return emitError() << "an A operand has elements f16 or bf16, not "
                       << elementType;
  return success();
}

LogicalResult StreamLayoutAttr::verify(EmitError emitError, int64_t warps,
                                       int64_t run, int64_t columnGroups) {
  if (run != 2 && run != 4 && run != 8 && run != 16)
    return emitError() << "a run is 2, 4, 8 or 16 columns, not " << run;
  return verifyWarpCount(emitError, warps, columnGroups);
}
int64_t StreamLayoutAttr::getRank() const { return 2; }
int64_t StreamLayoutAttr::getElementsPerLane(ArrayRef<int64_t> shape) const {
  return getMatrixElements(shape, *this);
}
/// One row after the other, and in it one run after the other.
SmallVector<LanePlace>
StreamLayoutAttr::getLanePlaces(ArrayRef<int64_t> shape) const {
  SmallVector<LanePlace> places;
  int64_t columns = shape[1] / getColumnGroups();
  for (int64_t row : getLaneRows(shape[0], *this))
    for (int64_t first = 0; first < columns; first += 4 * getRun())
      for (int64_t column = first; column < first + getRun(); ++column)
        places.push_back({row, column});
  return places;
}
LogicalResult StreamLayoutAttr::verifyFragment(EmitError emitError,
                                               ArrayRef<int64_t> shape,
                                               Type elementType) const {
  if (failed(verifyRows(emitError, shape, 2, *this)))
    return failure();
  return verifyColumns(emitError, "a fragment of four runs a row", shape[1],
                       4 * getRun(), *this);
}

LogicalResult RowLayoutAttr::verify(EmitError emitError, int64_t warps,
                                    int64_t columnGroups) {
  return verifyWarpCount(emitError, warps, columnGroups);
}
int64_t RowLayoutAttr::getRank() const { return 1; }
int64_t RowLayoutAttr::getElementsPerLane(ArrayRef<int64_t> shape) const {
  return getRowElements(shape, *this);
}
SmallVector<LanePlace>
RowLayoutAttr::getLanePlaces(ArrayRef<int64_t> shape) const {
  return getRowPlaces(shape, *this);
}
LogicalResult RowLayoutAttr::verifyFragment(EmitError emitError,
                                            ArrayRef<int64_t> shape,
                                            Type elementType) const {
  return verifyRows(emitError, shape, 1, *this);
}

LogicalResult RowPartialLayoutAttr::verify(EmitError emitError, int64_t warps,
                                           int64_t columnGroups) {
  return verifyWarpCount(emitError, warps, columnGroups);
}
int64_t RowPartialLayoutAttr::getRank() const { return 1; }
int64_t
RowPartialLayoutAttr::getElementsPerLane(ArrayRef<int64_t> shape) const {
  return getRowElements(shape, *this);
}
SmallVector<LanePlace>
RowPartialLayoutAttr::getLanePlaces(ArrayRef<int64_t> shape) const {
  return getRowPlaces(shape, *this);
}
LogicalResult RowPartialLayoutAttr::verifyFragment(EmitError emitError,
                                                   ArrayRef<int64_t> shape,
                                                   Type elementType) const {
  return verifyRows(emitError, shape, 1, *this);
}

LogicalResult ColLayoutAttr::verify(EmitError emitError, int64_t warps,
                                    int64_t columnGroups) {
  return verifyWarpCount(emitError, warps, columnGroups);
}
int64_t ColLayoutAttr::getRank() const { return 1; }
int64_t ColLayoutAttr::getElementsPerLane(ArrayRef<int64_t> shape) const {
  return getColumnElements(shape, *this);
}
SmallVector<LanePlace>
ColLayoutAttr::getLanePlaces(ArrayRef<int64_t> shape) const {
  return getColumnPlaces(shape, *this);
}
LogicalResult ColLayoutAttr::verifyFragment(EmitError emitError,
                                            ArrayRef<int64_t> shape,
                                            Type elementType) const {
  if (failed(verifyRank(emitError, shape, 1)))
    return failure();
  return verifyColumns(emitError, "a vector over columns", shape[0], 8, *this);
}

LogicalResult ColPartialLayoutAttr::verify(EmitError emitError, int64_t warps,
                                           int64_t columnGroups) {
  return verifyWarpCount(emitError, warps, columnGroups);
}
int64_t ColPartialLayoutAttr::getRank() const { return 1; }
int64_t
ColPartialLayoutAttr::getElementsPerLane(ArrayRef<int64_t> shape) const {
  return getColumnElements(shape, *this);
}
SmallVector<LanePlace>
ColPartialLayoutAttr::getLanePlaces(ArrayRef<int64_t> shape) const {
  return getColumnPlaces(shape, *this);
}
LogicalResult ColPartialLayoutAttr::verifyFragment(EmitError emitError,
                                                   ArrayRef<int64_t> shape,
                                                   Type elementType) const {
  if (failed(verifyRank(emitError, shape, 1)))
    return failure();
  return verifyColumns(emitError, "a vector over columns", shape[0], 8, *this);
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

std::string MmaSyncAttr::getWarpProduct(Type elementType) const {
  std::string type = elementType.isBF16() ? "bf16" : "f16";
  return "mma.sync.aligned.m16n8k16.row.col.f32." + type + "." + type +
         ".f32 {$0, $1, $2, $3}, {$4, $5, $6, $7}, {$8, $9}, "
         "{$0, $1, $2, $3};";
}

bool WgmmaAttr::isAsynchronous() const { return true; }
int64_t WgmmaAttr::getWarpsPerInstruction() const { return 4; }
int64_t WgmmaAttr::getKGranularity(Type elementType) const {
  return get16BitKGranularity(elementType);
}
bool WgmmaAttr::takesHalfStep() const { return true; }
int64_t WgmmaAttr::getNGranularity() const { return 8; }
int64_t WgmmaAttr::getMaxN() const { return 256; }
