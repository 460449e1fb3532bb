//===- SeenRange.cpp - What a mask region shows, as a range -----*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   ^bb0(%b, %h, %i, %j):                      keys of queries [first, last]:
//     %x = floordivsi %i, 96
//     %y = floordivsi %j, 96
//     %s = cmpi sle, %y, %x                     j < 96 * (last / 96) + 96
//
// A comparison with the key on one side is solved for it, through sums,
// multiples and quotients, for the least and the greatest value that the other
// side takes over the queries (MaskIntervals.cpp). Then a loop over keys has
// bounds, as a structured mask gives them, and its blocks are not asked one by
// one whether they are hidden, which no producer can do. With the two exchanged
// it is the queries that see a block of keys, which a backward's loop asks.
//
//===----------------------------------------------------------------------===//

#include "SeenRange.h"

#include "flash/Dialect/Flash/IR/MaskRange.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace flash;

/// What is farther than any position, and what may be multiplied by a factor.
static constexpr int64_t kFarBits = 44, kMaxFactor = int64_t(1) << 16;
static constexpr int64_t kFar = int64_t(1) << kFarBits;

bool SeenRangeBuilder::depends(Value value) {
  if (value == asked)
    return true;
  Operation *op = value.getDefiningOp();
  if (!op || op->getParentRegion() != asked.getParentRegion())
    return false;
  auto known = dependent.find(value);
  if (known != dependent.end())
    return known->second;
  // What a region of an op reads counts, too.
  bool found = false;
  op->walk([&](Operation *inner) {
    found = found || llvm::any_of(inner->getOperands(), [&](Value operand) {
              return !op->isAncestor(operand.getParentBlock()->getParentOp()) &&
                     depends(operand);
            });
  });
  return dependent[value] = found;
}

Value SeenRangeBuilder::boundOf(Value value, bool high) {
  Interval interval = others.lookup(value);
  Value bound = high ? interval.high : interval.low;
  if (!bound)
    return Value();
  if (interval.bits > kFarBits)
    bound = b.max(b.min(bound, b.constant(kFar)), b.constant(-kFar));
  if (!interval.valid)
    return bound;
  return arith::SelectOp::create(b.builder, b.loc, interval.valid, bound,
                                 b.constant(high ? kFar : -kFar));
}
Value SeenRangeBuilder::lowest(Value value) { return boundOf(value, false); }
Value SeenRangeBuilder::highest(Value value) { return boundOf(value, true); }

SeenRange SeenRangeBuilder::both(SeenRange x, SeenRange y) {
  SeenRange result{x.low ? x.low : y.low, x.end ? x.end : y.end,
                   x.exact && y.exact};
  if (x.low && y.low)
    result.low = b.max(x.low, y.low);
  if (x.end && y.end)
    result.end = b.min(x.end, y.end);
  return result;
}

/// There may be a hole between the two, unless both are open on the same side.
SeenRange SeenRangeBuilder::either(SeenRange x, SeenRange y) {
  SeenRange result = unknown();
  result.exact =
      x.exact && y.exact && ((!x.low && !y.low) || (!x.end && !y.end));
  if (x.low && y.low)
    result.low = b.min(x.low, y.low);
  if (x.end && y.end)
    result.end = b.max(x.end, y.end);
  return result;
}

/// floor(x / n) <= c is x <= n c + n - 1, and >= c is x >= n c; a quotient that
/// is rounded to zero or up is at least that of floor. Without signs, what is
/// below zero has a quotient that is far more than any c.
SeenRange SeenRangeBuilder::solveDivision(Operation *op, Value bound,
                                          bool least) {
  APInt number;
  if (!matchPattern(op->getOperand(1), m_ConstantInt(&number)) ||
      !number.isStrictlyPositive() || number.getSExtValue() > kMaxFactor)
    return unknown();
  int64_t n = number.getSExtValue();
  bool shifts = isa<arith::ShRSIOp>(op);
  if (shifts && n > 16)
    return unknown();
  n = shifts ? int64_t(1) << n : n;
  Value times = arith::MulIOp::create(b.builder, b.loc, bound, b.constant(n));
  bool up = isa<arith::CeilDivSIOp>(op);
  if (isa<arith::DivUIOp>(op) && least)
    return unknown();
  if (!least)
    return solve(op->getOperand(0), up ? times : b.add(times, n - 1), least);
  if (isa<arith::DivSIOp>(op)) {
    // Up to n - 1 below zero, the quotient is 0.
    Value positive = b.less(b.constant(0), bound);
    times = arith::SelectOp::create(b.builder, b.loc, positive, times,
                                    b.add(times, 1 - n));
  }
  return solve(op->getOperand(0), up ? b.add(times, 1 - n) : times, least);
}

