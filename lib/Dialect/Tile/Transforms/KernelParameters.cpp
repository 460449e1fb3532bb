//===- KernelParameters.cpp - Kernels that get more parameters ------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See KernelParameters.h.
//
//===----------------------------------------------------------------------===//

#include "KernelParameters.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace flash::tile;

Operation *flash::tile::findBlockId(gpu::GPUFuncOp kernel) {
  SmallVector<Operation *> ids;
  kernel.walk([&](Operation *op) {
    if (isa<gpu::BlockIdOp, gpu::ClusterIdOp>(op))
      ids.push_back(op);
  });
  bool clusters = getKernelCluster(kernel) > 1;
  if (ids.size() != 1 || isa<gpu::ClusterIdOp>(ids[0]) != clusters ||
      ids[0]->getAttrOfType<gpu::DimensionAttr>("dimension").getValue() !=
          gpu::Dimension::x ||
      ids[0]->getBlock() != &kernel.getBody().front())
    return nullptr;
  return ids[0];
}

Value flash::tile::addParameter(
    gpu::GPUFuncOp kernel, ArrayRef<LaunchOp> launches, Type type,
    function_ref<Value(OpBuilder &, LaunchOp)> make) {
  for (LaunchOp launch : launches) {
    OpBuilder builder(launch);
    launch.getArgsMutable().append(make(builder, launch));
  }
  Value parameter = kernel.getBody().addArgument(type, kernel.getLoc());
  kernel.setFunctionType(FunctionType::get(
      kernel.getContext(), kernel.getBody().getArgumentTypes(), {}));
  return parameter;
}

Value flash::tile::addMemory(gpu::GPUFuncOp kernel, ArrayRef<LaunchOp> launches,
                             ArrayRef<int64_t> shape, unsigned width) {
  auto type =
      MemRefType::get(shape, IntegerType::get(kernel.getContext(), width));
  return addParameter(kernel, launches, type,
                      [&](OpBuilder &builder, LaunchOp launch) -> Value {
                        return memref::AllocOp::create(builder, launch.getLoc(),
                                                       type);
                      });
}
