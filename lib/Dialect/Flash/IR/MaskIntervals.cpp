//===- MaskIntervals.cpp - What a mask region says of a block ---*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %d = arith.subi %i, %j          [qFirst - kLast, qLast - kFirst]
//   %s = arith.cmpi sle, %d, %c9    always: qLast - kFirst <= 9
//                                   ever:   qFirst - kLast <= 9
//
// Bounds are computed at run time, once a block, in 64 bits. Where an op could
// wrap around, they are given up (from the sizes of positions, taken to be less
// than 2^40) or hold on a condition that is checked at run time.
//
//===----------------------------------------------------------------------===//

#include "MaskIntervals.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace flash;

static constexpr int64_t kPositionBits = 40, kSafeBits = 62;

static bool isBool(Type type) { return type.isInteger(1); }
static bool isInteger(Type type) {
  return type.isIndex() || type.isInteger(32) || type.isInteger(64);
}

/// i1s joined by and, where null says true.
static Value joinConditions(MaskBuilder &b, Value x, Value y) {
  return x && y ? b.both(x, y) : x ? x : y;
}

void IntervalBuilder::require(Interval &interval, Value condition) {
  interval.valid = joinConditions(b, interval.valid, condition);
}

Interval IntervalBuilder::fromPoint(Value value) {
  Interval result;
  result.point = value;
  Type type = value.getType();
  if (isBool(type)) {
    result.low = result.high = value;
    result.bits = 1;
  } else if (isInteger(type)) {
    APInt constant;
    if (!type.isIndex())
      value = arith::IndexCastOp::create(b.builder, b.loc,
                                         b.builder.getIndexType(), value);
    result.low = result.high = value;
    result.bits = matchPattern(result.point, m_ConstantInt(&constant))
                      ? constant.getSignificantBits()
                  : type.isInteger(32) ? 32
                                       : 64;
  }
  return result;
}

Interval IntervalBuilder::fit(Interval interval, Type type) {
  if (interval.bits > kSafeBits)
    return {};
  if (!type.isInteger(32))
    return interval;
  if (interval.bits < 32)
    return interval;
  require(interval, b.both(b.lessEqual(b.constant(INT32_MIN), interval.low),
                           b.lessEqual(interval.high, b.constant(INT32_MAX))));
  interval.bits = 32;
  return interval;
}

//===----------------------------------------------------------------------===//
// Integers
//===----------------------------------------------------------------------===//

Interval IntervalBuilder::visitInteger(Operation *op, ArrayRef<Interval> in) {
  auto make = [&](Value low, Value high, int64_t bits) {
    Interval result{low, high, {}, {}, bits};
    for (const Interval &operand : in)
      require(result, operand.valid);
    return fit(result, op->getResult(0).getType());
  };
  auto binary = [&](auto opTag, Value x, Value y) -> Value {
    return decltype(opTag)::create(b.builder, b.loc, x, y);
  };
  int64_t wider = 0;
  for (const Interval &operand : in)
    wider = std::max(wider, operand.bits);
  if (isa<arith::AddIOp>(op)) {
    if (wider + 1 > kSafeBits)
      return {};
    return make(binary(arith::AddIOp(), in[0].low, in[1].low),
                binary(arith::AddIOp(), in[0].high, in[1].high), wider + 1);
  }
  if (isa<arith::SubIOp>(op)) {
    if (wider + 1 > kSafeBits)
      return {};
    return make(binary(arith::SubIOp(), in[0].low, in[1].high),
                binary(arith::SubIOp(), in[0].high, in[1].low), wider + 1);
  }
  if (isa<arith::MulIOp>(op)) {
    if (in[0].bits + in[1].bits > kSafeBits)
      return {};
    Value low, high;
    for (Value x : {in[0].low, in[0].high})
      for (Value y : {in[1].low, in[1].high}) {
        Value product = binary(arith::MulIOp(), x, y);
        low = low ? b.min(low, product) : product;
        high = high ? b.max(high, product) : product;
      }
    return make(low, high, in[0].bits + in[1].bits);
  }
  if (isa<arith::MinSIOp>(op))
    return make(b.min(in[0].low, in[1].low), b.min(in[0].high, in[1].high),
                wider);
  if (isa<arith::MaxSIOp>(op))
    return make(b.max(in[0].low, in[1].low), b.max(in[0].high, in[1].high),
                wider);
  if (isa<math::AbsIOp>(op)) {
    if (wider > kSafeBits)
      return {};
    Value zero = b.constant(0);
    Value down = binary(arith::SubIOp(), zero, in[0].high),
          up = binary(arith::SubIOp(), zero, in[0].low);
    return make(b.max(zero, b.max(in[0].low, down)), b.max(in[0].high, up),
                wider);
  }
  return visitDivision(op, in);
}

