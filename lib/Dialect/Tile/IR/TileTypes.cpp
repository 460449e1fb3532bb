//===- TileTypes.cpp - Types of the tile dialect ----------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Syntax and verifiers of the types: shapes are written as in a memref,
// `128x64xf32`.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/IR/Tile.h"

#include "mlir/IR/DialectImplementation.h"

using namespace mlir;
using namespace flash::tile;

using EmitError = llvm::function_ref<InFlightDiagnostic()>;

/// Parses `128x64xf32`.
static ParseResult parseShape(AsmParser &parser,
                              SmallVectorImpl<int64_t> &shape,
                              Type &elementType) {
  return failure(parser.parseDimensionList(shape, /*allowDynamic=*/false) ||
                 parser.parseType(elementType));
}

/// Parses `128x64xf32` for a type whose rank is two.
static ParseResult parseTileShape(AsmParser &parser,
                                  SmallVectorImpl<int64_t> &shape,
                                  Type &elementType) {
  SMLoc loc = parser.getCurrentLocation();
  if (parseShape(parser, shape, elementType))
    return failure();
  if (shape.size() != 2)
    return parser.emitError(loc) << "expected a tile of rank 2";
  return success();
}

static void printShape(AsmPrinter &printer, ArrayRef<int64_t> shape,
                       Type elementType) {
  for (int64_t size : shape)
    printer << size << 'x';
  printer << elementType;
}

/// No multiprocessor holds more; products of a few sizes fit 64 bits.
static LogicalResult verifySizes(EmitError emitError, ArrayRef<int64_t> shape) {
  constexpr int64_t kLargest = 1 << 20;
  for (int64_t size : shape)
    if (size < 1 || size > kLargest)
      return emitError() << "a tile has sizes of 1 to " << kLargest << ", not "
                         << size;
  return success();
}

//===----------------------------------------------------------------------===//
// Fragment
//===----------------------------------------------------------------------===//

Type FragmentType::parse(AsmParser &parser) {
  SmallVector<int64_t> shape;
  Type elementType;
  LayoutAttrInterface layout;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parseShape(parser, shape, elementType) ||
      parser.parseComma() || parser.parseAttribute(layout) ||
      parser.parseGreater())
    return {};
  return parser.getChecked<FragmentType>(loc, shape, elementType, layout);
}

void FragmentType::print(AsmPrinter &printer) const {
  printer << '<';
  printShape(printer, getShape(), getElementType());
  printer << ", " << getLayout() << '>';
}

LogicalResult FragmentType::verify(EmitError emitError, ArrayRef<int64_t> shape,
                                   Type elementType,
                                   LayoutAttrInterface layout) {
  if (!elementType.isIntOrIndexOrFloat())
    return emitError() << "a fragment has elements of a scalar type, not "
                       << elementType;
  if (failed(verifySizes(emitError, shape)))
    return failure();
  return layout.verifyFragment(emitError, shape, elementType);
}

//===----------------------------------------------------------------------===//
// Shared
//===----------------------------------------------------------------------===//

Type SharedType::parse(AsmParser &parser) {
  SmallVector<int64_t> shape;
  Type elementType;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parseTileShape(parser, shape, elementType) ||
      parser.parseGreater())
    return {};
  return parser.getChecked<SharedType>(loc, shape[0], shape[1], elementType);
}

void SharedType::print(AsmPrinter &printer) const {
  printer << '<';
  printShape(printer, {getRows(), getColumns()}, getElementType());
  printer << '>';
}

LogicalResult SharedType::verify(EmitError emitError, int64_t rows,
                                 int64_t columns, Type elementType) {
  if (failed(verifySizes(emitError, {rows, columns})))
    return failure();
  if (!elementType.isIntOrFloat() ||
      !llvm::is_contained({8u, 16u, 32u}, elementType.getIntOrFloatBitWidth()))
    return emitError() << "a shared tile has elements of 8, 16 or 32 bits, not "
                       << elementType;
  if (rows % 8 != 0 && rows != 1)
    return emitError() << "a shared tile has a multiple of 8 rows (the period "
                          "of the swizzle) or one row, not "
                       << rows;
  if (columns * elementType.getIntOrFloatBitWidth() % 128 != 0)
    return emitError() << "a row of a shared tile is a multiple of 16 bytes, "
                          "but "
                       << columns << " columns of " << elementType
                       << " are not";
  return success();
}

int64_t SharedType::getPanelColumns() const {
  return 128 * 8 / getElementType().getIntOrFloatBitWidth();
}

int64_t SharedType::getPanels() const {
  return llvm::divideCeil(getColumns(), getPanelColumns());
}

//===----------------------------------------------------------------------===//
// Ring
//===----------------------------------------------------------------------===//

