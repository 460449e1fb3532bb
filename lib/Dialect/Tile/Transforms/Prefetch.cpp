//===- Prefetch.cpp - Software pipelining with cp.async -------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   scf.for %j { %k = load %key[%j] ; mma ; %v = load %value[%j] ; mma }
//   ->  put %rk[0], %key[%lo] ; put %rv[0], %value[%lo]
//       scf.for %j iter_args(%i) {
//         %k = get %rk[%i] in_flight 1 ; put %rk[%i + 1], %key[%j + n] ; mma
//         %v = get %rv[%i] in_flight 1 ; put %rv[%i + 1], %value[%j + n] ; mma
//       }
//
// The order is what makes it right: a put follows the get of the same ring,
// which is a barrier, so that every warp has done with the stage that is filled
// (the one used an iteration ago); and every put is one commit group, even when
// there is nothing to copy, so that the number of groups in flight is known.
//
//===----------------------------------------------------------------------===//

#include "PassGate.h"
#include "RingUtils.h"
#include "flash/Support/DebugLog.h"

#define DEBUG_TYPE "flash-tile-prefetch"

namespace flash::tile {
#define GEN_PASS_DEF_TILEPREFETCH
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash::tile;

static Value makeRing(OpBuilder &builder, LoadOp load, int64_t stages) {
  OpBuilder::InsertionGuard guard(builder);
  auto kernel = load->getParentOfType<gpu::GPUFuncOp>();
  builder.setInsertionPointToStart(&kernel.getBody().front());
  auto type =
      RingType::get(stages, load.getTile().getType(), RingKind::CpAsync);
  return RingOp::create(builder, load.getLoc(), type, IntegerAttr());
}

/// A put of what `load` loads, its operands mapped.
static void makePut(OpBuilder &builder, LoadOp load, Value ring,
                    Value iteration, Value condition,
                    const IRMapping &mapping) {
  auto mapped = [&](Value value) {
    return value ? mapping.lookupOrDefault(value) : Value();
  };
  SmallVector<Value> offsets;
  for (Value offset : load.getOffsets())
    offsets.push_back(mapped(offset));
  PutOp::create(builder, load.getLoc(), ring, iteration, load.getSource(),
                offsets, mapped(load.getRows()), mapped(load.getCols()),
                load.getPages(), mapped(load.getSequence()), condition,
                /*hint=*/CacheHintAttr(), load.getRowDimAttr(),
                load.getAlignmentAttr(), load.getPackedAttr());
}

/// A get before the first use in `block`, in place of the load.
static GetOp makeGet(LoadOp load, Block *block, Value ring, Value iteration,
                     int64_t inFlight) {
  OpBuilder builder(firstUser(load.getTile(), block));
  auto get = GetOp::create(builder, load.getLoc(), load.getTile().getType(),
                           ring, iteration, builder.getI64IntegerAttr(inFlight),
                           /*when=*/Value(), /*rows=*/Value());
  load.getTile().replaceAllUsesWith(get.getTile());
  return get;
}

static void prefetch(KernelLoads loads, int64_t stages) {
  OpBuilder before(loads.loop);
  scf::ForOp loop = addCounter(loads.loop, arith::ConstantIndexOp::create(
                                               before, loads.loop.getLoc(), 0));
  Block *body = loop.getBody();
  Location loc = loop.getLoc();
  OpBuilder builder(loop);
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  auto ahead = [&](Value from, int64_t iterations) -> Value {
    return builder.createOrFold<arith::AddIOp>(
        loc, from,
        builder.createOrFold<arith::MulIOp>(loc, loop.getStep(),
                                            constant(iterations)));
  };
  auto inRange = [&](Value position) -> Value {
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt,
                                 position, loop.getUpperBound());
  };

  SmallVector<Value> rings;
  for (LoadOp load : loads.inside)
    rings.push_back(makeRing(builder, load, stages));

