//===- ConvertTileToNVVM.cpp - L3 to instructions ---------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Converts the kernels of a gpu.module: every tile op becomes what one thread
// does.
//
//   gpu.func @k(%m : tensor_map) {       gpu.func @k(%m : !llvm.ptr) {
//     %s = flash_tile.mma ...        ->    %tid = nvvm.read.ptx.sreg.tid.x
//     ...                                  ... llvm.inline_asm "mma.sync ..."
//
// Scalar code (arith, scf, memref of parameters) stays as it is for the
// upstream conversions. What is left for the function, once it is one of
// LLVM's, are the attributes of tensor maps: flash-tile-finalize-kernels.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"
#include "flash/Conversion/TileToNVVM/Passes.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/Patterns.h"
#include "mlir/Pass/Pass.h"

namespace flash {
#define GEN_PASS_DEF_CONVERTTILETONVVM
#define GEN_PASS_DEF_TILEFINALIZEKERNELS
#include "flash/Conversion/TileToNVVM/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;
using namespace flash::tile;

/// The dynamic shared memory of a block, one symbol for all kernels of a
/// module. 1024 is the period of the swizzle.
static LLVM::GlobalOp getOrCreateSharedMemory(gpu::GPUModuleOp module) {
  if (auto global = module.lookupSymbol<LLVM::GlobalOp>(sharedMemorySymbol))
    return global;
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  auto type = LLVM::LLVMArrayType::get(builder.getI8Type(), 0);
  return LLVM::GlobalOp::create(builder, module.getLoc(), type,
                                /*isConstant=*/false, LLVM::Linkage::External,
                                sharedMemorySymbol, Attribute(),
                                /*alignment=*/1024, /*addrSpace=*/3);
}

/// Makes what all ops need at the top of the kernel, where it dominates them.
static KernelValues makeKernelValues(gpu::GPUFuncOp kernel,
                                     LLVM::GlobalOp sharedMemory) {
  KernelValues values;
  values.warps = getKernelWarps(kernel);
  values.cluster = getKernelCluster(kernel);
  kernel.walk([&](Operation *op) {
    values.specialized |= isa<SpecializeOp>(op);
    values.watched |= isa<WatchOp>(op);
    if (auto mma = dyn_cast<MmaOp>(op))
      values.usesAsyncProxy |= mma.getInstruction().isAsynchronous();
    values.usesAsyncProxy |= isa<MmaStartOp>(op);
    if (auto fetch = dyn_cast<FetchOp>(op))
      values.readsStrips |= fetch.getStrips();
  });
  OpBuilder builder = OpBuilder::atBlockBegin(&kernel.getBody().front());
  Emitter e(kernel.getLoc(), builder);
  values.thread = NVVM::ThreadIdXOp::create(e, e.getI32Type());
  values.lane = e.bitAnd(values.thread, 31);
  // From lane 0, so that the assembler sees a uniform value.
  values.warp = NVVM::ShflOp::create(e, e.getI32Type(), e.i32(-1),
                                     e.shr(values.thread, 5), e.i32(0),
                                     e.i32(31), NVVM::ShflKind::idx,
                                     /*return_value_and_is_valid=*/UnitAttr());
  if (values.cluster > 1)
    values.rank = NVVM::BlockInClusterIdXOp::create(e, e.getI32Type());
  Value pointer = LLVM::AddressOfOp::create(e, sharedMemory);
  values.shared = LLVM::PtrToIntOp::create(e, e.getI32Type(), pointer);
  return values;
}

/// Threads of a block, and where the tensor maps will be among the parameters
/// when memrefs have become descriptors.
static void setLaunchAttributes(gpu::GPUFuncOp kernel,
                                const KernelValues &values) {
  Builder builder(kernel.getContext());
  int32_t threads = 32 * values.warps + (values.specialized ? 128 : 0);
  kernel->setAttr(NVVM::NVVMDialect::getReqntidAttrName(),
                  builder.getDenseI32ArrayAttr({threads, 1, 1}));
  kernel->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                  builder.getI32IntegerAttr(1));
  SmallVector<int64_t> maps;
  int64_t position = 0;
  for (Type type : kernel.getArgumentTypes()) {
    if (isa<TensorMapType>(type))
      maps.push_back(position);
    auto memref = dyn_cast<MemRefType>(type);
    position += memref ? 3 + 2 * memref.getRank() : 1;
  }
  if (!maps.empty())
    kernel->setAttr(FlashTileDialect::getTensorMapsAttrName(),
                    builder.getDenseI64ArrayAttr(maps));
}

