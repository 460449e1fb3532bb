//===- KeepOperands.cpp - Loop-invariant operands in registers ------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   scf.for { mma #flash_tile.mma_sync %q, %k }        // %q in shared memory
//   ->  %f = load_fragment %q ; scf.for { mma #flash_tile.mma_sync %f, %k }
//
// mma.sync reads its operands from registers: left in shared memory, a query
// tile would be read again for every block of keys. wgmma reads shared memory
// itself.
//
//===----------------------------------------------------------------------===//

#include "PassGate.h"

#include "flash/Dialect/Tile/Transforms/Passes.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILEKEEPOPERANDS
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash::tile;

/// 32-bit registers of a thread for a fragment.
static int64_t registers(Type type) {
  auto fragment = dyn_cast<FragmentType>(type);
  if (!fragment)
    return 0;
  return fragment.getElementsPerLane() *
         fragment.getElementType().getIntOrFloatBitWidth() / 32;
}

/// What lives at the same time in an iteration, from above: everything carried,
/// every product that is not, and every operand made on the way.
static int64_t estimateRegisters(scf::ForOp loop) {
  int64_t sum = 0;
  for (Type type : loop.getResultTypes())
    sum += registers(type);
  for (Operation &op : *loop.getBody())
    if (isa<ConvertOp>(op) ||
        (isa<MmaOp>(op) &&
         !llvm::any_of(op.getUsers(), llvm::IsaPred<scf::YieldOp>)))
      sum += registers(op.getResult(0).getType());
  return sum;
}

namespace {
struct TileKeepOperandsPass
    : flash::tile::impl::TileKeepOperandsBase<TileKeepOperandsPass> {
  using TileKeepOperandsBase::TileKeepOperandsBase;

  void runOnOperation() override {
    PassGate<KeepOperandsAttr> gate(
        getOperation(), "no loop of it multiplies a tile of shared memory, by "
                        "an instruction that reads registers, again and again");
    if (!gate)
      return;
    SmallVector<MmaOp> ops;
    getOperation().walk([&](MmaOp op) { ops.push_back(op); });
    for (MmaOp op : ops) {
      auto loop = dyn_cast<scf::ForOp>(op->getParentOp());
      auto shared = dyn_cast<SharedType>(op.getA().getType());
      if (!loop || !shared || op.getInstruction().isAsynchronous() ||
          !loop.isDefinedOutsideOfLoop(op.getA()))
        continue;
      auto layout = LhsLayoutAttr::get(op.getContext(),
                                       op.getResult().getType().getWarps());
      auto type = FragmentType::get({shared.getRows(), shared.getColumns()},
                                    shared.getElementType(), layout);
      if (estimateRegisters(loop) + registers(type) > maxRegisters) {
        gate.leave("its loop has too few registers left");
        continue;
      }
      OpBuilder builder(loop);
      op.getAMutable().assign(
          LoadFragmentOp::create(builder, op.getLoc(), type, op.getA()));
      gate.worked();
    }
  }
};
} // namespace
