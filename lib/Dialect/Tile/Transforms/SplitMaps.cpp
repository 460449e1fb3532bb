//===- SplitMaps.cpp - What does not wait for the last product ------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %s = mma ; %t = mma
//   %p, %d = map(%s, %t) { %x = exp2 %s ; %y = mulf %x, %t ; yield %x, %y }
//   ->  %s = mma ; %t = mma
//       %p = map(%s) { exp2 } ; %d = map(%p, %t) { mulf }
//
// Of a map that reads several products, the part that needs none but the first
// becomes a map of its own: it can run while the last one is computed, and what
// it alone reads dies earlier. Only in loops with more than two products, for
// flash-tile-start-products.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/Transforms/Passes.h"

#include "ProductLoops.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILESPLITMAPS
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash;
using namespace flash::tile;

/// The last product of the block that a value depends on; null without one.
static MmaOp getLastProduct(Value value, Block *block) {
  Operation *op = value.getDefiningOp();
  op = op ? block->findAncestorOpInBlock(*op) : nullptr;
  if (!op)
    return {};
  if (auto product = dyn_cast<MmaOp>(op))
    return product;
  MmaOp last;
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands()) {
      Operation *definition = operand.getDefiningOp();
      if (definition && op->isAncestor(definition))
        continue;
      if (MmaOp product = getLastProduct(operand, block))
        if (!last || last->isBeforeInBlock(product))
          last = product;
    }
  });
  return last;
}

/// The last product among those that a map's inputs depend on; null where they
/// are fewer than two.
static MmaOp getLastProduct(MapOp map) {
  llvm::SmallSetVector<Operation *, 4> products;
  MmaOp last;
  for (Value input : map.getInputs())
    if (MmaOp product = getLastProduct(input, map->getBlock())) {
      products.insert(product);
      if (!last || last->isBeforeInBlock(product))
        last = product;
    }
  return products.size() > 1 ? last : MmaOp();
}

/// The ops of the body that do without the inputs of `late`.
static llvm::SetVector<Operation *> getEarly(MapOp map, MmaOp late) {
  Block &body = map.getBody().front();
  llvm::DenseSet<Value> waiting;
  for (auto [input, argument] :
       llvm::zip(map.getInputs(),
                 body.getArguments().drop_front(map.getNumPositions())))
    if (getLastProduct(input, map->getBlock()) == late)
      waiting.insert(argument);
  llvm::SetVector<Operation *> early;
  for (Operation &op : body.without_terminator()) {
    bool waits = op.getNumRegions() > 0 || !isPure(&op) ||
                 llvm::any_of(op.getOperands(), [&](Value operand) {
                   return waiting.contains(operand);
                 });
    if (!waits) {
      early.insert(&op);
      continue;
    }
    for (Value result : op.getResults())
      waiting.insert(result);
  }
  return early;
}

/// What the early part computes for the late one, or yields.
static SmallVector<Value>
getPassedOn(MapOp map, const llvm::SetVector<Operation *> &early) {
  SmallVector<Value> passed;
  for (Operation *op : early)
    for (Value result : op->getResults())
      if (llvm::any_of(result.getUsers(),
                       [&](Operation *user) { return !early.contains(user); }))
        passed.push_back(result);
  return passed;
}

