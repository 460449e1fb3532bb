//===- GPUPipeline.cpp - From attention to NVVM ---------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The order of the GPU leg:
//
//   L0 -> L2   checks of the call, split, schedule, tiling, decomposition
//   L2 -> L3   kernels of tiles; softmax; then either roles and TMA, and
//   products
//              beside the next iteration, or rings of cp.async; shared memory
//   L3 -> L4   tile ops to instructions, the rest by upstream conversions
//
// Every pass of L2 -> L3 leaves a kernel that runs: each can be switched off.
//
//===----------------------------------------------------------------------===//

#include "flash/Pipelines/GPUPipeline.h"

#include "flash/Conversion/FlashToTile/Passes.h"
#include "flash/Conversion/TileToNVVM/Passes.h"
#include "flash/Dialect/Flash/Transforms/Passes.h"
#include "flash/Dialect/Tile/Transforms/Passes.h"
#include "flash/Target/TargetInfo.h"
#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/NVVMToLLVM/NVVMToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/LocationSnapshot.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/FileSystem.h"

using namespace mlir;
using namespace flash;

static void addVerifier(OpPassManager &pm, StringRef level) {
  VerifyLevelOptions options;
  options.level = level.str();
  pm.addPass(createVerifyLevel(options));
}

namespace {
/// What passes over tiles need to know of a target; what an unknown one has is
/// found out by whoever parses its name.
struct Limits {
  int64_t sharedMemory = 48 << 10, cores = 1;
};
} // namespace

static Limits getLimits(StringRef target) {
  MLIRContext context;
  context.loadDialect<FlashDialect>();
  ScopedDiagnosticHandler silent(&context, [](Diagnostic &) {});
  FailureOr<TargetAttr> description = parseTarget(
      &context, target, [&] { return emitError(UnknownLoc::get(&context)); });
  if (failed(description))
    return {};
  return {description->getFastMemory(), description->getCores()};
}

/// What is at L2 gets the locations that it has in a file of its text.
static void addSnapshot(OpPassManager &pm, StringRef path) {
  SmallString<128> whole(path);
  // Where it fails, the path is as good as any.
  if (std::error_code code = llvm::sys::fs::make_absolute(whole))
    whole = path;
  LocationSnapshotOptions snapshot;
  snapshot.fileName = whole.str().str();
  pm.addPass(createLocationSnapshot(snapshot));
}

void flash::buildGPUTilePipeline(OpPassManager &pm,
                                 const GPUPipelineOptions &options) {
  if (!options.lineInfo.empty())
    addSnapshot(pm, options.lineInfo);
  // Loops that are written by hand; others have what their readers read.
  pm.addPass(createSplitSchedule());
  ConvertFlashToTileOptions convert;
  convert.hideUnseen = options.hideUnseen;
  pm.addPass(createConvertFlashToTile(convert));
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  auto onKernels = [&](auto pass) {
    pm.nest<gpu::GPUModuleOp>().addNestedPass<gpu::GPUFuncOp>(std::move(pass));
  };
  if (options.halveSteps)
    onKernels(tile::createTileHalveSteps());
  Limits limits = getLimits(options.target);
  if (options.splitTiles) {
    tile::TileSplitTilesOptions split;
    split.cores = limits.cores;
    pm.addPass(tile::createTileSplitTiles(split));
  }
  if (options.persistent) {
    tile::TilePersistentOptions persistent;
    persistent.cores = limits.cores;
    pm.addPass(tile::createTilePersistent(persistent));
  }
  onKernels(tile::createTilePartialSums());
  if (options.keepOperands)
    onKernels(tile::createTileKeepOperands());
  if (options.specialize) {
    tile::TileSpecializeOptions specialize;
    specialize.cacheHints = options.cacheHints;
    pm.addPass(tile::createTileSpecialize(specialize));
  }
  if (options.orderSums)
    pm.addPass(tile::createTileOrderSums());
  if (options.turnProducts)
    pm.addPass(tile::createTileTurnProducts());
  if (options.storeTma) {
    tile::TileStoreTmaOptions store;
    store.cacheHints = options.cacheHints;
    pm.addPass(tile::createTileStoreTma(store));
  }
  if (options.shareTiles)
    pm.addPass(tile::createTileShareTiles());
  if (options.clearEarly)
    pm.addPass(tile::createTileClearEarly());
  if (options.prefetch)
    onKernels(tile::createTilePrefetch());
  if (options.overlap) {
    tile::TileOverlapOptions overlap;
    overlap.delayPuts = options.delayPuts;
    onKernels(tile::createTileOverlap(overlap));
  }
  if (options.delayProducts)
    onKernels(tile::createTileDelayProducts());
  if (options.startProducts) {
    onKernels(tile::createTileSplitMaps());
    if (options.dealProducts) {
      onKernels(tile::createTileDealProducts());
      // Each warpgroup's code would release a stage of its own.
      if (options.joinRings)
        onKernels(tile::createTileJoinRings());
      onKernels(tile::createTileSplitTurns());
    }
    tile::TileStartProductsOptions start;
    start.advance = options.advanceProducts;
    onKernels(tile::createTileStartProducts(start));
    if (options.advanceProducts)
      onKernels(tile::createTileAdvanceProducts());
    if (options.joinRings)
      onKernels(tile::createTileJoinRings());
    if (options.keepColumns) {
      tile::TileKeepColumnsOptions keep;
      keep.columns = options.keepColumns;
      onKernels(tile::createTileKeepColumns(keep));
    }
    onKernels(tile::createTileUnswitchLoops());
  }
  if (options.prefetchTiles)
    onKernels(tile::createTilePrefetchTiles());
  if (options.peelMasks)
    onKernels(tile::createTilePeelMasks());
  if (options.overlapTiles)
    onKernels(tile::createTileOverlapTiles());
  if (options.pingPong)
    onKernels(tile::createTilePingPong());
  if (options.lazySoftmax)
    onKernels(tile::createTileLazySoftmax());
  onKernels(tile::createTileLowerSoftmax());
  tile::TileDynamicOrderOptions order;
  order.counted = options.dynamicOrder;
  onKernels(tile::createTileDynamicOrder(order));
  onKernels(tile::createTileNarrowLoops());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  if (!options.delayRole.empty()) {
    tile::TileDelayRoleOptions delay;
    delay.role = options.delayRole;
    delay.nanoseconds = options.delayNanoseconds;
    onKernels(tile::createTileDelayRole(delay));
  }
  tile::TileAllocateSharedOptions allocate;
  allocate.limit = limits.sharedMemory;
  onKernels(tile::createTileAllocateShared(allocate));
}