/// Divisions and remainders by a positive constant.
Interval IntervalBuilder::visitDivision(Operation *op, ArrayRef<Interval> in) {
  bool isDivision =
           isa<arith::DivSIOp, arith::DivUIOp, arith::FloorDivSIOp>(op),
       isRemainder = isa<arith::RemSIOp, arith::RemUIOp>(op);
  APInt divisor;
  if ((!isDivision && !isRemainder) ||
      !matchPattern(in[1].point, m_ConstantInt(&divisor)) ||
      !divisor.isStrictlyPositive())
    return {};
  Value by = b.constant(divisor.getSExtValue()), zero = b.constant(0);
  auto quotient = [&](Value x) -> Value {
    if (isa<arith::FloorDivSIOp>(op))
      return arith::FloorDivSIOp::create(b.builder, b.loc, x, by);
    return arith::DivSIOp::create(b.builder, b.loc, x, by);
  };
  Interval result;
  result.bits = in[0].bits;
  result.valid = in[0].valid;
  // A negative number is a huge one to an unsigned op.
  bool isUnsigned = isa<arith::DivUIOp, arith::RemUIOp>(op);
  Value notNegative = b.lessEqual(zero, in[0].low);
  if (isUnsigned || isRemainder)
    require(result, notNegative);
  Value first = quotient(in[0].low), last = quotient(in[0].high);
  if (isDivision) {
    result.low = first;
    result.high = last;
    return result;
  }
  // Between two multiples remainders grow with the number; else any can be.
  Value same = b.compare(arith::CmpIPredicate::eq, first, last);
  auto remainder = [&](Value x, int64_t otherwise) -> Value {
    return arith::SelectOp::create(
        b.builder, b.loc, same,
        arith::RemSIOp::create(b.builder, b.loc, x, by).getResult(),
        b.constant(otherwise));
  };
  result.low = remainder(in[0].low, 0);
  result.high = remainder(in[0].high, divisor.getSExtValue() - 1);
  return result;
}

Interval IntervalBuilder::visitCast(Operation *op, Interval in) {
  Type type = op->getResult(0).getType(), from = op->getOperand(0).getType();
  if (!isInteger(from) || !isInteger(type) || !in.low)
    return {};
  if (isa<arith::IndexCastUIOp, arith::ExtUIOp>(op))
    require(in, b.lessEqual(b.constant(0), in.low));
  in.point = Value();
  return fit(in, type);
}

//===----------------------------------------------------------------------===//
// Truth values
//===----------------------------------------------------------------------===//

Interval IntervalBuilder::visitCompare(arith::CmpIOp op, Interval lhs,
                                       Interval rhs) {
  if (!isInteger(op.getLhs().getType()))
    return {};
  Interval result;
  result.bits = 1;
  result.valid = joinConditions(b, lhs.valid, rhs.valid);
  using P = arith::CmpIPredicate;
  P predicate = op.getPredicate();
  if (predicate >= P::ult) {
    Value zero = b.constant(0);
    require(result,
            b.both(b.lessEqual(zero, lhs.low), b.lessEqual(zero, rhs.low)));
    predicate = predicate == P::ult   ? P::slt
                : predicate == P::ule ? P::sle
                : predicate == P::ugt ? P::sgt
                                      : P::sge;
  }
  if (predicate == P::sgt || predicate == P::sge) {
    std::swap(lhs, rhs);
    predicate = predicate == P::sgt ? P::slt : P::sle;
  }
  if (predicate == P::slt || predicate == P::sle) {
    result.low = b.compare(predicate, lhs.high, rhs.low);
    result.high = b.compare(predicate, lhs.low, rhs.high);
    return result;
  }
  Value overlap =
      b.both(b.lessEqual(lhs.low, rhs.high), b.lessEqual(rhs.low, lhs.high));
  Value equal =
      b.both(b.lessEqual(lhs.high, rhs.low), b.lessEqual(rhs.high, lhs.low));
  result.low = predicate == P::eq ? equal : b.no(overlap);
  result.high = predicate == P::eq ? overlap : b.no(equal);
  return result;
}

