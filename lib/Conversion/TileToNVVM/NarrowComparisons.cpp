//===- NarrowComparisons.cpp - Positions compared in 32 bits ----*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A column within a tile is small; what a mask compares it with is a 64-bit
// length or position. The comparison is the same in 32 bits when everything
// else is moved to the other side and clamped there, which is done once a row
// and not once an element:
//
//   cmpi sle (%k0 + index_cast %j), %row
//     ->  %m = index_cast (clamp (%row - %k0))
//         cmpi sle %j, %m : i32
//
// After the conversion: before it, a position has no 32-bit value. Positions
// are taken to be far from the ends of 64 bits, so that the difference is
// exact.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

using namespace mlir;
using namespace flash::tile;

/// Whether a value is made of the lane's number and constants only. So is a
/// column, and not a row, which depends on the warp; and it is small.
static bool isColumn(Value value, const KernelValues &kernel) {
  if (value == kernel.lane)
    return true;
  Operation *op = value.getDefiningOp();
  return isa_and_nonnull<arith::ConstantOp, arith::AddIOp, arith::ShLIOp,
                         arith::AndIOp>(op) &&
         llvm::all_of(op->getOperands(),
                      [&](Value operand) { return isColumn(operand, kernel); });
}

/// The i32 that a column was made of, if the index is one.
static Value getColumn(Value index, const KernelValues &kernel) {
  auto cast = index.getDefiningOp<arith::IndexCastOp>();
  return cast && cast.getIn().getType().isInteger(32) &&
                 isColumn(cast.getIn(), kernel)
             ? cast.getIn()
             : Value();
}

namespace {

/// An index as a column and the rest of a sum; either may be null.
struct Sum {
  Value column, rest;
};

} // namespace

static Sum splitColumn(Value index, const KernelValues &kernel) {
  if (Value column = getColumn(index, kernel))
    return {column, Value()};
  if (auto sum = index.getDefiningOp<arith::AddIOp>())
    for (auto [term, rest] : {std::pair(sum.getLhs(), sum.getRhs()),
                              std::pair(sum.getRhs(), sum.getLhs())})
      if (Value column = getColumn(term, kernel))
        return {column, rest};
  return {Value(), index};
}

/// `a - b`, clamped to the range of i32.
static Value clampedDifference(Emitter &e, Value a, Value b) {
  Value difference = b ? e.sub(a, b) : a;
  Value least =
      arith::ConstantIndexOp::create(e, std::numeric_limits<int32_t>::min());
  Value most =
      arith::ConstantIndexOp::create(e, std::numeric_limits<int32_t>::max());
  return e.toI32(e.min(e.max(difference, least), most));
}

static bool isSigned(arith::CmpIPredicate predicate) {
  switch (predicate) {
  case arith::CmpIPredicate::ult:
  case arith::CmpIPredicate::ule:
  case arith::CmpIPredicate::ugt:
  case arith::CmpIPredicate::uge:
    return false;
  default:
    return true;
  }
}

/// A column is never the least or the most i32: a clamped value compares with
/// it, also for equality, as the value did.
void flash::tile::narrowComparisons(gpu::GPUFuncOp function,
                                    const KernelValues &kernel) {
  function.walk([&](arith::CmpIOp compare) {
    if (!compare.getLhs().getType().isIndex() ||
        !isSigned(compare.getPredicate()))
      return;
    Sum left = splitColumn(compare.getLhs(), kernel);
    Sum right = splitColumn(compare.getRhs(), kernel);
    if (!left.column && !right.column)
      return;
    OpBuilder builder(compare);
    Emitter e(compare.getLoc(), builder);
    if (left.column) {
      right.column = clampedDifference(e, compare.getRhs(), left.rest);
    } else {
      left.column = clampedDifference(e, compare.getLhs(), right.rest);
    }
    compare.getLhsMutable().assign(left.column);
    compare.getRhsMutable().assign(right.column);
  });
}
