//===- MaskOperators.cpp - Masks made of masks ------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// #flash.and and #flash.or answer with their parts' answers, each part with its
// own operands and summaries:
//
//                   and                      or
//   visible keys,   intersection             hull
//   queries
//   full            all parts full           some part full
//   hidden          some part hidden         all parts hidden
//
// Lists of blocks are walked where they bound what is visible: those of one
// part of an #flash.and. Others are looked up in them.
//
//===----------------------------------------------------------------------===//

#include "MaskUtils.h"

#include <numeric>

using namespace mlir;
using namespace flash;

using Masks = ArrayRef<MaskAttrInterface>;

/// Splits off the first `count` values.
static ValueRange takeFront(ValueRange &values, unsigned count) {
  ValueRange front = values.take_front(count);
  values = values.drop_front(count);
  return front;
}

/// Calls `visit` for each part with the place that holds the part's operands
/// and summaries.
static void
forEachPart(Masks masks, const TilePlace &at,
            function_ref<void(MaskAttrInterface, const TilePlace &)> visit) {
  ValueRange operands = at.operands, queries = at.querySummary,
             keys = at.keySummary;
  for (MaskAttrInterface mask : masks) {
    TilePlace part = at.with(takeFront(operands, mask.getNumMaskOperands()));
    if (unsigned size = at.querySummary.empty() ? 0 : mask.getSummarySize()) {
      part.querySummary = takeFront(queries, size);
      if (!keys.empty())
        part.keySummary = takeFront(keys, size);
    } else {
      part.querySummary = part.keySummary = ValueRange();
    }
    visit(mask, part);
  }
}

static unsigned joinSummarySizes(Masks masks) {
  unsigned size = 0;
  for (MaskAttrInterface mask : masks)
    size += mask.getSummarySize();
  return size;
}

static SmallVector<Value> joinSummaries(Masks masks, OpBuilder &builder,
                                        Location loc, const TilePlace &at,
                                        Along rows, Value first, Value count) {
  SmallVector<Value> all;
  forEachPart(masks, at, [&](MaskAttrInterface mask, const TilePlace &p) {
    llvm::append_range(all,
                       mask.buildSummary(builder, loc, p, rows, first, count));
  });
  return all;
}

static bool someNeedsSummary(Masks masks) {
  return llvm::any_of(
      masks, [](MaskAttrInterface mask) { return mask.needsSummary(); });
}

static std::pair<int64_t, int64_t> joinBlockSizes(Masks masks) {
  std::pair<int64_t, int64_t> all{0, 0};
  for (MaskAttrInterface mask : masks) {
    auto [queries, keys] = mask.getBlockSizes();
    all = {std::gcd(all.first, queries), std::gcd(all.second, keys)};
  }
  return all;
}

static SmallVector<OperandKind> joinOperandKinds(Masks masks) {
  SmallVector<OperandKind> all;
  for (MaskAttrInterface mask : masks)
    all.append(mask.getMaskOperandKinds());
  return all;
}

/// `a` and `b` joined by `join`; the other where one is null.
static Value joinKnown(Value a, Value b,
                       function_ref<Value(Value, Value)> join) {
  return a && b ? join(a, b) : a ? a : b;
}

/// A range of positions that a part shows; null where it has no bound.
using Positions = std::pair<Value, Value>;
using RangeOfPart =
    function_ref<Positions(MaskAttrInterface, const TilePlace &)>;

/// What all parts show.
static Positions intersect(Masks masks, OpBuilder &builder, Location loc,
                           const TilePlace &at, RangeOfPart rangeOf) {
  MaskBuilder b(builder, loc);
  Positions all;
  forEachPart(masks, at, [&](MaskAttrInterface mask, const TilePlace &part) {
    auto [low, high] = rangeOf(mask, part);
    all.first = joinKnown(all.first, low,
                          [&](Value x, Value y) { return b.max(x, y); });
    all.second = joinKnown(all.second, high,
                           [&](Value x, Value y) { return b.min(x, y); });
  });
  return all;
}

/// From the first to the last that some part shows.
static Positions hull(Masks masks, OpBuilder &builder, Location loc,
                      const TilePlace &at, RangeOfPart rangeOf) {
  MaskBuilder b(builder, loc);
  Positions all;
  bool noFirst = false, noEnd = false;
  forEachPart(masks, at, [&](MaskAttrInterface mask, const TilePlace &part) {
    auto [low, high] = rangeOf(mask, part);
    noFirst |= !low;
    noEnd |= !high;
    all.first = joinKnown(all.first, low,
                          [&](Value x, Value y) { return b.min(x, y); });
    all.second = joinKnown(all.second, high,
                           [&](Value x, Value y) { return b.max(x, y); });
  });
  return {noFirst ? Value() : all.first, noEnd ? Value() : all.second};
}

//===----------------------------------------------------------------------===//
// And
//===----------------------------------------------------------------------===//

