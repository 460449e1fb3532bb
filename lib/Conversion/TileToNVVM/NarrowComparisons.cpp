//===- NarrowComparisons.cpp - Positions compared in 32 bits ----*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A position within a tile is small, what a mask compares it with is a 64-bit
// length or position. The comparison is the same when the other side is clamped
// to 32 bits, once for all elements, and takes one instruction instead of two:
//
//   cmpi slt (index_cast %j : i32), %n : index
//     ->  %m = index_cast (clamp %n to i32)   once, where %n is made
//         cmpi slt %j, %m : i32
//
// After the conversion: before it, a position has no 32-bit value.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

using namespace mlir;
using namespace flash::tile;

/// Whether a value is made of the thread's numbers and constants only: it is
/// small then, whatever is done with it here.
static bool isPosition(Value value, const KernelValues &kernel) {
  if (value == kernel.thread || value == kernel.lane || value == kernel.warp)
    return true;
  Operation *op = value.getDefiningOp();
  return isa_and_nonnull<arith::ConstantOp, arith::AddIOp, arith::ShLIOp,
                         arith::ShRUIOp, arith::AndIOp>(op) &&
         llvm::all_of(op->getOperands(), [&](Value operand) {
           return isPosition(operand, kernel);
         });
}

/// The i32 that a position was made of, if it is one.
static Value getPosition(Value index, const KernelValues &kernel) {
  auto cast = index.getDefiningOp<arith::IndexCastOp>();
  return cast && cast.getIn().getType().isInteger(32) &&
                 isPosition(cast.getIn(), kernel)
             ? cast.getIn()
             : Value();
}

/// `index` clamped to the range of i32, beside its definition.
static Value clampToI32(Value index) {
  OpBuilder builder(index.getContext());
  builder.setInsertionPointAfterValue(index);
  Emitter e(index.getLoc(), builder);
  Value least =
      arith::ConstantIndexOp::create(e, std::numeric_limits<int32_t>::min());
  Value most =
      arith::ConstantIndexOp::create(e, std::numeric_limits<int32_t>::max());
  return e.toI32(e.min(e.max(index, least), most));
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

void flash::tile::narrowComparisons(gpu::GPUFuncOp function,
                                    const KernelValues &kernel) {
  llvm::DenseMap<Value, Value> clamped;
  function.walk([&](arith::CmpIOp compare) {
    Value left = getPosition(compare.getLhs(), kernel);
    Value right = getPosition(compare.getRhs(), kernel);
    if (!compare.getLhs().getType().isIndex() || (!left && !right) ||
        !isSigned(compare.getPredicate()))
      return;
    // A position is not the least or the most i32, so that a clamped value
    // compares with it, also for equality, as the value did.
    auto clamp = [&](Value index) {
      Value &narrow = clamped[index];
      if (!narrow)
        narrow = clampToI32(index);
      return narrow;
    };
    if (!left)
      left = clamp(compare.getLhs());
    if (!right)
      right = clamp(compare.getRhs());
    compare.getLhsMutable().assign(left);
    compare.getRhsMutable().assign(right);
  });
}
