//===- KeepColumns.cpp - First columns of a tile in registers -------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   scf.for { mma_start #wgmma %v, %do transpose_b ... }
//   ->  %h = load_fragment %v
//       scf.for { mma_start #wgmma %v, %do head(%h) transpose_b ... }
//
// A loop with many products is bound by the bandwidth of shared memory, while
// registers are left: as many as a few columns of a tile take.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/Transforms/Passes.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILEKEEPCOLUMNS
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash::tile;

/// The loop in which `op` multiplies the same tile of shared memory in each
/// iteration, complete when the iteration is; null if there is none.
static scf::ForOp findLoop(MmaStartOp op) {
  auto loop = dyn_cast<scf::ForOp>(op->getParentOp());
  bool isCarried =
      llvm::any_of(op.getResult().getUsers(), llvm::IsaPred<scf::YieldOp>);
  if (!loop || isCarried || op.getHead() || op.getTransposeA() ||
      !isa<SharedType>(op.getA().getType()) ||
      !loop.isDefinedOutsideOfLoop(op.getA()) ||
      op.getResult().getType().getAccumulator().getColumnGroups() != 1)
    return {};
  return loop;
}

namespace {
struct TileKeepColumnsPass
    : flash::tile::impl::TileKeepColumnsBase<TileKeepColumnsPass> {
  using TileKeepColumnsBase::TileKeepColumnsBase;

  void runOnOperation() override {
    if (columns < 16 || columns % 16) {
      getOperation().emitError() << "flash-tile-keep-columns: columns must be "
                                    "a multiple of 16, but is "
                                 << int64_t(columns);
      return signalPassFailure();
    }
    SmallVector<MmaStartOp> ops;
    for (auto roles : getOperation().getBody().getOps<SpecializeOp>())
      roles.getConsumers().walk([&](MmaStartOp op) { ops.push_back(op); });
    for (MmaStartOp op : ops) {
      scf::ForOp loop = findLoop(op);
      auto tile = dyn_cast<SharedType>(op.getA().getType());
      if (!loop || tile.getColumns() <= columns)
        continue;
      OpBuilder builder(loop);
      int64_t warps = op.getResult().getType().getAccumulator().getWarps();
      auto type =
          FragmentType::get({tile.getRows(), columns}, tile.getElementType(),
                            LhsLayoutAttr::get(op.getContext(), warps));
      op.getHeadMutable().assign(
          LoadFragmentOp::create(builder, op.getLoc(), type, op.getA()));
      ++numKept;
    }
  }
};
} // namespace
