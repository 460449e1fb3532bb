//===- Stores.cpp - From registers to device memory -------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each lane stores the pairs of columns that it holds of rows that exist:
//
//   store %o, %m[...] rows(%n)  ->  scf.if row < n { st.global.b32 ... }
//
// In kernels with wgmma, where addresses allow, the four lanes that share a row
// first deal its columns anew, so that each has 16 bytes in one piece:
//
//   lane     0    1    2    3                  0       1       2       3
//   columns  0 1  2 3  4 5  6 7      ->  0 to 7  8 to 15  16 to 23  24 to 31
//            8 9  ...
//
// and of f32, which is added to memory, 16 columns, between neighbours.
//
// Runs of a stream fragment are stored in pieces of up to 16 bytes. A row
// vector is stored by the first lane of each quad, a vector over columns by the
// first four lanes of one warp for each group of columns. What is added to
// memory goes there by red.global.add.f32.
//
//===----------------------------------------------------------------------===//

#include "Place.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace flash::tile;

/// Runs `body` where `position < bound`, or always when all exist.
static void ifExists(Emitter &e, const Bound &bound, int64_t end,
                     Value position, llvm::function_ref<void()> body) {
  if (bound.covers(end)) {
    body();
    return;
  }
  auto exists = scf::IfOp::create(e, e.less(position, bound.value),
                                  /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(e);
  e.setInsertionPointToStart(exists.thenBlock());
  body();
}

static void storeGlobal(Emitter &e, Value value, Value address) {
  auto pointer = LLVM::LLVMPointerType::get(e.getContext(), /*global=*/1);
  LLVM::StoreOp::create(e, value,
                        LLVM::IntToPtrOp::create(e, pointer, address));
}

static void addGlobal(Emitter &e, ArrayRef<Value> values, Value address) {
  for (auto [i, value] : llvm::enumerate(values))
    e.ptx("red.global.add.f32 [$0], $1;", "l,f",
          {e.add(address, 4 * static_cast<int64_t>(i)), value});
}

/// Elements that are neighbours in memory.
static void write(Emitter &e, StoreOp op, ArrayRef<Value> values,
                  Value address) {
  if (op.getAdd())
    addGlobal(e, values, address);
  else
    storeGlobal(e, values.size() == 1 ? values[0] : e.makeVector(values),
                address);
}

static Value isZero(Emitter &e, Value number) {
  return e.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq, number,
                                       e.i32(0));
}

/// Four words of each lane of a quad, the n-th word of block n; each lane gets
/// all words of its own block. An exchange with the neighbour, and one between
/// the pairs.
static std::array<Value, 4> dealQuad(Emitter &e, Value lane,
                                     std::array<Value, 4> words) {
  auto exchange = [&](Value &low, Value &high, int64_t distance) {
    Value keepsLow = isZero(e, e.bitAnd(lane, distance));
    Value other = e.shuffleXor(e.select(keepsLow, high, low), distance);
    low = e.select(keepsLow, low, other);
    high = e.select(keepsLow, other, high);
  };
  exchange(words[0], words[1], 1);
  exchange(words[2], words[3], 1);
  exchange(words[0], words[2], 2);
  exchange(words[1], words[3], 2);
  return words;
}

/// Two words of one block and two of the next; each of two neighbours gets the
/// four of one of them.
static std::array<Value, 4> dealPair(Emitter &e, Value lane,
                                     std::array<Value, 4> words) {
  Value isFirst = isZero(e, e.bitAnd(lane, 1));
  std::array<Value, 2> others;
  for (int i = 0; i < 2; ++i)
    others[i] = e.shuffleXor(e.select(isFirst, words[i + 2], words[i]), 1);
  return {e.select(isFirst, words[0], others[0]),
          e.select(isFirst, words[1], others[1]),
          e.select(isFirst, others[0], words[2]),
          e.select(isFirst, others[1], words[3])};
}

/// Columns that lanes deal at a time, so that each has 16 bytes of them: four
/// lanes pairs of 16 bits that are stored, two lanes pairs of f32 that are
/// added. 0: what is stored is neither.
static int64_t getColumnsToDeal(StoreOp op) {
  Type element = op.getValue().getType().getElementType();
  if (op.getAdd())
    return element.isF32() ? 16 : 0;
  return element.getIntOrFloatBitWidth() == 16 ? 32 : 0;
}

/// Whether lanes can deal columns, in pieces of which all exist or none.
static bool canDeal(StoreOp op, const Bound &columns) {
  FragmentType type = op.getValue().getType();
  int64_t dealt = getColumnsToDeal(op);
  return dealt && type.getRank() == 2 && isa<AccLayoutAttr>(type.getLayout()) &&
         op.getAlignment() >= 16 && type.getColumnsOfWarp() % dealt == 0 &&
         (!columns ||
          (columns.constant && *columns.constant % (dealt / 4) == 0));
}

namespace {

struct StoreLowering : TilePattern<StoreOp> {
  using TilePattern::TilePattern;

