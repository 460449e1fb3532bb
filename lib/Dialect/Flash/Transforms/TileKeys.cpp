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

TilePlace AttentionTiler::maskPlace() {
  return TilePlace{batch,
                   queryHead,
                   index.sub(qOffset, queryRow),
                   index.sub(keyPosition, keyRow),
                   maskOperands,
                   &op.getMaskBody(),
                   op.getCaptures(),
                   /*laterHidden=*/false,
                   listedFull,
                   querySummary,
                   keySummary,
                   op.isRagged() ? qOffset : Value(),
                   op.isRagged() ? kvOffset : Value()};
}

//===----------------------------------------------------------------------===//
// Tiles of keys and values
//===----------------------------------------------------------------------===//

/// Rows [k0, k0 + existing) of the key head, as a tile.
Value AttentionTiler::keyTile(Value tensor, Value k0, OpFoldResult existing,
                              int64_t dim) {
  Value row = index.add(keyRow, k0);
  if (op.isPaged() && walk.keys.block) {
    // A listed block may begin behind the last key, where there is no page.
    Value last = index.sub(numKeys, index.constant(1));
    row = index.add(keyRow, index.max(index.min(k0, last), index.constant(0)));
  }
  if (op.isPaged())
    return pagedTile(tensor, row, existing, dim);
  return readTile(rewriter, loc, tensor, op.getLayout(), rowBatch, keyHead, row,
                  existing, {keys, dim});
}

/// The same where rows lie in pages: read in place by one thread if a block
/// never crosses from one page to the next. Of many threads each looks up the
/// rows that it copies, and more can be copied ahead (docs/rationale/gpu.md).
Value AttentionTiler::pagedTile(Value tensor, Value k0, OpFoldResult existing,
                                int64_t dim) {
  std::optional<int64_t> size =
      getConstantIntValue(index.dim(tensor, op.getLengthDim()));
  // A slice of the keys begins where a tile does only if its unit says so, and
  // so does a block of the mask.
  bool begins = !walk.keys.areCut() &&
                (!op.getKeySlice() || op.getKeySlice()->getUnit() % keys == 0);
  if (tiling.getSummaries() && size && *size % keys == 0 && begins) {
    PagedRows rows(rewriter, loc, tensor, op.getPageTable(), op.getLayout());
    auto [page, row] = rows.find(batch, k0);
    return readTile(rewriter, loc, tensor, op.getLayout(), page, keyHead, row,
                    existing, {keys, dim});
  }
  auto type = cast<RankedTensorType>(tensor.getType());
  return ReadPagesOp::create(
      rewriter, loc, RankedTensorType::get({keys, dim}, type.getElementType()),
      tensor, keyHead, op.getPageTable(), batch, k0,
      getConstantIntValue(existing) == keys
          ? Value()
          : getValueOrCreateConstantIndexOp(rewriter, loc, existing),
      op.getLayout());
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

AttentionTiler::State AttentionTiler::step(Value query, Value k0,
                                           OpFoldResult existing, State state) {
  Value keysHere = keyTile(op.getKey(), k0, existing, qkDim);
  Value valuesHere = keyTile(op.getValue(), k0, existing, vDim);
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
      qPosition, index.add(keyPosition, k0),
      getValueOrCreateConstantIndexOp(rewriter, loc, existing),
      wantsPlace || mask ? existingQueries : Value(), ifWanted(batch),
      ifWanted(queryHead), ifWanted(index.sub(qOffset, queryRow)),
      ifWanted(index.sub(keyPosition, keyRow)), listedFull, querySummary,
      keySummary, keyScale, maskOperands, op.getScoreOperands(), op.getSeed(),
      op.getDropoutOffset(), op.getCaptures(),
      rewriter.getFloatAttr(accumulator, op.getScaleOrDefault()), mask, scores,
      op.getDropoutPAttr(), unitIf(tiling.getTransposed()),
      unitIf(wantsPlace && tiling.getSummaries()), packing);
  IRMapping mapping;
  op.getScoreBody().cloneInto(&online.getScoreBody(), mapping);
  op.getMaskBody().cloneInto(&online.getMaskBody(), mapping);
  return SmallVector<Value>(online->getResults());
}

void AttentionTiler::sumUpQueries() {
  querySummary.clear();
  keySummary.clear();
  if (walk.sumsUp(mask))
    querySummary = mask.buildSummary(rewriter, loc, maskPlace(), Along::Queries,
                                     qPosition, existingQueries);
}

