//===- ShareTiles.cpp - Tiles that the blocks of a cluster share ----------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %ring = ring : ring<2, 128x64xbf16, mbarrier>
//   put %ring[%i], %map[%b, %h, %j, %c0] : tensor_map<1x1x128x64xbf16>
//   ->  %ring = ring : ring<2, 128x64xbf16, mbarrier, cluster 2>
//       put %ring[%i], %map[%b, %h, %j, %c0] : tensor_map<1x1x64x64xbf16>
//
// for puts that do not depend on the block's rank in its cluster, nor do the
// loops and conditions around them. Each block then copies its part of the
// rows to all: what comes from L2 is divided by the size of the cluster. Only
// types change; what a put and a release do follows from them.
//
//===----------------------------------------------------------------------===//

#include "PassGate.h"
#include "TensorMaps.h"

#include "llvm/ADT/SetVector.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILESHARETILES
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash::tile;

/// Every value that may differ between the blocks of a cluster.
static DenseSet<Value> findVarying(gpu::GPUFuncOp kernel) {
  DenseSet<Value> varying;
  SmallVector<Value> rest;
  auto add = [&](ValueRange values) {
    for (Value value : values)
      if (varying.insert(value).second)
        rest.push_back(value);
  };
  kernel.walk([&](gpu::ClusterBlockIdOp rank) { add(rank->getResults()); });
  kernel.walk([&](gpu::BlockIdOp id) { add(id->getResults()); });
  while (!rest.empty())
    for (Operation *user : rest.pop_back_val().getUsers()) {
      add(user->getResults());
      // An operand of a loop or a condition, or what one passes on.
      Operation *around =
          user->hasTrait<OpTrait::IsTerminator>() ? user->getParentOp() : user;
      if (isa<SpecializeOp>(around))
        continue;
      add(around->getResults());
      for (Region &region : around->getRegions())
        for (Block &block : region)
          add(block.getArguments());
    }
  return varying;
}

/// Whether all blocks of the cluster make the put at the same time, of the same
/// place.
static bool isAlike(PutOp put, const DenseSet<Value> &varying) {
  auto differs = [&](Value value) { return varying.contains(value); };
  if (llvm::any_of(put->getOperands(), differs))
    return false;
  for (Operation *around = put->getParentOp(); !isa<SpecializeOp>(around);
       around = around->getParentOp())
    if (llvm::any_of(around->getOperands(), differs))
      return false;
  return true;
}

/// Puts by ring and by map.
using PutsOf = llvm::MapVector<Value, SmallVector<PutOp>>;

/// Makes the map's box the part of one block, in the kernel and its launches.
static void divideBox(gpu::GPUFuncOp kernel, ArrayRef<LaunchOp> launches,
                      BlockArgument map, int64_t rowDim, int64_t cluster) {
  auto old = cast<TensorMapType>(map.getType());
  SmallVector<int64_t> box(old.getBox());
  box[rowDim] /= cluster;
  auto type = TensorMapType::get(box, old.getElementType());
  map.setType(type);
  kernel.setFunctionType(FunctionType::get(
      kernel.getContext(), kernel.getBody().getArgumentTypes(), {}));
  for (LaunchOp launch : launches) {
    OpBuilder builder(launch);
    OpOperand &argument = launch.getArgsMutable()[map.getArgNumber()];
    auto made = argument.get().getDefiningOp<TensorMapOp>();
    argument.set(
        TensorMapOp::create(builder, made.getLoc(), type, made.getSource()));
    if (made->use_empty())
      made.erase();
  }
}

/// Shares the rings that are filled alike in all blocks; returns how many.
static int64_t shareRings(gpu::GPUFuncOp kernel, ArrayRef<LaunchOp> launches,
                          int64_t cluster) {
  DenseSet<Value> varying = findVarying(kernel);
  PutsOf byRing, byMap;
  kernel.walk([&](PutOp put) {
    byRing[put.getRing()].push_back(put);
    byMap[put.getSource()].push_back(put);
  });
  auto canShare = [&](PutOp put) {
    RingType ring = put.getRing().getType();
    return ring.getKind() == RingKind::MBarrier && !put.getPackedAttr() &&
           ring.getTile().getRows() % (8 * cluster) == 0 &&
           isAlike(put, varying);
  };
  auto allShare = [&](ArrayRef<PutOp> puts) {
    return llvm::all_of(puts, canShare);
  };
  SmallVector<Value> shared;
  for (auto &[ring, puts] : byRing)
    if (allShare(puts) && llvm::all_of(puts, [&](PutOp put) {
          return allShare(byMap[put.getSource()]);
        }))
      shared.push_back(ring);
  llvm::SmallSetVector<Value, 4> maps;
  for (Value ring : shared) {
    ring.setType(cast<RingType>(ring.getType()).withCluster(cluster));
    for (PutOp put : byRing[ring])
      if (maps.insert(put.getSource()))
        divideBox(kernel, launches, cast<BlockArgument>(put.getSource()),
                  put.getRowDimension(), cluster);
  }
  return shared.size();
}

namespace {
struct TileShareTilesPass
    : flash::tile::impl::TileShareTilesBase<TileShareTilesPass> {
  void runOnOperation() override {
    LaunchMap launches = findLaunches(getOperation());
    getOperation().walk([&](gpu::GPUFuncOp kernel) {
      int64_t cluster = getKernelCluster(kernel);
      PassReport report(kernel, getArgument(), cluster > 1,
                        "the blocks of a cluster have no tiles in common");
      if (!report)
        return;
      if (int64_t shared = shareRings(kernel, launches[kernel], cluster)) {
        report.worked();
        numShared += shared;
      }
    });
  }
};
} // namespace