  LogicalResult
  matchAndRewrite(StoreOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *known = getKernel(op);
    if (!known)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    FragmentType type = op.getValue().getType();
    KernelValues here = *known, *kernel = &here;
    SmallVector<Value> offsets(adaptor.getOffsets());
    // Of one role among others: addresses are computed here, and not kept in
    // registers over the loops that need them.
    if (type.getRank() == 2 && kernel->specialized) {
      here.lane = e.pin(here.lane);
      for (Value &offset : offsets)
        if (!getConstantIntValue(offset))
          offset = e.toIndex(e.pin(e.toI32(offset)));
    }
    SmallVector<Value> elements = unpack(e, adaptor.getValue(), type);
    Place place =
        Place::get(e, adaptor.getDestination(), offsets, op.getRowDimension(),
                   op.getPackedAttr(), type.getRows());
    int64_t along = rowsAlong(op.getPackedAttr(), type.getRows());
    if (op.getStrips()) {
      storeStrips(e, op, elements, getStrips(e, *kernel, type, place.base));
      rewriter.eraseOp(op);
      return success();
    }
    if (isa<ColLayoutAttr>(type.getLayout())) {
      storeColumns(e, *kernel, op, elements, place);
      rewriter.eraseOp(op);
      return success();
    }
    Bound rows = Bound::get(e, op.getRows(), along);
    LaneBase base = LaneBase::get(e, *kernel, type);
    size_t ofRow = elements.size() / (2 * type.getRepetitions());
    Bound columns;
    if (type.getRank() == 2)
      columns = Bound::get(e, op.getCols(), type.getColumns());
    bool isDealt =
        (kernel->usesAsyncProxy || kernel->readsStrips) && canDeal(op, columns);
    for (int64_t r = 0; r < type.getRepetitions(); ++r)
      for (int64_t half = 0; half < 2; ++half) {
        Value row = e.add(base.row, r * 16 * type.getRowWarps() + half * 8);
        SmallVector<std::array<Value, 4>> pieces;
        if (isDealt)
          pieces = dealRow(e, *kernel, op, elements, r, half);
        ifExists(e, rows, along, place.along(e, row), [&] {
          Value address = place.address(e, row);
          if (isDealt)
            storePieces(e, *kernel, op, pieces, columns, address);
          else if (type.getRank() == 1)
            storeElement(e, *kernel, op, elements[r * 2 + half], address);
          else if (isa<StreamLayoutAttr>(type.getLayout()))
            storeRuns(e, *kernel, op,
                      ArrayRef(elements).slice((r * 2 + half) * ofRow, ofRow),
                      address);
          else
            storeRow(e, *kernel, op, elements, r, half, address);
        });
      }
    rewriter.eraseOp(op);
    return success();
  }

  /// Of the lanes and groups that have a row's value, the first stores it.
  static void storeElement(Emitter &e, const KernelValues &kernel, StoreOp op,
                           Value element, Value address) {
    Value first = isZero(e, e.bitAnd(kernel.lane, 3));
    if (Value group = WarpPlace::get(e, kernel, op.getValue().getType()).group)
      first = arith::AndIOp::create(e, first, isZero(e, group));
    onlyWhere(e, first, [&] { write(e, op, element, address); });
  }

  /// Four elements of each lane for every 8 columns.
  static void storeStrips(Emitter &e, StoreOp op, ArrayRef<Value> elements,
                          ArrayRef<Value> strips) {
    size_t blocks = elements.size() / 4 / strips.size();
    for (auto [r, strip] : llvm::enumerate(strips))
      for (size_t i = 0; i < blocks; ++i) {
        ArrayRef<Value> four = elements.slice((r * blocks + i) * 4, 4);
        Value address = e.add(strip, static_cast<int64_t>(i) * 512);
        if (!op.getAdd()) {
          storeGlobal(e, e.makeVector(four), address);
          continue;
        }
        SmallVector<Value> operands{address};
        llvm::append_range(operands, four);
        e.ptx("red.global.add.v4.f32 [$0], {$1, $2, $3, $4};", "l,f,f,f,f",
              operands);
      }
  }

  /// The first lanes of the first warp of each group store a vector.
  static void storeColumns(Emitter &e, const KernelValues &kernel, StoreOp op,
                           ArrayRef<Value> elements, const Place &place) {
    FragmentType type = op.getValue().getType();
    int64_t size = type.getShape()[0];
    Bound bound = Bound::get(e, op.getCols(), size);
    LaneBase base = LaneBase::get(e, kernel, type);
    Value first =
        arith::AndIOp::create(e, isZero(e, e.shr(kernel.lane, 2)),
                              isZero(e, WarpPlace::get(e, kernel, type).row));
    onlyWhere(e, first, [&] {
      for (auto [i, at] : llvm::enumerate(type.getLanePlaces())) {
        Value column = e.add(base.column, at.column), element = elements[i];
        ifExists(e, bound, size, column,
                 [&] { write(e, op, element, place.address(e, column)); });
      }
    });
  }

