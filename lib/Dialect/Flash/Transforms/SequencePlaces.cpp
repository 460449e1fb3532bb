//===- SequencePlaces.cpp - Blocks of ragged sequences ----------*- C++ -*-===//
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
// Rows in no sequence, before the first and after the last, are two more
// sequences, without keys: their results follow.
//
//===----------------------------------------------------------------------===//

#include "SequencePlaces.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace flash;

Value flash::readCount(OpBuilder &builder, Location loc, Value counts, Value at,
                       Value low, Value high) {
  IndexBuilder index(builder, loc);
  Value number = tensor::ExtractOp::create(builder, loc, counts, at);
  number =
      arith::IndexCastOp::create(builder, loc, builder.getIndexType(), number);
  return index.min(index.max(number, low), high);
}

Value SequencePlaces::select(Value condition, Value yes, Value no) {
  return arith::SelectOp::create(builder, loc, condition, yes, no);
}

Value SequencePlaces::countSequences() {
  Value bounds = index.dim(starts, 0);
  return index.max(index.sub(bounds, index.constant(1)), index.constant(0));
}

Value SequencePlaces::firstTileAt(const RowTiles &tiles, Value row) {
  if (!tiles.areCut())
    return index.div(row, index.constant(tiles.size));
  Value each = index.constant(tiles.perBlock());
  return index.div(index.mul(row, each), index.constant(tiles.block));
}

/// The largest number of a sequence's first tile is that of the rows after
/// the last one, which begin at the end of the rows at most.
Value SequencePlaces::countTiles(const RowTiles &tiles) {
  Value places = index.add(index.dim(starts, 0), index.constant(1));
  return index.add(firstTileAt(tiles, total), places);
}

SequencePlaces::Sequence SequencePlaces::at(Value place) {
  Value zero = index.constant(0), one = index.constant(1);
  Value bounds = index.dim(starts, 0);
  Value number = index.max(
      index.min(index.sub(place, one), index.sub(bounds, index.constant(2))),
      zero);
  Value isSequence = arith::AndIOp::create(
      builder, loc, index.less(zero, place), index.less(place, bounds));
  return {place, isSequence, number};
}

std::pair<SequencePlaces::Sequence, Value>
SequencePlaces::find(const RowTiles &tiles, Value tile) {
  Value zero = index.constant(0), one = index.constant(1);
  // Numbers of tiles and places have 32 bits, as a grid has.
  Type narrow = builder.getI32Type(), wide = builder.getIndexType();
  auto cast = [&](Type type, Value value) -> Value {
    return arith::IndexCastOp::create(builder, loc, type, value);
  };
  auto number = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getI32IntegerAttr(value));
  };
  auto atMost = [&](Value a, Value b) -> Value {
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sle, a, b);
  };
  auto firstTile = [&](Value placeHere) {
    Value start = readCount(builder, loc, starts,
                            index.sub(cast(wide, placeHere), one), zero, total);
    return index.add(cast(narrow, firstTileAt(tiles, start)), placeHere);
  };
  // Bits of the last place, from the highest one on: those of the place whose
  // first tile is not after this one.
  Value bounds = index.dim(starts, 0), last = cast(narrow, bounds);
  Value wanted = cast(narrow, tile);
  Value zeros = math::CountLeadingZerosOp::create(builder, loc, last);
  Value bits = index.sub(number(32), zeros);
  Value half = arith::ShLIOp::create(builder, loc, number(1), bits);
  auto search = scf::ForOp::create(
      builder, loc, number(0), bits, number(1),
      ValueRange{number(0), number(0), half},
      [&](OpBuilder &, Location, Value, ValueRange args) {
        OpBuilder::InsertionGuard guard(builder);
        builder.setInsertionPointToEnd(args[0].getParentBlock());
        Value bit = arith::ShRUIOp::create(builder, loc, args[2], number(1));
        Value next = index.add(args[0], bit);
        // What is after the last place is not read.
        Value first = firstTile(index.min(next, last));
        Value within = arith::AndIOp::create(builder, loc, atMost(next, last),
                                             atMost(first, wanted));
        scf::YieldOp::create(builder, loc,
                             ValueRange{select(within, next, args[0]),
                                        select(within, first, args[1]), bit});
      });
  Sequence found = at(cast(wide, search.getResult(0)));
  return {found, cast(wide, index.sub(wanted, search.getResult(1)))};
}

RowBlock<Value> SequencePlaces::rowsOf(Value place) {
  Value zero = index.constant(0), one = index.constant(1);
  Value bounds = index.dim(starts, 0);
  Value before = readCount(builder, loc, starts,
                           index.max(index.sub(place, one), zero), zero, total);
  Value first = select(index.less(zero, place), before, zero);
  Value next =
      readCount(builder, loc, starts, index.min(place, index.sub(bounds, one)),
                first, total);
  Value count =
      index.sub(select(index.less(place, bounds), next, total), first);
  return {first, count};
}
