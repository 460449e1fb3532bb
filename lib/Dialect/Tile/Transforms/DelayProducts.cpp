//===- DelayProducts.cpp - What only leaves is an iteration late ----------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   for %i { %t = store_shared %ds ; %dq = mma %t, %k ; store_async %dq, [%i] }
//   ->  fill %ring[0], zeros
//       for %i iter_args(%n = 1, %before = first) {
//         %t = get %ring[%n - 1] ; %dq = mma %t, %k ; release %ring[%n - 1]
//         fill %ring[%n], %ds ; store_async %dq, [%before] when %i > first
//       }
//       the same for the last one
//
// Zeros, so that the first iteration is like others: a branch around a product
// would end what is in flight. A persistent kernel counts on from tile to tile.
//
// Nothing in the loop reads the product, so that it can run beside the next
// iteration's. Its operand waits in a ring of two stages that the warps fill
// and release: they do not wait for each other at a barrier, and may be an
// iteration apart. Runs after roles and stores of the copy engine exist, before
// flash-tile-start-products.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/Transforms/Passes.h"

#include "ProductLoops.h"
#include "RingUtils.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILEDELAYPRODUCTS
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash;
using namespace flash::tile;

namespace {
/// A product that can be late, what it reads, and where it leaves.
struct LateProduct {
  StoreSharedOp operand;
  MmaOp product;
  StoreAsyncOp store;
};
} // namespace

/// The product of a loop whose left operand is made in the same iteration, for
/// it alone, and whose result leaves by the copy engine, and that alone.
static LateProduct findLateProduct(scf::ForOp loop) {
  for (auto product : loop.getBody()->getOps<MmaOp>()) {
    auto operand = product.getA().getDefiningOp<StoreSharedOp>();
    if (!operand || operand->getBlock() != loop.getBody() ||
        !operand.getTile().hasOneUse() || product.getAcc() ||
        !product.getResult().hasOneUse() ||
        !loop.isDefinedOutsideOfLoop(product.getB()))
      continue;
    auto store = dyn_cast<StoreAsyncOp>(*product.getResult().user_begin());
    if (!store || store->getBlock() != loop.getBody() || !store.getAdd() ||
        !llvm::all_of(store.getOffsets(), [&](Value offset) {
          return isArithmetic(loop.getBody(), offset);
        }))
      continue;
    return {operand, product, store};
  }
  return {};
}

/// Zeros of a fragment's type.
static Value buildZeros(OpBuilder &builder, Location loc, FragmentType type) {
  auto sums =
      FragmentType::get(type.getShape(), builder.getF32Type(),
                        AccLayoutAttr::get(type.getContext(), type.getWarps(),
                                           type.getColumnGroups()));
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(0));
  Value zeros = SplatOp::create(builder, loc, sums, zero);
  return ConvertOp::create(builder, loc, type, zeros);
}

/// Waits for the ring's stage of iteration `count`.
static Value buildGet(OpBuilder &builder, LateProduct late, Value ring,
                      Value count) {
  return GetOp::create(builder, late.product.getLoc(),
                       late.operand.getTile().getType(), ring, count,
                       builder.getI64IntegerAttr(0), /*when=*/Value(),
                       /*rows=*/Value());
}

/// Builds the product from the ring's stage of iteration `count`, and its store
/// to `offsets`, where `when` is true or absent.
static void buildLate(OpBuilder &builder, LateProduct late, Value ring,
                      Value count, ValueRange offsets, Value when) {
  IRMapping mapping;
  mapping.map(late.operand.getTile(), buildGet(builder, late, ring, count));
  auto product = cast<MmaOp>(builder.clone(*late.product, mapping));
  ReleaseOp::create(builder, product.getLoc(), ring, count);
  mapping.map(late.product.getResult(), product.getResult());
  auto store = cast<StoreAsyncOp>(builder.clone(*late.store, mapping));
  store.getOffsetsMutable().assign(offsets);
  if (when)
    store.getWhenMutable().assign(when);
}

/// Where late products start: after those that need nothing of this iteration
/// but what is loaded.
static Operation *findPlace(scf::ForOp loop) {
  for (auto product : loop.getBody()->getOps<MmaOp>())
    if (!isa<SharedType>(product.getA().getType()) || product.getAcc())
      return product;
  return loop.getBody()->getTerminator();
}

