//===- GPUPipeline.h - From attention to NVVM -------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_PIPELINES_GPUPIPELINE_H
#define FLASH_PIPELINES_GPUPIPELINE_H

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

namespace flash {

struct GPUPipelineOptions : mlir::PassPipelineOptions<GPUPipelineOptions> {
  Option<std::string> target{
      *this, "target",
      llvm::cl::desc("sm_80, sm_86, sm_89, sm_90a, sm_100, sm_120, or a "
                     "#flash.target attribute"),
      llvm::cl::init("sm_80")};
  Option<std::string> scheduleTable{
      *this, "schedule-table",
      llvm::cl::desc("Tables of measured schedules: files, none, or (empty) "
                     "those that are built in"),
      llvm::cl::init("")};
  Option<std::string> schedule{
      *this, "schedule",
      llvm::cl::desc("A #flash.schedule attribute that overrides the choice"),
      llvm::cl::init("")};
  Option<int64_t> splitKV{
      *this, "split-kv",
      llvm::cl::desc("Parts that the keys are split into (0, 1: none)"),
      llvm::cl::init(0)};
  Option<bool> hideUnseen{
      *this, "hide-unseen",
      llvm::cl::desc(
          "Clear NaN and Inf in keys and values that no query of a tile sees, "
          "where a mask cuts it"),
      llvm::cl::init(false)};
  Option<bool> keepOperands{
      *this, "keep-operands",
      llvm::cl::desc("Keep the query tile in registers (mma.sync)"),
      llvm::cl::init(true)};
  Option<bool> prefetch{*this, "prefetch",
                        llvm::cl::desc("Rings filled by cp.async"),
                        llvm::cl::init(true)};
  Option<bool> specialize{
      *this, "specialize",
      llvm::cl::desc("A producer with TMA where the schedule says so"),
      llvm::cl::init(true)};
  Option<bool> overlap{
      *this, "overlap",
      llvm::cl::desc("Q*K^T of an iteration beside P*V of the one before"),
      llvm::cl::init(true)};
  Option<bool> delayPuts{
      *this, "delay-puts",
      llvm::cl::desc("The producer fetches K of an iteration before V of the "
                     "one before, as overlapped consumers use them"),
      llvm::cl::init(true)};
  Option<bool> delayProducts{
      *this, "delay-products",
      llvm::cl::desc(
          "A product that only leaves to memory runs beside the next "
          "iteration's"),
      llvm::cl::init(true)};
  Option<bool> turnProducts{
      *this, "turn-products",
      llvm::cl::desc("A product that only leaves to memory is made whole by "
                     "one warpgroup, each in its turn, and a helper has it "
                     "stored"),
      llvm::cl::init(true)};
  Option<bool> joinRings{
      *this, "join-rings",
      llvm::cl::desc("With start-products: little tiles that come with a large "
                     "one have its barriers"),
      llvm::cl::init(true)};
  Option<bool> dealProducts{
      *this, "deal-products",
      llvm::cl::desc("With start-products: two tiles that become operands are "
                     "made by one warpgroup each"),
      llvm::cl::init(false)};
  Option<bool> clearEarly{
      *this, "clear-early",
      llvm::cl::desc("What kernels add to is cleared by the kernel before"),
      llvm::cl::init(true)};
  Option<bool> orderSums{
      *this, "order-sums",
      llvm::cl::desc(
          "What kernels add to lies in memory as accumulators hold it"),
      llvm::cl::init(false)};
  Option<bool> halveSteps{
      *this, "halve-steps",
      llvm::cl::desc("Tiles of which a few rows exist have half as many, where "
                     "products allow it"),
      llvm::cl::init(false)};
  Option<int64_t> keepColumns{
      *this, "keep-columns",
      llvm::cl::desc("With start-products: so many columns of a first operand "
                     "that is the same in all iterations stay in registers"),
      llvm::cl::init(0)};
  Option<bool> advanceProducts{
      *this, "advance-products",
      llvm::cl::desc("With start-products: the first product of an iteration "
                     "starts in the one before"),
      llvm::cl::init(true)};
  Option<bool> startProducts{
      *this, "start-products",
      llvm::cl::desc("More than two products of an iteration in flight beside "
                     "other work"),
      llvm::cl::init(true)};
  Option<bool> persistent{
      *this, "persistent",
      llvm::cl::desc("Blocks that work through several tiles, where the "
                     "schedule says so"),
      llvm::cl::init(true)};
  Option<bool> splitTiles{
      *this, "split-tiles",
      llvm::cl::desc("Several blocks for a tile of the last round, where the "
                     "schedule says so"),
      llvm::cl::init(true)};
  Option<bool> storeTma{
      *this, "store-tma",
      llvm::cl::desc("Results by TMA where the schedule says so"),
      llvm::cl::init(true)};
  Option<bool> cacheHints{
      *this, "cache-hints",
      llvm::cl::desc("Tell the L2 cache to keep what several blocks read "
                     "(copies by TMA)"),
      llvm::cl::init(false)};
  Option<bool> shareTiles{
      *this, "share-tiles",
      llvm::cl::desc("Tiles that the blocks of a cluster load together, where "
                     "the schedule has clusters"),
      llvm::cl::init(true)};
  Option<bool> peelMasks{
      *this, "peel-masks",
      llvm::cl::desc("A loop of its own for blocks that masks cut, where the "
                     "schedule says so"),
      llvm::cl::init(true)};
  Option<bool> dynamicOrder{
      *this, "dynamic-order",
      llvm::cl::desc("Tiles as blocks are done with others, where the schedule "
                     "says so"),
      llvm::cl::init(true)};
  Option<bool> prefetchTiles{
      *this, "prefetch-tiles",
      llvm::cl::desc("The next tile's operands into L2, where the schedule "
                     "says so"),
      llvm::cl::init(true)};
  Option<bool> overlapTiles{
      *this, "overlap-tiles",
      llvm::cl::desc("The next tile's first product beside the end of a tile, "
                     "where the schedule says so"),
      llvm::cl::init(true)};
  Option<bool> pingPong{
      *this, "ping-pong",
      llvm::cl::desc("Warpgroups that take turns where the schedule says so"),
      llvm::cl::init(true)};
  Option<bool> lazySoftmax{
      *this, "lazy-softmax",
      llvm::cl::desc("A maximum that stays, where the schedule says so"),
      llvm::cl::init(true)};
  Option<std::string> lineInfo{
      *this, "line-info",
      llvm::cl::desc("Write the program at L2 to this file, and have the code "
                     "name its lines (for profilers)"),
      llvm::cl::init("")};
  Option<std::string> delayRole{
      *this, "delay-role",
      llvm::cl::desc("Make a role late, to test barriers: producer, consumers, "
                     "consumer0, ..."),
      llvm::cl::init("")};
  Option<int64_t> delayNanoseconds{
      *this, "delay-nanoseconds",
      llvm::cl::desc("How late, at the start of the role and of each iteration "
                     "of its loops"),
      llvm::cl::init(2000)};
};

/// From L2 to L3: kernels, their rings and roles, shared memory.
void buildGPUTilePipeline(mlir::OpPassManager &pm,
                          const GPUPipelineOptions &options);

/// From L3 to L4: kernels in the LLVM and NVVM dialects. The host function is
/// left for the launch plan.
void buildGPULoweringPipeline(mlir::OpPassManager &pm,
                              const GPUPipelineOptions &options);

/// From L0 to L4, each level verified.
void buildGPUPipeline(mlir::OpPassManager &pm,
                      const GPUPipelineOptions &options);

/// Registers `flash-gpu-pipeline`, `flash-gpu-tile-pipeline` and
/// `flash-gpu-lowering-pipeline`.
void registerGPUPipelines();

/// Conversions of upstream dialects that the pipeline needs.
void registerGPUPipelineInterfaces(mlir::DialectRegistry &registry);

} // namespace flash

#endif // FLASH_PIPELINES_GPUPIPELINE_H
