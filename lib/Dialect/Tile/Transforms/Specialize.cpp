//===- Specialize.cpp - A producer and consumers --------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %q = load ; scf.for %j { %k = load ; mma ; %v = load ; mma } ; store
//   ->  specialize producer { put %q ; scf.for %j iter_args(%i) { put %k ; put
//   %v } }
//       consumers { get %q ; scf.for %j iter_args(%i) { get %k ; mma ; release
//       ... } ; store }
//
// Scalars stay above, where both roles see them; everything else moves into the
// consumers, and the producer gets copies of the loops and of the addresses: in
// a persistent kernel it runs ahead into the next tile. Addresses may depend on
// scalars in memory, as the numbers of blocks in a list. The tensor memory
// accelerator fills with zero what lies outside of the tensor; rows of a load
// that ends elsewhere, at a length that is data, are cleared by the get, and
// those that no query sees by a watcher (Watcher.h).
//
//===----------------------------------------------------------------------===//

#include "PassGate.h"
#include "RingUtils.h"
#include "TensorMaps.h"
#include "Watcher.h"
#include "flash/Support/DebugLog.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

#define DEBUG_TYPE "flash-tile-specialize"

namespace flash::tile {
#define GEN_PASS_DEF_TILESPECIALIZE
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash::tile;

/// Why the accelerator cannot make this load, or an empty string.
static StringRef reasonAgainst(LoadOp load) {
  if (load.getTile().getType().getRows() > 256)
    return "the tile has more than 256 rows";
  if (load.getPages())
    return "its rows lie in pages";
  return reasonAgainstTma(load, load.getSource());
}

/// How many rows the tile has, where the others hold what lies after them and
/// somebody looks.
static Value rowsToKeep(LoadOp load) {
  return isCutByMemref(load) || isPaddingUnseen(load) ? Value()
                                                      : load.getRows();
}

static Value getMap(TensorMaps &maps, LoadOp load) {
  SharedType tile = load.getTile().getType();
  // A tile's rows are always a box.
  BoxRows rows = *findBox(load.getRowDimension(), load.getPackedAttr(),
                          tile.getRows(), tile.getRows());
  return maps.get(load.getLoc(), load.getSource(), rows,
                  tile.getPanelColumns());
}

//===----------------------------------------------------------------------===//
// Roles
//===----------------------------------------------------------------------===//

static void makePut(OpBuilder &builder, LoadOp load, Value ring,
                    Value iteration, Value map, const IRMapping &mapping,
                    CacheHintAttr hint) {
  SmallVector<Value> offsets;
  for (Value offset : load.getOffsets())
    offsets.push_back(mapping.lookupOrDefault(offset));
  PutOp::create(builder, load.getLoc(), ring, iteration, map, offsets,
                /*rows=*/Value(), /*cols=*/Value(), /*pages=*/Value(),
                /*sequence=*/Value(), /*condition=*/Value(), hint,
                load.getRowDimAttr(), builder.getI64IntegerAttr(0),
                load.getPackedAttr());
}

/// get before the first use in `block`, release after the last.
static void makeGet(LoadOp load, Block *block, Value ring, Value iteration) {
  OpBuilder builder(firstUser(load.getTile(), block));
  Operation *last = lastUser(load.getTile(), block);
  auto get = GetOp::create(builder, load.getLoc(), load.getTile().getType(),
                           ring, iteration, builder.getI64IntegerAttr(0),
                           /*when=*/Value(), rowsToKeep(load));
  load.getTile().replaceAllUsesWith(get.getTile());
  builder.setInsertionPointAfter(last);
  ReleaseOp::create(builder, load.getLoc(), ring, iteration);
  load.erase();
}

namespace {
/// The rings of a kernel and where they are filled from.
struct Rings {
  SmallVector<Value> single, singleMaps, inside, insideMaps;
  CacheHintAttr singleHint, insideHint;
};
} // namespace

static Rings makeRings(OpBuilder &builder, KernelLoads loads, KernelAttr attr,
                       TensorMaps &maps, bool hints) {
  auto makeRing = [&](LoadOp load, int64_t stages) -> Value {
    return RingOp::create(builder, load.getLoc(),
                          RingType::get(std::max<int64_t>(stages, 1),
                                        load.getTile().getType(),
                                        RingKind::MBarrier, /*cluster=*/1,
                                        /*watched=*/bool(findClear(load))),
                          IntegerAttr());
  };
  Rings rings;
  // What one block reads makes room for what others read, too.
  if (hints) {
    MLIRContext *context = builder.getContext();
    rings.singleHint = CacheHintAttr::get(context, CacheHint::EvictFirst);
    rings.insideHint = CacheHintAttr::get(context, CacheHint::EvictLast);
  }
  for (LoadOp load : loads.before) {
    rings.single.push_back(
        makeRing(load, loads.tiles ? attr.getOuterStages() : 1));
    rings.singleMaps.push_back(getMap(maps, load));
  }
  for (LoadOp load : loads.inside) {
    rings.inside.push_back(makeRing(load, attr.getStages()));
    rings.insideMaps.push_back(getMap(maps, load));
  }
  return rings;
}

namespace {
/// What addresses in a loop read from memory: numbers of blocks in a list. The
/// producer looks at those of the next iteration before it waits for a stage of
/// this one, so that a copy does not wait for its address.
class AheadReads {
public:
  AheadReads(scf::ForOp loop, ArrayRef<LoadOp> loads) : loop(loop) {
    SmallVector<Value> offsets;
    for (LoadOp load : loads)
      llvm::append_range(offsets, load.getOffsets());
    for (Operation *read : findReads(loop.getBody(), offsets))
      llvm::append_range(results, read->getResults());
  }

