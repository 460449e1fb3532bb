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

/// Finds whose block has the number `block`, and says which one of the
/// sequence's it is.
Value AttentionTiler::findSequence(Value block) {
  auto [sequence, own] = placesOfQueries().find(walk.queries, block);
  place = sequence.place;
  isSequence = sequence.isSequence;
  batch = sequence.number;
  return own;
}

/// The rows from one bound of the place to the next, of `count` in all.
void AttentionTiler::findSequenceRows(Value starts, Value &first,
                                      Value &count) {
  RowBlock<Value> rows =
      SequencePlaces(rewriter, loc, starts, count).rowsOf(place);
  first = rows.first;
  count = rows.count;
}

/// In a block without queries (beyond a short sequence) and for rows in no
/// sequence nothing is read, and no sink is seen. Returns the queries to read.
Value AttentionTiler::leaveOut(Value existing) {
  Value zero = index.constant(0);
  auto select = [&](Value condition, Value yes, Value no) -> Value {
    return arith::SelectOp::create(rewriter, loc, condition, yes, no);
  };
  if (sink) {
    double none = -std::numeric_limits<double>::infinity();
    sink =
        select(isSequence, sink,
               arith::ConstantOp::create(
                   rewriter, loc, rewriter.getFloatAttr(sink.getType(), none)));
  }
  Value queries = select(isSequence, existing, zero);
  numKeys = select(index.less(zero, queries), numKeys, zero);
  return queries;
}