static LogicalResult checkParts(function_ref<InFlightDiagnostic()> emitError,
                                Masks masks) {
  if (masks.empty())
    return emitError() << "needs at least one mask";
  return success();
}

LogicalResult AndAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                              Masks masks) {
  return checkParts(emitError, masks);
}

SmallVector<OperandKind> AndAttr::getMaskOperandKinds() const {
  return joinOperandKinds(getMasks());
}

unsigned AndAttr::getSummarySize() const {
  return joinSummarySizes(getMasks());
}

SmallVector<Value> AndAttr::buildSummary(OpBuilder &builder, Location loc,
                                         const TilePlace &at, Along rows,
                                         Value first, Value count) const {
  return joinSummaries(getMasks(), builder, loc, at, rows, first, count);
}

std::pair<Value, Value>
AndAttr::buildVisibleKeys(OpBuilder &builder, Location loc, const TilePlace &at,
                          Value qFirst, Value qLast) const {
  return intersect(getMasks(), builder, loc, at, [&](auto mask, auto &part) {
    return mask.buildVisibleKeys(builder, loc, part, qFirst, qLast);
  });
}

std::pair<Value, Value> AndAttr::buildVisibleQueries(OpBuilder &builder,
                                                     Location loc,
                                                     const TilePlace &at,
                                                     Value kFirst,
                                                     Value kLast) const {
  return intersect(getMasks(), builder, loc, at, [&](auto mask, auto &part) {
    return mask.buildVisibleQueries(builder, loc, part, kFirst, kLast);
  });
}

Value AndAttr::buildIsFull(OpBuilder &builder, Location loc,
                           const TilePlace &at, Value qFirst, Value qLast,
                           Value kFirst, Value kLast) const {
  MaskBuilder b(builder, loc);
  Value full;
  forEachPart(getMasks(), at, [&](MaskAttrInterface mask, const TilePlace &p) {
    Value part =
        mask.buildIsFull(builder, loc, p, qFirst, qLast, kFirst, kLast);
    full = full ? b.both(full, part) : part;
  });
  return full;
}

Value AndAttr::buildIsHidden(OpBuilder &builder, Location loc,
                             const TilePlace &at, Value qFirst, Value qLast,
                             Value kFirst, Value kLast) const {
  MaskBuilder b(builder, loc);
  Value hidden;
  forEachPart(getMasks(), at, [&](MaskAttrInterface mask, const TilePlace &p) {
    hidden = joinKnown(
        hidden,
        mask.buildIsHidden(builder, loc, p, qFirst, qLast, kFirst, kLast),
        [&](Value x, Value y) { return b.either(x, y); });
  });
  return hidden;
}

Value AndAttr::buildIsVisible(OpBuilder &builder, Location loc,
                              const TilePlace &at, Value q, Value k) const {
  MaskBuilder b(builder, loc);
  Value visible;
  forEachPart(getMasks(), at, [&](MaskAttrInterface mask, const TilePlace &p) {
    Value part = mask.buildIsVisible(builder, loc, p, q, k);
    visible = visible ? b.both(visible, part) : part;
  });
  return visible;
}

bool AndAttr::hasHoles() const {
  return llvm::any_of(getMasks(),
                      [](MaskAttrInterface mask) { return mask.hasHoles(); });
}

/// Each of the parts that do so shows one range of keys to a query, the same to
/// all or one with the query's own position in it, so that neighbours overlap.
bool AndAttr::fillsVisibleKeys() const {
  return llvm::all_of(getMasks(), [](MaskAttrInterface mask) {
    return mask.fillsVisibleKeys();
  });
}

bool AndAttr::hidesLaterKeys() const {
  return llvm::any_of(
      getMasks(), [](MaskAttrInterface mask) { return mask.hidesLaterKeys(); });
}

bool AndAttr::needsSummary() const { return someNeedsSummary(getMasks()); }

std::pair<int64_t, int64_t> AndAttr::getBlockSizes() const {
  return joinBlockSizes(getMasks());
}

/// The first part that has lists says which blocks to walk; inside them the
/// other parts decide, and what the list itself leaves to decide.
SmallVector<KeyBlocks> AndAttr::buildKeyBlocks(OpBuilder &builder, Location loc,
                                               const TilePlace &at,
                                               Value qFirst) const {
  SmallVector<KeyBlocks> lists;
  SmallVector<MaskAttrInterface> others;
  SmallVector<Value> operands;
  forEachPart(getMasks(), at, [&](MaskAttrInterface mask, const TilePlace &p) {
    if (lists.empty()) {
      lists = mask.buildKeyBlocks(builder, loc, p, qFirst);
      if (!lists.empty())
        return;
    }
    others.push_back(mask);
    llvm::append_range(operands, p.operands);
  });
  for (KeyBlocks &list : lists) {
    SmallVector<MaskAttrInterface> masks(others);
    SmallVector<Value> all(operands);
    if (list.mask)
      masks.push_back(cast<MaskAttrInterface>(list.mask));
    llvm::append_range(all, list.operands);
    list.mask = masks.empty() ? Attribute() : get(getContext(), masks);
    list.operands = std::move(all);
  }
  return lists;
}

