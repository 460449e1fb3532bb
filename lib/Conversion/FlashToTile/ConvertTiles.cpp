//===- ConvertTiles.cpp - Arithmetic on tiles, as fragments ---------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a step computes: contractions, element-wise ops with a scalar body, and
// the online softmax.
//
//   %a = linalg.generic ins(%acc, %alpha) { mulf }
//   ->  %a = flash_tile.map (%acc, %alpha) : (!acc, !row) -> !acc { mulf }
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace flash;

/// Whether every element of `tensor` is known to be zero.
static bool isZero(Value tensor) {
  if (auto fill = tensor.getDefiningOp<linalg::FillOp>())
    return matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
  return matchPattern(tensor, m_AnyZeroFloat());
}

LogicalResult KernelBuilder::convertContraction(linalg::LinalgOp op) {
  FailureOr<linalg::ContractionDimensions> dims =
      linalg::inferContractionDims(op);
  if (failed(dims) || !dims->batch.empty() || dims->m.size() != 1 ||
      dims->n.size() != 1 || dims->k.size() != 1)
    return op.emitOpError("is not a product of two matrices");
  unsigned m = dims->m[0], n = dims->n[0], k = dims->k[0];
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  auto isMap = [&](unsigned i, unsigned rows, unsigned columns) {
    MLIRContext *context = op->getContext();
    return maps[i] == AffineMap::get(3, 0,
                                     {getAffineDimExpr(rows, context),
                                      getAffineDimExpr(columns, context)},
                                     context);
  };
  bool transposed = isMap(1, n, k);
  if (!isMap(0, m, k) || !isMap(2, m, n) || (!transposed && !isMap(1, k, n)))
    return op.emitOpError("needs operands m x k and k x n (or n x k) on a GPU");

  Value a = tiles.lookup(op->getOperand(0)),
        b = tiles.lookup(op->getOperand(1));
  if (!b || !isa<tile::SharedType>(b.getType()))
    return op.emitOpError("needs its second operand in device memory on a GPU");
  if (!a)
    return op.emitOpError("needs its first operand in device memory or "
                          "computed by the kernel");
  Value out = op.getDpsInits()[0], acc;
  if (!isZero(out)) {
    FailureOr<Value> value = fragment(op, out);
    if (failed(value))
      return failure();
    acc = *value;
  }
  FailureOr<tile::FragmentType> type = fragmentType(op->getResult(0));
  if (failed(type) || !*type)
    return failure();
  tiles[op->getResult(0)] =
      tile::MmaOp::create(builder, op.getLoc(), *type, instruction, a, b, acc,
                          transposed ? builder.getUnitAttr() : UnitAttr());
  return success();
}

LogicalResult KernelBuilder::convertFill(linalg::FillOp op) {
  FailureOr<tile::FragmentType> type = fragmentType(op.getResult(0));
  if (failed(type) || !*type)
    return failure();
  tiles[op.getResult(0)] = tile::SplatOp::create(
      builder, op.getLoc(), *type, scalars.lookup(op.getInputs()[0]));
  return success();
}

LogicalResult KernelBuilder::convertSoftmax(OnlineSoftmaxOp op) {
  if (op.getDim() != 1)
    return op.emitOpError("needs scores M x N on a GPU (the transposed form is "
                          "for the CPU)");
  SmallVector<Value> inputs;
  for (Value operand : {op.getScores(), op.getMax(), op.getSum()}) {
    FailureOr<Value> value = fragment(op, operand);
    if (failed(value))
      return failure();
    inputs.push_back(*value);
  }
  FailureOr<tile::FragmentType> type = fragmentType(op.getP());
  if (failed(type) || !*type)
    return failure();
  Type row = inputs[1].getType();
  auto softmax = tile::OnlineSoftmaxOp::create(
      builder, op.getLoc(), TypeRange{inputs[0].getType(), row, row, row},
      inputs[0], inputs[1], inputs[2], op.getScaleAttr());
  Value p = softmax.getExponentials();
  tiles[op.getP()] =
      p.getType() == *type
          ? p
          : tile::ConvertOp::create(builder, op.getLoc(), *type, p).getResult();
  for (auto [from, to] : llvm::zip(llvm::drop_begin(op->getResults()),
                                   llvm::drop_begin(softmax->getResults())))
    tiles[from] = to;
  return success();
}

/// Rewrites what a body copied from linalg.generic may not hold.
static void legalizeBody(Region &body, ValueRange position) {
  body.walk([&](Operation *op) {
    OpBuilder b(op);
    Location loc = op->getLoc();
    auto constant = [&](double value) -> Value {
      return arith::ConstantOp::create(
          b, loc, b.getFloatAttr(op->getResult(0).getType(), value));
    };
    Value result;
    if (auto index = dyn_cast<linalg::IndexOp>(op))
      result = position[index.getDim()];
    else if (auto extract = dyn_cast<tensor::ExtractOp>(op))
      result = memref::LoadOp::create(b, loc, extract.getTensor(),
                                      extract.getIndices());
    else if (auto exp = dyn_cast<math::ExpOp>(op))
      result = math::Exp2Op::create(
          b, loc,
          arith::MulFOp::create(b, loc, exp.getOperand(),
                                constant(llvm::numbers::log2e)));
    else if (auto log = dyn_cast<math::LogOp>(op))
      result = arith::MulFOp::create(
          b, loc, math::Log2Op::create(b, loc, log.getOperand()),
          constant(llvm::numbers::ln2));
    if (!result)
      return;
    op->getResult(0).replaceAllUsesWith(result);
    op->erase();
  });
}

