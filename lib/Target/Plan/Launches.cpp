//===- Launches.cpp - Kernels and their parameters in a launch plan -------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A launch with its grid, block, shared memory and parameters. A memref is its
// descriptor, as convert-flash-tile-to-nvvm expands it; a tensor map is encoded
// by the runtime and passed by value:
//
//   flash_tile.launch @kernels::@f grid(%n) args(%q, %map)
//   ->  launch @f grid (...) block (384, 1, 1) pointer #0 ... tensor_map #1 ...
//
//===----------------------------------------------------------------------===//

#include "ProgramBuilder.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace flash;
using rt::Expr;

LogicalResult ProgramBuilder::setKernel(tile::LaunchOp op, rt::Launch &launch) {
  Operation *kernel = SymbolTable::lookupNearestSymbolFrom(op, op.getKernel());
  if (!kernel)
    return op.emitOpError("launches a kernel that is not there any more: build "
                          "the plan before kernels are serialised");
  launch.kernel = op.getKernel().getLeafReference().str();
  if (options.images.size() > 1) {
    auto modules = module.getOps<gpu::GPUModuleOp>();
    launch.module = static_cast<int>(std::distance(
        modules.begin(),
        llvm::find(modules, kernel->getParentOfType<gpu::GPUModuleOp>())));
  }
  if (auto shared = kernel->getAttrOfType<IntegerAttr>(
          tile::FlashTileDialect::getSharedBytesAttrName()))
    launch.dynamicSharedBytes = shared.getInt();
  launch.cluster[0] = static_cast<uint32_t>(tile::getKernelCluster(kernel));
  if (auto threads = kernel->getAttrOfType<DenseI32ArrayAttr>(
          NVVM::NVVMDialect::getReqntidAttrName())) {
    launch.block[0] = threads[0];
    return success();
  }
  tile::KernelAttr attr = tile::getKernelAttr(kernel);
  if (!attr)
    return op.emitOpError(
        "launches a kernel with an unknown number of threads");
  bool specialized =
      kernel->walk([](tile::SpecializeOp) { return WalkResult::interrupt(); })
          .wasInterrupted();
  launch.block[0] = 32 * attr.getWarps() + (specialized ? 128 : 0);
  return success();
}

rt::TensorMapParam ProgramBuilder::tensorMap(tile::TensorMapOp op) {
  const View &view = views[op.getSource()];
  tile::TensorMapType type = op.getMap().getType();
  int64_t bytes = type.getElementType().getIntOrFloatBitWidth() / 8;
  rt::TensorMapParam param;
  param.buffer = view.buffer;
  param.byteOffset = view.offset * bytes;
  param.dtype = *dtype(op.getLoc(), type.getElementType());
  // The hardware counts dimensions from the innermost.
  for (size_t i = view.sizes.size(); i-- > 0;) {
    param.dims.push_back(view.sizes[i]);
    if (i + 1 < view.sizes.size())
      param.byteStrides.push_back(view.strides[i] * bytes);
    param.box.push_back(static_cast<uint32_t>(type.getBox()[i]));
  }
  // A row by itself is read as it lies.
  if (llvm::all_of(type.getBox().drop_back(),
                   [](int64_t size) { return size == 1; }))
    param.swizzle = rt::Swizzle::None;
  return param;
}

/// A memref is its descriptor: two pointers, offset, sizes, strides.
void ProgramBuilder::addParams(Value argument, std::vector<rt::Param> &params) {
  if (auto map = argument.getDefiningOp<tile::TensorMapOp>()) {
    params.push_back(tensorMap(map));
    return;
  }
  auto type = dyn_cast<MemRefType>(argument.getType());
  if (auto number = dyn_cast<BlockArgument>(argument);
      number && isa<FloatType>(number.getType())) {
    params.push_back(
        rt::RealParam{static_cast<int>(number.getArgNumber()), rt::DType::F32});
    return;
  }
  if (!type) {
    params.push_back(rt::Int64Param{index(argument)});
    return;
  }
  const View &view = views[argument];
  rt::PointerParam pointer{view.buffer,
                           view.offset * (type.getElementTypeBitWidth() / 8)};
  params.push_back(pointer);
  params.push_back(pointer);
  params.push_back(rt::Int64Param{Expr(0)});
  for (const Expr &size : view.sizes)
    params.push_back(rt::Int64Param{size});
  for (const Expr &stride : view.strides)
    params.push_back(rt::Int64Param{stride});
}