  // Loads before the loop start where they stood and are awaited before their
  // first use, after the puts of the first iterations.
  SmallVector<Value> single;
  for (LoadOp load : loads.before) {
    builder.setInsertionPoint(load);
    single.push_back(makeRing(builder, load, 1));
    makePut(builder, load, single.back(), constant(0), Value(), IRMapping());
  }
  builder.setInsertionPoint(loop);
  for (int64_t stage = 0; stage < stages - 1; ++stage) {
    Value position = ahead(loop.getLowerBound(), stage);
    Value condition = inRange(position);
    IRMapping mapping;
    mapping.map(loop.getInductionVar(), position);
    for (auto [load, ring] : llvm::zip(loads.inside, rings)) {
      cloneArithmetic(builder, body, load->getOperands(), mapping);
      makePut(builder, load, ring, constant(stage), condition, mapping);
    }
  }
  int64_t perIteration = rings.size();
  int64_t later = (stages - 1) * perIteration + loads.before.size();
  for (auto [load, ring] : llvm::zip(loads.before, single)) {
    for (Operation *user : load.getTile().getUsers())
      if (isa<LoadFragmentOp>(user))
        user->moveBefore(loop);
    OpBuilder at(firstUser(load.getTile(), loop->getBlock()));
    Value zero = arith::ConstantIndexOp::create(at, loc, 0);
    makeGet(load, loop->getBlock(), ring, zero, --later);
    load.erase();
  }

  Value counter = loop.getRegionIterArgs().back();
  for (auto [load, ring] : llvm::zip(loads.inside, rings)) {
    GetOp get =
        makeGet(load, body, ring, counter, (stages - 1) * perIteration - 1);
    builder.setInsertionPointAfter(get);
    Value position = ahead(loop.getInductionVar(), stages - 1);
    IRMapping mapping;
    mapping.map(loop.getInductionVar(), position);
    cloneArithmetic(builder, body, load->getOperands(), mapping);
    Value iteration =
        arith::AddIOp::create(builder, loc, counter, constant(stages - 1));
    makePut(builder, load, ring, iteration, inRange(position), mapping);
    load.erase();
  }
}

namespace {
struct TilePrefetchPass
    : flash::tile::impl::TilePrefetchBase<TilePrefetchPass> {
  using TilePrefetchBase::TilePrefetchBase;

  void runOnOperation() override {
    gpu::GPUFuncOp kernel = getOperation();
    KernelAttr attr = getKernelAttr(kernel);
    int64_t count = stages;
    if (count == 0)
      count = attr ? attr.getStages() : 1;
    // Kernels with roles have their rings.
    bool hasRoles = !kernel.getBody().getOps<SpecializeOp>().empty();
    PassReport report(kernel, getArgument(), count >= 2 && !hasRoles, "");
    if (!report)
      return;
    std::string reason;
    FailureOr<KernelLoads> loads = findLoads(kernel, reason);
    if (failed(loads))
      return report.leave(reason);
    if (loads->tiles)
      return report.leave("its blocks have several tiles");
    // The order of gets is that of the loads; a use out of order would wait for
    // the wrong group.
    Block *body = loads->loop.getBody();
    Operation *previous = nullptr;
    for (LoadOp load : loads->inside) {
      Operation *user = firstUser(load.getTile(), body);
      if (!user || (previous && user->isBeforeInBlock(previous)))
        return report.leave("loads are not used in their order");
      previous = user;
    }
    // What is loaded before the loop is used in it, or put in registers for it.
    for (LoadOp load : loads->before)
      for (Operation *user : load.getTile().getUsers())
        if (!loads->loop->isAncestor(user) && !isa<LoadFragmentOp>(user))
          return report.leave(
              "what is loaded before its loop is used outside of it");
    numRings += loads->before.size() + loads->inside.size();
    LDBG() << "'" << kernel.getName() << "': " << loads->inside.size()
           << " rings of " << count << " stages in the loop";
    prefetch(*loads, count);
    report.worked();
  }
};
} // namespace
