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
//       for %i iter_args(%n, %s = %first, %t = ring[%n0]) {
//         mma_wait %s ; ... what else reads the stage reads %t
//         %next = mma_start %a, ring[%n + 1] ; yield %next, ring[%n + 1]
//       }
//       mma_wait
//
// The first product of an iteration reads only what is loaded, so that it can
// run over the end of the one before. The product after the last iteration
// reads what a stage happens to hold, and nobody reads its result: no branch.
// It starts beside the last products where registers hold all of them, else
// after their wait. ptxas follows a product over the end of a loop if it is
// waited for before another starts; it serialises products otherwise (C7514).
// The ring asks for a stage more.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/Transforms/Passes.h"

#include "PassGate.h"
#include "ProductLoops.h"
#include "RingUtils.h"

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
/// A product that can start an iteration ahead, with those before it that it
/// continues.
struct EarlyProduct {
  /// In their order, and what each reads of this iteration.
  SmallVector<MmaStartOp> starts;
  SmallVector<GetOp> gets;
  /// The iteration's number, which the loop counts.
  BlockArgument count;
  MmaWaitOp wait;

  Value getResult() { return starts.back().getResult(); }
};
} // namespace

/// The stage that the product reads, if that is all that it needs of an
/// iteration.
static GetOp findStage(scf::ForOp loop, MmaStartOp start) {
  auto get = start.getB().getDefiningOp<GetOp>();
  bool ready = !start.getAcc() && get && get->getBlock() == loop.getBody() &&
               !get.getWhen() && !get.getRows() &&
               loop.isDefinedOutsideOfLoop(start.getA()) &&
               start.getResult().hasOneUse();
  return ready ? get : GetOp();
}

/// The first product of a loop whose left operand stays and whose right one is
/// the stage of a ring for this iteration.
static EarlyProduct findEarlyProduct(scf::ForOp loop) {
  auto starts = loop.getBody()->getOps<MmaStartOp>();
  if (starts.empty())
    return {};
  EarlyProduct early;
  MmaStartOp start = *starts.begin();
  while (start) {
    GetOp get = findStage(loop, start);
    if (!get || (!early.gets.empty() &&
                 get.getIteration() != early.gets[0].getIteration()))
      return {};
    early.starts.push_back(start);
    early.gets.push_back(get);
    Operation *user = *start.getResult().user_begin();
    early.wait = dyn_cast<MmaWaitOp>(user);
    start = dyn_cast<MmaStartOp>(user);
  }
  if (!early.wait)
    return {};
  auto count = dyn_cast<BlockArgument>(early.gets[0].getIteration());
  if (!count || count.getOwner() != loop.getBody() ||
      count == loop.getInductionVar())
    return {};
  auto next =
      loop.getTiedLoopYieldedValue(count)->get().getDefiningOp<arith::AddIOp>();
  if (!next || next.getLhs() != count ||
      getConstantIntValue(next.getRhs()) != 1)
    return {};
  early.count = count;
  return early;
}

/// Builds the product of iteration `count`, which there is where `when` holds:
/// its stages, and the product.
static SmallVector<Value> buildStart(OpBuilder &builder, EarlyProduct early,
                                     Value count, Value when) {
  IRMapping mapping;
  SmallVector<Value> results;
  for (GetOp get : early.gets) {
    auto next =
        GetOp::create(builder, get.getLoc(), get.getTile().getType(),
                      get.getRing(), count, builder.getI64IntegerAttr(0), when,
                      /*rows=*/Value());
    mapping.map(get.getTile(), next.getTile());
    results.push_back(next.getTile());
  }
  for (MmaStartOp start : early.starts)
    builder.clone(*start, mapping);
  results.push_back(mapping.lookup(early.getResult()));
  return results;
}

/// The last op that reads what the wait gives and the loop does not carry, if
/// there are no registers for another `count` beside it.
static Operation *findLastReader(scf::ForOp loop, MmaWaitOp wait,
                                 int64_t count) {
  Block *body = loop.getBody();
  Operation *last = nullptr;
  for (Value result : wait.getResults()) {
    Operation *reader = lastUser(result, body);
    if (!reader || reader == body->getTerminator())
      continue;
    count += countRegisters(result);
    if (!last || last->isBeforeInBlock(reader))
      last = reader;
  }
  for (Value carried : loop.getRegionIterArgs())
    count += countRegisters(carried);
  bool fits =
      count <= getFragmentRegisters(loop->getParentOfType<SpecializeOp>());
  return fits ? nullptr : last;
}

