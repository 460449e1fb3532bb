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
// A row vector is stored by the first lane of each quad. Asynchronously, a warp
// writes its 16 rows of a panel to shared memory, and one lane has them copied:
//
//   store_async %o, %map[...]  ->  bulk.wait_group.read 0; bar.warp.sync;
//                                  stmatrix.x4 ...; fence.proxy.async;
//                                  bar.warp; cp.async.bulk.tensor.global;
//                                  commit_group
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
    Bound rows = Bound::get(e, op.getRows(), along);
    Value row0 = e.add(e.shl(kernel->warp, 4), e.shr(kernel->lane, 2));
    for (int64_t r = 0; r < type.getRepetitions(); ++r)
      for (int64_t half = 0; half < 2; ++half) {
        Value row = e.add(row0, r * 16 * kernel->warps + half * 8);
        ifExists(e, rows, along, place.along(e, row), [&] {
          Value address = place.address(e, row);
          if (type.getRank() == 1)
            storeElement(e, *kernel, elements[r * 2 + half], address);
          else
            storeRow(e, *kernel, op, elements, r, half, address);
        });
      }
    rewriter.eraseOp(op);
    return success();
  }

  static void storeElement(Emitter &e, const KernelValues &kernel,
                           Value element, Value address) {
    Value first = e.createOrFold<arith::CmpIOp>(
        arith::CmpIPredicate::eq, e.bitAnd(kernel.lane, 3), e.i32(0));
    auto once = scf::IfOp::create(e, first, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(e);
    e.setInsertionPointToStart(once.thenBlock());
    storeGlobal(e, element, address);
  }

  static void storeRow(Emitter &e, const KernelValues &kernel, StoreOp op,
                       ArrayRef<Value> elements, int64_t r, int64_t half,
                       Value address) {
    FragmentType type = op.getValue().getType();
    int64_t bytes = type.getElementType().getIntOrFloatBitWidth() / 8;
    int64_t blocks = type.getColumns() / 8;
    Bound columns = Bound::get(e, op.getCols(), type.getColumns());
    // A pair is either inside or outside when the bound is even.
    bool wholePairs =
        op.getAlignment() >= static_cast<uint64_t>(2 * bytes) &&
        (!columns || (columns.constant && *columns.constant % 2 == 0));
    Value column0 = e.shl(e.bitAnd(kernel.lane, 3), 1);
    address = e.add(address, e.toI64(e.mul(column0, bytes)));
    for (int64_t i = 0; i < blocks; ++i) {
      const Value *pair = &elements[(r * blocks + i) * 4 + half * 2];
      Value column = e.add(column0, i * 8);
      Value target = e.add(address, i * 8 * bytes);
      if (wholePairs) {
        ifExists(e, columns, i * 8 + 8, column, [&] {
          storeGlobal(e, e.makeVector({pair[0], pair[1]}), target);
        });
        continue;
      }
      for (int64_t k = 0; k < 2; ++k)
        ifExists(e, columns, i * 8 + 8, e.add(column, k),
                 [&] { storeGlobal(e, pair[k], e.add(target, k * bytes)); });
    }
  }
};

/// Lane 0 starts and waits for all copies of its warp.
void onLane0(Emitter &e, const KernelValues &kernel,
             llvm::function_ref<void()> body) {
  Value first = e.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq,
                                              kernel.lane, e.i32(0));
  auto once = scf::IfOp::create(e, first, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(e);
  e.setInsertionPointToStart(once.thenBlock());
  body();
}

struct StoreAsyncLowering : TilePattern<StoreAsyncOp> {
  using TilePattern::TilePattern;

