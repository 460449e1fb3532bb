//===- Fetch.cpp - From device memory to registers --------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each lane reads the runs that it holds of rows and columns that exist, in
// pieces of up to 16 bytes:
//
//   fetch %m[...] rows(%n)  ->  mov.b32 $0, padding; ...
//                               @exists ld.global.v4.b32 {$0, ...}, [row + 64]
//
// A predicate, and no branch: all reads of a tile are issued before the first
// is waited for.
//
//===----------------------------------------------------------------------===//

#include "Place.h"

using namespace mlir;
using namespace flash::tile;

/// The padding's bits: those of one element, or twice those of 16 bits.
static int64_t getPaddingBits(FetchOp op, bool twice) {
  auto padding = dyn_cast_or_null<FloatAttr>(op.getPaddingAttr());
  if (!padding)
    return 0;
  int64_t bits = padding.getValue().bitcastToAPInt().getZExtValue();
  return twice ? bits << 16 | bits : bits;
}

namespace {

/// Reads of one tile.
class Fetch {
public:
  Fetch(Emitter &e, const KernelValues &kernel, FetchOp op, ValueRange offsets,
        Value source)
      : op(op), type(op.getResult().getType()),
        place(Place::get(e, source, offsets, op.getRowDimension(),
                         PackedRowsAttr(), type.getRows())),
        rows(Bound::get(e, op.getRows(), type.getRows())),
        columns(Bound::get(e, op.getCols(), type.getColumns())),
        base(LaneBase::get(e, kernel, type)) {
    elementBytes = type.getElementType().getIntOrFloatBitWidth() / 8;
    piece = getPieceOfRun(type, op.getAlignment(), columns);
  }

  Value emit(Emitter &e);

private:
  void emitRow(Emitter &e, int64_t row);
  void read(Emitter &e, Value address, int64_t offset, Value exists);
  void readWhole(Emitter &e, Value address, int64_t words);
  void packRow(Emitter &e, size_t first);

  FetchOp op;
  FragmentType type;
  Place place;
  Bound rows, columns;
  LaneBase base;
  int64_t elementBytes, piece;
  /// What was read: words of 32 bits; of the row that is being read, also
  /// single elements of 16.
  SmallVector<Value> parts;
};

} // namespace

/// Without a condition: LLVM knows such a load.
void Fetch::readWhole(Emitter &e, Value address, int64_t words) {
  Type word = words ? e.getI32Type() : e.getI16Type();
  auto pointer = LLVM::LLVMPointerType::get(e.getContext(), /*global=*/1);
  Value from = LLVM::IntToPtrOp::create(e, pointer, address);
  if (words < 2) {
    parts.push_back(LLVM::LoadOp::create(e, word, from));
    return;
  }
  Value all = LLVM::LoadOp::create(e, VectorType::get(words, word), from,
                                   /*alignment=*/4 * words);
  for (int64_t i = 0; i < words; ++i)
    parts.push_back(e.extract(all, i));
}

/// A piece, `offset` bytes after an address.
void Fetch::read(Emitter &e, Value address, int64_t offset, Value exists) {
  int64_t words = piece * elementBytes / 4;
  if (!exists)
    return readWhole(e, e.add(address, offset), words);
  int64_t count = std::max<int64_t>(words, 1);
  StringRef width = words ? "b32" : "b16";
  std::string list, fill, constraints;
  for (int64_t i = 0; i < count; ++i) {
    std::string result = "$" + std::to_string(i);
    list += (i ? ", " : "") + result;
    fill +=
        ("mov." + width + " " + result + ", " +
         std::to_string(getPaddingBits(op, words && elementBytes == 2)) + ";\n")
            .str();
    constraints += words ? "=&r," : "=&h,";
  }
  std::string vector = count > 1 ? ".v" + std::to_string(count) : "";
  if (count > 1)
    list = "{" + list + "}";
  std::string text =
      (fill + "@$" + std::to_string(count + 1) + " ld.global" + vector + "." +
       width + " " + list + ", [$" + std::to_string(count) + " + " +
       std::to_string(offset) + "];")
          .str();
  SmallVector<Type> types(count, words ? e.getI32Type() : e.getI16Type());
  llvm::append_range(parts,
                     e.ptx(TypeRange(types), text,
                           constraints + "l,b,~{memory}", {address, exists}));
}

