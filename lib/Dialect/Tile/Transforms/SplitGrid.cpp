//===- SplitGrid.cpp - How many blocks share a tile -----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SplitGrid.h"

#include "KernelParameters.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace flash;
using namespace flash::tile;

namespace {
/// What a launch knows of its tiles.
struct Grid {
  Value whole, rest, parts, log; ///< parts are 2 to the power of log
};
} // namespace

/// As many parts as there are blocks for the rest, as have `blocks` blocks of
/// keys each, and at most `parts`; a power of two, so that a kernel finds its
/// part by shifts.
static Grid makeGrid(OpBuilder &builder, LaunchOp launch, LoadOp load,
                     bool alike, SplitLimits limits) {
  Location loc = launch.getLoc();
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  Value tiles = launch.getGrid()[0], cores = constant(limits.cores),
        one = constant(1);
  Grid grid;
  grid.rest = arith::RemUIOp::create(builder, loc, tiles, cores);
  grid.whole = arith::SubIOp::create(builder, loc, tiles, grid.rest);
  auto memref = cast<BlockArgument>(load.getSource());
  Value keys = memref::DimOp::create(builder, loc,
                                     launch.getArgs()[memref.getArgNumber()],
                                     constant(load.getRowDimension()));
  int64_t rows = load.getTile().getType().getRows();
  Value blocks = arith::CeilDivUIOp::create(builder, loc, keys, constant(rows));
  Value most =
      arith::DivUIOp::create(builder, loc, blocks, constant(limits.blocks));
  Value free = arith::DivUIOp::create(
      builder, loc, cores,
      arith::MaxUIOp::create(builder, loc, grid.rest, one));
  most = arith::MinUIOp::create(builder, loc, most, free);
  most = arith::MinUIOp::create(builder, loc, most, constant(limits.parts));
  // 1 where whole tiles come before.
  if (!alike)
    most = arith::DivUIOp::create(
        builder, loc, most,
        arith::AddIOp::create(builder, loc, grid.whole, one));
  grid.log = constant(0);
  grid.parts = one;
  for (int64_t parts = 2; parts <= limits.parts; parts *= 2) {
    // 1 where there are so many.
    Value some = arith::MinUIOp::create(
        builder, loc,
        arith::DivUIOp::create(builder, loc, most, constant(parts)), one);
    grid.log = arith::AddIOp::create(builder, loc, grid.log, some);
    grid.parts = arith::AddIOp::create(
        builder, loc, grid.parts,
        arith::MulIOp::create(builder, loc, some, constant(parts / 2)));
  }
  launch.getGridMutable()[0].set(arith::AddIOp::create(
      builder, loc, grid.whole,
      arith::MulIOp::create(builder, loc, grid.rest, grid.parts)));
  return grid;
}

SplitParameters tile::addSplitParameters(gpu::GPUFuncOp kernel,
                                         ArrayRef<LaunchOp> launches,
                                         const SplitWork &work,
                                         SplitLimits limits) {
  DenseMap<Operation *, Grid> grids;
  for (LaunchOp launch : launches) {
    OpBuilder builder(launch);
    grids[launch] = makeGrid(builder, launch, work.keys, work.alike, limits);
  }
  int64_t warps = cast<FragmentType>(work.state.front()).getWarps();
  int64_t elements = HandOverOp::countElements(work.state) * 32 * warps;
  auto index = IndexType::get(kernel.getContext());
  auto state = MemRefType::get({ShapedType::kDynamic, elements},
                               Float32Type::get(kernel.getContext()));
  SplitParameters parameters;
  parameters.whole =
      addParameter(kernel, launches, index, [&](OpBuilder &, LaunchOp launch) {
        return grids[launch].whole;
      });
  parameters.log =
      addParameter(kernel, launches, index, [&](OpBuilder &, LaunchOp launch) {
        return grids[launch].log;
      });
  // A slot for each tile in parts.
  auto makeState = [&](OpBuilder &builder, LaunchOp launch) -> Value {
    Location loc = launch.getLoc();
    Value one = arith::ConstantIndexOp::create(builder, loc, 1);
    Value some = arith::MinUIOp::create(builder, loc, grids[launch].log, one);
    Value slots = arith::MulIOp::create(builder, loc, grids[launch].rest, some);
    return memref::AllocOp::create(builder, loc, state, slots);
  };
  parameters.state = addParameter(kernel, launches, state, makeState);
  parameters.turns = addMemory(kernel, launches, {limits.cores, warps}, 32);
  return parameters;
}
