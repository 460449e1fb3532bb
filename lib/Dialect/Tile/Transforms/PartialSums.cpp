//===- PartialSums.cpp - Row sums that are joined once --------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   scf.for iter_args(%sum = splat 0 : !row) { ... online_softmax %s, %m, %sum
//   }
//   ->  %l = scf.for iter_args(%sum = splat 0 : !row_partial) { ... }
//       all_reduce add %l
//
// The four lanes that share a row need its maximum in every step, but its sum
// only at the end. It runs first, while the softmax stands in its loop alone.
//
//===----------------------------------------------------------------------===//

#include "PassGate.h"

#include "flash/Dialect/Tile/Transforms/Passes.h"

#include "mlir/IR/Matchers.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILEPARTIALSUMS
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash::tile;

/// Whether the row sum lives in a loop where it starts at zero and is only
/// passed from softmax to softmax: then each lane may keep a part of it.
static bool isPrivateToLoop(OnlineSoftmaxOp op) {
  auto sum = dyn_cast<BlockArgument>(op.getSum());
  auto loop =
      sum ? dyn_cast<scf::ForOp>(sum.getOwner()->getParentOp()) : scf::ForOp();
  if (!loop || sum.getArgNumber() == 0 || !sum.hasOneUse() ||
      !op.getSumOut().hasOneUse() ||
      !isa<RowLayoutAttr>(op.getSum().getType().getLayout()))
    return false;
  auto splat = loop.getTiedLoopInit(sum)->get().getDefiningOp<SplatOp>();
  return splat && matchPattern(splat.getValue(), m_AnyZeroFloat()) &&
         loop.getTiedLoopYieldedValue(sum)->get() == op.getSumOut();
}

/// Makes the loop carry partial sums, joined after it.
static void keepPartialSum(OnlineSoftmaxOp op) {
  auto sum = cast<BlockArgument>(op.getSum());
  auto loop = cast<scf::ForOp>(sum.getOwner()->getParentOp());
  auto type = cast<FragmentType>(sum.getType());
  auto partial = FragmentType::get(
      type.getShape(), type.getElementType(),
      RowPartialLayoutAttr::get(op.getContext(), type.getWarps(),
                                type.getColumnGroups()));
  OpBuilder builder(loop);
  OpOperand *init = loop.getTiedLoopInit(sum);
  init->set(SplatOp::create(builder, loop.getLoc(), partial,
                            init->get().getDefiningOp<SplatOp>().getValue()));
  OpResult result = loop.getTiedLoopResult(sum);
  for (Value value : {Value(sum), Value(op.getSumOut()), Value(result)})
    value.setType(partial);
  builder.setInsertionPointAfter(loop);
  auto joined = AllReduceOp::create(builder, loop.getLoc(), type,
                                    ReduceKind::Add, result);
  result.replaceAllUsesExcept(joined.getResult(), joined);
}

namespace {
struct TilePartialSumsPass
    : flash::tile::impl::TilePartialSumsBase<TilePartialSumsPass> {
  void runOnOperation() override {
    PassGate<PartialSumsAttr> gate(getOperation(), "it has no softmax");
    if (!gate)
      return;
    getOperation().walk([&](OnlineSoftmaxOp op) {
      if (!isPrivateToLoop(op))
        return gate.leave("a row sum does not start at zero in a loop that "
                          "only passes it on");
      keepPartialSum(op);
      gate.worked();
      ++numPartialSums;
    });
  }
};
} // namespace
