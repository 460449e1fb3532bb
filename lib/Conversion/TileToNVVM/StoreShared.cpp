//===- StoreShared.cpp - From registers to shared memory --------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A fragment becomes an operand of products, or leaves by the copy engine; a
// vector comes back. Each
// warp writes its rows, 16 at a time:
//
//   store_shared %p  ->  bar; stmatrix.x4 ...; fence.proxy.async; bar
//   store_async %o, %map[...]
//     ->  bulk.wait_group.read 0; bar.warp.sync; stmatrix.x4 ...;
//         fence.proxy.async; bar.warp.sync; cp.async.bulk.tensor.global (or
//         cp.reduce.async.bulk.tensor.global.add); commit_group
//
// A tile that leaves is written and copied by the same warp, which waits for
// nobody else.
//
//===----------------------------------------------------------------------===//

#include "Place.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace flash::tile;

//===----------------------------------------------------------------------===//
// Writing a warp's rows
//===----------------------------------------------------------------------===//

namespace {

/// The addresses of a warp's rows in a tile, by blocks of 16 bytes.
class WarpRows {
public:
  /// For a lane whose row of the first 16 is `row` (a number below 16) and
  /// whose column is `getChunk()` blocks after those that it is asked for.
  WarpRows(Emitter &e, const WarpPlace &warp, FragmentType type,
           SharedType tile, Value address, Value row,
           llvm::function_ref<Value()> getChunk)
      : tile(tile) {
    int64_t perPanel = tile.getPanelColumns();
    // A group that begins within a panel is a number of blocks further.
    if (warp.group && type.getColumnsOfWarp() % perPanel)
      firstChunk = e.mul(warp.group, type.getColumnsOfWarp() * 8 / perPanel);
    Value rows = firstChunk ? e.add(address, e.shl(warp.row, 11))
                            : getWarpAddress(e, warp, type, tile, address);
    lane = e.add(rows, e.shl(row, 7));
    Value inPeriod = e.bitAnd(row, 7);
    swizzle = e.bitXor(inPeriod, getChunk());
  }

  /// Of the block `chunk` (an even number) in the rows from `row` on.
  Value get(Emitter &e, int64_t row, int64_t chunk) {
    if (!firstChunk) {
      Value inPanel = e.shl(e.bitXor(swizzle, e.i32(chunk % 8)), 4);
      return e.add(e.add(lane, inPanel),
                   chunk / 8 * tile.getPanelBytes() + row * 128);
    }
    Value at = e.add(firstChunk, chunk);
    Value inPanel = e.shl(e.bitXor(swizzle, e.bitAnd(at, 7)), 4);
    Value panel = e.mul(e.shr(at, 3), tile.getPanelBytes());
    return e.add(e.add(lane, inPanel), e.add(panel, row * 128));
  }

  /// What the addresses of all blocks are made of, each by one exclusive or and
  /// a constant, with `inChunk` bytes more: it is computed where it stands, for
  /// LLVM would keep the addresses over loops whose products need the
  /// registers. Null where groups begin within a panel.
  Value getBase(Emitter &e, Value inChunk) {
    if (firstChunk)
      return Value();
    return e.pin(e.add(e.add(lane, e.shl(swizzle, 4)), inChunk));
  }
  Value get(Emitter &e, Value base, int64_t row, int64_t chunk) {
    return e.add(e.bitXor(base, e.i32(chunk % 8 * 16)),
                 chunk / 8 * tile.getPanelBytes() + row * 128);
  }

private:
  SharedType tile;
  Value lane, swizzle, firstChunk;
};

} // namespace

