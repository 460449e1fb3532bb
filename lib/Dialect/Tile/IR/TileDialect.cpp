//===- TileDialect.cpp - The GPU tile dialect -------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Registers the dialect, and checks the attributes of a kernel: fragments of
// all ops must be distributed over as many warps as the kernel says it has.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/IR/Tile.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace flash::tile;

#include "flash/Dialect/Tile/IR/TileDialect.cpp.inc"
#include "flash/Dialect/Tile/IR/TileEnums.cpp.inc"
#include "flash/Dialect/Tile/IR/TileInterfaces.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "flash/Dialect/Tile/IR/TileAttrs.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "flash/Dialect/Tile/IR/TileTypes.cpp.inc"

void FlashTileDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "flash/Dialect/Tile/IR/TileAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "flash/Dialect/Tile/IR/TileTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "flash/Dialect/Tile/IR/TileOps.cpp.inc"
      >();
}

int64_t flash::tile::getKernelWarps(Operation *op) {
  auto kernel = dyn_cast<gpu::GPUFuncOp>(op);
  if (!kernel)
    kernel = op->getParentOfType<gpu::GPUFuncOp>();
  if (!kernel)
    return 0;
  auto warps =
      kernel->getAttrOfType<IntegerAttr>(FlashTileDialect::getWarpsAttrName());
  return warps ? warps.getInt() : 0;
}

int64_t flash::tile::getKernelCluster(Operation *kernel) {
  auto cluster = kernel->getAttrOfType<IntegerAttr>(
      FlashTileDialect::getClusterAttrName());
  return cluster ? cluster.getInt() : 1;
}

static LogicalResult verifyWarps(gpu::GPUFuncOp kernel, int64_t warps) {
  WalkResult result = kernel.walk([&](Operation *op) {
    for (Type type : op->getResultTypes()) {
      if (auto pending = dyn_cast<PendingType>(type))
        type = pending.getAccumulator();
      auto fragment = dyn_cast<FragmentType>(type);
      if (fragment && fragment.getWarps() != warps) {
        op->emitOpError() << "has a fragment of " << fragment.getWarps()
                          << " warps in a kernel of " << warps;
        return WalkResult::interrupt();
      }
    }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

LogicalResult
FlashTileDialect::verifyOperationAttribute(Operation *op,
                                           NamedAttribute attribute) {
  StringRef name = attribute.getName();
  if (name == getTensorMapsAttrName() || name == getParametersAttrName())
    return isa<FunctionOpInterface>(op)
               ? success()
               : op->emitError() << "'" << name << "' belongs on a function";
  if (name == getTilesAttrName())
    return isa<scf::ForOp>(op)
               ? success()
               : op->emitError() << "'" << name << "' belongs on an scf.for";
  if (name != getWarpsAttrName() && name != getSharedBytesAttrName() &&
      name != getClusterAttrName() && name != getPartsAttrName())
    return op->emitError() << "unknown attribute '" << name
                           << "' of the flash_tile dialect";
  auto kernel = dyn_cast<gpu::GPUFuncOp>(op);
  // At L4 the kernel is a function of LLVM's and keeps its attributes.
  if (!kernel && !op->hasAttr(gpu::GPUDialect::getKernelFuncAttrName()))
    return op->emitError() << "'" << name << "' belongs on a gpu.func";
  auto value = dyn_cast<IntegerAttr>(attribute.getValue());
  if (!value || !value.getType().isSignlessInteger(64))
    return op->emitError() << "'" << name << "' must be an i64";
  if (name == getSharedBytesAttrName() || name == getPartsAttrName())
    return value.getInt() >= 0
               ? success()
               : op->emitError() << "'" << name << "' is negative";
  // What every GPU with clusters can run.
  if (name == getClusterAttrName())
    return value.getInt() >= 2 && value.getInt() <= 8
               ? success()
               : op->emitError() << "'" << name << "' is " << value.getInt()
                                 << ", but a cluster has 2 to 8 blocks";
  if (value.getInt() < 1 || value.getInt() > 32)
    return op->emitError() << "'" << name << "' is " << value.getInt()
                           << ", not between 1 and 32";
  return kernel ? verifyWarps(kernel, value.getInt()) : success();
}
