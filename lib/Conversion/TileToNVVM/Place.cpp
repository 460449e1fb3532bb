//===- Place.cpp - Where a tile lies in device memory -----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Strides and base come from the memref's descriptor, which is still a memref
// here: memref.extract_strided_metadata.
//
//===----------------------------------------------------------------------===//

#include "Place.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace flash::tile;

Place Place::get(Emitter &e, Value memref, ValueRange offsets, int64_t rowDim,
                 PackedRowsAttr packed, int64_t tileRows) {
  auto type = cast<MemRefType>(memref.getType());
  int64_t elementBytes = type.getElementTypeBitWidth() / 8;
  auto metadata = memref::ExtractStridedMetadataOp::create(e, memref);
  Value pointer = memref::ExtractAlignedPointerAsIndexOp::create(e, memref);
  Value offset = e.toI64(metadata.getOffset());
  SmallVector<Value> strides;
  for (Value stride : metadata.getStrides())
    strides.push_back(e.toI64(stride));
  Place place;
  place.rowStride = e.mul(strides[rowDim], elementBytes);
  place.packed = packed;
  place.tileRows = tileRows;
  if (packed)
    place.packedStride = e.mul(strides[packed.getDim()], elementBytes);
  for (auto [dim, position] : llvm::enumerate(offsets)) {
    Value at = e.toI64(position);
    if (packed && int64_t(dim) == rowDim)
      place.rowOffset = at;
    else if (packed && int64_t(dim) == packed.getDim())
      place.packedOffset = at;
    else
      offset = e.add(offset, e.mul(at, strides[dim]));
  }
  place.base = e.add(e.toI64(pointer), e.mul(offset, elementBytes));
  return place;
}

Place Place::inPages(Emitter &e, Value memref, ValueRange offsets,
                     int64_t rowDim, Value pages, Value sequence,
                     int64_t tileRows) {
  SmallVector<Value> inPage(offsets);
  inPage[0] = inPage[rowDim] = arith::ConstantIndexOp::create(e, 0);
  Place place = get(e, memref, inPage, rowDim, PackedRowsAttr(), tileRows);
  auto type = cast<MemRefType>(memref.getType());
  auto metadata = memref::ExtractStridedMetadataOp::create(e, memref);
  auto size = [&](int64_t dim) {
    return type.isDynamicDim(dim) ? e.toI32(metadata.getSizes()[dim])
                                  : e.i32(type.getDimSize(dim));
  };
  place.pages = pages;
  place.sequence = sequence;
  place.firstRow = e.toI32(offsets[rowDim]);
  place.pageStride = e.mul(e.toI64(metadata.getStrides()[0]),
                           type.getElementTypeBitWidth() / 8);
  place.pageSize = size(rowDim);
  place.lastPage = e.sub(size(0), e.i32(1));
  return place;
}

/// The address of a row of the tile that its sequence's table says.
static Value lookUp(Emitter &e, const Place &place, Value row) {
  // Before the first row lies what an empty tile asks for and does not read.
  Value inSequence = e.max(e.add(place.firstRow, row), e.i32(0));
  APInt size;
  Value at = matchPattern(place.pageSize, m_ConstantInt(&size))
                 ? e.div(inSequence, size.getSExtValue())
                 : Value(arith::DivUIOp::create(e, inSequence, place.pageSize));
  Value inPage = e.sub(inSequence, e.mul(at, place.pageSize));
  Value number = memref::LoadOp::create(
      e, place.pages, ValueRange{place.sequence, e.toIndex(at)});
  number = e.max(e.min(number, place.lastPage), e.i32(0));
  Value page = e.add(place.base, e.mul(e.toI64(number), place.pageStride));
  return e.add(page, e.mul(e.toI64(inPage), place.rowStride));
}

std::pair<Value, Value> flash::tile::splitRow(Emitter &e, Value row,
                                              PackedRowsAttr packed,
                                              int64_t tileRows) {
  int64_t inside = packed.getInside(tileRows);
  Value outer = e.div(row, inside), inner = e.rem(row, inside);
  return packed.getOuter() ? std::pair(inner, outer) : std::pair(outer, inner);
}

Value Place::along(Emitter &e, Value row) const {
  return packed ? splitRow(e, row, packed, tileRows).first : row;
}

Value Place::address(Emitter &e, Value row) const {
  if (pages)
    return lookUp(e, *this, row);
  if (!packed)
    return e.add(base, e.mul(e.toI64(row), rowStride));
  auto [along, other] = splitRow(e, row, packed, tileRows);
  Value first = e.add(rowOffset, e.toI64(along)),
        second = e.add(packedOffset, e.toI64(other));
  return e.add(e.add(base, e.mul(first, rowStride)),
               e.mul(second, packedStride));
}

Bound Bound::get(Emitter &e, Value count, int64_t size) {
  Bound bound;
  if (!count)
    return bound;
  APInt constant;
  if (matchPattern(count, m_ConstantInt(&constant))) {
    bound.constant = std::clamp<int64_t>(constant.getSExtValue(), 0, size);
    if (*bound.constant == size)
      return {};
    bound.value = e.i32(*bound.constant);
    return bound;
  }
  // Clamped before it is narrowed: counts are 64-bit.
  Value zero = arith::ConstantIndexOp::create(e, 0);
  Value all = arith::ConstantIndexOp::create(e, size);
  bound.value = e.toI32(e.min(e.max(count, zero), all));
  return bound;
}

SmallVector<Value> flash::tile::getStripOffsets(Emitter &e,
                                                const KernelValues &kernel,
                                                FragmentType type) {
  constexpr int64_t columnBytes = 16 * 4;
  int64_t stripBytes = type.getColumns() * columnBytes;
  WarpPlace warp = WarpPlace::get(e, kernel, type);
  Value first = e.mul(warp.row, stripBytes);
  if (warp.group)
    first =
        e.add(first, e.mul(warp.group, type.getColumnsOfWarp() * columnBytes));
  SmallVector<Value> offsets;
  for (int64_t r = 0; r < type.getRepetitions(); ++r)
    offsets.push_back(e.add(first, r * type.getRowWarps() * stripBytes));
  return offsets;
}

SmallVector<Value> flash::tile::getStrips(Emitter &e,
                                          const KernelValues &kernel,
                                          FragmentType type, Value base) {
  Value lane = e.add(base, e.toI64(e.shl(kernel.lane, 4)));
  return llvm::map_to_vector(
      getStripOffsets(e, kernel, type),
      [&](Value offset) { return e.add(lane, e.toI64(offset)); });
}

int64_t flash::tile::getPieceOfRun(FragmentType type, uint64_t alignment,
                                   const Bound &columns) {
  int64_t bytes = type.getElementType().getIntOrFloatBitWidth() / 8;
  int64_t piece = std::min<int64_t>(type.getLayout().getRun(), 16 / bytes);
  while (piece > 1 &&
         (alignment < static_cast<uint64_t>(piece * bytes) ||
          (columns && (!columns.constant || *columns.constant % piece))))
    piece /= 2;
  return piece;
}

int64_t flash::tile::getEndOfRun(FragmentType type, int64_t run) {
  return type.getColumns() - type.getColumnsOfWarp() +
         (run + 1) * 4 * type.getLayout().getRun();
}