/// A position in 32 bits is what it is where rows are counted from what is far
/// from their end: there are less than 2^30 rows.
SeenRange SeenRangeBuilder::solveNarrow(Value bound, bool least) {
  if (!origin)
    return unknown();
  Value fits = b.both(b.less(b.constant(-(int64_t(1) << 31) - 1), origin),
                      b.less(origin, b.constant(int64_t(1) << 30)));
  return solve(asked,
               arith::SelectOp::create(b.builder, b.loc, fits, bound,
                                       b.constant(least ? -kFar : kFar)),
               least);
}

SeenRange SeenRangeBuilder::solve(Value value, Value bound, bool least) {
  if (value == asked)
    return least ? SeenRange{bound, {}} : SeenRange{{}, b.add(bound, 1)};
  Operation *op = value.getDefiningOp();
  auto sub = [&](Value x, Value y) -> Value {
    return arith::SubIOp::create(b.builder, b.loc, x, y);
  };
  auto sum = [&](Value x, Value y) -> Value {
    return arith::AddIOp::create(b.builder, b.loc, x, y);
  };
  if (value.getType().isInteger(32) &&
      isa_and_nonnull<arith::IndexCastOp>(op) && op->getOperand(0) == asked)
    return solveNarrow(bound, least);
  if (!value.getType().isIndex() && !value.getType().isInteger(64))
    return unknown();
  if (isa<arith::IndexCastOp>(op) && op->getOperand(0).getType().isIndex())
    return solve(op->getOperand(0), bound, least);
  if (isa<arith::AddIOp, arith::SubIOp>(op)) {
    bool first = depends(op->getOperand(0));
    if (first && depends(op->getOperand(1)))
      return unknown();
    Value inner = op->getOperand(first ? 0 : 1),
          rest = op->getOperand(first ? 1 : 0);
    bool minus = isa<arith::SubIOp>(op), turns = minus && !first;
    // The other term where it leaves most room.
    bool high = minus ? (first != least) : least;
    if (turns)
      high = least;
    Value other = boundOf(rest, high);
    if (!other)
      return unknown();
    if (turns) // rest - inner
      return solve(inner, sub(other, bound), !least);
    return solve(inner, minus ? sum(bound, other) : sub(bound, other), least);
  }
  if (isa<arith::DivSIOp, arith::DivUIOp, arith::FloorDivSIOp,
          arith::CeilDivSIOp, arith::ShRSIOp>(op))
    return solveDivision(op, bound, least);
  if (isa<math::AbsIOp>(op) && !least)
    return both(solve(op->getOperand(0), bound, false),
                solve(op->getOperand(0), sub(b.constant(0), bound), true));
  return unknown();
}

/// Where `value` is one of [low, high]. A quotient without signs that is at
/// most `high` is one of what is not below zero, and solved as that of floor.
SeenRange SeenRangeBuilder::equal(Value value, Value low, Value high) {
  if (auto division = value.getDefiningOp<arith::DivUIOp>()) {
    APInt number;
    if (!matchPattern(division.getRhs(), m_ConstantInt(&number)) ||
        !number.isStrictlyPositive() || number.getSExtValue() > kMaxFactor)
      return unknown();
    int64_t n = number.getSExtValue();
    auto times = [&](Value bound) -> Value {
      return arith::MulIOp::create(b.builder, b.loc, bound, b.constant(n));
    };
    return equal(division.getLhs(), times(low), b.add(times(high), n - 1));
  }
  return both(solve(value, high, false), solve(value, low, true));
}

