//===- BackwardSequences.cpp - Whose rows a backward has ------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   scf.forall (%0, %h, %t) in (1, heads, rows / m + sequences + 2) {
//     // whose tile %t is, by bisection; where its rows lie; how many exist
//   }
//
// Batches have all rows; those with `kv_lengths` lack the last keys, a slice
// has some of them, and ragged sequences lie one after another. Tiles of a
// ragged sequence are numbered as the forward's are (SequencePlaces.cpp), and
// so are the blocks of what is kept of each row between loops. Where a mask
// lists blocks that tiles do not divide, tiles are cut off at their ends, and
// loops count tiles rather than rows.
//
//===----------------------------------------------------------------------===//

#include "BackwardTiler.h"

#include "flash/Dialect/Flash/Analysis/KeyWalk.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"

using namespace mlir;
using namespace flash;

Value BackwardProblem::countOwners() {
  if (!op.isRagged())
    return batches;
  return SequencePlaces(rewriter, loc, op.getCuSeqlensQ(), numQueries)
      .countSequences();
}

OwnRows BackwardProblem::rowsOfBatch(Value batch) {
  Value zero = index.constant(0);
  OwnRows own{batch,   batch,   batch,   zero,     zero, numQueries,
              numKeys, numKeys, qOffset, kvOffset, zero};
  limitKeys(own);
  return own;
}

OwnRows BackwardProblem::rowsAt(const SequencePlaces::Sequence &sequence) {
  Value zero = index.constant(0);
  SequencePlaces queries(rewriter, loc, op.getCuSeqlensQ(), numQueries);
  RowBlock<Value> ownQueries = queries.rowsOf(sequence.place),
                  ownKeys{zero, numKeys};
  Value keyBatch = sequence.number;
  if (op.getCuSeqlensK()) {
    keyBatch = zero;
    ownKeys = SequencePlaces(rewriter, loc, op.getCuSeqlensK(), numKeys)
                  .rowsOf(sequence.place);
  }
  OwnRows own{sequence.number,  zero,          keyBatch,
              ownQueries.first, ownKeys.first, ownQueries.count,
              ownKeys.count,    ownKeys.count, Value(),
              kvOffset,         Value()};
  RowTiles blocks{walk.statisticsRows, walk.listed.first};
  own.tilesBefore =
      index.add(queries.firstTileAt(blocks, own.queryRow), sequence.place);
  // What is in no sequence sees nothing.
  own.numKeys = index.select(sequence.isSequence, own.numKeys, zero);
  limitKeys(own);
  return own;
}

/// The keys that exist, and the positions that follow from how many these are.
void BackwardProblem::limitKeys(OwnRows &own) {
  Value zero = index.constant(0);
  if (op.getKvLengths())
    own.numKeys = readCount(rewriter, loc, op.getKvLengths(), own.batch, zero,
                            own.numKeys);
  if (!op.getQOffset() && mayLackKeys())
    own.qOffset = index.add(kvOffset, index.sub(own.numKeys, own.numQueries));
  if (!own.qOffset)
    own.qOffset = op.getQOffset();
  SliceAttr slice = op.getKeySliceAttr();
  if (!slice)
    return;
  KeySlice<Value> part = flash::sliceKeys(index, slice, own.numKeys);
  own.keyRow = index.add(own.keyRow, part.before);
  own.keyPosition = index.add(kvOffset, part.before);
  own.numKeys = own.allKeys = part.count;
}

OwnRows BackwardProblem::rowsOf(Value owner) {
  if (!op.isRagged())
    return rowsOfBatch(owner);
  SequencePlaces places(rewriter, loc, op.getCuSeqlensQ(), numQueries);
  return rowsAt(places.at(index.add(owner, index.constant(1))));
}

/// The blocks of all sequences are one batch; without rows there is none.
Value BackwardProblem::countGridBatches(bool ofKeys) {
  if (ofKeys ? !bool(op.getCuSeqlensK()) : !op.isRagged())
    return countOwners();
  return index.min(ofKeys ? numKeys : numQueries, index.constant(1));
}

Value BackwardProblem::countTiles(bool ofKeys) {
  RowTiles tiles = ofKeys ? keyTiles() : queryTiles();
  Value count = ofKeys ? numKeys : numQueries,
        starts = ofKeys ? op.getCuSeqlensK() : op.getCuSeqlensQ();
  if (!starts)
    return tiles.count(index, count);
  return SequencePlaces(rewriter, loc, starts, count).countTiles(tiles);
}

std::pair<OwnRows, RowTile> BackwardProblem::findTile(Value batch, Value number,
                                                      bool ofKeys) {
  RowTiles tiles = ofKeys ? keyTiles() : queryTiles();
  Value starts = ofKeys ? op.getCuSeqlensK() : op.getCuSeqlensQ();
  OwnRows own;
  Value hasRows;
  if (starts) {
    SequencePlaces places(rewriter, loc, starts, ofKeys ? numKeys : numQueries);
    auto [sequence, ownNumber] = places.find(tiles, number);
    own = rowsAt(sequence);
    number = ownNumber;
    hasRows = sequence.isSequence;
  } else {
    own = rowsOf(batch);
  }
  RowTile rows = tileOf(tiles, number, ofKeys ? own.allKeys : own.numQueries);
  // A tile without rows meets nothing: its padding would ask for what the last
  // of its rows reads.
  if (ofKeys ? mayLackKeys() : op.isRagged()) {
    Value some = index.less(rows.first, ofKeys ? own.numKeys : own.numQueries);
    hasRows = hasRows ? index.both(hasRows, some) : some;
  }
  if (hasRows) {
    Value &others = ofKeys ? own.numQueries : own.numKeys;
    others = index.select(hasRows, others, index.constant(0));
  }
  return {own, rows};
}

RowTile BackwardProblem::tileOf(const RowTiles &tiles, Value number,
                                Value count) {
  RowBlock<Value> rows = tiles.find(index, number);
  Value padded = tiles.areCut() ? index.mul(number, index.constant(tiles.size))
                                : rows.first;
  // A sequence, or slice, may have fewer tiles than there are numbers for.
  Value first = rows.first;
  if (op.isRagged() || op.getKeySliceAttr())
    first = index.min(first, count);
  if (!tiles.areCut())
    return {first, padded, existing(first, count, tiles.size)};
  return {first, padded,
          getAsOpFoldResult(index.min(rows.count, index.sub(count, first)))};
}

BackwardProblem::Steps BackwardProblem::stepsOver(const RowTiles &tiles,
                                                  RowRange<Value> rows) {
  if (!tiles.areCut())
    return {rows.first, rows.end, index.constant(tiles.size)};
  Value block = index.constant(tiles.block);
  Value number = index.div(rows.first, block);
  Value within = index.sub(rows.first, index.mul(number, block));
  Value from = index.add(index.mul(number, index.constant(tiles.perBlock())),
                         index.div(within, index.constant(tiles.size)));
  return {from, tiles.count(index, rows.end), index.constant(1)};
}

RowTile BackwardProblem::tileAt(const RowTiles &tiles, Value step,
                                Value count) {
  if (tiles.areCut())
    return tileOf(tiles, step, count);
  return {step, step, existing(step, count, tiles.size)};
}