  /// Columns that go through shared memory together.
  struct Part {
    int64_t first, count;
  };

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
    SharedType tile = op.getTile();
    // This warp's 16 rows, 128 bytes each, of the first panel.
    Value rows = e.add(*shared, e.shl(kernel->warp, 11));
    for (int64_t first = 0; first < type.getColumns();
         first += tile.getColumns()) {
      Part part{first, std::min(tile.getColumns(), type.getColumns() - first)};
      onLane0(e, *kernel,
              [&] { e.ptx("cp.async.bulk.wait_group.read 0;", "", {}); });
      e.ptx("bar.warp.sync 0xffffffff;", "", {});
      writeRows(e, *kernel, adaptor.getValue(), type, tile, part, rows);
      e.ptx("fence.proxy.async.shared::cta;", "", {});
      e.ptx("bar.warp.sync 0xffffffff;", "", {});
      onLane0(e, *kernel,
              [&] { startCopies(e, *kernel, op, adaptor, part, rows); });
    }
    rewriter.eraseOp(op);
    return success();
  }

  /// stmatrix of two blocks of 8 columns at a time: lane l gives the address of
  /// row l % 16 and of block l / 16.
  static void writeRows(Emitter &e, const KernelValues &kernel, Value value,
                        FragmentType type, SharedType tile, Part part,
                        Value rows) {
    Value row = e.bitAnd(kernel.lane, 15);
    Value lane = e.add(rows, e.shl(row, 7));
    Value swizzle = e.bitXor(e.bitAnd(row, 7), e.shr(kernel.lane, 4));
    int64_t blocks = type.getColumns() / 8, firstBlock = part.first / 8;
    for (int64_t r = 0; r < type.getRepetitions(); ++r)
      for (int64_t i = 0; i < part.count / 8; i += 2) {
        int64_t column = i * 8 % tile.getPanelColumns() / 8;
        Value chunk = e.shl(e.bitXor(swizzle, e.i32(column)), 4);
        int64_t offset = i * 8 / tile.getPanelColumns() * tile.getPanelBytes() +
                         r * 16 * kernel.warps * 128;
        Value address = e.add(e.add(lane, chunk), offset);
        SmallVector<Value> operands{address};
        int64_t count = std::min<int64_t>(2, part.count / 8 - i) * 2;
        std::string text = "stmatrix.sync.aligned.m8n8.x" +
                           std::to_string(count) + ".shared.b16 [$0], {";
        std::string constraints = "r";
        for (int64_t k = 0; k < count; ++k) {
          operands.push_back(
              e.extract(value, (r * blocks + firstBlock + i) * 2 + k));
          text += (k ? ", $" : "$") + std::to_string(k + 1);
          constraints += ",r";
        }
        e.ptx(text + "};", constraints, operands);
      }
  }

  static void startCopies(Emitter &e, const KernelValues &kernel,
                          StoreAsyncOp op, OpAdaptor adaptor, Part part,
                          Value rows) {
    FragmentType type = op.getValue().getType();
    SharedType tile = op.getTile();
    ArrayRef<int64_t> box = op.getDestination().getType().getBox();
    SmallVector<Value> coordinates;
    for (Value offset : llvm::reverse(op.getOffsets()))
      coordinates.push_back(e.toI32(offset));
    int64_t rank = coordinates.size();
    // The dimension of the rows, as the coordinates count.
    int64_t rowDim = 1;
    for (int64_t i = 0; i < rank - 1; ++i)
      if (box[i] == 16)
        rowDim = rank - 1 - i;
    std::string text = "cp.async.bulk.tensor." + std::to_string(rank) +
                       "d.global.shared::cta.bulk_group [$0, {";
    std::string constraints = "l";
    for (int64_t i = 0; i < rank; ++i) {
      text += (i ? ", $" : "$") + std::to_string(i + 1);
      constraints += ",r";
    }
    text += "}], [$" + std::to_string(rank + 1) + "]";
    constraints += ",r";
    if (op.getHint()) {
      text.insert(text.find(" [$0"), ".L2::cache_hint");
      text += ", $" + std::to_string(rank + 2);
      constraints += ",l";
    }
    text += ";";
    PackedRowsAttr packed = op.getPackedAttr();
    int64_t packedDim = 0;
    if (packed) {
      rowDim = rank - 1 - *op.getRowDim();
      packedDim = rank - 1 - packed.getDim();
    }
    Value warpRow = e.shl(kernel.warp, 4);
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
      e.ptx(text, constraints, operands);
    };
    for (int64_t r = 0; r < type.getRepetitions(); ++r)
      for (int64_t column = 0, panel = 0; column < part.count;
           column += tile.getPanelColumns(), ++panel)
        for (int64_t half = 0; half < 16; half += op.getBoxRows())
          copy(r * 16 * kernel.warps + half, column, panel);
    e.ptx("cp.async.bulk.commit_group;", "", {});
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
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void flash::tile::populateStorePatterns(const TileTypeConverter &converter,
                                        RewritePatternSet &patterns,
                                        const KernelMap &kernels) {
  patterns.add<StoreLowering, StoreAsyncLowering, StoreWaitLowering>(
      converter, patterns.getContext(), kernels);
}
