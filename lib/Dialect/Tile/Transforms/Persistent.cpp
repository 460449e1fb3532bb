//===- Persistent.cpp - Blocks that work through several tiles ------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   launch @k grid(%n) ; %b = gpu.block_id ; tile(%b)
//   ->  launch @k grid(min(%n, cores)) args(.., %n)
//       scf.for %t = 0 to %visits step 1 {
//         %b = %t * grid + (%t odd ? grid - 1 - block_id : block_id) ; tile(%b)
//       } {flash_tile.tiles}
//
// A block that stays sets its barriers up once, and its producer fetches the
// next tile under the last products and stores of the one before. Going through
// the tiles to and fro spreads what shrinks along them (a causal mask's)
// evenly. It runs first on L3, when a kernel still works on one tile.
//
//===----------------------------------------------------------------------===//

#include "KernelParameters.h"
#include "PassGate.h"
#include "TensorMaps.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILEPERSISTENT
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash;
using namespace flash::tile;

/// As few blocks as take no more rounds: 2048 tiles are 16 rounds of 128
/// blocks, as of 132, which would be in each other's way.
static Value fewestBlocks(OpBuilder &builder, Location loc, Value tiles,
                          Value most) {
  Value rounds = arith::CeilDivUIOp::create(builder, loc, tiles, most);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  return arith::CeilDivUIOp::create(
      builder, loc, tiles, arith::MaxUIOp::create(builder, loc, rounds, one));
}

/// Gives the launches a grid of at most `cores` blocks, whole clusters of them,
/// and the kernel the number of tiles, which is returned. Where tiles are
/// `alike`, the blocks are as few as take no more rounds; not where a launch
/// splits tiles, which is made for rounds of all cores.
static Value limitGrid(gpu::GPUFuncOp kernel, ArrayRef<LaunchOp> launches,
                       int64_t cores, bool alike) {
  auto parts =
      kernel->getAttrOfType<IntegerAttr>(FlashTileDialect::getPartsAttrName());
  auto limit = [&](OpBuilder &builder, LaunchOp launch) {
    Location loc = launch.getLoc();
    Value tiles = launch.getGrid()[0];
    Value most = arith::ConstantIndexOp::create(
        builder, loc, cores - cores % getKernelCluster(kernel));
    Value blocks = arith::MinSIOp::create(builder, loc, tiles, most);
    if (alike && getKernelCluster(kernel) == 1) {
      Value fewest = fewestBlocks(builder, loc, tiles, most);
      if (parts) {
        Value one = arith::ConstantIndexOp::create(builder, loc, 1);
        Value split = arith::MinUIOp::create(
            builder, loc, launch.getArgs()[parts.getInt()], one);
        fewest = arith::MaxUIOp::create(
            builder, loc, fewest,
            arith::MulIOp::create(builder, loc, blocks, split));
      }
      blocks = fewest;
    }
    launch.getGridMutable()[0].set(blocks);
    return tiles;
  };
  return addParameter(kernel, launches, IndexType::get(kernel.getContext()),
                      limit);
}

/// Moves what depends on the block into a loop over its tiles.
static void makePersistent(gpu::GPUFuncOp kernel, Operation *id, Value tiles,
                           Value counter, bool parts) {
  Block &body = kernel.getBody().front();
  SmallVector<OpOperand *> uses;
  for (OpOperand &use : id->getUses())
    uses.push_back(&use);
  OpBuilder builder(id->getContext());
  builder.setInsertionPointAfter(id);
  Location loc = id->getLoc();
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  Value zero = constant(0), one = constant(1);
  Value grid = gpu::GridDimOp::create(builder, loc, gpu::Dimension::x);
  // The blocks of a cluster have a tile each of what counts as one.
  if (int64_t cluster = getKernelCluster(kernel); cluster > 1) {
    grid = arith::DivUIOp::create(builder, loc, grid, constant(cluster));
    tiles = arith::DivUIOp::create(builder, loc, tiles, constant(cluster));
  }
  Value self = id->getResult(0);
  auto mirrored = arith::SubIOp::create(
      builder, loc, arith::SubIOp::create(builder, loc, grid, one), self);
  // A part of a tile waits for one in a block of a lower number: the last
  // rounds do not go back.
  auto hasNext = [&](Value round) {
    Value end = arith::MulIOp::create(
        builder, loc, arith::AddIOp::create(builder, loc, round, constant(2)),
        grid);
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ule, end,
                                 tiles);
  };
  // This block's place in a round, to or fro.
  auto place = [&](Value round) -> Value {
    Value odd = arith::CmpIOp::create(
        builder, loc, arith::CmpIPredicate::ne,
        arith::AndIOp::create(builder, loc, round, one), zero);
    if (parts)
      odd = arith::AndIOp::create(builder, loc, odd, hasNext(round));
    return arith::SelectOp::create(builder, loc, odd, mirrored, self);
  };
  // All have the full rounds; the last one only reaches the first places.
  Value rounds = arith::DivUIOp::create(builder, loc, tiles, grid);
  Value rest = arith::RemUIOp::create(builder, loc, tiles, grid);
  Value more = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult,
                                     place(rounds), rest);
  Value visits = arith::SelectOp::create(
      builder, loc, more, arith::AddIOp::create(builder, loc, rounds, one),
      rounds);
  auto loop = scf::ForOp::create(builder, loc, zero, visits, one);
  loop->setAttr(FlashTileDialect::getTilesAttrName(), builder.getUnitAttr());

  Operation *end = loop.getBody()->getTerminator();
  for (Operation &op : llvm::make_early_inc_range(
           llvm::make_range(std::next(loop->getIterator()),
                            body.getTerminator()->getIterator())))
    if (!op.hasTrait<OpTrait::ConstantLike>())
      op.moveBefore(end);
    else
      op.moveBefore(loop);
  builder.setInsertionPointToStart(loop.getBody());
  Value first =
      arith::MulIOp::create(builder, loc, loop.getInductionVar(), grid);
  Value tile =
      arith::AddIOp::create(builder, loc, first, place(loop.getInductionVar()));
  if (counter)
    tile = TileOfOp::create(builder, loc, tile, tiles, counter);
  for (OpOperand *use : uses)
    use->set(tile);
}

namespace {
struct TilePersistentPass
    : flash::tile::impl::TilePersistentBase<TilePersistentPass> {
  using TilePersistentBase::TilePersistentBase;

  void runOnOperation() override {
    LaunchMap launches = findLaunches(getOperation());
    getOperation().walk([&](gpu::GPUFuncOp kernel) {
      PassGate<PersistentAttr> gate(kernel, "it has no one block id along x");
      if (!gate)
        return;
      KernelAttr attr = getKernelAttr(kernel);
      if (!attr || !attr.getRoles())
        return gate.leave("it is to have no roles");
      Operation *id = findBlockId(kernel);
      if (!id)
        return;
      bool parts = kernel->hasAttr(FlashTileDialect::getPartsAttrName());
      bool alike = !gate->getUnlike() && !gate->getDynamic();
      Value tiles = limitGrid(kernel, launches[kernel], cores, alike);
      makePersistent(kernel, id, tiles,
                     gate->getDynamic() && getKernelCluster(kernel) == 1
                         ? addMemory(kernel, launches[kernel], 1, 64)
                         : Value(),
                     parts);
      gate.worked();
      ++numPersistent;
    });
  }
};
} // namespace
