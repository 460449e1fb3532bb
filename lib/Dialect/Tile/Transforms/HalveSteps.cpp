//===- HalveSteps.cpp - Products of a few rows ----------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %b = load ... rows(%c3) : shared<16x64> ; mma %ones, %b
//   ->  %b = load ... rows(%c3) : shared<8x64> ; mma %ones, %b
//
// Rows of zeros take shared memory that another stage of a larger tile may
// have.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILEHALVESTEPS
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash::tile;

/// The load of a product's B, of whose rows half are zero; null if it is no
/// such product.
static LoadOp findLoad(MmaOp op) {
  auto load = op.getB().getDefiningOp<LoadOp>();
  auto a = op.getA().getDefiningOp<SplatOp>();
  if (!load || !a || op.getTransposeB() ||
      !op.getInstruction().takesHalfStep() || !load->hasOneUse() ||
      !load.getRows())
    return {};
  SharedType tile = load.getTile().getType();
  std::optional<int64_t> rows = getConstantIntValue(load.getRows());
  int64_t step = op.getInstruction().getKGranularity(tile.getElementType());
  if (!rows || tile.getRows() != step || 2 * *rows > step)
    return {};
  return load;
}

namespace {
struct TileHalveStepsPass
    : flash::tile::impl::TileHalveStepsBase<TileHalveStepsPass> {
  using TileHalveStepsBase::TileHalveStepsBase;

  void runOnOperation() override {
    getOperation().walk([&](MmaOp op) {
      LoadOp load = findLoad(op);
      if (!load)
        return;
      SharedType tile = load.getTile().getType();
      load.getTile().setType(SharedType::get(
          tile.getRows() / 2, tile.getColumns(), tile.getElementType()));
      auto ones = op.getA().getDefiningOp<SplatOp>();
      auto type = cast<FragmentType>(ones.getType());
      OpBuilder builder(ones);
      op.getAMutable().assign(SplatOp::create(
          builder, ones.getLoc(),
          FragmentType::get({type.getRows(), type.getColumns() / 2},
                            type.getElementType(), type.getLayout()),
          ones.getValue()));
      ++numHalved;
    });
  }
};
} // namespace
