//===- TileBackward.cpp - Tile a backward (L0 to L1) ----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %lse, %do
//   // with #flash.recompute<outer = keys, sum = added> becomes
//   statistics of each query                               BackwardRows.cpp
//   scf.forall (%b, %h, %j) in (batch, key heads, key blocks) {
//     %r:3 = scf.for %i = %first to %end step m iter_args(dk, dv, dq) {
//       %s:3 = flash.backward_step ins(...) d_query(0) d_key(dk) d_value(dv)
//       flash.add_slice %s#0 into dq[%i]
//     }
//     parallel_insert_slice dk, dv ; flash.parallel_add_slice dq
//   }
//   dq, scaled and rounded                                 BackwardRows.cpp
//
// With `sum = owned` an iteration of the forall walks all blocks of keys, and
// its part of each gradient is its own. `outer = queries` is a forall over
// blocks of queries around a loop over keys, for dq alone; `outer = both` has
// that for dq, and the loop above for dk and dv.
//
//===----------------------------------------------------------------------===//

#include "BackwardTiler.h"

#include "flash/Dialect/Flash/Analysis/ScheduleModel.h"
#include "flash/Dialect/Flash/IR/ScheduleFields.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include <numeric>

using namespace mlir;
using namespace flash;

BackwardProblem::BackwardProblem(RewriterBase &rewriter, AttentionBackwardOp op,
                                 ScheduleAttr schedule)
    : rewriter(rewriter), op(op), schedule(schedule), loc(op.getLoc()),
      index(rewriter, loc), rows(schedule.getM()), keys(schedule.getN()),
      qkDim(roundUp(op.getQKHeadDim(), schedule.getD())),
      vDim(roundUp(op.getVHeadDim(), schedule.getD())),
      accumulator(op.getAccumulatorType()) {
  int64_t heads = op.getHeadsDim(), length = op.getLengthDim();
  batches = index.dim(op.getQuery(), 0);
  queryHeads = index.dim(op.getQuery(), heads);
  keyHeads = index.dim(op.getKey(), heads);
  numQueries = index.dim(op.getQuery(), length);
  numKeys = index.dim(op.getKey(), length);
  group = index.div(queryHeads, index.max(keyHeads, index.constant(1)));
  // Two loops have blocks of queries of different sizes.
  OuterLoop outer = op.getRecompute()->getOuter();
  statisticsRows = outer == OuterLoop::Both || outer == OuterLoop::Each
                       ? std::lcm(rows, keys)
                       : rows;
  paddedQueries = index.mul(index.ceilDiv(numQueries, statisticsRows),
                            index.constant(statisticsRows));
  kvOffset = op.getKvOffset() ? op.getKvOffset() : index.constant(0);
  qOffset = op.getQOffset()
                ? op.getQOffset()
                : index.add(kvOffset, index.sub(numKeys, numQueries));
}

BackwardProblem BackwardProblem::withBlocksOf(int64_t queries,
                                              int64_t keysOfBlock) const {
  BackwardProblem problem = *this;
  problem.rows = queries;
  problem.keys = keysOfBlock;
  ScheduleFields fields = ScheduleFields::get(schedule);
  fields.m = queries;
  fields.n = keysOfBlock;
  problem.schedule = fields.get(op->getContext());
  return problem;
}

void BackwardProblem::setSchedule(scf::ForallOp loop, ScheduleAttr given,
                                  LoopContents contents) {
  hasFailed |= failed(flash::setSchedule(loop, given, contents));
}

Value BackwardProblem::countQueryBlocks() {
  return index.ceilDiv(numQueries, rows);
}

OpFoldResult BackwardProblem::existing(Value first, Value count, int64_t most) {
  std::optional<int64_t> known = getConstantIntValue(count);
  if (known && *known % most == 0)
    return rewriter.getIndexAttr(most);
  return getAsOpFoldResult(
      index.min(index.constant(most), index.sub(count, first)));
}

namespace {
/// Tiles of a block of keys; transposed copies where the target reads them.
struct KeyTiles {
  Value first;
  OpFoldResult existing;
  Value key, value, keyT, valueT;
};

/// Tiles of a block of queries.
struct QueryTiles {
  Value first;
  OpFoldResult existing;
  Value query, dOutput, lse, delta, queryT, dOutputT;
};

/// Sums that a step adds to; null where nobody asked for them.
struct Sums {
  Value query, key, value;