//===----------------------------------------------------------------------===//
// Or
//===----------------------------------------------------------------------===//

LogicalResult OrAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                             Masks masks) {
  return checkParts(emitError, masks);
}

SmallVector<OperandKind> OrAttr::getMaskOperandKinds() const {
  return joinOperandKinds(getMasks());
}

unsigned OrAttr::getSummarySize() const { return joinSummarySizes(getMasks()); }

SmallVector<Value> OrAttr::buildSummary(OpBuilder &builder, Location loc,
                                        const TilePlace &at, Along rows,
                                        Value first, Value count) const {
  return joinSummaries(getMasks(), builder, loc, at, rows, first, count);
}

bool OrAttr::needsSummary() const { return someNeedsSummary(getMasks()); }

std::pair<int64_t, int64_t> OrAttr::getBlockSizes() const {
  return joinBlockSizes(getMasks());
}

/// Whether a mask's range of keys has no begin, or if `above` no end.
static bool isOpen(MaskAttrInterface mask, bool above) {
  auto areOpen = [&](ArrayRef<MaskAttrInterface> masks) {
    return llvm::all_of(
        masks, [&](MaskAttrInterface part) { return isOpen(part, above); });
  };
  if (auto window = dyn_cast<WindowAttr>(mask))
    return (above ? window.getRight() : window.getLeft()) < 0;
  if (isa<CausalAttr, PrefixAttr>(mask))
    return !above;
  if (auto all = dyn_cast<AndAttr>(mask))
    return areOpen(all.getMasks());
  auto some = dyn_cast<OrAttr>(mask);
  return some && areOpen(some.getMasks());
}

/// Between the keys of one part and those of another there may be a gap, unless
/// all begin with the first key, or end with the last.
bool OrAttr::hasHoles() const {
  auto areOpen = [&](bool above) {
    return llvm::all_of(getMasks(), [&](MaskAttrInterface mask) {
      return isOpen(mask, above);
    });
  };
  return llvm::any_of(getMasks(),
                      [](MaskAttrInterface mask) { return mask.hasHoles(); }) ||
         (getMasks().size() > 1 && !areOpen(false) && !areOpen(true));
}

bool OrAttr::hidesLaterKeys() const {
  return llvm::all_of(
      getMasks(), [](MaskAttrInterface mask) { return mask.hidesLaterKeys(); });
}

std::pair<Value, Value>
OrAttr::buildVisibleKeys(OpBuilder &builder, Location loc, const TilePlace &at,
                         Value qFirst, Value qLast) const {
  return hull(getMasks(), builder, loc, at, [&](auto mask, auto &part) {
    return mask.buildVisibleKeys(builder, loc, part, qFirst, qLast);
  });
}

std::pair<Value, Value> OrAttr::buildVisibleQueries(OpBuilder &builder,
                                                    Location loc,
                                                    const TilePlace &at,
                                                    Value kFirst,
                                                    Value kLast) const {
  return hull(getMasks(), builder, loc, at, [&](auto mask, auto &part) {
    return mask.buildVisibleQueries(builder, loc, part, kFirst, kLast);
  });
}

Value OrAttr::buildIsFull(OpBuilder &builder, Location loc, const TilePlace &at,
                          Value qFirst, Value qLast, Value kFirst,
                          Value kLast) const {
  MaskBuilder b(builder, loc);
  Value full;
  forEachPart(getMasks(), at, [&](MaskAttrInterface mask, const TilePlace &p) {
    Value part =
        mask.buildIsFull(builder, loc, p, qFirst, qLast, kFirst, kLast);
    full = full ? b.either(full, part) : part;
  });
  return full;
}

Value OrAttr::buildIsHidden(OpBuilder &builder, Location loc,
                            const TilePlace &at, Value qFirst, Value qLast,
                            Value kFirst, Value kLast) const {
  MaskBuilder b(builder, loc);
  Value hidden;
  bool known = true;
  forEachPart(getMasks(), at, [&](MaskAttrInterface mask, const TilePlace &p) {
    Value part =
        mask.buildIsHidden(builder, loc, p, qFirst, qLast, kFirst, kLast);
    known &= bool(part);
    hidden =
        joinKnown(hidden, part, [&](Value x, Value y) { return b.both(x, y); });
  });
  return known ? hidden : Value();
}

Value OrAttr::buildIsVisible(OpBuilder &builder, Location loc,
                             const TilePlace &at, Value q, Value k) const {
  MaskBuilder b(builder, loc);
  Value visible;
  forEachPart(getMasks(), at, [&](MaskAttrInterface mask, const TilePlace &p) {
    Value part = mask.buildIsVisible(builder, loc, p, q, k);
    visible = visible ? b.either(visible, part) : part;
  });
  return visible;
}
