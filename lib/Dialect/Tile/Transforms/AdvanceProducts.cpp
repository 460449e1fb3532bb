//===- AdvanceProducts.cpp - A product starts an iteration ahead ----------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   for %i iter_args(%n) { %s = mma_start %a, ring[%n] ; mma_wait %s ; ... }
//   ->  %first = mma_start %a, ring[%n0]
//       for %i iter_args(%n, %s = %first) {
//         mma_wait %s ; ...
//         %next = mma_start %a, ring[%n + 1] ; yield %next
//       }
//       mma_wait
//
// The first product of an iteration reads only what is loaded, so that it can
// run over the end of the one before. The product behind the last iteration
// reads what a stage happens to hold, and nobody reads its result: no branch.
// ptxas follows a product over the end of a loop if it starts behind a wait for
// all others and is waited for before another starts; it serialises products
// otherwise (C7514). The ring asks for a stage more.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/Transforms/Passes.h"

#include "PassGate.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILEADVANCEPRODUCTS
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash;
using namespace flash::tile;

namespace {
/// A product that can start an iteration ahead.
struct EarlyProduct {
  MmaStartOp start;
  /// What it reads of this iteration, and that iteration's number, which the
  /// loop counts.
  GetOp get;
  BlockArgument count;
};
} // namespace

/// The first product of a loop whose left operand stays and whose right one is
/// the stage of a ring for this iteration.
static EarlyProduct findEarlyProduct(scf::ForOp loop) {
  auto starts = loop.getBody()->getOps<MmaStartOp>();
  if (starts.empty())
    return {};
  MmaStartOp start = *starts.begin();
  auto get = start.getB().getDefiningOp<GetOp>();
  if (start.getAcc() || !get || get->getBlock() != loop.getBody() ||
      get.getWhen() || get.getRows() ||
      !loop.isDefinedOutsideOfLoop(start.getA()) ||
      !start.getResult().hasOneUse() ||
      !isa<MmaWaitOp>(*start.getResult().user_begin()))
    return {};
  auto count = dyn_cast<BlockArgument>(get.getIteration());
  if (!count || count.getOwner() != loop.getBody() ||
      count == loop.getInductionVar())
    return {};
  auto next =
      loop.getTiedLoopYieldedValue(count)->get().getDefiningOp<arith::AddIOp>();
  if (!next || next.getLhs() != count ||
      getConstantIntValue(next.getRhs()) != 1)
    return {};
  return {start, get, count};
}

/// Builds the product of iteration `count`, which there is where `when` holds.
static MmaStartOp buildStart(OpBuilder &builder, EarlyProduct early,
                             Value count, Value when) {
  Location loc = early.start.getLoc();
  auto get = GetOp::create(
      builder, loc, early.get.getTile().getType(), early.get.getRing(), count,
      builder.getI64IntegerAttr(0), when, /*rows=*/Value());
  IRMapping mapping;
  mapping.map(early.get.getTile(), get.getTile());
  return cast<MmaStartOp>(builder.clone(*early.start, mapping));
}

/// The pending product leaves the wait, which has waited for it before.
static void leaveWait(OpBuilder &builder, MmaWaitOp wait, Value pending,
                      Value complete) {
  SmallVector<Value> others;
  SmallVector<Type> types;
  for (auto [operand, result] :
       llvm::zip(wait.getPending(), wait.getResults())) {
    if (operand == pending) {
      result.replaceAllUsesWith(complete);
      continue;
    }
    others.push_back(operand);
    types.push_back(result.getType());
  }
  SmallVector<Value> results = others;
  builder.setInsertionPoint(wait);
  if (TypeRange(types) != ValueRange(others).getTypes())
    results = MmaWaitOp::create(builder, wait.getLoc(), types, others,
                                wait.getInFlightAttr())
                  .getResults();
  auto next = results.begin();
  for (auto [operand, result] : llvm::zip(wait.getPending(), wait.getResults()))
    if (operand != pending)
      result.replaceAllUsesWith(*next++);
  wait.erase();
}

static void advance(scf::ForOp loop, EarlyProduct early) {
  Location loc = early.start.getLoc();
  OpBuilder builder(loop);
  auto isBefore = [&](Value place) {
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, place,
                                 loop.getUpperBound())
        .getResult();
  };
  Value first =
      buildStart(builder, early, loop.getTiedLoopInit(early.count)->get(),
                 isBefore(loop.getLowerBound()));

  // The next one, in registers that the last wait of all products has freed.
  MmaWaitOp last;
  for (auto wait : loop.getBody()->getOps<MmaWaitOp>())
    last = wait;
  builder.setInsertionPointAfter(last);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  Value more = isBefore(arith::AddIOp::create(
      builder, loc, loop.getInductionVar(), loop.getStep()));
  MmaStartOp next =
      buildStart(builder, early,
                 arith::AddIOp::create(builder, loc, early.count, one), more);

  IRRewriter rewriter(loop.getContext());
  rewriter.setInsertionPoint(loop);
  loop = cast<scf::ForOp>(
      loop.replaceWithAdditionalYields(
              rewriter, first, /*replaceInitOperandUsesInLoop=*/false,
              [&](OpBuilder &, Location, ArrayRef<BlockArgument>) {
                return SmallVector<Value>{next.getResult()};
              })
          ->getOperation());

  // This one is complete before another starts.
  Value carried = loop.getRegionIterArgs().back();
  builder.setInsertionPoint(early.start);
  auto wait = MmaWaitOp::create(
      builder, loc, cast<PendingType>(carried.getType()).getAccumulator(),
      carried, builder.getI64IntegerAttr(0));
  auto old = cast<MmaWaitOp>(*early.start.getResult().user_begin());
  leaveWait(builder, old, early.start.getResult(), wait.getResult(0));
  early.start.erase();

  builder.setInsertionPointAfter(loop);
  MmaWaitOp::create(builder, loc, wait.getResult(0).getType(),
                    loop.getResults().back(), builder.getI64IntegerAttr(0));
  if (auto ring = early.get.getRing().getDefiningOp<RingOp>())
    ring.setAhead(true);
}

namespace {
struct TileAdvanceProductsPass
    : flash::tile::impl::TileAdvanceProductsBase<TileAdvanceProductsPass> {
  void runOnOperation() override {
    if (!getPassAttr<StartProductsAttr>(getOperation()))
      return;
    SmallVector<scf::ForOp> loops;
    getOperation().walk([&](scf::ForOp loop) {
      auto products = loop.getBody()->getOps<MmaStartOp>();
      if (std::distance(products.begin(), products.end()) > 2)
        loops.push_back(loop);
    });
    for (scf::ForOp loop : loops)
      if (EarlyProduct early = findEarlyProduct(loop); early.start) {
        advance(loop, early);
        ++numAdvanced;
      }
  }
};
} // namespace