  SmallVector<Value> list() const {
    SmallVector<Value> all;
    for (Value sum : {query, key, value})
      if (sum)
        all.push_back(sum);
    return all;
  }
  /// The same sums with other values.
  Sums with(ValueRange values) const {
    Sums sums;
    for (auto [from, to] : {std::pair{&query, &sums.query},
                            {&key, &sums.key},
                            {&value, &sums.value}})
      if (*from) {
        *to = values.front();
        values = values.drop_front();
      }
    return sums;
  }
};

class BackwardTiler {
public:
  BackwardTiler(BackwardProblem &problem, RowStatistics statistics)
      : p(problem), rewriter(p.rewriter), op(p.op), loc(p.loc), index(p.index),
        mask(op.getEffectiveMask()), statistics(statistics) {}

  SmallVector<Value> tile();

private:
  SmallVector<Value> loopOverKeyBlocks(bool query, bool key, bool value);
  Value loopOverQueryBlocks();

  KeyTiles keyTiles(Value first);
  QueryTiles queryTiles(Value first);
  Value readParts(Value tensor, Value first);
  Sums step(const QueryTiles &queries, const KeyTiles &keys, const Sums &sums,
            bool transposed);
  Sums stepUnlessHidden(const QueryTiles &queries, const KeyTiles &keys,
                        const Sums &sums, bool transposed);
  Sums walkQueries(const KeyTiles &keys, Sums sums);
  std::pair<Value, Value> rowsOf(std::pair<Value, Value> positions,
                                 Value origin, Value count, int64_t size);
  std::pair<Value, Value> visibleQueries(const KeyTiles &keys);
  bool visibleQueriesOfGroup(const KeyTiles &keys,
                             std::pair<Value, Value> &rows);
  std::pair<Value, Value> visibleKeys(const QueryTiles &queries);
  Value addToQueries(Value tile, Value slab, Value row);
  Value zeroTile(int64_t rows, int64_t columns) {
    return filledTile(rewriter, loc, {rows, columns}, 0.0, p.accumulator);
  }
  Value transpose(Value tile);
  Value divide(Value a, Value b);
  TilePlace place() {
    return TilePlace{batch,
                     queryHead,
                     p.qOffset,
                     p.kvOffset,
                     op.getMaskOperands(),
                     &op.getMaskBody(),
                     op.getCaptures(),
                     /*laterHidden=*/false,
                     /*listedFull=*/Value(),
                     /*querySummary=*/{},
                     /*keySummary=*/{},
                     /*firstQuery=*/Value(),
                     /*firstKey=*/Value()};
  }
  Value lastOf(Value first, OpFoldResult count) {
    return index.sub(
        index.add(first, getValueOrCreateConstantIndexOp(rewriter, loc, count)),
        index.constant(1));
  }
  /// Products of a step that adds to these gradients, two of them to compute
  /// the scores and their gradients again.
  LoopContents contents(bool query, bool key, bool value) {
    bool scores = query || key;
    return {1 + scores + query + key + value, false, bool(mask)};
  }
  bool isOfOneThread() { return p.schedule.getTiling().getSummaries(); }

  BackwardProblem &p;
  RewriterBase &rewriter;
  AttentionBackwardOp op;
  Location loc;
  IndexBuilder &index;
  MaskAttrInterface mask;
  RowStatistics statistics;
  // Of the block being built.
  Value batch, keyHead, queryHead;
};
} // namespace

//===----------------------------------------------------------------------===//
// Tiles and steps
//===----------------------------------------------------------------------===//

Value BackwardTiler::transpose(Value tile) {
  auto type = cast<RankedTensorType>(tile.getType());
  Value empty = tensor::EmptyOp::create(
      rewriter, loc, ArrayRef<int64_t>{type.getDimSize(1), type.getDimSize(0)},
      type.getElementType());
  return linalg::TransposeOp::create(rewriter, loc, tile, empty,
                                     ArrayRef<int64_t>{1, 0})
      ->getResult(0);
}