/// After the last product, if there are registers for this one beside those
/// since the last wait for all; else after the last wait, and after what a
/// warpgroup does in its turn: the registers of both are free. After what
/// reads results of that wait, too, if these take the registers.
static Operation *findPlace(scf::ForOp loop, EarlyProduct early) {
  Operation *lastWait = nullptr, *lastStart = nullptr;
  int64_t held = 0, heldAtLast = 0;
  bool hasTurn = false;
  for (Operation &op : *loop.getBody()) {
    hasTurn |= isa<InTurnOp>(op);
    if (isa<MmaWaitOp, InTurnOp>(op))
      lastWait = &op;
    if (auto wait = dyn_cast<MmaWaitOp>(op); wait && wait.getInFlight() == 0)
      held = 0;
    auto start = dyn_cast<MmaStartOp>(op);
    if (!start || llvm::is_contained(early.starts, start))
      continue;
    bool isNew = !start.getAcc() && !start.getOnto();
    held += countRegisters(start.getA()) +
            (isNew ? countRegisters(start.getResult()) : 0);
    heldAtLast = held;
    lastStart = &op;
  }
  for (Value carried : loop.getRegionIterArgs())
    heldAtLast += countRegisters(carried);
  bool fits = heldAtLast + countRegisters(early.getResult()) <=
              getFragmentRegisters(loop->getParentOfType<SpecializeOp>());
  if (fits && !hasTurn && lastStart)
    return lastStart;
  if (auto wait = dyn_cast<MmaWaitOp>(lastWait))
    if (Operation *reader =
            findLastReader(loop, wait, countRegisters(early.getResult())))
      return reader;
  return lastWait;
}

/// Keeps `pending` in flight through the waits of its block after it.
static Value passThroughWaits(Value pending, int64_t groups) {
  SmallVector<MmaWaitOp> waits;
  for (Operation *op = pending.getDefiningOp(); op; op = op->getNextNode())
    if (auto wait = dyn_cast<MmaWaitOp>(op))
      waits.push_back(wait);
  for (MmaWaitOp wait : waits) {
    OpBuilder builder(wait);
    SmallVector<Value> operands(wait.getPending());
    SmallVector<Type> types(wait.getResultTypes());
    operands.push_back(pending);
    types.push_back(pending.getType());
    auto both = MmaWaitOp::create(
        builder, wait.getLoc(), types, operands,
        builder.getI64IntegerAttr(wait.getInFlight() + groups));
    wait.replaceAllUsesWith(both.getResults().drop_back());
    pending = both.getResults().back();
    wait.erase();
  }
  return pending;
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
  Location loc = early.starts[0].getLoc();
  OpBuilder builder(loop);
  auto isBefore = [&](Value place) {
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, place,
                                 loop.getUpperBound())
        .getResult();
  };
  SmallVector<Value> first =
      buildStart(builder, early, loop.getTiedLoopInit(early.count)->get(),
                 isBefore(loop.getLowerBound()));

  builder.setInsertionPointAfter(findPlace(loop, early));
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  Value more = isBefore(arith::AddIOp::create(
      builder, loc, loop.getInductionVar(), loop.getStep()));
  SmallVector<Value> next =
      buildStart(builder, early,
                 arith::AddIOp::create(builder, loc, early.count, one), more);
  next.back() = passThroughWaits(next.back(), early.starts.size());

  IRRewriter rewriter(loop.getContext());
  rewriter.setInsertionPoint(loop);
  loop = cast<scf::ForOp>(loop.replaceWithAdditionalYields(
                                  rewriter, first,
                                  /*replaceInitOperandUsesInLoop=*/false,
                                  [&](OpBuilder &, Location,
                                      ArrayRef<BlockArgument>) { return next; })
                              ->getOperation());

  // The stages have been waited for. This product is complete before another
  // starts.
  ValueRange carriedTiles =
      ValueRange(loop.getRegionIterArgs()).take_back(next.size()).drop_back();
  for (auto [get, tile] : llvm::zip_equal(early.gets, carriedTiles))
    get.getTile().replaceAllUsesWith(tile);
  Value carried = loop.getRegionIterArgs().back();
  builder.setInsertionPoint(early.starts[0]);
  auto wait = MmaWaitOp::create(
      builder, loc, cast<PendingType>(carried.getType()).getAccumulator(),
      carried, builder.getI64IntegerAttr(0));
  leaveWait(builder, early.wait, early.getResult(), wait.getResult(0));
  for (MmaStartOp start : llvm::reverse(early.starts))
    start.erase();
  for (GetOp get : early.gets) {
    if (auto ring = get.getRing().getDefiningOp<RingOp>())
      ring.setAhead(true);
    get.erase();
  }

  // What the loop alone reads is awaited beside this product.
  for (auto get : llvm::make_early_inc_range(loop->getBlock()->getOps<GetOp>()))
    if (get->isBeforeInBlock(loop) &&
        !llvm::is_contained(first, get.getTile()) &&
        firstUser(get.getTile(), loop->getBlock()) == loop)
      get->moveBefore(loop);
  builder.setInsertionPointAfter(loop);
  MmaWaitOp::create(builder, loc, wait.getResult(0).getType(),
                    loop.getResults().back(), builder.getI64IntegerAttr(0));
}

namespace {
struct TileAdvanceProductsPass
    : flash::tile::impl::TileAdvanceProductsBase<TileAdvanceProductsPass> {
  void runOnOperation() override {
    if (!getPassAttr<StartProductsAttr>(getOperation()))
      return;
    for (scf::ForOp loop : findStartedLoops(getOperation()))
      if (EarlyProduct early = findEarlyProduct(loop); early.count) {
        advance(loop, early);
        ++numAdvanced;
      }
  }
};
} // namespace
