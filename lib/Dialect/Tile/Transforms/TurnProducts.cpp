//===- TurnProducts.cpp - What only leaves is made whole, in turn ---------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   for %i { %t = store_shared %ds ; %dq = mma %t, %k ; store add %dq, [%i] }
//   ->  consumers {
//         for %i = %l to %u iter_args(%n = 0) {
//           fill %ring[%n], %ds
//           in_turn %n when %i > %l {
//             %t = get %ring[%n - 1] ; %dq = mma %t, %k ; release %ring[%n - 1]
//             fill %sums[%n - 1], %dq
//           }
//         }
//         in_turn %n when %u > %l { the last one }
//       } helper "writer" {
//         for %i iter_args(%n = 0) {
//           %t = get %sums[%n] ; store_tile add %t, [%i] ; release %sums[%n]
//         }
//       }
//
// A late product (flash-tile-delay-products) of which each warpgroup would have
// a part of the columns. A part of the columns reads the whole left operand, so
// that shared memory bounds it; made whole, each operand is read once, and the
// warpgroup that waits for it leaves the matrix unit to the other one. Who
// stores it waits for the copy engine, and nobody for that. A persistent
// kernel counts on from tile to tile, and its helper goes through the tiles,
// too. Runs between flash-tile-specialize and flash-tile-store-tma.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/Transforms/Passes.h"

#include "PassGate.h"
#include "ProductLoops.h"
#include "RingUtils.h"
#include "TensorMaps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILETURNPRODUCTS
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash;
using namespace flash::tile;

namespace {
/// A product, the store of its left operand, and where it leaves.
struct LeavingProduct {
  StoreSharedOp operand;
  MmaOp product;
  StoreOp store;

  SharedType getSums() {
    FragmentType type = product.getResult().getType();
    return SharedType::get(type.getRows(), type.getColumns(),
                           type.getElementType());
  }
};
} // namespace

/// Whether a whole tile, and no more, is added to memory by the copy engine.
static bool isAddedByTma(scf::ForOp loop, StoreOp store) {
  FragmentType type = store.getValue().getType();
  return store->getBlock() == loop.getBody() && store.getAdd() &&
         type.getElementType().isF32() && !store.getPackedAttr() &&
         isCutByMemref(store) &&
         (store.getStrips() ||
          (findBox(store.getRowDimension(), {}, type.getRows(),
                   type.getRows()) &&
           reasonAgainstTma(store, store.getDestination()).empty())) &&
         llvm::all_of(store.getOffsets(), [&](Value offset) {
           return isArithmetic(loop.getBody(), offset);
         });
}

/// The product of a loop whose left operand is made in the same iteration, for
/// it alone, of which each warpgroup has a part of the columns, and whose
/// result is only added to memory.
static LeavingProduct findLeavingProduct(scf::ForOp loop, int64_t warpgroups) {
  for (auto product : loop.getBody()->getOps<MmaOp>()) {
    auto operand = product.getA().getDefiningOp<StoreSharedOp>();
    FragmentType type = product.getResult().getType();
    if (!operand || operand->getBlock() != loop.getBody() ||
        !operand.getTile().hasOneUse() || product.getAcc() ||
        type.getColumnGroups() != warpgroups || warpgroups < 2 ||
        !product.getResult().hasOneUse() ||
        !loop.isDefinedOutsideOfLoop(product.getB()))
      continue;
    auto store = dyn_cast<StoreOp>(*product.getResult().user_begin());
    if (store && isAddedByTma(loop, store))
      return {operand, product, store};
  }
  return {};
}

/// In place of `roles`, the same with one helper more.
static SpecializeOp addHelper(SpecializeOp roles, StringRef name) {
  SmallVector<StringRef> names;
  if (ArrayAttr old = roles.getHelperNamesAttr())
    llvm::append_range(names, old.getAsValueRange<StringAttr>());
  names.push_back(name);
  OpBuilder builder(roles);
  auto result = SpecializeOp::create(builder, roles.getLoc(),
                                     roles.getProducerRegisters(),
                                     roles.getConsumerRegisters(), names);
  for (auto [from, to] : llvm::zip(roles->getRegions(), result->getRegions()))
    to.takeBody(from);
  roles.erase();
  return result;
}

