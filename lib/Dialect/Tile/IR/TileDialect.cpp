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
#include "flash/Dialect/Utils/BytecodeVersion.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/SmallPtrSet.h"
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
  addInterface<VersionedBytecode>(kBytecodeVersion);
}

KernelAttr flash::tile::getKernelAttr(Operation *kernel) {
  return kernel->getAttrOfType<KernelAttr>(
      FlashTileDialect::getKernelAttrName());
}

int64_t flash::tile::getKernelWarps(Operation *op) {
  auto kernel = dyn_cast<gpu::GPUFuncOp>(op);
  if (!kernel)
    kernel = op->getParentOfType<gpu::GPUFuncOp>();
  KernelAttr attr = kernel ? getKernelAttr(kernel) : KernelAttr();
  return attr ? attr.getWarps() : 0;
}

int64_t flash::tile::getKernelCluster(Operation *kernel) {
  KernelAttr attr = getKernelAttr(kernel);
  return attr ? std::max<int64_t>(attr.getCluster(), 1) : 1;
}

//===----------------------------------------------------------------------===//
// Attributes of kernels and loops
//===----------------------------------------------------------------------===//

static LogicalResult verifyWarps(gpu::GPUFuncOp kernel, int64_t warps) {
  WalkResult result = kernel.walk([&](Operation *op) {
    int64_t around = op->getParentOfType<InTurnOp>() ? 4 : warps;
    for (Type type : op->getResultTypes()) {
      if (auto pending = dyn_cast<PendingType>(type))
        type = pending.getAccumulator();
      auto fragment = dyn_cast<FragmentType>(type);
      bool alone = fragment && fragment.getWarps() == 4 &&
                   op->getParentOfType<ByWarpgroupOp>();
      if (fragment && fragment.getWarps() != around && !alone) {
        op->emitOpError() << "has a fragment of " << fragment.getWarps()
                          << " warps in a kernel of " << around
                          << (around == warps ? "" : " at a time");
        return WalkResult::interrupt();
      }
    }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

/// Whether the op is a kernel. At L4 it is a function of LLVM's and keeps its
/// attributes.
static bool isKernel(Operation *op) {
  return isa<gpu::GPUFuncOp>(op) ||
         op->hasAttr(gpu::GPUDialect::getKernelFuncAttrName());
}

static LogicalResult verifyKernel(Operation *op, Attribute value) {
  auto attr = dyn_cast<KernelAttr>(value);
  if (!attr)
    return op->emitError() << "'" << FlashTileDialect::getKernelAttrName()
                           << "' must be a #flash_tile.kernel<...>";
  if (isa<scf::ForallOp>(op))
    return success();
  if (!attr.getWarps())
    return op->emitError() << "'" << FlashTileDialect::getKernelAttrName()
                           << "' of a kernel says how many warps it has, as in "
                              "#flash_tile.kernel<warps = 8>";
  auto kernel = dyn_cast<gpu::GPUFuncOp>(op);
  return kernel ? verifyWarps(kernel, attr.getWarps()) : success();
}

static LogicalResult verifyPasses(Operation *op, Attribute value) {
  StringRef name = FlashTileDialect::getPassesAttrName();
  auto passes = dyn_cast<ArrayAttr>(value);
  llvm::SmallPtrSet<const AbstractAttribute *, 8> seen;
  for (Attribute pass : passes ? passes.getValue() : ArrayRef<Attribute>()) {
    if (!isa<PassAttrInterface>(pass))
      return op->emitError()
             << "'" << name << "' has attributes of passes, as in "
             << "[#flash_tile.overlap], but not " << pass;
    if (!seen.insert(&pass.getAbstractAttribute()).second)
      return op->emitError() << "'" << name << "' says two things to "
                             << cast<PassAttrInterface>(pass).getPass();
  }
  return passes ? success()
                : op->emitError() << "'" << name << "' must be a list, as in "
                                  << "[#flash_tile.overlap]";
}

static LogicalResult verifyBytesOrNumber(Operation *op, StringRef name,
                                         Attribute attribute) {
  auto value = dyn_cast<IntegerAttr>(attribute);
  if (!value || !value.getType().isSignlessInteger(64))
    return op->emitError() << "'" << name << "' must be an i64";
  return value.getInt() >= 0
             ? success()
             : op->emitError() << "'" << name << "' is negative";
}

/// Names without the dialect's: they say nothing on a kernel of ours.
static LogicalResult verifyOtherNames(Operation *op) {
  StringRef prefix = "flash_tile.";
  for (NamedAttribute attribute : op->getDiscardableAttrs()) {
    StringRef name = attribute.getName();
    for (StringRef ours : {FlashTileDialect::getKernelAttrName(),
                           FlashTileDialect::getPassesAttrName(),
                           FlashTileDialect::getSharedBytesAttrName()})
      if (name == ours.drop_front(prefix.size()))
        return op->emitError() << "a kernel has no attribute '" << name
                               << "'; did you mean '" << ours << "'?";
  }
  return success();
}

LogicalResult
FlashTileDialect::verifyOperationAttribute(Operation *op,
                                           NamedAttribute attribute) {
  StringRef name = attribute.getName();
  if (name == getTensorMapsAttrName() || name == getParametersAttrName())
    return isa<FunctionOpInterface>(op)
               ? success()
               : op->emitError() << "'" << name << "' belongs on a function";
  if (name == getTilesAttrName() || name == getMaskedAttrName())
    return isa<scf::ForOp>(op)
               ? success()
               : op->emitError() << "'" << name << "' belongs on an scf.for";
  bool ofLoops = name == getKernelAttrName() || name == getPassesAttrName();
  if (!ofLoops && name != getSharedBytesAttrName() &&
      name != getPartsAttrName()) {
    InFlightDiagnostic error = op->emitError() << "unknown attribute '" << name
                                               << "' of the flash_tile dialect";
    // How they were called before they had a common attribute.
    for (StringRef field : {"warps", "cluster"})
      if (name.substr(name.find('.') + 1) == field)
        return error << "; write '" << getKernelAttrName()
                     << " = #flash_tile.kernel<" << field << " = ...>'";
    return error << suggestName(
               name, {getKernelAttrName(), getPassesAttrName(),
                      getSharedBytesAttrName(), getPartsAttrName(),
                      getTilesAttrName(), getMaskedAttrName(),
                      getParametersAttrName(), getTensorMapsAttrName()});
  }
  if (!isKernel(op) && !(ofLoops && isa<scf::ForallOp>(op)))
    return op->emitError() << "'" << name << "' belongs on a gpu.func"
                           << (ofLoops ? " or an scf.forall" : "");
  if (name == getKernelAttrName())
    return failed(verifyOtherNames(op))
               ? failure()
               : verifyKernel(op, attribute.getValue());
  if (name == getPassesAttrName())
    return verifyPasses(op, attribute.getValue());
  return verifyBytesOrNumber(op, name, attribute.getValue());
}
