//===- JoinRings.cpp - Little tiles have a large one's barriers -----------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   get %little[%n] ; get %large[%n] ; ...
//   release %little[%n] ; ... ; release %large[%n]
//   ->  %little = ring with(%large)
//       get %large[%n] ; get %little[%n] ; ... ; release %large[%n]
//
// A wait costs a warp as much as some tens of instructions, for a tile of a few
// rows as for a large one. Where both are read by products that follow one
// another, one wait is enough. Runs when it is decided where products start.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/Transforms/Passes.h"

#include "PassGate.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILEJOINRINGS
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash;
using namespace flash::tile;

namespace {
/// Who uses a ring: one put, gets in their order, one release.
struct RingUses {
  PutOp put;
  SmallVector<GetOp> gets;
  ReleaseOp release;
};
} // namespace

static std::optional<RingUses> findUses(RingOp ring) {
  RingUses uses;
  for (Operation *user : ring->getUsers()) {
    if (auto put = dyn_cast<PutOp>(user); put && !uses.put)
      uses.put = put;
    else if (auto release = dyn_cast<ReleaseOp>(user); release && !uses.release)
      uses.release = release;
    else if (auto get = dyn_cast<GetOp>(user); get && !get.getRows())
      uses.gets.push_back(get);
    else
      return std::nullopt;
  }
  // Uses are listed backwards.
  std::reverse(uses.gets.begin(), uses.gets.end());
  bool complete = uses.put && uses.release && !uses.gets.empty();
  return complete ? std::optional(uses) : std::nullopt;
}

/// Whether nothing stands between two ops of a block but gets, arithmetic and
/// starts of products, which may all come after a wait.
static bool areNeighbours(Operation *a, Operation *b) {
  if (a->getBlock() != b->getBlock())
    return false;
  if (b->isBeforeInBlock(a))
    std::swap(a, b);
  for (Operation *op = a->getNextNode(); op != b; op = op->getNextNode())
    if (!isa<GetOp, MmaStartOp>(op) && !isMemoryEffectFree(op))
      return false;
  return true;
}

/// Whether every stage of the little ring can be awaited and released with the
/// large one's.
static bool canJoin(RingOp little, const RingUses &of, RingOp large,
                    const RingUses &with) {
  RingType a = little.getRing().getType(), b = large.getRing().getType();
  if (a.getStages() != b.getStages() || a.getCluster() != 1 ||
      b.getCluster() != 1 || b.getKind() != RingKind::MBarrier ||
      4 * a.getTile().getSizeInBytes() > b.getTile().getSizeInBytes() ||
      little.getAhead() != large.getAhead())
    return false;
  if (of.put->getBlock() != with.put->getBlock() ||
      large->getBlock() != little->getBlock() ||
      PutOp(of.put).getIteration() != PutOp(with.put).getIteration() ||
      of.gets.size() != with.gets.size())
    return false;
  for (auto [get, other] : llvm::zip_equal(of.gets, with.gets))
    if (GetOp(get).getIteration() != GetOp(other).getIteration() ||
        GetOp(get).getWhen() != GetOp(other).getWhen() ||
        !areNeighbours(get, other))
      return false;
  // The large one is released last: who reads the little one is over.
  return of.release->getBlock() == with.release->getBlock() &&
         ReleaseOp(of.release).getIteration() ==
             ReleaseOp(with.release).getIteration() &&
         of.release->isBeforeInBlock(with.release);
}

/// Moves the put, with what its place is computed from, after another one:
/// the stage is full when both have come.
static void moveBehind(PutOp put, PutOp other) {
  SmallVector<Operation *> needed;
  for (Operation *op = other->getNextNode(); op != put; op = op->getNextNode())
    if (isMemoryEffectFree(op))
      needed.push_back(op);
  needed.push_back(put);
  Operation *last = other;
  for (Operation *op : needed) {
    op->moveAfter(last);
    last = op;
  }
}

static void join(RingOp little, const RingUses &of, RingOp large,
                 const RingUses &with) {
  little->moveAfter(large);
  little.getWithMutable().assign(large.getRing());
  if (PutOp(of.put)->isBeforeInBlock(with.put))
    PutOp(of.put)->moveAfter(with.put);
  else
    moveBehind(of.put, with.put);
  for (auto [get, other] : llvm::zip_equal(of.gets, with.gets)) {
    if (get->isBeforeInBlock(other))
      other->moveBefore(get);
  }
  ReleaseOp(of.release).erase();
}

namespace {
struct TileJoinRingsPass
    : flash::tile::impl::TileJoinRingsBase<TileJoinRingsPass> {
  void runOnOperation() override {
    if (!getPassAttr<StartProductsAttr>(getOperation()))
      return;
    SmallVector<RingOp> rings(getOperation().getOps<RingOp>());
    for (RingOp little : rings)
      for (RingOp large : rings) {
        if (little == large || little.getWith() || large.getWith() ||
            !little.getCompanions().empty())
          continue;
        std::optional<RingUses> of = findUses(little);
        if (!of)
          break;
        // A ring that has companions is used by them, too.
        if (!large.getCompanions().empty())
          continue;
        std::optional<RingUses> with = findUses(large);
        if (!with || !canJoin(little, *of, large, *with))
          continue;
        join(little, *of, large, *with);
        ++numJoined;
      }
  }
};
} // namespace