  /// The reads of the first iteration, if there is one.
  SmallVector<Value> first(OpBuilder &builder, const IRMapping &outer);
  /// Those of the iteration after `position`; in the last one, its own.
  SmallVector<Value> next(OpBuilder &builder, const IRMapping &outer,
                          Value position);
  /// Says that the reads have been done.
  void map(IRMapping &mapping, ValueRange values) {
    mapping.map(results, values);
  }

private:
  SmallVector<Value> at(OpBuilder &builder, const IRMapping &outer,
                        Value position);

  scf::ForOp loop;
  SmallVector<Value> results;
};
} // namespace

SmallVector<Value> AheadReads::at(OpBuilder &builder, const IRMapping &outer,
                                  Value position) {
  IRMapping mapping(outer);
  mapping.map(loop.getInductionVar(), position);
  cloneArithmetic(builder, loop.getBody(), results, mapping);
  return llvm::map_to_vector(
      results, [&](Value result) { return mapping.lookup(result); });
}

SmallVector<Value> AheadReads::first(OpBuilder &builder,
                                     const IRMapping &outer) {
  if (results.empty())
    return {};
  Location loc = loop.getLoc();
  Value lower = outer.lookupOrDefault(loop.getLowerBound());
  Value some =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, lower,
                            outer.lookupOrDefault(loop.getUpperBound()));
  auto branch = scf::IfOp::create(
      builder, loc, some,
      [&](OpBuilder &b, Location l) {
        scf::YieldOp::create(b, l, at(b, outer, lower));
      },
      [&](OpBuilder &b, Location l) {
        SmallVector<Value> none;
        for (Value result : results)
          none.push_back(
              arith::ConstantOp::create(b, l, b.getZeroAttr(result.getType())));
        scf::YieldOp::create(b, l, none);
      });
  return SmallVector<Value>(branch.getResults());
}

SmallVector<Value> AheadReads::next(OpBuilder &builder, const IRMapping &outer,
                                    Value position) {
  if (results.empty())
    return {};
  Location loc = loop.getLoc();
  Value step = outer.lookupOrDefault(loop.getStep());
  Value behind = arith::AddIOp::create(builder, loc, position, step);
  Value inside =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, behind,
                            outer.lookupOrDefault(loop.getUpperBound()));
  return at(builder, outer,
            arith::SelectOp::create(builder, loc, inside, behind, position));
}