/// Counts of blocks, of which 32 bits hold each: threads of a GPU divide those
/// faster.
Value BackwardTiler::divide(Value a, Value b) {
  if (isOfOneThread())
    return index.div(a, b);
  Type narrow = rewriter.getI32Type();
  auto toNarrow = [&](Value value) {
    return rewriter.createOrFold<arith::IndexCastUIOp>(loc, narrow, value);
  };
  Value quotient =
      arith::DivUIOp::create(rewriter, loc, toNarrow(a), toNarrow(b));
  return arith::IndexCastUIOp::create(rewriter, loc, rewriter.getIndexType(),
                                      quotient);
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
  SmallVector<OpFoldResult> at{getAsOpFoldResult(batch),
                               getAsOpFoldResult(queryHead),
                               getAsOpFoldResult(index.div(
                                   first, index.constant(rows))),
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

/// Rows of a range of positions, of which either end may be open: the first one
/// at the begin of a block of `size` rows.
std::pair<Value, Value> BackwardTiler::rowsOf(std::pair<Value, Value> positions,
                                              Value origin, Value count,
                                              int64_t size) {
  Value zero = index.constant(0), first = zero, end = count;
  auto toRow = [&](Value position) {
    return index.min(index.max(index.sub(position, origin), zero), count);
  };
  if (positions.first) {
    Value block = index.constant(size);
    first = index.mul(index.div(toRow(positions.first), block), block);
  }
  if (positions.second)
    end = toRow(positions.second);
  return {first, end};
}

//===----------------------------------------------------------------------===//
// Keys outside
//===----------------------------------------------------------------------===//

/// The rows of queries that see some key of the block, the first one at the
/// begin of a block of queries.
std::pair<Value, Value> BackwardTiler::visibleQueries(const KeyTiles &keys) {
  if (!mask)
    return {index.constant(0), p.numQueries};
  return rowsOf(mask.buildVisibleQueries(
                    rewriter, loc, place(), index.add(p.kvOffset, keys.first),
                    index.add(p.kvOffset, lastOf(keys.first, keys.existing))),
                p.qOffset, p.numQueries, p.rows);
}

/// The same for all heads of the group together; true if each has rows of its
/// own.
bool BackwardTiler::visibleQueriesOfGroup(const KeyTiles &keys,
                                          std::pair<Value, Value> &rows) {
  Value firstHead = index.mul(keyHead, p.group);
  queryHead = firstHead;
  if (!mask || getConstantIntValue(p.group) == 1) {
    rows = visibleQueries(keys);
    return false;
  }
  // A head that nothing folds shows whether the rows depend on it.
  auto probe = UnrealizedConversionCastOp::create(
      rewriter, loc, rewriter.getIndexType(), firstHead);
  queryHead = probe.getResult(0);
  rows = visibleQueries(keys);
  bool differ = !queryHead.use_empty();
  auto forget = [&](Value &row) {
    if (row == queryHead)
      row = firstHead;
  };
  forget(rows.first);
  forget(rows.second);
  rewriter.replaceOp(probe, firstHead);
  queryHead = firstHead;
  if (!differ)
    return false;
  // Up to so many heads are asked for the first and the last of their rows.
  constexpr int64_t most = 16;
  std::optional<int64_t> group = getConstantIntValue(p.group);
  if (!group || *group > most) {
    rows = {index.constant(0), p.numQueries};
    return true;
  }
  for (int64_t head = 1; head < *group; ++head) {
    queryHead = index.add(firstHead, index.constant(head));
    auto [first, end] = visibleQueries(keys);
    rows = {index.min(rows.first, first), index.max(rows.second, end)};
  }
  return true;
}

/// Adds a tile to the rows from `row` on of the query head; `slab` has them for
/// the group of heads.
Value BackwardTiler::addToQueries(Value tile, Value slab, Value row) {
  auto type = cast<RankedTensorType>(slab.getType());
  SmallVector<OpFoldResult> offsets{getAsOpFoldResult(row),
                                    rewriter.getIndexAttr(0)},
      sizes{rewriter.getIndexAttr(p.rows), rewriter.getIndexAttr(p.qkDim)};
  if (type.getRank() == 3) {
    Value first = index.mul(keyHead, p.group);
    offsets.insert(offsets.begin(),
                   getAsOpFoldResult(index.sub(queryHead, first)));
    sizes.insert(sizes.begin(), rewriter.getIndexAttr(1));
  }
  SmallVector<int64_t> staticOffsets, staticSizes;
  SmallVector<Value> dynamicOffsets, dynamicSizes;
  dispatchIndexOpFoldResults(offsets, dynamicOffsets, staticOffsets);
  dispatchIndexOpFoldResults(sizes, dynamicSizes, staticSizes);
  SmallVector<int64_t> ones(type.getRank(), 1);
  return AddSliceOp::create(rewriter, loc, slab.getType(), tile, slab,
                            dynamicOffsets, dynamicSizes, ValueRange(),
                            staticOffsets, staticSizes, ones);
}

/// The loop over the queries that see a block of keys, of all heads of the
/// group; `sums.query` is the group's slab. Where heads see rows of their own,
/// one thread leaves out those of others; warps mask them.
Sums BackwardTiler::walkQueries(const KeyTiles &keys, Sums sums) {
  Value firstHead = index.mul(keyHead, p.group);
  std::pair<Value, Value> rows;
  bool differ = visibleQueriesOfGroup(keys, rows);
  Value first = rows.first, end = rows.second;
  Value size = index.constant(p.rows), one = index.constant(1);
  bool single = getConstantIntValue(p.group) == 1;
  Value blocks, from = first, to = end, by = size;
  if (!single) {
    // Heads one after the other, in one loop.
    blocks = index.max(index.ceilDiv(index.sub(end, first), p.rows),
                       index.constant(0));
    from = index.constant(0);
    to = index.mul(blocks, p.group);
    by = one;
  }
  auto loop = scf::ForOp::create(
      rewriter, loc, from, to, by, sums.list(),
      [&](OpBuilder &, Location, Value place, ValueRange args) {
        OpBuilder::InsertionGuard guard(rewriter);
        rewriter.setInsertionPointToEnd(place.getParentBlock());
        Value row = place;
        if (!single) {
          Value head = divide(place, index.max(blocks, one));
          queryHead = index.add(firstHead, head);
          row = index.add(
              first,
              index.mul(index.sub(place, index.mul(head, blocks)), size));
        }
        Sums before = sums.with(args);
        auto add = [&] {
          Sums inside = before;
          if (sums.query)
            inside.query = zeroTile(p.rows, p.qkDim);
          Sums after = stepUnlessHidden(queryTiles(row), keys, inside,
                                        /*transposed=*/!isOfOneThread());
          if (sums.query)
            after.query = addToQueries(after.query, before.query, row);
          return after.list();
        };
        if (!differ || !isOfOneThread()) {
          scf::YieldOp::create(rewriter, loc, add());
          return;
        }
        auto [ownFirst, ownEnd] = visibleQueries(keys);
        Value inside = arith::AndIOp::create(
            rewriter, loc,
            arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::sge, row,
                                  ownFirst),
            arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::slt, row,
                                  ownEnd));
        auto branch = scf::IfOp::create(
            rewriter, loc, inside,
            [&](OpBuilder &, Location) {
              scf::YieldOp::create(rewriter, loc, add());
            },
            [&](OpBuilder &, Location) {
              scf::YieldOp::create(rewriter, loc, before.list());
            });
        scf::YieldOp::create(rewriter, loc, branch.getResults());
      });
  return sums.with(loop.getResults());
}

