//===- TileKeys.cpp - The loops over keys -----------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   scf.for %k0 = %first to %end step n iter_args(acc, max, sum) {
//     flash.online_attention ins(q tile, k tile, v tile) outs(acc, max, sum)
//   }
//
// The mask bounds the loop, or names the blocks to walk; a block that it hides
// is not read. A tiling may have the loop walk keys in reverse: they begin at
// %last - %k0, with the first block's place plus the last one's for %last.
//
//===----------------------------------------------------------------------===//

#include "AttentionTiler.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include <limits>

using namespace mlir;
using namespace flash;

/// Whether something looks at more than positions.
static bool needsPlace(AttentionOp op) {
  return !op.getMaskOperands().empty() || !op.getMaskBody().empty() ||
         !op.getEffectiveScores().empty() || op.getDropoutP();
}

TilePlace AttentionTiler::maskPlace(const QueryBlock &block,
                                    const StepMask &mask) {
  return TilePlace{block.batch,
                   block.queryHead,
                   index.sub(block.qOffset, block.queryRow),
                   index.sub(block.keyPosition, block.keyRow),
                   mask.operands,
                   &op.getMaskBody(),
                   op.getCaptures(),
                   /*laterHidden=*/false,
                   mask.listedFull,
                   mask.querySummary,
                   mask.keySummary,
                   op.isRagged() ? block.qOffset : Value(),
                   op.isRagged() ? block.kvOffset : Value()};
}

//===----------------------------------------------------------------------===//
// Tiles of keys and values
//===----------------------------------------------------------------------===//

/// Rows [k0, k0 + existing) of the key head, as a tile.
Value AttentionTiler::keyTile(const QueryBlock &block, Value tensor, Value k0,
                              OpFoldResult existing, int64_t dim) {
  Value row = index.add(block.keyRow, k0);
  if (op.isPaged() && walk.keys.block) {
    // A listed block may begin after the last key, where there is no page.
    Value last = index.sub(block.numKeys, index.constant(1));
    row = index.add(block.keyRow,
                    index.max(index.min(k0, last), index.constant(0)));
  }
  if (op.isPaged())
    return pagedTile(block, tensor, row, existing, dim);
  return readTile(rewriter, loc, tensor, op.getLayout(), block.rowBatch,
                  block.keyHead, row, existing, {keys, dim});
}

