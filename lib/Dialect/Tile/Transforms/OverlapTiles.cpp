//===- OverlapTiles.cpp - The next tile's first product -------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   scf.for %t {                                   // tiles
//     %q = get ; scf.if { %s = mma %q, (get %k) ; ... ; %o = mma %p, %v } ;
//     store %o
//   }
//   ->  %s0 = mma (get %q), (get %k)
//       scf.for %t iter_args(%s = %s0) {
//         scf.if { ... ; %o' = mma_start %p, %v
//                  %s' = mma_start (get %q of %t + 1), (get %k)
//                  %o, _ = mma_wait in_flight 1 ; store %o ; %s1 = mma_wait %s'
//         } else { store ; %s1 = mma ... }
//         yield %s1
//       }
//
// The tensor cores work on the next tile while this one's result is divided and
// stored: with few keys a tile, that is much of the time. It runs after the
// loops over keys overlap. After the last tile there is none: the product
// reads whatever lies in the stage, and nobody reads the product.
//
//===----------------------------------------------------------------------===//

#include "PassGate.h"
#include "RingUtils.h"

#include "mlir/IR/Dominance.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILEOVERLAPTILES
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash::tile;

namespace {
/// The loop over tiles, and the products at both ends of a tile.
class TileRotation {
public:
  explicit TileRotation(scf::ForOp tiles) : tiles(tiles) {}

  /// Empty if the loop can be rotated, else the reason.
  StringRef match();
  void rotate();

private:
  StringRef matchProducts();
  GetOp nextGet(OpBuilder &builder, GetOp get, const IRMapping &next,
                Value when);
  void finishVisible(Block *block, const IRMapping &next, Value more,
                     Value visible);
  void finishHidden(Block *block, const IRMapping &next, Value more,
                    Value visible);
  /// What the loop over tiles yields from `block`, as the next iteration's
  /// arguments.
  IRMapping nextArguments(Block *block, const IRMapping &next);

  scf::ForOp tiles;
  /// Whether the tile has keys, and all that is done with them.
  scf::IfOp whole;
  MmaOp first, last;
  GetOp query, key;
};
} // namespace

/// The first product of a tile, of operands in rings, and the last.
StringRef TileRotation::matchProducts() {
  SmallVector<MmaOp> products(
      llvm::make_filter_range(whole.thenBlock()->getOps<MmaOp>(), [](MmaOp op) {
        return op.getInstruction().isAsynchronous();
      }));
  if (products.size() != 2)
    return "a tile does not begin and end with a product";
  first = products[0], last = products[1];
  query = first.getA().getDefiningOp<GetOp>();
  key = first.getB().getDefiningOp<GetOp>();
  if (first.getAcc() || !query || !key || !key.getTile().hasOneUse())
    return "its first product is not of tiles in rings";
  if (query.getRows() || key.getRows())
    return "rows of its first product's tiles are cleared";
  if (query->getBlock() != tiles.getBody() ||
      query.getIteration() != tiles.getInductionVar() ||
      key->getBlock() != whole.thenBlock() ||
      !llvm::is_contained(tiles.getRegionIterArgs(), key.getIteration()))
    return "its operands are not counted by the loop over tiles";
  // The next tile's query is asked for before this one's stage is given back.
  if (query.getRing().getType().getStages() < 2)
    return "queries have one stage";
  return "";
}

StringRef TileRotation::match() {
  Block *body = tiles.getBody();
  if (!body->getOps<TileOfOp>().empty())
    return "which tile is the next is not known before it is taken";
  for (auto branch : body->getOps<scf::IfOp>()) {
    if (branch.getNumResults() == 0 || !branch.elseBlock())
      continue;
    if (whole)
      return "a tile is worked on in more than one part";
    whole = branch;
  }
  if (!whole)
    return "a tile has no products that overlap";
  if (StringRef reason = matchProducts(); !reason.empty())
    return reason;
  if (!isArithmetic(body, whole.getCondition()))
    return "whether a tile has keys is known in the tile only";
  // What the next tile's gets count with is known before the last product.
  DominanceInfo dominance;
  for (Value yielded : body->getTerminator()->getOperands()) {
    auto result = dyn_cast<OpResult>(yielded);
    if (!result || result.getOwner() != whole)
      return "the loop over tiles carries more than counters of rings";
    Value here = whole.thenYield().getResults()[result.getResultNumber()];
    if (!dominance.properlyDominates(here, last))
      return "the loop over tiles carries the result of the last product";
  }
  return "";
}

