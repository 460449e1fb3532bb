//===- AttentionOp.cpp - What a legal attention is --------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifier and shape inference of flash.attention.
//
//===----------------------------------------------------------------------===//

#include "OpUtils.h"

using namespace mlir;
using namespace flash;

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

LogicalResult AttentionOp::verify() {
  if (failed(verifyAttention(*this)))
    return failure();
  Type o = getOutput().getType().getElementType(),
       q = getQuery().getType().getElementType();
  if (o != q && !o.isF32())
    return emitOpError() << "output has element type " << o
                         << ", but must have the query's, " << q << ", or f32";
  if (failed(verifyOutput(*this, "output", getOutput().getType())))
    return failure();
  return getLse() ? verifyLse(*this, "lse", getLse().getType()) : success();
}

LogicalResult AttentionOp::verifyRegions() {
  return verifyAttentionRegions(*this);
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