/// stmatrix of two blocks of 8 columns at a time: lane l gives the address of
/// row l % 16 and of block l / 16.
static void writeMatrices(Emitter &e, const KernelValues &kernel, Value value,
                          FragmentType type, ColumnPart part, SharedType tile,
                          Value address) {
  WarpRows lane(e, WarpPlace::get(e, kernel, type), type, tile, address,
                e.bitAnd(kernel.lane, 15),
                [&] { return e.shr(kernel.lane, 4); });
  SmallVector<Value> elements = e.elements(value);
  int64_t blocks = type.getColumnsOfWarp() / 8, firstBlock = part.first / 8;
  for (int64_t r = 0; r < type.getRepetitions(); ++r)
    for (int64_t i = 0; i < part.count / 8; i += 2) {
      SmallVector<Value> operands{lane.get(e, r * 16 * type.getRowWarps(), i)};
      int64_t count = std::min<int64_t>(2, part.count / 8 - i) * 2;
      std::string text = "stmatrix.sync.aligned.m8n8.x" +
                         std::to_string(count) + ".shared.b16 [$0], {";
      std::string constraints = "r";
      for (int64_t k = 0; k < count; ++k) {
        operands.push_back(elements[(r * blocks + firstBlock + i) * 2 + k]);
        text += (k ? ", $" : "$") + std::to_string(k + 1);
        constraints += ",r";
      }
      e.ptx(text + "};", constraints, operands);
    }
}

/// Each lane stores the pairs of columns that it holds: of 16 bits where there
/// is no stmatrix, of f32. Pairs of f32 in one block of two neighbouring rows
/// are in the same banks, for the swizzle swaps the two chunks of the block: of
/// whole panels, lanes of odd rows take their blocks of a panel in another
/// order.
static void writePairs(Emitter &e, const KernelValues &kernel, Value value,
                       FragmentType type, ColumnPart part, SharedType tile,
                       Value address) {
  bool wide = type.getElementType().isF32();
  // A block of 8 columns is one of 16 bytes, or two.
  int64_t chunks = wide ? 2 : 1;
  Value quad = e.bitAnd(kernel.lane, 3);
  int64_t panel = tile.getPanelColumns();
  bool alternates = wide && type.getColumnsOfWarp() % panel == 0 &&
                    part.first % panel == 0 && part.count % panel == 0;
  Value row = e.shr(kernel.lane, 2), odd;
  if (alternates)
    odd = e.bitAnd(row, 1);
  WarpRows lane(e, WarpPlace::get(e, kernel, type), type, tile, address, row,
                [&] {
                  Value chunk = wide ? e.shr(quad, 1) : e.i32(0);
                  return odd ? e.bitXor(chunk, e.shl(odd, 2)) : chunk;
                });
  Value inChunk = wide ? e.shl(e.bitAnd(quad, 1), 3) : e.shl(quad, 2);
  SmallVector<Value> elements = e.elements(value);
  int64_t blocks = type.getColumnsOfWarp() / 8, firstBlock = part.first / 8;
  if (alternates) {
    Value isOdd =
        arith::CmpIOp::create(e, arith::CmpIPredicate::ne, odd, e.i32(0));
    // Two blocks of four are 64 bytes: the other half of a panel's row.
    for (size_t i = 0; i + 16 <= elements.size(); i += 16)
      for (size_t k = i; k < i + 8; ++k) {
        Value one = elements[k], other = elements[k + 8];
        elements[k] = arith::SelectOp::create(e, isOdd, other, one);
        elements[k + 8] = arith::SelectOp::create(e, isOdd, one, other);
      }
  }
  Value base = wide ? lane.getBase(e, inChunk) : Value();
  for (int64_t r = 0; r < type.getRepetitions(); ++r)
    for (int64_t i = 0; i < part.count / 8; ++i)
      for (int64_t half = 0; half < 2; ++half) {
        int64_t below = r * 16 * type.getRowWarps() + half * 8;
        Value at = base ? lane.get(e, base, below, i * chunks)
                        : e.add(lane.get(e, below, i * chunks), inChunk);
        int64_t pair = (r * blocks + firstBlock + i) * 2 + half;
        if (wide)
          e.ptx("st.shared.v2.f32 [$0], {$1, $2};", "r,f,f",
                {at, elements[2 * pair], elements[2 * pair + 1]});
        else
          e.ptx("st.shared.b32 [$0], $1;", "r,r", {at, elements[pair]});
      }
}

void flash::tile::writeToShared(Emitter &e, const KernelValues &kernel,
                                Value value, FragmentType type, ColumnPart part,
                                SharedType tile, Value address,
                                bool hasMatrices) {
  if (isPacked(type) && hasMatrices)
    writeMatrices(e, kernel, value, type, part, tile, address);
  else
    writePairs(e, kernel, value, type, part, tile, address);
}

