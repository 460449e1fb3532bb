//===- LaneTranspose.cpp - Reads that lie across the lanes ----------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lanes are queries, and a bias has a query's keys next to each other:
//
//   bias[i, j]   lane 0 reads row i, lane 1 row i + 1, ...
//
// One lane at a time that is an address, a load and an insertion for each
// element. For a square of lanes and keys each row is one load of a vector, and
// the vectors are turned in registers.
//
//===----------------------------------------------------------------------===//

#include "LaneTranspose.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace flash;

/// By how much a value of the body grows from one iteration of a loop dimension
/// to the next; nothing where that is not one number.
static std::optional<int64_t> slopeAlong(linalg::LinalgOp op, Value value,
                                         int64_t dim) {
  if (auto argument = dyn_cast<BlockArgument>(value);
      argument && argument.getOwner() == op.getBlock())
    return std::nullopt;
  Operation *producer = value.getDefiningOp();
  if (!producer || producer->getBlock() != op.getBlock())
    return 0;
  if (auto index = dyn_cast<linalg::IndexOp>(producer))
    return int64_t(index.getDim()) == dim;
  SmallVector<int64_t> slopes;
  for (Value operand : producer->getOperands()) {
    std::optional<int64_t> slope = slopeAlong(op, operand, dim);
    if (!slope)
      return std::nullopt;
    slopes.push_back(*slope);
  }
  if (llvm::all_of(slopes, [](int64_t slope) { return slope == 0; }))
    return 0;
  if (isa<arith::AddIOp>(producer))
    return slopes[0] + slopes[1];
  if (isa<arith::SubIOp>(producer))
    return slopes[0] - slopes[1];
  return std::nullopt;
}

std::optional<AcrossIndex> flash::liesAcross(linalg::LinalgOp op,
                                             memref::LoadOp read, int64_t lanes,
                                             int64_t dim) {
  MemRefType type = read.getMemRefType();
  int64_t offset;
  SmallVector<int64_t> strides;
  if (type.getRank() < 2 || !type.getElementType().isIntOrFloat() ||
      type.getElementTypeBitWidth() < 8 ||
      failed(type.getStridesAndOffset(strides, offset)) || strides.back() != 1)
    return std::nullopt;
  OperandRange others = read.getIndices().drop_back();
  auto isFixed = [&](Value index, int64_t along) {
    return slopeAlong(op, index, along) == 0;
  };
  auto isFixedHere = [&](Value value) {
    return isFixed(value, dim) && isFixed(value, lanes);
  };
  AcrossIndex last{read.getIndices().back(), {}, {}};
  if (auto select = last.index.getDefiningOp<arith::SelectOp>();
      select && isFixedHere(select.getCondition()) &&
      isFixedHere(select.getTrueValue()))
    last = {select.getFalseValue(), select.getCondition(),
            select.getTrueValue()};
  bool across =
      slopeAlong(op, last.index, dim) == 1 && isFixed(last.index, lanes) &&
      llvm::all_of(others, [&](Value i) { return isFixed(i, dim); }) &&
      llvm::any_of(others, [&](Value i) { return !isFixed(i, lanes); });
  return across ? std::optional(last) : std::nullopt;
}

int64_t flash::findAcross(linalg::LinalgOp op, int64_t lanes) {
  for (auto read : op.getBlock()->getOps<memref::LoadOp>())
    for (auto [dim, size] : llvm::enumerate(op.getStaticLoopRanges()))
      if (!ShapedType::isDynamic(size) && int64_t(dim) != lanes &&
          liesAcross(op, read, lanes, dim))
        return dim;
  return -1;
}

/// Swaps the off-diagonal halves of squares within the square, the largest
/// first.
SmallVector<Value> flash::transposeSquare(OpBuilder &builder, Location loc,
                                          SmallVector<Value> vectors) {
  auto size = int64_t(vectors.size());
  assert(llvm::isPowerOf2_64(size) && "a square that has halves");
  auto type = cast<VectorType>(vectors.front().getType());
  // Not every target has shuffles of narrow floats.
  auto bits = VectorType::get(
      type.getShape(), builder.getIntegerType(type.getElementTypeBitWidth()));
  bool casts = type.getElementTypeBitWidth() < 32 && bits != type;
  auto castAll = [&](VectorType to) {
    if (casts)
      for (Value &vector : vectors)
        vector = vector::BitCastOp::create(builder, loc, to, vector);
  };
  castAll(bits);
  for (int64_t half = size / 2; half > 0; half /= 2)
    for (int64_t i = 0; i < size; ++i) {
      if (i & half)
        continue;
      Value upper = vectors[i], lower = vectors[i + half];
      SmallVector<int64_t> first, second;
      for (int64_t lane = 0; lane < size; ++lane) {
        first.push_back(lane & half ? size + lane - half : lane);
        second.push_back(lane & half ? size + lane : lane + half);
      }
      vectors[i] = vector::ShuffleOp::create(builder, loc, upper, lower, first);
      vectors[i + half] =
          vector::ShuffleOp::create(builder, loc, upper, lower, second);
    }
  castAll(type);
  return vectors;
}
