//===- WindowMask.cpp - A mask that lives outside Flash ---------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The key at position k is visible to the query at position q when
// q - keys < k <= q. Three answers are all that the compiler needs; the loop
// bounds, the blocks without a predicate and the predicate itself come of them.
// A fourth gives a backward the bounds of its loop over queries.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/IR/Flash.h"
#include "flash/InitAll.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/ADT/TypeSwitch.h"

#include "WindowDialect.h.inc"
#define GET_ATTRDEF_CLASSES
#include "WindowAttrs.h.inc"

#include "WindowDialect.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "WindowAttrs.cpp.inc"

using namespace mlir;

void window::WindowDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "WindowAttrs.cpp.inc"
      >();
}

// docs: begin methods
using window::MaskAttr;

static Value compare(OpBuilder &builder, Location loc,
                     arith::CmpIPredicate predicate, Value lhs, Value rhs) {
  return arith::CmpIOp::create(builder, loc, predicate, lhs, rhs);
}

/// The first position that a query at `q` sees: q - (keys - 1).
static Value firstVisible(OpBuilder &builder, Location loc, Value q,
                          int64_t keys) {
  Value reach = arith::ConstantIndexOp::create(builder, loc, keys - 1);
  return arith::SubIOp::create(builder, loc, q, reach);
}

LogicalResult MaskAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               int64_t keys) {
  if (keys < 1)
    return emitError() << "a window has at least 1 key, not " << keys;
  return success();
}

// Keys that some query of [qFirst, qLast] may see, as [first, end): the key
// loop runs over these alone.
std::pair<Value, Value> MaskAttr::buildVisibleKeys(OpBuilder &builder,
                                                   Location loc,
                                                   const flash::TilePlace &at,
                                                   Value qFirst,
                                                   Value qLast) const {
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  return {firstVisible(builder, loc, qFirst, getKeys()),
          arith::AddIOp::create(builder, loc, qLast, one)};
}

// The same question in the other direction, which has a default: with an answer
// a backward's loop over queries runs over these alone.
std::pair<Value, Value>
MaskAttr::buildVisibleQueries(OpBuilder &builder, Location loc,
                              const flash::TilePlace &at, Value kFirst,
                              Value kLast) const {
  Value keys = arith::ConstantIndexOp::create(builder, loc, getKeys());
  return {kFirst, arith::AddIOp::create(builder, loc, kLast, keys)};
}

// Whether every query of the block sees every key of it: then no predicate.
Value MaskAttr::buildIsFull(OpBuilder &builder, Location loc,
                            const flash::TilePlace &at, Value qFirst,
                            Value qLast, Value kFirst, Value kLast) const {
  Value notAfter =
      compare(builder, loc, arith::CmpIPredicate::sle, kLast, qFirst);
  Value notBefore = compare(builder, loc, arith::CmpIPredicate::sge, kFirst,
                            firstVisible(builder, loc, qLast, getKeys()));
  return arith::AndIOp::create(builder, loc, notAfter, notBefore);
}

// The predicate of one element.
Value MaskAttr::buildIsVisible(OpBuilder &builder, Location loc,
                               const flash::TilePlace &at, Value q,
                               Value k) const {
  Value notAfter = compare(builder, loc, arith::CmpIPredicate::sle, k, q);
  Value notBefore = compare(builder, loc, arith::CmpIPredicate::sge, k,
                            firstVisible(builder, loc, q, getKeys()));
  return arith::AndIOp::create(builder, loc, notAfter, notBefore);
}
// docs: end methods

int main(int argc, char **argv) {
  DialectRegistry registry;
  flash::registerAllDialects(registry);
  flash::registerAllPasses();
  registry.insert<window::WindowDialect>();
  return asMainReturnCode(
      MlirOptMain(argc, argv, "Flash with a window mask\n", registry));
}