SeenRange SeenRangeBuilder::ofComparison(arith::CmpIOp compare, bool negated) {
  using P = arith::CmpIPredicate;
  P predicate = compare.getPredicate();
  if (negated)
    predicate = arith::invertPredicate(predicate);
  Value x = compare.getLhs(), y = compare.getRhs();
  if (depends(y)) {
    if (depends(x))
      return unknown();
    std::swap(x, y);
    predicate = predicate == P::slt   ? P::sgt
                : predicate == P::sle ? P::sge
                : predicate == P::sgt ? P::slt
                : predicate == P::sge ? P::sle
                                      : predicate;
  }
  auto offset = [&](Value bound, int64_t by) {
    return bound ? b.add(bound, by) : Value();
  };
  Value low = lowest(y), high = highest(y);
  switch (predicate) {
  case P::slt:
  case P::sle:
    return high ? solve(x, offset(high, predicate == P::slt ? -1 : 0), false)
                : unknown();
  case P::sgt:
  case P::sge:
    return low ? solve(x, offset(low, predicate == P::sgt ? 1 : 0), true)
               : unknown();
  case P::eq:
    return low && high ? equal(x, low, high) : unknown();
  default:
    return unknown();
  }
}

/// A condition without the position that is asked for: all of these, or none
/// where it never holds.
SeenRange SeenRangeBuilder::ofOthers(Value condition, bool negated) {
  Interval interval = others.lookup(condition);
  Value may = negated ? interval.low : interval.high;
  if (!may)
    return {};
  if (negated)
    may = b.no(may);
  if (interval.valid)
    may = b.either(b.no(interval.valid), may);
  return {{},
          arith::SelectOp::create(b.builder, b.loc, may, b.constant(kFar),
                                  b.constant(-kFar))};
}

SeenRange SeenRangeBuilder::find(Value condition, bool negated) {
  if (!depends(condition))
    return ofOthers(condition, negated);
  Operation *op = condition.getDefiningOp();
  if (isa<arith::AndIOp, arith::OrIOp>(op)) {
    SeenRange x = find(op->getOperand(0), negated),
              y = find(op->getOperand(1), negated);
    return isa<arith::AndIOp>(op) != negated ? both(x, y) : either(x, y);
  }
  if (isa<arith::XOrIOp>(op) && matchPattern(op->getOperand(1), m_One()))
    return find(op->getOperand(0), !negated);
  if (auto compare = dyn_cast<arith::CmpIOp>(op))
    return ofComparison(compare, negated);
  if (auto select = dyn_cast<arith::SelectOp>(op))
    return either(both(find(select.getCondition(), false),
                       find(select.getTrueValue(), negated)),
                  both(find(select.getCondition(), true),
                       find(select.getFalseValue(), negated)));
  return unknown();
}

static Value yieldOf(Region &body) {
  return cast<YieldOp>(body.front().getTerminator()).getValue();
}

SeenRange SeenRangeBuilder::keys(Region &body, const TilePlace &at,
                                 Value qFirst, Value qLast) {
  asked = body.getArgument(3), origin = at.keyOrigin;
  (void)others.run(body, at, qFirst, qLast, Value(), Value());
  return find(yieldOf(body), /*negated=*/false);
}

SeenRange SeenRangeBuilder::queries(Region &body, const TilePlace &at,
                                    Value kFirst, Value kLast) {
  asked = body.getArgument(2), origin = at.queryOrigin;
  (void)others.run(body, at, Value(), Value(), kFirst, kLast);
  return find(yieldOf(body), /*negated=*/false);
}

/// Whether the range of a region says all that it says of keys. The analysis
/// writes IR; it is made in a block of its own and dropped.
static bool isExact(Region &mask) {
  OpBuilder builder(mask.getContext());
  ScratchBlock scratch(builder, mask);
  return SeenRangeBuilder(builder, mask.getLoc())
      .keys(mask, scratch.at, scratch.query(), scratch.position())
      .exact;
}

bool flash::mayHaveHoles(MaskAttrInterface mask, Region &body) {
  if (auto all = dyn_cast<AndAttr>(mask))
    return llvm::any_of(all.getMasks(), [&](MaskAttrInterface part) {
      return mayHaveHoles(part, body);
    });
  if (isa<RegionAttr>(mask) && !body.empty())
    return !isExact(body) && !findUnfollowed(body);
  return mask.hasHoles();
}
