//===- BackwardSteps.cpp - Tiles of a backward and what adds to them ------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %qt = tensor.extract_slice %q[...] ; tensor.pad       // a block of queries
//   %kt = tensor.extract_slice %k[...] ; tensor.pad       // and one of keys
//   %s:3 = flash.backward_step ins(%qt, %kt, ...) d_query(%dq) d_key(%dk) ...
//
// A step stands inside a condition where the mask can hide a block that a loop
// meets.
//
//===----------------------------------------------------------------------===//

#include "BackwardSteps.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace flash;

Value BackwardTiler::transpose(Value tile) {
  auto type = cast<RankedTensorType>(tile.getType());
  Value empty = tensor::EmptyOp::create(
      rewriter, loc, ArrayRef<int64_t>{type.getDimSize(1), type.getDimSize(0)},
      type.getElementType());
  return linalg::TransposeOp::create(rewriter, loc, tile, empty,
                                     ArrayRef<int64_t>{1, 0})
      ->getResult(0);
}

KeyTiles BackwardTiler::keyTiles(const RowTile &tile) {
  KeyTiles tiles{tile.first, tile.existing, tile.existing, {}, {}, {}, {}};
  if (own.numKeys != own.allKeys) {
    Value left =
        index.max(index.sub(own.numKeys, tile.first), index.constant(0));
    tiles.existing = getAsOpFoldResult(index.min(
        getValueOrCreateConstantIndexOp(rewriter, loc, tile.existing), left));
  }
  Value row = index.add(own.keyRow, tile.first);
  auto read = [&](Value tensor, int64_t dim) {
    return readTile(rewriter, loc, tensor, op.getLayout(), own.keyBatch,
                    keyHead, row, tiles.existing, {p.keys, dim});
  };
  tiles.key = read(op.getKey(), p.qkDim);
  tiles.value = read(op.getValue(), p.vDim);
  return tiles;
}

/// The parts of a statistic as the operand of a product: rows of 0 after them.
Value BackwardTiler::readParts(Value tensor, Value padded) {
  auto type = cast<RankedTensorType>(tensor.getType());
  int64_t parts = type.getDimSize(3), rows = type.getDimSize(4);
  OpFoldResult zero = rewriter.getIndexAttr(0), one = rewriter.getIndexAttr(1);
  SmallVector<OpFoldResult> at{
      getAsOpFoldResult(own.rowBatch), getAsOpFoldResult(queryHead),
      getAsOpFoldResult(
          index.add(own.tilesBefore, index.div(padded, index.constant(rows)))),
      zero, zero},
      sizes{one, one, one, rewriter.getIndexAttr(parts),
            rewriter.getIndexAttr(rows)},
      ones(5, one);
  Type element = type.getElementType();
  Value slice = tensor::ExtractSliceOp::create(
      rewriter, loc, RankedTensorType::get({parts, rows}, element), tensor, at,
      sizes, ones);
  constexpr int64_t columnsOfStep = 16;
  SmallVector<OpFoldResult> low(2, zero),
      high{rewriter.getIndexAttr(columnsOfStep - parts), zero};
  Value none = arith::ConstantOp::create(rewriter, loc,
                                         rewriter.getFloatAttr(element, 0.0));
  return tensor::PadOp::create(
      rewriter, loc, RankedTensorType::get({columnsOfStep, rows}, element),
      slice, low, high, none);
}

QueryTiles BackwardTiler::queryTiles(const RowTile &tile) {
  QueryTiles tiles{tile.first, tile.padded, tile.existing, {}, {}, {}, {},
                   {},         {}};
  Value row = index.add(own.queryRow, tile.first);
  auto read = [&](Value tensor, int64_t dim) {
    return readTile(rewriter, loc, tensor, op.getLayout(), own.rowBatch,
                    queryHead, row, tiles.existing, {p.rows, dim});
  };
  tiles.query = read(op.getQuery(), p.qkDim);
  tiles.dOutput = read(op.getDOutput(), p.vDim);
  auto readRows = [&](Value tensor) -> Value {
    auto type = cast<RankedTensorType>(tensor.getType());
    if (type.getRank() == 5)
      return readParts(tensor, tile.padded);
    Value size = index.constant(type.getDimSize(3));
    Value block = index.div(tile.padded, size);
    SmallVector<OpFoldResult> at{
        getAsOpFoldResult(own.rowBatch), getAsOpFoldResult(queryHead),
        getAsOpFoldResult(index.add(own.tilesBefore, block)),
        getAsOpFoldResult(index.sub(tile.padded, index.mul(block, size)))},
        ones(4, rewriter.getIndexAttr(1)), sizes = ones;
    sizes[3] = rewriter.getIndexAttr(p.rows);
    if (type.getDimSize(3) == p.rows)
      at[3] = rewriter.getIndexAttr(0);
    return tensor::ExtractSliceOp::create(
        rewriter, loc, RankedTensorType::get(p.rows, type.getElementType()),
        tensor, at, sizes, ones);
  };
  tiles.lse = readRows(statistics.lse);
  tiles.delta = readRows(statistics.delta);
  return tiles;
}

