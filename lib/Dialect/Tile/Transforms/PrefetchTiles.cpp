//===- PrefetchTiles.cpp - The next tile's operands into L2 ---------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   producer { scf.for %t { put %q ; scf.for %j { put %k[%j] ; put %v[%j] } } }
//   ->  producer { scf.for %t {
//         scf.if %t + 1 < tiles {
//           prefetch %q' ; scf.for %j' { prefetch %k[%j'] ; prefetch %v[%j'] }
//         }
//         put %q ; scf.for %j { put %k[%j] ; put %v[%j] }
//       } }
//
// Shared memory has room for two blocks of keys, and device memory answers
// later than two blocks are worked through: with few keys a tile, where every
// block is read for the first time, consumers wait. The L2 cache has room for
// more. Tiles of one head are worked on by neighbours at the same time, so each
// block fetches the keys of every fourth step, and its neighbours the others.
// It runs once the producer is there.
//
//===----------------------------------------------------------------------===//

#include "PassGate.h"
#include "RingUtils.h"

#include "llvm/ADT/SetVector.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILEPREFETCHTILES
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash::tile;

/// Neighbours that share the keys of a head.
static constexpr int64_t neighbours = 4;

namespace {
/// What a producer puts for a tile.
struct TilePuts {
  scf::ForOp tiles, loop;
  SmallVector<PutOp> before, inside;
};
} // namespace

/// Fails if puts stand elsewhere than in the loop over tiles and in one loop
/// there, or if their places are more than arithmetic.
static FailureOr<TilePuts> findPuts(scf::ForOp tiles) {
  TilePuts puts;
  puts.tiles = tiles;
  // A tile that is taken when the one before is done is not known yet.
  bool known = tiles.getBody()->getOps<TileOfOp>().empty();
  tiles.walk([&](PutOp put) {
    if (put->getBlock() == tiles.getBody()) {
      puts.before.push_back(put);
    } else {
      auto loop = dyn_cast<scf::ForOp>(put->getParentOp());
      known &= loop && loop->getBlock() == tiles.getBody() &&
               (!puts.loop || puts.loop == loop);
      puts.loop = loop;
      puts.inside.push_back(put);
    }
    for (Value offset : put.getOffsets())
      known &= isArithmetic(put->getBlock(), offset);
  });
  known &= puts.loop &&
           isArithmetic(tiles.getBody(), puts.loop.getLowerBound()) &&
           isArithmetic(tiles.getBody(), puts.loop.getUpperBound());
  if (!known)
    return failure();
  return puts;
}

static void prefetch(OpBuilder &builder, PutOp put, IRMapping &mapping) {
  cloneArithmetic(builder, put->getBlock(), put.getOffsets(), mapping);
  SmallVector<Value> offsets;
  for (Value offset : put.getOffsets())
    offsets.push_back(mapping.lookupOrDefault(offset));
  PrefetchOp::create(builder, put.getLoc(), put.getSource(), offsets,
                     put.getRing().getType().getTile());
}

/// Values of the loop over tiles that the inner loop uses.
static SmallVector<Value> usedTileValues(TilePuts puts) {
  llvm::SetVector<Value> values;
  values.insert(puts.loop.getLowerBound());
  values.insert(puts.loop.getUpperBound());
  scf::ForOp loop = puts.loop;
  loop.getBody()->walk([&](Operation *op) {
    for (Value operand : op->getOperands())
      if (Operation *definition = operand.getDefiningOp())
        if (definition->getBlock() == puts.loop->getBlock() &&
            isArithmetic(puts.loop->getBlock(), operand))
          values.insert(operand);
  });
  return values.takeVector();
}

static void prefetchNext(TilePuts puts, int64_t blocks) {
  scf::ForOp tiles = puts.tiles, loop = puts.loop;
  OpBuilder builder(&tiles.getBody()->front());
  Location loc = tiles.getLoc();
  Value next = arith::AddIOp::create(builder, loc, tiles.getInductionVar(),
                                     tiles.getStep());
  Value more = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt,
                                     next, tiles.getUpperBound());
  auto branch = scf::IfOp::create(builder, loc, more, /*withElseRegion=*/false);
  OpBuilder b = branch.getThenBodyBuilder();
  IRMapping mapping;
  mapping.map(tiles.getInductionVar(), next);
  cloneArithmetic(b, tiles.getBody(), usedTileValues(puts), mapping);
  for (PutOp put : puts.before)
    prefetch(b, put, mapping);
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, loc, value);
  };
  Value step = loop.getStep();
  Value share = arith::RemUIOp::create(
      b, loc, gpu::BlockIdOp::create(b, loc, gpu::Dimension::x),
      constant(neighbours));
  Value lower = mapping.lookupOrDefault(loop.getLowerBound()),
        upper = mapping.lookupOrDefault(loop.getUpperBound());
  auto after = [&](Value steps) -> Value {
    return arith::AddIOp::create(b, loc, lower,
                                 arith::MulIOp::create(b, loc, steps, step));
  };
  Value from = after(share),
        to = arith::MinSIOp::create(b, loc, upper, after(constant(blocks)));
  scf::ForOp::create(
      b, loc, from, to,
      arith::MulIOp::create(b, loc, step, constant(neighbours)), ValueRange(),
      [&](OpBuilder &n, Location nl, Value position, ValueRange) {
        IRMapping inner(mapping);
        inner.map(loop.getInductionVar(), position);
        for (PutOp put : puts.inside)
          prefetch(n, put, inner);
        scf::YieldOp::create(n, nl);
      });
}

namespace {
struct TilePrefetchTilesPass
    : flash::tile::impl::TilePrefetchTilesBase<TilePrefetchTilesPass> {
  void runOnOperation() override {
    PassGate<PrefetchTilesAttr> gate(
        getOperation(), "it has no producer that goes from tile to tile");
    if (!gate)
      return;
    getOperation().walk([&](SpecializeOp roles) {
      for (auto loop : roles.getProducer().front().getOps<scf::ForOp>()) {
        FailureOr<TilePuts> puts = findPuts(loop);
        if (failed(puts)) {
          gate.leave("where the next tile's operands lie is known in the tile "
                     "only");
          continue;
        }
        prefetchNext(*puts, gate->getBlocks());
        gate.worked();
        ++numPrefetched;
      }
    });
  }
};
} // namespace
