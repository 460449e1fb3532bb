//===- Scores.cpp - The score functions -------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each maps one score to another; #flash.region is in MaskRegion.cpp.
//
//===----------------------------------------------------------------------===//

#include "MaskUtils.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace flash;

#include "flash/Dialect/Flash/IR/ScoreInterface.cpp.inc"

static Value constantLike(OpBuilder &builder, Location loc, Value score,
                          double value) {
  return arith::ConstantOp::create(
      builder, loc, builder.getFloatAttr(score.getType(), value));
}

/// `value` in the type of the score.
static Value toScore(OpBuilder &builder, Location loc, Value score,
                     Value value) {
  unsigned from = value.getType().getIntOrFloatBitWidth(),
           to = score.getType().getIntOrFloatBitWidth();
  if (from < to)
    return arith::ExtFOp::create(builder, loc, score.getType(), value);
  if (from > to)
    return arith::TruncFOp::create(builder, loc, score.getType(), value);
  return value;
}

//===----------------------------------------------------------------------===//
// Softcap
//===----------------------------------------------------------------------===//

Attribute SoftcapAttr::parse(AsmParser &parser, Type) {
  SMLoc start = parser.getCurrentLocation();
  Attribute cap;
  OptionalParseResult parsed;
  bool opens = succeeded(parser.parseOptionalLess());
  if (opens) {
    start = parser.getCurrentLocation();
    parsed = parser.parseOptionalAttribute(cap);
  }
  if (!opens || !parsed.has_value() || !isa_and_nonnull<FloatAttr>(cap)) {
    if (!parsed.has_value() || succeeded(*parsed))
      parser.emitError(start, "a softcap has a cap that is a float: write "
                              "#flash.softcap<30.0 : f32>");
    return {};
  }
  if (parser.parseGreater())
    return {};
  return SoftcapAttr::getChecked([&] { return parser.emitError(start); },
                                 parser.getContext(), cast<FloatAttr>(cap));
}

void SoftcapAttr::print(AsmPrinter &printer) const {
  printer << "<";
  printer.printStrippedAttrOrType(getCap());
  printer << ">";
}

LogicalResult SoftcapAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                  FloatAttr cap) {
  double value = cap.getValueAsDouble();
  if (!(value > 0) || !std::isfinite(value))
    return emitError() << "softcap is " << value
                       << ", but must be positive and finite";
  return success();
}

Value SoftcapAttr::buildScore(OpBuilder &builder, Location loc,
                              const TilePlace &at, Value score, Value q,
                              Value k) const {
  double cap = getCap().getValueAsDouble();
  Value inside = arith::MulFOp::create(
      builder, loc, score, constantLike(builder, loc, score, 1 / cap));
  return arith::MulFOp::create(builder, loc,
                               math::TanhOp::create(builder, loc, inside),
                               constantLike(builder, loc, score, cap));
}

//===----------------------------------------------------------------------===//
// ALiBi
//===----------------------------------------------------------------------===//

SmallVector<OperandKind> AlibiAttr::getScoreOperandKinds() const {
  return {{"slopes",
           {{Along::Batch}, {Along::Heads}},
           /*ofFloats=*/true,
           /*optional=*/1}};
}

Value AlibiAttr::buildScore(OpBuilder &builder, Location loc,
                            const TilePlace &at, Value score, Value q,
                            Value k) const {
  Value slopes = at.operands[0];
  SmallVector<Value> indices{at.head};
  if (cast<RankedTensorType>(slopes.getType()).getRank() == 2)
    indices.insert(indices.begin(), at.batch);
  Value slope =
      toScore(builder, loc, score,
              tensor::ExtractOp::create(builder, loc, slopes, indices));
  Value distance = arith::SubIOp::create(builder, loc, q, k);
  if (!at.laterHidden) {
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    Value opposite = arith::SubIOp::create(builder, loc, zero, distance);
    distance = arith::MaxSIOp::create(builder, loc, distance, opposite);
  }
  // Exact up to 2^24, as the reference says too.
  Value wide =
      arith::IndexCastOp::create(builder, loc, builder.getI64Type(), distance);
  Value penalty = arith::MulFOp::create(
      builder, loc, slope,
      arith::SIToFPOp::create(builder, loc, score.getType(), wide));
  return arith::SubFOp::create(builder, loc, score, penalty);
}

//===----------------------------------------------------------------------===//
// Bias
//===----------------------------------------------------------------------===//

SmallVector<OperandKind> BiasAttr::getScoreOperandKinds() const {
  return {{"bias",
           {{Along::RowBatch, true},
            {Along::Heads, true},
            {Along::Queries, true},
            {Along::Keys, true}},
           /*ofFloats=*/true}};
}

Value BiasAttr::buildScore(OpBuilder &builder, Location loc,
                           const TilePlace &at, Value score, Value q,
                           Value k) const {
  MaskBuilder b(builder, loc);
  Value bias = at.operands[0];
  Value row = arith::SubIOp::create(builder, loc, q, at.queryOrigin),
        column = arith::SubIOp::create(builder, loc, k, at.keyOrigin);
  SmallVector<Value> indices{at.batch, at.head, row, column};
  for (auto [dim, index] : llvm::enumerate(indices))
    index = b.broadcastIndex(bias, dim, index);
  Value element = tensor::ExtractOp::create(builder, loc, bias, indices);
  return arith::AddFOp::create(builder, loc, score,
                               toScore(builder, loc, score, element));
}