/// dk and dv by a loop over blocks of keys outside; with `query` the sums for
/// the queries, too.
SmallVector<Value> BackwardTiler::loopOverKeyBlocks(bool query, bool key,
                                                    bool value) {
  OpBuilder::InsertionGuard guard(rewriter);
  bool owned = op.getRecompute()->getSum() == GradientSum::Owned;
  Value keyBlocks = index.ceilDiv(p.numKeys, p.keys);
  SmallVector<OpFoldResult> grid{getAsOpFoldResult(p.batches),
                                 getAsOpFoldResult(p.keyHeads),
                                 owned ? OpFoldResult(rewriter.getIndexAttr(1))
                                       : getAsOpFoldResult(keyBlocks)};
  // The sums for the queries, where several blocks of keys add to them.
  SmallVector<Value> outs;
  if (query) {
    SmallVector<OpFoldResult> sizes{
        getAsOpFoldResult(p.batches), getAsOpFoldResult(p.queryHeads),
        getAsOpFoldResult(p.paddedQueries), rewriter.getIndexAttr(p.qkDim)};
    outs.push_back(zeroTensor(p, sizes));
  }
  for (auto [wanted, tensor] :
       {std::pair<bool, Value>{key, op.getKey()}, {value, op.getValue()}})
    if (wanted)
      outs.push_back(tensor::EmptyOp::create(
          rewriter, loc, tensor::getMixedSizes(rewriter, loc, tensor),
          cast<RankedTensorType>(tensor.getType()).getElementType()));
  auto forall = scf::ForallOp::create(rewriter, loc, grid, outs,
                                      /*mapping=*/std::nullopt);
  p.setSchedule(forall, p.schedule, contents(query, key, value));
  rewriter.setInsertionPoint(forall.getTerminator());
  batch = forall.getInductionVar(0);
  keyHead = forall.getInductionVar(1);
  Value firstHead = index.mul(keyHead, p.group);
  bool single = getConstantIntValue(p.group) == 1;
  ArrayRef<BlockArgument> destinations = forall.getRegionIterArgs();
  OpFoldResult zero = rewriter.getIndexAttr(0), one = rewriter.getIndexAttr(1);

  // The group's part of the sums for the queries.
  SmallVector<OpFoldResult> slabOffsets{
      getAsOpFoldResult(batch), getAsOpFoldResult(firstHead), zero, zero},
      slabSizes{one, single ? one : getAsOpFoldResult(p.group),
                getAsOpFoldResult(p.paddedQueries),
                rewriter.getIndexAttr(p.qkDim)},
      ones(4, one);
  auto slabType = [&] {
    SmallVector<int64_t> shape{
        getConstantIntValue(p.paddedQueries).value_or(ShapedType::kDynamic),
        p.qkDim};
    if (!single)
      shape.insert(shape.begin(),
                   getConstantIntValue(p.group).value_or(ShapedType::kDynamic));
    return RankedTensorType::get(shape, p.accumulator);
  };
  Sums sums;
  auto begin = [&](Sums &at) {
    if (key)
      at.key = zeroTile(p.keys, p.qkDim);
    if (value)
      at.value = zeroTile(p.keys, p.vDim);
  };
  if (!owned) {
    if (query) {
      SmallVector<OpFoldResult> sizes(slabSizes.begin() + (single ? 2 : 1),
                                      slabSizes.end());
      sums.query = zeroTensor(p, sizes);
    }
    begin(sums);
    // From the end: the last iterations of a parallel loop are begun first, and
    // under a causal mask the first keys have the most queries.
    Value block = index.sub(index.sub(keyBlocks, index.constant(1)),
                            forall.getInductionVar(2));
    Value first = index.mul(block, index.constant(p.keys));
    KeyTiles keys = keyTiles(first);
    sums = walkQueries(keys, sums);
    auto write = [&](Value sum, Value dest, double scale) {
      Type element = cast<RankedTensorType>(dest.getType()).getElementType();
      insertTile(rewriter, loc, roundGradient(p, sum, element, scale), dest,
                 op.getLayout(), batch, keyHead, first, keys.existing,
                 forall.getTerminator());
    };
    unsigned next = query;
    if (key)
      write(sums.key, destinations[next++], op.getScaleOrDefault());
    if (value)
      write(sums.value, destinations[next++], 1);
    if (query) {
      rewriter.setInsertionPointToEnd(forall.getTerminator().getBody());
      SmallVector<int64_t> staticOffsets, staticSizes, staticOnes(4, 1);
      SmallVector<Value> dynamicOffsets, dynamicSizes;
      dispatchIndexOpFoldResults(slabOffsets, dynamicOffsets, staticOffsets);
      dispatchIndexOpFoldResults(slabSizes, dynamicSizes, staticSizes);
      ParallelAddSliceOp::create(rewriter, loc, sums.query, destinations[0],
                                 dynamicOffsets, dynamicSizes, ValueRange(),
                                 staticOffsets, staticSizes, staticOnes);
    }
    return SmallVector<Value>(forall.getResults());
  }

  // One iteration has all keys of a head: its parts of the results are carried
  // through a loop over blocks of keys, and written in place.
  SmallVector<Value> slabs;
  SmallVector<SmallVector<OpFoldResult>> offsets, sizes;
  unsigned next = 0;
  if (query) {
    slabs.push_back(tensor::ExtractSliceOp::create(
        rewriter, loc, slabType(), destinations[next++], slabOffsets, slabSizes,
        ones));
    offsets.push_back(slabOffsets);
    sizes.push_back(slabSizes);
  }
  int64_t headsDim = op.getHeadsDim(), lengthDim = op.getLengthDim();
  for (bool wanted : {key, value}) {
    if (!wanted)
      continue;
    Value dest = destinations[next++];
    auto type = cast<RankedTensorType>(dest.getType());
    SmallVector<OpFoldResult> at(4, zero), size(4, one);
    at[0] = getAsOpFoldResult(batch);
    at[headsDim] = getAsOpFoldResult(keyHead);
    size[lengthDim] = getAsOpFoldResult(p.numKeys);
    size[3] = rewriter.getIndexAttr(type.getDimSize(3));
    auto headType = RankedTensorType::get(
        {getConstantIntValue(p.numKeys).value_or(ShapedType::kDynamic),
         type.getDimSize(3)},
        type.getElementType());
    slabs.push_back(tensor::ExtractSliceOp::create(rewriter, loc, headType,
                                                   dest, at, size, ones));
    offsets.push_back(at);
    sizes.push_back(size);
  }
  auto loop = scf::ForOp::create(
      rewriter, loc, index.constant(0), p.numKeys, index.constant(p.keys),
      slabs, [&](OpBuilder &, Location, Value first, ValueRange args) {
        OpBuilder::InsertionGuard guard(rewriter);
        rewriter.setInsertionPointToEnd(first.getParentBlock());
        Sums inside;
        if (query)
          inside.query = args.front();
        begin(inside);
        KeyTiles keys = keyTiles(first);
        keys.keyT = transpose(keys.key);
        keys.valueT = transpose(keys.value);
        Sums after = walkQueries(keys, inside);
        SmallVector<Value> yielded;
        if (query)
          yielded.push_back(after.query);
        auto write = [&](Value sum, Value slab, double scale) {
          auto type = cast<RankedTensorType>(slab.getType());
          SmallVector<OpFoldResult> size{
              keys.existing, rewriter.getIndexAttr(type.getDimSize(1))};
          SmallVector<OpFoldResult> origin(2, zero), unit(2, one);
          Value part = tensor::ExtractSliceOp::create(
              rewriter, loc,
              roundGradient(p, sum, type.getElementType(), scale), origin, size,
              unit);
          SmallVector<OpFoldResult> at{getAsOpFoldResult(first), zero};
          yielded.push_back(tensor::InsertSliceOp::create(
              rewriter, loc, part, slab, at, size, unit));
        };
        ValueRange rest = args.drop_front(query);
        if (key) {
          write(after.key, rest.front(), op.getScaleOrDefault());
          rest = rest.drop_front();
        }
        if (value)
          write(after.value, rest.front(), 1);
        scf::YieldOp::create(rewriter, loc, yielded);
      });
  rewriter.setInsertionPointToEnd(forall.getTerminator().getBody());
  for (auto [part, dest, at, size] :
       llvm::zip_equal(loop.getResults(), destinations, offsets, sizes))
    tensor::ParallelInsertSliceOp::create(rewriter, loc, part, dest, at, size,
                                          ones);
  return SmallVector<Value>(forall.getResults());
}

