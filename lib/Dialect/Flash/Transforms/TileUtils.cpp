//===- TileUtils.cpp - Building blocks of tiled programs --------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TileUtils.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace flash;

//===----------------------------------------------------------------------===//
// Index arithmetic
//===----------------------------------------------------------------------===//

Value IndexBuilder::constant(int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}
Value IndexBuilder::add(Value a, Value b) {
  return builder.createOrFold<arith::AddIOp>(loc, a, b);
}
Value IndexBuilder::sub(Value a, Value b) {
  return builder.createOrFold<arith::SubIOp>(loc, a, b);
}
Value IndexBuilder::mul(Value a, Value b) {
  return builder.createOrFold<arith::MulIOp>(loc, a, b);
}
Value IndexBuilder::div(Value a, Value b) {
  return builder.createOrFold<arith::DivUIOp>(loc, a, b);
}
Value IndexBuilder::ceilDiv(Value a, int64_t b) {
  return div(add(a, constant(b - 1)), constant(b));
}
Value IndexBuilder::min(Value a, Value b) {
  return builder.createOrFold<arith::MinSIOp>(loc, a, b);
}
Value IndexBuilder::max(Value a, Value b) {
  return builder.createOrFold<arith::MaxSIOp>(loc, a, b);
}
Value IndexBuilder::less(Value a, Value b) {
  return builder.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::slt, a,
                                             b);
}
Value IndexBuilder::atLeast(Value a, Value b) {
  return builder.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::sge, a,
                                             b);
}
Value IndexBuilder::truth(bool value) {
  return arith::ConstantIntOp::create(builder, loc, value, 1);
}
Value IndexBuilder::either(Value a, Value b) {
  return builder.createOrFold<arith::OrIOp>(loc, a, b);
}
Value IndexBuilder::both(Value a, Value b) {
  return builder.createOrFold<arith::AndIOp>(loc, a, b);
}
Value IndexBuilder::select(Value condition, Value yes, Value no) {
  return builder.createOrFold<arith::SelectOp>(loc, condition, yes, no);
}
Value IndexBuilder::dim(Value tensor, int64_t dim) {
  return getValueOrCreateConstantIndexOp(
      builder, loc, tensor::getMixedSize(builder, loc, tensor, dim));
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

/// Offsets and sizes of one head's rows in a tensor of rank 4 (`layout`) or 3
/// (batch, head, row).
static void headSlice(OpBuilder &builder, RankedTensorType type, Layout layout,
                      Value batch, Value head, Value first, OpFoldResult rows,
                      SmallVector<OpFoldResult> &offsets,
                      SmallVector<OpFoldResult> &sizes) {
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  bool headFirst = type.getRank() == 3 || layout == Layout::BHSD;
  offsets = {batch, headFirst ? head : first, headFirst ? first : head};
  sizes = {one, headFirst ? one : rows, headFirst ? rows : one};
  if (type.getRank() == 4) {
    offsets.push_back(zero);
    sizes.push_back(builder.getIndexAttr(type.getDimSize(3)));
  }
}

Value flash::readTile(OpBuilder &builder, Location loc, Value tensor,
                      Layout layout, Value batch, Value head, Value first,
                      OpFoldResult rows, ArrayRef<int64_t> tileShape,
                      double padValue) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<OpFoldResult> offsets, sizes;
  headSlice(builder, type, layout, batch, head, first, rows, offsets, sizes);
  SmallVector<OpFoldResult> strides(type.getRank(), builder.getIndexAttr(1));

  SmallVector<int64_t> sliceShape{
      getConstantIntValue(rows).value_or(ShapedType::kDynamic)};
  if (tileShape.size() == 2)
    sliceShape.push_back(type.getDimSize(3));
  auto sliceType = RankedTensorType::get(sliceShape, type.getElementType());
  Value slice = tensor::ExtractSliceOp::create(builder, loc, sliceType, tensor,
                                               offsets, sizes, strides);
  if (ArrayRef(sliceShape) == tileShape)
    return slice;

  SmallVector<OpFoldResult> low(tileShape.size(), builder.getIndexAttr(0)),
      high = low;
  Value rowsValue = getValueOrCreateConstantIndexOp(builder, loc, rows);
  high[0] = getAsOpFoldResult(
      IndexBuilder(builder, loc)
          .sub(IndexBuilder(builder, loc).constant(tileShape[0]), rowsValue));
  if (tileShape.size() == 2)
    high[1] = builder.getIndexAttr(tileShape[1] - sliceShape[1]);
  TypedAttr padding =
      isa<IntegerType>(type.getElementType())
          ? TypedAttr(builder.getIntegerAttr(type.getElementType(), padValue))
          : builder.getFloatAttr(type.getElementType(), padValue);
  Value pad = arith::ConstantOp::create(builder, loc, padding);
  return tensor::PadOp::create(
      builder, loc, RankedTensorType::get(tileShape, type.getElementType()),
      slice, low, high, pad);
}

