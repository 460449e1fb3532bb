//===- CPUPipeline.h - From attention to the LLVM dialect -------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_PIPELINES_CPUPIPELINE_H
#define FLASH_PIPELINES_CPUPIPELINE_H

#include "flash/Dialect/Flash/IR/Flash.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

namespace flash {

struct CPUPipelineOptions : mlir::PassPipelineOptions<CPUPipelineOptions> {
  Option<std::string> target{
      *this, "target",
      llvm::cl::desc("'cpu' (this machine), 'cpu:NAME' (cpu:x86-64-v3, ...) or "
                     "a #flash.target attribute: what tiles and vectors fit"),
      llvm::cl::init("cpu")};
  Option<std::string> scheduleTable{
      *this, "schedule-table",
      llvm::cl::desc("Tables of measured schedules: files, none, or (empty) "
                     "those that are built in"),
      llvm::cl::init("")};
  Option<std::string> schedule{
      *this, "schedule",
      llvm::cl::desc("A #flash.schedule attribute that overrides the model"),
      llvm::cl::init("")};
  Option<unsigned> vectorBits{
      *this, "vector-bits",
      llvm::cl::desc("Width of a vector register in bits; 0: the target's"),
      llvm::cl::init(0)};
  Option<unsigned> registers{
      *this, "registers",
      llvm::cl::desc("Number of vector registers; 0: the target's"),
      llvm::cl::init(0)};

  /// Takes over a description that is known already.
  void setTarget(TargetAttr description);
};

/// From L0 to L2: schedule, tiles, steps. A level that is there already is
/// kept.
void buildCPUTilingPipeline(mlir::OpPassManager &pm,
                            const CPUPipelineOptions &options);

/// From L2 to the LLVM dialect. Results of public functions become output
/// buffers; each gets a C entry `_mlir_ciface_<name>` that takes pointers to
/// descriptors.
void buildCPULoweringPipeline(mlir::OpPassManager &pm,
                              const CPUPipelineOptions &options);

/// Both: from L0, L1 or L2 to the LLVM dialect.
void buildCPUPipeline(mlir::OpPassManager &pm,
                      const CPUPipelineOptions &options);

/// Registers `flash-cpu-pipeline` and its second half,
/// `flash-cpu-lowering-pipeline`.
void registerCPUPipelines();

/// Interfaces of upstream dialects that the pipeline needs.
void registerCPUPipelineInterfaces(mlir::DialectRegistry &registry);

} // namespace flash

#endif // FLASH_PIPELINES_CPUPIPELINE_H
