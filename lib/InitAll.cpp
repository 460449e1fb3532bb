//===- InitAll.cpp - Registers what Flash provides --------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "flash/InitAll.h"

#include "flash/Conversion/FlashToCPU/Passes.h"
#include "flash/Conversion/FlashToTile/Passes.h"
#include "flash/Conversion/LinalgToFlash/Passes.h"
#include "flash/Conversion/TileToNVVM/Passes.h"
#include "flash/Dialect/Flash/IR/Flash.h"
#include "flash/Dialect/Flash/Transforms/Passes.h"
#include "flash/Dialect/TMTensor/IR/TMTensor.h"
#include "flash/Dialect/Tile/IR/Tile.h"
#include "flash/Dialect/Tile/Transforms/Passes.h"
#include "flash/Pipelines/CPUPipeline.h"
#include "flash/Pipelines/GPUPipeline.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/Extensions/InlinerExtension.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MLProgram/IR/MLProgram.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void flash::registerAllDialects(DialectRegistry &registry) {
  registry.insert<FlashDialect, tile::FlashTileDialect, affine::AffineDialect,
                  arith::ArithDialect, bufferization::BufferizationDialect,
                  cf::ControlFlowDialect, func::FuncDialect, gpu::GPUDialect,
                  linalg::LinalgDialect, LLVM::LLVMDialect, math::MathDialect,
                  memref::MemRefDialect, NVVM::NVVMDialect, scf::SCFDialect,
                  ml_program::MLProgramDialect, tensor::TensorDialect,
                  tm_tensor::TMTensorDialect, vector::VectorDialect>();
  func::registerInlinerExtension(registry);
  registerCPUPipelineInterfaces(registry);
  registerGPUPipelineInterfaces(registry);
}

void flash::registerOwnPasses() {
  registerFlashPasses();
  registerFlashToCPUPasses();
  registerCPUPipelines();
  registerGPUPipelines();
  registerTileToNVVMPasses();
  registerFlashToTilePasses();
  registerLinalgToFlashPasses();
  tile::registerFlashTilePasses();
}

void flash::registerAllPasses() {
  registerOwnPasses();
  registerTransformsPasses();
  memref::registerMemRefPasses();
}