Interval IntervalBuilder::visitBool(Operation *op, ArrayRef<Interval> in) {
  Interval result;
  result.bits = 1;
  result.valid = joinConditions(b, in[0].valid, in[1].valid);
  const Interval &x = in[0], &y = in[1];
  if (isa<arith::AndIOp, arith::MulIOp>(op)) {
    result.low = b.both(x.low, y.low);
    result.high = b.both(x.high, y.high);
  } else if (isa<arith::OrIOp>(op)) {
    result.low = b.either(x.low, y.low);
    result.high = b.either(x.high, y.high);
  } else if (isa<arith::XOrIOp>(op)) {
    result.low =
        b.either(b.both(x.low, b.no(y.high)), b.both(b.no(x.high), y.low));
    result.high =
        b.either(b.both(x.high, b.no(y.low)), b.both(b.no(x.low), y.high));
  } else {
    return {};
  }
  return result;
}

Interval IntervalBuilder::select(Interval condition, Interval a, Interval c,
                                 bool isBool) {
  Interval result;
  result.bits = std::max(a.bits, c.bits);
  result.valid =
      joinConditions(b, condition.valid, joinConditions(b, a.valid, c.valid));
  auto pick = [&](Value x, Value y, Value either) -> Value {
    Value other =
        arith::SelectOp::create(b.builder, b.loc, condition.high, either, y);
    return arith::SelectOp::create(b.builder, b.loc, condition.low, x, other);
  };
  result.low =
      pick(a.low, c.low, isBool ? b.both(a.low, c.low) : b.min(a.low, c.low));
  result.high = pick(a.high, c.high,
                     isBool ? b.either(a.high, c.high) : b.max(a.high, c.high));
  return result;
}

//===----------------------------------------------------------------------===//
// The body
//===----------------------------------------------------------------------===//

Interval IntervalBuilder::visit(Operation *op) {
  SmallVector<Interval> in;
  for (Value operand : op->getOperands())
    in.push_back(known.lookup(operand));
  // The same for the whole block: computed as it stands.
  if (isPure(op) && op->getNumRegions() == 0 && op->getNumResults() == 1 &&
      llvm::all_of(in, [](const Interval &i) { return bool(i.point); })) {
    IRMapping mapping;
    for (auto [operand, interval] : llvm::zip(op->getOperands(), in))
      mapping.map(operand, interval.point);
    Interval result = fromPoint(b.builder.clone(*op, mapping)->getResult(0));
    for (const Interval &operand : in)
      require(result, operand.valid);
    return result;
  }
  if (!llvm::all_of(in, [](const Interval &i) { return bool(i.low); }) ||
      op->getNumResults() != 1)
    return {};
  Type type = op->getResult(0).getType();
  if (isa<arith::SelectOp>(op) && (isBool(type) || isInteger(type)))
    return select(in[0], in[1], in[2], isBool(type));
  if (auto compare = dyn_cast<arith::CmpIOp>(op))
    return visitCompare(compare, in[0], in[1]);
  if (isa<arith::IndexCastOp, arith::IndexCastUIOp, arith::ExtSIOp,
          arith::ExtUIOp, arith::TruncIOp>(op))
    return visitCast(op, in[0]);
  if (in.size() > 2 || in.empty())
    return {};
  if (isBool(type) && in.size() == 2)
    return visitBool(op, in);
  return isInteger(type) ? visitInteger(op, in) : Interval();
}

Interval IntervalBuilder::run(Region &body, const TilePlace &at, Value qFirst,
                              Value qLast, Value kFirst, Value kLast) {
  Block &block = body.front();
  known[block.getArgument(0)] = fromPoint(at.batch);
  known[block.getArgument(1)] = fromPoint(at.head);
  for (unsigned i : {0, 1})
    known[block.getArgument(i)].bits = kPositionBits;
  known[block.getArgument(2)] = {qFirst, qLast, {}, {}, kPositionBits};
  known[block.getArgument(3)] = {kFirst, kLast, {}, {}, kPositionBits};
  for (auto [argument, capture] :
       llvm::zip(block.getArguments().drop_front(4), at.captures))
    known[argument] = fromPoint(capture);
  for (Operation &op : block.without_terminator()) {
    Interval result = visit(&op);
    if (result.isKnown() && op.getNumResults() == 1) {
      known[op.getResult(0)] = result;
      continue;
    }
    // What follows from an op that is not known is its fault.
    bool isFirst = llvm::all_of(op.getOperands(), [&](Value operand) {
      return known.lookup(operand).isKnown();
    });
    if (isFirst && !culprit)
      culprit = &op;
  }
  Interval result =
      known.lookup(cast<YieldOp>(block.getTerminator()).getValue());
  if (result.low)
    culprit = nullptr;
  return result;
}