/// The puts of a tile: its own loads, then those of the loop, which is counted
/// from `counter` on; with `ahead` its own after those of the loop's first
/// iteration, for which there is room while the tile before has not ended.
/// Returns the count after the loop.
static Value makePuts(OpBuilder &builder, KernelLoads loads, scf::ForOp loop,
                      const Rings &rings, Value tile, Value counter,
                      const IRMapping &outer, bool ahead = false) {
  AheadReads reads(loop, loads.inside);
  SmallVector<Value> inits{counter};
  llvm::append_range(inits, reads.first(builder, outer));
  auto makeOwn = [&](OpBuilder &b) {
    for (auto [load, ring, map] :
         llvm::zip(loads.before, rings.single, rings.singleMaps))
      makePut(b, load, ring, tile, map, outer, rings.singleHint);
  };
  Value lower = outer.lookupOrDefault(loop.getLowerBound()),
        upper = outer.lookupOrDefault(loop.getUpperBound());
  auto makeOwnIf = [&](OpBuilder &b, arith::CmpIPredicate predicate, Value left,
                       Value right) {
    Location loc = loop.getLoc();
    Value is = arith::CmpIOp::create(b, loc, predicate, left, right);
    auto branch = scf::IfOp::create(b, loc, is, /*withElseRegion=*/false);
    OpBuilder inside(branch.thenBlock()->getTerminator());
    makeOwn(inside);
  };
  if (!ahead)
    makeOwn(builder);
  auto copies = scf::ForOp::create(
      builder, loop.getLoc(), lower, upper,
      outer.lookupOrDefault(loop.getStep()), inits,
      [&](OpBuilder &b, Location loc, Value position, ValueRange args) {
        Value one = arith::ConstantIndexOp::create(b, loc, 1);
        SmallVector<Value> next{
            arith::AddIOp::create(b, loc, args[0], one).getResult()};
        llvm::append_range(next, reads.next(b, outer, position));
        IRMapping mapping(outer);
        mapping.map(loop.getInductionVar(), position);
        reads.map(mapping, args.drop_front());
        for (auto [load, ring, map] :
             llvm::zip(loads.inside, rings.inside, rings.insideMaps)) {
          cloneArithmetic(b, loop.getBody(), load.getOffsets(), mapping);
          makePut(b, load, ring, args[0], map, mapping, rings.insideHint);
        }
        if (ahead)
          makeOwnIf(b, arith::CmpIPredicate::eq, position, lower);
        scf::YieldOp::create(b, loc, next);
      });
  if (ahead)
    makeOwnIf(builder, arith::CmpIPredicate::sge, lower, upper);
  return copies.getResult(0);
}

/// The producer of a persistent kernel: its loop over tiles, with the scalars
/// that positions are computed from.
static void makeTilePuts(OpBuilder &builder, KernelLoads loads, scf::ForOp loop,
                         const Rings &rings, Value zero) {
  scf::ForOp tiles = loads.tiles;
  bool ahead = bool(
      getPassAttr<StartProductsAttr>(tiles->getParentOfType<gpu::GPUFuncOp>()));
  scf::ForOp::create(
      builder, tiles.getLoc(), tiles.getLowerBound(), tiles.getUpperBound(),
      tiles.getStep(), zero,
      [&](OpBuilder &b, Location loc, Value tile, ValueRange args) {
        IRMapping mapping;
        mapping.map(tiles.getInductionVar(), tile);
        cloneScalars(b, tiles, loop, mapping);
        scf::YieldOp::create(
            b, loc,
            makePuts(b, loads, loop, rings, tile, args[0], mapping, ahead));
      });
}

static SmallVector<WatchedLoad> findWatched(const KernelLoads &loads,
                                            const Rings &rings) {
  SmallVector<WatchedLoad> watched;
  auto add = [&](ArrayRef<LoadOp> all, ArrayRef<Value> filled) {
    for (auto [load, ring] : llvm::zip(all, filled))
      if (findClear(load))
        watched.push_back({load, ring});
  };
  add(loads.before, rings.single);
  add(loads.inside, rings.inside);
  return watched;
}