Type RingType::parse(AsmParser &parser) {
  int64_t stages = 0;
  SmallVector<int64_t> shape;
  Type elementType;
  StringRef keyword;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseInteger(stages) ||
      parser.parseComma() || parseTileShape(parser, shape, elementType) ||
      parser.parseComma())
    return {};
  SMLoc kindLoc = parser.getCurrentLocation();
  if (parser.parseKeyword(&keyword))
    return {};
  std::optional<RingKind> kind = symbolizeRingKind(keyword);
  if (!kind) {
    parser.emitError(kindLoc) << "expected cp_async or mbarrier";
    return {};
  }
  int64_t cluster = 1, barriers = 0;
  bool watched = false;
  while (succeeded(parser.parseOptionalComma())) {
    if (succeeded(parser.parseOptionalKeyword("watched")))
      watched = true;
    else if (succeeded(parser.parseOptionalKeyword("barriers"))) {
      if (parser.parseInteger(barriers))
        return {};
    } else if (parser.parseKeyword("cluster") || parser.parseInteger(cluster))
      return {};
  }
  if (parser.parseGreater())
    return {};
  auto tile =
      parser.getChecked<SharedType>(loc, shape[0], shape[1], elementType);
  if (!tile)
    return {};
  return parser.getChecked<RingType>(loc, stages, tile, *kind, cluster, watched,
                                     barriers);
}

void RingType::print(AsmPrinter &printer) const {
  printer << '<' << getStages() << ", ";
  printShape(printer, {getTile().getRows(), getTile().getColumns()},
             getTile().getElementType());
  printer << ", " << stringifyRingKind(getKind());
  if (getCluster() > 1)
    printer << ", cluster " << getCluster();
  if (getWatched())
    printer << ", watched";
  if (getBarriers())
    printer << ", barriers " << getBarriers();
  printer << '>';
}

LogicalResult RingType::verify(EmitError emitError, int64_t stages,
                               SharedType tile, RingKind kind, int64_t cluster,
                               bool watched, int64_t barriers) {
  if (barriers && (kind != RingKind::MBarrier || barriers % 8 ||
                   barriers < stages * tile.getSizeInBytes()))
    return emitError() << "barriers lie after the stages, at a multiple of 8 "
                          "bytes, which "
                       << barriers << " is not";
  if (stages < 1 || stages > 32)
    return emitError() << "a ring has 1 to 32 stages, not " << stages;
  if (cluster < 1 || cluster > 8)
    return emitError() << "a ring is shared by 1 to 8 blocks, not " << cluster;
  if (cluster > 1 && kind != RingKind::MBarrier)
    return emitError() << "a ring of kind cp_async is not shared by blocks";
  if (watched && kind != RingKind::MBarrier)
    return emitError() << "a ring of kind cp_async is not watched: who fills "
                          "it clears it (flash_tile.clear_unseen)";
  // A vector along columns is one row.
  bool isVector = tile.getRows() == 1 && cluster == 1;
  if (!isVector && tile.getRows() % (8 * cluster))
    return emitError() << "each of " << cluster
                       << " blocks copies whole groups of 8 rows, which "
                       << tile.getRows() << " rows are not";
  return success();
}

//===----------------------------------------------------------------------===//
// Pending
//===----------------------------------------------------------------------===//

LogicalResult PendingType::verify(EmitError emitError,
                                  FragmentType accumulator) {
  if (!isa<AccLayoutAttr>(accumulator.getLayout()))
    return emitError() << "only an accumulator can be pending, not "
                       << accumulator;
  return success();
}

//===----------------------------------------------------------------------===//
// TensorMap
//===----------------------------------------------------------------------===//

Type TensorMapType::parse(AsmParser &parser) {
  SmallVector<int64_t> box;
  Type elementType;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parseShape(parser, box, elementType) ||
      parser.parseGreater())
    return {};
  return parser.getChecked<TensorMapType>(loc, box, elementType);
}

void TensorMapType::print(AsmPrinter &printer) const {
  printer << '<';
  printShape(printer, getBox(), getElementType());
  printer << '>';
}

LogicalResult TensorMapType::verify(EmitError emitError, ArrayRef<int64_t> box,
                                    Type elementType) {
  if (box.size() < 2 || box.size() > 5)
    return emitError() << "a tensor map has 2 to 5 dimensions, not "
                       << box.size();
  for (int64_t size : box)
    if (size < 1 || size > 256)
      return emitError() << "a box has sizes of 1 to 256, not " << size;
  if (!elementType.isIntOrFloat() ||
      box.back() * elementType.getIntOrFloatBitWidth() != 1024)
    return emitError() << "the last size of a box is a panel of 128 bytes, but "
                       << box.back() << " elements of " << elementType
                       << " are not";
  return success();
}
