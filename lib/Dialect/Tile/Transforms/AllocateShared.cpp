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
// asynchronous stores share their place: each waits for the one before. At the
// end of the consumers each takes the place of a ring that nobody uses any
// more, after a barrier, and need not go in parts; at the end of a tile of a
// persistent kernel all take that of a ring that consumers alone use, which
// they use again when the stores have read it. Rings that are read ahead get a
// stage more if there is room. Barriers follow the stages of their ring, or, if
// there is no room, everything. It runs last on L3, when the number of stages
// is decided.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/Transforms/Passes.h"
#include "flash/Support/DebugLog.h"

#include "RingUtils.h"

#include "mlir/Interfaces/LoopLikeInterface.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/MathExtras.h"

#define DEBUG_TYPE "flash-tile-allocate-shared"

namespace flash::tile {
#define GEN_PASS_DEF_TILEALLOCATESHARED
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash;
using namespace flash::tile;

/// Whether all of `before` is over when one of `after` begins: no loop has
/// both.
static bool areApart(ArrayRef<StoreAsyncOp> before,
                     ArrayRef<StoreAsyncOp> after) {
  return llvm::none_of(before, [&](StoreAsyncOp first) {
    auto loop = first->getParentOfType<LoopLikeOpInterface>();
    for (; loop; loop = loop->getParentOfType<LoopLikeOpInterface>())
      if (llvm::any_of(after, [&](StoreAsyncOp second) {
            return loop->isProperAncestor(second);
          }))
        return true;
    return false;
  });
}

/// Whether all computing warps come by: nothing but loops and roles is around
/// the op.
static bool isMetByAll(Operation *op) {
  for (op = op->getParentOp(); !isa<gpu::GPUFuncOp>(op); op = op->getParentOp())
    if (!isa<LoopLikeOpInterface, SpecializeOp>(op))
      return false;
  return true;
}

/// Whether nobody uses the ring any more once all consumers have come to
/// `store`: they have waited for what the producer puts there, and a watcher
/// looks at, which is once, or have filled it themselves.
static bool isOverBefore(RingOp ring, StoreAsyncOp store) {
  auto roles = store->getParentOfType<SpecializeOp>();
  if (!roles || store->getParentRegion() != &roles.getConsumers())
    return false;
  Block *consumers = store->getBlock();
  bool isAwaited = false;
  for (Operation *user : ring->getUsers()) {
    Operation *here = consumers->findAncestorOpInBlock(*user);
    // What is awaited has been put, and watched, before.
    Region *role = user->getParentRegion();
    bool isMadeOnce = (isa<PutOp>(user) && role == &roles.getProducer()) ||
                      (isa<WatchOp>(user) && role == &roles.getWatcher());
    if (!isMadeOnce && (!here || !here->isBeforeInBlock(store)))
      return false;
    isAwaited |= isa<GetOp>(user) && here;
  }
  return isAwaited;
}

/// Whether computing warps alone use the ring, each time before they come to
/// `store` in the loop over tiles.
static bool isIdleAt(RingOp ring, StoreAsyncOp store) {
  auto roles = store->getParentOfType<SpecializeOp>();
  bool isUsed = false;
  for (Operation *user : ring->getUsers()) {
    Operation *here = store->getBlock()->findAncestorOpInBlock(*user);
    if (!here || !here->isBeforeInBlock(store))
      return false;
    isUsed |= roles.getConsumers().isAncestor(user->getParentRegion());
  }
  return isUsed && !ring.getWith() && ring.getCompanions().empty();
}

/// The whole tile of a store, which may go in parts of its columns.
static SharedType getWhole(StoreAsyncOp store) {
  FragmentType type = store.getValue().getType();
  return SharedType::get(type.getRows(), type.getColumns(),
                         type.getElementType());
}

namespace {
/// Where a store is in what a ring has, in bytes from its first stage.
struct PlaceInRing {
  RingOp ring;
  int64_t offset = 0;
};

/// Tiles of asynchronous stores, and the place that they share.
class StorePlaces {
public:
  explicit StorePlaces(gpu::GPUFuncOp kernel) {
    kernel.walk([&](StoreAsyncOp store) {
      if (tiles.empty() || tiles.back().front().getTile() != store.getTile())
        tiles.push_back({});
      tiles.back().push_back(store);
    });
    // Each sort once, one after the other, with a barrier between them.
    for (size_t i = 1; i < tiles.size(); ++i)
      shared &= isMetByAll(tiles[i].front()) &&
                llvm::all_of(ArrayRef(tiles).take_front(i), [&](auto &before) {
                  return areApart(before, tiles[i]);
                });
  }