/// The get of the next tile. Without one, and where the next tile has no keys,
/// nothing was put.
GetOp TileRotation::nextGet(OpBuilder &builder, GetOp get,
                            const IRMapping &next, Value when) {
  return GetOp::create(builder, get.getLoc(), get.getTile().getType(),
                       get.getRing(), next.lookup(get.getIteration()),
                       builder.getI64IntegerAttr(0), when, /*rows=*/Value());
}

IRMapping TileRotation::nextArguments(Block *block, const IRMapping &next) {
  IRMapping mapping = next;
  auto yield = cast<scf::YieldOp>(block->getTerminator());
  for (auto [argument, value] :
       llvm::zip(tiles.getRegionIterArgs(), yield.getResults()))
    mapping.map(argument, value);
  return mapping;
}

/// Starts the next tile's product after the last one, and waits for it at the
/// end.
void TileRotation::finishVisible(Block *block, const IRMapping &next,
                                 Value more, Value visible) {
  OpBuilder builder(last);
  Location loc = last.getLoc();
  IRMapping mapping = nextArguments(block, next);
  FragmentType result = last.getResult().getType(),
               scores = first.getResult().getType();
  Value inFlight = MmaStartOp::create(
      builder, loc, PendingType::get(result), last.getInstruction(),
      last.getA(), last.getB(), last.getAcc(), last.getTransposeAAttr(),
      last.getTransposeBAttr());
  GetOp q = nextGet(builder, query, mapping, more);
  GetOp k = nextGet(builder, key, mapping, visible);
  Value ahead = MmaStartOp::create(
      builder, first.getLoc(), PendingType::get(scores), first.getInstruction(),
      q.getTile(), k.getTile(), Value(), first.getTransposeAAttr(),
      first.getTransposeBAttr());
  auto wait = MmaWaitOp::create(
      builder, loc, TypeRange{result, ahead.getType()},
      ValueRange{inFlight, ahead}, builder.getI64IntegerAttr(1));
  last.getResult().replaceAllUsesWith(wait.getResult(0));
  last.erase();
  Operation *yield = block->getTerminator();
  builder.setInsertionPoint(yield);
  auto end = MmaWaitOp::create(builder, first.getLoc(), TypeRange(scores),
                               ValueRange(wait.getResult(1)),
                               builder.getI64IntegerAttr(0));
  yield->insertOperands(yield->getNumOperands(), end.getResults());
}

/// A tile without keys has only the next one's product to do.
void TileRotation::finishHidden(Block *block, const IRMapping &next, Value more,
                                Value visible) {
  Operation *yield = block->getTerminator();
  OpBuilder builder(yield);
  IRMapping mapping = nextArguments(block, next);
  GetOp q = nextGet(builder, query, mapping, more);
  GetOp k = nextGet(builder, key, mapping, visible);
  auto product =
      MmaOp::create(builder, first.getLoc(), first.getResult().getType(),
                    first.getInstruction(), q.getTile(), k.getTile(), Value(),
                    first.getTransposeAAttr(), first.getTransposeBAttr());
  yield->insertOperands(yield->getNumOperands(), product.getResult());
}