//===----------------------------------------------------------------------===//
// Queries outside
//===----------------------------------------------------------------------===//

/// The keys that some query of the block sees, the first one at the begin of a
/// block of keys.
std::pair<Value, Value> BackwardTiler::visibleKeys(const QueryTiles &queries) {
  if (!mask)
    return {index.constant(0), p.numKeys};
  return rowsOf(
      mask.buildVisibleKeys(
          rewriter, loc, place(), index.add(p.qOffset, queries.first),
          index.add(p.qOffset, lastOf(queries.first, queries.existing))),
      p.kvOffset, p.numKeys, p.keys);
}

/// dq alone, by a loop over blocks of queries outside.
Value BackwardTiler::loopOverQueryBlocks() {
  OpBuilder::InsertionGuard guard(rewriter);
  Value query = op.getQuery();
  Type element = cast<RankedTensorType>(query.getType()).getElementType();
  Value out = tensor::EmptyOp::create(
      rewriter, loc, tensor::getMixedSizes(rewriter, loc, query), element);
  SmallVector<OpFoldResult> grid{getAsOpFoldResult(p.batches),
                                 getAsOpFoldResult(p.queryHeads),
                                 getAsOpFoldResult(p.countQueryBlocks())};
  auto forall = scf::ForallOp::create(rewriter, loc, grid, out,
                                      /*mapping=*/std::nullopt);
  p.setSchedule(forall, p.schedule, contents(true, false, false));
  rewriter.setInsertionPoint(forall.getTerminator());
  batch = forall.getInductionVar(0);
  queryHead = forall.getInductionVar(1);
  keyHead = index.div(queryHead, p.group);
  Value first = index.mul(forall.getInductionVar(2), index.constant(p.rows));
  QueryTiles queries = queryTiles(first);
  if (isOfOneThread()) {
    queries.queryT = transpose(queries.query);
    queries.dOutputT = transpose(queries.dOutput);
  }
  Sums sums;
  sums.query = zeroTile(p.rows, p.qkDim);
  auto [from, to] = visibleKeys(queries);
  auto loop = scf::ForOp::create(
      rewriter, loc, from, to, index.constant(p.keys), sums.list(),
      [&](OpBuilder &, Location, Value at, ValueRange args) {
        OpBuilder::InsertionGuard guard(rewriter);
        rewriter.setInsertionPointToEnd(at.getParentBlock());
        scf::YieldOp::create(rewriter, loc,
                             stepUnlessHidden(queries, keyTiles(at),
                                              sums.with(args),
                                              /*transposed=*/isOfOneThread())
                                 .list());
      });
  Value tile =
      roundGradient(p, loop.getResult(0), element, op.getScaleOrDefault());
  insertTile(rewriter, loc, tile, forall.getRegionIterArgs()[0], op.getLayout(),
             batch, queryHead, first, queries.existing, forall.getTerminator());
  return forall.getResult(0);
}

