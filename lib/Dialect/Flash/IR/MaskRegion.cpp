//===- MaskRegion.cpp - A mask written as a region --------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// #flash.region as a mask: the body of the attention's mask region, inlined;
// for a block, what MaskIntervals.cpp finds; for a tile of queries or keys, the
// range of the others that SeenRange.cpp finds.
//
//===----------------------------------------------------------------------===//

#include "SeenRange.h"

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

std::pair<Value, Value> RegionAttr::buildVisibleKeys(OpBuilder &builder,
                                                     Location loc,
                                                     const TilePlace &at,
                                                     Value qFirst,
                                                     Value qLast) const {
  SeenRange range =
      SeenRangeBuilder(builder, loc).keys(*at.body, at, qFirst, qLast);
  return {range.low, range.end};
}

std::pair<Value, Value> RegionAttr::buildVisibleQueries(OpBuilder &builder,
                                                        Location loc,
                                                        const TilePlace &at,
                                                        Value kFirst,
                                                        Value kLast) const {
  SeenRange range =
      SeenRangeBuilder(builder, loc).queries(*at.body, at, kFirst, kLast);
  return {range.low, range.end};
}

Value RegionAttr::buildIsFull(OpBuilder &builder, Location loc,
                              const TilePlace &at, Value qFirst, Value qLast,
                              Value kFirst, Value kLast) const {
  MaskBuilder b(builder, loc);
  Interval visible = IntervalBuilder(builder, loc)
                         .run(*at.body, at, qFirst, qLast, kFirst, kLast);
  if (!visible.low)
    return b.boolean(false);
  return visible.valid ? b.both(visible.valid, visible.low) : visible.low;
}

Value RegionAttr::buildIsHidden(OpBuilder &builder, Location loc,
                                const TilePlace &at, Value qFirst, Value qLast,
                                Value kFirst, Value kLast) const {
  MaskBuilder b(builder, loc);
  Interval visible = IntervalBuilder(builder, loc)
                         .run(*at.body, at, qFirst, qLast, kFirst, kLast);
  if (!visible.high)
    return Value();
  Value hidden = b.no(visible.high);
  return visible.valid ? b.both(visible.valid, hidden) : hidden;
}

Operation *flash::findUnfollowed(Region &mask) {
  OpBuilder builder(mask.getContext());
  ScratchBlock scratch(builder, mask);
  IntervalBuilder intervals(builder, mask.getLoc());
  (void)intervals.run(mask, scratch.at, scratch.query(), scratch.position(),
                      scratch.key(), scratch.position());
  return intervals.getCulprit();
}

bool RegionAttr::hasHoles() const { return true; }
