//===- BackwardByQueries.cpp - A backward with queries outside ------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   scf.forall (%b, %h, %i) in (batch, query heads, query blocks) {
//     %dq = scf.for %j = %first to %end step n iter_args(%sum) {
//       flash.backward_step ins(...) d_query(%sum)
//     }
//     parallel_insert_slice dq, scaled and rounded
//   }
//
//===----------------------------------------------------------------------===//

#include "BackwardSteps.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace flash;

/// The keys that some query of the block sees, from the begin of a block of
/// keys on.
RowRange<Value> BackwardTiler::visibleKeys(const QueryTiles &queries) {
  std::pair<Value, Value> positions;
  if (mask)
    positions = mask.buildVisibleKeys(
        rewriter, loc, place(), index.add(own.qOffset, queries.first),
        index.add(own.qOffset, lastOf(queries.first, queries.existing)));
  return rowsOf(index, positions, own.keyPosition, own.numKeys, p.keys);
}

/// dq alone, by a loop over blocks of queries outside.
Value BackwardTiler::loopOverQueryBlocks(const BackwardLoop &of) {
  OpBuilder::InsertionGuard guard(rewriter);
  Value query = op.getQuery();
  Type element = cast<RankedTensorType>(query.getType()).getElementType();
  Value out = tensor::EmptyOp::create(
      rewriter, loc, tensor::getMixedSizes(rewriter, loc, query), element);
  SmallVector<OpFoldResult> grid{
      getAsOpFoldResult(p.countGridBatches(/*ofKeys=*/false)),
      getAsOpFoldResult(p.queryHeads),
      getAsOpFoldResult(p.countTiles(/*ofKeys=*/false))};
  auto forall = scf::ForallOp::create(rewriter, loc, grid, out,
                                      /*mapping=*/std::nullopt);
  p.setSchedule(forall, p.schedule, contents(of));
  rewriter.setInsertionPoint(forall.getTerminator());
  queryHead = forall.getInductionVar(1);
  keyHead = index.div(queryHead, p.group);
  RowTile rows;
  std::tie(own, rows) = p.findTile(forall.getInductionVar(0),
                                   forall.getInductionVar(2), /*ofKeys=*/false);
  QueryTiles queries = queryTiles(rows);
  if (isOfOneThread()) {
    queries.queryT = transpose(queries.query);
    queries.dOutputT = transpose(queries.dOutput);
  }
  Sums sums;
  sums.query = zeroTile(p.rows, p.qkDim);
  auto [from, to, by] = p.stepsOver(p.keyTiles(), visibleKeys(queries));
  auto loop = scf::ForOp::create(
      rewriter, loc, from, to, by, sums.list(),
      [&](OpBuilder &, Location, Value at, ValueRange args) {
        OpBuilder::InsertionGuard guard(rewriter);
        rewriter.setInsertionPointToEnd(at.getParentBlock());
        RowTile keys = p.tileAt(p.keyTiles(), at, own.numKeys);
        scf::YieldOp::create(rewriter, loc,
                             stepUnlessHidden(queries, keyTiles(keys),
                                              sums.with(args),
                                              /*transposed=*/isOfOneThread())
                                 .list());
      });
  Value tile =
      roundGradient(p, loop.getResult(0), element, op.getScaleOrDefault());
  insertTile(rewriter, loc, tile, forall.getRegionIterArgs()[0], op.getLayout(),
             own.rowBatch, queryHead, index.add(own.queryRow, rows.first),
             queries.existing, forall.getTerminator());
  return forall.getResult(0);
}