void TileRotation::rotate() {
  Block *oldBody = tiles.getBody();
  Location loc = tiles.getLoc();
  OpBuilder builder(tiles);
  // The first tile's product, before the loop.
  IRMapping start;
  start.map(tiles.getInductionVar(), tiles.getLowerBound());
  start.map(tiles.getRegionIterArgs(), tiles.getInitArgs());
  Value some =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt,
                            tiles.getLowerBound(), tiles.getUpperBound());
  cloneArithmetic(builder, oldBody, whole.getCondition(), start);
  Value someKeys = arith::AndIOp::create(
      builder, loc, some, start.lookupOrDefault(whole.getCondition()));
  GetOp q = nextGet(builder, query, start, some);
  GetOp k = nextGet(builder, key, start, someKeys);
  auto product =
      MmaOp::create(builder, first.getLoc(), first.getResult().getType(),
                    first.getInstruction(), q.getTile(), k.getTile(), Value(),
                    first.getTransposeAAttr(), first.getTransposeBAttr());

  // Everything after `whole` moves into both of its branches.
  auto *yield = oldBody->getTerminator();
  SmallVector<Operation *> rest;
  for (Operation &op :
       llvm::make_range(std::next(whole->getIterator()), yield->getIterator()))
    rest.push_back(&op);
  for (Region *region : {&whole.getThenRegion(), &whole.getElseRegion()}) {
    auto old = cast<scf::YieldOp>(region->front().getTerminator());
    OpBuilder inside(old);
    IRMapping mapping;
    mapping.map(whole.getResults(), old.getResults());
    for (Operation *op : rest)
      inside.clone(*op, mapping);
    SmallVector<Value> values;
    for (Value value : yield->getOperands())
      values.push_back(mapping.lookupOrDefault(value));
    scf::YieldOp::create(inside, old.getLoc(), values);
    old.erase();
  }
  for (Operation *op : llvm::reverse(rest)) {
    op->dropAllUses();
    op->erase();
  }

  // The next tile, seen from the start of this one.
  builder.setInsertionPointToStart(oldBody);
  IRMapping next;
  Value following = arith::AddIOp::create(builder, loc, tiles.getInductionVar(),
                                          tiles.getStep());
  next.map(tiles.getInductionVar(), following);
  Value more = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt,
                                     following, tiles.getUpperBound());
  cloneArithmetic(builder, oldBody, whole.getCondition(), next);
  Value visible = arith::AndIOp::create(
      builder, loc, more, next.lookupOrDefault(whole.getCondition()));

  finishVisible(whole.thenBlock(), next, more, visible);
  finishHidden(whole.elseBlock(), next, more, visible);

  // The loop with the product as one more argument.
  SmallVector<Value> inits(tiles.getInitArgs());
  inits.push_back(product.getResult());
  builder.setInsertionPoint(tiles);
  auto loop = scf::ForOp::create(builder, loc, tiles.getLowerBound(),
                                 tiles.getUpperBound(), tiles.getStep(), inits);
  loop->setAttrs(tiles->getDiscardableAttrDictionary());
  first.getResult().replaceAllUsesWith(loop.getRegionIterArgs().back());
  first.erase();
  key.erase();
  builder.setInsertionPoint(whole);
  auto branch = scf::IfOp::create(
      builder, whole.getLoc(), loop.getResultTypes(), whole.getCondition(),
      /*addThenBlock=*/false, /*addElseBlock=*/false);
  branch.getThenRegion().takeBody(whole.getThenRegion());
  branch.getElseRegion().takeBody(whole.getElseRegion());
  whole->dropAllUses();
  whole.erase();
  yield->setOperands(branch.getResults());
  oldBody->getArgument(0).replaceAllUsesWith(loop.getInductionVar());
  for (auto [from, to] :
       llvm::zip(tiles.getRegionIterArgs(), loop.getRegionIterArgs()))
    from.replaceAllUsesWith(to);
  loop.getBody()->getOperations().splice(loop.getBody()->end(),
                                         oldBody->getOperations());
  tiles.replaceAllUsesWith(loop.getResults().drop_back());
  tiles.erase();
}

namespace {
struct TileOverlapTilesPass
    : flash::tile::impl::TileOverlapTilesBase<TileOverlapTilesPass> {
  void runOnOperation() override {
    PassGate<OverlapTilesAttr> gate(
        getOperation(), "it has no roles whose blocks have several tiles");
    if (!gate)
      return;
    getOperation().walk([&](SpecializeOp roles) {
      for (auto loop : llvm::make_early_inc_range(
               roles.getConsumers().front().getOps<scf::ForOp>())) {
        if (!loop->hasAttr(FlashTileDialect::getTilesAttrName()))
          continue;
        TileRotation rotation(loop);
        if (StringRef reason = rotation.match(); !reason.empty()) {
          gate.leave(reason);
          continue;
        }
        rotation.rotate();
        gate.worked();
        ++numRotated;
      }
    });
  }
};
} // namespace
