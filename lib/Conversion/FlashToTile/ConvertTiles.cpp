//===- ConvertTiles.cpp - Fills and the softmax, as fragments -------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is made of one value, values that nobody sees, and the online softmax:
//
//   %p, %max, ... = flash.online_softmax ins(%s) outs(%p0, %m, %l, %a0)
//   ->  %e, %max, ... = flash_tile.online_softmax %s, %m, %l ; convert %e
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace flash;

LogicalResult KernelBuilder::convertFill(linalg::FillOp op) {
  auto tensor = cast<RankedTensorType>(op.getResult(0).getType());
  // A vector lies as its reader asks, and what a sum begins with lies nowhere.
  bool begins = llvm::all_of(op->getUses(), [&](OpOperand &use) {
    auto loop = dyn_cast<scf::ForOp>(use.getOwner());
    return isa<AddSliceOp>(use.getOwner()) ||
           (loop && sums.contains(loop.getTiedLoopRegionIterArg(&use)));
  });
  if (tensor.getRank() == 1 || begins)
    return success();
  FailureOr<tile::FragmentType> type = fragmentType(op.getResult(0));
  if (failed(type) || !*type)
    return failure();
  tiles[op.getResult(0)] = tile::SplatOp::create(
      builder, op.getLoc(), *type, scalars.lookup(op.getInputs()[0]));
  return success();
}

LogicalResult KernelBuilder::convertSoftmax(OnlineSoftmaxOp op) {
  if (op.getDim() != 1)
    return op.emitOpError("needs scores M x N on a GPU (the transposed form is "
                          "for the CPU)");
  auto scores = cast<RankedTensorType>(op.getScores().getType());
  VectorPlace rows{false, layouts.getColumnGroups(scores.getDimSize(0))};
  SmallVector<Value> inputs;
  for (Value operand : {op.getScores(), op.getMax(), op.getSum()}) {
    FailureOr<Value> value = fragment(op, operand, rows);
    if (failed(value))
      return failure();
    inputs.push_back(*value);
  }
  FailureOr<tile::FragmentType> type = fragmentType(op.getP());
  if (failed(type) || !*type)
    return failure();
  Type row = inputs[1].getType();
  auto softmax = tile::OnlineSoftmaxOp::create(
      builder, op.getLoc(), TypeRange{inputs[0].getType(), row, row, row},
      inputs[0], inputs[1], inputs[2], op.getScaleAttr());
  Value p = softmax.getExponentials();
  tiles[op.getP()] =
      p.getType() == *type
          ? p
          : tile::ConvertOp::create(builder, op.getLoc(), *type, p).getResult();
  for (auto [from, to] : llvm::zip(llvm::drop_begin(op->getResults()),
                                   llvm::drop_begin(softmax->getResults())))
    tiles[from] = to;
  return success();
}

/// The tile is cleared where it lies.
LogicalResult KernelBuilder::convertHide(HideUnseenOp op) {
  Value tile = tiles.lookup(op.getValues());
  if (!tile || !isa<tile::SharedType>(tile.getType()))
    return op.emitOpError("needs values in device memory on a GPU");
  Location loc = op.getLoc();
  auto clear = tile::ClearUnseenOp::create(builder, loc, tile,
                                           scalars.lookup(op.getWhen()),
                                           scalars.lookup(op.getQueries()));
  OpBuilder::InsertionGuard guard(builder);
  Type index = builder.getIndexType();
  Block *body =
      builder.createBlock(&clear.getBody(), {}, {index, index}, {loc, loc});
  IRMapping mapping(scalars);
  mapping.map(op.getBody().getArguments(), body->getArguments());
  for (Operation &inner : op.getBody().front().without_terminator())
    builder.clone(inner, mapping);
  Value sees = cast<YieldOp>(op.getBody().front().getTerminator()).getValue();
  tile::YieldOp::create(builder, loc, mapping.lookupOrDefault(sees));
  legalizeBody(clear.getBody(), body->getArguments());
  tiles[op.getResult()] = tile;
  return success();
}