//===----------------------------------------------------------------------===//
// The whole
//===----------------------------------------------------------------------===//

SmallVector<Value> BackwardTiler::tile() {
  bool query = bool(op.getDQuery()), key = bool(op.getDKey()),
       value = bool(op.getDValue());
  OuterLoop outer = op.getRecompute()->getOuter();
  bool queryByKeys = query && outer == OuterLoop::Keys;
  Value dQuery;
  SmallVector<Value> byKeys;
  if (key && value && outer == OuterLoop::Each) {
    byKeys = loopOverKeyBlocks(false, true, false);
    byKeys.push_back(loopOverKeyBlocks(false, false, true).front());
  } else if (key || value || queryByKeys) {
    byKeys = loopOverKeyBlocks(queryByKeys, key, value);
  }
  if (queryByKeys)
    dQuery = buildQueryGradient(p, byKeys.front());
  else if (query && outer == OuterLoop::Queries)
    dQuery = loopOverQueryBlocks();
  else if (query) {
    // The tile of the other loop, turned: more of what is outside.
    BackwardProblem turned = p.withBlocksOf(p.keys, p.rows);
    dQuery = BackwardTiler(turned, statistics).loopOverQueryBlocks();
    p.hasFailed |= turned.hasFailed;
  }
  SmallVector<Value> results;
  if (query)
    results.push_back(dQuery);
  llvm::append_range(results, ArrayRef(byKeys).drop_front(queryByKeys));
  for (auto [result, type] : llvm::zip_equal(results, op->getResultTypes()))
    result = rewriter.createOrFold<tensor::CastOp>(loc, type, result);
  return results;
}

