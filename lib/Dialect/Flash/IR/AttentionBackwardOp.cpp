//===- AttentionBackwardOp.cpp - What a legal backward is -------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifier, shape inference and canonicalization of flash.attention_backward.
//
//===----------------------------------------------------------------------===//

#include "OpUtils.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace flash;

//===----------------------------------------------------------------------===//
// #flash.recompute
//===----------------------------------------------------------------------===//

Attribute RecomputeAttr::parse(AsmParser &parser, Type) {
  OuterLoop outer = OuterLoop::Keys;
  GradientSum sum = GradientSum::Added;
  StatisticsForm statistics = StatisticsForm::Operands;
  auto parseField = [&]() -> ParseResult {
    llvm::SMLoc at = parser.getCurrentLocation();
    StringRef name;
    if (parser.parseKeyword(&name) || parser.parseEqual())
      return failure();
    auto parseInto = [&](auto &field) -> ParseResult {
      auto value =
          FieldParser<std::remove_reference_t<decltype(field)>>::parse(parser);
      if (failed(value))
        return failure();
      field = *value;
      return success();
    };
    if (name == "outer")
      return parseInto(outer);
    if (name == "sum")
      return parseInto(sum);
    if (name == "statistics")
      return parseInto(statistics);
    return parser.emitError(at) << "there is no '" << name
                                << "'; a recompute has outer, sum and "
                                   "statistics";
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater,
                                     parseField))
    return {};
  return get(parser.getContext(), outer, sum, statistics);
}

void RecomputeAttr::print(AsmPrinter &printer) const {
  printer << "<outer = " << stringifyOuterLoop(getOuter())
          << ", sum = " << stringifyGradientSum(getSum());
  if (getStatistics() != StatisticsForm::Operands)
    printer << ", statistics = " << stringifyStatisticsForm(getStatistics());
  printer << ">";
}

//===----------------------------------------------------------------------===//
// flash.attention_backward
//===----------------------------------------------------------------------===//

/// A gradient has the type of what it is for; static sizes may be known of one
/// of them only.
static LogicalResult verifyGradient(AttentionBackwardOp op, StringRef name,
                                    Value gradient, RankedTensorType of) {
  if (!gradient)
    return success();
  auto type = cast<RankedTensorType>(gradient.getType());
  std::string owner = ("gradient of " + name).str();
  if (failed(checkElement(op, name, of.getElementType(), owner,
                          type.getElementType())))
    return failure();
  for (int64_t dim = 0; dim < 4; ++dim)
    if (failed(checkSame(op, "size", {name, of, dim}, {owner, type, dim})))
      return failure();
  return success();
}

SmallVector<Value> AttentionBackwardOp::getReadOperands() {
  SmallVector<Value> operands(getScoreOperands());
  llvm::append_range(operands, getCaptures());
  return operands;
}

SmallVector<Value> AttentionBackwardOp::getOperandsOfGradients() {
  SmallVector<Value> all = getReadOperands(), some;
  if (std::optional<ArrayRef<int64_t>> numbers = getOperandsWithGradient())
    for (int64_t number : *numbers)
      some.push_back(all[number]);
  return some;
}

bool AttentionBackwardOp::hasFixedOrder() {
  return getRecompute()->getSum() != GradientSum::Added ||
         getRecompute()->getOuter() != OuterLoop::Keys || !getDQuery();
}

/// Gradients for what score functions read: a number and a type for each.
static LogicalResult verifyOperandGradients(AttentionBackwardOp op) {
  ArrayRef<int64_t> numbers =
      op.getOperandsWithGradient().value_or(ArrayRef<int64_t>());
  if (numbers.size() != op.getDOperands().size())
    return op.emitOpError()
           << "has " << op.getDOperands().size()
           << " gradients for operands, but operands_with_gradient numbers "
           << numbers.size() << ": write a number for each";
  SmallVector<Value> all = op.getReadOperands();
  int64_t before = -1;
  for (auto [number, gradient] : llvm::zip(numbers, op.getDOperands())) {
    if (number <= before || number >= int64_t(all.size()))
      return op.emitOpError()
             << "has " << number << " in operands_with_gradient, but numbers "
             << "rise, and there are " << all.size()
             << " score_operands and captures, from 0 on";
    before = number;
    auto type = dyn_cast<RankedTensorType>(all[number].getType());
    if (!type || !isa<FloatType>(type.getElementType()))
      return op.emitOpError()
             << "has " << number << " in operands_with_gradient, of type "
             << all[number].getType()
             << ", but gradients are of tensors of floats";
    if (failed(verifyCompatibleShape(type, gradient.getType())) ||
        type.getElementType() != getElementTypeOrSelf(gradient))
      return op.emitOpError()
             << "gives " << gradient.getType() << " for operand " << number
             << ", but a gradient has the type of what it is for, " << type;
  }
  return success();
}