/// The product of the iteration before `count`, by the warpgroup whose turn it
/// is, where the loop has done one: `position` is after its begin.
static void buildTurn(OpBuilder &builder, LeavingProduct leaving, Value ring,
                      Value sums, Value count, Value position, Value begin) {
  Location loc = leaving.product.getLoc();
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  Value before = arith::SubIOp::create(builder, loc, count, one);
  Value some = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sgt,
                                     position, begin);
  auto turn = InTurnOp::create(builder, loc, count, some);
  OpBuilder inside(turn.getBody().front().getTerminator());
  auto get = GetOp::create(inside, loc, leaving.operand.getTile().getType(),
                           ring, before, inside.getI64IntegerAttr(0),
                           /*when=*/Value(), /*rows=*/Value());
  FragmentType type = leaving.product.getResult().getType();
  auto whole = FragmentType::get(
      type.getShape(), type.getElementType(),
      AccLayoutAttr::get(type.getContext(), 4, /*columnGroups=*/1));
  auto product = MmaOp::create(
      inside, loc, whole, leaving.product.getInstruction(), get.getTile(),
      leaving.product.getB(), /*acc=*/Value(),
      leaving.product.getTransposeAAttr(), leaving.product.getTransposeBAttr());
  ReleaseOp::create(inside, loc, ring, before);
  FillOp::create(inside, loc, sums, before, product.getResult(),
                 /*always=*/false, leaving.store.getStrips());
}

/// The loop again, for the places; counted from `first` on. Returns the count
/// after it.
static Value buildStores(OpBuilder &builder, scf::ForOp loop, StoreOp store,
                         Value sums, Value target, Value first,
                         const IRMapping &outer) {
  auto stores = scf::ForOp::create(
      builder, store.getLoc(), outer.lookupOrDefault(loop.getLowerBound()),
      outer.lookupOrDefault(loop.getUpperBound()),
      outer.lookupOrDefault(loop.getStep()), first,
      [&](OpBuilder &b, Location loc, Value position, ValueRange args) {
        IRMapping mapping(outer);
        mapping.map(loop.getInductionVar(), position);
        cloneArithmetic(b, loop.getBody(), store.getOffsets(), mapping);
        SmallVector<Value> offsets;
        for (Value offset : store.getOffsets())
          offsets.push_back(mapping.lookupOrDefault(offset));
        auto get =
            GetOp::create(b, loc, cast<RingType>(sums.getType()).getTile(),
                          sums, args[0], b.getI64IntegerAttr(0),
                          /*when=*/Value(), /*rows=*/Value());
        StoreTileOp::create(b, loc, get.getTile(), target, offsets,
                            CacheHintAttr(), /*add=*/true);
        ReleaseOp::create(b, loc, sums, args[0]);
        Value one = arith::ConstantIndexOp::create(b, loc, 1);
        scf::YieldOp::create(
            b, loc, arith::AddIOp::create(b, loc, args[0], one).getResult());
      });
  return stores.getResult(0);
}

/// What the helper does, for each tile of a persistent kernel.
static void buildWriter(Block *writer, scf::ForOp tiles, scf::ForOp loop,
                        StoreOp store, Value sums, Value target) {
  Location loc = store.getLoc();
  OpBuilder builder(writer->getTerminator());
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  if (!tiles) {
    buildStores(builder, loop, store, sums, target, zero, IRMapping());
    return;
  }
  scf::ForOp::create(
      builder, loc, tiles.getLowerBound(), tiles.getUpperBound(),
      tiles.getStep(), zero,
      [&](OpBuilder &b, Location l, Value tile, ValueRange args) {
        IRMapping mapping;
        mapping.map(tiles.getInductionVar(), tile);
        cloneScalars(b, tiles, loop, mapping);
        scf::YieldOp::create(
            b, l, buildStores(b, loop, store, sums, target, args[0], mapping));
      });
}

