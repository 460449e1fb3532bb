//===- AttentionOp.cpp - What a legal attention is --------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifier and shape inference of flash.attention. A message names the
// dimension and both values.
//
//===----------------------------------------------------------------------===//

#include "OpUtils.h"

#include <cmath>

using namespace mlir;
using namespace flash;

static constexpr int64_t kMaxHeadDim = 4096;

static LogicalResult checkHeadDim(Operation *op, StringRef owner,
                                  RankedTensorType type) {
  int64_t size = type.getDimSize(3);
  if (ShapedType::isDynamic(size))
    return op->emitOpError()
           << "head dim of " << owner << " (dimension 3) must be static";
  if (size < 1 || size > kMaxHeadDim)
    return op->emitOpError()
           << "head dim of " << owner << " (dimension 3) is " << size
           << ", but must be from 1 to " << kMaxHeadDim;
  return success();
}

/// What an operand's only dimension is, or has to be, for all batches.
static LogicalResult checkBatch(AttentionOp op, StringRef name, int64_t size) {
  int64_t batch = op.getDims().batch;
  if (compatible(size, batch))
    return success();
  return op.emitOpError() << name << " has " << size
                          << " entries (dimension 0), but there are " << batch
                          << (op.isRagged() ? " sequences" : " batches");
}

static LogicalResult verifySequences(AttentionOp op) {
  if (!op.isRagged()) {
    if (op.getCuSeqlensK())
      return op.emitOpError() << "has cu_seqlens_k, but no cu_seqlens_q";
    return success();
  }
  int64_t batch = op.getQuery().getType().getDimSize(0);
  if (!compatible(batch, 1))
    return op.emitOpError() << "batch of query (dimension 0) is " << batch
                            << ", but must be 1 for ragged sequences";
  RankedTensorType q = op.getCuSeqlensQ().getType();
  if (!q.isDynamicDim(0) && q.getDimSize(0) < 2)
    return op.emitOpError() << "cu_seqlens_q has " << q.getDimSize(0)
                            << " entries (dimension 0), but needs at least 2";
  if (bool(op.getCuSeqlensK()) == op.isPaged())
    return op.emitOpError()
           << (op.isPaged() ? "has cu_seqlens_k, but paged keys have kv_lengths"
                            : "has cu_seqlens_q, but no cu_seqlens_k");
  if (op.getCuSeqlensK())
    return checkSame(op, "number of sequences", {"cu_seqlens_q", q, 0},
                     {"cu_seqlens_k", op.getCuSeqlensK().getType(), 0});
  return success();
}

static LogicalResult verifyPages(AttentionOp op) {
  if (op.getKvLengths() &&
      failed(checkBatch(op, "kv_lengths",
                        op.getKvLengths().getType().getDimSize(0))))
    return failure();
  if (!op.isPaged())
    return success();
  if (!op.getKvLengths())
    return op.emitOpError() << "has a page_table, but no kv_lengths";
  if (op.getKey().getType().getDimSize(op.getLengthDim()) == 0)
    return op.emitOpError()
           << "page size of key (dimension " << op.getLengthDim()
           << ") is 0, but must be at least 1";
  return checkBatch(op, "page_table",
                    op.getPageTable().getType().getDimSize(0));
}

static LogicalResult verifyScales(AttentionOp op) {
  RankedTensorType key = op.getKey().getType(), value = op.getValue().getType();
  for (auto [name, factors, owners, type] :
       {std::tuple<StringRef, Value, StringRef, RankedTensorType>{
            "key_scale", op.getKeyScale(), "keys", key},
        {"value_scale", op.getValueScale(), "values", value}}) {
    if (failed(checkFactor(op, name, factors, owners, type)))
      return failure();
    if (factors &&
        failed(checkSame(op, "number of heads", {"key", key, op.getHeadsDim()},
                         {name, cast<RankedTensorType>(factors.getType()), 0})))
      return failure();
  }
  return success();
}

LogicalResult PackingAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                  int64_t heads, bool) {
  if (heads < 2)
    return emitError() << "packing has heads = " << heads
                       << ", but a tile of one head needs none";
  return success();
}

LogicalResult SliceAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                int64_t part, int64_t of, int64_t unit) {
  if (of < 1 || part < 0 || part >= of)
    return emitError() << "slice has part = " << part << " of " << of
                       << ", but parts are numbered from 0 to of - 1";
  // So that no bound of a slice leaves 64 bits.
  constexpr int64_t kMost = int64_t(1) << 24;
  for (auto [name, value] : {std::pair{"of", of}, {"unit", unit}})
    if (value < 1 || value > kMost)
      return emitError() << "slice has " << name << " = " << value
                         << ", but must have from 1 to " << kMost;
  return success();
}

/// A slice holds whole blocks of the lists that number them.
static LogicalResult verifySlice(AttentionOp op) {
  SliceAttr slice = op.getKeySliceAttr();
  int64_t block = op.getMaskBlockSizes().second;
  if (slice && block && slice.getUnit() % block)
    return op.emitOpError() << "key_slice has unit = " << slice.getUnit()
                            << ", which is no multiple of the mask's blocks of "
                            << block << " keys";
  return success();
}

