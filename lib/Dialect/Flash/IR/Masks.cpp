//===- Masks.cpp - The structured masks -------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each mask answers MaskAttrInterface's three questions with arithmetic on
// positions; nothing else in the compiler knows which mask it is.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/IR/Flash.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace flash;

#include "flash/Dialect/Flash/IR/MaskInterface.cpp.inc"

//===----------------------------------------------------------------------===//
// Causal: key <= query
//===----------------------------------------------------------------------===//

std::pair<Value, Value> CausalAttr::buildVisibleKeys(OpBuilder &builder,
                                                     Location loc, Value qFirst,
                                                     Value qLast) const {
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  return {Value(), arith::AddIOp::create(builder, loc, qLast, one)};
}

Value CausalAttr::buildIsFull(OpBuilder &builder, Location loc, Value qFirst,
                              Value qLast, Value kFirst, Value kLast) const {
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sle, kLast,
                               qFirst);
}

Value CausalAttr::buildIsVisible(OpBuilder &builder, Location loc, Value q,
                                 Value k) const {
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sle, k, q);
}