void AttentionTiler::sumUpKeys(Value k0, OpFoldResult existing) {
  keySummary.clear();
  if (walk.sumsUp(mask))
    keySummary = mask.buildSummary(
        rewriter, loc, maskPlace(), Along::Keys, index.add(keyPosition, k0),
        getValueOrCreateConstantIndexOp(rewriter, loc, existing));
}

/// Whether a block is hidden though the loop meets it (in a hole of the range,
/// by its data, or in a list); null where none can be.
Value AttentionTiler::isHidden(Value k0, OpFoldResult existing) {
  if (!walk.asksHidden(mask))
    return Value();
  Value one = index.constant(1), kFirst = index.add(keyPosition, k0);
  Value keysHere = getValueOrCreateConstantIndexOp(rewriter, loc, existing);
  return mask.buildIsHidden(
      rewriter, loc, maskPlace(), qPosition,
      index.sub(index.add(qPosition, existingQueries), one), kFirst,
      index.sub(index.add(kFirst, keysHere), one));
}

/// A step; where its block can be hidden inside a condition, so that nothing of
/// it is read.
AttentionTiler::State AttentionTiler::stepUnless(Value hidden, Value query,
                                                 Value k0,
                                                 OpFoldResult existing,
                                                 State state) {
  if (!hidden)
    return step(query, k0, existing, state);
  auto branch = scf::IfOp::create(
      rewriter, loc, hidden,
      [&](OpBuilder &, Location) {
        scf::YieldOp::create(rewriter, loc, state);
      },
      [&](OpBuilder &, Location) {
        scf::YieldOp::create(rewriter, loc, step(query, k0, existing, state));
      });
  return SmallVector<Value>(branch.getResults());
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

/// The keys that the block's queries may see, from the begin of a block on.
RowRange<Value> AttentionTiler::visibleKeys(Value qLast) {
  std::pair<Value, Value> positions;
  if (mask)
    positions =
        mask.buildVisibleKeys(rewriter, loc, maskPlace(), qPosition, qLast);
  return rowsOf(index, positions, keyPosition, numKeys, keys);
}

/// Walks the blocks of a range, from the last one on if keys are walked in
/// reverse. `whole`: each has all its keys.
AttentionTiler::State AttentionTiler::walkBlocks(Value query,
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
        auto [k0, count] = walk.keysAt(
            index, mirror ? index.sub(mirror, place) : place, numKeys, whole);
        OpFoldResult existing = getAsOpFoldResult(count);
        sumUpKeys(k0, existing);
        scf::YieldOp::create(rewriter, loc,
                             stepUnless(isHidden(k0, existing), query, k0,
                                        existing, SmallVector<Value>(args)));
      });
  return SmallVector<Value>(forOp.getResults());
}

/// Walks all blocks of the range that the mask bounds.
AttentionTiler::State AttentionTiler::walkRange(Value query, Value qLast,
                                                State state) {
  RowRange<Value> seen = visibleKeys(qLast);
  if (walk.walksRangeAsList())
    return walkList(query, listRange(seen), state);
  sumUpQueries();
  walk.forEachLoop(index, seen, numKeys,
                   [&](RowRange<Value> range, bool whole) {
                     state = walkBlocks(query, range, whole, state);
                   });
  return state;
}

/// The blocks of a range as if a list named them: tiles that do not divide them
/// are cut off at their ends.
KeyBlocks AttentionTiler::listRange(RowRange<Value> seen) {
  auto [firstBlock, count] = walk.numberBlocks(
      index, seen,
      keysBefore ? std::optional<Value>(keysBefore) : std::nullopt);
  KeyBlocks blocks;
  blocks.size = walk.keys.block;
  blocks.count = count;
  blocks.number = [this, first = firstBlock](OpBuilder &, Location, Value n) {
    return index.add(first, n);
  };
  blocks.mask = mask;
  blocks.operands = maskOperands;
  return blocks;
}

ListedTile<Value> AttentionTiler::listedTile(const KeyBlocks &list, Value n) {
  return walk.listedTile(
      index, list.size,
      [&](Value entry) { return list.number(rewriter, loc, entry); }, n);
}