static void turn(scf::ForOp loop, LeavingProduct leaving, TensorMaps &maps) {
  SpecializeOp roles =
      addHelper(loop->getParentOfType<SpecializeOp>(), "writer");
  Location loc = leaving.product.getLoc();
  OpBuilder builder(roles);
  auto makeRing = [&](int64_t stages, SharedType tile) -> Value {
    return RingOp::create(builder, loc,
                          RingType::get(stages, tile, RingKind::MBarrier),
                          IntegerAttr());
  };
  Value ring = makeRing(2, leaving.operand.getTile().getType()),
        sums = makeRing(1, leaving.getSums());
  SharedType tile = leaving.getSums();
  Value target = leaving.store.getDestination();
  if (!leaving.store.getStrips())
    target = maps.get(loc, target,
                      *findBox(leaving.store.getRowDimension(), {},
                               tile.getRows(), tile.getRows()),
                      tile.getPanelColumns());
  scf::ForOp tiles = tilesAround(loop);
  if (!tiles && !findCounter(loop))
    loop = addCounter(loop, arith::ConstantIndexOp::create(builder, loc, 0));
  BlockArgument count = findCounter(loop);
  buildWriter(&roles.getHelpers().back().front(), tiles, loop, leaving.store,
              sums, target);

  builder.setInsertionPoint(leaving.operand);
  FillOp::create(builder, loc, ring, count, leaving.operand.getValue());
  builder.setInsertionPoint(loop.getBody()->getTerminator());
  buildTurn(builder, leaving, ring, sums, count, loop.getInductionVar(),
            loop.getLowerBound());
  builder.setInsertionPointAfter(loop);
  buildTurn(builder, leaving, ring, sums, loop.getTiedLoopResult(count),
            loop.getUpperBound(), loop.getLowerBound());
  leaving.store.erase();
  leaving.product.erase();
  leaving.operand.erase();
  if (tiles)
    releaseAtEnd(loop);
}

/// Whether all roles see the loop's bounds, or can compute them: they stand
/// beside the roles, or are scalars in the loop over tiles.
static bool isAtTop(scf::ForOp loop, SpecializeOp roles) {
  scf::ForOp tiles = tilesAround(loop);
  Operation *outer = tiles ? tiles : loop;
  if (!roles || outer->getParentRegion() != &roles.getConsumers() ||
      (tiles && !findCounter(loop)))
    return false;
  auto isSeen = [&](Value value) {
    if (!roles.getConsumers().isAncestor(value.getParentRegion()))
      return true;
    Operation *op = value.getDefiningOp();
    return tiles && op && op->getBlock() == tiles.getBody() && isScalar(*op);
  };
  return llvm::all_of(ValueRange{loop.getLowerBound(), loop.getUpperBound(),
                                 loop.getStep()},
                      isSeen) &&
         (!tiles ||
          llvm::all_of(ValueRange{tiles.getLowerBound(), tiles.getUpperBound(),
                                  tiles.getStep()},
                       isSeen));
}

namespace {
struct TileTurnProductsPass
    : flash::tile::impl::TileTurnProductsBase<TileTurnProductsPass> {
  void runOnOperation() override {
    LaunchMap launches = findLaunches(getOperation());
    SmallVector<gpu::GPUFuncOp> kernels;
    getOperation().walk(
        [&](gpu::GPUFuncOp kernel) { kernels.push_back(kernel); });
    for (gpu::GPUFuncOp kernel : kernels) {
      // A preparation: flash-tile-start-products says what it leaves.
      if (!getPassAttr<StartProductsAttr>(kernel) ||
          !getPassAttr<StoreTmaAttr>(kernel))
        continue;
      TensorMaps maps(kernel, launches[kernel]);
      for (scf::ForOp loop : findProductLoops(kernel)) {
        if (!isAtTop(loop, loop->getParentOfType<SpecializeOp>()))
          continue;
        LeavingProduct leaving =
            findLeavingProduct(loop, getKernelWarps(kernel) / 4);
        if (!leaving.product)
          continue;
        turn(loop, leaving, maps);
        ++numTurned;
      }
    }
  }
};
} // namespace