  /// Where they share one, the barriers, and the bytes of the place; else none.
  std::optional<int64_t> share() {
    if (tiles.size() < 2 || !shared)
      return std::nullopt;
    int64_t bytes = 0;
    for (auto &stores : tiles)
      bytes = std::max(bytes, stores.front().getTile().getSizeInBytes());
    for (auto &stores : ArrayRef(tiles).drop_front())
      StoreAsyncOp(stores.front()).setBarrier(true);
    return bytes;
  }

  /// A ring for each store, in whose place it is, whole, if there are so many;
  /// the first store is after a barrier.
  static llvm::MapVector<Operation *, PlaceInRing>
  takeRings(gpu::GPUFuncOp kernel) {
    SmallVector<StoreAsyncOp> stores;
    kernel.walk([&](StoreAsyncOp store) { stores.push_back(store); });
    // One store that is whole has a place of its own, and no barrier.
    if (stores.empty() || (stores.size() == 1 && !stores.front().getColumns()))
      return {};
    llvm::MapVector<Operation *, PlaceInRing> taken;
    for (StoreAsyncOp store : stores) {
      int64_t bytes = getWhole(store).getSizeInBytes();
      for (auto ring : kernel.getOps<RingOp>()) {
        RingType of = ring.getRing().getType();
        bool isFree = llvm::none_of(
            taken, [&](auto &other) { return other.second.ring == ring; });
        if (isFree && of.getStageBytes() >= bytes &&
            isOverBefore(ring, stores.front())) {
          taken[store] = {ring, 0};
          break;
        }
      }
      if (!taken.contains(store))
        return {};
    }
    for (auto [store, place] : taken)
      cast<StoreAsyncOp>(store).removeColumnsAttr();
    stores.front().setBarrier(true);
    return taken;
  }

