//===- LaneBody.cpp - The body of a linalg op on vectors ------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For flash-vectorize-lanes: loads, the scalar body widened op by op, stores.
//
//   ^bb0(%k: f32, %q: f32, %s: f32):        vector.load %q, memref.load %k
//     %p = arith.mulf %k, %q           ->   vector.broadcast %k
//     %r = arith.addf %s, %p                math.fma
//
//===----------------------------------------------------------------------===//

#include "LaneBody.h"
#include "LaneTranspose.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"

#define DEBUG_TYPE "flash-vectorize-lanes"

using namespace mlir;
using namespace flash;

Value LaneBody::offset(Value base, int64_t by) {
  if (by == 0)
    return base;
  return arith::AddIOp::create(
      rewriter, loc, base, arith::ConstantIndexOp::create(rewriter, loc, by));
}

Value LaneBody::indexOf(const LanePanel &panel, int64_t dim, int64_t r,
                        int64_t v) {
  if (dim == plan.row)
    return offset(panel.position[dim], r);
  if (dim == plan.lanes)
    return offset(panel.position[dim], v * panel.width);
  return panel.position[dim];
}

SmallVector<Value> LaneBody::indicesOf(OpOperand &operand,
                                       const LanePanel &panel, int64_t r,
                                       int64_t v) {
  return llvm::map_to_vector(plan.map(operand).getResults(), [&](AffineExpr e) {
    return indexOf(panel, cast<AffineDimExpr>(e).getPosition(), r, v);
  });
}

/// One lane is a scalar: LLVM makes calls of vectors of a single bf16.
static Type widen(Type type, int64_t width) {
  return width == 1 ? type : VectorType::get({width}, type);
}

Value LaneBody::splat(Value scalar, int64_t width) {
  if (width == 1)
    return scalar;
  return vector::BroadcastOp::create(rewriter, loc,
                                     widen(scalar.getType(), width), scalar);
}

Value LaneBody::load(OpOperand &operand, const LanePanel &panel, int64_t r,
                     int64_t v, Cache &cache) {
  auto type = dyn_cast<MemRefType>(operand.get().getType());
  if (!type)
    return splat(operand.get(), panel.width);
  std::tuple<unsigned, int64_t, int64_t> key{
      operand.getOperandNumber(), plan.dependsOn(operand, plan.row) ? r : -1,
      plan.dependsOn(operand, plan.lanes) ? v : -1};
  if (Value known = cache.lookup(key))
    return known;

  SmallVector<Value> indices = indicesOf(operand, panel, r, v);
  Value result;
  if (panel.width == 1 || !plan.dependsOn(operand, plan.lanes)) {
    Value element =
        memref::LoadOp::create(rewriter, loc, operand.get(), indices);
    result = splat(element, panel.width);
  } else if (auto vectorType =
                 cast<VectorType>(widen(type.getElementType(), panel.width));
             plan.isContiguous(operand)) {
    result = vector::LoadOp::create(rewriter, loc, vectorType, operand.get(),
                                    indices);
  } else {
    Value &index = indices[*plan.positionOf(operand, plan.lanes)];
    SmallVector<Value> elements;
    Value base = index;
    for (int64_t lane = 0; lane < panel.width; ++lane) {
      index = offset(base, lane);
      elements.push_back(
          memref::LoadOp::create(rewriter, loc, operand.get(), indices));
    }
    result =
        vector::FromElementsOp::create(rewriter, loc, vectorType, elements);
  }
  return cache[key] = result;
}

void LaneBody::store(OpOperand &operand, const LanePanel &panel, int64_t r,
                     int64_t v, Value value) {
  SmallVector<Value> indices = indicesOf(operand, panel, r, v);
  if (panel.width == 1) {
    memref::StoreOp::create(rewriter, loc, value, operand.get(), indices);
    return;
  }
  if (plan.isContiguous(operand)) {
    vector::StoreOp::create(rewriter, loc, value, operand.get(), indices);
    return;
  }
  Value &index = indices[*plan.positionOf(operand, plan.lanes)];
  Value base = index;
  for (int64_t lane = 0; lane < panel.width; ++lane) {
    index = offset(base, lane);
    Value element = vector::ExtractOp::create(rewriter, loc, value, lane);
    memref::StoreOp::create(rewriter, loc, element, operand.get(), indices);
  }
}

/// The loop index in each lane.
Value LaneBody::indexVector(const LanePanel &panel, int64_t dim, int64_t r,
                            int64_t v) {
  Value wide = splat(indexOf(panel, dim, r, v), panel.width);
  if (dim != plan.lanes || panel.width == 1)
    return wide;
  auto steps = llvm::to_vector(llvm::seq<int64_t>(0, panel.width));
  Value step = arith::ConstantOp::create(rewriter, loc,
                                         rewriter.getIndexVectorAttr(steps));
  return arith::AddIOp::create(rewriter, loc, wide, step);
}