  /// What a lane has of a row of a stream fragment.
  static void storeRuns(Emitter &e, const KernelValues &kernel, StoreOp op,
                        ArrayRef<Value> elements, Value address) {
    FragmentType type = op.getValue().getType();
    int64_t bytes = type.getElementType().getIntOrFloatBitWidth() / 8;
    int64_t run = type.getLayout().getRun();
    Bound columns = Bound::get(e, op.getCols(), type.getColumns());
    int64_t piece = getPieceOfRun(type, op.getAlignment(), columns);
    Value column0 = LaneBase::get(e, kernel, type).column;
    address = e.add(address, e.toI64(e.mul(column0, bytes)));
    for (int64_t i = 0, end = elements.size(); i < end; i += piece) {
      int64_t column = i / run * 4 * run + i % run;
      ifExists(e, columns, getEndOfRun(type, i / run), e.add(column0, column),
               [&] {
                 write(e, op, elements.slice(i, piece),
                       e.add(address, column * bytes));
               });
    }
  }

  /// What a lane has of a row, dealt anew.
  static SmallVector<std::array<Value, 4>>
  dealRow(Emitter &e, const KernelValues &kernel, StoreOp op,
          ArrayRef<Value> elements, int64_t r, int64_t half) {
    int64_t blocks = op.getValue().getType().getColumnsOfWarp() / 8,
            dealt = getColumnsToDeal(op) / 8;
    SmallVector<std::array<Value, 4>> pieces;
    for (int64_t first = 0; first < blocks; first += dealt) {
      std::array<Value, 4> words;
      for (int64_t i = 0; i < dealt; ++i) {
        const Value *pair = &elements[(r * blocks + first + i) * 4 + half * 2];
        if (op.getAdd()) {
          words[2 * i] = pair[0];
          words[2 * i + 1] = pair[1];
        } else {
          words[i] = LLVM::BitcastOp::create(e, e.getI32Type(),
                                             e.makeVector({pair[0], pair[1]}));
        }
      }
      pieces.push_back(op.getAdd() ? dealPair(e, kernel.lane, words)
                                   : dealQuad(e, kernel.lane, words));
    }
    return pieces;
  }

  static void storePieces(Emitter &e, const KernelValues &kernel, StoreOp op,
                          ArrayRef<std::array<Value, 4>> pieces,
                          const Bound &columns, Value address) {
    FragmentType type = op.getValue().getType();
    int64_t dealt = getColumnsToDeal(op), bytes = 64 / dealt;
    // The lane's pair of a block, and its block: six columns further each.
    Value column = e.add(LaneBase::get(e, kernel, type).column,
                         e.mul(e.bitAnd(kernel.lane, dealt / 8 - 1), 6));
    address = e.add(address, e.toI64(e.mul(column, bytes)));
    int64_t ofOthers = type.getColumns() - type.getColumnsOfWarp();
    for (auto [i, piece] : llvm::enumerate(pieces)) {
      int64_t first = static_cast<int64_t>(i) * dealt;
      SmallVector<Value> words(piece.begin(), piece.end());
      ifExists(e, columns, ofOthers + first + dealt, e.add(column, first), [&] {
        Value target = e.add(address, first * bytes);
        if (!op.getAdd())
          return storeGlobal(e, e.makeVector(words), target);
        words.insert(words.begin(), target);
        e.ptx("red.global.add.v4.f32 [$0], {$1, $2, $3, $4};", "l,f,f,f,f",
              words);
      });
    }
  }

  static void storeRow(Emitter &e, const KernelValues &kernel, StoreOp op,
                       ArrayRef<Value> elements, int64_t r, int64_t half,
                       Value address) {
    FragmentType type = op.getValue().getType();
    int64_t bytes = type.getElementType().getIntOrFloatBitWidth() / 8;
    int64_t blocks = type.getColumnsOfWarp() / 8;
    Bound columns = Bound::get(e, op.getCols(), type.getColumns());
    // A pair is either inside or outside when the bound is even.
    bool wholePairs =
        op.getAlignment() >= static_cast<uint64_t>(2 * bytes) &&
        (!columns || (columns.constant && *columns.constant % 2 == 0));
    Value column0 = LaneBase::get(e, kernel, type).column;
    // Where the last group's blocks end.
    int64_t last = type.getColumns() - type.getColumnsOfWarp() + 8;
    address = e.add(address, e.toI64(e.mul(column0, bytes)));
    for (int64_t i = 0; i < blocks; ++i) {
      const Value *pair = &elements[(r * blocks + i) * 4 + half * 2];
      Value column = e.add(column0, i * 8);
      Value target = e.add(address, i * 8 * bytes);
      if (wholePairs) {
        ifExists(e, columns, i * 8 + last, column,
                 [&] { write(e, op, {pair[0], pair[1]}, target); });
        continue;
      }
      for (int64_t k = 0; k < 2; ++k)
        ifExists(e, columns, i * 8 + last, e.add(column, k),
                 [&] { write(e, op, pair[k], e.add(target, k * bytes)); });
    }
  }
};

} // namespace

void flash::tile::populateStorePatterns(const TileTypeConverter &converter,
                                        RewritePatternSet &patterns,
                                        const KernelMap &kernels) {
  patterns.add<StoreLowering>(converter, patterns.getContext(), kernels);
}