void flash::tile::writeStripsToShared(Emitter &e, const KernelValues &kernel,
                                      Value value, FragmentType type,
                                      Value address) {
  SmallVector<Value> elements = e.elements(value);
  int64_t blocks = type.getColumnsOfWarp() / 8;
  Value lane = e.pin(e.add(address, e.shl(kernel.lane, 4)));
  for (auto [r, offset] : llvm::enumerate(getStripOffsets(e, kernel, type))) {
    Value strip = e.add(lane, offset);
    for (int64_t i = 0; i < blocks; ++i) {
      SmallVector<Value> operands{e.add(strip, i * 512)};
      llvm::append_range(operands,
                         ArrayRef(elements).slice((r * blocks + i) * 4, 4));
      e.ptx("st.shared.v4.f32 [$0], {$1, $2, $3, $4};", "r,f,f,f,f", operands);
    }
  }
}

/// Has bytes of shared memory stored, or added as f32, in one piece.
static void copyToMemory(Emitter &e, Value address, Value shared, Value bytes,
                         bool add) {
  e.ptx(add ? "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 "
              "[$0], [$1], $2;"
            : "cp.async.bulk.global.shared::cta.bulk_group [$0], [$1], $2;",
        "l,r,r", {address, shared, bytes});
}

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

namespace {

struct StoreSharedLowering : TilePattern<StoreSharedOp> {
  using TilePattern::TilePattern;

  LogicalResult
  matchAndRewrite(StoreSharedOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    FailureOr<Value> shared = getSharedAddress(e, *kernel, op);
    if (failed(shared))
      return failure();
    FragmentType type = op.getValue().getType();
    e.barrier(*kernel);
    writeToShared(e, *kernel, adaptor.getValue(), type,
                  {0, type.getColumnsOfWarp()}, op.getTile().getType(), *shared,
                  /*hasMatrices=*/kernel->usesAsyncProxy);
    if (kernel->usesAsyncProxy)
      e.ptx("fence.proxy.async.shared::cta;", "", {});
    e.barrier(*kernel);
    rewriter.replaceOp(op, *shared);
    return success();
  }
};

/// Pairs of neighbouring columns of the only row.
struct ReadLowering : TilePattern<ReadOp> {
  using TilePattern::TilePattern;

  LogicalResult
  matchAndRewrite(ReadOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    FragmentType type = op.getResult().getType();
    LaneBase base = LaneBase::get(e, *kernel, type);
    Value first = e.add(adaptor.getTile(), e.shl(base.column, 2));
    SmallVector<LanePlace> places(type.getLanePlaces());
    SmallVector<Value> values(places.size());
    Type f32 = e.getF32Type();
    for (size_t i = 0; i + 1 < places.size(); i += 2) {
      SmallVector<Value> pair =
          e.ptx({f32, f32},
                "ld.shared.v2.f32 {$0, $1}, [$2+" +
                    std::to_string(places[i].column * 4) + "];",
                "=f,=f,r", {first});
      values[i] = pair[0];
      values[i + 1] = pair[1];
    }
    rewriter.replaceOp(op, pack(e, values, type));
    return success();
  }
};

/// The PTX that stores a box, and the constraints of its operands: the map, the
/// coordinates, the address in shared memory, the cache policy.
std::pair<std::string, std::string> storeText(int64_t rank, bool add,
                                              bool hint) {
  std::string text =
      add ? "cp.reduce.async.bulk.tensor." : "cp.async.bulk.tensor.";
  text += std::to_string(rank) + "d.global.shared::cta";
  text += add ? ".add.bulk_group [$0, {" : ".bulk_group [$0, {";
  std::string constraints = "l";
  for (int64_t i = 0; i < rank; ++i) {
    text += (i ? ", $" : "$") + std::to_string(i + 1);
    constraints += ",r";
  }
  text += "}], [$" + std::to_string(rank + 1) + "]";
  constraints += ",r";
  if (hint) {
    text.insert(text.find(" [$0"), ".L2::cache_hint");
    text += ", $" + std::to_string(rank + 2);
    constraints += ",l";
  }
  return {text + ";", constraints};
}

/// Lane 0 starts and waits for all copies of its warp; with `when`, where that
/// is true.
void onLane0(Emitter &e, const KernelValues &kernel,
             llvm::function_ref<void()> body, Value when = {}) {
  Value first = e.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq,
                                              kernel.lane, e.i32(0));
  if (when)
    first = e.createOrFold<arith::AndIOp>(first, when);
  auto once = scf::IfOp::create(e, first, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(e);
  e.setInsertionPointToStart(once.thenBlock());
  body();
}

struct StoreAsyncLowering : TilePattern<StoreAsyncOp> {
  using TilePattern::TilePattern;