/// What the count of a loop's stages begins with: 0, or what the loop over
/// tiles carries, which passes it on as it came.
static Value countTiles(scf::ForOp loop) {
  OpBuilder builder(loop->getParentOfType<SpecializeOp>());
  Value zero = arith::ConstantIndexOp::create(builder, loop.getLoc(), 0);
  scf::ForOp tiles = tilesAround(loop);
  if (!tiles)
    return zero;
  return carryCounter(tiles, zero).getRegionIterArgs().back();
}

static void delay(scf::ForOp loop, LateProduct late) {
  auto roles = loop->getParentOfType<SpecializeOp>();
  Location loc = late.product.getLoc();
  OpBuilder builder(roles);
  Value ring = RingOp::create(
      builder, loc,
      RingType::get(2, late.operand.getTile().getType(), RingKind::MBarrier),
      IntegerAttr());

  // The first stage has zeros.
  Value start = countTiles(loop);
  builder.setInsertionPoint(loop);
  FillOp::create(builder, loc, ring, start,
                 buildZeros(builder, loc, late.operand.getValue().getType()));
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  IRMapping first;
  first.map(loop.getInductionVar(), loop.getLowerBound());
  first.map(loop.getRegionIterArgs(), loop.getInits());
  cloneArithmetic(builder, loop.getBody(), late.store.getOffsets(), first);
  SmallVector<Value> carried{
      builder.createOrFold<arith::AddIOp>(loc, start, one)};
  for (Value offset : late.store.getOffsets())
    carried.push_back(first.lookupOrDefault(offset));

  IRRewriter rewriter(loop.getContext());
  rewriter.setInsertionPoint(loop);
  auto yields = [&](OpBuilder &b, Location l, ArrayRef<BlockArgument> fresh) {
    Value step = arith::ConstantIndexOp::create(b, l, 1);
    SmallVector<Value> next{
        arith::AddIOp::create(b, l, fresh.front(), step).getResult()};
    llvm::append_range(next, late.store.getOffsets());
    return next;
  };
  loop =
      cast<scf::ForOp>(loop.replaceWithAdditionalYields(
                               rewriter, carried,
                               /*replaceInitOperandUsesInLoop=*/false, yields)
                           ->getOperation());
  size_t own = loop.getNumRegionIterArgs() - carried.size();
  ValueRange arguments = loop.getRegionIterArgs();
  Value count = arguments[own];

  // The one before: in its place among the products; its store stays in the
  // order of stores.
  builder.setInsertionPoint(findPlace(loop));
  Value before = arith::SubIOp::create(
      builder, loc, count, arith::ConstantIndexOp::create(builder, loc, 1));
  Value some =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sgt,
                            loop.getInductionVar(), loop.getLowerBound());
  buildLate(builder, late, ring, before, arguments.drop_front(own + 1), some);
  builder.setInsertionPoint(late.operand);
  FillOp::create(builder, loc, ring, count, late.operand.getValue());

  // The last one, if there is one: what is added may have no place without.
  builder.setInsertionPointAfter(loop);
  ValueRange results = loop.getResults();
  Value last =
      arith::SubIOp::create(builder, loc, results[own],
                            arith::ConstantIndexOp::create(builder, loc, 1));
  Value any = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sgt,
                                    loop.getUpperBound(), loop.getLowerBound());
  scf::ForOp tiles = tilesAround(loop);
  auto branch =
      scf::IfOp::create(builder, loc, any, /*withElseRegion=*/bool(tiles));
  builder.setInsertionPointToStart(branch.thenBlock());
  buildLate(builder, late, ring, last, results.drop_front(own + 1),
            /*when=*/Value());
  if (tiles) {
    // The next tile counts on, so that the zeros are given back.
    builder.setInsertionPointToStart(branch.elseBlock());
    buildGet(builder, late, ring, last);
    ReleaseOp::create(builder, loc, ring, last);
    tiles.getBody()->getTerminator()->setOperand(
        cast<BlockArgument>(start).getArgNumber() - 1, results[own]);
  }

  late.store.erase();
  late.product.erase();
  late.operand.erase();
  if (tiles)
    releaseAtEnd(loop);
}

namespace {
struct TileDelayProductsPass
    : flash::tile::impl::TileDelayProductsBase<TileDelayProductsPass> {
  void runOnOperation() override {
    // A preparation: flash-tile-start-products says what it leaves.
    if (!getPassAttr<StartProductsAttr>(getOperation()))
      return;
    for (scf::ForOp loop : findProductLoops(getOperation())) {
      if (!loop->getParentOfType<SpecializeOp>())
        continue;
      LateProduct late = findLateProduct(loop);
      if (!late.product)
        continue;
      delay(loop, late);
      ++numDelayed;
    }
  }
};
} // namespace
