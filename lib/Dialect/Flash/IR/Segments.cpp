//===- Segments.cpp - Documents that do not see each other ------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// #flash.segments: segment of query == segment of key. Which ids a block has is
// data, summed up by their least and greatest:
//
//   hidden    the ranges of the queries' and of the keys' ids are disjoint
//   full      both have one id, the same
//
// Any ids in any order are right; blocks are told apart as far as ids that
// stand together are close.
//
//===----------------------------------------------------------------------===//

#include "MaskUtils.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace flash;

SmallVector<OperandKind> SegmentsAttr::getMaskOperandKinds() const {
  return {{"segments of queries", {{Along::RowBatch}, {Along::Queries}}},
          {"segments of keys", {{Along::RowBatch}, {Along::Keys}}}};
}

namespace {
/// The segments of queries or of keys.
struct Ids {
  Value tensor, origin;

  static Ids get(const TilePlace &at, Along rows) {
    return rows == Along::Queries ? Ids{at.operands[0], at.queryOrigin}
                                  : Ids{at.operands[1], at.keyOrigin};
  }

  Value read(MaskBuilder &b, Value batch, Value row) const {
    return tensor::ExtractOp::create(b.builder, b.loc, tensor,
                                     ValueRange{batch, row});
  }
  Value batch(MaskBuilder &b, const TilePlace &at) const {
    return b.broadcastIndex(tensor, 0, at.batch);
  }
  Value row(MaskBuilder &b, Value position) const {
    return arith::SubIOp::create(b.builder, b.loc, position, origin);
  }
};

/// The least and the greatest id of some rows.
struct IdRange {
  Value least, greatest;
  IdRange(ValueRange summary) : least(summary[0]), greatest(summary[1]) {}
};
} // namespace

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

unsigned SegmentsAttr::getSummarySize() const { return 2; }

/// Of no rows the range is empty: it begins after its end.
SmallVector<Value> SegmentsAttr::buildSummary(OpBuilder &builder, Location loc,
                                              const TilePlace &at, Along rows,
                                              Value first, Value count) const {
  MaskBuilder b(builder, loc);
  Ids ids = Ids::get(at, rows);
  Value batch = ids.batch(b, at), begin = ids.row(b, first);
  auto type = cast<IntegerType>(getElementTypeOrSelf(ids.tensor.getType()));
  auto bound = [&](const APInt &value) -> Value {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getIntegerAttr(type, value));
  };
  Value least = bound(APInt::getSignedMaxValue(type.getWidth()));
  Value greatest = bound(APInt::getSignedMinValue(type.getWidth()));
  auto scan = scf::ForOp::create(
      builder, loc, b.constant(0), count, b.constant(1),
      ValueRange{least, greatest},
      [&](OpBuilder &nested, Location, Value i, ValueRange range) {
        MaskBuilder inner(nested, loc);
        Value row = arith::AddIOp::create(nested, loc, begin, i);
        Value id = ids.read(inner, batch, row);
        scf::YieldOp::create(
            nested, loc,
            ValueRange{inner.min(range[0], id), inner.max(range[1], id)});
      });
  return llvm::to_vector_of<Value>(scan.getResults());
}

std::pair<Value, Value> SegmentsAttr::buildVisibleKeys(OpBuilder &builder,
                                                       Location loc,
                                                       const TilePlace &at,
                                                       Value qFirst,
                                                       Value qLast) const {
  return {Value(), Value()};
}

Value SegmentsAttr::buildIsHidden(OpBuilder &builder, Location loc,
                                  const TilePlace &at, Value qFirst,
                                  Value qLast, Value kFirst,
                                  Value kLast) const {
  if (at.querySummary.empty())
    return Value();
  MaskBuilder b(builder, loc);
  IdRange queries(at.querySummary), keys(at.keySummary);
  return b.either(b.less(queries.greatest, keys.least),
                  b.less(keys.greatest, queries.least));
}

Value SegmentsAttr::buildIsFull(OpBuilder &builder, Location loc,
                                const TilePlace &at, Value qFirst, Value qLast,
                                Value kFirst, Value kLast) const {
  MaskBuilder b(builder, loc);
  if (at.querySummary.empty())
    return b.boolean(false);
  IdRange queries(at.querySummary), keys(at.keySummary);
  return b.compare(arith::CmpIPredicate::eq, b.min(queries.least, keys.least),
                   b.max(queries.greatest, keys.greatest));
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

Value SegmentsAttr::buildIsVisible(OpBuilder &builder, Location loc,
                                   const TilePlace &at, Value q,
                                   Value k) const {
  MaskBuilder b(builder, loc);
  auto segment = [&](Along rows, Value position) -> Value {
    Ids ids = Ids::get(at, rows);
    Value row = ids.row(b, position);
    return ids.read(b, ids.batch(b, at), row);
  };
  Value query = segment(Along::Queries, q);
  return b.compare(arith::CmpIPredicate::eq, query, segment(Along::Keys, k));
}
