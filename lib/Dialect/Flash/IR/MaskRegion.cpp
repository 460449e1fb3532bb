//===- MaskRegion.cpp - A mask written as a region --------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// #flash.region as a mask: the body of the attention's mask region, inlined.
//
//===----------------------------------------------------------------------===//

#include "MaskUtils.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace flash;

/// Inlines a region of scalars; returns what it yields.
static Value inlineBody(OpBuilder &builder, Region &body,
                        ValueRange arguments) {
  IRMapping mapping;
  mapping.map(body.getArguments(), arguments);
  Block &block = body.front();
  for (Operation &op : block.without_terminator())
    builder.clone(op, mapping);
  return mapping.lookupOrDefault(
      cast<YieldOp>(block.getTerminator()).getValue());
}

static SmallVector<Value> placeArguments(const TilePlace &at, Value q,
                                         Value k) {
  SmallVector<Value> arguments{at.batch, at.head, q, k};
  llvm::append_range(arguments, at.captures);
  return arguments;
}

Value RegionAttr::buildIsVisible(OpBuilder &builder, Location loc,
                                 const TilePlace &at, Value q, Value k) const {
  return inlineBody(builder, *at.body, placeArguments(at, q, k));
}

Value RegionAttr::buildScore(OpBuilder &builder, Location loc,
                             const TilePlace &at, Value score, Value q,
                             Value k) const {
  SmallVector<Value> arguments = placeArguments(at, q, k);
  arguments.insert(arguments.begin(), score);
  return inlineBody(builder, *at.body, arguments);
}

std::pair<Value, Value> RegionAttr::buildVisibleKeys(OpBuilder &, Location,
                                                     const TilePlace &, Value,
                                                     Value) const {
  return {Value(), Value()};
}

Value RegionAttr::buildIsFull(OpBuilder &builder, Location loc,
                              const TilePlace &at, Value qFirst, Value qLast,
                              Value kFirst, Value kLast) const {
  return MaskBuilder(builder, loc).boolean(false);
}

Value RegionAttr::buildIsHidden(OpBuilder &builder, Location loc,
                                const TilePlace &at, Value qFirst, Value qLast,
                                Value kFirst, Value kLast) const {
  return Value();
}

bool RegionAttr::hasHoles() const { return true; }