BackwardStepOp BackwardTiler::buildStep(const QueryTiles &queries,
                                        const KeyTiles &keys, const Sums &sums,
                                        bool transposed, bool ofScores) {
  bool wantsPlace = !op.getMaskOperands().empty() ||
                    !op.getMaskBody().empty() ||
                    !op.getEffectiveScores().empty() || op.getDropoutP();
  auto ifWanted = [&](Value value) { return wantsPlace ? value : Value(); };
  auto unitIf = [&](bool set) {
    return set ? rewriter.getUnitAttr() : UnitAttr();
  };
  auto toIndex = [&](OpFoldResult count) {
    return getValueOrCreateConstantIndexOp(rewriter, loc, count);
  };
  SmallVector<Attribute> functions;
  for (ScoreAttrInterface function : op.getEffectiveScores())
    functions.push_back(function);
  auto typeOf = [](Value sum) { return sum ? sum.getType() : Type(); };
  Type scoreType;
  if (ofScores)
    scoreType = transposed
                    ? RankedTensorType::get({p.keys, p.rows}, p.accumulator)
                    : RankedTensorType::get({p.rows, p.keys}, p.accumulator);
  auto result = BackwardStepOp::create(
      rewriter, loc, typeOf(sums.query), typeOf(sums.key), typeOf(sums.value),
      /*scores_out=*/scoreType, /*d_scores=*/scoreType, queries.query, keys.key,
      keys.value, queries.dOutput, queries.lse, queries.delta, queries.queryT,
      queries.dOutputT, keys.keyT, keys.valueT, sums.query, sums.key,
      sums.value, index.add(own.qOffset, queries.first),
      index.add(own.keyPosition, keys.first), toIndex(keys.existing),
      wantsPlace || mask ? toIndex(queries.existing) : Value(),
      ifWanted(own.batch), ifWanted(queryHead),
      ifWanted(index.sub(own.qOffset, own.queryRow)),
      ifWanted(index.sub(own.keyPosition, own.keyRow)),
      /*listed_full=*/Value(), querySummary, keySummary,
      /*key_scale=*/Value(), op.getMaskOperands(), op.getScoreOperands(),
      op.getSeed(), op.getDropoutOffset(), op.getCaptures(),
      rewriter.getFloatAttr(p.accumulator, op.getScaleOrDefault()), mask,
      functions.empty() ? ArrayAttr() : rewriter.getArrayAttr(functions),
      op.getDropoutPAttr(), unitIf(transposed),
      unitIf(wantsPlace && isOfOneThread()), PackingAttr());
  IRMapping mapping;
  op.getScoreBody().cloneInto(&result.getScoreBody(), mapping);
  op.getMaskBody().cloneInto(&result.getMaskBody(), mapping);
  return result;
}

Sums BackwardTiler::step(const QueryTiles &queries, const KeyTiles &keys,
                         const Sums &sums, bool transposed) {
  BackwardStepOp result = buildStep(queries, keys, sums, transposed);
  return {result.getDQuery(), result.getDKey(), result.getDValue()};
}

/// What the mask's data say of the block's queries and keys.
void BackwardTiler::sumUp(const QueryTiles &queries, const KeyTiles &keys) {
  querySummary.clear();
  keySummary.clear();
  if (!mask || !mask.getSummarySize() ||
      (!isOfOneThread() && !mask.needsSummary()))
    return;
  auto toIndex = [&](OpFoldResult count) {
    return getValueOrCreateConstantIndexOp(rewriter, loc, count);
  };
  querySummary = mask.buildSummary(rewriter, loc, place(), Along::Queries,
                                   index.add(own.qOffset, queries.first),
                                   toIndex(queries.existing));
  keySummary = mask.buildSummary(rewriter, loc, place(), Along::Keys,
                                 index.add(own.keyPosition, keys.first),
                                 toIndex(keys.existing));
}

/// What `body` makes of a block, inside a condition where the mask can hide one
/// that the loop meets, so that nothing of it is computed; then it is
/// `carried`.
SmallVector<Value>
BackwardTiler::unlessHidden(const QueryTiles &queries, const KeyTiles &keys,
                            ValueRange carried,
                            function_ref<SmallVector<Value>()> body) {
  sumUp(queries, keys);
  Value hidden;
  if (mask && ((mask.hasHoles() && isOfOneThread()) || !keySummary.empty()))
    hidden = mask.buildIsHidden(
        rewriter, loc, place(), index.add(own.qOffset, queries.first),
        index.add(own.qOffset, lastOf(queries.first, queries.existing)),
        index.add(own.keyPosition, keys.first),
        index.add(own.keyPosition, lastOf(keys.first, keys.existing)));
  if (!hidden)
    return body();
  auto branch = scf::IfOp::create(
      rewriter, loc, hidden,
      [&](OpBuilder &, Location) {
        scf::YieldOp::create(rewriter, loc, carried);
      },
      [&](OpBuilder &, Location) {
        scf::YieldOp::create(rewriter, loc, body());
      });
  return SmallVector<Value>(branch.getResults());
}

Sums BackwardTiler::stepUnlessHidden(const QueryTiles &queries,
                                     const KeyTiles &keys, const Sums &sums,
                                     bool transposed) {
  return sums.with(unlessHidden(queries, keys, sums.list(), [&] {
    return step(queries, keys, sums, transposed).list();
  }));
}