  LogicalResult
  matchAndRewrite(StoreAsyncOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    FailureOr<Value> shared = getSharedAddress(e, *kernel, op);
    if (failed(shared))
      return failure();
    FragmentType type = op.getValue().getType();
    if (!op.getMap()) {
      storeStrips(e, *kernel, op, adaptor, *shared);
      rewriter.eraseOp(op);
      return success();
    }
    SharedType tile = op.getTile();
    WarpPlace warp = WarpPlace::get(e, *kernel, type);
    Value rows = getWarpAddress(e, warp, type, tile, *shared);
    for (int64_t first = 0; first < type.getColumnsOfWarp();
         first += tile.getColumns()) {
      ColumnPart part{
          first, std::min(tile.getColumns(), type.getColumnsOfWarp() - first)};
      if (!op.getFree() || first)
        onLane0(e, *kernel,
                [&] { e.ptx("cp.async.bulk.wait_group.read 0;", "", {}); });
      if (op.getBarrier() && first == 0)
        e.barrier(*kernel);
      else
        e.ptx("bar.warp.sync 0xffffffff;", "", {});
      writeToShared(e, *kernel, adaptor.getValue(), type, part, tile, *shared,
                    /*hasMatrices=*/true);
      e.ptx("fence.proxy.async.shared::cta;", "", {});
      e.ptx("bar.warp.sync 0xffffffff;", "", {});
      onLane0(
          e, *kernel, [&] { startCopies(e, warp, op, adaptor, part, rows); },
          op.getWhen());
    }
    rewriter.eraseOp(op);
    return success();
  }

  /// A warp's strips, each in one piece.
  static void storeStrips(Emitter &e, const KernelValues &kernel,
                          StoreAsyncOp op, OpAdaptor adaptor, Value shared) {
    FragmentType type = op.getValue().getType();
    if (!op.getFree())
      onLane0(e, kernel,
              [&] { e.ptx("cp.async.bulk.wait_group.read 0;", "", {}); });
    if (op.getBarrier())
      e.barrier(kernel);
    else
      e.ptx("bar.warp.sync 0xffffffff;", "", {});
    writeStripsToShared(e, kernel, adaptor.getValue(), type, shared);
    e.ptx("fence.proxy.async.shared::cta;", "", {});
    e.ptx("bar.warp.sync 0xffffffff;", "", {});
    onLane0(
        e, kernel,
        [&] {
          Place place = Place::get(e, adaptor.getDestination(), op.getOffsets(),
                                   op.getRowDimension(), PackedRowsAttr(),
                                   type.getRows());
          Value bytes = e.i32(type.getColumnsOfWarp() * 64);
          for (Value offset : getStripOffsets(e, kernel, type))
            copyToMemory(e, e.add(place.base, e.toI64(offset)),
                         e.add(shared, offset), bytes, op.getAdd());
          e.ptx("cp.async.bulk.commit_group;", "", {});
        },
        op.getWhen());
  }