/// There is no block: none could be sliced, and all gradients are 0.
static SmallVector<Value> zeroGradients(RewriterBase &rewriter,
                                        AttentionBackwardOp op) {
  SmallVector<Value> results;
  for (auto [result, input] :
       {std::pair<Value, Value>{op.getDQuery(), op.getQuery()},
        {op.getDKey(), op.getKey()},
        {op.getDValue(), op.getValue()}}) {
    if (!result)
      continue;
    Location loc = op.getLoc();
    Type element = getElementTypeOrSelf(input.getType());
    Value empty = tensor::EmptyOp::create(
        rewriter, loc, tensor::getMixedSizes(rewriter, loc, input), element);
    Value zero = arith::ConstantOp::create(rewriter, loc,
                                           rewriter.getFloatAttr(element, 0.0));
    Value zeros =
        linalg::FillOp::create(rewriter, loc, zero, empty).getResult(0);
    results.push_back(
        rewriter.createOrFold<tensor::CastOp>(loc, result.getType(), zeros));
  }
  return results;
}

SmallVector<Value> flash::tileBackward(RewriterBase &rewriter,
                                       AttentionBackwardOp op,
                                       ScheduleAttr schedule) {
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(op);
  if (seesNothing(op))
    return zeroGradients(rewriter, op);
  BackwardProblem problem(rewriter, op, schedule);
  BackwardProblem ofRows =
      problem.withBlocksOf(problem.statisticsRows, problem.keys);
  SmallVector<Value> results =
      BackwardTiler(problem, buildRowStatistics(ofRows)).tile();
  if (problem.hasFailed || ofRows.hasFailed)
    return {};
  return results;
}