static bool splitMap(MapOp map) {
  MmaOp late = getLastProduct(map);
  if (!late)
    return false;
  llvm::SetVector<Operation *> early = getEarly(map, late);
  SmallVector<Value> passed = getPassedOn(map, early);
  auto iteration = cast<FragmentType>(map.getResult(0).getType());
  if (passed.empty() || !llvm::all_of(passed, [](Value value) {
        return value.getType().isF32();
      }))
    return false;

  Block &body = map.getBody().front();
  unsigned positions = map.getNumPositions();
  // Both parts take all inputs that they read.
  auto isRead = [&](BlockArgument argument, bool inEarly) {
    return llvm::any_of(argument.getUsers(), [&](Operation *user) {
      return early.contains(body.findAncestorOpInBlock(*user)) == inEarly;
    });
  };
  SmallVector<Value> inputs[2];
  SmallVector<BlockArgument> arguments[2];
  for (auto [input, argument] :
       llvm::zip(map.getInputs(), body.getArguments().drop_front(positions)))
    for (bool inEarly : {false, true})
      if (isRead(argument, inEarly)) {
        inputs[inEarly].push_back(input);
        arguments[inEarly].push_back(argument);
      }

  OpBuilder builder(map);
  auto type = FragmentType::get(
      iteration.getShape(), builder.getF32Type(),
      AccLayoutAttr::get(builder.getContext(), iteration.getWarps(),
                         iteration.getColumnGroups()));
  auto mapArguments = [&](IRMapping &mapping, ValueRange args, bool inEarly) {
    for (unsigned i = 0; i < positions; ++i)
      mapping.map(body.getArgument(i), args[i]);
    for (auto [i, argument] : llvm::enumerate(arguments[inEarly]))
      mapping.map(argument, args[positions + i]);
  };
  auto first = MapOp::create(
      builder, map.getLoc(), SmallVector<Type>(passed.size(), type), inputs[1],
      [&](OpBuilder &b, Location loc, ValueRange args) {
        IRMapping mapping;
        mapArguments(mapping, args, /*inEarly=*/true);
        for (Operation *op : early)
          b.clone(*op, mapping);
        YieldOp::create(b, loc, llvm::map_to_vector(passed, [&](Value value) {
                          return mapping.lookup(value);
                        }));
      });
  unsigned others = inputs[0].size();
  llvm::append_range(inputs[0], first.getResults());
  auto second =
      MapOp::create(builder, map.getLoc(), map.getResultTypes(), inputs[0],
                    [&](OpBuilder &b, Location loc, ValueRange args) {
                      IRMapping mapping;
                      mapArguments(mapping, args, /*inEarly=*/false);
                      for (auto [i, value] : llvm::enumerate(passed))
                        mapping.map(value, args[positions + others + i]);
                      for (Operation &op : body.without_terminator())
                        if (!early.contains(&op))
                          b.clone(op, mapping);
                      SmallVector<Value> yielded;
                      for (Value value : body.getTerminator()->getOperands())
                        yielded.push_back(mapping.lookupOrDefault(value));
                      YieldOp::create(b, loc, yielded);
                    });
  // What is yielded as it was passed on is the first map's.
  for (auto [i, result] : llvm::enumerate(map.getResults())) {
    Value yielded = body.getTerminator()->getOperand(i);
    auto it = llvm::find(passed, yielded);
    bool same = it != passed.end() && result.getType() == type;
    result.replaceAllUsesWith(same ? first.getResult(it - passed.begin())
                                   : second.getResult(i));
  }
  map.erase();
  return true;
}

/// A map without the results that nobody reads.
static void dropResults(MapOp map) {
  SmallVector<unsigned> kept;
  for (auto [i, result] : llvm::enumerate(map.getResults()))
    if (!result.use_empty())
      kept.push_back(i);
  if (kept.size() == map.getNumResults() || kept.empty())
    return;
  OpBuilder builder(map);
  SmallVector<Type> types;
  for (unsigned i : kept)
    types.push_back(map.getResult(i).getType());
  auto less = MapOp::create(
      builder, map.getLoc(), types, map.getInputs(),
      [&](OpBuilder &b, Location loc, ValueRange args) {
        IRMapping mapping;
        mapping.map(map.getBody().getArguments(), args);
        for (Operation &op : map.getBody().front().without_terminator())
          b.clone(op, mapping);
        SmallVector<Value> yielded;
        for (unsigned i : kept)
          yielded.push_back(mapping.lookupOrDefault(
              map.getBody().front().getTerminator()->getOperand(i)));
        YieldOp::create(b, loc, yielded);
      });
  for (auto [i, number] : llvm::enumerate(kept))
    map.getResult(number).replaceAllUsesWith(less.getResult(i));
  map.erase();
}

namespace {
struct TileSplitMapsPass
    : flash::tile::impl::TileSplitMapsBase<TileSplitMapsPass> {
  void runOnOperation() override {
    // A preparation: flash-tile-start-products says what it leaves.
    if (!getPassAttr<StartProductsAttr>(getOperation()))
      return;
    for (scf::ForOp loop : findProductLoops(getOperation())) {
      SmallVector<MapOp> maps(loop.getBody()->getOps<MapOp>());
      for (MapOp map : maps)
        if (splitMap(map))
          ++numSplit;
      maps.assign(loop.getBody()->getOps<MapOp>().begin(),
                  loop.getBody()->getOps<MapOp>().end());
      for (MapOp map : maps)
        dropResults(map);
    }
  }
};
} // namespace
