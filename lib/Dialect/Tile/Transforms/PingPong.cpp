//===- PingPong.cpp - Warpgroups that take turns --------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   scf.for { get %k ; mma_start %q, %k ; get %v ; mma_start %p, %v ; mma_wait
//   }
//   ->  scf.for { get %k ; take_turn ; mma_start ; get %v ; mma_start ;
//                 pass_turn ; mma_wait }
//
// One warpgroup's products run while the other computes its softmax; without
// turns, products of both may share the tensor cores and then leave them idle
// together. It runs when products overlap.
//
//===----------------------------------------------------------------------===//

#include "PassGate.h"

#include "flash/Dialect/Tile/Transforms/Passes.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILEPINGPONG
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash::tile;

/// Puts a turn around the products that an iteration starts; false if it starts
/// fewer than two.
static bool addTurns(scf::ForOp loop) {
  SmallVector<MmaStartOp> starts(loop.getBody()->getOps<MmaStartOp>());
  if (starts.size() < 2)
    return false;
  OpBuilder builder(starts.front());
  TakeTurnOp::create(builder, loop.getLoc());
  builder.setInsertionPointAfter(starts.back());
  PassTurnOp::create(builder, loop.getLoc());
  return true;
}

namespace {
struct TilePingPongPass
    : flash::tile::impl::TilePingPongBase<TilePingPongPass> {
  using TilePingPongBase::TilePingPongBase;

  void runOnOperation() override {
    PassGate<PingPongAttr> gate(
        getOperation(),
        "no loop of its consumers starts two products in an iteration");
    if (!gate)
      return;
    getOperation().walk([&](SpecializeOp roles) {
      if (getKernelWarps(roles) < 8)
        return gate.leave("its one warpgroup has nobody to take turns with");
      roles.getConsumers().walk([&](scf::ForOp loop) {
        if (!addTurns(loop))
          return;
        gate.worked();
        ++numLoops;
      });
    });
  }
};
} // namespace
