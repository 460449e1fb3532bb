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
  if (auto shared = kernel->getAttrOfType<IntegerAttr>(
          tile::FlashTileDialect::getSharedBytesAttrName()))
    launch.dynamicSharedBytes = shared.getInt();
  launch.cluster[0] = static_cast<uint32_t>(tile::getKernelCluster(kernel));
  if (auto threads = kernel->getAttrOfType<DenseI32ArrayAttr>(
          NVVM::NVVMDialect::getReqntidAttrName())) {
    launch.block[0] = threads[0];
    return success();
  }
  auto warps = kernel->getAttrOfType<IntegerAttr>(
      tile::FlashTileDialect::getWarpsAttrName());
  if (!warps)
    return op.emitOpError(
        "launches a kernel with an unknown number of threads");
  bool specialized =
      kernel->walk([](tile::SpecializeOp) { return WalkResult::interrupt(); })
          .wasInterrupted();
  launch.block[0] = 32 * warps.getInt() + (specialized ? 128 : 0);
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
  return param;
}

/// A memref is its descriptor: two pointers, offset, sizes, strides.
void ProgramBuilder::addParams(Value argument, std::vector<rt::Param> &params) {
  if (auto map = argument.getDefiningOp<tile::TensorMapOp>()) {
    params.push_back(tensorMap(map));
    return;
  }
  auto type = dyn_cast<MemRefType>(argument.getType());
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

LogicalResult ProgramBuilder::convertLaunch(tile::LaunchOp op) {
  rt::Launch launch;
  if (failed(setKernel(op, launch)))
    return failure();
  for (auto [i, size] : llvm::enumerate(op.getGrid()))
    launch.grid[i] = index(size);
  for (Value argument : op.getArgs())
    addParams(argument, launch.params);
  // A driver that counts a kernel's parameters is newer than those in use.
  auto kernel = SymbolTable::lookupNearestSymbolFrom<LLVM::LLVMFuncOp>(
      op, op.getKernel());
  if (kernel && kernel.getNumArguments() != launch.params.size())
    return op.emitOpError("gives ")
           << launch.params.size() << " parameters to a kernel of "
           << kernel.getNumArguments();
  program.steps.push_back(std::move(launch));
  return success();
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
    Operation *definition = value.getDefiningOp();
    while (auto cast = dyn_cast_or_null<memref::CastOp>(definition))
      definition = cast.getSource().getDefiningOp();
    if (!isa_and_nonnull<memref::AllocOp>(definition))
      return op.emitOpError(
                 "must return what kernels of this function computed "
                 "(result ")
             << i << " is not)";
    const View &view = views[definition->getResult(0)];
    rt::Buffer &buffer = program.buffers[view.buffer];
    if (buffer.kind != rt::Buffer::Kind::Temporary)
      return op.emitOpError("returns the same value twice");
    buffer = rt::Buffer::result(static_cast<int>(i));
    FailureOr<rt::DType> type =
        dtype(op.getLoc(), cast<MemRefType>(value.getType()).getElementType());
    if (failed(type))
      return failure();
    program.signature.results.push_back(
        rt::ResultInfo{"result" + std::to_string(i), *type, view.sizes});
  }
  return success();
}