static void specialize(gpu::GPUFuncOp kernel, KernelLoads loads,
                       KernelAttr attr, TensorMaps &maps, bool hints) {
  Block &body = kernel.getBody().front();
  OpBuilder builder = OpBuilder::atBlockBegin(&body);
  Rings rings = makeRings(builder, loads, attr, maps, hints);
  Value zero = arith::ConstantIndexOp::create(builder, kernel.getLoc(), 0);

  // Iterations are counted on from tile to tile: stages have phases.
  Value tile = zero, first = zero;
  if (loads.tiles) {
    loads.tiles = carryCounter(loads.tiles, zero);
    tile = loads.tiles.getInductionVar();
    first = loads.tiles.getRegionIterArgs().back();
  }
  scf::ForOp loop = addCounter(loads.loop, first);
  if (loads.tiles) {
    Operation *yield = loads.tiles.getBody()->getTerminator();
    yield->setOperand(yield->getNumOperands() - 1, loop.getResults().back());
  }

  // Everything that is not scalar arithmetic or a ring is the consumers'.
  Operation *terminator = body.getTerminator();
  builder.setInsertionPoint(terminator);
  auto roles = SpecializeOp::create(builder, kernel.getLoc(),
                                    attr.getRoles().getProducerRegisters(),
                                    attr.getRoles().getConsumerRegisters());
  Operation *end = roles.getConsumers().front().getTerminator();
  for (Operation &op : llvm::make_early_inc_range(body)) {
    if (&op == roles.getOperation())
      break;
    if (!isScalar(op) && !isa<RingOp>(op))
      op.moveBefore(end);
  }

  builder.setInsertionPoint(roles.getProducer().front().getTerminator());
  if (loads.tiles)
    makeTilePuts(builder, loads, loop, rings, zero);
  else
    makePuts(builder, loads, loop, rings, zero, zero, IRMapping());

  loads.loop = loop;
  makeWatcher(roles, loads, findWatched(loads, rings), zero);
  for (auto [load, ring] : llvm::zip(loads.before, rings.single))
    makeGet(load, load->getBlock(), ring, tile);
  Value counter = loop.getRegionIterArgs().back();
  for (auto [load, ring] : llvm::zip(loads.inside, rings.inside))
    makeGet(load, loop.getBody(), ring, counter);
}

namespace {
struct TileSpecializePass
    : flash::tile::impl::TileSpecializeBase<TileSpecializePass> {
  using TileSpecializeBase::TileSpecializeBase;

  void runOnOperation() override {
    LaunchMap launches = findLaunches(getOperation());
    SmallVector<gpu::GPUFuncOp> kernels;
    getOperation().walk(
        [&](gpu::GPUFuncOp kernel) { kernels.push_back(kernel); });
    for (gpu::GPUFuncOp kernel : kernels) {
      KernelAttr attr = getKernelAttr(kernel);
      PassReport report(kernel, getArgument(), attr && attr.getRoles(), "");
      if (!report)
        continue;
      std::string reason;
      FailureOr<KernelLoads> loads = findLoads(kernel, reason, /*reads=*/true);
      if (succeeded(loads))
        for (LoadOp load : llvm::concat<LoadOp>(loads->before, loads->inside)) {
          if (load.getTile().use_empty())
            reason = "a load has no use";
          else if (StringRef against = reasonAgainst(load); !against.empty())
            reason = against;
          else
            reason += reasonAgainstWatching(load, *loads);
        }
      if (!reason.empty()) {
        report.leave(reason);
        continue;
      }
      TensorMaps maps(kernel, launches[kernel]);
      LDBG() << "'" << kernel.getName()
             << "': " << attr.getRoles().getProducerRegisters()
             << " registers for the producer, "
             << attr.getRoles().getConsumerRegisters() << " for consumers; "
             << loads->before.size() << " rings before the loop and "
             << loads->inside.size() << " in it, of " << attr.getStages()
             << " stages";
      specialize(kernel, *loads, attr, maps, cacheHints);
      report.worked();
      ++numSpecialized;
    }
  }
};
} // namespace
