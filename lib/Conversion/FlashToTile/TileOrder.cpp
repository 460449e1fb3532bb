//===- TileOrder.cpp - Which tile a block works on --------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See TileOrder.h.
//
//===----------------------------------------------------------------------===//

#include "TileOrder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"

using namespace mlir;

/// Quotient and remainder, in 32 bits: a grid has no more blocks, and a
/// division of 64 bits takes hundreds of cycles.
static std::pair<Value, Value> divide(OpBuilder &builder, Location loc, Value a,
                                      Value b) {
  Type narrow = builder.getI32Type(), wide = builder.getIndexType();
  auto toNarrow = [&](Value value) -> Value {
    return arith::IndexCastUIOp::create(builder, loc, narrow, value);
  };
  auto toWide = [&](Value value) -> Value {
    return arith::IndexCastUIOp::create(builder, loc, wide, value);
  };
  Value x = toNarrow(a), y = toNarrow(b);
  return {toWide(arith::DivUIOp::create(builder, loc, x, y)),
          toWide(arith::RemUIOp::create(builder, loc, x, y))};
}

/// Place `rest` in dimensions of `counts` points, the last one fastest.
static SmallVector<Value> delinearize(OpBuilder &builder, Location loc,
                                      Value rest, ArrayRef<Value> counts) {
  SmallVector<Value> position(counts.size());
  for (int64_t dim = counts.size() - 1; dim > 0; --dim) {
    std::tie(rest, position[dim]) = divide(builder, loc, rest, counts[dim]);
  }
  position[0] = rest;
  return position;
}

/// The last point first: under a causal mask the last blocks of queries are the
/// longest.
static Value fromEnd(OpBuilder &builder, Location loc, Value count, Value id) {
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  return arith::SubIOp::create(
      builder, loc, arith::SubIOp::create(builder, loc, count, one), id);
}

static SmallVector<Value> positionInOrder(OpBuilder &builder, Location loc,
                                          Value block, ArrayRef<Value> counts) {
  SmallVector<Value> position = delinearize(builder, loc, block, counts);
  position.back() = fromEnd(builder, loc, counts.back(), position.back());
  return position;
}

/// How many points the outer dimensions have.
static Value countOuter(OpBuilder &builder, Location loc,
                        ArrayRef<Value> counts) {
  Value outer = counts.front();
  for (Value count : counts.drop_front().drop_back())
    outer = arith::MulIOp::create(builder, loc, outer, count);
  return outer;
}

/// All points of the outer dimensions take turns, from the longest tiles on,
/// where they are at most `most`: the work of blocks that go
/// through tiles to and fro is even. More of them share no keys while they take
/// turns, and go one after the other.
static SmallVector<Value> positionInTurns(OpBuilder &builder, Location loc,
                                          Value block, ArrayRef<Value> counts,
                                          int64_t most) {
  Value outer = countOuter(builder, loc, counts), last = counts.back();
  Value few =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ule, outer,
                            arith::ConstantIndexOp::create(builder, loc, most));
  auto [turn, member] = divide(builder, loc, block, outer);
  auto [head, tile] = divide(builder, loc, block, last);
  auto pick = [&](Value a, Value b) -> Value {
    return arith::SelectOp::create(builder, loc, few, a, b);
  };
  SmallVector<Value> position =
      delinearize(builder, loc, pick(member, head), counts.drop_back());
  position.push_back(fromEnd(builder, loc, last, pick(turn, tile)));
  return position;
}

/// As many points of the outer dimensions take turns as have together about
/// `tiles` points, then the next ones: few enough to share what they read, and
/// enough tiles for blocks that take the next one to be done at one time. One
/// at a time where each has fewer tiles than that is points: its tiles are
/// all under way at once anyway, and alike ones together meet at their ends.
static SmallVector<Value> positionInGroups(OpBuilder &builder, Location loc,
                                           Value block, ArrayRef<Value> counts,
                                           int64_t tiles) {
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  auto multiply = [&](Value a, Value b) -> Value {
    return arith::MulIOp::create(builder, loc, a, b);
  };
  Value outer = countOuter(builder, loc, counts), last = counts.back();
  Value some = arith::MaxUIOp::create(builder, loc, last, constant(1));
  auto [whole, rest] =
      divide(builder, loc,
             arith::AddIOp::create(
                 builder, loc, constant(tiles),
                 arith::SubIOp::create(builder, loc, some, constant(1))),
             some);
  Value isSquare = arith::CmpIOp::create(
      builder, loc, arith::CmpIPredicate::ule, whole, some);
  whole = arith::SelectOp::create(builder, loc, isSquare, whole, constant(1));
  auto [group, place] = divide(builder, loc, block, multiply(whole, some));
  Value first = multiply(group, whole);
  Value members = arith::MinUIOp::create(
      builder, loc, whole, arith::SubIOp::create(builder, loc, outer, first));
  auto [turn, member] = divide(builder, loc, place, members);
  SmallVector<Value> position = delinearize(
      builder, loc, arith::AddIOp::create(builder, loc, first, member),
      counts.drop_back());
  position.push_back(fromEnd(builder, loc, last, turn));
  return position;
}

SmallVector<Value> flash::findTile(OpBuilder &builder, scf::ForallOp op,
                                   tile::OrderAttr order, int64_t cluster,
                                   function_ref<Value(OpFoldResult)> bound) {
  Location loc = op.getLoc();
  SmallVector<Value> counts;
  SmallVector<OpFoldResult> lower = op.getMixedLowerBound(),
                            upper = op.getMixedUpperBound(),
                            step = op.getMixedStep();
  for (int64_t dim = 0; dim < op.getRank(); ++dim) {
    Value count = bound(upper[dim]);
    if (!op.isNormalized())
      count = arith::CeilDivSIOp::create(
          builder, loc,
          builder.createOrFold<arith::SubIOp>(loc, count, bound(lower[dim])),
          bound(step[dim]));
    counts.push_back(count);
  }
  Value block, size;
  if (cluster > 1) {
    block = gpu::ClusterIdOp::create(builder, loc, gpu::Dimension::x);
    size = arith::ConstantIndexOp::create(builder, loc, cluster);
    counts.back() =
        arith::CeilDivUIOp::create(builder, loc, counts.back(), size);
  } else {
    block = gpu::BlockIdOp::create(builder, loc, gpu::Dimension::x);
  }
  SmallVector<Value> position;
  if (order && order.getTiles() && op.getRank() > 1)
    position = positionInGroups(builder, loc, block, counts, order.getTiles());
  else if (order && order.getTurns() && op.getRank() > 1)
    position = positionInTurns(builder, loc, block, counts, order.getTurns());
  else
    position = positionInOrder(builder, loc, block, counts);
  if (cluster > 1)
    position.back() = arith::AddIOp::create(
        builder, loc,
        arith::MulIOp::create(builder, loc, position.back(), size),
        gpu::ClusterBlockIdOp::create(builder, loc, gpu::Dimension::x));
  if (!op.isNormalized())
    for (int64_t dim = 0; dim < op.getRank(); ++dim)
      position[dim] = arith::AddIOp::create(
          builder, loc, bound(lower[dim]),
          arith::MulIOp::create(builder, loc, position[dim], bound(step[dim])));
  return position;
}
