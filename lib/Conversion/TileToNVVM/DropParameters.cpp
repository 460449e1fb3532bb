//===- DropParameters.cpp - Kernels without parameters that nobody reads --===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   llvm.func @k(%arg0: !llvm.ptr, %arg1: !llvm.ptr, %arg2: i64)    // reads 1
//   ->  llvm.func @k(%arg0: !llvm.ptr) attributes {flash_tile.parameters =
//       array<i64: 1>}
//
// A memref's descriptor has 3 + 2 * rank parameters. It runs last at L4, when
// nothing is left that only looks like a reader; the launch plan, which is made
// of the launch's values, keeps the same ones.
//
//===----------------------------------------------------------------------===//

#include "flash/Conversion/TileToNVVM/Passes.h"
#include "flash/Dialect/Tile/IR/Tile.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Pass/Pass.h"

namespace flash {
#define GEN_PASS_DEF_TILEDROPPARAMETERS
#include "flash/Conversion/TileToNVVM/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

/// The element of an aggregate that was put there, or null.
static Value findElement(Value aggregate, ArrayRef<int64_t> position) {
  if (position.empty())
    return aggregate;
  if (auto extract = aggregate.getDefiningOp<LLVM::ExtractValueOp>()) {
    SmallVector<int64_t> whole(extract.getPosition());
    llvm::append_range(whole, position);
    return findElement(extract.getContainer(), whole);
  }
  auto insert = aggregate.getDefiningOp<LLVM::InsertValueOp>();
  if (!insert)
    return {};
  ArrayRef<int64_t> place = insert.getPosition();
  size_t common = std::min(place.size(), position.size());
  if (place.take_front(common) != position.take_front(common))
    return findElement(insert.getContainer(), position);
  return place.size() <= position.size()
             ? findElement(insert.getValue(), position.drop_front(common))
             : Value();
}

/// The lowering of memref.dim stores all sizes to read one: reads it where it
/// came from. Fails where the memory serves anything else.
static LogicalResult forwardSizes(LLVM::AllocaOp memory) {
  LLVM::StoreOp store;
  SmallVector<std::pair<LLVM::LoadOp, Value>> loads;
  SmallVector<LLVM::GEPOp> places;
  for (Operation *user : memory->getUsers()) {
    auto place = dyn_cast<LLVM::GEPOp>(user);
    if (!place) {
      auto stored = dyn_cast<LLVM::StoreOp>(user);
      if (!stored || store || stored.getValue() == memory.getResult())
        return failure();
      store = stored;
      continue;
    }
    ArrayRef<int32_t> indices = place.getRawConstantIndices();
    if (!place.getDynamicIndices().empty() || indices.size() != 2 ||
        indices[0] != 0 || place.getElemType() != memory.getElemType())
      return failure();
    places.push_back(place);
  }
  for (LLVM::GEPOp place : places)
    for (Operation *user : place->getUsers()) {
      auto load = dyn_cast<LLVM::LoadOp>(user);
      Value element =
          store ? findElement(store.getValue(),
                              int64_t(place.getRawConstantIndices()[1]))
                : Value();
      if (!load || !element || element.getType() != load.getType())
        return failure();
      loads.push_back({load, element});
    }
  for (auto [load, element] : loads) {
    load.replaceAllUsesWith(element);
    load.erase();
  }
  for (LLVM::GEPOp place : places)
    place.erase();
  store.erase();
  memory.erase();
  return success();
}

/// Erases what only parts of descriptors are put into.
static void eraseDescriptors(LLVM::LLVMFuncOp kernel) {
  SmallVector<Operation *> aggregates;
  kernel.walk([&](Operation *op) {
    if (isa<LLVM::InsertValueOp, LLVM::ExtractValueOp>(op))
      aggregates.push_back(op);
  });
  for (Operation *op : llvm::reverse(aggregates))
    if (op->use_empty())
      op->erase();
}

/// Leaves out the parameters without uses; returns how many.
static size_t dropParameters(LLVM::LLVMFuncOp kernel) {
  SmallVector<LLVM::AllocaOp> allocas;
  kernel.walk([&](LLVM::AllocaOp op) { allocas.push_back(op); });
  for (LLVM::AllocaOp memory : allocas)
    (void)forwardSizes(memory);
  eraseDescriptors(kernel);
  llvm::BitVector unused(kernel.getNumArguments());
  SmallVector<int64_t> kept;
  SmallVector<Type> types;
  for (BlockArgument argument : kernel.getArguments()) {
    if (argument.use_empty()) {
      unused.set(argument.getArgNumber());
      continue;
    }
    kept.push_back(argument.getArgNumber());
    types.push_back(argument.getType());
  }
  if (unused.none())
    return 0;
  // Not the op's own eraseArguments, which cannot make the type of a function
  // without results.
  LLVM::LLVMFunctionType type = kernel.getFunctionType();
  function_interface_impl::eraseFunctionArguments(
      kernel, unused,
      LLVM::LLVMFunctionType::get(type.getReturnType(), types,
                                  type.isVarArg()));
  kernel->setAttr(tile::FlashTileDialect::getParametersAttrName(),
                  DenseI64ArrayAttr::get(kernel.getContext(), kept));
  return unused.count();
}

namespace {
struct TileDropParametersPass
    : flash::impl::TileDropParametersBase<TileDropParametersPass> {
  void runOnOperation() override {
    getOperation()->walk([&](LLVM::LLVMFuncOp kernel) {
      bool isKernel =
          kernel->hasAttr(NVVM::NVVMDialect::getKernelFuncAttrName());
      // A second run would lose what the first one has noted.
      if (isKernel && !kernel.isExternal() &&
          !kernel->hasAttr(tile::FlashTileDialect::getParametersAttrName()))
        numDropped += dropParameters(kernel);
    });
  }
};
} // namespace