/// Whether #flash.region stands as often as there is a region for it.
static LogicalResult checkRegionUse(AttentionOp op, StringRef name,
                                    Attribute attribute, Region &body) {
  int64_t uses = 0;
  if (attribute)
    attribute.walk([&](RegionAttr) { ++uses; });
  if (body.empty() && uses)
    return op.emitOpError() << name << " has #flash.region, but there is no "
                            << name << " region";
  if (!body.empty() && attribute && uses != 1)
    return op.emitOpError() << "has a " << name << " region, which "
                            << attribute << " must hold once as #flash.region, "
                            << "but holds " << uses << " times";
  return success();
}

static LogicalResult verifyMask(AttentionOp op) {
  MaskAttrInterface mask = op.getMaskAttr();
  unsigned taken = mask ? mask.getNumMaskOperands() : 0,
           given = op.getMaskOperands().size();
  if (failed(checkRegionUse(op, "mask", mask, op.getMaskBody())))
    return failure();
  if (taken != given)
    return op.emitOpError() << "mask takes " << taken
                            << " mask_operands, but there are " << given;
  return mask ? verifyOperands([&] { return op.emitOpError(); },
                               mask.getMaskOperandKinds(), op.getDims(),
                               op.getMaskOperands().getTypes())
              : success();
}

static LogicalResult verifyScores(AttentionOp op) {
  if (failed(
          checkRegionUse(op, "score", op.getScoresAttr(), op.getScoreBody())))
    return failure();
  SmallVector<OperandKind> kinds;
  for (ScoreAttrInterface score : op.getEffectiveScores())
    kinds.append(score.getScoreOperandKinds());
  if (kinds.size() != op.getScoreOperands().size())
    return op.emitOpError()
           << "scores take " << kinds.size()
           << " score_operands, but there are " << op.getScoreOperands().size();
  return verifyOperands([&] { return op.emitOpError(); }, kinds, op.getDims(),
                        op.getScoreOperands().getTypes());
}

/// Regions see their arguments alone. Said here, before the trait says it of
/// the operation inside, which knows of no captures.
static LogicalResult checkClosed(AttentionOp op) {
  for (auto [name, body] : {std::pair{"score", &op.getScoreBody()},
                            {"mask", &op.getMaskBody()}}) {
    WalkResult walk = body->walk([&](Operation *inner) {
      for (Value value : inner->getOperands())
        if (!body->isAncestor(value.getParentRegion())) {
          inner->emitOpError()
              << "reads a value from outside of the " << name
              << " region: a constant belongs in the region; anything else is "
                 "passed by captures(%x : "
              << value.getType()
              << ") and read as the last argument of the region";
          return WalkResult::interrupt();
        }
      return WalkResult::advance();
    });
    if (walk.wasInterrupted())
      return failure();
  }
  return success();
}

LogicalResult AttentionOp::verify() {
  if (failed(checkClosed(*this)))
    return failure();
  RankedTensorType q = getQuery().getType(), k = getKey().getType(),
                   v = getValue().getType(), o = getOutput().getType();
  if (failed(checkKeyElements(*this, q, k, v)))
    return failure();
  if (o.getElementType() != q.getElementType() && !o.getElementType().isF32())
    return emitOpError() << "output has element type " << o.getElementType()
                         << ", but must have the query's, "
                         << q.getElementType() << ", or f32";

  if (failed(checkHeadDim(*this, "query", q)) ||
      failed(checkHeadDim(*this, "key", k)) ||
      failed(checkHeadDim(*this, "value", v)))
    return failure();

  int64_t heads = getHeadsDim(), length = getLengthDim();
  auto same = [&](StringRef what, NamedDim a, NamedDim b) {
    return checkSame(*this, what, a, b);
  };
  StringRef blocks = isPaged() ? "number of pages" : "batch";
  if ((!isPaged() && failed(same("batch", {"query", q, 0}, {"key", k, 0}))) ||
      failed(same(blocks, {"key", k, 0}, {"value", v, 0})) ||
      failed(same("batch", {"query", q, 0}, {"output", o, 0})) ||
      failed(same("head dim", {"query", q, 3}, {"key", k, 3})) ||
      failed(same("head dim", {"value", v, 3}, {"output", o, 3})) ||
      failed(same("number of heads", {"key", k, heads}, {"value", v, heads})) ||
      failed(
          same("number of heads", {"query", q, heads}, {"output", o, heads})) ||
      failed(same(isPaged() ? "page size" : "length", {"key", k, length},
                  {"value", v, length})) ||
      failed(same("length", {"query", q, length}, {"output", o, length})))
    return failure();

  int64_t queryHeads = q.getDimSize(heads), keyHeads = k.getDimSize(heads);
  if (!ShapedType::isDynamic(queryHeads) && !ShapedType::isDynamic(keyHeads) &&
      (keyHeads == 0 ? queryHeads != 0 : queryHeads % keyHeads != 0))
    return emitOpError() << "number of query heads (" << queryHeads
                         << ") is not a multiple of the number of key heads ("
                         << keyHeads << ")";

  if (getLse()) {
    RankedTensorType lse = getLse().getType();
    if (lse.getElementType() != getAccumulatorType())
      return emitOpError() << "lse has element type " << lse.getElementType()
                           << ", but must have " << getAccumulatorType();
    if (failed(same("batch", {"query", q, 0}, {"lse", lse, 0})) ||
        failed(same("number of heads", {"query", q, heads}, {"lse", lse, 1})) ||
        failed(same("length", {"query", q, length}, {"lse", lse, 2})))
      return failure();
  }
  if (getScale() && !std::isfinite(getScale()->convertToFloat()))
    return emitOpError() << "scale must be finite";
  if (failed(verifySequences(*this)) || failed(verifyPages(*this)) ||
      failed(verifyScales(*this)) || failed(verifyMask(*this)) ||
      failed(verifyScores(*this)) || failed(verifySlice(*this)))
    return failure();
  if (getSinks() && failed(same("number of heads", {"query", q, heads},
                                {"sinks", getSinks().getType(), 0})))
    return failure();
  if (bool(getDropoutP()) != bool(getSeed()))
    return emitOpError() << (getSeed()
                                 ? "has dropout operands, but no dropout_p"
                                 : "has dropout_p, but no dropout operands"
                                   " (seed and offset)");
  if (getDropoutP()) {
    float p = getDropoutP()->convertToFloat();
    if (!(p >= 0 && p < 1))
      return emitOpError() << "dropout_p is " << p
                           << ", but must be at least 0 and less than 1";
  }
  return success();
}

