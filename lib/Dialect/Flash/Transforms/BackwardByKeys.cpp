//===- BackwardByKeys.cpp - A backward with keys outside ------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   scf.forall (%b, %h, %j) in (batch, key heads, key blocks) {
//     %r:3 = scf.for %i = %first to %end step m iter_args(dk, dv, dq) {
//       %s:3 = flash.backward_step ins(...) d_query(0) d_key(dk) d_value(dv)
//       flash.add_slice %s#0 into dq[%i]
//     }
//     parallel_insert_slice dk, dv ; flash.parallel_add_slice dq
//   }
//
// The loop inside walks the queries of all heads that share the keys, one head
// after the other. With `sum = owned` an iteration of the forall walks all
// blocks of keys, and its part of each gradient is its own.
//
//===----------------------------------------------------------------------===//

#include "BackwardSteps.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace flash;

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

/// The rows of queries that see some key of the block, from the begin of a
/// block of queries on.
RowRange<Value> BackwardTiler::visibleQueries(const KeyTiles &keys) {
  std::pair<Value, Value> positions;
  Value first = keys.first, last = lastOf(keys.first, keys.existing);
  bool lacksKeys = own.numKeys != own.allKeys || op.isRagged();
  if (lacksKeys) {
    // Of a block without keys the mask is asked nothing that is not there.
    Value most =
        index.max(index.sub(own.numKeys, index.constant(1)), index.constant(0));
    first = index.min(first, most);
    last = index.max(first, last);
  }
  if (mask)
    positions = mask.buildVisibleQueries(rewriter, loc, place(),
                                         index.add(own.keyPosition, first),
                                         index.add(own.keyPosition, last));
  RowRange<Value> rows =
      rowsOf(index, positions, own.qOffset, own.numQueries, p.rows);
  if (lacksKeys)
    rows.end = index.select(
        index.less(index.constant(0), getValueOrCreateConstantIndexOp(
                                          rewriter, loc, keys.existing)),
        rows.end, rows.first);
  return rows;
}

/// The same for all heads of the group together.
GroupRows<Value> BackwardTiler::visibleQueriesOfGroup(const KeyTiles &keys) {
  Value firstHead = index.mul(keyHead, p.group);
  // A head that nothing folds shows whether the rows depend on it.
  auto probe = UnrealizedConversionCastOp::create(
      rewriter, loc, rewriter.getIndexType(), firstHead);
  queryHead = probe.getResult(0);
  RowRange<Value> ofFirst = visibleQueries(keys);
  bool depends = !queryHead.use_empty();
  for (Value *row : {&ofFirst.first, &ofFirst.end})
    if (*row == queryHead)
      *row = firstHead;
  rewriter.replaceOp(probe, firstHead);
  GroupRows<Value> rows =
      p.walk.joinHeads(index, depends, own.numQueries, [&](int64_t head) {
        if (head == 0)
          return ofFirst;
        queryHead = index.add(firstHead, index.constant(head));
        return visibleQueries(keys);
      });
  queryHead = firstHead;
  return rows;
}

