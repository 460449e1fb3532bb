//===- Distances.cpp - Positions as numbers of f32 --------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A score function that uses a distance converts one 64-bit integer for each
// element, which is slow. Within a row, elements differ by a constant:
//
//   sitofp (|%q - (%k0 + %column + 24)|)
//     ->  %d = sitofp (%q - %k0 - %column)      // once for the row
//         absf (subf %d, 24.0)
//
// The same up to 2^24, where f32 has all integers, and within a last place
// beyond. After the conversion: before it, an element has no constants.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace flash::tile;

namespace {

/// The integer `terms[0] + terms[1] ... - negated[0] ... + constant`.
struct LinearSum {
  SmallVector<Value> terms, negated;
  int64_t constant = 0;
};

} // namespace

static void addTerms(Value value, bool negative, LinearSum &sum) {
  APInt number;
  if (matchPattern(value, m_ConstantInt(&number))) {
    sum.constant += negative ? -number.getSExtValue() : number.getSExtValue();
    return;
  }
  if (auto add = value.getDefiningOp<arith::AddIOp>()) {
    addTerms(add.getLhs(), negative, sum);
    addTerms(add.getRhs(), negative, sum);
    return;
  }
  if (auto difference = value.getDefiningOp<arith::SubIOp>()) {
    addTerms(difference.getLhs(), negative, sum);
    addTerms(difference.getRhs(), !negative, sum);
    return;
  }
  // A place in a tile is small: the sum of an i32 and a constant.
  if (auto cast = value.getDefiningOp<arith::IndexCastOp>())
    if (auto add = cast.getIn().getDefiningOp<arith::AddIOp>())
      if (matchPattern(add.getRhs(), m_ConstantInt(&number)) &&
          cast.getIn().getType().isInteger(32)) {
        int64_t offset = number.getSExtValue();
        sum.constant += negative ? -offset : offset;
        OpBuilder builder(cast);
        Value rest = arith::IndexCastOp::create(builder, cast.getLoc(),
                                                cast.getType(), add.getLhs());
        (negative ? sum.negated : sum.terms).push_back(rest);
        return;
      }
  (negative ? sum.negated : sum.terms).push_back(value);
}

/// The operands of `max(x, 0 - x)`, in either order: x.
static Value matchAbsolute(Value value) {
  if (auto absolute = value.getDefiningOp<math::AbsIOp>())
    return absolute.getOperand();
  auto max = value.getDefiningOp<arith::MaxSIOp>();
  if (!max)
    return Value();
  for (auto [x, opposite] : {std::pair(max.getLhs(), max.getRhs()),
                             std::pair(max.getRhs(), max.getLhs())})
    if (auto difference = opposite.getDefiningOp<arith::SubIOp>())
      if (matchPattern(difference.getLhs(), m_Zero()) &&
          difference.getRhs() == x)
        return x;
  return Value();
}

/// `integer` in f32, from one conversion for all integers that differ from it
/// by a constant; null where it is nothing of the kind.
static Value convert(Emitter &e, Value integer) {
  auto f32 = [&](double value) -> Value {
    return arith::ConstantOp::create(e, e.getF32FloatAttr(float(value)));
  };
  if (Value inside = matchAbsolute(integer)) {
    Value value = convert(e, inside);
    return value ? e.intrinsic(value.getType(), "llvm.fabs.f32", value)
                 : Value();
  }
  LinearSum sum;
  addTerms(integer, /*negative=*/false, sum);
  if (std::abs(sum.constant) > (1 << 20) ||
      (sum.terms.empty() && sum.negated.empty()))
    return Value();
  Value rest;
  for (Value term : sum.terms)
    rest = rest ? e.add(rest, term) : term;
  if (!rest)
    rest = arith::ConstantIndexOp::create(e, 0);
  for (Value term : sum.negated)
    rest = e.sub(rest, term);
  Value base = arith::SIToFPOp::create(e, e.getF32Type(), e.toI64(rest));
  return sum.constant == 0
             ? base
             : arith::AddFOp::create(e, base, f32(double(sum.constant)));
}

void flash::tile::convertDistances(gpu::GPUFuncOp function,
                                   const KernelValues &kernel) {
  function.walk([&](arith::SIToFPOp op) {
    auto cast = op.getIn().getDefiningOp<arith::IndexCastOp>();
    if (!op.getType().isF32() || !cast || !cast.getIn().getType().isIndex() ||
        !cast.getType().isInteger(64))
      return;
    OpBuilder builder(op);
    Emitter e(op.getLoc(), builder);
    if (Value value = convert(e, cast.getIn())) {
      op.replaceAllUsesWith(value);
      op.erase();
    }
  });
}
