//===- DealProducts.cpp - Tiles that one warpgroup makes ------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %s = mma ... ; %p = map(%s) ; %t0 = store_shared %p
//   %g = mma ... ; %d = map(%g, %p) ; %t1 = store_shared %d
//   mma %t0, ... ; mma %t1, ...
//   ->  in_turn 0 { %s = mma ... ; %p = map(%s) ; fill %high, %low with %p }
//       in_turn 1 { %g = mma ... ; %p = get %high + get %low
//                   %d = map(%g, %p) ; fill %ring, %d }
//       mma (get %high), ... ; mma (get %ring), ...
//
// Two tiles of which each warpgroup would make a part of the columns, and wait
// for the other one twice. Each of them made whole by one warpgroup, its
// operands are read once, and a barrier in memory lets either go on as soon as
// there is what it reads. What goes from one to the other is rounded to the
// operand's type, and the rest of it besides: together they have twice the
// digits. Runs when maps are split (flash-tile-split-maps).
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/Transforms/Passes.h"

#include "PassGate.h"
#include "ProductLoops.h"
#include "RingUtils.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILEDEALPRODUCTS
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash;
using namespace flash::tile;

namespace {
/// A tile that becomes an operand, and what makes it, in the order of the loop.
struct Made {
  StoreSharedOp store;
  ConvertOp rounded;
  llvm::SetVector<Operation *> ops;
};
} // namespace

static bool isFragment(Value value) {
  return isa<FragmentType>(value.getType());
}

/// What stores a constant, which each warp may have in registers.
static SplatOp findSplat(Value tile) {
  auto store = tile.getDefiningOp<StoreSharedOp>();
  return store ? store.getValue().getDefiningOp<SplatOp>() : SplatOp();
}

/// Adds the ops of a loop's body that make `value`, but those of `before`.
/// False where one of them is none that can be moved.
static bool collect(Value value, Block *body, Made &made,
                    const llvm::SetVector<Operation *> &before) {
  Operation *op = value.getDefiningOp();
  if (!op || op->getBlock() != body || before.contains(op) ||
      made.ops.contains(op))
    return true;
  if (!isa<MmaOp, MapOp, ConvertOp, scf::IfOp>(op) ||
      !llvm::all_of(op->getResults(), isFragment))
    return isa<SplatOp>(op) || !isFragment(value);
  SmallVector<Value> operands(op->getOperands());
  llvm::SetVector<Value> above;
  getUsedValuesDefinedAbove(op->getRegions(), above);
  llvm::append_range(operands, above);
  for (Value operand : operands)
    if (isFragment(operand) && !collect(operand, body, made, before))
      return false;
  made.ops.insert(op);
  return true;
}

/// Whether nobody else uses what `made` makes, but `after`.
static bool isOwn(const Made &made, Block *body,
                  const llvm::SetVector<Operation *> *after) {
  return llvm::all_of(made.ops, [&](Operation *op) {
    return llvm::all_of(op->getUsers(), [&](Operation *user) {
      Operation *there = ancestorIn(body, user);
      return there == made.store || there == made.rounded ||
             made.ops.contains(there) || (after && after->contains(there));
    });
  });
}

/// The two tiles of a loop that two warpgroups may make, a warpgroup each.
static SmallVector<Made> findTiles(scf::ForOp loop) {
  Block *body = loop.getBody();
  SmallVector<Made> tiles;
  for (auto store : body->getOps<StoreSharedOp>()) {
    auto rounded = store.getValue().getDefiningOp<ConvertOp>();
    auto layout =
        dyn_cast<AccLayoutAttr>(store.getValue().getType().getLayout());
    if (!rounded || rounded->getBlock() != body || !rounded->hasOneUse() ||
        !layout || layout.getColumnGroups() != 2)
      continue;
    Made made{store, rounded, {}};
    static const llvm::SetVector<Operation *> none;
    if (!collect(rounded.getSource(), body, made,
                 tiles.empty() ? none : tiles.front().ops) ||
        llvm::none_of(made.ops, llvm::IsaPred<MmaOp>))
      return {};
    tiles.push_back(std::move(made));
  }
  if (tiles.size() != 2 || !isOwn(tiles[0], body, &tiles[1].ops) ||
      !isOwn(tiles[1], body, nullptr))
    return {};
  // What the second reads of the first is what the first rounds.
  for (Operation *op : tiles[0].ops)
    for (Value result : op->getResults())
      if (result != tiles[0].rounded.getSource() &&
          llvm::any_of(result.getUsers(), [&](Operation *user) {
            return tiles[1].ops.contains(ancestorIn(body, user));
          }))
        return {};
  return tiles;
}

