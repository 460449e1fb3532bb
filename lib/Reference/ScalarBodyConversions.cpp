//===- ScalarBodyConversions.cpp - From one type to another ---------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Conversions of numbers, as steps: integers wrap at their width, floats that
// have no integer become 0, and bits stay as they are.
//
//===----------------------------------------------------------------------===//

#include "ScalarBodyBuilder.h"

#include "flash/Dialect/Flash/IR/Flash.h"

#include <cmath>

using namespace mlir;
using namespace flash;
using namespace flash::reference;

bool ScalarBody::Builder::addBitcast(arith::BitcastOp op) {
  Type from = op.getIn().getType(), to = op.getType();
  if (!from.isIntOrFloat() || !to.isIntOrFloat())
    return false;
  int64_t a = slot(op.getIn()), result = slot(op.getResult());
  auto floatFrom = dyn_cast<FloatType>(from), floatTo = dyn_cast<FloatType>(to);
  unsigned width = from.getIntOrFloatBitWidth();
  body.steps.push_back([=](Slot *s) {
    APInt raw(width, floatFrom ? 0 : bits(width, s[a].integer));
    if (floatFrom) {
      APFloat value(s[a].real);
      bool loses;
      value.convert(floatFrom.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                    &loses);
      raw = value.bitcastToAPInt();
    }
    if (floatTo)
      s[result].real =
          APFloat(floatTo.getFloatSemantics(), raw).convertToDouble();
    else
      s[result].integer = wrap(width, raw.getZExtValue());
  });
  return true;
}

bool ScalarBody::Builder::addConversion(Operation *op) {
  if (op->getNumOperands() != 1 || op->getNumResults() != 1)
    return false;
  int64_t a = slot(op->getOperand(0));
  unsigned width = widthOf(op->getOperand(0).getType());
  if (isa<arith::IndexCastOp, arith::ExtSIOp, arith::TruncIOp>(op)) {
    // The sign of an i1 is its bit.
    addInteger(op, [=](const Slot *s) {
      return width == 1 ? -s[a].integer : s[a].integer;
    });
  } else if (isa<arith::IndexCastUIOp, arith::ExtUIOp>(op)) {
    addInteger(op, [=](const Slot *s) -> int64_t {
      return bits(width, s[a].integer);
    });
  } else if (isa<arith::SIToFPOp>(op)) {
    addReal(op, [=](const Slot *s) -> double {
      return width == 1 ? -s[a].integer : s[a].integer;
    });
  } else if (isa<arith::UIToFPOp>(op)) {
    addReal(op,
            [=](const Slot *s) -> double { return bits(width, s[a].integer); });
  } else if (isa<arith::FPToUIOp>(op)) {
    addInteger(op, [=](const Slot *s) -> int64_t {
      double x = s[a].real;
      return x > -1 && x < 0x1p64 ? static_cast<int64_t>(uint64_t(x)) : 0;
    });
  } else if (isa<arith::FPToSIOp>(op)) {
    addInteger(op, [=](const Slot *s) -> int64_t {
      double x = s[a].real;
      return x >= -0x1p63 && x < 0x1p63 ? static_cast<int64_t>(x) : 0;
    });
  } else if (isa<math::AbsIOp>(op)) {
    addInteger(op, [=](const Slot *s) {
      return s[a].integer < 0 ? -s[a].integer : s[a].integer;
    });
  } else {
    return false;
  }
  return true;
}
