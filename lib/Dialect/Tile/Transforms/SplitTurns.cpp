//===- SplitTurns.cpp - A warpgroup's own code ----------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   consumers { for %i { in_turn 0 { A } ; B ; in_turn 1 { C } ; D } }
//   ->  consumers { by_warpgroup { for %i { A ; B ; D } },
//                                { for %i { B ; C ; D } } }
//
// Where a loop has parts that one certain warpgroup computes, each warpgroup
// gets a copy of all code, without the others' parts: its products are
// scheduled among its own work, over the end of an iteration, too, which a
// branch in the loop would keep the assembler from. Runs before
// flash-tile-start-products.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/Transforms/Passes.h"

#include "ProductLoops.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILESPLITTURNS
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash;
using namespace flash::tile;

/// The warpgroup that has the turn, where it is always the same one.
static std::optional<int64_t> getWarpgroup(InTurnOp turn, int64_t warpgroups) {
  std::optional<int64_t> number = getConstantIntValue(turn.getTurn());
  if (!number || turn.getWhen())
    return std::nullopt;
  return *number % warpgroups;
}

/// Leaves of the turns in `code` those of one warpgroup.
static void takeTurns(Region &code, int64_t warpgroup, int64_t warpgroups) {
  IRRewriter rewriter(code.getContext());
  SmallVector<InTurnOp> turns;
  code.walk([&](InTurnOp turn) { turns.push_back(turn); });
  for (InTurnOp turn : turns) {
    if (getWarpgroup(turn, warpgroups) == warpgroup) {
      Block &body = turn.getBody().front();
      rewriter.eraseOp(body.getTerminator());
      rewriter.inlineBlockBefore(&body, turn);
    }
    rewriter.eraseOp(turn);
  }
}

/// What has waited for a stage has it: gets of the same one after it go.
static void joinGets(Region &code) {
  code.walk([](Block *block) {
    for (auto get : llvm::make_early_inc_range(block->getOps<GetOp>()))
      for (auto other : block->getOps<GetOp>()) {
        if (other == get)
          break;
        if (other.getRing() == get.getRing() &&
            other.getIteration() == get.getIteration() && !other.getWhen() &&
            !get.getWhen() && !other.getRows() && !get.getRows()) {
          get.getTile().replaceAllUsesWith(other.getTile());
          get.erase();
          break;
        }
      }
  });
}

static void splitTurns(SpecializeOp roles, int64_t warpgroups) {
  Block &all = roles.getConsumers().front();
  OpBuilder builder(all.getTerminator());
  auto parts =
      ByWarpgroupOp::create(builder, roles.getLoc(), TypeRange(), ValueRange(),
                            ArrayRef<NamedAttribute>(), warpgroups);
  for (auto [warpgroup, body] : llvm::enumerate(parts.getBodies())) {
    OpBuilder inside = OpBuilder::atBlockEnd(&body.emplaceBlock());
    IRMapping mapping;
    for (Operation &op : all)
      if (&op != parts && &op != all.getTerminator())
        inside.clone(op, mapping);
    YieldOp::create(inside, roles.getLoc());
    takeTurns(body, warpgroup, warpgroups);
    joinGets(body);
    body.walk([](FillOp fill) { fill.setAlways(true); });
  }
  while (&all.front() != parts)
    parts->getPrevNode()->erase();
}

namespace {
struct TileSplitTurnsPass
    : flash::tile::impl::TileSplitTurnsBase<TileSplitTurnsPass> {
  void runOnOperation() override {
    int64_t warpgroups = getKernelWarps(getOperation()) / 4;
    getOperation().walk([&](SpecializeOp roles) {
      bool some = false, all = true;
      roles.getConsumers().walk([&](InTurnOp turn) {
        some = true;
        all &= getWarpgroup(turn, warpgroups).has_value();
      });
      if (!some || !all)
        return;
      splitTurns(roles, warpgroups);
      ++numSplit;
    });
  }
};
} // namespace