LogicalResult KernelBuilder::convertGeneric(linalg::GenericOp op) {
  Location loc = op.getLoc();
  int64_t rank = op.getNumLoops();
  if (op.getNumParallelLoops() != rank ||
      llvm::any_of(op.getDpsInitsMutable(), [&](OpOperand &init) {
        return !op.getMatchingIndexingMap(&init).isIdentity();
      }))
    return op.emitOpError("must be element-wise on a GPU");

  // Results are f32 in the map, and rounded afterwards.
  SmallVector<Type> types, mapTypes;
  for (Value result : op.getResults()) {
    FailureOr<tile::FragmentType> type = fragmentType(result);
    if (failed(type) || !*type)
      return failure();
    types.push_back(*type);
    bool rounded =
        type->getElementType().isF16() || type->getElementType().isBF16();
    mapTypes.push_back(
        rounded ? tile::FragmentType::get(
                      type->getShape(), builder.getF32Type(),
                      tile::AccLayoutAttr::get(op.getContext(), warps))
                : *type);
  }

  // Inputs: fragments, elements of device memory, scalars.
  SmallVector<Value> inputs;
  SmallVector<std::pair<BlockArgument, unsigned>> fromInput;
  SmallVector<std::pair<BlockArgument, Value>> fromDevice;
  IRMapping mapping(scalars);
  for (OpOperand &operand : op->getOpOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(&operand);
    if (argument.use_empty())
      continue;
    Value value = operand.get();
    if (!isa<RankedTensorType>(value.getType())) {
      mapping.map(argument, scalars.lookup(value));
      continue;
    }
    AffineMap map = op.getMatchingIndexingMap(&operand);
    auto device = deviceTiles.find(value);
    if (map.isIdentity() && device != deviceTiles.end()) {
      fromDevice.emplace_back(argument, value);
      continue;
    }
    bool rows = rank == 2 && map.getNumResults() == 1 &&
                map.getResult(0) == getAffineDimExpr(0, op.getContext());
    if (!map.isIdentity() && !rows)
      return op.emitOpError("reads operand #")
             << operand.getOperandNumber()
             << " by a map that is neither the identity nor a broadcast along "
                "columns";
    FailureOr<Value> tile = fragment(op, value);
    if (failed(tile))
      return failure();
    fromInput.emplace_back(argument, inputs.size());
    inputs.push_back(*tile);
  }

  auto map = tile::MapOp::create(
      builder, loc, mapTypes, inputs,
      [&](OpBuilder &nested, Location nestedLoc, ValueRange args) {
        ValueRange position = args.take_front(rank);
        for (auto &[argument, input] : fromInput)
          mapping.map(argument, args[rank + input]);
        for (auto &[argument, device] : fromDevice)
          mapping.map(argument, readElement(nested, nestedLoc,
                                            deviceTiles[device], position));
        for (Operation &body : op.getBody()->without_terminator())
          nested.clone(body, mapping);
        SmallVector<Value> yielded;
        for (Value value : op.getBody()->getTerminator()->getOperands()) {
          Value scalar = mapping.lookupOrDefault(value);
          if (scalar.getType().isF16() || scalar.getType().isBF16()) {
            auto round = scalar.getDefiningOp<arith::TruncFOp>();
            scalar = round && round.getIn().getType().isF32()
                         ? round.getIn()
                         : arith::ExtFOp::create(nested, nestedLoc,
                                                 nested.getF32Type(), scalar)
                               .getResult();
          }
          yielded.push_back(scalar);
        }
        tile::YieldOp::create(nested, nestedLoc, yielded);
      });
  legalizeBody(map.getBody(), map.getBody().getArguments().take_front(rank));
  for (auto [from, to, type] :
       llvm::zip(op.getResults(), map.getResults(), types))
    tiles[from] = to.getType() == type
                      ? Value(to)
                      : tile::ConvertOp::create(builder, loc, type, to);
  return success();
}

/// The tile is cleared where it lies.
LogicalResult KernelBuilder::convertHide(HideUnseenOp op) {
  Value tile = tiles.lookup(op.getValues());
  if (!tile || !isa<tile::SharedType>(tile.getType()))
    return op.emitOpError("needs values in device memory on a GPU");
  Location loc = op.getLoc();
  auto clear = tile::ClearUnseenOp::create(
      builder, loc, tile, scalars.lookup(op.getWhen()), op.getQueriesAttr());
  OpBuilder::InsertionGuard guard(builder);
  Type index = builder.getIndexType();
  Block *body =
      builder.createBlock(&clear.getBody(), {}, {index, index}, {loc, loc});
  IRMapping mapping(scalars);
  mapping.map(op.getBody().getArguments(), body->getArguments());
  for (Operation &inner : op.getBody().front().without_terminator())
    builder.clone(inner, mapping);
  Value sees = cast<YieldOp>(op.getBody().front().getTerminator()).getValue();
  tile::YieldOp::create(builder, loc, mapping.lookupOrDefault(sees));
  legalizeBody(clear.getBody(), body->getArguments());
  tiles[op.getResult()] = tile;
  return success();
}
