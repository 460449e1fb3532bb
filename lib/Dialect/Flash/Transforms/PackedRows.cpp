//===- PackedRows.cpp - Tiles of queries of several heads -------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %s = tensor.extract_slice %q[%b, %i, %h, 0] [1, %n, 8, 64] [1, 1, 1, 1]
//   %p = tensor.pad %s low[0, 0, 0] high[%m, 0, 0] : ... to tensor<16x8x64xf32>
//   %t = tensor.collapse_shape %p [[0, 1], [2]] : ... into tensor<128x64xf32>
//
// and back for results. A tensor of one number a row has heads before rows,
// whatever the layout: where the tile has them the other way round, it is
// transposed first.
//
//===----------------------------------------------------------------------===//

#include "PackedRows.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace flash;

int64_t flash::positionsOf(PackingAttr packing, int64_t rows) {
  return packing ? rows / packing.getHeads() : rows;
}

RowPlace flash::placeOfRow(OpBuilder &builder, Location loc,
                           PackingAttr packing, int64_t rows, Value row) {
  if (!packing)
    return {row, Value()};
  // Neighbouring rows differ in what is inside.
  int64_t inside =
      packing.getHeadsOuter() ? positionsOf(packing, rows) : packing.getHeads();
  Value size = arith::ConstantIndexOp::create(builder, loc, inside);
  Value outer = arith::DivUIOp::create(builder, loc, row, size);
  Value inner = arith::RemUIOp::create(builder, loc, row, size);
  return packing.getHeadsOuter() ? RowPlace{inner, outer}
                                 : RowPlace{outer, inner};
}

namespace {
/// The slice of a tensor that a tile is; its dimensions but the batch.
struct PackedSlice {
  SmallVector<OpFoldResult> offsets, sizes, strides;
  /// The dimension of the slice without the batch along which positions run.
  int64_t positionDim;

  PackedSlice(OpBuilder &b, RankedTensorType type, const PackedPlace &place,
              PackingAttr packing) {
    OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1),
                 heads = b.getIndexAttr(packing.getHeads());
    bool headFirst = type.getRank() == 3 || place.layout == Layout::BHSD;
    positionDim = headFirst ? 1 : 0;
    offsets = {place.batch, place.head, place.first};
    sizes = {one, heads, place.count};
    if (!headFirst) {
      std::swap(offsets[1], offsets[2]);
      std::swap(sizes[1], sizes[2]);
    }
    if (type.getRank() == 4) {
      offsets.push_back(zero);
      sizes.push_back(b.getIndexAttr(type.getDimSize(3)));
    }
    strides.assign(type.getRank(), one);
  }

  /// The shape without the batch, as far as it is known.
  SmallVector<int64_t> shape() const {
    SmallVector<int64_t> shape;
    for (OpFoldResult size : llvm::drop_begin(sizes))
      shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
    return shape;
  }
};
} // namespace

/// Rows as positions and heads, in their order; columns, if there are any.
static SmallVector<int64_t> expandedShape(PackingAttr packing,
                                          ArrayRef<int64_t> tileShape) {
  SmallVector<int64_t> shape{positionsOf(packing, tileShape[0]),
                             packing.getHeads()};
  if (packing.getHeadsOuter())
    std::swap(shape[0], shape[1]);
  llvm::append_range(shape, tileShape.drop_front());
  return shape;
}

static SmallVector<ReassociationIndices> groupRows(int64_t rank) {
  SmallVector<ReassociationIndices> groups{{0, 1}};
  if (rank == 2)
    groups.push_back({2});
  return groups;
}

Value flash::readPackedTile(OpBuilder &builder, Location loc, Value tensor,
                            const PackedPlace &place, PackingAttr packing,
                            ArrayRef<int64_t> tileShape) {
  auto type = cast<RankedTensorType>(tensor.getType());
  Type element = type.getElementType();
  PackedSlice slice(builder, type, place, packing);
  SmallVector<int64_t> shape = expandedShape(packing, tileShape);
  Value tile = tensor::ExtractSliceOp::create(
      builder, loc, RankedTensorType::get(slice.shape(), element), tensor,
      slice.offsets, slice.sizes, slice.strides);
  if (slice.shape() != shape) {
    IndexBuilder index(builder, loc);
    SmallVector<OpFoldResult> low(3, builder.getIndexAttr(0)), high = low;
    int64_t dim = slice.positionDim;
    Value count = getValueOrCreateConstantIndexOp(builder, loc, place.count);
    high[dim] = getAsOpFoldResult(index.sub(index.constant(shape[dim]), count));
    high[2] = builder.getIndexAttr(shape[2] - type.getDimSize(3));
    Value zero = arith::ConstantOp::create(
        builder, loc, cast<TypedAttr>(builder.getZeroAttr(element)));
    tile = tensor::PadOp::create(builder, loc,
                                 RankedTensorType::get(shape, element), tile,
                                 low, high, zero);
  }
  return tensor::CollapseShapeOp::create(
      builder, loc, RankedTensorType::get(tileShape, element), tile,
      groupRows(2));
}

void flash::insertPackedTile(OpBuilder &builder, Location loc, Value tile,
                             Value dest, const PackedPlace &place,
                             PackingAttr packing,
                             scf::InParallelOp inParallel) {
  auto destType = cast<RankedTensorType>(dest.getType());
  auto tileType = cast<RankedTensorType>(tile.getType());
  Type element = tileType.getElementType();
  PackedSlice slice(builder, destType, place, packing);
  SmallVector<int64_t> shape = expandedShape(packing, tileType.getShape());
  Value rows = tensor::ExpandShapeOp::create(
      builder, loc, RankedTensorType::get(shape, element), tile,
      groupRows(tileType.getRank()));
  if (tileType.getRank() == 1 && !packing.getHeadsOuter()) {
    std::swap(shape[0], shape[1]);
    Value empty = tensor::EmptyOp::create(builder, loc, shape, element);
    rows = linalg::TransposeOp::create(builder, loc, rows, empty,
                                       ArrayRef<int64_t>{1, 0})
               ->getResult(0);
  }
  int64_t rank = shape.size();
  SmallVector<OpFoldResult> none(rank, builder.getIndexAttr(0)),
      ones(rank, builder.getIndexAttr(1)), sizes(llvm::drop_begin(slice.sizes));
  Value part = tensor::ExtractSliceOp::create(
      builder, loc, RankedTensorType::get(slice.shape(), element), rows, none,
      sizes, ones);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(inParallel.getBody());
  tensor::ParallelInsertSliceOp::create(builder, loc, part, dest, slice.offsets,
                                        slice.sizes, slice.strides);
}
