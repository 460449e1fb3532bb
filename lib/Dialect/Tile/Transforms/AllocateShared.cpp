//===- AllocateShared.cpp - Places in shared memory -----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %r = flash_tile.ring : !flash_tile.ring<2, 64x128xbf16, cp_async>
//   ->  %r = flash_tile.ring {shared_offset = 32768 : i64} : ...
//
// One after the other: rings and tiles of these kernels live to the end. Only
// asynchronous stores share their tile: each waits for the one before. It
// runs last on L3, when the number of stages is decided.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/Transforms/Passes.h"

#include "llvm/Support/MathExtras.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILEALLOCATESHARED
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash;
using namespace flash::tile;

namespace {
struct TileAllocateSharedPass
    : flash::tile::impl::TileAllocateSharedBase<TileAllocateSharedPass> {
  using TileAllocateSharedBase::TileAllocateSharedBase;

  void runOnOperation() override {
    gpu::GPUFuncOp kernel = getOperation();
    if (!getKernelAttr(kernel))
      return;
    Builder builder(&getContext());
    int64_t offset = 0, end = 0;
    auto placeAt = [&](auto op, int64_t at, int64_t bytes) {
      op.setSharedOffsetAttr(builder.getI64IntegerAttr(at));
      end = at + bytes;
      offset = llvm::alignTo(end, 1024);
    };
    auto place = [&](auto op, int64_t bytes) { placeAt(op, offset, bytes); };
    llvm::DenseMap<Type, IntegerAttr> stores;
    kernel.walk([&](Operation *op) {
      if (auto load = dyn_cast<LoadOp>(op))
        place(load, load.getTile().getType().getSizeInBytes());
      else if (auto store = dyn_cast<StoreAsyncOp>(op)) {
        IntegerAttr &shared = stores[store.getTile()];
        if (shared)
          return store.setSharedOffsetAttr(shared);
        place(store, store.getTile().getSizeInBytes());
        shared = store.getSharedOffsetAttr();
      } else if (auto ring = dyn_cast<RingOp>(op))
        place(ring, ring.getRing().getType().getSizeInBytes());
      else if (auto store = dyn_cast<StoreSharedOp>(op))
        place(store, store.getTile().getType().getSizeInBytes());
      else if (auto reduce = dyn_cast<AllReduceOp>(op)) {
        if (int64_t bytes = reduce.getSharedBytes())
          place(reduce, bytes);
      } else if (auto queue = dyn_cast<QueueOp>(op))
        // In what the alignment of tiles leaves free.
        placeAt(queue, llvm::alignTo(end, 8), QueueType::sizeInBytes);
    });
    if (end > limit) {
      kernel.emitError("kernel '")
          << kernel.getName() << "' needs " << end
          << " bytes of shared memory for a block, but the target has "
          << limit.getValue() << ": choose smaller tiles or fewer stages";
      return signalPassFailure();
    }
    kernel->setAttr(FlashTileDialect::getSharedBytesAttrName(),
                    builder.getI64IntegerAttr(end));
  }
};
} // namespace
