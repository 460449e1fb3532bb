//===- Gradients.cpp - Gradients of views and sizes -----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %s = tensor.extract_slice %x[...]  ->  dx += insert_slice ds into zeros
//   %e = tensor.expand_shape %x        ->  dx += collapse_shape de
//
// The rules of operations that only move elements; attentions, merges and
// linalg have files of their own.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Transforms/Gradients.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace flash;

Value flash::convertFloat(OpBuilder &b, Location loc, Value value, Type type) {
  unsigned from = value.getType().getIntOrFloatBitWidth(),
           to = type.getIntOrFloatBitWidth();
  if (value.getType() == type)
    return value;
  if (from < to)
    return arith::ExtFOp::create(b, loc, type, value);
  if (from > to)
    return arith::TruncFOp::create(b, loc, type, value);
  // f16 and bf16 hold each other's values in f32 only.
  return arith::TruncFOp::create(
      b, loc, type, arith::ExtFOp::create(b, loc, b.getF32Type(), value));
}

Value flash::mapElements(
    OpBuilder &b, Location loc, ValueRange inputs, Type element,
    function_ref<Value(OpBuilder &, Location, ValueRange)> body) {
  Value empty = tensor::EmptyOp::create(
      b, loc, tensor::getMixedSizes(b, loc, inputs[0]), element);
  int64_t rank = cast<RankedTensorType>(empty.getType()).getRank();
  SmallVector<AffineMap> maps(inputs.size() + 1,
                              b.getMultiDimIdentityMap(rank));
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             b, loc, empty.getType(), inputs, empty, maps, loops,
             [&](OpBuilder &nested, Location l, ValueRange in) {
               linalg::YieldOp::create(nested, l,
                                       body(nested, l, in.drop_back()));
             })
      .getResult(0);
}

Value GradientBuilder::zerosLike(Value forward, Type element) {
  Location loc = forward.getLoc();
  if (!element)
    element = getElementTypeOrSelf(forward);
  Value value = get(forward);
  Value empty = tensor::EmptyOp::create(
      b, loc, tensor::getMixedSizes(b, loc, value), element);
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(element));
  return linalg::FillOp::create(b, loc, zero, empty).getResult(0);
}

/// Offsets, sizes and reassociations of the forward, in the backward.
static SmallVector<OpFoldResult> getAll(GradientBuilder &gradients,
                                        ArrayRef<OpFoldResult> values) {
  return llvm::map_to_vector(values, [&](OpFoldResult value) -> OpFoldResult {
    if (auto dynamic = dyn_cast<Value>(value))
      return gradients.get(dynamic);
    return value;
  });
}

static LogicalResult visit(GradientBuilder &g, tensor::ExtractSliceOp op,
                           Value dResult) {
  Value zeros = g.zerosLike(op.getSource());
  g.add(op.getSource(),
        tensor::InsertSliceOp::create(g.builder(), op.getLoc(), dResult, zeros,
                                      getAll(g, op.getMixedOffsets()),
                                      getAll(g, op.getMixedSizes()),
                                      getAll(g, op.getMixedStrides())));
  return success();
}

static LogicalResult visit(GradientBuilder &g, tensor::InsertSliceOp op,
                           Value dResult) {
  SmallVector<OpFoldResult> offsets = getAll(g, op.getMixedOffsets()),
                            sizes = getAll(g, op.getMixedSizes()),
                            strides = getAll(g, op.getMixedStrides());
  if (g.wants(op.getSource())) {
    auto type = cast<RankedTensorType>(g.get(op.getSource()).getType());
    g.add(op.getSource(),
          tensor::ExtractSliceOp::create(g.builder(), op.getLoc(), type,
                                         dResult, offsets, sizes, strides));
  }
  if (g.wants(op.getDest()))
    g.add(op.getDest(),
          tensor::InsertSliceOp::create(g.builder(), op.getLoc(),
                                        g.zerosLike(op.getSource()), dResult,
                                        offsets, sizes, strides));
  return success();
}