void flash::buildGPULoweringPipeline(OpPassManager &pm,
                                     const GPUPipelineOptions &options) {
  pm.addPass(createTileSeparateKernels());
  OpPassManager &kernels = pm.nest<gpu::GPUModuleOp>();
  kernels.addPass(createConvertTileToNVVM());
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());
  kernels.addPass(createLoopInvariantCodeMotionPass());
  kernels.addPass(memref::createExpandStridedMetadataPass());
  kernels.addPass(createLowerAffinePass());
  kernels.addPass(createTileUnpackFragments());
  kernels.addPass(createSCFToControlFlowPass());
  // Before the conversion of gpu ops, which would call libdevice for fma and
  // maximum.
  kernels.addPass(createArithToLLVMConversionPass());
  kernels.addPass(createConvertMathToLLVMPass());
  ConvertGpuOpsToNVVMOpsOptions convert;
  convert.indexBitwidth = 64;
  kernels.addPass(createConvertGpuOpsToNVVMOps(convert));
  kernels.addPass(createTileFinalizeKernels());
  kernels.addPass(createConvertNVVMToLLVMPass());
  kernels.addPass(createReconcileUnrealizedCastsPass());
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());
  kernels.addPass(createTileDropParameters());
  if (options.lineInfo.empty())
    return;
  // Lines and no more: with debug information ptxas would not optimise.
  LLVM::DIScopeForLLVMFuncOpPassOptions scope;
  scope.emissionKind = LLVM::DIEmissionKind::DebugDirectivesOnly;
  pm.addPass(LLVM::createDIScopeForLLVMFuncOpPass(scope));
}

void flash::buildGPUPipeline(OpPassManager &pm,
                             const GPUPipelineOptions &options) {
  addVerifier(pm, "L0");
  pm.addNestedPass<func::FuncOp>(createInsertChecks());
  if (options.splitKV > 1) {
    SplitKVOptions split;
    split.parts = options.splitKV;
    pm.addNestedPass<func::FuncOp>(createSplitKV(split));
  }
  ScheduleRecomputeOptions recompute;
  recompute.target = options.target;
  pm.addNestedPass<func::FuncOp>(createScheduleRecompute(recompute));
  ChooseScheduleOptions schedule;
  schedule.target = options.target;
  schedule.schedule = options.schedule;
  schedule.table = options.scheduleTable;
  pm.addNestedPass<func::FuncOp>(createChooseSchedule(schedule));
  pm.addNestedPass<func::FuncOp>(createTileElementwise());
  pm.addNestedPass<func::FuncOp>(createTileAttention());
  addVerifier(pm, "L1");
  pm.addNestedPass<func::FuncOp>(createDecomposeAttention());
  addVerifier(pm, "L2");
  buildGPUTilePipeline(pm, options);
  addVerifier(pm, "L3");
  buildGPULoweringPipeline(pm, options);
  addVerifier(pm, "L4");
}

void flash::registerGPUPipelines() {
  PassPipelineRegistration<GPUPipelineOptions>(
      "flash-gpu-pipeline", "From L0 to L4 on a GPU", buildGPUPipeline);
  PassPipelineRegistration<GPUPipelineOptions>("flash-gpu-tile-pipeline",
                                               "From L2 to L3 on a GPU",
                                               buildGPUTilePipeline);
  PassPipelineRegistration<GPUPipelineOptions>("flash-gpu-lowering-pipeline",
                                               "From L3 to L4 on a GPU",
                                               buildGPULoweringPipeline);
}

void flash::registerGPUPipelineInterfaces(DialectRegistry &registry) {
  arith::registerConvertArithToLLVMInterface(registry);
  cf::registerConvertControlFlowToLLVMInterface(registry);
  index::registerConvertIndexToLLVMInterface(registry);
  registerConvertMathToLLVMInterface(registry);
  registerConvertMemRefToLLVMInterface(registry);
  registerConvertNVVMToLLVMInterface(registry);
  ub::registerConvertUBToLLVMInterface(registry);
}
