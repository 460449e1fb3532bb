//===- TileSequences.cpp - Blocks of ragged sequences -----------*- C++ -*-===//
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
// How long sequences are is data, which a host does not see before a launch.
// The blocks of a sequence that begins at row r are numbered from r / m + its
// own number on: the next one's number is further by at least as many blocks as
// it has, whatever the lengths. So the grid is known from shapes, has two
// blocks a sequence more than are needed at most, and a block finds its
// sequence by bisection. Where blocks of a mask cut tiles off, `each` of them
// in a block of b queries, they are numbered from r * each / b + its number on.
//
// Rows in no sequence, before the first and behind the last, are two more
// sequences, without keys: their results follow.
//
//===----------------------------------------------------------------------===//

#include "AttentionTiler.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <limits>

using namespace mlir;
using namespace flash;

/// The number of the first block of a sequence that begins at a row, without
/// the sequence's own.
Value AttentionTiler::firstBlockAt(Value row) {
  if (!walk.queries.areCut())
    return index.div(row, index.constant(walk.queries.size));
  Value each = index.constant(walk.queries.perBlock());
  return index.div(index.mul(row, each), index.constant(walk.queries.block));
}

/// The largest number of a sequence's first block is that of the rows behind
/// the last one, which begin at the end of the rows at most.
Value AttentionTiler::countSequenceBlocks() {
  Value total = index.dim(op.getQuery(), op.getLengthDim());
  Value places = index.add(index.dim(op.getCuSeqlensQ(), 0), index.constant(1));
  return index.add(firstBlockAt(total), places);
}

/// Finds whose block has the number `block`, and says which one of the
/// sequence's it is. Place 0 is that of the rows before the first sequence.
Value AttentionTiler::findSequence(Value block) {
  Value zero = index.constant(0), one = index.constant(1);
  Value total = index.dim(op.getQuery(), op.getLengthDim());
  // Numbers of blocks and places have 32 bits, as a grid has.
  Type narrow = rewriter.getI32Type(), wide = rewriter.getIndexType();
  auto cast = [&](Type type, Value value) -> Value {
    return arith::IndexCastOp::create(rewriter, loc, type, value);
  };
  auto number = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(rewriter, loc,
                                     rewriter.getI32IntegerAttr(value));
  };
  auto atMost = [&](Value a, Value b) -> Value {
    return arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::sle, a,
                                 b);
  };
  auto firstBlock = [&](Value placeHere) {
    Value start = readCount(op.getCuSeqlensQ(),
                            index.sub(cast(wide, placeHere), one), zero, total);
    return index.add(cast(narrow, firstBlockAt(start)), placeHere);
  };
  // Bits of the last place, from the highest one on: those of the place whose
  // first block is not behind this one.
  Value bounds = index.dim(op.getCuSeqlensQ(), 0), last = cast(narrow, bounds);
  Value wanted = cast(narrow, block);
  Value zeros = math::CountLeadingZerosOp::create(rewriter, loc, last);
  Value bits = index.sub(number(32), zeros);
  Value half = arith::ShLIOp::create(rewriter, loc, number(1), bits);
  auto search = scf::ForOp::create(
      rewriter, loc, number(0), bits, number(1),
      ValueRange{number(0), number(0), half},
      [&](OpBuilder &, Location, Value, ValueRange args) {
        OpBuilder::InsertionGuard guard(rewriter);
        rewriter.setInsertionPointToEnd(args[0].getParentBlock());
        Value bit = arith::ShRUIOp::create(rewriter, loc, args[2], number(1));
        Value next = index.add(args[0], bit);
        // What is behind the last place is not read.
        Value first = firstBlock(index.min(next, last));
        Value within = arith::AndIOp::create(rewriter, loc, atMost(next, last),
                                             atMost(first, wanted));
        auto pick = [&](Value yes, Value no) -> Value {
          return arith::SelectOp::create(rewriter, loc, within, yes, no);
        };
        scf::YieldOp::create(
            rewriter, loc,
            ValueRange{pick(next, args[0]), pick(first, args[1]), bit});
      });
  place = cast(wide, search.getResult(0));
  // What is read for a sequence is that of one which exists.
  batch = index.max(
      index.min(index.sub(place, one), index.sub(bounds, index.constant(2))),
      zero);
  isSequence = arith::AndIOp::create(rewriter, loc, index.less(zero, place),
                                     index.less(place, bounds));
  return cast(wide, index.sub(wanted, search.getResult(1)));
}

/// The rows from one bound of the place to the next, of `count` in all.
void AttentionTiler::findSequenceRows(Value starts, Value &first,
                                      Value &count) {
  Value zero = index.constant(0), one = index.constant(1), total = count;
  Value bounds = index.dim(starts, 0);
  auto select = [&](Value condition, Value yes, Value no) -> Value {
    return arith::SelectOp::create(rewriter, loc, condition, yes, no);
  };
  Value before =
      readCount(starts, index.max(index.sub(place, one), zero), zero, total);
  first = select(index.less(zero, place), before, zero);
  Value next =
      readCount(starts, index.min(place, index.sub(bounds, one)), first, total);
  count = index.sub(select(index.less(place, bounds), next, total), first);
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