/// The fragment of one warpgroup in the place of one that all have a part of.
static Type ofOneWarpgroup(Type type) {
  auto fragment = dyn_cast<FragmentType>(type);
  if (!fragment || !isa<AccLayoutAttr>(fragment.getLayout()))
    return type;
  return FragmentType::get(
      fragment.getShape(), fragment.getElementType(),
      AccLayoutAttr::get(type.getContext(), 4, /*columnGroups=*/1));
}

/// Clones ops for one warpgroup.
static void cloneForOne(OpBuilder &b, const llvm::SetVector<Operation *> &ops,
                        IRMapping &mapping) {
  for (Operation *op : ops) {
    // Constants stay in registers.
    if (auto product = dyn_cast<MmaOp>(op))
      if (SplatOp splat = findSplat(product.getA())) {
        auto old = cast<FragmentType>(splat.getType());
        mapping.map(product.getA(),
                    SplatOp::create(b, splat.getLoc(),
                                    FragmentType::get(
                                        old.getShape(), old.getElementType(),
                                        LhsLayoutAttr::get(b.getContext(), 4)),
                                    splat.getValue())
                        .getResult());
      }
    for (Value operand : op->getOperands())
      if (auto splat = operand.getDefiningOp<SplatOp>();
          splat && !mapping.contains(operand))
        mapping.map(operand, SplatOp::create(b, splat.getLoc(),
                                             ofOneWarpgroup(splat.getType()),
                                             splat.getValue())
                                 .getResult());
    Operation *clone = b.clone(*op, mapping);
    clone->walk([](Operation *inside) {
      for (Value result : inside->getResults())
        result.setType(ofOneWarpgroup(result.getType()));
    });
  }
}

static Value makeRing(OpBuilder &b, Location loc, SharedType tile) {
  return RingOp::create(b, loc, RingType::get(1, tile, RingKind::MBarrier),
                        IntegerAttr());
}

static Value get(OpBuilder &b, Location loc, Value ring, Value count) {
  return GetOp::create(b, loc, cast<RingType>(ring.getType()).getTile(), ring,
                       count, b.getI64IntegerAttr(0), /*when=*/Value(),
                       /*rows=*/Value());
}

/// A bf16 is the upper half of an f32: two integer operations, where the
/// conversion is a slow instruction.
static Value widen(OpBuilder &b, Location loc, Value value, Type wide) {
  if (!value.getType().isBF16())
    return arith::ExtFOp::create(b, loc, wide, value);
  Type word = b.getI32Type();
  Value bits = arith::ExtUIOp::create(
      b, loc, word, arith::BitcastOp::create(b, loc, b.getI16Type(), value));
  bits = arith::ShLIOp::create(b, loc, bits,
                               arith::ConstantIntOp::create(b, loc, word, 16));
  return arith::BitcastOp::create(b, loc, wide, bits);
}

/// A tile as two of fewer digits: rounded, and what is left.
static std::pair<Value, Value> split(OpBuilder &b, Location loc, Value value,
                                     Type element) {
  auto type = cast<FragmentType>(value.getType());
  Type narrow = FragmentType::get(type.getShape(), element, type.getLayout());
  auto parts =
      MapOp::create(b, loc, TypeRange{narrow, narrow}, value,
                    [&](OpBuilder &in, Location l, ValueRange args) {
                      Value x = args.back();
                      Value high = arith::TruncFOp::create(in, l, element, x);
                      Value back = widen(in, l, high, x.getType());
                      Value rest = arith::SubFOp::create(in, l, x, back);
                      Value low = arith::TruncFOp::create(in, l, element, rest);
                      YieldOp::create(in, l, ValueRange{high, low});
                    });
  return {parts.getResult(0), parts.getResult(1)};
}

/// The sum of two tiles of shared memory.
static Value join(OpBuilder &b, Location loc, Value high, Value low,
                  FragmentType type) {
  auto load = [&](Value tile) -> Value {
    return LoadFragmentOp::create(
        b, loc,
        FragmentType::get(type.getShape(),
                          cast<SharedType>(tile.getType()).getElementType(),
                          type.getLayout()),
        tile);
  };
  Value a = load(high), c = load(low);
  return MapOp::create(b, loc, TypeRange{type}, ValueRange{a, c},
                       [&](OpBuilder &in, Location l, ValueRange args) {
                         args = args.take_back(2);
                         Type wide = type.getElementType();
                         Value x = arith::ExtFOp::create(in, l, wide, args[0]),
                               y = arith::ExtFOp::create(in, l, wide, args[1]);
                         YieldOp::create(
                             in, l,
                             arith::AddFOp::create(in, l, x, y).getResult());
                       })
      .getResult(0);
}

