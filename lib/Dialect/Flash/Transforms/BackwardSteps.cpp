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

KeyTiles BackwardTiler::keyTiles(Value first) {
  KeyTiles tiles{first, p.existing(first, p.numKeys, p.keys), {}, {}, {}, {}};
  auto read = [&](Value tensor, int64_t dim) {
    return readTile(rewriter, loc, tensor, op.getLayout(), batch, keyHead,
                    first, tiles.existing, {p.keys, dim});
  };
  tiles.key = read(op.getKey(), p.qkDim);
  tiles.value = read(op.getValue(), p.vDim);
  return tiles;
}

/// The parts of a statistic as the operand of a product: rows of 0 behind them.
Value BackwardTiler::readParts(Value tensor, Value first) {
  auto type = cast<RankedTensorType>(tensor.getType());
  int64_t parts = type.getDimSize(3), rows = type.getDimSize(4);
  OpFoldResult zero = rewriter.getIndexAttr(0), one = rewriter.getIndexAttr(1);
  SmallVector<OpFoldResult> at{
      getAsOpFoldResult(batch), getAsOpFoldResult(queryHead),
      getAsOpFoldResult(index.div(first, index.constant(rows))), zero, zero},
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

QueryTiles BackwardTiler::queryTiles(Value first) {
  QueryTiles tiles{
      first, p.existing(first, p.numQueries, p.rows), {}, {}, {}, {}, {}, {}};
  auto read = [&](Value tensor, int64_t dim) {
    return readTile(rewriter, loc, tensor, op.getLayout(), batch, queryHead,
                    first, tiles.existing, {p.rows, dim});
  };
  tiles.query = read(op.getQuery(), p.qkDim);
  tiles.dOutput = read(op.getDOutput(), p.vDim);
  auto readRows = [&](Value tensor) -> Value {
    auto type = cast<RankedTensorType>(tensor.getType());
    if (type.getRank() == 5)
      return readParts(tensor, first);
    Value size = index.constant(type.getDimSize(3));
    Value block = index.div(first, size);
    SmallVector<OpFoldResult> at{
        getAsOpFoldResult(batch), getAsOpFoldResult(queryHead),
        getAsOpFoldResult(block),
        getAsOpFoldResult(index.sub(first, index.mul(block, size)))},
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

Sums BackwardTiler::step(const QueryTiles &queries, const KeyTiles &keys,
                         const Sums &sums, bool transposed) {
  bool wantsPlace = !op.getMaskOperands().empty() ||
                    !op.getMaskBody().empty() ||
                    !op.getEffectiveScores().empty();
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
  auto result = BackwardStepOp::create(
      rewriter, loc, typeOf(sums.query), typeOf(sums.key), typeOf(sums.value),
      queries.query, keys.key, keys.value, queries.dOutput, queries.lse,
      queries.delta, queries.queryT, queries.dOutputT, keys.keyT, keys.valueT,
      sums.query, sums.key, sums.value, index.add(p.qOffset, queries.first),
      index.add(p.kvOffset, keys.first), toIndex(keys.existing),
      wantsPlace || mask ? toIndex(queries.existing) : Value(), ifWanted(batch),
      ifWanted(queryHead), ifWanted(p.qOffset), ifWanted(p.kvOffset),
      /*listed_full=*/Value(), /*query_summary=*/ValueRange(),
      /*key_summary=*/ValueRange(), /*key_scale=*/Value(), op.getMaskOperands(),
      op.getScoreOperands(), /*seed=*/Value(),
      /*dropout_offset=*/Value(), op.getCaptures(),
      rewriter.getFloatAttr(p.accumulator, op.getScaleOrDefault()), mask,
      functions.empty() ? ArrayAttr() : rewriter.getArrayAttr(functions),
      /*dropout_p=*/FloatAttr(), unitIf(transposed),
      unitIf(wantsPlace && isOfOneThread()), PackingAttr());
  IRMapping mapping;
  op.getScoreBody().cloneInto(&result.getScoreBody(), mapping);
  op.getMaskBody().cloneInto(&result.getMaskBody(), mapping);
  return {result.getDQuery(), result.getDKey(), result.getDValue()};
}

/// A step, inside a condition where the mask can hide a block that the loop
/// meets, so that nothing of it is computed.
Sums BackwardTiler::stepUnlessHidden(const QueryTiles &queries,
                                     const KeyTiles &keys, const Sums &sums,
                                     bool transposed) {
  Value hidden;
  if (mask && mask.hasHoles() && isOfOneThread())
    hidden = mask.buildIsHidden(
        rewriter, loc, place(), index.add(p.qOffset, queries.first),
        index.add(p.qOffset, lastOf(queries.first, queries.existing)),
        index.add(p.kvOffset, keys.first),
        index.add(p.kvOffset, lastOf(keys.first, keys.existing)));
  if (!hidden)
    return step(queries, keys, sums, transposed);
  auto branch = scf::IfOp::create(
      rewriter, loc, hidden,
      [&](OpBuilder &, Location) {
        scf::YieldOp::create(rewriter, loc, sums.list());
      },
      [&](OpBuilder &, Location) {
        scf::YieldOp::create(rewriter, loc,
                             step(queries, keys, sums, transposed).list());
      });
  return sums.with(branch.getResults());
}
