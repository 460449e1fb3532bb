//===- BackwardStepOp.cpp - One step of a tiled backward --------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifier of flash.backward_step (L1).
//
//===----------------------------------------------------------------------===//

#include "OpUtils.h"

using namespace mlir;
using namespace flash;

static RankedTensorType typeOf(Value tile) {
  return cast<RankedTensorType>(tile.getType());
}

LogicalResult BackwardStepOp::verify() {
  RankedTensorType q = typeOf(getQuery()), k = typeOf(getKey()),
                   v = typeOf(getValue()), d = typeOf(getDOutput());
  for (auto [name, type] :
       {std::pair{"query", q}, {"key", k}, {"value", v}, {"d_output", d}})
    if (!type.hasStaticShape())
      return emitOpError() << "tiles must be static, but " << name << " is "
                           << type;
  auto lastDim = [&](StringRef name, Value value) {
    return NamedDim{name, typeOf(value), typeOf(value).getRank() - 1};
  };
  auto same = [&](StringRef what, NamedDim a, NamedDim b) {
    return succeeded(checkSame(*this, what, a, b));
  };
  if (failed(checkKeyElements(*this, q, k, v)) ||
      failed(checkElement(*this, "query", q.getElementType(), "d_output",
                          d.getElementType())))
    return failure();
  if (!same("head dim", {"query", q, 1}, {"key", k, 1}) ||
      !same("head dim", {"value", v, 1}, {"d_output", d, 1}) ||
      !same("keys", {"key", k, 0}, {"value", v, 0}) ||
      !same("query rows", {"query", q, 0}, {"d_output", d, 0}) ||
      !same("query rows", {"query", q, 0}, lastDim("lse", getLse())) ||
      !same("query rows", {"query", q, 0}, lastDim("delta", getDelta())))
    return failure();
  for (auto [name, value] :
       {std::pair<StringRef, Value>{"lse", getLse()}, {"delta", getDelta()}}) {
    RankedTensorType type = typeOf(value);
    if (type.getRank() == 2 && (!getTransposed() || type.getDimSize(0) != 16))
      return emitOpError() << name << " is " << type
                           << ": as a product it has 16 rows, in a step that "
                              "is transposed";
  }
  for (auto [name, turned, of] :
       {std::tuple<StringRef, Value, RankedTensorType>{"query_t", getQueryT(),
                                                       q},
        {"d_output_t", getDOutputT(), d},
        {"key_t", getKeyT(), k},
        {"value_t", getValueT(), v}})
    if (turned &&
        (!same("rows", {name, typeOf(turned), 1}, {"tile", of, 0}) ||
         !same("columns", {name, typeOf(turned), 0}, {"tile", of, 1})))
      return failure();
  for (auto [name, sum, result, of] :
       {std::tuple<StringRef, Value, Value, RankedTensorType>{
            "d_query", getDQueryIn(), getDQuery(), q},
        {"d_key", getDKeyIn(), getDKey(), k},
        {"d_value", getDValueIn(), getDValue(), v}}) {
    if (bool(sum) != bool(result) || (sum && sum.getType() != result.getType()))
      return emitOpError() << name << " is given, and given back, as one type";
    if (sum && (!same("rows", {name, typeOf(sum), 0}, {"tile", of, 0}) ||
                !same("columns", {name, typeOf(sum), 1}, {"tile", of, 1})))
      return failure();
  }
  for (auto [name, tile] :
       {std::pair<StringRef, Value>{"scores", getScoresOut()},
        {"d_scores", getDScores()}}) {
    int64_t ofQueries = getTransposed() ? 1 : 0;
    if (tile &&
        (!same("query rows", {name, typeOf(tile), ofQueries},
               {"query", q, 0}) ||
         !same("keys", {name, typeOf(tile), 1 - ofQueries}, {"key", k, 0})))
      return failure();
  }
  if (getNumResults() == 0)
    return emitOpError() << "has no result";
  if ((!getMaskOperands().empty() || !getMaskBody().empty() ||
       !getScoreBody().empty() || getScores() || getDropoutP()) &&
      (!getQueries() || !getBatch() || !getQOrigin()))
    return emitOpError() << "masks with operands, regions, scores and dropout "
                            "need queries, place and origins";
  if (getMask() && !getQueries())
    return emitOpError() << "mask needs queries";
  return success();
}

Type BackwardStepOp::getAccumulatorType() {
  return getElementTypeOrSelf(getResultTypes().front());
}

LogicalResult BackwardStepOp::verifyRegions() {
  Type score = getAccumulatorType();
  if (failed(verifyBody(*this, "score", getScoreBody(), score, getCaptures())))
    return failure();
  return verifyBody(*this, "mask", getMaskBody(), Type(), getCaptures());
}