/// Releases of a loop after the last who reads the stage.
static void delayReleases(Block *body) {
  SmallVector<ReleaseOp> releases(body->getOps<ReleaseOp>());
  for (ReleaseOp release : releases) {
    Operation *last = nullptr;
    for (auto got : body->getOps<GetOp>())
      if (got.getRing() == release.getRing() &&
          got.getIteration() == release.getIteration()) {
        Operation *user = lastUser(got.getTile(), body);
        if (user && (!last || last->isBeforeInBlock(user)))
          last = user;
      }
    if (last && release->isBeforeInBlock(last))
      release->moveAfter(last);
  }
}

static void deal(scf::ForOp loop, Value count, SmallVector<Made> &tiles) {
  auto roles = loop->getParentOfType<SpecializeOp>();
  Location loc = tiles[0].store.getLoc();
  OpBuilder outside(roles);
  SharedType first = tiles[0].store.getTile().getType(),
             second = tiles[1].store.getTile().getType();
  Value high = makeRing(outside, loc, first),
        low = makeRing(outside, loc, first),
        other = makeRing(outside, loc, second);

  // After the gets of both.
  OpBuilder b(tiles[0].store);
  auto makeTurn = [&](OpBuilder &builder, int64_t warpgroup) {
    Value who = arith::ConstantIndexOp::create(builder, loc, warpgroup);
    auto turn = InTurnOp::create(builder, loc, who);
    return OpBuilder(turn.getBody().front().getTerminator());
  };
  {
    OpBuilder in = makeTurn(b, 0);
    IRMapping mapping;
    cloneForOne(in, tiles[0].ops, mapping);
    auto [rounded, rest] =
        split(in, loc, mapping.lookup(tiles[0].rounded.getSource()),
              first.getElementType());
    FillOp::create(in, loc, high, count, rounded);
    FillOp::create(in, loc, low, count, rest);
  }
  OpBuilder b1(tiles[1].store);
  {
    OpBuilder in = makeTurn(b1, 1);
    IRMapping mapping;
    // Its own products first: the other's tile is there by then.
    llvm::SetVector<Operation *> products, others;
    for (Operation *op : tiles[1].ops)
      (isa<MmaOp>(op) ? products : others).insert(op);
    cloneForOne(in, products, mapping);
    Value crossing = tiles[0].rounded.getSource();
    Value h = get(in, loc, high, count), l = get(in, loc, low, count);
    mapping.map(crossing,
                join(in, loc, h, l,
                     cast<FragmentType>(ofOneWarpgroup(crossing.getType()))));
    ReleaseOp::create(in, loc, low, count);
    cloneForOne(in, others, mapping);
    auto type = cast<FragmentType>(
        ofOneWarpgroup(tiles[1].rounded.getResult().getType()));
    Value rounded = ConvertOp::create(
        in, loc, type, mapping.lookup(tiles[1].rounded.getSource()));
    FillOp::create(in, loc, other, count, rounded);
  }
  // The first warpgroup goes on while the second makes its tile; the second
  // asks for the first tile when it has products of its own after it.
  tiles[0].store.getTile().replaceAllUsesWith(get(b1, loc, high, count));
  tiles[1].store.getTile().replaceAllUsesWith(get(b1, loc, other, count));
  OpBuilder end(loop.getBody()->getTerminator());
  ReleaseOp::create(end, loc, high, count);
  ReleaseOp::create(end, loc, other, count);
  for (Made &made : llvm::reverse(tiles)) {
    made.store.erase();
    made.rounded.erase();
  }
  for (Made &made : llvm::reverse(tiles))
    for (Operation *op : llvm::reverse(made.ops.getArrayRef())) {
      SmallVector<Value> operands(op->getOperands());
      op->erase();
      for (Value operand : operands)
        if (SplatOp splat = findSplat(operand); splat && operand.use_empty())
          operand.getDefiningOp()->erase();
    }
  delayReleases(loop.getBody());
}

namespace {
struct TileDealProductsPass
    : flash::tile::impl::TileDealProductsBase<TileDealProductsPass> {
  void runOnOperation() override {
    // A preparation: flash-tile-start-products says what it leaves.
    if (!getPassAttr<StartProductsAttr>(getOperation()) ||
        getKernelWarps(getOperation()) != 8)
      return;
    for (scf::ForOp loop : findProductLoops(getOperation())) {
      BlockArgument count = findCounter(loop);
      if (!loop->getParentOfType<SpecializeOp>() || !count)
        continue;
      SmallVector<Made> tiles = findTiles(loop);
      if (tiles.empty())
        continue;
      deal(loop, count, tiles);
      ++numDealt;
    }
  }
};
} // namespace