  /// The same for stores at the end of a tile of a persistent kernel: they take
  /// the place of one ring, side by side or one after the other, and all wait
  /// for them before the ring is used again.
  static llvm::MapVector<Operation *, PlaceInRing>
  takeIdleRing(gpu::GPUFuncOp kernel) {
    SmallVector<StoreAsyncOp> stores;
    kernel.walk([&](StoreAsyncOp store) {
      if (store->getParentOp()->hasAttr(FlashTileDialect::getTilesAttrName()))
        stores.push_back(store);
    });
    if (stores.size() < 2)
      return {};
    Block *tile = stores.front()->getBlock();
    for (auto ring : kernel.getOps<RingOp>()) {
      int64_t bytes = ring.getRing().getType().getStageBytes();
      if (!isIdleAt(ring, stores.front()) ||
          llvm::any_of(stores, [&](StoreAsyncOp store) {
            return getWhole(store).getSizeInBytes() > bytes;
          }))
        continue;
      OpBuilder builder(firstUser(ring, tile));
      StoreWaitOp::create(builder, ring.getLoc(), /*barrier=*/true);
      llvm::MapVector<Operation *, PlaceInRing> taken;
      // Each has a place of its own, as long as there is room.
      int64_t end = 0;
      for (StoreAsyncOp store : stores) {
        store.removeColumnsAttr();
        int64_t size = llvm::alignTo(getWhole(store).getSizeInBytes(), 1024);
        bool fits = end + size <= bytes;
        store.setBarrier(store == stores.front() || !fits);
        store.setFree(fits);
        end = fits ? end : 0;
        taken[store] = {ring, end};
        end += size;
      }
      return taken;
    }
    return {};
  }

private:
  SmallVector<SmallVector<StoreAsyncOp>> tiles;
  bool shared = true;
};
} // namespace

/// Gives each op its place; returns how many bytes all of them need. `ofStores`
/// are those that all asynchronous stores share, if they do; those in `taken`
/// are in the place of a ring.
static int64_t place(gpu::GPUFuncOp kernel, std::optional<int64_t> ofStores,
                     llvm::MapVector<Operation *, PlaceInRing> &taken) {
  Builder builder(kernel.getContext());
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
      if (PlaceInRing in = taken.lookup(store); in.ring)
        return store.setSharedOffset(in.ring.getSharedOffset().value_or(0) +
                                     in.offset);
      IntegerAttr &shared = stores[ofStores ? Type() : Type(store.getTile())];
      if (shared)
        return store.setSharedOffsetAttr(shared);
      place(store, ofStores.value_or(store.getTile().getSizeInBytes()));
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
  return end;
}

/// Moves the barriers of all rings after everything else, where a tile that
/// follows a ring would begin a kibibyte after it; returns how many bytes all
/// ops need.
static int64_t packBarriers(gpu::GPUFuncOp kernel,
                            std::optional<int64_t> ofStores,
                            llvm::MapVector<Operation *, PlaceInRing> &taken) {
  SmallVector<RingOp> rings;
  for (auto ring : kernel.getOps<RingOp>())
    if (ring.getRing().getType().getKind() == RingKind::MBarrier)
      rings.push_back(ring);
  auto putAt = [](RingOp ring, int64_t offset) {
    ring.getRing().setType(ring.getRing().getType().withBarriers(offset));
  };
  for (RingOp ring : rings)
    putAt(ring, ring.getRing().getType().getStageBytes());
  int64_t end = llvm::alignTo(place(kernel, ofStores, taken), 8);
  for (RingOp ring : rings) {
    putAt(ring, end - *ring.getSharedOffset());
    end += ring.getRing().getType().getBarrierBytes();
  }
  return end;
}

/// Changes how many stages a ring has, and those that have its barriers.
static void addStages(RingOp ring, int64_t count) {
  SmallVector<RingOp, 2> rings = ring.getCompanions();
  rings.push_back(ring);
  for (RingOp each : rings) {
    RingType type = each.getRing().getType();
    each.getRing().setType(type.withStages(type.getStages() + count));
  }
}

namespace {
struct TileAllocateSharedPass
    : flash::tile::impl::TileAllocateSharedBase<TileAllocateSharedPass> {
  using TileAllocateSharedBase::TileAllocateSharedBase;

  void runOnOperation() override {
    gpu::GPUFuncOp kernel = getOperation();
    if (!getKernelAttr(kernel))
      return;
    auto taken = StorePlaces::takeRings(kernel);
    if (taken.empty())
      taken = StorePlaces::takeIdleRing(kernel);
    std::optional<int64_t> ofStores;
    if (taken.empty())
      ofStores = StorePlaces(kernel).share();
    int64_t end = place(kernel, ofStores, taken);
    kernel.walk([&](RingOp ring) {
      if (!ring.getAhead() || ring.getWith() || end > limit)
        return;
      addStages(ring, 1);
      int64_t more = place(kernel, ofStores, taken);
      if (more <= limit) {
        end = more;
        return;
      }
      addStages(ring, -1);
      end = place(kernel, ofStores, taken);
    });
    if (end > limit)
      end = packBarriers(kernel, ofStores, taken);
    kernel.walk([&](RingOp ring) {
      LDBG() << ring.getRing().getType() << " at "
             << ring.getSharedOffset().value_or(0) << " of '"
             << kernel.getName() << "'";
    });
    LDBG() << "'" << kernel.getName() << "' has " << end << " of "
           << limit.getValue() << " bytes; " << taken.size()
           << " stores are in the place of a ring";
    if (end > limit) {
      kernel.emitError("kernel '")
          << kernel.getName() << "' needs " << end
          << " bytes of shared memory for a block, but the target has "
          << limit.getValue() << ": choose smaller tiles or fewer stages";
      return signalPassFailure();
    }
    Builder builder(&getContext());
    kernel->setAttr(FlashTileDialect::getSharedBytesAttrName(),
                    builder.getI64IntegerAttr(end));
  }
};
} // namespace