/// The same where rows lie in pages: read in place by one thread if a block
/// never crosses from one page to the next. Of many threads each looks up the
/// rows that it copies, and more can be copied ahead (docs/rationale/gpu.md).
Value AttentionTiler::pagedTile(const QueryBlock &block, Value tensor, Value k0,
                                OpFoldResult existing, int64_t dim) {
  std::optional<int64_t> size =
      getConstantIntValue(index.dim(tensor, op.getLengthDim()));
  // A slice of the keys begins where a tile does only if its unit says so, and
  // so does a block of the mask.
  bool begins = !walk.keys.areCut() &&
                (!op.getKeySlice() || op.getKeySlice()->getUnit() % keys == 0);
  if (tiling.getSummaries() && size && *size % keys == 0 && begins) {
    PagedRows rows(rewriter, loc, tensor, op.getPageTable(), op.getLayout());
    auto [page, row] = rows.find(block.batch, k0);
    return readTile(rewriter, loc, tensor, op.getLayout(), page, block.keyHead,
                    row, existing, {keys, dim});
  }
  auto type = cast<RankedTensorType>(tensor.getType());
  return ReadPagesOp::create(
      rewriter, loc, RankedTensorType::get({keys, dim}, type.getElementType()),
      tensor, block.keyHead, op.getPageTable(), block.batch, k0,
      getConstantIntValue(existing) == keys
          ? Value()
          : getValueOrCreateConstantIndexOp(rewriter, loc, existing),
      op.getLayout());
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

AttentionTiler::State AttentionTiler::step(const QueryBlock &block,
                                           const StepMask &mask, Value query,
                                           Value k0, OpFoldResult existing,
                                           State state) {
  Value keysHere = keyTile(block, op.getKey(), k0, existing, qkDim);
  Value valuesHere = keyTile(block, op.getValue(), k0, existing, vDim);
  // What only some masks and score functions look at.
  bool wantsPlace = needsPlace(op);
  auto ifWanted = [&](Value value) { return wantsPlace ? value : Value(); };
  auto unitIf = [&](bool set) {
    return set ? rewriter.getUnitAttr() : UnitAttr();
  };
  SmallVector<Attribute> functions;
  for (ScoreAttrInterface function : op.getEffectiveScores())
    functions.push_back(function);
  ArrayAttr scores =
      functions.empty() ? ArrayAttr() : rewriter.getArrayAttr(functions);
  auto online = OnlineAttentionOp::create(
      rewriter, loc, query, keysHere, valuesHere, state[0], state[1], state[2],
      block.qPosition, index.add(block.keyPosition, k0),
      getValueOrCreateConstantIndexOp(rewriter, loc, existing),
      wantsPlace || mask.attr ? block.existingQueries : Value(),
      ifWanted(block.batch), ifWanted(block.queryHead),
      ifWanted(index.sub(block.qOffset, block.queryRow)),
      ifWanted(index.sub(block.keyPosition, block.keyRow)), mask.listedFull,
      mask.querySummary, mask.keySummary, block.keyScale, mask.operands,
      op.getScoreOperands(), op.getSeed(), op.getDropoutOffset(),
      op.getCaptures(),
      rewriter.getFloatAttr(accumulator, op.getScaleOrDefault()), mask.attr,
      scores, op.getDropoutPAttr(), unitIf(tiling.getTransposed()),
      unitIf(wantsPlace && tiling.getSummaries()), packing);
  IRMapping mapping;
  op.getScoreBody().cloneInto(&online.getScoreBody(), mapping);
  op.getMaskBody().cloneInto(&online.getMaskBody(), mapping);
  return SmallVector<Value>(online->getResults());
}

/// The mask with its data of the block's queries summed up.
StepMask AttentionTiler::sumUpQueries(const QueryBlock &block, StepMask mask) {
  if (walk.sumsUp(mask.attr))
    mask.querySummary = mask.attr.buildSummary(
        rewriter, loc, maskPlace(block, mask), Along::Queries, block.qPosition,
        block.existingQueries);
  return mask;
}

/// The same of a step's keys.
StepMask AttentionTiler::sumUpKeys(const QueryBlock &block, StepMask mask,
                                   Value k0, OpFoldResult existing) {
  if (walk.sumsUp(mask.attr))
    mask.keySummary = mask.attr.buildSummary(
        rewriter, loc, maskPlace(block, mask), Along::Keys,
        index.add(block.keyPosition, k0),
        getValueOrCreateConstantIndexOp(rewriter, loc, existing));
  return mask;
}

/// Whether a block is hidden though the loop meets it (in a hole of the range,
/// by its data, or in a list); null where none can be.
Value AttentionTiler::isHidden(const QueryBlock &block, const StepMask &mask,
                               Value k0, OpFoldResult existing) {
  if (!walk.asksHidden(mask.attr))
    return Value();
  Value one = index.constant(1), kFirst = index.add(block.keyPosition, k0);
  Value keysHere = getValueOrCreateConstantIndexOp(rewriter, loc, existing);
  return mask.attr.buildIsHidden(
      rewriter, loc, maskPlace(block, mask), block.qPosition,
      index.sub(index.add(block.qPosition, block.existingQueries), one), kFirst,
      index.sub(index.add(kFirst, keysHere), one));
}

/// A step; where its block can be hidden inside a condition, so that nothing of
/// it is read.
AttentionTiler::State
AttentionTiler::stepUnless(const QueryBlock &block, Value hidden,
                           const StepMask &mask, Value query, Value k0,
                           OpFoldResult existing, State state) {
  if (!hidden)
    return step(block, mask, query, k0, existing, state);
  auto branch = scf::IfOp::create(
      rewriter, loc, hidden,
      [&](OpBuilder &, Location) {
        scf::YieldOp::create(rewriter, loc, state);
      },
      [&](OpBuilder &, Location) {
        scf::YieldOp::create(rewriter, loc,
                             step(block, mask, query, k0, existing, state));
      });
  return SmallVector<Value>(branch.getResults());
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

/// The keys that the block's queries may see, from the begin of a block on.
RowRange<Value> AttentionTiler::visibleKeys(const QueryBlock &block,
                                            const StepMask &mask, Value qLast) {
  std::pair<Value, Value> positions;
  if (mask.attr)
    positions = mask.attr.buildVisibleKeys(
        rewriter, loc, maskPlace(block, mask), block.qPosition, qLast);
  return rowsOf(index, positions, block.keyPosition, block.numKeys, keys);
}

/// Walks the blocks of a range, from the last one on if keys are walked in
/// reverse. `whole`: each has all its keys.
AttentionTiler::State AttentionTiler::walkBlocks(const QueryBlock &block,
                                                 const StepMask &mask,
                                                 Value query,
                                                 RowRange<Value> range,
                                                 bool whole, State state) {
  Value mirror;
  if (walk.isReverse())
    mirror = walk.mirror(index, range);
  auto forOp = scf::ForOp::create(
      rewriter, loc, range.first, range.end, index.constant(keys), state,
      [&](OpBuilder &, Location, Value place, ValueRange args) {
        OpBuilder::InsertionGuard guard(rewriter);
        rewriter.setInsertionPointToEnd(args[0].getParentBlock());
        auto [k0, count] =
            walk.keysAt(index, mirror ? index.sub(mirror, place) : place,
                        block.numKeys, whole);
        OpFoldResult existing = getAsOpFoldResult(count);
        StepMask here = sumUpKeys(block, mask, k0, existing);
        scf::YieldOp::create(
            rewriter, loc,
            stepUnless(block, isHidden(block, here, k0, existing), here, query,
                       k0, existing, SmallVector<Value>(args)));
      });
  return SmallVector<Value>(forOp.getResults());
}

/// Walks all blocks of the range that the mask bounds.
AttentionTiler::State AttentionTiler::walkRange(const QueryBlock &block,
                                                StepMask mask, Value query,
                                                Value qLast, State state) {
  RowRange<Value> seen = visibleKeys(block, mask, qLast);
  if (walk.walksRangeAsList())
    return walkList(block, query, listRange(block, mask, seen), state);
  mask = sumUpQueries(block, std::move(mask));
  walk.forEachLoop(
      index, seen, block.numKeys, [&](RowRange<Value> range, bool whole) {
        state = walkBlocks(block, mask, query, range, whole, state);
      });
  return state;
}

/// The blocks of a range as if a list named them: tiles that do not divide them
/// are cut off at their ends.
KeyBlocks AttentionTiler::listRange(const QueryBlock &block,
                                    const StepMask &mask,
                                    RowRange<Value> seen) {
  auto [firstBlock, count] = walk.numberBlocks(
      index, seen,
      block.keysBefore ? std::optional<Value>(block.keysBefore) : std::nullopt);
  KeyBlocks blocks;
  blocks.size = walk.keys.block;
  blocks.count = count;
  blocks.number = [this, first = firstBlock](OpBuilder &, Location, Value n) {
    return index.add(first, n);
  };
  blocks.mask = mask.attr;
  blocks.operands = mask.operands;
  return blocks;
}

ListedTile<Value> AttentionTiler::listedTile(const KeyBlocks &list, Value n) {
  return walk.listedTile(
      index, list.size,
      [&](Value entry) { return list.number(rewriter, loc, entry); }, n);
}

/// What a list of blocks leaves to ask.
static StepMask maskOf(const KeyBlocks &list) {
  StepMask mask;
  mask.attr = cast_if_present<MaskAttrInterface>(list.mask);
  mask.operands = list.operands;
  return mask;
}

/// Walks the blocks of a list, each in steps of the tile's keys.
AttentionTiler::State AttentionTiler::walkList(const QueryBlock &block,
                                               Value query,
                                               const KeyBlocks &list,
                                               State state) {
  StepMask mask = sumUpQueries(block, maskOf(list));
  Value steps = index.mul(list.count, index.constant(walk.stepsOf(list.size)));
  auto forOp = scf::ForOp::create(
      rewriter, loc, index.constant(0), steps, index.constant(1), state,
      [&](OpBuilder &, Location, Value n, ValueRange args) {
        OpBuilder::InsertionGuard guard(rewriter);
        rewriter.setInsertionPointToEnd(args[0].getParentBlock());
        ListedTile<Value> listed = listedTile(list, n);
        // Lists number the blocks of all keys; others have those of a slice.
        Value elsewhere;
        if (block.keysBefore) {
          listed.first = index.sub(listed.first, block.keysBefore);
          elsewhere = walk.isElsewhere(index, listed.first, block.numKeys);
        }
        auto [k0, count] =
            walk.listedKeys(index, list.size, listed, block.numKeys);
        OpFoldResult existing = getAsOpFoldResult(count);
        StepMask here = sumUpKeys(block, mask, k0, existing);
        Value hidden = isHidden(block, here, k0, existing);
        if (hidden && elsewhere)
          hidden = index.either(hidden, elsewhere);
        scf::YieldOp::create(rewriter, loc,
                             stepUnless(block, hidden ? hidden : elsewhere,
                                        here, query, k0, existing,
                                        SmallVector<Value>(args)));
      });
  return SmallVector<Value>(forOp.getResults());
}

/// Two lists as one; whose mask is to be asked is not said.
KeyBlocks AttentionTiler::joinLists(const KeyBlocks &first,
                                    const KeyBlocks &second) {
  KeyBlocks joined = first;
  joined.count = index.add(first.count, second.count);
  joined.number = [this, first, second](OpBuilder &builder, Location loc,
                                        Value n) -> Value {
    // As the lists have them: what is read ahead is widened when it is used.
    auto read = [&](const KeyBlocks &list, Value at) {
      Value number = arith::IndexCastOp::create(
          builder, loc, builder.getI32Type(), list.number(builder, loc, at));
      scf::YieldOp::create(builder, loc, number);
    };
    // What a list holds at a number of the other may not exist.
    auto branch = scf::IfOp::create(
        builder, loc, index.less(n, first.count),
        [&](OpBuilder &, Location) { read(first, n); },
        [&](OpBuilder &, Location) {
          read(second, index.sub(n, first.count));
        });
    return arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                      branch.getResult(0));
  };
  return joined;
}

/// Walks the blocks of both lists in one loop, which has its tiles brought by a
/// producer. Full blocks come first: a loop is cut where predicates begin, and
/// the first scores are a reference for the others. Where all tiles are whole,
/// which is known before the loop, no step asks how many keys exist.
AttentionTiler::State AttentionTiler::walkTogether(const QueryBlock &block,
                                                   StepMask mask, Value query,
                                                   ArrayRef<KeyBlocks> lists,
                                                   State state) {
  const KeyBlocks &partial = lists[0], &full = lists[1];
  KeyBlocks all = joinLists(full, partial);
  // Where both leave the same to ask, nobody needs to know which one it is.
  bool alike = partial.mask == full.mask && partial.operands == full.operands;
  if (alike)
    mask = maskOf(full);
  Value stepsEach = index.constant(walk.stepsOf(all.size));
  Value fullSteps = index.mul(full.count, stepsEach);
  Value cut = walk.isCut(index, all.size, block.numKeys);
  Value last = walk.lastListed(index, cut, block.numKeys);
  auto forOp = scf::ForOp::create(
      rewriter, loc, index.constant(0), index.mul(all.count, stepsEach),
      index.constant(1), state,
      [&](OpBuilder &, Location, Value n, ValueRange args) {
        OpBuilder::InsertionGuard guard(rewriter);
        rewriter.setInsertionPointToEnd(args[0].getParentBlock());
        auto [k0, existing] = walk.joinedKeys(index, listedTile(all, n), cut,
                                              last, block.numKeys);
        StepMask here = mask;
        if (!alike)
          here.listedFull = index.less(n, fullSteps);
        scf::YieldOp::create(rewriter, loc,
                             step(block, here, query, k0,
                                  getAsOpFoldResult(existing),
                                  SmallVector<Value>(args)));
      });
  return SmallVector<Value>(forOp.getResults());
}

AttentionTiler::State AttentionTiler::loopOverKeys(const QueryBlock &block,
                                                   Value query, Value qLast) {
  SmallVector<int64_t> accShape{rows, vDim};
  if (tiling.getTransposed())
    std::swap(accShape[0], accShape[1]);
  State state{filledTile(rewriter, loc, accShape, 0.0, accumulator),
              filledTile(rewriter, loc, rows,
                         -std::numeric_limits<double>::infinity(), accumulator),
              filledTile(rewriter, loc, rows, 0.0, accumulator)};

  StepMask mask;
  mask.attr = op.getEffectiveMask();
  mask.operands = SmallVector<Value>(op.getMaskOperands());
  SmallVector<KeyBlocks> lists;
  if (mask.attr)
    lists = mask.attr.buildKeyBlocks(rewriter, loc, maskPlace(block, mask),
                                     block.qPosition);
  if (lists.empty())
    return walkRange(block, std::move(mask), query, qLast, state);
  // What a step reads at its last key must be there.
  if (walk.mayNameBeyondKeys())
    for (KeyBlocks &list : lists)
      list.count = arith::SelectOp::create(
          rewriter, loc, index.less(index.constant(0), block.numKeys),
          list.count, index.constant(0));
  if (walk.walksTogether(lists))
    return walkTogether(block, std::move(mask), query, lists, state);
  for (const KeyBlocks &list : lists)
    state = walkList(block, query, list, state);
  return state;
}
