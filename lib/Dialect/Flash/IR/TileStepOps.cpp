//===- TileStepOps.cpp - One step of tiled attention ------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifiers and shape inference of flash.online_attention (L1) and
// flash.online_softmax (L2).
//
//===----------------------------------------------------------------------===//

#include "OpUtils.h"

#include <cmath>

using namespace mlir;
using namespace flash;

LogicalResult OnlineAttentionOp::verify() {
  RankedTensorType q = getQuery().getType(), k = getKey().getType(),
                   v = getValue().getType(), acc = getAcc().getType(),
                   max = getMax().getType(), sum = getSum().getType();
  for (auto [name, type] :
       {std::pair{"query", q}, {"key", k}, {"value", v}, {"acc", acc}})
    if (!type.hasStaticShape())
      return emitOpError() << "tiles must be static, but " << name << " is "
                           << type;
  if (failed(checkKeyElements(*this, q, k, v)))
    return failure();
  int64_t row = getTransposed() ? 1 : 0, col = 1 - row;
  if (failed(checkSame(*this, "head dim", {"query", q, col}, {"key", k, 1})) ||
      failed(
          checkSame(*this, "head dim", {"value", v, 1}, {"acc", acc, col})) ||
      failed(checkSame(*this, "keys", {"key", k, 0}, {"value", v, 0})) ||
      failed(checkSame(*this, "query rows", {"query", q, row},
                       {"acc", acc, row})) ||
      failed(
          checkSame(*this, "query rows", {"query", q, row}, {"max", max, 0})) ||
      failed(
          checkSame(*this, "query rows", {"query", q, row}, {"sum", sum, 0})))
    return failure();
  if (PackingAttr packing = getPackingAttr();
      packing && max.getDimSize(0) % packing.getHeads())
    return emitOpError() << "has " << max.getDimSize(0)
                         << " query rows, which are not those of "
                         << packing.getHeads() << " heads";
  // The factor of values joins after the loop.
  if (failed(checkFactor(*this, "key_scale", getKeyScale(), "keys", k)))
    return failure();
  unsigned masks = getMask() ? getMaskAttr().getNumMaskOperands() : 0;
  if (masks != getMaskOperands().size())
    return emitOpError() << "mask takes " << masks
                         << " mask_operands, but there are "
                         << getMaskOperands().size();
  unsigned summary = getMask() ? getMaskAttr().getSummarySize() : 0;
  size_t ofQueries = getQuerySummary().size(), ofKeys = getKeySummary().size();
  if (ofQueries != ofKeys || (ofQueries && ofQueries != summary))
    return emitOpError() << "mask sums up rows by " << summary
                         << " values, but there are " << ofQueries
                         << " of queries and " << ofKeys << " of keys";
  if ((masks || !getMaskBody().empty() || !getScoreBody().empty() ||
       getScores() || getDropoutP()) &&
      (!getQueries() || !getBatch() || !getQOrigin()))
    return emitOpError() << "masks with operands, regions, scores and dropout "
                            "need queries, place and origins";
  if (getMask() && !getQueries())
    return emitOpError() << "mask needs queries";
  return success();
}

LogicalResult OnlineAttentionOp::verifyRegions() {
  Type score = getAcc().getType().getElementType();
  if (failed(verifyBody(*this, "score", getScoreBody(), score, getCaptures())))
    return failure();
  return verifyBody(*this, "mask", getMaskBody(), Type(), getCaptures());
}

template <typename OpT>
static TilePlace getStepPlace(OpT op, ValueRange operands, Region &body) {
  MaskAttrInterface mask = op.getMaskAttr();
  return TilePlace{op.getBatch(),
                   op.getHead(),
                   op.getQOrigin(),
                   op.getKOrigin(),
                   operands,
                   &body,
                   op.getCaptures(),
                   mask && mask.hidesLaterKeys(),
                   op.getListedFull(),
                   op.getQuerySummary(),
                   op.getKeySummary(),
                   /*firstQuery=*/Value(),
                   /*firstKey=*/Value()};
}

TilePlace OnlineAttentionOp::getPlace(ValueRange operands, Region &body) {
  return getStepPlace(*this, operands, body);
}

TilePlace BackwardStepOp::getPlace(ValueRange operands, Region &body) {
  return getStepPlace(*this, operands, body);
}

/// Results of a destination-style op have their destinations' shapes.
static void reifyFromInits(DestinationStyleOpInterface op, OpBuilder &builder,
                           ReifiedRankedShapedTypeDims &reified) {
  for (Value init : op.getDpsInits())
    reified.push_back(tensor::getMixedSizes(builder, op.getLoc(), init));
}

LogicalResult
OnlineAttentionOp::reifyResultShapes(OpBuilder &builder,
                                     ReifiedRankedShapedTypeDims &reified) {
  reifyFromInits(*this, builder, reified);
  return success();
}

//===----------------------------------------------------------------------===//
// OnlineSoftmaxOp
//===----------------------------------------------------------------------===//

LogicalResult OnlineSoftmaxOp::verify() {
  RankedTensorType s = getScores().getType(), p = getPInit().getType();
  int64_t row = 1 - getDim();
  if (failed(checkSame(*this, "dimension 0", {"scores", s, 0}, {"p", p, 0})) ||
      failed(checkSame(*this, "dimension 1", {"scores", s, 1}, {"p", p, 1})) ||
      failed(checkSame(*this, "query rows", {"scores", s, row},
                       {"max", getMax().getType(), 0})) ||
      failed(checkSame(*this, "query rows", {"scores", s, row},
                       {"sum", getSum().getType(), 0})) ||
      failed(checkSame(*this, "query rows", {"scores", s, row},
                       {"alpha", getAlphaInit().getType(), 0})))
    return failure();
  float scale = getScale().convertToFloat();
  if (!(scale > 0) || !std::isfinite(scale))
    return emitOpError() << "scale must be positive and finite, but is "
                         << scale;
  return success();
}

LogicalResult
OnlineSoftmaxOp::reifyResultShapes(OpBuilder &builder,
                                   ReifiedRankedShapedTypeDims &reified) {
  reifyFromInits(*this, builder, reified);
  return success();
}

LogicalResult HideUnseenOp::verify() {
  if (!getValues().getType().hasStaticShape())
    return emitOpError() << "tiles must be static, but values is "
                         << getValues().getType();
  return success();
}

LogicalResult HideUnseenOp::verifyRegions() {
  Block &body = getBody().front();
  if (body.getNumArguments() != 2 ||
      !llvm::all_of(body.getArgumentTypes(), llvm::IsaPred<IndexType>))
    return emitOpError() << "body must take two arguments of type index, a "
                            "query's row and a key's";
  auto yield = dyn_cast<YieldOp>(body.getTerminator());
  if (!yield || !yield.getValue().getType().isInteger(1))
    return emitOpError() << "body must yield an i1";
  return success();
}

LogicalResult ReadPagesOp::verify() {
  RankedTensorType tile = getTile().getType();
  int64_t columns = getSource().getType().getDimSize(3);
  if (!tile.hasStaticShape() || ShapedType::isDynamic(columns))
    return emitOpError() << "reads a tile with a static shape, of rows whose "
                            "length is known, not "
                         << tile << " from " << getSource().getType();
  if (tile.getDimSize(1) < columns)
    return emitOpError() << "reads rows of " << columns
                         << " elements to a tile of " << tile.getDimSize(1)
                         << " columns";
  return success();
}
