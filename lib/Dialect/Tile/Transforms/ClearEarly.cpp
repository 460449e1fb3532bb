//===- ClearEarly.cpp - Zeros by a kernel that is there anyway ------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   launch @statistics(...) ; clear %sums ; launch @gradients(..., %sums)
//   ->  launch @statistics(..., %sums) ; launch @gradients(..., %sums)
//       // @statistics: clear_share %sums
//
// A kernel that streams reads while it writes zeros; by itself either leaves
// half of the memory's bandwidth in one direction unused.
//
//===----------------------------------------------------------------------===//

#include "KernelParameters.h"
#include "TensorMaps.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Transforms/RegionUtils.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILECLEAREARLY
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash::tile;

/// The last launch before `clear` of a kernel that can do it; null if there is
/// none.
static LaunchOp findLaunch(ClearOp clear, LaunchMap &launches,
                           gpu::GPUFuncOp &kernel) {
  for (Operation *op = clear->getPrevNode(); op; op = op->getPrevNode()) {
    auto launch = dyn_cast<LaunchOp>(op);
    if (!launch || launch.getGrid().size() != 1)
      continue;
    auto found = SymbolTable::lookupNearestSymbolFrom<gpu::GPUFuncOp>(
        launch, launch.getKernelAttr());
    if (!found || launches[found].size() != 1 ||
        !found.getBody().getOps<SpecializeOp>().empty())
      continue;
    kernel = found;
    return launch;
  }
  return {};
}

/// Whether the memory that is cleared is new, so that a launch before may write
/// to it: then it is allocated before that launch.
static bool allocateBefore(ClearOp clear, LaunchOp launch,
                           IRRewriter &rewriter) {
  auto alloc = clear.getMemref().getDefiningOp<memref::AllocOp>();
  if (!alloc || alloc->getBlock() != clear->getBlock() ||
      llvm::any_of(alloc->getUsers(), [&](Operation *user) {
        return user != clear && (user->getBlock() != clear->getBlock() ||
                                 user->isBeforeInBlock(clear));
      }))
    return false;
  if (alloc->isBeforeInBlock(launch))
    return true;
  if (failed(moveOperationDependencies(rewriter, alloc, launch)))
    return false;
  alloc->moveBefore(launch);
  return true;
}

namespace {
struct TileClearEarlyPass
    : flash::tile::impl::TileClearEarlyBase<TileClearEarlyPass> {
  using TileClearEarlyBase::TileClearEarlyBase;

  void runOnOperation() override {
    LaunchMap launches = findLaunches(getOperation());
    SmallVector<ClearOp> clears;
    getOperation().walk([&](ClearOp clear) { clears.push_back(clear); });
    IRRewriter rewriter(&getContext());
    for (ClearOp clear : clears) {
      gpu::GPUFuncOp kernel;
      LaunchOp launch = findLaunch(clear, launches, kernel);
      auto type = cast<MemRefType>(clear.getMemref().getType());
      if (!launch || !ClearShareOp::takes(type) ||
          !allocateBefore(clear, launch, rewriter))
        continue;
      Value memref = clear.getMemref();
      Value parameter =
          addParameter(kernel, {launch}, type,
                       [&](OpBuilder &, LaunchOp) { return memref; });
      OpBuilder builder = OpBuilder::atBlockBegin(&kernel.getBody().front());
      ClearShareOp::create(builder, clear.getLoc(), parameter);
      clear.erase();
      ++numMoved;
    }
  }
};
} // namespace
