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

#include "flash/Dialect/Flash/IR/MaskRange.h"

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
  if (op.isPaged() && keyBlock) {
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
  bool begins = keyBlock % keys == 0 &&
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

/// Whether the mask's data are summed up for a block. Where many threads have
/// it each would read them all, and a loop over keys with a condition in it has
/// no producer: there each block gets the predicate, if the mask knows it
/// without.
bool AttentionTiler::sumsUp() {
  return mask && mask.getSummarySize() &&
         (tiling.getSummaries() || mask.needsSummary());
}

void AttentionTiler::sumUpQueries() {
  querySummary.clear();
  keySummary.clear();
  if (sumsUp())
    querySummary = mask.buildSummary(rewriter, loc, maskPlace(), Along::Queries,
                                     qPosition, existingQueries);
}

void AttentionTiler::sumUpKeys(Value k0, OpFoldResult existing) {
  keySummary.clear();
  if (sumsUp())
    keySummary = mask.buildSummary(
        rewriter, loc, maskPlace(), Along::Keys, index.add(keyPosition, k0),
        getValueOrCreateConstantIndexOp(rewriter, loc, existing));
}

/// Whether a block is hidden though the loop meets it (in a hole of the range,
/// by its data, or in a list); null where none can be.
Value AttentionTiler::isHidden(Value k0, OpFoldResult existing) {
  bool mayHide = mask && (mayHaveHoles(mask, op.getMaskBody()) || sumsUp() ||
                          mask != op.getEffectiveMask());
  if (!mayHide)
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

/// The keys that the block's queries may see, as indices [first, end), first a
/// multiple of the key block.
std::pair<Value, Value> AttentionTiler::visibleKeys(Value qLast) {
  Value zero = index.constant(0), first = zero, end = numKeys;
  if (mask) {
    auto [low, high] =
        mask.buildVisibleKeys(rewriter, loc, maskPlace(), qPosition, qLast);
    auto toIndex = [&](Value position) {
      return index.min(index.max(index.sub(position, keyPosition), zero),
                       numKeys);
    };
    if (low) {
      Value block = index.constant(keys);
      first = index.mul(index.div(toIndex(low), block), block);
    }
    if (high)
      end = toIndex(high);
  }
  return {first, end};
}

/// Walks the blocks of [from, to), from the last one on if keys are walked in
/// reverse. `whole`: each has all its keys.
AttentionTiler::State AttentionTiler::walkBlocks(Value query, Value from,
                                                 Value to, bool whole,
                                                 State state) {
  Value block = index.constant(keys), mirror;
  if (tiling.getReverseKeys()) {
    Value behind = index.max(index.sub(index.sub(to, from), index.constant(1)),
                             index.constant(0));
    Value last = index.add(from, index.mul(index.div(behind, block), block));
    mirror = index.add(from, last);
  }
  auto forOp = scf::ForOp::create(
      rewriter, loc, from, to, block, state,
      [&](OpBuilder &, Location, Value place, ValueRange args) {
        OpBuilder::InsertionGuard guard(rewriter);
        rewriter.setInsertionPointToEnd(args[0].getParentBlock());
        Value k0 = mirror ? index.sub(mirror, place) : place;
        OpFoldResult existing =
            whole ? OpFoldResult(rewriter.getIndexAttr(keys))
                  : getAsOpFoldResult(index.min(block, index.sub(numKeys, k0)));
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
  auto [first, end] = visibleKeys(qLast);
  if (keyBlock % keys != 0)
    return walkList(query, listRange(first, end), state);
  sumUpQueries();
  std::optional<int64_t> staticKeys = getConstantIntValue(numKeys);
  if (staticKeys && *staticKeys % keys == 0)
    return walkBlocks(query, first, end, /*whole=*/true, state);
  if (!tiling.getPeel())
    return walkBlocks(query, first, end, /*whole=*/false, state);
  // Whole blocks are read where they lie; only the ragged last one is padded.
  // As a loop of at most one step it needs no copy of the state around it.
  Value block = index.constant(keys);
  Value wholeEnd = index.mul(index.div(numKeys, block), block);
  if (tiling.getReverseKeys())
    state = walkBlocks(query, index.max(first, wholeEnd), end,
                       /*whole=*/false, state);
  state =
      walkBlocks(query, first, index.min(end, wholeEnd), /*whole=*/true, state);
  if (!tiling.getReverseKeys())
    state = walkBlocks(query, index.max(first, wholeEnd), end,
                       /*whole=*/false, state);
  return state;
}

/// The blocks of a range as if a list named them: tiles that do not divide them
/// are cut off at their ends.
KeyBlocks AttentionTiler::listRange(Value first, Value end) {
  Value size = index.constant(keyBlock), firstBlock = index.div(first, size);
  KeyBlocks blocks;
  blocks.size = keyBlock;
  blocks.count = index.max(index.sub(index.ceilDiv(end, keyBlock), firstBlock),
                           index.constant(0));
  // Lists number the blocks of all keys.
  if (keysBefore)
    firstBlock = index.add(firstBlock, index.div(keysBefore, size));
  blocks.number = [this, firstBlock](OpBuilder &, Location, Value n) {
    return index.add(firstBlock, n);
  };
  blocks.mask = mask;
  blocks.operands = maskOperands;
  return blocks;
}

/// How many steps a block of a list takes. No step crosses a block of another
/// mask's lists.
Value AttentionTiler::stepsOf(const KeyBlocks &list) {
  return index.constant(list.size / keyBlock *
                        llvm::divideCeil(keyBlock, keys));
}

/// Of the n-th step through a list's blocks: its first key, as the list says,
/// and how many keys there are from it to the block's end.
std::pair<Value, Value> AttentionTiler::listedKeys(const KeyBlocks &list,
                                                   Value n) {
  Value stepsEach = stepsOf(list);
  Value size = index.constant(list.size);
  Value entry = index.div(n, stepsEach);
  Value part = index.sub(n, index.mul(entry, stepsEach));
  Value first = index.mul(list.number(rewriter, loc, entry), size);
  Value tile = index.constant(keys);
  if (list.size == keyBlock) {
    Value before = index.mul(part, tile);
    return {index.add(first, before), index.sub(size, before)};
  }
  Value each = index.constant(keyBlock),
        steps = index.constant(llvm::divideCeil(keyBlock, keys));
  Value inner = index.div(part, steps);
  Value before = index.mul(index.sub(part, index.mul(inner, steps)), tile);
  return {index.add(index.add(first, index.mul(inner, each)), before),
          index.sub(each, before)};
}

/// Walks the blocks of a list, each in steps of the tile's keys.
AttentionTiler::State
AttentionTiler::walkList(Value query, const KeyBlocks &list, State state) {
  mask = cast_if_present<MaskAttrInterface>(list.mask);
  maskOperands = list.operands;
  sumUpQueries();
  Value stepsEach = stepsOf(list);
  Value zero = index.constant(0), tile = index.constant(keys);
  std::optional<int64_t> known = getConstantIntValue(numKeys);
  // The last block of a list can lie beyond the keys by whole tiles.
  bool divides = keyBlock % keys == 0;
  bool whole = divides && known && *known > 0 && *known % list.size == 0;
  auto forOp = scf::ForOp::create(
      rewriter, loc, zero, index.mul(list.count, stepsEach), index.constant(1),
      state, [&](OpBuilder &, Location, Value n, ValueRange args) {
        OpBuilder::InsertionGuard guard(rewriter);
        rewriter.setInsertionPointToEnd(args[0].getParentBlock());
        // Lists number the blocks of all keys; others have those of a slice.
        auto [at, toEnd] = listedKeys(list, n);
        Value elsewhere;
        if (keysBefore) {
          at = index.sub(at, keysBefore);
          elsewhere = arith::OrIOp::create(
              rewriter, loc, index.less(at, zero),
              index.less(index.sub(numKeys, index.constant(1)), at));
        }
        // The list is data: what lies outside of the keys is no key.
        Value last = whole ? index.sub(numKeys, tile) : numKeys;
        Value k0 = index.min(index.max(at, zero), last);
        Value most = divides ? tile : index.min(tile, toEnd);
        OpFoldResult existing =
            whole ? OpFoldResult(rewriter.getIndexAttr(keys))
                  : getAsOpFoldResult(index.min(most, index.sub(numKeys, k0)));
        sumUpKeys(k0, existing);
        Value hidden = isHidden(k0, existing);
        if (hidden && elsewhere)
          hidden = arith::OrIOp::create(rewriter, loc, hidden, elsewhere);
        scf::YieldOp::create(rewriter, loc,
                             stepUnless(hidden ? hidden : elsewhere, query, k0,
                                        existing, SmallVector<Value>(args)));
      });
  return SmallVector<Value>(forOp.getResults());
}

/// Whether lists may name blocks that begin behind the last key: where numbers
/// of keys are data. With others that would be an error of the lists.
static bool namesBeyondKeys(AttentionOp op) {
  return op.getKvLengths() || op.isRagged();
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
  Value zero = index.constant(0), tile = index.constant(keys);
  Value stepsEach = stepsOf(all);
  bool divides = keyBlock % keys == 0;
  Value fullSteps = index.mul(full.count, stepsEach);
  Value rest =
      index.sub(numKeys, index.mul(index.div(numKeys, index.constant(all.size)),
                                   index.constant(all.size)));
  Value cut = namesBeyondKeys(op) || !divides
                  ? arith::ConstantIntOp::create(rewriter, loc, 1, 1)
                  : index.less(zero, rest);
  Value last = rewriter.createOrFold<arith::SelectOp>(
      loc, cut, numKeys, index.max(index.sub(numKeys, tile), zero));
  auto forOp = scf::ForOp::create(
      rewriter, loc, zero, index.mul(all.count, stepsEach), index.constant(1),
      state, [&](OpBuilder &, Location, Value n, ValueRange args) {
        OpBuilder::InsertionGuard guard(rewriter);
        rewriter.setInsertionPointToEnd(args[0].getParentBlock());
        auto [at, toEnd] = listedKeys(all, n);
        Value k0 = index.min(index.max(at, zero), last);
        Value most = divides ? tile : index.min(tile, toEnd);
        Value existing = rewriter.createOrFold<arith::SelectOp>(
            loc, cut, index.min(most, index.sub(numKeys, k0)), tile);
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
  if (namesBeyondKeys(op))
    for (KeyBlocks &list : lists)
      list.count = arith::SelectOp::create(
          rewriter, loc, index.less(index.constant(0), numKeys), list.count,
          index.constant(0));
  bool lookUp = llvm::any_of(lists, [](const KeyBlocks &list) {
    auto inside = cast_if_present<MaskAttrInterface>(list.mask);
    return inside && inside.needsSummary();
  });
  if (tiling.getJoinLists() && lists.size() == 2 && lists[1].full &&
      !keysBefore && !lookUp)
    return walkTogether(query, lists, state);
  for (const KeyBlocks &list : lists)
    state = walkList(query, list, state);
  return state;
}
