//===- SeparateKernels.cpp - A module of its own for each kernel ----------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   gpu.module @kernels { memref.global @g ; gpu.func @a ; gpu.func @b }
//   flash_tile.launch @kernels::@b grid(%n)
//   ->
//   gpu.module @kernels { memref.global @g ; gpu.func @a }
//   gpu.module @kernels_0 { memref.global @g ; gpu.func @b }
//   flash_tile.launch @kernels_0::@b grid(%n)
//
// What follows is done to each module by itself: passes in threads, PTX and
// code side by side. A kernel takes along what it names.
//
//===----------------------------------------------------------------------===//

#include "flash/Conversion/TileToNVVM/Passes.h"

#include "flash/Dialect/Tile/IR/Tile.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Pass/Pass.h"
#include "llvm/ADT/SetVector.h"

namespace flash {
#define GEN_PASS_DEF_TILESEPARATEKERNELS
#include "flash/Conversion/TileToNVVM/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

/// The symbols of `table`'s op that `kernel` names, and those that they name.
static SetVector<Operation *> findNamed(Operation *kernel, SymbolTable &table) {
  SetVector<Operation *> named;
  SmallVector<Operation *> work{kernel};
  while (!work.empty()) {
    std::optional<SymbolTable::UseRange> uses =
        SymbolTable::getSymbolUses(work.pop_back_val());
    if (!uses)
      continue;
    for (const SymbolTable::SymbolUse &use : *uses) {
      Operation *symbol = table.lookup(use.getSymbolRef().getRootReference());
      if (symbol && symbol != kernel && named.insert(symbol))
        work.push_back(symbol);
    }
  }
  return named;
}

/// Erases what no kernel of a module names.
static void eraseUnnamed(gpu::GPUModuleOp module) {
  SymbolTable table(module);
  SetVector<Operation *> named;
  for (auto kernel : module.getOps<gpu::GPUFuncOp>())
    named.set_union(findNamed(kernel, table));
  for (Operation &op : llvm::make_early_inc_range(*module.getBody())) {
    auto symbol = dyn_cast<SymbolOpInterface>(op);
    if (symbol && symbol.isPrivate() && !isa<gpu::GPUFuncOp>(op) &&
        !named.contains(&op))
      table.erase(&op);
  }
}

/// Moves `kernel` to a new module after `last`, with copies of what it names.
static gpu::GPUModuleOp moveToOwnModule(gpu::GPUFuncOp kernel,
                                        gpu::GPUModuleOp last,
                                        SymbolTable &modules) {
  auto from = kernel->getParentOfType<gpu::GPUModuleOp>();
  SymbolTable table(from);
  OpBuilder builder(kernel.getContext());
  auto to = cast<gpu::GPUModuleOp>(from->cloneWithoutRegions());
  to->getRegion(0).push_back(new Block);
  builder.setInsertionPointToEnd(to.getBody());
  for (Operation *symbol : findNamed(kernel, table))
    builder.clone(*symbol);
  kernel->moveBefore(to.getBody(), to.getBody()->end());
  modules.insert(to, std::next(last->getIterator()));
  return to;
}

static void separateKernels(ModuleOp host, gpu::GPUModuleOp module) {
  SmallVector<gpu::GPUFuncOp> kernels;
  for (auto function : module.getOps<gpu::GPUFuncOp>())
    if (function.isKernel())
      kernels.push_back(function);
  if (kernels.size() < 2)
    return;
  SymbolTable modules(host);
  DenseMap<Attribute, SymbolRefAttr> moved;
  gpu::GPUModuleOp last = module;
  for (gpu::GPUFuncOp kernel : ArrayRef(kernels).drop_front()) {
    auto name = FlatSymbolRefAttr::get(kernel.getNameAttr());
    auto before = SymbolRefAttr::get(module.getNameAttr(), {name});
    last = moveToOwnModule(kernel, last, modules);
    moved[before] = SymbolRefAttr::get(last.getNameAttr(), {name});
  }
  eraseUnnamed(module);
  host.walk([&](tile::LaunchOp launch) {
    if (SymbolRefAttr kernel = moved.lookup(launch.getKernel()))
      launch.setKernelAttr(kernel);
  });
}

namespace {
struct TileSeparateKernelsPass
    : flash::impl::TileSeparateKernelsBase<TileSeparateKernelsPass> {
  void runOnOperation() override {
    ModuleOp host = getOperation();
    for (auto module :
         llvm::to_vector(host.getBody()->getOps<gpu::GPUModuleOp>()))
      separateKernels(host, module);
  }
};
} // namespace
