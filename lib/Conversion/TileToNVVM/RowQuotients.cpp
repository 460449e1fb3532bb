//===- RowQuotients.cpp - Positions and heads of a thread's rows *- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where several heads share a tile, a row's position is a quotient or a
// remainder. A thread's rows differ by constants, and mostly so do these:
//
//   divui (index_cast (%row + 8)), 8  ->  index_cast (divui %row, 8 : i32) + 1
//   remui (index_cast (%row + 8)), 16 ->  index_cast (remui %row, 16 : i32) + 8
//
// for rows 16 * warp + lane / 4: one value to keep for all of them. After the
// conversion: before it, rows have no constants.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace flash::tile;

/// Whether it is 16 * warp + lane / 4: below 8 of each 16.
static bool isFirstRow(Value value, const KernelValues &kernel) {
  auto sum = value.getDefiningOp<arith::AddIOp>();
  auto warps = sum ? sum.getLhs().getDefiningOp<arith::ShLIOp>() : nullptr;
  auto lanes = sum ? sum.getRhs().getDefiningOp<arith::ShRUIOp>() : nullptr;
  return warps && lanes && warps.getLhs() == kernel.warp &&
         lanes.getLhs() == kernel.lane &&
         getConstantIntValue(warps.getRhs()) == 4 &&
         getConstantIntValue(lanes.getRhs()) == 2;
}

/// The row that a value of type index is, as a first row and a constant.
static Value splitRow(Value index, const KernelValues &kernel,
                      int64_t &constant) {
  auto cast = index.getDefiningOp<arith::IndexCastOp>();
  if (!cast || !cast.getIn().getType().isInteger(32))
    return Value();
  Value row = cast.getIn();
  constant = 0;
  if (isFirstRow(row, kernel))
    return row;
  APInt number;
  auto sum = row.getDefiningOp<arith::AddIOp>();
  if (!sum || !matchPattern(sum.getRhs(), m_ConstantInt(&number)) ||
      number.isNegative() || !isFirstRow(sum.getLhs(), kernel))
    return Value();
  constant = number.getSExtValue();
  return sum.getLhs();
}

/// In place of the quotient or the remainder of `row + constant`; null where it
/// does not differ from that of the row by a constant.
static Value simplify(Emitter &e, bool isQuotient, Value row, int64_t constant,
                      int64_t divisor) {
  int64_t sixteens = constant / 16 * 16;
  if (constant % divisor == 0)
    return isQuotient ? e.add(e.div(row, divisor), constant / divisor)
                      : e.rem(row, divisor);
  // Half of 16 rows reaches no other multiple.
  if (divisor % 16 || constant - sixteens > 8)
    return Value();
  Value first = e.add(row, sixteens);
  return isQuotient ? e.div(first, divisor)
                    : e.add(e.rem(first, divisor), constant - sixteens);
}

void flash::tile::simplifyRowQuotients(gpu::GPUFuncOp function,
                                       const KernelValues &kernel) {
  function.walk([&](Operation *op) {
    APInt divisor;
    if (!isa<arith::DivUIOp, arith::RemUIOp>(op) ||
        !op->getResult(0).getType().isIndex() ||
        !matchPattern(op->getOperand(1), m_ConstantInt(&divisor)) ||
        !divisor.isStrictlyPositive())
      return;
    int64_t constant;
    Value row = splitRow(op->getOperand(0), kernel, constant);
    if (!row)
      return;
    OpBuilder builder(op);
    Emitter e(op->getLoc(), builder);
    Value value = simplify(e, isa<arith::DivUIOp>(op), row, constant,
                           divisor.getSExtValue());
    if (!value)
      return;
    op->getResult(0).replaceAllUsesWith(e.toIndex(value));
    op->erase();
  });
}
