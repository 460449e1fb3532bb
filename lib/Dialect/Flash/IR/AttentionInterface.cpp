//===- AttentionInterface.cpp - What attentions share -----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What follows from the answers of AttentionOpInterface, and what the verifiers
// of its ops ask alike. A message names the dimension and both values.
//
//===----------------------------------------------------------------------===//

#include "OpUtils.h"

#include <cmath>

using namespace mlir;
using namespace flash;

#include "flash/Dialect/Flash/IR/AttentionInterface.cpp.inc"

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
static LogicalResult checkBatch(AttentionOpInterface op, StringRef name,
                                int64_t size) {
  int64_t batch = op.getDims().batch;
  if (compatible(size, batch))
    return success();
  return op.emitOpError() << name << " has " << size
                          << " entries (dimension 0), but there are " << batch
                          << (op.isRagged() ? " sequences" : " batches");
}

static LogicalResult verifySequences(AttentionOpInterface op) {
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

static LogicalResult verifyPages(AttentionOpInterface op) {
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

static LogicalResult verifyScales(AttentionOpInterface op) {
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

/// A slice holds whole blocks of the lists that number them.
static LogicalResult verifySlice(AttentionOpInterface op) {
  SliceAttr slice = op.getKeySliceAttr();
  int64_t block = op.getMaskBlockSizes().second;
  if (slice && block && slice.getUnit() % block)
    return op.emitOpError() << "key_slice has unit = " << slice.getUnit()
                            << ", which is no multiple of the mask's blocks of "
                            << block << " keys";
  return success();
}

/// Whether #flash.region stands as often as there is a region for it.
static LogicalResult checkRegionUse(AttentionOpInterface op, StringRef name,
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

/// What the operands are, and how they are written.
static std::string describe(ArrayRef<OperandKind> kinds, StringRef group) {
  if (kinds.empty())
    return "";
  std::string names, values;
  for (auto [number, kind] : llvm::enumerate(kinds)) {
    names += (number ? ", '" : "'") + kind.name.str() + "'";
    values += (number ? ", %" : "%") + std::to_string(number);
  }
  return ": write " + group.str() + "(" + values + " : ...) with " + names;
}

static LogicalResult verifyMask(AttentionOpInterface op) {
  MaskAttrInterface mask = op.getMaskAttr();
  unsigned taken = mask ? mask.getNumMaskOperands() : 0,
           given = op.getMaskOperands().size();
  if (failed(checkRegionUse(op, "mask", mask, op.getMaskBody())))
    return failure();
  if (taken != given)
    return op.emitOpError() << "mask takes " << taken
                            << " mask_operands, but there are " << given
                            << describe(mask ? mask.getMaskOperandKinds()
                                             : SmallVector<OperandKind>(),
                                        "mask_operands");
  return mask ? verifyOperands([&] { return op.emitOpError(); },
                               mask.getMaskOperandKinds(), op.getDims(),
                               op.getMaskOperands().getTypes())
              : success();
}

static LogicalResult verifyScores(AttentionOpInterface op) {
  if (failed(
          checkRegionUse(op, "score", op.getScoresAttr(), op.getScoreBody())))
    return failure();
  SmallVector<OperandKind> kinds;
  for (ScoreAttrInterface score : op.getEffectiveScores())
    kinds.append(score.getScoreOperandKinds());
  if (kinds.size() != op.getScoreOperands().size())
    return op.emitOpError()
           << "scores take " << kinds.size()
           << " score_operands, but there are " << op.getScoreOperands().size()
           << describe(kinds, "score_operands");
  return verifyOperands([&] { return op.emitOpError(); }, kinds, op.getDims(),
                        op.getScoreOperands().getTypes());
}

/// Regions see their arguments alone. Said here, before the trait says it of
/// the operation inside, which knows of no captures.
static LogicalResult checkClosed(AttentionOpInterface op) {
  for (auto region :
       {std::pair{"score", &op.getScoreBody()}, {"mask", &op.getMaskBody()}}) {
    StringRef name = region.first;
    Region *body = region.second;
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

LogicalResult flash::verifyAttention(AttentionOpInterface op) {
  if (failed(checkClosed(op)))
    return failure();
  RankedTensorType q = op.getQuery().getType(), k = op.getKey().getType(),
                   v = op.getValue().getType();
  if (failed(checkKeyElements(op, q, k, v)))
    return failure();
  if (failed(checkHeadDim(op, "query", q)) ||
      failed(checkHeadDim(op, "key", k)) ||
      failed(checkHeadDim(op, "value", v)))
    return failure();

  int64_t heads = op.getHeadsDim(), length = op.getLengthDim();
  auto same = [&](StringRef what, NamedDim a, NamedDim b) {
    return checkSame(op, what, a, b);
  };
  StringRef blocks = op.isPaged() ? "number of pages" : "batch";
  if ((!op.isPaged() &&
       failed(same("batch", {"query", q, 0}, {"key", k, 0}))) ||
      failed(same(blocks, {"key", k, 0}, {"value", v, 0})) ||
      failed(same("head dim", {"query", q, 3}, {"key", k, 3})) ||
      failed(same("number of heads", {"key", k, heads}, {"value", v, heads})) ||
      failed(same(op.isPaged() ? "page size" : "length", {"key", k, length},
                  {"value", v, length})))
    return failure();

  int64_t queryHeads = q.getDimSize(heads), keyHeads = k.getDimSize(heads);
  if (!ShapedType::isDynamic(queryHeads) && !ShapedType::isDynamic(keyHeads) &&
      (keyHeads == 0 ? queryHeads != 0 : queryHeads % keyHeads != 0))
    return op.emitOpError()
           << "number of query heads (" << queryHeads
           << ") is not a multiple of the number of key heads (" << keyHeads
           << ")";
  if (op.getScale() && !std::isfinite(op.getScale()->convertToFloat()))
    return op.emitOpError() << "scale must be finite";
  if (failed(verifySequences(op)) || failed(verifyPages(op)) ||
      failed(verifyScales(op)) || failed(verifyMask(op)) ||
      failed(verifyScores(op)) || failed(verifySlice(op)))
    return failure();
  if (op.getSinks() && failed(same("number of heads", {"query", q, heads},
                                   {"sinks", op.getSinks().getType(), 0})))
    return failure();
  if (bool(op.getDropoutP()) != bool(op.getSeed()))
    return op.emitOpError()
           << (op.getSeed() ? "has dropout operands, but no dropout_p"
                            : "has dropout_p, but no dropout operands"
                              " (seed and offset)");
  if (op.getDropoutP()) {
    float p = op.getDropoutP()->convertToFloat();
    if (!(p >= 0 && p < 1))
      return op.emitOpError() << "dropout_p is " << p
                              << ", but must be at least 0 and less than 1";
  }
  return success();
}

LogicalResult flash::verifyOutput(AttentionOpInterface op, StringRef name,
                                  RankedTensorType type) {
  RankedTensorType q = op.getQuery().getType(), v = op.getValue().getType();
  int64_t heads = op.getHeadsDim(), length = op.getLengthDim();
  auto same = [&](StringRef what, NamedDim a, NamedDim b) {
    return checkSame(op, what, a, b);
  };
  return success(
      succeeded(same("batch", {"query", q, 0}, {name, type, 0})) &&
      succeeded(same("head dim", {"value", v, 3}, {name, type, 3})) &&
      succeeded(
          same("number of heads", {"query", q, heads}, {name, type, heads})) &&
      succeeded(same("length", {"query", q, length}, {name, type, length})));
}

LogicalResult flash::verifyLse(AttentionOpInterface op, StringRef name,
                               RankedTensorType type) {
  RankedTensorType q = op.getQuery().getType();
  if (type.getElementType() != op.getAccumulatorType())
    return op.emitOpError()
           << name << " has element type " << type.getElementType()
           << ", but must have " << op.getAccumulatorType();
  auto same = [&](StringRef what, NamedDim a, NamedDim b) {
    return checkSame(op, what, a, b);
  };
  return success(
      succeeded(same("batch", {"query", q, 0}, {name, type, 0})) &&
      succeeded(same("number of heads", {"query", q, op.getHeadsDim()},
                     {name, type, 1})) &&
      succeeded(
          same("length", {"query", q, op.getLengthDim()}, {name, type, 2})));
}

LogicalResult flash::verifyAttentionRegions(AttentionOpInterface op) {
  if (op.getScoreBody().empty() && op.getMaskBody().empty() &&
      !op.getCaptures().empty())
    return op.emitOpError() << "has " << op.getCaptures().size()
                            << " captures, but no region that could read them";
  if (failed(verifyBody(op, "score", op.getScoreBody(), op.getAccumulatorType(),
                        op.getCaptures())))
    return failure();
  return verifyBody(op, "mask", op.getMaskBody(), Type(), op.getCaptures());
}

Type flash::detail::getAccumulatorType(AttentionOpInterface op) {
  Type element = op.getQuery().getType().getElementType();
  return element.isF64() ? element : Float32Type::get(op.getContext());
}

MaskAttrInterface flash::detail::getEffectiveMask(AttentionOpInterface op) {
  if (!op.getMaskAttr() && !op.getMaskBody().empty())
    return cast<MaskAttrInterface>(RegionAttr::get(op.getContext()));
  return op.getMaskAttr();
}

std::pair<int64_t, int64_t>
flash::detail::getMaskBlockSizes(AttentionOpInterface op) {
  MaskAttrInterface mask = op.getEffectiveMask();
  return mask ? mask.getBlockSizes() : std::pair<int64_t, int64_t>();
}

SmallVector<ScoreAttrInterface>
flash::detail::getEffectiveScores(AttentionOpInterface op) {
  SmallVector<ScoreAttrInterface> scores;
  if (ArrayAttr listed = op.getScoresAttr())
    llvm::append_range(scores, listed.getAsRange<ScoreAttrInterface>());
  else if (!op.getScoreBody().empty())
    scores.push_back(
        cast<ScoreAttrInterface>(RegionAttr::get(op.getContext())));
  return scores;
}

bool flash::detail::usesPositions(AttentionOpInterface op) {
  return op.getEffectiveMask() || op.getDropoutP() ||
         !op.getEffectiveScores().empty();
}

AttentionDims flash::detail::getDims(AttentionOpInterface op) {
  RankedTensorType q = op.getQuery().getType(), k = op.getKey().getType();
  AttentionDims dims{q.getDimSize(0), q.getDimSize(op.getHeadsDim()),
                     k.getDimSize(op.getHeadsDim()),
                     q.getDimSize(op.getLengthDim()),
                     k.getDimSize(op.getLengthDim())};
  if (op.isPaged())
    dims.keys = ShapedType::kDynamic;
  if (op.isRagged()) {
    int64_t bounds = op.getCuSeqlensQ().getType().getDimSize(0);
    dims.batch = ShapedType::isDynamic(bounds) ? bounds : bounds - 1;
    dims.rowBatch = 1;
    dims.ownQueries = ShapedType::kDynamic;
  } else {
    dims.rowBatch = dims.batch;
    dims.ownQueries = dims.queries;
  }
  return dims;
}

Region &flash::detail::getNoRegion() {
  static Region none;
  return none;
}

double flash::detail::getScaleOrDefault(AttentionOpInterface op) {
  if (op.getScale())
    return op.getScale()->convertToDouble();
  double scale = 1.0 / std::sqrt(double(op.getQKHeadDim()));
  return op.getAccumulatorType().isF64() ? scale : static_cast<float>(scale);
}