static LogicalResult verifySinkGradient(AttentionBackwardOp op) {
  if (!op.getDSinks())
    return success();
  if (!op.getSinks())
    return op.emitOpError() << "gives a gradient for sinks, but has none";
  return checkSame(op, "number of heads",
                   {"gradient of sinks", op.getDSinks().getType(), 0},
                   {"sinks", op.getSinks().getType(), 0});
}

LogicalResult AttentionBackwardOp::verify() {
  if (failed(verifyAttention(*this)))
    return failure();
  RankedTensorType q = getQuery().getType(), o = getOutput().getType();
  if (o.getElementType() != q.getElementType() && !o.getElementType().isF32())
    return emitOpError() << "output has element type " << o.getElementType()
                         << ", but must have the query's, "
                         << q.getElementType() << ", or f32";
  if (failed(checkElement(*this, "query", q.getElementType(), "d_output",
                          getDOutput().getType().getElementType())) ||
      failed(verifyOutput(*this, "output", o)) ||
      failed(verifyOutput(*this, "d_output", getDOutput().getType())) ||
      failed(verifyLse(*this, "lse", getLse().getType())))
    return failure();
  if (getDLse() && failed(verifyLse(*this, "d_lse", getDLse().getType())))
    return failure();
  if (getNumResults() == 0)
    return emitOpError() << "has no result: ask for the gradient of at least "
                            "one of query, key, value, sinks and operands";
  if (failed(verifyOperandGradients(*this)) ||
      failed(verifySinkGradient(*this)))
    return failure();
  return success(
      succeeded(verifyGradient(*this, "query", getDQuery(), q)) &&
      succeeded(verifyGradient(*this, "key", getDKey(), getKey().getType())) &&
      succeeded(
          verifyGradient(*this, "value", getDValue(), getValue().getType())));
}

LogicalResult AttentionBackwardOp::verifyRegions() {
  return verifyAttentionRegions(*this);
}

LogicalResult
AttentionBackwardOp::reifyResultShapes(OpBuilder &builder,
                                       ReifiedRankedShapedTypeDims &reified) {
  for (auto [gradient, of] : {std::pair<Value, Value>{getDQuery(), getQuery()},
                              {getDKey(), getKey()},
                              {getDValue(), getValue()}})
    if (gradient)
      reified.push_back(tensor::getMixedSizes(builder, getLoc(), of));
  if (getDSinks())
    reified.push_back(tensor::getMixedSizes(builder, getLoc(), getSinks()));
  for (Value operand : getOperandsOfGradients())
    reified.push_back(tensor::getMixedSizes(builder, getLoc(), operand));
  return success();
}

namespace {
/// Drops gradients that nobody uses: they would be computed.
struct DropUnusedGradients : OpRewritePattern<AttentionBackwardOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AttentionBackwardOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<Type> kept;
    SmallVector<int32_t> segments;
    SmallVector<int64_t> numbers;
    for (Value gradient : {Value(op.getDQuery()), Value(op.getDKey()),
                           Value(op.getDValue()), Value(op.getDSinks())}) {
      segments.push_back(gradient && !gradient.use_empty());
      if (segments.back())
        kept.push_back(gradient.getType());
    }
    for (auto [n, gradient] : llvm::enumerate(op.getDOperands())) {
      if (gradient.use_empty())
        continue;
      numbers.push_back((*op.getOperandsWithGradient())[n]);
      kept.push_back(gradient.getType());
    }
    segments.push_back(numbers.size());
    if (kept.size() == op->getNumResults())
      return rewriter.notifyMatchFailure(op, "each gradient is used");
    if (kept.empty())
      return rewriter.notifyMatchFailure(op, "the op is dead");
    OperationState state(op.getLoc(), op->getName(), op->getOperands(), kept,
                         op->getDiscardableAttrDictionary().getValue());
    for (Region &region : op->getRegions()) {
      IRMapping mapping;
      region.cloneInto(state.addRegion(), mapping);
    }
    auto properties = op.getProperties();
    auto smaller = cast<AttentionBackwardOp>(rewriter.create(state));
    llvm::copy(segments, properties.resultSegmentSizes.begin());
    properties.operands_with_gradient =
        numbers.empty() ? DenseI64ArrayAttr()
                        : rewriter.getDenseI64ArrayAttr(numbers);
    smaller.getProperties() = properties;
    SmallVector<Value> replacements;
    unsigned next = 0;
    for (Value gradient : op->getResults())
      replacements.push_back(gradient.use_empty() ? Value()
                                                  : smaller->getResult(next++));
    rewriter.replaceOp(op, replacements);
    return success();
  }
};
} // namespace

void AttentionBackwardOp::getCanonicalizationPatterns(
    RewritePatternSet &results, MLIRContext *context) {
  results.add<DropUnusedGradients, LiftMaskRegion<AttentionBackwardOp>,
              AbsorbCasts<AttentionBackwardOp>>(context);
}
