//===- SplitSchedule.cpp - A schedule for its readers ---------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   scf.forall ... {flash.schedule = #flash.schedule<m = 128, n = 64, d = 16,
//       warps = 8, instruction = wgmma, stages = 2, lazy = true>}
//   ->  scf.forall ... {flash.tiling = #flash.tiling<m = 128, n = 64, d = 16>,
//         flash_tile.kernel = #flash_tile.kernel<warps = 8, instruction =
//             #flash_tile.wgmma, stages = 2>,
//         flash_tile.passes = [#flash_tile.lazy_softmax]}
//
// The same function serves who tiles an operation of L0. It is the one place
// that knows a field of #flash.schedule and the attribute of who reads it.
//
//===----------------------------------------------------------------------===//

#include "SplitSchedule.h"

#include "flash/Dialect/Flash/Transforms/Passes.h"
#include "flash/Dialect/Tile/IR/Tile.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace flash {
#define GEN_PASS_DEF_SPLITSCHEDULE
#include "flash/Dialect/Flash/Transforms/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

static Attribute getInstruction(ScheduleAttr schedule) {
  switch (schedule.getInstruction()) {
  case Instruction::None:
    return {};
  case Instruction::MmaSync:
    return tile::MmaSyncAttr::get(schedule.getContext());
  case Instruction::Wgmma:
    return tile::WgmmaAttr::get(schedule.getContext());
  }
  llvm_unreachable("unknown instruction");
}

/// What a kernel is; null, with an error, where none can be so.
static tile::KernelAttr
getKernel(ScheduleAttr s, llvm::function_ref<InFlightDiagnostic()> emitError) {
  MLIRContext *context = s.getContext();
  tile::RolesAttr roles;
  if (s.getSpecialize() && s.getTma()) {
    roles = tile::RolesAttr::getChecked(
        emitError, context, s.getProducerRegisters(), s.getConsumerRegisters());
    if (!roles)
      return {};
  }
  return tile::KernelAttr::getChecked(
      emitError, context, s.getWarps(), getInstruction(s), s.getStages(),
      s.getQueryStages(), roles ? s.getCluster() : 0, roles);
}

/// What single passes read, in the order in which they run.
static ArrayAttr getPasses(ScheduleAttr s, LoopContents contents) {
  MLIRContext *context = s.getContext();
  bool isWgmma = s.getInstruction() == Instruction::Wgmma;
  bool hasRoles = isWgmma && s.getSpecialize() && s.getTma();
  SmallVector<Attribute> passes;
  // All heads in turn share too little for blocks that take tiles as they come.
  if (s.getTurnTiles() || (s.getHeadTurns() && !s.getDynamic()))
    passes.push_back(tile::OrderAttr::get(
        context, s.getTurnTiles() ? 0 : s.getHeadTurns(), s.getTurnTiles()));
  if (s.getSplitTiles() > 1)
    passes.push_back(tile::SplitTilesAttr::get(context, s.getSplitTiles()));
  if (s.getPersistent())
    passes.push_back(tile::PersistentAttr::get(
        context, /*unlike=*/s.getHeadTurns() || s.getTurnTiles(),
        s.getDynamic()));
  if (s.getPartialSums() && contents.softmax)
    passes.push_back(tile::PartialSumsAttr::get(context));
  if (!isWgmma && contents.products)
    passes.push_back(tile::KeepOperandsAttr::get(context));
  if (s.getStoreTma())
    passes.push_back(tile::StoreTmaAttr::get(context, s.getStoreColumns()));
  if (s.getOverlap() && hasRoles && contents.products == 2)
    passes.push_back(tile::OverlapAttr::get(context, s.getKeysFirst()));
  if (s.getOverlap() && hasRoles && contents.products > 2)
    passes.push_back(tile::StartProductsAttr::get(context));
  if (s.getPrefetchBlocks())
    passes.push_back(
        tile::PrefetchTilesAttr::get(context, s.getPrefetchBlocks()));
  // Where the first maxima stay, each row's is that of a whole block.
  if (s.getPeelMasks() && contents.masks)
    passes.push_back(tile::PeelMasksAttr::get(
        context, /*first=*/s.getReverseKeys(), /*one_more=*/s.getLazy()));
  if (s.getOverlapTiles())
    passes.push_back(tile::OverlapTilesAttr::get(context));
  if (s.getPingPong())
    passes.push_back(tile::PingPongAttr::get(context));
  if (s.getLazy() && contents.softmax)
    passes.push_back(tile::LazySoftmaxAttr::get(
        context, s.getEarlyCheck(), /*cut_exact=*/s.getReverseKeys()));
  return ArrayAttr::get(context, passes);
}

LogicalResult flash::setSchedule(scf::ForallOp loop, ScheduleAttr schedule,
                                 LoopContents contents) {
  if (schedule.isComplete())
    loop->setAttr(FlashDialect::getTilingAttrName(), schedule.getTiling());
  // A thread of a CPU has a tile to itself.
  if (!schedule.getWarps() && schedule.getInstruction() == Instruction::None)
    return success();
  tile::KernelAttr kernel = getKernel(schedule, [&] {
    return loop.emitError() << "the schedule describes no kernel: ";
  });
  if (!kernel)
    return failure();
  loop->setAttr(tile::FlashTileDialect::getKernelAttrName(), kernel);
  if (ArrayAttr passes = getPasses(schedule, contents); !passes.empty())
    loop->setAttr(tile::FlashTileDialect::getPassesAttrName(), passes);
  return success();
}

/// What a loop that is written by hand computes.
static LoopContents findContents(scf::ForallOp forall) {
  LoopContents contents;
  contents.softmax =
      forall.walk([](OnlineSoftmaxOp) { return WalkResult::interrupt(); })
          .wasInterrupted();
  forall.walk([&](scf::ForOp loop) {
    int64_t products = llvm::count_if(
        loop.getBody()->getOps<linalg::LinalgOp>(), [](linalg::LinalgOp op) {
          return linalg::isaContractionOpInterface(op);
        });
    contents.products = std::max(contents.products, products);
  });
  return contents;
}

namespace {
struct SplitSchedulePass : flash::impl::SplitScheduleBase<SplitSchedulePass> {
  void runOnOperation() override {
    StringRef name = FlashDialect::getScheduleAttrName();
    WalkResult result = getOperation()->walk([&](scf::ForallOp loop) {
      auto schedule = loop->getAttrOfType<ScheduleAttr>(name);
      if (!schedule)
        return WalkResult::advance();
      for (StringRef other : {tile::FlashTileDialect::getKernelAttrName(),
                              tile::FlashTileDialect::getPassesAttrName()})
        if (loop->hasAttr(other)) {
          loop.emitError() << "has '" << name << "' and '" << other
                           << "', which it stands for: write one of them";
          return WalkResult::interrupt();
        }
      loop->removeAttr(name);
      return failed(setSchedule(loop, schedule, findContents(loop)))
                 ? WalkResult::interrupt()
                 : WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
