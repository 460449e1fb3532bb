//===- Masks.cpp - The structured masks -------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each mask answers MaskAttrInterface's questions with arithmetic on positions;
// nothing else in the compiler knows which mask it is.
//
//===----------------------------------------------------------------------===//

#include "MaskUtils.h"

using namespace mlir;
using namespace flash;

#include "flash/Dialect/Flash/IR/MaskInterface.cpp.inc"

Value MaskBuilder::broadcastIndex(Value tensor, int64_t dim, Value position) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (type.getDimSize(dim) == 1)
    return constant(0);
  if (!type.isDynamicDim(dim))
    return position;
  Value size = tensor::DimOp::create(builder, loc, tensor, dim);
  Value isOne = compare(arith::CmpIPredicate::eq, size, constant(1));
  return arith::SelectOp::create(builder, loc, isOne, constant(0), position);
}

Value MaskBuilder::read(Value tensor, ValueRange indices) {
  Value element = tensor::ExtractOp::create(builder, loc, tensor, indices);
  if (element.getType().isIndex())
    return element;
  return arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                    element);
}

//===----------------------------------------------------------------------===//
// Causal: key <= query
//===----------------------------------------------------------------------===//

std::pair<Value, Value> CausalAttr::buildVisibleKeys(OpBuilder &builder,
                                                     Location loc,
                                                     const TilePlace &at,
                                                     Value qFirst,
                                                     Value qLast) const {
  MaskBuilder b(builder, loc);
  return {Value(), b.add(qLast, 1)};
}

std::pair<Value, Value> CausalAttr::buildVisibleQueries(OpBuilder &builder,
                                                        Location loc,
                                                        const TilePlace &at,
                                                        Value kFirst,
                                                        Value kLast) const {
  return {kFirst, Value()};
}

Value CausalAttr::buildIsFull(OpBuilder &builder, Location loc,
                              const TilePlace &at, Value qFirst, Value qLast,
                              Value kFirst, Value kLast) const {
  return MaskBuilder(builder, loc).lessEqual(kLast, qFirst);
}

Value CausalAttr::buildIsHidden(OpBuilder &builder, Location loc,
                                const TilePlace &at, Value qFirst, Value qLast,
                                Value kFirst, Value kLast) const {
  return MaskBuilder(builder, loc).less(qLast, kFirst);
}

Value CausalAttr::buildIsVisible(OpBuilder &builder, Location loc,
                                 const TilePlace &at, Value q, Value k) const {
  return MaskBuilder(builder, loc).lessEqual(k, q);
}

bool CausalAttr::hidesLaterKeys() const { return true; }

bool CausalAttr::fillsVisibleKeys() const { return true; }

//===----------------------------------------------------------------------===//
// Window: query - left <= key <= query + right
//===----------------------------------------------------------------------===//

/// Sides in any order, each at most once.
Attribute WindowAttr::parse(AsmParser &parser, Type) {
  auto usage = [&](SMLoc at) -> Attribute {
    parser.emitError(at, "a window says how many keys before and after the "
                         "query it has: write #flash.window<left = 127, right "
                         "= 0>");
    return {};
  };
  SMLoc start = parser.getCurrentLocation();
  std::optional<int64_t> left, right;
  if (failed(parser.parseOptionalLess()))
    return usage(start);
  if (failed(parser.parseOptionalGreater())) {
    do {
      SMLoc at = parser.getCurrentLocation();
      StringRef name;
      int64_t keys;
      if (failed(parser.parseOptionalKeyword(&name, {"left", "right"})) ||
          failed(parser.parseOptionalEqual()))
        return usage(at);
      std::optional<int64_t> &side = name == "left" ? left : right;
      if (side)
        return usage(at);
      OptionalParseResult number = parser.parseOptionalInteger(keys);
      if (!number.has_value() || failed(*number))
        return usage(at);
      side = keys;
    } while (succeeded(parser.parseOptionalComma()));
    if (parser.parseGreater())
      return {};
  }
  return WindowAttr::getChecked([&] { return parser.emitError(start); },
                                parser.getContext(), left.value_or(-1),
                                right.value_or(-1));
}

void WindowAttr::print(AsmPrinter &printer) const {
  printer << "<";
  if (getLeft() != -1)
    printer << "left = " << getLeft() << (getRight() != -1 ? ", " : "");
  if (getRight() != -1)
    printer << "right = " << getRight();
  printer << ">";
}

LogicalResult WindowAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 int64_t left, int64_t right) {
  for (auto [name, side] : {std::pair{"left", left}, {"right", right}})
    if (side < -1)
      return emitError() << "window has " << name << " = " << side
                         << ", but must have at least 0 (or -1, no bound)";
  return success();
}