/// Makes pairs of single elements, row by row: two rows of a wide tile, each
/// element in a register, might be more than there are. In one piece with the
/// reads, which LLVM does not gather in front of it then.
void Fetch::packRow(Emitter &e, size_t first) {
  SmallVector<Value> singles(llvm::drop_begin(parts, first));
  parts.truncate(first);
  for (size_t i = 0; i < singles.size(); i += 2)
    parts.push_back(e.ptx(TypeRange(e.getI32Type()), "mov.b32 $0, {$1, $2};",
                          "=r,h,h", {singles[i], singles[i + 1]})
                        .front());
}

void Fetch::emitRow(Emitter &e, int64_t number) {
  Value row = e.add(base.row, number);
  Value address =
      e.add(place.address(e, row), e.toI64(e.mul(base.column, elementBytes)));
  Value rowExists;
  if (!rows.covers(type.getRows()))
    rowExists = e.less(row, rows.value);
  int64_t run = type.getLayout().getRun();
  int64_t count = type.getColumnsOfWarp() / 4;
  size_t before = parts.size();
  for (int64_t i = 0; i < count; i += piece) {
    int64_t column = i / run * 4 * run + i % run;
    Value exists = rowExists;
    if (!columns.covers(getEndOfRun(type, i / run))) {
      Value inside = e.less(e.add(base.column, column), columns.value);
      exists = exists ? arith::AndIOp::create(e, exists, inside) : inside;
    }
    read(e, address, column * elementBytes, exists);
  }
  if (piece * elementBytes < 4)
    packRow(e, before);
}

Value Fetch::emit(Emitter &e) {
  int64_t step = 16 * type.getRowWarps();
  for (int64_t row = 0; row < type.getRows(); row += step)
    for (int64_t half : {0, 8})
      emitRow(e, row + half);
  // Packed pairs are words as they are.
  if (isPacked(type))
    return e.bundle(parts);
  SmallVector<Value> elements;
  for (Value part : parts)
    elements.push_back(LLVM::BitcastOp::create(e, type.getElementType(), part));
  return e.bundle(elements);
}

/// Accumulators as they lie in memory.
static Value fetchStrips(Emitter &e, const KernelValues &kernel, FetchOp op,
                         ValueRange offsets, Value source) {
  FragmentType type = op.getResult().getType();
  Place place = Place::get(e, source, offsets, op.getRowDimension(),
                           PackedRowsAttr(), type.getRows());
  auto pointer = LLVM::LLVMPointerType::get(e.getContext(), /*global=*/1);
  Type four = VectorType::get(4, e.getF32Type());
  SmallVector<Value> elements;
  for (Value strip : getStrips(e, kernel, type, place.base))
    for (int64_t i = 0; i < type.getColumnsOfWarp() / 8; ++i) {
      Value from = LLVM::IntToPtrOp::create(e, pointer, e.add(strip, i * 512));
      Value all = LLVM::LoadOp::create(e, four, from, /*alignment=*/16);
      for (int64_t k = 0; k < 4; ++k)
        elements.push_back(e.extract(all, k));
    }
  return pack(e, elements, type);
}

namespace {

struct FetchLowering : TilePattern<FetchOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(FetchOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    if (op.getStrips()) {
      rewriter.replaceOp(op, fetchStrips(e, *kernel, op, adaptor.getOffsets(),
                                         adaptor.getSource()));
      return success();
    }
    Fetch fetch(e, *kernel, op, adaptor.getOffsets(), adaptor.getSource());
    rewriter.replaceOp(op, fetch.emit(e));
    return success();
  }
};

} // namespace

void flash::tile::populateFetchPatterns(const TileTypeConverter &converter,
                                        RewritePatternSet &patterns,
                                        const KernelMap &kernels) {
  patterns.add<FetchLowering>(converter, patterns.getContext(), kernels);
}
