//===- TileSequences.cpp - Ragged sequences of a forward --------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   scf.forall (%0, %h, %t) in (1, heads, rows / m + sequences + 2) {
//     %place = scf.for ... { read %starts }   // whose block %t is
//     ...
//   }
//
// Blocks are numbered as SequencePlaces.cpp says.
//
//===----------------------------------------------------------------------===//

#include "AttentionTiler.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <limits>

using namespace mlir;
using namespace flash;

SequencePlaces AttentionTiler::placesOfQueries() {
  return SequencePlaces(rewriter, loc, op.getCuSeqlensQ(),
                        index.dim(op.getQuery(), op.getLengthDim()));
}

Value AttentionTiler::countSequenceBlocks() {
  return placesOfQueries().countTiles(walk.queries);
}

/// Whose block has the number `block`, and which one of the sequence's it is.
std::pair<BatchRows, Value> AttentionTiler::findSequence(BatchRows here,
                                                         Value block) {
  auto [sequence, own] = placesOfQueries().find(walk.queries, block);
  here.place = sequence.place;
  here.isSequence = sequence.isSequence;
  here.batch = sequence.number;
  return {here, own};
}

/// The rows from one bound of a place to the next, of `count` in all.
RowBlock<Value> AttentionTiler::findSequenceRows(Value starts, Value place,
                                                 Value count) {
  return SequencePlaces(rewriter, loc, starts, count).rowsOf(place);
}

/// In a block without queries (beyond a short sequence) and for rows in no
/// sequence nothing is read, and no sink is seen.
QueryBlock AttentionTiler::leaveOut(QueryBlock block) {
  Value zero = index.constant(0);
  auto select = [&](Value condition, Value yes, Value no) -> Value {
    return arith::SelectOp::create(rewriter, loc, condition, yes, no);
  };
  if (block.sink) {
    double none = -std::numeric_limits<double>::infinity();
    Type type = block.sink.getType();
    block.sink = select(block.isSequence, block.sink,
                        arith::ConstantOp::create(
                            rewriter, loc, rewriter.getFloatAttr(type, none)));
  }
  block.readQueries = select(block.isSequence, block.existingQueries, zero);
  block.numKeys =
      select(index.less(zero, block.readQueries), block.numKeys, zero);
  return block;
}