std::pair<Value, Value> WindowAttr::buildVisibleKeys(OpBuilder &builder,
                                                     Location loc,
                                                     const TilePlace &at,
                                                     Value qFirst,
                                                     Value qLast) const {
  MaskBuilder b(builder, loc);
  return {getLeft() < 0 ? Value() : b.add(qFirst, -getLeft()),
          getRight() < 0 ? Value() : b.add(qLast, getRight() + 1)};
}

std::pair<Value, Value> WindowAttr::buildVisibleQueries(OpBuilder &builder,
                                                        Location loc,
                                                        const TilePlace &at,
                                                        Value kFirst,
                                                        Value kLast) const {
  MaskBuilder b(builder, loc);
  return {getRight() < 0 ? Value() : b.add(kFirst, -getRight()),
          getLeft() < 0 ? Value() : b.add(kLast, getLeft() + 1)};
}

/// first - left <= kFirst and kLast <= last + right, for the sides that have a
/// bound.
static Value isWithin(MaskBuilder &b, WindowAttr window, Value first,
                      Value last, Value kFirst, Value kLast) {
  Value notBefore, notAfter;
  if (window.getLeft() >= 0)
    notBefore = b.lessEqual(b.add(first, -window.getLeft()), kFirst);
  if (window.getRight() >= 0)
    notAfter = b.lessEqual(kLast, b.add(last, window.getRight()));
  if (notBefore && notAfter)
    return b.both(notBefore, notAfter);
  if (!notBefore && !notAfter)
    return b.boolean(true);
  return notBefore ? notBefore : notAfter;
}

Value WindowAttr::buildIsFull(OpBuilder &builder, Location loc,
                              const TilePlace &at, Value qFirst, Value qLast,
                              Value kFirst, Value kLast) const {
  MaskBuilder b(builder, loc);
  return isWithin(b, *this, /*first=*/qLast, /*last=*/qFirst, kFirst, kLast);
}

Value WindowAttr::buildIsHidden(OpBuilder &builder, Location loc,
                                const TilePlace &at, Value qFirst, Value qLast,
                                Value kFirst, Value kLast) const {
  MaskBuilder b(builder, loc);
  // Some key is late enough and some key early enough for some query: since
  // windows of neighbouring queries overlap, that is some visible element.
  return b.no(
      isWithin(b, *this, /*first=*/qFirst, /*last=*/qLast, kLast, kFirst));
}

Value WindowAttr::buildIsVisible(OpBuilder &builder, Location loc,
                                 const TilePlace &at, Value q, Value k) const {
  MaskBuilder b(builder, loc);
  return isWithin(b, *this, q, q, k, k);
}

bool WindowAttr::hidesLaterKeys() const { return getRight() == 0; }

// Windows of neighbouring queries overlap.
bool WindowAttr::fillsVisibleKeys() const { return true; }

//===----------------------------------------------------------------------===//
// Prefix: key < prefix length
//===----------------------------------------------------------------------===//

SmallVector<OperandKind> PrefixAttr::getMaskOperandKinds() const {
  return {{"prefix lengths", {{Along::Batch}}}};
}

static Value prefixLength(MaskBuilder &b, const TilePlace &at) {
  return b.read(at.operands[0], b.broadcastIndex(at.operands[0], 0, at.batch));
}

std::pair<Value, Value> PrefixAttr::buildVisibleKeys(OpBuilder &builder,
                                                     Location loc,
                                                     const TilePlace &at,
                                                     Value qFirst,
                                                     Value qLast) const {
  MaskBuilder b(builder, loc);
  return {Value(), prefixLength(b, at)};
}

Value PrefixAttr::buildIsFull(OpBuilder &builder, Location loc,
                              const TilePlace &at, Value qFirst, Value qLast,
                              Value kFirst, Value kLast) const {
  MaskBuilder b(builder, loc);
  return b.less(kLast, prefixLength(b, at));
}

Value PrefixAttr::buildIsHidden(OpBuilder &builder, Location loc,
                                const TilePlace &at, Value qFirst, Value qLast,
                                Value kFirst, Value kLast) const {
  MaskBuilder b(builder, loc);
  return b.lessEqual(prefixLength(b, at), kFirst);
}

Value PrefixAttr::buildIsVisible(OpBuilder &builder, Location loc,
                                 const TilePlace &at, Value q, Value k) const {
  MaskBuilder b(builder, loc);
  return b.less(k, prefixLength(b, at));
}

bool PrefixAttr::fillsVisibleKeys() const { return true; }