/// Leaves out what flash-tile-drop-parameters has.
static LogicalResult dropParams(tile::LaunchOp op, LLVM::LLVMFuncOp kernel,
                                std::vector<rt::Param> &params) {
  auto kept = kernel->getAttrOfType<DenseI64ArrayAttr>(
      tile::FlashTileDialect::getParametersAttrName());
  if (!kept)
    return success();
  std::vector<rt::Param> all = std::move(params);
  params.clear();
  for (int64_t index : kept.asArrayRef()) {
    if (index < 0 || index >= static_cast<int64_t>(all.size()))
      return op.emitOpError("has no value for parameter ") << index;
    params.push_back(std::move(all[index]));
  }
  return success();
}

LogicalResult ProgramBuilder::convertLaunch(tile::LaunchOp op) {
  rt::Launch launch;
  if (failed(setKernel(op, launch)))
    return failure();
  for (auto [i, size] : llvm::enumerate(op.getGrid()))
    launch.grid[i] = index(size);
  for (Value argument : op.getArgs())
    addParams(argument, launch.params);
  auto kernel = SymbolTable::lookupNearestSymbolFrom<LLVM::LLVMFuncOp>(
      op, op.getKernel());
  if (kernel && failed(dropParams(op, kernel, launch.params)))
    return failure();
  // A driver that counts a kernel's parameters is newer than those in use.
  if (kernel && kernel.getNumArguments() != launch.params.size())
    return op.emitOpError("gives ")
           << launch.params.size() << " parameters to a kernel of "
           << kernel.getNumArguments();
  program.steps.push_back(std::move(launch));
  return success();
}

Operation *ProgramBuilder::findAlloc(Value value) {
  Operation *definition = value.getDefiningOp();
  while (auto cast = dyn_cast_or_null<memref::CastOp>(definition))
    definition = cast.getSource().getDefiningOp();
  return isa_and_nonnull<memref::AllocOp>(definition) ? definition : nullptr;
}

LogicalResult ProgramBuilder::convertClear(tile::ClearOp op) {
  auto alloc = op.getMemref().getDefiningOp<memref::AllocOp>();
  if (!alloc)
    return op.emitOpError("clears what this function allocates, as a whole");
  const View &view = views[alloc.getResult()];
  Expr bytes(alloc.getType().getElementTypeBitWidth() / 8);
  for (const Expr &size : view.sizes)
    bytes = bytes * size;
  program.steps.push_back(rt::Fill{view.buffer, Expr(0), bytes, 0});
  return success();
}

LogicalResult ProgramBuilder::convertReturn(func::ReturnOp op) {
  for (auto [i, value] : llvm::enumerate(op.getOperands())) {
    Operation *definition = findAlloc(value);
    if (!definition)
      return op.emitOpError(
                 "must return what kernels of this function computed "
                 "(result ")
             << i << " is not)";
    const View &view = views[definition->getResult(0)];
    if (resultOf.lookup(definition) != static_cast<int>(i))
      return op.emitOpError("returns the same value twice");
    FailureOr<rt::DType> type =
        dtype(op.getLoc(), cast<MemRefType>(value.getType()).getElementType());
    if (failed(type))
      return failure();
    program.signature.results.push_back(rt::ResultInfo{
        "result" + std::to_string(i), *type, view.sizes,
        alignmentOf(cast<MemRefType>(definition->getResult(0).getType()))});
  }
  return success();
}