LogicalResult AttentionOp::verifyRegions() {
  if (getScoreBody().empty() && getMaskBody().empty() && !getCaptures().empty())
    return emitOpError() << "has " << getCaptures().size()
                         << " captures, but no region that could read them";
  if (failed(verifyBody(*this, "score", getScoreBody(), getAccumulatorType(),
                        getCaptures())))
    return failure();
  return verifyBody(*this, "mask", getMaskBody(), Type(), getCaptures());
}

Type AttentionOp::getAccumulatorType() {
  Type element = getQuery().getType().getElementType();
  return element.isF64() ? element : Float32Type::get(getContext());
}

MaskAttrInterface AttentionOp::getEffectiveMask() {
  if (!getMaskAttr() && !getMaskBody().empty())
    return cast<MaskAttrInterface>(RegionAttr::get(getContext()));
  return getMaskAttr();
}

std::pair<int64_t, int64_t> AttentionOp::getMaskBlockSizes() {
  MaskAttrInterface mask = getEffectiveMask();
  return mask ? mask.getBlockSizes() : std::pair<int64_t, int64_t>();
}

SmallVector<ScoreAttrInterface> AttentionOp::getEffectiveScores() {
  SmallVector<ScoreAttrInterface> scores;
  if (ArrayAttr listed = getScoresAttr())
    llvm::append_range(scores, listed.getAsRange<ScoreAttrInterface>());
  else if (!getScoreBody().empty())
    scores.push_back(cast<ScoreAttrInterface>(RegionAttr::get(getContext())));
  return scores;
}

bool AttentionOp::usesPositions() {
  return getEffectiveMask() || getDropoutP() || !getEffectiveScores().empty();
}

AttentionDims AttentionOp::getDims() {
  RankedTensorType q = getQuery().getType(), k = getKey().getType();
  AttentionDims dims{q.getDimSize(0), q.getDimSize(getHeadsDim()),
                     k.getDimSize(getHeadsDim()), q.getDimSize(getLengthDim()),
                     k.getDimSize(getLengthDim())};
  if (isPaged())
    dims.keys = ShapedType::kDynamic;
  if (isRagged()) {
    int64_t bounds = getCuSeqlensQ().getType().getDimSize(0);
    dims.batch = ShapedType::isDynamic(bounds) ? bounds : bounds - 1;
    dims.rowBatch = 1;
    dims.ownQueries = ShapedType::kDynamic;
  } else {
    dims.rowBatch = dims.batch;
    dims.ownQueries = dims.queries;
  }
  return dims;
}

double AttentionOp::getScaleOrDefault() {
  if (getScale())
    return getScale()->convertToDouble();
  double scale = 1.0 / std::sqrt(double(getQKHeadDim()));
  return getAccumulatorType().isF64() ? scale : static_cast<float>(scale);
}

LogicalResult
AttentionOp::reifyResultShapes(OpBuilder &builder,
                               ReifiedRankedShapedTypeDims &reified) {
  Location loc = getLoc();
  SmallVector<OpFoldResult> output, lse;
  for (int64_t dim = 0; dim < 3; ++dim)
    output.push_back(tensor::getMixedSize(builder, loc, getQuery(), dim));
  output.push_back(tensor::getMixedSize(builder, loc, getValue(), 3));
  reified.push_back(output);
  if (getLse())
    reified.push_back(
        {output[0], output[getHeadsDim()], output[getLengthDim()]});
  return success();
}
