//===- CPUPipeline.cpp - From attention to the LLVM dialect ---------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The order of the CPU leg, and why it is this one:
//
//   tensors   16-bit operands to f32, softmax to linalg, results to outputs,
//             pads to fills and copies
//   buffers   one-shot bufferization, scratch out of the parallel loop, which
//             becomes a function
//   vectors   loops over register tiles; arithmetic in f32 or wider; exp2,
//             tanh, ... as arithmetic
//   LLVM      upstream conversions; bf16 as the integers that it is kept in
//
// Common subexpressions are not merged before bufferization: two fills that are
// one value need a copy each to be updated in place.
//
//===----------------------------------------------------------------------===//

#include "flash/Pipelines/CPUPipeline.h"
#include "flash/Conversion/FlashToCPU/Passes.h"
#include "flash/Dialect/Flash/Transforms/Passes.h"
#include "flash/Target/CPUInfo.h"
#include "flash/Target/TargetInfo.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/ConvertToLLVM/ToLLVMPass.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/Arith/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/FuncBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/ControlFlow/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Linalg/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Linalg/Transforms/SubsetInsertionOpInterfaceImpl.h"
#include "mlir/Dialect/Linalg/Transforms/TilingInterfaceImpl.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/IR/TensorTilingInterfaceImpl.h"
#include "mlir/Dialect/Tensor/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/Transforms/SubsetInsertionOpInterfaceImpl.h"
#include "mlir/Dialect/Vector/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void flash::CPUPipelineOptions::setTarget(TargetAttr description) {
  std::string text;
  llvm::raw_string_ostream(text) << description;
  target = text;
  vectorBits = description.getVectorBits();
  registers = description.getRegisters();
}

/// The width and number of vector registers: those that are given, else the
/// target's. A target that there is not is reported by flash-choose-schedule.
static flash::VectorizeLanesPassOptions
getVectorRegisters(const flash::CPUPipelineOptions &options) {
  flash::VectorizeLanesPassOptions vectorize;
  vectorize.vectorBits = options.vectorBits;
  vectorize.registers = options.registers;
  if (vectorize.vectorBits && vectorize.registers)
    return vectorize;
  MLIRContext context;
  context.loadDialect<flash::FlashDialect>();
  ScopedDiagnosticHandler silent(&context, [](Diagnostic &) {});
  FailureOr<flash::TargetAttr> target =
      flash::parseTarget(&context, options.target,
                         [&] { return emitError(UnknownLoc::get(&context)); });
  flash::TargetAttr known =
      succeeded(target) ? *target : flash::getHostCPUTarget(&context);
  if (!vectorize.vectorBits)
    vectorize.vectorBits = known.getVectorBits();
  if (!vectorize.registers)
    vectorize.registers = known.getRegisters();
  return vectorize;
}

void flash::buildCPUTilingPipeline(OpPassManager &pm,
                                   const CPUPipelineOptions &options) {
  ScheduleRecomputeOptions recompute;
  recompute.target = options.target;
  pm.addNestedPass<func::FuncOp>(createScheduleRecompute(recompute));
  ChooseScheduleOptions choose;
  choose.target = options.target;
  choose.schedule = options.schedule;
  choose.table = options.scheduleTable;
  pm.addNestedPass<func::FuncOp>(createChooseSchedule(choose));
  pm.addNestedPass<func::FuncOp>(createTileAttention());
  pm.addNestedPass<func::FuncOp>(createDecomposeAttention());
}

void flash::buildCPULoweringPipeline(OpPassManager &pm,
                                     const CPUPipelineOptions &options) {
  // Tensors.
  pm.addNestedPass<func::FuncOp>(createExpandPages());
  pm.addNestedPass<func::FuncOp>(createSoftmaxToLinalgPass());
  pm.addNestedPass<func::FuncOp>(createExpandSumsPass());
  pm.addNestedPass<func::FuncOp>(createPromoteOperandsPass());
  pm.addPass(createResultsToOutputsPass());
  pm.addNestedPass<func::FuncOp>(createPadToCopyPass());

  // Buffers.
  pm.addPass(bufferization::createEmptyTensorEliminationPass());
  bufferization::OneShotBufferizePassOptions bufferize;
  bufferize.bufferizeFunctionBoundaries = true;
  bufferize.functionBoundaryTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  pm.addPass(bufferization::createOneShotBufferizePass(bufferize));
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createOutlineParallelPass());

  // Vectors.
  pm.addNestedPass<func::FuncOp>(
      createVectorizeLanesPass(getVectorRegisters(options)));
  pm.addNestedPass<func::FuncOp>(createConvertLinalgToLoopsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createLoopInvariantCodeMotionPass());
  pm.addNestedPass<func::FuncOp>(createWidenFloat16Pass());
  pm.addNestedPass<func::FuncOp>(createExpandExp2Pass());
  pm.addNestedPass<func::FuncOp>(createExpandMathPass());
  pm.addNestedPass<func::FuncOp>(createExpandFloat8Pass());
  pm.addPass(createMathToCallsPass());
  // LLVM would call a function for each bf16; here it is integer arithmetic.
  arith::ArithExpandOpsPassOptions expand;
  expand.includeBf16 = true;
  pm.addNestedPass<func::FuncOp>(arith::createArithExpandOpsPass(expand));

  // LLVM.
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createConvertToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createBF16ToBitsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void flash::buildCPUPipeline(OpPassManager &pm,
                             const CPUPipelineOptions &options) {
  buildCPUTilingPipeline(pm, options);
  buildCPULoweringPipeline(pm, options);
}

void flash::registerCPUPipelines() {
  PassPipelineRegistration<CPUPipelineOptions>(
      "flash-cpu-pipeline", "From attention to the LLVM dialect, for the CPU",
      buildCPUPipeline);
  PassPipelineRegistration<CPUPipelineOptions>(
      "flash-cpu-lowering-pipeline", "From L2 to the LLVM dialect, for the CPU",
      buildCPULoweringPipeline);
}

void flash::registerCPUPipelineInterfaces(DialectRegistry &registry) {
  registerSumBufferization(registry);
  arith::registerBufferizableOpInterfaceExternalModels(registry);
  bufferization::func_ext::registerBufferizableOpInterfaceExternalModels(
      registry);
  cf::registerBufferizableOpInterfaceExternalModels(registry);
  linalg::registerBufferizableOpInterfaceExternalModels(registry);
  linalg::registerSubsetOpInterfaceExternalModels(registry);
  linalg::registerTilingInterfaceExternalModels(registry);
  scf::registerBufferizableOpInterfaceExternalModels(registry);
  tensor::registerBufferizableOpInterfaceExternalModels(registry);
  tensor::registerSubsetOpInterfaceExternalModels(registry);
  tensor::registerTilingInterfaceExternalModels(registry);
  vector::registerBufferizableOpInterfaceExternalModels(registry);

  arith::registerConvertArithToLLVMInterface(registry);
  cf::registerConvertControlFlowToLLVMInterface(registry);
  index::registerConvertIndexToLLVMInterface(registry);
  registerConvertFuncToLLVMInterface(registry);
  registerConvertMathToLLVMInterface(registry);
  registerConvertMemRefToLLVMInterface(registry);
  ub::registerConvertUBToLLVMInterface(registry);
  vector::registerConvertVectorToLLVMInterface(registry);
}
