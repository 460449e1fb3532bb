//===- OrderSums.cpp - Sums in memory as accumulators hold them -----------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %sums = alloc ; clear %sums ; launch @add(%sums) ; launch @round(%sums)
//   // @add:   store add %acc, %sums      @round: fetch %sums -> stream
//   ->  // @add:   store add %acc, %sums strips
//       // @round: fetch %sums strips -> acc
//
// Nobody but these kernels sees the memory, so that its order is theirs. In
// rows, a lane has two neighbours of each row, deals columns with its
// neighbours for 16 bytes, and a warp touches 8 rows at a time; in strips it
// adds four elements as they come, and a warp 512 bytes in one piece.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/IR/KnownDivisor.h"
#include "flash/Dialect/Tile/Transforms/Passes.h"

#include "TensorMaps.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILEORDERSUMS
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash;
using namespace flash::tile;

namespace {
/// Who adds to memory, and who reads it.
struct Sums {
  SmallVector<StoreOp> adds;
  SmallVector<FetchOp> reads;
};
} // namespace

/// Whether an op's tile is of whole rows, as many as warps have 16, from a
/// multiple of 16 on.
template <typename OpT>
static bool isOfWholeRows(OpT op, Value memref, FragmentType type) {
  auto of = cast<MemRefType>(memref.getType());
  int64_t rows = of.getRank() - 2;
  return type.getRank() == 2 && type.getElementType().isF32() &&
         type.getRows() % 16 == 0 && !op.getRows() && !op.getCols() &&
         op.getRowDimension() == rows &&
         of.getShape().back() == type.getColumns() &&
         getConstantIntValue(op.getOffsets().back()) == 0 &&
         getKnownDivisor(op.getOffsets()[rows]) % 16 == 0;
}

static bool canAdd(StoreOp op, Value memref) {
  auto kernel = op->getParentOfType<gpu::GPUFuncOp>();
  KernelAttr attr = getKernelAttr(kernel);
  auto instruction = dyn_cast_if_present<InstructionAttrInterface>(
      attr ? attr.getInstruction() : Attribute());
  FragmentType type = op.getValue().getType();
  return op.getDestination() == memref && op.getAdd() && !op.getPackedAttr() &&
         isa<AccLayoutAttr>(type.getLayout()) && instruction &&
         instruction.isAsynchronous() && isOfWholeRows(op, memref, type);
}

/// Adds what is made of a stream fragment, element by element; false where it
/// is something that asks for the layout.
static bool collectMade(Value value, llvm::SetVector<Value> &made) {
  if (!made.insert(value))
    return true;
  return llvm::all_of(value.getUsers(), [&](Operation *user) {
    if (auto store = dyn_cast<StoreOp>(user))
      return store.getValue() == value && !store.getAdd();
    auto map = dyn_cast<MapOp>(user);
    if (map && map.getInputs().size() != 1)
      return false;
    return isa<MapOp, ConvertOp>(user) &&
           llvm::all_of(user->getResults(), [&](Value result) {
             return collectMade(result, made);
           });
  });
}

static bool canRead(FetchOp op, Value memref) {
  FragmentType type = op.getResult().getType();
  llvm::SetVector<Value> made;
  return op.getSource() == memref && !op.getPaddingAttr() &&
         type.getColumns() % 8 == 0 &&
         type.getRows() == 16 * type.getRowWarps() &&
         isOfWholeRows(op, memref, type) && collectMade(op.getResult(), made);
}

/// Collects what kernels and the host do with the memory; false where one of
/// them needs it in rows.
static bool collectUses(Value memref, LaunchMap &launches, Sums &sums) {
  return llvm::all_of(memref.getUses(), [&](OpOperand &use) {
    Operation *user = use.getOwner();
    if (isa<ClearOp, memref::DeallocOp, memref::DimOp, ClearShareOp>(user))
      return true;
    if (auto cast = dyn_cast<memref::CastOp>(user))
      return collectUses(cast.getResult(), launches, sums);
    if (auto store = dyn_cast<StoreOp>(user)) {
      sums.adds.push_back(store);
      return canAdd(store, memref);
    }
    if (auto fetch = dyn_cast<FetchOp>(user)) {
      sums.reads.push_back(fetch);
      return canRead(fetch, memref);
    }
    auto launch = dyn_cast<LaunchOp>(user);
    if (!launch)
      return false;
    auto kernel = SymbolTable::lookupNearestSymbolFrom<gpu::GPUFuncOp>(
        launch, launch.getKernelAttr());
    auto argument = llvm::find(launch.getArgs(), use.get());
    return kernel && launches[kernel].size() == 1 &&
           argument != launch.getArgs().end() &&
           llvm::count(launch.getArgs(), use.get()) == 1 &&
           collectUses(kernel.getArgument(argument - launch.getArgs().begin()),
                       launches, sums);
  });
}

/// Reads accumulators, and computes with them what was computed of runs.
static void readStrips(FetchOp op) {
  llvm::SetVector<Value> made;
  collectMade(op.getResult(), made);
  for (Value value : made) {
    auto type = cast<FragmentType>(value.getType());
    value.setType(
        FragmentType::get(type.getShape(), type.getElementType(),
                          AccLayoutAttr::get(type.getContext(), type.getWarps(),
                                             /*columnGroups=*/1)));
  }
  op.setStrips(true);
}

namespace {
struct TileOrderSumsPass
    : flash::tile::impl::TileOrderSumsBase<TileOrderSumsPass> {
  void runOnOperation() override {
    LaunchMap launches = findLaunches(getOperation());
    getOperation().walk([&](memref::AllocOp alloc) {
      Sums sums;
      if (!alloc.getType().getLayout().isIdentity() ||
          alloc.getType().getRank() < 2 ||
          !collectUses(alloc.getMemref(), launches, sums) ||
          sums.adds.empty() || sums.reads.empty())
        return;
      for (StoreOp add : sums.adds)
        add.setStrips(true);
      for (FetchOp read : sums.reads)
        readStrips(read);
      ++numOrdered;
    });
  }
};
} // namespace
