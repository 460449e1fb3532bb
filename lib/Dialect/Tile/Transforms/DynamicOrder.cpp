//===- DynamicOrder.cpp - Blocks that take tiles as they come -------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   producer { scf.for %t { %tile = tile_of %number of %tiles counter(%c) ; P }
//   }
//   ->  producer { scf.while (%t = 0, %tile = block_id) {
//         post %queue[%t], %tile ; condition(%tile < %tiles)
//       } do { %next = next_tile %c of %tiles ; P ; yield %t + 1, %next } }
//
// and the same loop in the consumers, the watcher and helpers, which receive
// what the producer posts. A fixed order is even on paper only: masks make
// tiles short and long, and not all multiprocessors are equally near to the
// memory. Tiles are counted in the order of their numbers: one head after the
// other, so that its keys are read while they are in the cache, longest tiles
// first. It runs late, when nothing asks any more which tile the next one will
// be.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/Transforms/Passes.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILEDYNAMICORDER
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash::tile;

/// Adds the loops around a role's tiles, one of each warpgroup that has code of
/// its own; false where there is none.
static bool findTileLoops(Region &role, SmallVectorImpl<scf::ForOp> &loops) {
  if (role.empty())
    return true;
  for (Operation &op : role.front()) {
    if (auto parts = dyn_cast<ByWarpgroupOp>(op))
      return llvm::all_of(parts.getBodies(), [&](Region &body) {
        return findTileLoops(body, loops);
      });
    auto loop = dyn_cast<scf::ForOp>(op);
    if (loop && !loop.getBody()->getOps<TileOfOp>().empty()) {
      loops.push_back(loop);
      return true;
    }
  }
  return false;
}

namespace {
/// What the loops of all roles need.
struct Tiles {
  Value queue, count, counter;
};

/// Who works through tiles: the producer takes them, others receive their
/// numbers, helpers as one thread.
enum class Receiver { Producer, Warps, Thread };
} // namespace

/// Makes the loop one that ends when a tile number is not below the count.
/// Arguments: the turn, in the producer the tile, then those of the loop.
static void makeDynamic(scf::ForOp loop, const Tiles &tiles, Receiver who) {
  bool producer = who == Receiver::Producer;
  OpBuilder builder(loop);
  Location loc = loop.getLoc();
  SmallVector<Value> inits{loop.getLowerBound()};
  if (producer)
    inits.push_back(gpu::BlockIdOp::create(builder, loc, gpu::Dimension::x));
  llvm::append_range(inits, loop.getInitArgs());
  SmallVector<Type> after(ValueRange(inits).getTypes());
  if (!producer)
    after.insert(after.begin() + 1, builder.getIndexType());

  auto ask = [&](OpBuilder &b, Location l, ValueRange args) {
    SmallVector<Value> passed(args);
    if (producer)
      PostOp::create(b, l, tiles.queue, args[0], args[1]);
    else
      passed.insert(passed.begin() + 1,
                    ReceiveOp::create(b, l, tiles.queue, args[0],
                                      who == Receiver::Thread));
    Value some = arith::CmpIOp::create(b, l, arith::CmpIPredicate::slt,
                                       passed[1], tiles.count);
    scf::ConditionOp::create(b, l, some, passed);
  };
  auto work = [&](OpBuilder &b, Location l, ValueRange args) {
    Block *body = loop.getBody();
    SmallVector<Value> next{
        arith::AddIOp::create(b, l, args[0], loop.getStep())};
    for (auto op : llvm::make_early_inc_range(body->getOps<TileOfOp>())) {
      op.getTile().replaceAllUsesWith(args[1]);
      op.erase();
    }
    body->getArgument(0).replaceAllUsesWith(args[0]);
    for (auto [argument, value] :
         llvm::zip(loop.getRegionIterArgs(), args.drop_front(2)))
      argument.replaceAllUsesWith(value);
    Operation *yield = body->getTerminator();
    Block *target = b.getInsertionBlock();
    target->getOperations().splice(target->end(), body->getOperations(),
                                   body->begin(), yield->getIterator());
    b.setInsertionPointToEnd(target);
    // Taken as late as can be: a tile that waits for its block is nobody
    // else's.
    if (producer)
      next.push_back(NextTileOp::create(b, l, tiles.counter, tiles.count));
    llvm::append_range(next, yield->getOperands());
    scf::YieldOp::create(b, l, next);
  };
  auto whole = scf::WhileOp::create(builder, loc, after, inits, ask, work);
  loop.replaceAllUsesWith(whole.getResults().drop_front(2));
  loop.erase();
}

namespace {
struct TileDynamicOrderPass
    : flash::tile::impl::TileDynamicOrderBase<TileDynamicOrderPass> {
  using TileDynamicOrderBase::TileDynamicOrderBase;

  void runOnOperation() override {
    gpu::GPUFuncOp kernel = getOperation();
    SmallVector<SpecializeOp> all(
        kernel.getBody().front().getOps<SpecializeOp>());
    if (counted && all.size() == 1)
      rewrite(all[0]);
    // The fixed order stays where nobody asks the counter.
    kernel.walk([](TileOfOp op) {
      op.getTile().replaceAllUsesWith(op.getNumber());
      op.erase();
    });
  }

  void rewrite(SpecializeOp roles) {
    SmallVector<scf::ForOp> producer, warps, threads;
    if (!findTileLoops(roles.getProducer(), producer) ||
        !findTileLoops(roles.getWatcher(), warps) ||
        !findTileLoops(roles.getConsumers(), warps) ||
        !llvm::all_of(roles.getHelpers(), [&](Region &helper) {
          return findTileLoops(helper, threads);
        }))
      return;
    TileOfOp first = *producer[0].getBody()->getOps<TileOfOp>().begin();
    OpBuilder builder(roles);
    Tiles tiles{QueueOp::create(builder, roles.getLoc(),
                                QueueType::get(&getContext()), IntegerAttr()),
                first.getTiles(), first.getCounter()};
    makeDynamic(producer[0], tiles, Receiver::Producer);
    for (scf::ForOp loop : warps)
      makeDynamic(loop, tiles, Receiver::Warps);
    for (scf::ForOp loop : threads)
      makeDynamic(loop, tiles, Receiver::Thread);
    ++numDynamic;
  }
};
} // namespace