/// The product that an addition of a contraction's body adds, if it is used
/// nowhere else: the two are one instruction, which rounds once.
static arith::MulFOp fusableProduct(arith::AddFOp add) {
  for (Value operand : add->getOperands())
    if (auto mul = operand.getDefiningOp<arith::MulFOp>())
      if (mul->hasOneUse() && mul->getBlock() == add->getBlock())
        return mul;
  return {};
}

/// Reads a buffer in the body at indices that are not the same in all lanes: as
/// one gather where only the last index differs, else lane by lane.
Value LaneBody::gather(Value buffer, ArrayRef<LaneValue> indices,
                       int64_t width) {
  auto type = cast<MemRefType>(buffer.getType());
  auto wide = cast<VectorType>(widen(type.getElementType(), width));
  int64_t offset;
  SmallVector<int64_t> strides;
  bool lastOnly =
      llvm::all_of(indices.drop_back(),
                   [](const LaneValue &index) { return bool(index.scalar); }) &&
      succeeded(type.getStridesAndOffset(strides, offset)) &&
      strides.back() == 1 && type.getElementTypeBitWidth() >= 32;
  if (lastOnly) {
    SmallVector<Value> base;
    for (const LaneValue &index : indices.drop_back())
      base.push_back(index.scalar);
    base.push_back(arith::ConstantIndexOp::create(rewriter, loc, 0));
    Value all = vector::ConstantMaskOp::create(
        rewriter, loc, VectorType::get({width}, rewriter.getI1Type()),
        vector::ConstantMaskKind::AllTrue);
    Value none = arith::ConstantOp::create(
        rewriter, loc, wide, cast<TypedAttr>(rewriter.getZeroAttr(wide)));
    return vector::GatherOp::create(rewriter, loc, wide, buffer, base,
                                    indices.back().wide, all, none);
  }
  SmallVector<Value> elements;
  for (int64_t lane = 0; lane < width; ++lane) {
    SmallVector<Value> at;
    for (const LaneValue &index : indices)
      at.push_back(index.scalar ? index.scalar
                                : vector::ExtractOp::create(rewriter, loc,
                                                            index.wide, lane));
    elements.push_back(memref::LoadOp::create(rewriter, loc, buffer, at));
  }
  return vector::FromElementsOp::create(rewriter, loc, wide, elements);
}

/// The vectors of all rows of a square panel: each lane's neighbours in memory
/// as a vector, turned.
SmallVector<Value> LaneBody::readSquare(Value buffer, const LanePanel &panel,
                                        ArrayRef<LaneValue> indices) {
  auto type = VectorType::get(
      {panel.width}, cast<MemRefType>(buffer.getType()).getElementType());
  SmallVector<Value> rows;
  for (int64_t lane = 0; lane < panel.width; ++lane) {
    SmallVector<Value> at;
    for (const LaneValue &index : indices)
      at.push_back(index.scalar ? index.scalar
                                : vector::ExtractOp::create(rewriter, loc,
                                                            index.wide, lane));
    rows.push_back(vector::LoadOp::create(rewriter, loc, type, buffer, at));
    // The next tile's part of the row, which no hardware prefetcher follows
    // from row to row. It may lie past the end: a prefetch does not fault.
    at.back() = offset(at.back(), plan.sizes[plan.row]);
    memref::PrefetchOp::create(rewriter, loc, buffer, at,
                               /*isWrite=*/false, /*localityHint=*/3,
                               /*isDataCache=*/true);
  }
  return transposeSquare(rewriter, loc, std::move(rows));
}

/// Reads what lies across the lanes for all rows of a square panel at once, and
/// keeps the other rows' vectors for them. No value where it cannot.
Value LaneBody::readAcross(memref::LoadOp read, const LanePanel &panel,
                           int64_t r, int64_t v, ArrayRef<LaneValue> indices,
                           function_ref<Value(Value)> scalarOf, Cache &cache) {
  if (panel.rows != panel.width || !llvm::isPowerOf2_64(panel.width) ||
      plan.row < 0)
    return Value();
  std::optional<AcrossIndex> last = liesAcross(op, read, plan.lanes, plan.row);
  if (!last)
    return Value();
  // After the operands: the reads, by their place in the body.
  Block::iterator begin = op.getBlock()->begin();
  unsigned number =
      op->getNumOperands() + std::distance(begin, read->getIterator());
  if (r == 0) {
    Value buffer = read.getMemRef();
    auto withLast = [&](Value index) {
      SmallVector<LaneValue> all(indices);
      all.back() = {scalarOf(index), {}};
      return all;
    };
    SmallVector<Value> vectors;
    if (last->unless) {
      auto branch = scf::IfOp::create(
          rewriter, loc, scalarOf(last->unless),
          [&](OpBuilder &, Location) {
            Value one = gather(buffer, withLast(last->shared), panel.width);
            scf::YieldOp::create(rewriter, loc,
                                 SmallVector<Value>(panel.rows, one));
          },
          [&](OpBuilder &, Location) {
            scf::YieldOp::create(
                rewriter, loc,
                readSquare(buffer, panel, withLast(last->index)));
          });
      vectors = SmallVector<Value>(branch.getResults());
    } else {
      vectors = readSquare(buffer, panel, withLast(last->index));
    }
    for (auto [row, value] : llvm::enumerate(vectors))
      cache[{number, int64_t(row), v}] = value;
  }
  return cache.lookup({number, r, v});
}

