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
// A row vector is stored by the first lane of each quad.
//
//===----------------------------------------------------------------------===//

#include "Place.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

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
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    FragmentType type = op.getValue().getType();
    SmallVector<Value> elements = unpack(e, adaptor.getValue(), type);
    Place place = Place::get(e, adaptor.getDestination(), adaptor.getOffsets(),
                             op.getRowDimension());
    Bound rows = Bound::get(e, op.getRows(), type.getRows());
    Value row0 = e.add(e.shl(kernel->warp, 4), e.shr(kernel->lane, 2));
    for (int64_t r = 0; r < type.getRepetitions(); ++r)
      for (int64_t half = 0; half < 2; ++half) {
        Value row = e.add(row0, r * 16 * kernel->warps + half * 8);
        ifExists(e, rows, type.getRows(), row, [&] {
          Value address =
              e.add(place.base, e.mul(e.toI64(row), place.rowStride));
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

} // namespace

void flash::tile::populateStorePatterns(const TileTypeConverter &converter,
                                        RewritePatternSet &patterns,
                                        const KernelMap &kernels) {
  patterns.add<StoreLowering>(converter, patterns.getContext(), kernels);
}