namespace {

struct ConvertTileToNVVMPass
    : flash::impl::ConvertTileToNVVMBase<ConvertTileToNVVMPass> {
  void runOnOperation() override {
    gpu::GPUModuleOp module = getOperation();
    MLIRContext *context = &getContext();
    if (failed(lowerMathFunctions(module)))
      return signalPassFailure();
    KernelMap kernels;
    for (auto kernel : module.getOps<gpu::GPUFuncOp>()) {
      if (getKernelWarps(kernel) == 0)
        continue;
      KernelValues values =
          makeKernelValues(kernel, getOrCreateSharedMemory(module));
      setLaunchAttributes(kernel, values);
      pinScalars(kernel);
      kernels[kernel] = values;
    }

    TileTypeConverter converter(context);
    RewritePatternSet patterns(context);
    populateFragmentPatterns(converter, patterns, kernels);
    populateMapPatterns(converter, patterns, kernels);
    populateTransferPatterns(converter, patterns, kernels);
    populateFetchPatterns(converter, patterns, kernels);
    populateStorePatterns(converter, patterns, kernels);
    populateStoreSharedPatterns(converter, patterns, kernels);
    populateRingPatterns(converter, patterns, kernels);
    populateClearPatterns(converter, patterns, kernels);
    populateClearSharePatterns(converter, patterns, kernels);
    populateQueuePatterns(converter, patterns, kernels);
    populateHandOverPatterns(converter, patterns, kernels);
    populateMmaSyncPatterns(converter, patterns, kernels);
    populateWgmmaPatterns(converter, patterns, kernels);
    populateSpecializePatterns(converter, patterns, kernels);
    populateFunctionOpInterfaceTypeConversionPattern<gpu::GPUFuncOp>(patterns,
                                                                     converter);

    ConversionTarget target(*context);
    scf::populateSCFStructuralTypeConversionsAndLegality(converter, patterns,
                                                         target);
    target.addIllegalDialect<FlashTileDialect>();
    target.addLegalOp<InlinePtxOp>();
    target.addDynamicallyLegalOp<gpu::GPUFuncOp>([&](gpu::GPUFuncOp kernel) {
      return converter.isSignatureLegal(kernel.getFunctionType());
    });
    target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
    if (failed(applyFullConversion(module, target, std::move(patterns))))
      return signalPassFailure();
    for (auto &entry : kernels) {
      auto kernel = cast<gpu::GPUFuncOp>(entry.first);
      eraseUnreadBundles(kernel);
      simplifyRowQuotients(kernel, entry.second);
      narrowComparisons(kernel, entry.second);
      convertDistances(kernel, entry.second);
      contractProducts(kernel);
    }
  }
};

struct TileFinalizeKernelsPass
    : flash::impl::TileFinalizeKernelsBase<TileFinalizeKernelsPass> {
  void runOnOperation() override {
    Builder builder(&getContext());
    Type map = LLVM::LLVMArrayType::get(builder.getI8Type(), 128);
    // A loop's annotation has come along to the branch back.
    getOperation()->walk([&](LLVM::BrOp branch) {
      if (auto annotation = branch->getAttrOfType<LLVM::LoopAnnotationAttr>(
              kLoopAnnotation)) {
        branch.setLoopAnnotationAttr(annotation);
        branch->removeAttr(kLoopAnnotation);
      }
    });
    getOperation()->walk([&](LLVM::LLVMFuncOp function) {
      auto maps = function->getAttrOfType<DenseI64ArrayAttr>(
          FlashTileDialect::getTensorMapsAttrName());
      if (!maps)
        return;
      for (int64_t index : maps.asArrayRef()) {
        function.setArgAttr(index, LLVM::LLVMDialect::getByValAttrName(),
                            TypeAttr::get(map));
        function.setArgAttr(index, LLVM::LLVMDialect::getAlignAttrName(),
                            builder.getI64IntegerAttr(64));
        function.setArgAttr(index, NVVM::NVVMDialect::getGridConstantAttrName(),
                            builder.getUnitAttr());
      }
      function->removeAttr(FlashTileDialect::getTensorMapsAttrName());
    });
  }
};

} // namespace