/// Adds a tile to the rows from `row` on of the query head; `slab` has them for
/// the group of heads.
Value BackwardTiler::addToQueries(Value tile, Value slab, const RowTile &row) {
  auto type = cast<RankedTensorType>(slab.getType());
  SmallVector<OpFoldResult> offsets{getAsOpFoldResult(row.padded),
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
  auto [rows, differ] = visibleQueriesOfGroup(keys);
  Value one = index.constant(1);
  bool single = p.walk.group == 1, leavesOut = p.walk.leavesOut(differ);
  RowTiles tiles = p.queryTiles();
  auto [from, to, by] = p.stepsOver(tiles, rows);
  Value blocks, begin = from, size = by;
  if (!single) {
    // Heads one after the other, in one loop.
    blocks = tiles.areCut() ? index.max(index.sub(to, from), index.constant(0))
                            : countBlocks(index, rows, p.rows);
    from = index.constant(0);
    to = index.mul(blocks, p.group);
    by = one;
  }
  auto loop = scf::ForOp::create(
      rewriter, loc, from, to, by, sums.list(),
      [&](OpBuilder &, Location, Value place, ValueRange args) {
        OpBuilder::InsertionGuard guard(rewriter);
        rewriter.setInsertionPointToEnd(place.getParentBlock());
        Value at = place;
        if (!single) {
          Value head = divide(place, index.max(blocks, one));
          queryHead = index.add(firstHead, head);
          at = index.add(
              begin,
              index.mul(index.sub(place, index.mul(head, blocks)), size));
        }
        RowTile row = p.tileAt(tiles, at, own.numQueries);
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
        if (!leavesOut) {
          scf::YieldOp::create(rewriter, loc, add());
          return;
        }
        RowRange<Value> own = visibleQueries(keys);
        // A tile that is cut off elsewhere may begin before the first row.
        if (tiles.areCut())
          own.first = index.sub(own.first, index.constant(tiles.size - 1));
        Value inside = p.walk.isOwn(index, row.first, own);
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

/// The group's part of the sums for the queries.
Slab BackwardTiler::querySlab() {
  bool single = p.walk.group == 1;
  OpFoldResult zero = rewriter.getIndexAttr(0), one = rewriter.getIndexAttr(1);
  Value block = index.constant(p.walk.statisticsRows);
  // Sequences have blocks of their own.
  Value count =
      op.isRagged()
          ? index.mul(
                RowTiles{p.walk.statisticsRows, p.walk.listed.first}.count(
                    index, own.numQueries),
                block)
          : p.paddedQueries;
  Slab slab;
  slab.offsets = {getAsOpFoldResult(own.rowBatch),
                  getAsOpFoldResult(index.mul(keyHead, p.group)),
                  getAsOpFoldResult(index.mul(own.tilesBefore, block)), zero};
  slab.sizes = {one, single ? one : getAsOpFoldResult(p.group),
                getAsOpFoldResult(count), rewriter.getIndexAttr(p.qkDim)};
  SmallVector<int64_t> shape{
      getConstantIntValue(count).value_or(ShapedType::kDynamic), p.qkDim};
  if (!single)
    shape.insert(shape.begin(),
                 getConstantIntValue(p.group).value_or(ShapedType::kDynamic));
  slab.type = RankedTensorType::get(shape, p.accumulator);
  return slab;
}

/// The key head's part of a gradient.
Slab BackwardTiler::headSlab(Value dest) {
  auto type = cast<RankedTensorType>(dest.getType());
  OpFoldResult zero = rewriter.getIndexAttr(0), one = rewriter.getIndexAttr(1);
  Slab slab;
  slab.offsets.assign(4, zero);
  slab.sizes.assign(4, one);
  slab.offsets[0] = getAsOpFoldResult(own.keyBatch);
  slab.offsets[op.getHeadsDim()] = getAsOpFoldResult(keyHead);
  slab.offsets[op.getLengthDim()] = getAsOpFoldResult(own.keyRow);
  slab.sizes[op.getLengthDim()] = getAsOpFoldResult(own.allKeys);
  slab.sizes[3] = rewriter.getIndexAttr(type.getDimSize(3));
  slab.type = RankedTensorType::get(
      {getConstantIntValue(own.allKeys).value_or(ShapedType::kDynamic),
       type.getDimSize(3)},
      type.getElementType());
  return slab;
}

/// What the sums of a block of keys begin with.
Sums BackwardTiler::zeroSums(const BackwardLoop &of) {
  Sums sums;
  if (of.key)
    sums.key = zeroTile(p.keys, p.qkDim);
  if (of.value)
    sums.value = zeroTile(p.keys, p.vDim);
  return sums;
}

/// An iteration has one block of keys, and adds to the sums for the queries.
void BackwardTiler::addUpByBlock(const BackwardLoop &of, scf::ForallOp forall,
                                 Value keyBlocks) {
  ArrayRef<BlockArgument> destinations = forall.getRegionIterArgs();
  // From the end: the last iterations of a parallel loop are begun first, and
  // under a causal mask the first keys have the most queries.
  Value block = index.sub(index.sub(keyBlocks, index.constant(1)),
                          forall.getInductionVar(2));
  RowTile tile;
  std::tie(own, tile) =
      p.findTile(forall.getInductionVar(0), block, /*ofKeys=*/true);
  Slab slab = querySlab();
  Value forQueries;
  if (of.query) {
    SmallVector<OpFoldResult> sizes(slab.sizes);
    sizes.erase(sizes.begin(), sizes.begin() + (4 - slab.type.getRank()));
    forQueries = zeroTensor(p, sizes);
  }
  Sums sums = zeroSums(of);
  sums.query = forQueries;
  KeyTiles keys = keyTiles(tile);
  sums = walkQueries(keys, sums);
  auto write = [&](Value sum, Value dest, double scale) {
    Type element = cast<RankedTensorType>(dest.getType()).getElementType();
    insertTile(rewriter, loc, roundGradient(p, sum, element, scale), dest,
               op.getLayout(), own.keyBatch, keyHead,
               index.add(own.keyRow, keys.first), keys.withGradient,
               forall.getTerminator());
  };
  unsigned next = of.query;
  if (of.key)
    write(sums.key, destinations[next++], op.getScaleOrDefault());
  if (of.value)
    write(sums.value, destinations[next++], valueFactor());
  if (!of.query)
    return;
  rewriter.setInsertionPointToEnd(forall.getTerminator().getBody());
  SmallVector<int64_t> staticOffsets, staticSizes, staticOnes(4, 1);
  SmallVector<Value> dynamicOffsets, dynamicSizes;
  dispatchIndexOpFoldResults(slab.offsets, dynamicOffsets, staticOffsets);
  dispatchIndexOpFoldResults(slab.sizes, dynamicSizes, staticSizes);
  ParallelAddSliceOp::create(rewriter, loc, sums.query, destinations[0],
                             dynamicOffsets, dynamicSizes, ValueRange(),
                             staticOffsets, staticSizes, staticOnes);
}

/// An iteration has all keys of a head: its parts of the results are carried
/// through a loop over blocks of keys, and written in place.
void BackwardTiler::ownAllBlocks(const BackwardLoop &of, scf::ForallOp forall) {
  own = p.rowsOf(forall.getInductionVar(0));
  OpFoldResult zero = rewriter.getIndexAttr(0), one = rewriter.getIndexAttr(1);
  SmallVector<OpFoldResult> ones(4, one);
  SmallVector<Value> carried;
  SmallVector<Slab> slabs;
  for (auto [i, dest] : llvm::enumerate(forall.getRegionIterArgs())) {
    slabs.push_back(of.query && i == 0 ? querySlab() : headSlab(dest));
    carried.push_back(
        tensor::ExtractSliceOp::create(rewriter, loc, slabs[i].type, dest,
                                       slabs[i].offsets, slabs[i].sizes, ones));
  }
  // Gradients for keys that do not exist are 0 from the start on.
  own.allKeys = own.numKeys;
  RowTiles tiles = p.keyTiles();
  auto [from, to, by] = p.stepsOver(tiles, {index.constant(0), own.numKeys});
  auto loop = scf::ForOp::create(
      rewriter, loc, from, to, by, carried,
      [&](OpBuilder &, Location, Value at, ValueRange args) {
        OpBuilder::InsertionGuard guard(rewriter);
        rewriter.setInsertionPointToEnd(at.getParentBlock());
        Sums inside = zeroSums(of);
        if (of.query)
          inside.query = args.front();
        KeyTiles keys = keyTiles(p.tileAt(tiles, at, own.numKeys));
        keys.keyT = transpose(keys.key);
        keys.valueT = transpose(keys.value);
        Sums after = walkQueries(keys, inside);
        SmallVector<Value> yielded;
        if (of.query)
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
          SmallVector<OpFoldResult> begin{getAsOpFoldResult(keys.first), zero};
          yielded.push_back(tensor::InsertSliceOp::create(
              rewriter, loc, part, slab, begin, size, unit));
        };
        ValueRange rest = args.drop_front(of.query);
        if (of.key) {
          write(after.key, rest.front(), op.getScaleOrDefault());
          rest = rest.drop_front();
        }
        if (of.value)
          write(after.value, rest.front(), valueFactor());
        scf::YieldOp::create(rewriter, loc, yielded);
      });
  rewriter.setInsertionPointToEnd(forall.getTerminator().getBody());
  for (auto [part, dest, slab] :
       llvm::zip_equal(loop.getResults(), forall.getRegionIterArgs(), slabs))
    tensor::ParallelInsertSliceOp::create(rewriter, loc, part, dest,
                                          slab.offsets, slab.sizes, ones);
}

/// What the gradient of keys or values begins with: zeros where the loop does
/// not write all rows.
Value BackwardTiler::startOfGradient(Value of) {
  Type element = cast<RankedTensorType>(of.getType()).getElementType();
  Value empty = tensor::EmptyOp::create(
      rewriter, loc, tensor::getMixedSizes(rewriter, loc, of), element);
  bool owned = op.getRecompute()->getSum() == GradientSum::Owned;
  if (!op.getKeySliceAttr() && !(owned && p.mayLackKeys()))
    return empty;
  Value zero = arith::ConstantOp::create(rewriter, loc,
                                         rewriter.getFloatAttr(element, 0.0));
  return linalg::FillOp::create(rewriter, loc, zero, empty).getResult(0);
}

/// dk and dv by a loop over blocks of keys outside; the sums for the queries,
/// too, where the loop has them.
SmallVector<Value> BackwardTiler::loopOverKeyBlocks(const BackwardLoop &of) {
  OpBuilder::InsertionGuard guard(rewriter);
  bool owned = op.getRecompute()->getSum() == GradientSum::Owned;
  Value keyBlocks = owned ? index.constant(1) : p.countTiles(/*ofKeys=*/true);
  SmallVector<OpFoldResult> grid{
      getAsOpFoldResult(owned ? p.countOwners()
                              : p.countGridBatches(/*ofKeys=*/true)),
      getAsOpFoldResult(p.keyHeads), getAsOpFoldResult(keyBlocks)};
  // The sums for the queries, where several blocks of keys add to them.
  SmallVector<Value> outs;
  if (of.query) {
    SmallVector<OpFoldResult> sizes{
        op.isRagged() ? OpFoldResult(rewriter.getIndexAttr(1))
                      : getAsOpFoldResult(p.batches),
        getAsOpFoldResult(p.queryHeads), getAsOpFoldResult(p.paddedQueries),
        rewriter.getIndexAttr(p.qkDim)};
    outs.push_back(zeroTensor(p, sizes));
  }
  for (auto [wanted, tensor] :
       {std::pair<bool, Value>{of.key, op.getKey()}, {of.value, op.getValue()}})
    if (wanted)
      outs.push_back(startOfGradient(tensor));
  auto forall = scf::ForallOp::create(rewriter, loc, grid, outs,
                                      /*mapping=*/std::nullopt);
  p.setSchedule(forall, p.schedule, contents(of));
  rewriter.setInsertionPoint(forall.getTerminator());
  keyHead = forall.getInductionVar(1);
  if (owned)
    ownAllBlocks(of, forall);
  else
    addUpByBlock(of, forall, keyBlocks);
  return SmallVector<Value>(forall.getResults());
}