SmallVector<Value> LaneBody::evaluate(const LanePanel &panel, int64_t r,
                                      int64_t v, ArrayRef<Value> accumulators,
                                      Cache &cache) {
  Block *body = op.getBlock();
  DenseMap<Value, LaneValue> known;
  for (OpOperand &operand : op->getOpOperands()) {
    BlockArgument arg = op.getMatchingBlockArgument(&operand);
    if (arg.use_empty())
      continue;
    int64_t init = operand.getOperandNumber() - op.getNumDpsInputs();
    bool carried = init >= 0 && accumulators[init];
    known[arg].wide =
        carried ? accumulators[init] : load(operand, panel, r, v, cache);
  }
  // What is known of a value; from around the op, it is the same in all lanes.
  auto find = [&](Value value) -> LaneValue & {
    auto [it, isNew] = known.try_emplace(value);
    if (isNew)
      it->second.scalar = value;
    return it->second;
  };
  auto lookup = [&](Value value) -> Value {
    LaneValue &lanes = find(value);
    if (!lanes.wide)
      lanes.wide = splat(lanes.scalar, panel.width);
    return lanes.wide;
  };

  for (Operation &inner : body->without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(inner)) {
      LaneValue &lanes = known[index.getResult()];
      int64_t dim = index.getDim();
      if (dim == plan.lanes && panel.width > 1)
        lanes.wide = indexVector(panel, dim, r, v);
      else
        lanes.scalar = indexOf(panel, dim, r, v);
      continue;
    }
    if (auto mul = dyn_cast<arith::MulFOp>(inner);
        mul && plan.isContraction && mul->hasOneUse())
      if (auto add = dyn_cast<arith::AddFOp>(*mul->user_begin());
          add && fusableProduct(add) == mul)
        continue;
    if (auto add = dyn_cast<arith::AddFOp>(inner); add && plan.isContraction)
      if (arith::MulFOp mul = fusableProduct(add)) {
        Value other =
            add.getLhs() == mul.getResult() ? add.getRhs() : add.getLhs();
        known[add.getResult()].wide =
            math::FmaOp::create(rewriter, loc, lookup(mul.getLhs()),
                                lookup(mul.getRhs()), lookup(other));
        continue;
      }
    // The same in all lanes: computed once, on scalars.
    if (llvm::all_of(inner.getOperands(),
                     [&](Value value) { return bool(find(value).scalar); })) {
      IRMapping mapping;
      for (Value operand : inner.getOperands())
        mapping.map(operand, find(operand).scalar);
      Operation *once = rewriter.clone(inner, mapping);
      for (auto [from, to] : llvm::zip(inner.getResults(), once->getResults()))
        known[from].scalar = to;
      continue;
    }
    if (auto read = dyn_cast<memref::LoadOp>(inner)) {
      SmallVector<LaneValue> indices;
      for (Value index : read.getIndices()) {
        if (!find(index).scalar)
          (void)lookup(index);
        indices.push_back(find(index));
      }
      if (panel.width == 1) {
        SmallVector<Value> at =
            llvm::map_to_vector(indices, [](const LaneValue &index) {
              return index.scalar ? index.scalar : index.wide;
            });
        known[read.getResult()].wide =
            memref::LoadOp::create(rewriter, loc, read.getMemRef(), at);
        continue;
      }
      auto scalarOf = [&](Value value) { return find(value).scalar; };
      Value wide = readAcross(read, panel, r, v, indices, scalarOf, cache);
      known[read.getResult()].wide =
          wide ? wide : gather(read.getMemRef(), indices, panel.width);
      continue;
    }
    SmallVector<Value> operands =
        llvm::map_to_vector(inner.getOperands(), lookup);
    SmallVector<Type> types =
        llvm::map_to_vector(inner.getResultTypes(), [&](Type type) -> Type {
          return widen(type, panel.width);
        });
    Operation *wide = rewriter.create(loc, inner.getName().getIdentifier(),
                                      operands, types, inner.getAttrs());
    for (auto [from, to] : llvm::zip(inner.getResults(), wide->getResults()))
      known[from].wide = to;
  }
  return llvm::map_to_vector(body->getTerminator()->getOperands(), lookup);
}
