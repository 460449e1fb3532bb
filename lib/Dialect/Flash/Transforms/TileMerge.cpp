//===- TileMerge.cpp - Tile the merge of partial results --------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %o, %lse = flash.merge outputs(%o0, %o1) lses(%l0, %l1)
//   // becomes
//   scf.forall (%b, %h, %i) in (batch, heads, row blocks) shared_outs(%o, %lse)
//   {
//     weights w_i = exp(l_i - max) / sum_i exp(l_i - max)     linalg.generic on
//     rows o = sum_i w_i o_i                                       one
//     linalg.generic a part
//   }
//
// One part at a time is in fast memory, whatever their number.
//
//===----------------------------------------------------------------------===//

#include "SplitSchedule.h"
#include "TileUtils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <limits>

using namespace mlir;
using namespace flash;

/// From the parts' log-sum-exps of a row, their weights and the joint
/// log-sum-exp.
static SmallVector<Value> buildWeights(OpBuilder &b, Location loc,
                                       ValueRange lses) {
  Type type = lses.front().getType();
  auto constant = [&](double value) -> Value {
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(type, value));
  };
  Value zero = constant(0.0f), one = constant(1.0f);
  Value none = constant(-std::numeric_limits<double>::infinity());
  Value max = lses.front();
  for (Value lse : lses.drop_front())
    max = arith::MaximumFOp::create(b, loc, max, lse);
  Value empty =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, max, none);
  Value reference = arith::SelectOp::create(b, loc, empty, zero, max);
  SmallVector<Value> weights;
  Value sum = zero;
  for (Value lse : lses) {
    Value weight = math::ExpOp::create(
        b, loc, arith::SubFOp::create(b, loc, lse, reference));
    weights.push_back(weight);
    sum = arith::AddFOp::create(b, loc, sum, weight);
  }
  Value quotient = arith::DivFOp::create(b, loc, one, sum);
  Value inverse = arith::SelectOp::create(b, loc, empty, zero, quotient);
  for (Value &weight : weights)
    weight = arith::MulFOp::create(b, loc, weight, inverse);
  Value lse = arith::AddFOp::create(b, loc, reference,
                                    math::LogOp::create(b, loc, sum));
  weights.push_back(arith::SelectOp::create(b, loc, empty, none, lse));
  return weights;
}

LogicalResult flash::tileMerge(RewriterBase &rewriter, MergeOp op,
                               ScheduleAttr schedule) {
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(op);
  Location loc = op.getLoc();
  IndexBuilder index(rewriter, loc);
  Layout layout = op.getLayout();
  int64_t heads = layout == Layout::BHSD ? 1 : 2, length = 3 - heads;
  TilingAttr tiling = schedule.getTiling();
  int64_t rows = tiling.getM();
  Value first0 = op.getOutputs().front();
  int64_t headDim = op.getOutput().getType().getDimSize(3);
  if (ShapedType::isDynamic(headDim))
    return op.emitOpError() << "head dim must be static to be tiled";
  int64_t paddedDim = roundUp(headDim, tiling.getD());

  ReifiedRankedShapedTypeDims shapes;
  (void)op.reifyResultShapes(rewriter, shapes);
  SmallVector<Value> outs;
  for (auto [shape, type] : llvm::zip(shapes, op->getResultTypes()))
    outs.push_back(tensor::EmptyOp::create(
        rewriter, loc, shape, cast<RankedTensorType>(type).getElementType()));
  Value numRows = index.dim(first0, length);
  SmallVector<OpFoldResult> blocks{
      getAsOpFoldResult(index.dim(first0, 0)),
      getAsOpFoldResult(index.dim(first0, heads)),
      getAsOpFoldResult(index.ceilDiv(numRows, rows))};
  auto forall = scf::ForallOp::create(rewriter, loc, blocks, outs,
                                      /*mapping=*/std::nullopt);
  if (failed(setSchedule(forall, schedule, LoopContents())))
    return failure();
  rewriter.setInsertionPoint(forall.getTerminator());

  SmallVector<Value> ids = forall.getInductionVars();
  Value first = index.mul(ids[2], index.constant(rows));
  OpFoldResult existing = getAsOpFoldResult(
      index.min(index.constant(rows), index.sub(numRows, first)));
  SmallVector<Value> lseTiles;
  for (Value lse : op.getLses())
    lseTiles.push_back(readTile(rewriter, loc, lse, layout, ids[0], ids[1],
                                first, existing, {rows},
                                -std::numeric_limits<double>::infinity()));
  size_t parts = lseTiles.size();
  Type wide = getElementTypeOrSelf(op.getLses().front().getType());
  SmallVector<Value> weights = mapTiles(
      rewriter, loc, {rows}, lseTiles,
      SmallVector<AffineMap>(parts, rewriter.getMultiDimIdentityMap(1)),
      SmallVector<Type>(parts + 1, wide), buildWeights);

  AffineMap whole = rewriter.getMultiDimIdentityMap(2);
  AffineMap row = AffineMap::get(2, 0, {rewriter.getAffineDimExpr(0)},
                                 rewriter.getContext());
  Value acc = filledTile(rewriter, loc, {rows, paddedDim}, 0.0, wide);
  for (auto [part, weight] : llvm::zip(op.getOutputs(), weights)) {
    Value tile = readTile(rewriter, loc, part, layout, ids[0], ids[1], first,
                          existing, {rows, paddedDim});
    acc = mapTiles(rewriter, loc, {rows, paddedDim}, {acc, tile, weight},
                   {whole, whole, row}, wide,
                   [&](OpBuilder &b, Location l, ValueRange in) {
                     Value value = in[1];
                     if (value.getType() != wide)
                       value = arith::ExtFOp::create(b, l, wide, value);
                     value = arith::MulFOp::create(b, l, value, in[2]);
                     return SmallVector<Value>{
                         arith::AddFOp::create(b, l, in[0], value)};
                   })
              .front();
  }
  Type element = op.getOutput().getType().getElementType();
  if (element != wide)
    acc = mapTiles(rewriter, loc, {rows, paddedDim}, acc, whole, element,
                   [&](OpBuilder &b, Location l, ValueRange in) {
                     return SmallVector<Value>{
                         arith::TruncFOp::create(b, l, element, in[0])};
                   })
              .front();

  insertTile(rewriter, loc, acc, forall.getRegionIterArgs()[0], layout, ids[0],
             ids[1], first, existing, forall.getTerminator());
  if (op.getLse())
    insertTile(rewriter, loc, weights.back(), forall.getRegionIterArgs()[1],
               layout, ids[0], ids[1], first, existing, forall.getTerminator());

  rewriter.setInsertionPointAfter(forall);
  SmallVector<Value> results;
  for (auto [result, type] :
       llvm::zip(forall.getResults(), op->getResultTypes()))
    results.push_back(rewriter.createOrFold<tensor::CastOp>(loc, type, result));
  rewriter.replaceOp(op, results);
  return success();
}
