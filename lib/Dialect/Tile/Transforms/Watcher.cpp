//===- Watcher.cpp - A warp that clears what no query sees ----------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   scf.for %j { %v = load ; clear_unseen %v when %cut { B } ; mma %p, %v }
//   ->  producer { scf.for %j iter_args(%i) { put %ring[%i] } }
//       watcher { scf.for %j iter_args(%i) { watch %ring[%i] when %cut { B } }
//       } consumers { scf.for %j iter_args(%i) { get %ring[%i] ; mma } }
//
// A part of flash-tile-specialize. A branch around a look at a tile, in a loop
// with products in flight, costs all of the loop: the assembler no longer knows
// that its warps stay together, and leaves the registers that are the same for
// a warp. So consumers have none of it: another warp of the producer's, which
// has nothing else to do, looks at a tile while they work on the one before.
//
//===----------------------------------------------------------------------===//

#include "Watcher.h"

#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace flash;
using namespace flash::tile;

ClearUnseenOp tile::findClear(LoadOp load) {
  for (Operation *user : load.getTile().getUsers())
    if (auto clear = dyn_cast<ClearUnseenOp>(user))
      return clear;
  return {};
}

/// What the op and its body take from outside, but for the tile.
static SetVector<Value> findInputs(ClearUnseenOp clear) {
  SetVector<Value> inputs;
  inputs.insert(clear.getWhen());
  inputs.insert(clear.getQueries());
  getUsedValuesDefinedAbove(clear.getBody(), inputs);
  return inputs;
}

StringRef tile::reasonAgainstWatching(LoadOp load, const KernelLoads &loads) {
  ClearUnseenOp clear = findClear(load);
  if (!clear)
    return "";
  if (llvm::count_if(load.getTile().getUsers(), llvm::IsaPred<ClearUnseenOp>) >
          1 ||
      clear->getBlock() != load->getBlock())
    return "rows of a tile are cleared in several places";
  scf::ForOp loop = loads.loop;
  for (Value input : findInputs(clear))
    if (clear->getBlock() == loop.getBody() &&
        !isArithmetic(loop.getBody(), input, /*reads=*/true))
      return "what a mask hides follows from more than arithmetic";
  return "";
}

/// A watch in the place of the load's clear, which is left.
static void makeWatch(OpBuilder &builder, const WatchedLoad &watched,
                      Value iteration, IRMapping &mapping) {
  ClearUnseenOp clear = findClear(watched.load);
  auto watch = WatchOp::create(builder, clear.getLoc(), watched.ring, iteration,
                               mapping.lookupOrDefault(clear.getWhen()),
                               mapping.lookupOrDefault(clear.getQueries()));
  clear.getBody().cloneInto(&watch.getBody(), mapping);
}

/// The watches of a tile: those of its own loads, then the loop's, which is
/// counted from `counter` on. Returns the count after the loop.
static Value makeWatches(OpBuilder &builder, const KernelLoads &loads,
                         ArrayRef<WatchedLoad> watched, Value tile,
                         Value counter, IRMapping &outer) {
  scf::ForOp loop = loads.loop;
  auto isInside = [&](const WatchedLoad &one) {
    return llvm::is_contained(loads.inside, one.load);
  };
  for (const WatchedLoad &one : watched)
    if (!isInside(one))
      makeWatch(builder, one, tile, outer);
  if (llvm::none_of(watched, isInside))
    return counter;
  auto watches = scf::ForOp::create(
      builder, loop.getLoc(), outer.lookupOrDefault(loop.getLowerBound()),
      outer.lookupOrDefault(loop.getUpperBound()),
      outer.lookupOrDefault(loop.getStep()), counter,
      [&](OpBuilder &b, Location loc, Value position, ValueRange args) {
        IRMapping mapping(outer);
        mapping.map(loop.getInductionVar(), position);
        for (const WatchedLoad &one : watched) {
          if (!isInside(one))
            continue;
          cloneArithmetic(b, loop.getBody(),
                          findInputs(findClear(one.load)).getArrayRef(),
                          mapping);
          makeWatch(b, one, args[0], mapping);
        }
        Value one = arith::ConstantIndexOp::create(b, loc, 1);
        scf::YieldOp::create(
            b, loc, arith::AddIOp::create(b, loc, args[0], one).getResult());
      });
  return watches.getResult(0);
}

void tile::makeWatcher(SpecializeOp roles, const KernelLoads &loads,
                       ArrayRef<WatchedLoad> watched, Value zero) {
  if (watched.empty())
    return;
  Location loc = roles.getLoc();
  OpBuilder builder(roles.getContext());
  builder.createBlock(&roles.getWatcher());
  auto end = YieldOp::create(builder, loc, ValueRange());
  builder.setInsertionPoint(end);
  if (scf::ForOp tiles = loads.tiles) {
    scf::ForOp::create(
        builder, loc, tiles.getLowerBound(), tiles.getUpperBound(),
        tiles.getStep(), zero,
        [&](OpBuilder &b, Location l, Value tile, ValueRange args) {
          IRMapping mapping;
          mapping.map(tiles.getInductionVar(), tile);
          cloneScalars(b, tiles, loads.loop, mapping);
          scf::YieldOp::create(
              b, l, makeWatches(b, loads, watched, tile, args[0], mapping));
        });
  } else {
    IRMapping same;
    makeWatches(builder, loads, watched, zero, zero, same);
  }
  for (const WatchedLoad &one : watched)
    findClear(one.load).erase();
}