  static void startCopies(Emitter &e, const WarpPlace &warp, StoreAsyncOp op,
                          OpAdaptor adaptor, ColumnPart part, Value rows) {
    FragmentType type = op.getValue().getType();
    SharedType tile = op.getTile();
    ArrayRef<int64_t> box = op.getMap().getBox();
    SmallVector<Value> coordinates;
    for (Value offset : llvm::reverse(op.getOffsets()))
      coordinates.push_back(e.toI32(offset));
    if (warp.group)
      coordinates[0] =
          e.add(coordinates[0], e.mul(warp.group, type.getColumnsOfWarp()));
    int64_t rank = coordinates.size();
    // The dimension of the rows, as the coordinates count.
    int64_t rowDim = 1;
    for (int64_t i = 0; i < rank - 1; ++i)
      if (box[i] == 16)
        rowDim = rank - 1 - i;
    std::pair<std::string, std::string> instruction =
        storeText(rank, op.getAdd(), bool(op.getHint()));
    PackedRowsAttr packed = op.getPackedAttr();
    int64_t packedDim = 0;
    if (packed) {
      rowDim = rank - 1 - *op.getRowDim();
      packedDim = rank - 1 - packed.getDim();
    }
    Value warpRow = e.shl(warp.row, 4);
    auto copy = [&](int64_t firstRow, int64_t column, int64_t panel) {
      SmallVector<Value> operands{adaptor.getDestination()};
      llvm::append_range(operands, coordinates);
      operands[1] = e.add(coordinates[0], part.first + column);
      Value row = e.add(warpRow, firstRow);
      // A box of packed rows begins at a place of both dimensions.
      if (packed) {
        auto [along, other] = splitRow(e, row, packed, type.getRows());
        operands[1 + packedDim] = e.add(coordinates[packedDim], other);
        row = along;
      }
      operands[1 + rowDim] = e.add(coordinates[rowDim], row);
      operands.push_back(
          e.add(rows, panel * tile.getPanelBytes() + firstRow * 128));
      if (op.getHint())
        operands.push_back(getCachePolicy(e, *op.getHint()));
      e.ptx(instruction.first, instruction.second, operands);
    };
    for (int64_t r = 0; r < type.getRepetitions(); ++r)
      for (int64_t column = 0, panel = 0; column < part.count;
           column += tile.getPanelColumns(), ++panel)
        for (int64_t half = 0; half < 16; half += op.getBoxRows())
          copy(r * 16 * type.getRowWarps() + half, column, panel);
    e.ptx("cp.async.bulk.commit_group;", "", {});
  }
};

/// One thread has each panel stored.
struct StoreTileLowering : TilePattern<StoreTileOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(StoreTileOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Emitter e(op.getLoc(), rewriter);
    SharedType tile = op.getTile().getType();
    if (!op.getMap()) {
      Place place =
          Place::get(e, adaptor.getDestination(), op.getOffsets(),
                     op.getRowDimension(), PackedRowsAttr(), tile.getRows());
      copyToMemory(e, place.base, adaptor.getTile(),
                   e.i32(tile.getRows() * tile.getColumns() * 4), op.getAdd());
      e.ptx("cp.async.bulk.commit_group;", "", {});
      e.ptx("cp.async.bulk.wait_group.read 0;", "", {});
      rewriter.eraseOp(op);
      return success();
    }
    SmallVector<Value> coordinates;
    for (Value offset : llvm::reverse(op.getOffsets()))
      coordinates.push_back(e.toI32(offset));
    auto [text, constraints] =
        storeText(coordinates.size(), op.getAdd(), bool(op.getHint()));
    for (int64_t panel = 0; panel < tile.getPanels(); ++panel) {
      SmallVector<Value> operands{adaptor.getDestination()};
      operands.push_back(e.add(coordinates[0], panel * tile.getPanelColumns()));
      llvm::append_range(operands, llvm::drop_begin(coordinates));
      operands.push_back(
          e.add(adaptor.getTile(), panel * tile.getPanelBytes()));
      if (op.getHint())
        operands.push_back(getCachePolicy(e, *op.getHint()));
      e.ptx(text, constraints, operands);
    }
    e.ptx("cp.async.bulk.commit_group;", "", {});
    e.ptx("cp.async.bulk.wait_group.read 0;", "", {});
    rewriter.eraseOp(op);
    return success();
  }
};

struct StoreWaitLowering : TilePattern<StoreWaitOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(StoreWaitOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    onLane0(e, *kernel,
            [&] { e.ptx("cp.async.bulk.wait_group.read 0;", "", {}); });
    if (op.getBarrier())
      e.barrier(*kernel);
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void flash::tile::populateStoreSharedPatterns(
    const TileTypeConverter &converter, RewritePatternSet &patterns,
    const KernelMap &kernels) {
  patterns.add<StoreSharedLowering, ReadLowering, StoreAsyncLowering,
               StoreTileLowering, StoreWaitLowering>(
      converter, patterns.getContext(), kernels);
}