/// Walks the blocks of a list, each in steps of the tile's keys.
AttentionTiler::State
AttentionTiler::walkList(Value query, const KeyBlocks &list, State state) {
  mask = cast_if_present<MaskAttrInterface>(list.mask);
  maskOperands = list.operands;
  sumUpQueries();
  Value steps = index.mul(list.count, index.constant(walk.stepsOf(list.size)));
  auto forOp = scf::ForOp::create(
      rewriter, loc, index.constant(0), steps, index.constant(1), state,
      [&](OpBuilder &, Location, Value n, ValueRange args) {
        OpBuilder::InsertionGuard guard(rewriter);
        rewriter.setInsertionPointToEnd(args[0].getParentBlock());
        ListedTile<Value> listed = listedTile(list, n);
        // Lists number the blocks of all keys; others have those of a slice.
        Value elsewhere;
        if (keysBefore) {
          listed.first = index.sub(listed.first, keysBefore);
          elsewhere = walk.isElsewhere(index, listed.first, numKeys);
        }
        auto [k0, count] = walk.listedKeys(index, list.size, listed, numKeys);
        OpFoldResult existing = getAsOpFoldResult(count);
        sumUpKeys(k0, existing);
        Value hidden = isHidden(k0, existing);
        if (hidden && elsewhere)
          hidden = index.either(hidden, elsewhere);
        scf::YieldOp::create(rewriter, loc,
                             stepUnless(hidden ? hidden : elsewhere, query, k0,
                                        existing, SmallVector<Value>(args)));
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
AttentionTiler::State AttentionTiler::walkTogether(Value query,
                                                   ArrayRef<KeyBlocks> lists,
                                                   State state) {
  const KeyBlocks &partial = lists[0], &full = lists[1];
  KeyBlocks all = joinLists(full, partial);
  // Where both leave the same to ask, nobody needs to know which one it is.
  bool alike = partial.mask == full.mask && partial.operands == full.operands;
  if (alike) {
    mask = cast_if_present<MaskAttrInterface>(full.mask);
    maskOperands = full.operands;
  }
  Value stepsEach = index.constant(walk.stepsOf(all.size));
  Value fullSteps = index.mul(full.count, stepsEach);
  Value cut = walk.isCut(index, all.size, numKeys);
  Value last = walk.lastListed(index, cut, numKeys);
  auto forOp = scf::ForOp::create(
      rewriter, loc, index.constant(0), index.mul(all.count, stepsEach),
      index.constant(1), state,
      [&](OpBuilder &, Location, Value n, ValueRange args) {
        OpBuilder::InsertionGuard guard(rewriter);
        rewriter.setInsertionPointToEnd(args[0].getParentBlock());
        auto [k0, existing] =
            walk.joinedKeys(index, listedTile(all, n), cut, last, numKeys);
        listedFull = alike ? Value() : index.less(n, fullSteps);
        scf::YieldOp::create(rewriter, loc,
                             step(query, k0, getAsOpFoldResult(existing),
                                  SmallVector<Value>(args)));
      });
  listedFull = {};
  return SmallVector<Value>(forOp.getResults());
}

AttentionTiler::State AttentionTiler::loopOverKeys(Value query, Value qLast) {
  SmallVector<int64_t> accShape{rows, vDim};
  if (tiling.getTransposed())
    std::swap(accShape[0], accShape[1]);
  State state{filledTile(rewriter, loc, accShape, 0.0, accumulator),
              filledTile(rewriter, loc, rows,
                         -std::numeric_limits<double>::infinity(), accumulator),
              filledTile(rewriter, loc, rows, 0.0, accumulator)};

  mask = op.getEffectiveMask();
  maskOperands = SmallVector<Value>(op.getMaskOperands());
  SmallVector<KeyBlocks> lists;
  if (mask)
    lists = mask.buildKeyBlocks(rewriter, loc, maskPlace(), qPosition);
  if (lists.empty())
    return walkRange(query, qLast, state);
  // What a step reads at its last key must be there.
  if (walk.mayNameBeyondKeys())
    for (KeyBlocks &list : lists)
      list.count = arith::SelectOp::create(
          rewriter, loc, index.less(index.constant(0), numKeys), list.count,
          index.constant(0));
  if (walk.walksTogether(lists))
    return walkTogether(query, lists, state);
  for (const KeyBlocks &list : lists)
    state = walkList(query, list, state);
  return state;
}
