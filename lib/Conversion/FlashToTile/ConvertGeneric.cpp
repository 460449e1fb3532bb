//===- ConvertGeneric.cpp - Element-wise steps and reductions -------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %a = linalg.generic ins(%acc, %alpha) { mulf }
//   ->  %a = flash_tile.map (%acc, %alpha) : (!acc, !row) -> !acc { mulf }
//
//   %s = linalg.generic ins(%x) outs(%s0) { addf %out, (mulf %in, %in) }
//   ->  %m = flash_tile.map (%x) { mulf } ; %r = flash_tile.reduce add %m ;
//       %s = flash_tile.map (%s0, %r) { addf }
//
// Vectors are broadcast along either dimension, and either is reduced.
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace flash;

//===----------------------------------------------------------------------===//
// Bodies
//===----------------------------------------------------------------------===//

void flash::legalizeBody(Region &body, ValueRange position) {
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

/// The ops of a body that the values need, in order.
static SmallVector<Operation *> getNeeded(Block &body, ValueRange values) {
  llvm::SetVector<Operation *> needed;
  SmallVector<Value> open(values);
  while (!open.empty()) {
    Operation *op = open.pop_back_val().getDefiningOp();
    op = op ? body.findAncestorOpInBlock(*op) : nullptr;
    if (!op || !needed.insert(op))
      continue;
    op->walk([&](Operation *inner) {
      llvm::append_range(open, inner->getOperands());
    });
  }
  SmallVector<Operation *> ordered;
  for (Operation &op : body.without_terminator())
    if (needed.contains(&op))
      ordered.push_back(&op);
  return ordered;
}

namespace {
/// What the arguments of a step's body are in a map's.
struct BodyInputs {
  SmallVector<Value> fragments;
  SmallVector<std::pair<BlockArgument, unsigned>> fromFragment;
  SmallVector<std::pair<BlockArgument, Value>> fromDevice;
  IRMapping scalars;
};
} // namespace

/// A scalar of the body in f32, as a map yields what is rounded afterwards.
static Value widen(OpBuilder &builder, Location loc, Value scalar) {
  if (!scalar.getType().isF16() && !scalar.getType().isBF16())
    return scalar;
  auto round = scalar.getDefiningOp<arith::TruncFOp>();
  if (round && round.getIn().getType().isF32())
    return round.getIn();
  return arith::ExtFOp::create(builder, loc, builder.getF32Type(), scalar);
}

FailureOr<SmallVector<Value>>
KernelBuilder::mapBody(linalg::GenericOp op, ArrayRef<tile::FragmentType> types,
                       ValueRange yielded) {
  Location loc = op.getLoc();
  int64_t rank = op.getNumLoops();
  SmallVector<Operation *> needed = getNeeded(*op.getBody(), yielded);
  auto isNeeded = [&](BlockArgument argument) {
    return llvm::is_contained(yielded, argument) ||
           llvm::any_of(argument.getUsers(), [&](Operation *user) {
             return llvm::is_contained(
                 needed, op.getBody()->findAncestorOpInBlock(*user));
           });
  };
  BodyInputs inputs;
  inputs.scalars = scalars;
  for (OpOperand &operand : op->getOpOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(&operand);
    if (!isNeeded(argument))
      continue;
    Value value = operand.get();
    if (!isa<RankedTensorType>(value.getType())) {
      inputs.scalars.map(argument, scalars.lookup(value));
      continue;
    }
    AffineMap map = op.getMatchingIndexingMap(&operand);
    if (map.isIdentity() && deviceTiles.contains(value) && !isFetched(value)) {
      inputs.fromDevice.emplace_back(argument, value);
      continue;
    }
    std::optional<VectorPlace> place = layouts.getPlace(op, map);
    if (!map.isIdentity() && !place)
      return op.emitOpError("reads operand #")
             << operand.getOperandNumber()
             << " by a map that is neither the identity nor a broadcast along "
                "rows or columns";
    if (map.isIdentity() && rank == 1)
      place = layouts.getPlace(op->getResult(0));
    FailureOr<Value> tile = fragment(op, value, place);
    if (failed(tile))
      return failure();
    inputs.fromFragment.emplace_back(argument, inputs.fragments.size());
    inputs.fragments.push_back(*tile);
  }

  SmallVector<Type> mapTypes(types.begin(), types.end());
  auto map = tile::MapOp::create(
      builder, loc, mapTypes, inputs.fragments,
      [&](OpBuilder &nested, Location nestedLoc, ValueRange args) {
        IRMapping &mapping = inputs.scalars;
        ValueRange position = args.take_front(rank);
        for (auto &[argument, input] : inputs.fromFragment)
          mapping.map(argument, args[rank + input]);
        for (auto &[argument, device] : inputs.fromDevice)
          mapping.map(argument, readElement(nested, nestedLoc,
                                            deviceTiles[device], position));
        for (Operation *body : needed)
          nested.clone(*body, mapping);
        SmallVector<Value> values;
        for (auto [value, type] : llvm::zip(yielded, types)) {
          Value scalar = mapping.lookupOrDefault(value);
          values.push_back(type.getElementType().isF32()
                               ? widen(nested, nestedLoc, scalar)
                               : scalar);
        }
        tile::YieldOp::create(nested, nestedLoc, values);
      });
  legalizeBody(map.getBody(), map.getBody().getArguments().take_front(rank));
  return SmallVector<Value>(map.getResults());
}

//===----------------------------------------------------------------------===//
// Element-wise steps
//===----------------------------------------------------------------------===//

/// The type in which a map computes a result: matrices of 16 bits are rounded
/// afterwards.
static tile::FragmentType getWideType(tile::FragmentType type) {
  Type element = type.getElementType();
  if (type.getRank() != 2 || (!element.isF16() && !element.isBF16()))
    return type;
  tile::LayoutAttrInterface layout = type.getLayout();
  if (isa<tile::LhsLayoutAttr>(layout))
    layout = tile::AccLayoutAttr::get(type.getContext(), type.getWarps(),
                                      type.getColumnGroups());
  return tile::FragmentType::get(type.getShape(),
                                 Float32Type::get(type.getContext()), layout);
}

LogicalResult KernelBuilder::convertGeneric(linalg::GenericOp op) {
  if (op.getNumLoops() < 1 || op.getNumLoops() > 2)
    return op.emitOpError("has ")
           << op.getNumLoops()
           << " loops, but a GPU kernel works on matrices and vectors";
  if (op.getNumReductionLoops() > 0)
    return convertReduction(op);
  if (op.getNumParallelLoops() != op.getNumLoops() ||
      llvm::any_of(op.getDpsInitsMutable(), [&](OpOperand &init) {
        return !op.getMatchingIndexingMap(&init).isIdentity();
      }))
    return op.emitOpError("must write each element of its results once on a "
                          "GPU");
  SmallVector<tile::FragmentType> types, wide;
  for (Value result : op.getResults()) {
    FailureOr<tile::FragmentType> type = fragmentType(result);
    if (failed(type) || !*type)
      return failure();
    types.push_back(*type);
    wide.push_back(getWideType(*type));
  }
  FailureOr<SmallVector<Value>> values =
      mapBody(op, wide, op.getBody()->getTerminator()->getOperands());
  if (failed(values))
    return failure();
  for (auto [from, to, type] : llvm::zip(op.getResults(), *values, types))
    tiles[from] = to.getType() == type
                      ? to
                      : tile::ConvertOp::create(builder, op.getLoc(), type, to)
                            .getResult();
  return success();
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

namespace {
/// A result that joins `value` over a loop, from what `init` holds on.
struct Reduction {
  tile::ReduceKind kind;
  Value value;
  Operation *joins;
};
} // namespace

static std::optional<tile::ReduceKind> getKind(Operation *op) {
  return llvm::TypeSwitch<Operation *, std::optional<tile::ReduceKind>>(op)
      .Case([](arith::AddFOp) { return tile::ReduceKind::Add; })
      .Case([](arith::MulFOp) { return tile::ReduceKind::Mul; })
      .Case([](arith::MaxNumFOp) { return tile::ReduceKind::Max; })
      .Case([](arith::MinNumFOp) { return tile::ReduceKind::Min; })
      .Case([](arith::MaximumFOp) { return tile::ReduceKind::Maximum; })
      .Case([](arith::MinimumFOp) { return tile::ReduceKind::Minimum; })
      .Default([](Operation *) { return std::nullopt; });
}

/// How the body joins its output argument with what an iteration adds.
static std::optional<Reduction> getReduction(linalg::GenericOp op,
                                             int64_t result) {
  BlockArgument out = op.getRegionOutputArgs()[result];
  Value yielded = op.getBody()->getTerminator()->getOperand(result);
  Operation *joins = yielded.getDefiningOp();
  std::optional<tile::ReduceKind> kind;
  if (joins)
    kind = getKind(joins);
  if (!kind || !out.hasOneUse() || *out.getUsers().begin() != joins ||
      !yielded.hasOneUse())
    return std::nullopt;
  Value value = joins->getOperand(joins->getOperand(0) == out ? 1 : 0);
  return Reduction{*kind, value, joins};
}

/// Whether the vector joins as if it were not there.
static bool isNeutral(Value init, tile::ReduceKind kind) {
  auto fill = init.getDefiningOp<linalg::FillOp>();
  FloatAttr number;
  if (!fill || !matchPattern(fill.getInputs()[0], m_Constant(&number)))
    return false;
  APFloat value = number.getValue();
  switch (kind) {
  case tile::ReduceKind::Add:
    return value.isZero();
  case tile::ReduceKind::Mul:
    return value.isExactlyValue(1.0);
  case tile::ReduceKind::Max:
  case tile::ReduceKind::Maximum:
    return value.isInfinity() && value.isNegative();
  case tile::ReduceKind::Min:
  case tile::ReduceKind::Minimum:
    return value.isInfinity() && !value.isNegative();
  }
  llvm_unreachable("all kinds are above");
}

/// A matrix of what each iteration adds.
FailureOr<Value> KernelBuilder::reducedMatrix(linalg::GenericOp op,
                                              Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    OpOperand *operand = op.getMatchingOpOperand(argument);
    if (operand && op.getMatchingIndexingMap(operand).isIdentity() &&
        (isFetched(operand->get()) || !deviceTiles.contains(operand->get())))
      return fragment(op, operand->get());
  }
  SmallVector<int64_t> shape = op.getStaticLoopRanges();
  auto type = tile::FragmentType::getChecked(
      [&] { return op.emitError(); }, shape, builder.getF32Type(),
      layouts.getMatrixLayout(op.getContext(), shape[0]));
  if (!type)
    return failure();
  FailureOr<SmallVector<Value>> values = mapBody(op, type, value);
  if (failed(values))
    return failure();
  return values->front();
}

LogicalResult KernelBuilder::convertReduction(linalg::GenericOp op) {
  if (op.getNumLoops() != 2 || op.getNumReductionLoops() != 1)
    return op.emitOpError("must reduce a matrix along its rows or its columns "
                          "on a GPU");
  for (OpResult result : op->getResults()) {
    unsigned i = result.getResultNumber();
    OpOperand *init = op.getDpsInitOperand(i);
    auto place = layouts.getPlace(op, op.getMatchingIndexingMap(init));
    std::optional<Reduction> reduction = getReduction(op, i);
    if (!place || !reduction)
      return op.emitOpError("result #")
             << i
             << " must be a sum, product, minimum or maximum over a dimension "
                "of the matrix on a GPU";
    FailureOr<tile::FragmentType> type = fragmentType(result, place);
    if (failed(type) || !*type)
      return failure();
    if (!type->getElementType().isF32())
      return op.emitOpError("reduces to ")
             << type->getElementType() << ", but a GPU kernel reduces in f32";
    FailureOr<Value> matrix = reducedMatrix(op, reduction->value);
    if (failed(matrix))
      return failure();
    Value reduced = tile::createReduction(builder, op.getLoc(), *type,
                                          reduction->kind, *matrix);
    if (!isNeutral(init->get(), reduction->kind)) {
      FailureOr<Value> before = fragment(op, init->get(), place);
      if (failed(before))
        return failure();
      reduced = tile::MapOp::create(
                    builder, op.getLoc(), TypeRange(*type),
                    ValueRange{*before, reduced},
                    [&](OpBuilder &b, Location loc, ValueRange args) {
                      IRMapping mapping;
                      mapping.map(op.getRegionOutputArgs()[i], args[1]);
                      mapping.map(reduction->value, args[2]);
                      Operation *joined = b.clone(*reduction->joins, mapping);
                      tile::YieldOp::create(b, loc, joined->getResults());
                    })
                    .getResult(0);
    }
    tiles[result] = reduced;
  }
  return success();
}