static LogicalResult visit(GradientBuilder &g, tensor::CastOp op,
                           Value dResult) {
  g.add(op.getSource(),
        g.builder().createOrFold<tensor::CastOp>(
            op.getLoc(), g.get(op.getSource()).getType(), dResult));
  return success();
}

static LogicalResult visit(GradientBuilder &g, tensor::ExpandShapeOp op,
                           Value dResult) {
  g.add(op.getSrc(), tensor::CollapseShapeOp::create(
                         g.builder(), op.getLoc(),
                         cast<RankedTensorType>(op.getSrc().getType()), dResult,
                         op.getReassociationIndices()));
  return success();
}

static LogicalResult visit(GradientBuilder &g, tensor::CollapseShapeOp op,
                           Value dResult) {
  Value source = g.get(op.getSrc());
  g.add(op.getSrc(),
        tensor::ExpandShapeOp::create(
            g.builder(), op.getLoc(), cast<RankedTensorType>(source.getType()),
            dResult, op.getReassociationIndices(),
            tensor::getMixedSizes(g.builder(), op.getLoc(), source)));
  return success();
}

static LogicalResult visit(GradientBuilder &g, tensor::ReshapeOp op,
                           Value dResult) {
  OpBuilder &b = g.builder();
  Location loc = op.getLoc();
  Value source = g.get(op.getSource());
  SmallVector<Value> sizes;
  for (OpFoldResult size : tensor::getMixedSizes(b, loc, source))
    sizes.push_back(getValueOrCreateConstantIndexOp(b, loc, size));
  Value shape = tensor::FromElementsOp::create(b, loc, sizes);
  g.add(op.getSource(),
        tensor::ReshapeOp::create(b, loc, source.getType(), dResult, shape));
  return success();
}

static LogicalResult visit(GradientBuilder &g, tensor::ConcatOp op,
                           Value dResult) {
  OpBuilder &b = g.builder();
  Location loc = op.getLoc();
  int64_t dim = op.getDim();
  OpFoldResult at = b.getIndexAttr(0);
  for (Value part : op.getInputs()) {
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(b, loc, g.get(part));
    SmallVector<OpFoldResult> offsets(sizes.size(), b.getIndexAttr(0)),
        strides(sizes.size(), b.getIndexAttr(1));
    offsets[dim] = at;
    if (g.wants(part))
      g.add(part, tensor::ExtractSliceOp::create(
                      b, loc, cast<RankedTensorType>(g.get(part).getType()),
                      dResult, offsets, sizes, strides));
    Value next = arith::AddIOp::create(
        b, loc, getValueOrCreateConstantIndexOp(b, loc, at),
        getValueOrCreateConstantIndexOp(b, loc, sizes[dim]));
    at = getAsOpFoldResult(next);
  }
  return success();
}

static LogicalResult visit(GradientBuilder &g, tensor::PadOp op,
                           Value dResult) {
  if (!op.getConstantPaddingValue())
    return op.emitOpError() << "pads with what it computes, and so has no "
                               "gradient here: pad with a constant";
  OpBuilder &b = g.builder();
  Value source = g.get(op.getSource());
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(b, op.getLoc(), source);
  SmallVector<OpFoldResult> strides(sizes.size(), b.getIndexAttr(1));
  g.add(op.getSource(),
        tensor::ExtractSliceOp::create(
            b, op.getLoc(), cast<RankedTensorType>(source.getType()), dResult,
            getAll(g, op.getMixedLowPad()), sizes, strides));
  return success();
}

LogicalResult flash::buildGradients(GradientBuilder &gradients, Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<AttentionOp, MergeOp, linalg::LinalgOp>(
          [&](auto known) { return buildGradients(gradients, known); })
      .Case<tensor::ExtractSliceOp, tensor::InsertSliceOp, tensor::CastOp,
            tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ReshapeOp,
            tensor::ConcatOp, tensor::PadOp>([&](auto known) {
        return visit(gradients, known,
                     gradients.gradientFor(known->getResult(0)));
      })
      .Default([](Operation *other) {
        return other->emitOpError()
               << "has no gradient: flash-differentiate knows flash.attention, "
                  "flash.merge, linalg on tensors, and the slices, casts and "
                  "reshapes of tensor";
      });
}