PagedRows::PagedRows(OpBuilder &builder, Location loc, Value tensor,
                     Value table, Layout layout)
    : builder(builder), loc(loc), index(builder, loc), table(table),
      size(index.dim(tensor, layout == Layout::BHSD ? 2 : 1)),
      last(index.sub(index.dim(tensor, 0), index.constant(1))) {}

std::pair<Value, Value> PagedRows::find(Value batch, Value key) {
  Value place = index.div(key, size);
  Value page =
      tensor::ExtractOp::create(builder, loc, table, ValueRange{batch, place});
  page = arith::IndexCastOp::create(builder, loc, builder.getIndexType(), page);
  return {index.max(index.min(page, last), index.constant(0)),
          index.sub(key, index.mul(place, size))};
}

void flash::insertTile(OpBuilder &builder, Location loc, Value tile, Value dest,
                       Layout layout, Value batch, Value head, Value first,
                       OpFoldResult rows, scf::InParallelOp inParallel) {
  auto destType = cast<RankedTensorType>(dest.getType());
  auto tileType = cast<RankedTensorType>(tile.getType());
  SmallVector<OpFoldResult> offsets, sizes;
  headSlice(builder, destType, layout, batch, head, first, rows, offsets,
            sizes);
  SmallVector<OpFoldResult> strides(destType.getRank(),
                                    builder.getIndexAttr(1));
  SmallVector<OpFoldResult> partOffsets(tileType.getRank(),
                                        builder.getIndexAttr(0)),
      partSizes{rows}, partStrides(tileType.getRank(), builder.getIndexAttr(1));
  if (tileType.getRank() == 2)
    partSizes.push_back(builder.getIndexAttr(destType.getDimSize(3)));
  Value part = tensor::ExtractSliceOp::create(builder, loc, tile, partOffsets,
                                              partSizes, partStrides);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(inParallel.getBody());
  tensor::ParallelInsertSliceOp::create(builder, loc, part, dest, offsets,
                                        sizes, strides);
}

Value flash::filledTile(OpBuilder &builder, Location loc,
                        ArrayRef<int64_t> shape, double value, Type element) {
  Value scalar = arith::ConstantOp::create(
      builder, loc, builder.getFloatAttr(element, value));
  Value empty = tensor::EmptyOp::create(builder, loc, shape, element);
  return linalg::FillOp::create(builder, loc, scalar, empty).getResult(0);
}

SmallVector<Value> flash::mapTiles(
    OpBuilder &builder, Location loc, ArrayRef<int64_t> shape,
    ValueRange inputs, ArrayRef<AffineMap> maps, TypeRange elementTypes,
    function_ref<SmallVector<Value>(OpBuilder &, Location, ValueRange)> body) {
  SmallVector<Value> outputs;
  SmallVector<Type> types;
  SmallVector<AffineMap> allMaps(maps);
  for (Type element : elementTypes) {
    outputs.push_back(tensor::EmptyOp::create(builder, loc, shape, element));
    types.push_back(outputs.back().getType());
    allMaps.push_back(builder.getMultiDimIdentityMap(shape.size()));
  }
  SmallVector<utils::IteratorType> loops(shape.size(),
                                         utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      builder, loc, types, inputs, outputs, allMaps, loops,
      [&](OpBuilder &nested, Location nestedLoc, ValueRange args) {
        linalg::YieldOp::create(
            nested, nestedLoc,
            body(nested, nestedLoc, args.take_front(inputs.size())));
      });
  return SmallVector<Value>(generic.getResults());
}

Value flash::contract(OpBuilder &b, Location loc, Value lhs, Value rhs,
                      Value out, ArrayRef<unsigned> lhsDims,
                      ArrayRef<unsigned> rhsDims) {
  MLIRContext *context = b.getContext();
  auto map = [&](ArrayRef<unsigned> dims) {
    SmallVector<AffineExpr> exprs;
    for (unsigned dim : dims)
      exprs.push_back(getAffineDimExpr(dim, context));
    return AffineMap::get(3, 0, exprs, context);
  };
  auto matmul = linalg::MatmulOp::create(b, loc, TypeRange{out.getType()},
                                         ValueRange{lhs, rhs}, ValueRange{out});
  matmul.setIndexingMapsAttr(
      b.getAffineMapArrayAttr({map(lhsDims), map(rhsDims), map({0, 1})}));
  return matmul.getResult(0);
}

void flash::hoistInvariants(Operation *op) {
  Block *body = &op->getRegion(0).front();
  auto isConstantHere = [&](Value value) {
    Operation *producer = value.getDefiningOp();
    return producer && producer->getBlock() == body &&
           isa<arith::ConstantOp>(producer);
  };
  for (Operation &inner :
       llvm::make_early_inc_range(body->without_terminator())) {
    if (isa<arith::ConstantOp, linalg::IndexOp>(inner) || !isPure(&inner) ||
        inner.getNumOperands() == 0 ||
        !llvm::all_of(inner.getOperands(), [&](Value operand) {
          return operand.getParentBlock() != body || isConstantHere(operand);
        }))
      continue;
    for (Value operand : inner.getOperands())
      if (isConstantHere(operand))
        operand.getDefiningOp()->moveBefore(op);
    inner.moveBefore(op);
  }
}
