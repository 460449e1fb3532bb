//===- KernelControlFlow.cpp - Loops and branches over tiles --------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rebuilds loops and branches with fragments in place of tile tensors, and
// hands each other op to its conversion:
//
//   scf.for ... iter_args(%acc) -> (tensor<128x64xf32>)
//   ->  scf.for ... iter_args(%acc) -> (!flash_tile.fragment<128x64xf32, ...>)
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace flash;

std::optional<VectorPlace> KernelBuilder::placeOf(Value value) const {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || type.getRank() != 1)
    return std::nullopt;
  return layouts.getPlace(value);
}

LogicalResult KernelBuilder::convertFor(scf::ForOp op) {
  SmallVector<Value> inits;
  // What is only added to a result is carried by nobody.
  SmallVector<BlockArgument> arguments;
  SmallVector<OpResult> results;
  for (auto [init, argument, result] :
       llvm::zip(op.getInitArgs(), op.getRegionIterArgs(), op->getResults())) {
    if (sums.contains(argument))
      continue;
    arguments.push_back(argument);
    results.push_back(result);
    if (!isa<RankedTensorType>(init.getType())) {
      inits.push_back(scalars.lookup(init));
      continue;
    }
    // What it begins with lies as what becomes of it.
    FailureOr<Value> value = fragment(op, init, placeOf(argument));
    if (failed(value))
      return failure();
    inits.push_back(*value);
  }
  auto loop = scf::ForOp::create(
      builder, op.getLoc(), scalars.lookup(op.getLowerBound()),
      scalars.lookup(op.getUpperBound()), scalars.lookup(op.getStep()), inits);
  auto record = [&](Value from, Value to) {
    if (isa<RankedTensorType>(from.getType()))
      tiles[from] = to;
    else
      scalars.map(from, to);
  };
  record(op.getInductionVar(), loop.getInductionVar());
  for (auto [from, to] : llvm::zip(arguments, loop.getRegionIterArgs()))
    record(from, to);
  for (auto [from, to] : llvm::zip(results, loop.getResults()))
    record(from, to);
  OpBuilder::InsertionGuard guard(builder);
  // Without values to carry, the builder has made the terminator.
  if (!loop.getBody()->empty())
    loop.getBody()->back().erase();
  builder.setInsertionPointToEnd(loop.getBody());
  return convertBlock(*op.getBody());
}

LogicalResult KernelBuilder::convertIf(scf::IfOp op) {
  SmallVector<Type> types;
  SmallVector<Value> results;
  for (Value result : op.getResults()) {
    if (sums.contains(result))
      continue;
    results.push_back(result);
    if (!isa<RankedTensorType>(result.getType())) {
      types.push_back(result.getType());
      continue;
    }
    FailureOr<tile::FragmentType> type = fragmentType(result);
    if (failed(type) || !*type)
      return failure();
    types.push_back(*type);
  }
  auto branch = scf::IfOp::create(
      builder, op.getLoc(), types, scalars.lookup(op.getCondition()),
      /*addThenBlock=*/true, !op.getElseRegion().empty());
  for (auto [from, to] : llvm::zip(results, branch.getResults())) {
    if (isa<RankedTensorType>(from.getType()))
      tiles[from] = to;
    else
      scalars.map(from, to);
  }
  OpBuilder::InsertionGuard guard(builder);
  for (auto [from, to] : llvm::zip(op->getRegions(), branch->getRegions())) {
    if (from.empty())
      continue;
    to.front().clear();
    builder.setInsertionPointToEnd(&to.front());
    if (failed(convertBlock(from.front())))
      return failure();
  }
  return success();
}

LogicalResult KernelBuilder::convertYield(Operation *op) {
  SmallVector<Value> values;
  for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
    Value result = op->getParentOp()->getResult(i);
    if (sums.contains(result))
      continue;
    if (!isa<RankedTensorType>(operand.getType())) {
      values.push_back(scalars.lookup(operand));
      continue;
    }
    FailureOr<Value> value = fragment(op, operand, placeOf(result));
    if (failed(value))
      return failure();
    values.push_back(*value);
  }
  scf::YieldOp::create(builder, op->getLoc(), values);
  return success();
}

LogicalResult KernelBuilder::convertBlock(Block &block) {
  for (Operation &op : block)
    if (failed(convert(&op)))
      return failure();
  return success();
}

LogicalResult KernelBuilder::convert(Operation *op) {
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    if (linalg::isaContractionOpInterface(linalgOp))
      return convertContraction(linalgOp);
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](scf::ForOp op) { return convertFor(op); })
      .Case([&](scf::IfOp op) { return convertIf(op); })
      .Case([&](scf::YieldOp op) { return convertYield(op); })
      .Case([&](tensor::ExtractSliceOp op) { return convertSlice(op); })
      .Case([&](tensor::PadOp op) { return convertPad(op); })
      .Case([&](ReadPagesOp op) { return convertPages(op); })
      .Case([&](tensor::CollapseShapeOp op) { return convertCollapse(op); })
      .Case([&](tensor::ExpandShapeOp op) {
        return convertRowView(op, op.getSrc());
      })
      .Case([&](linalg::TransposeOp op) {
        return convertRowView(op, op.getInput());
      })
      .Case([&](linalg::GenericOp op) { return convertGeneric(op); })
      .Case([&](linalg::FillOp op) { return convertFill(op); })
      .Case([&](OnlineSoftmaxOp op) { return convertSoftmax(op); })
      .Case([&](AddSliceOp op) { return convertAdd(op); })
      .Case([&](HideUnseenOp op) { return convertHide(op); })
      .Case([&](tensor::EmptyOp op) { return success(); })
      .Case([&](scf::InParallelOp op) -> LogicalResult {
        for (Operation &nested : *op.getBody()) {
          LogicalResult converted =
              llvm::TypeSwitch<Operation *, LogicalResult>(&nested)
                  .Case([&](tensor::ParallelInsertSliceOp insert) {
                    return convertInsert(insert);
                  })
                  .Case([&](ParallelAddSliceOp add) {
                    return convertParallelAdd(add);
                  })
                  .Default([](Operation *other) {
                    return other->emitOpError(
                        "is not supported in a GPU kernel");
                  });
          if (failed(converted))
            return failure();
        }
        return success();
      })
      .Case([&](tensor::DimOp op) -> LogicalResult {
        Value memref = scalars.lookupOrNull(op.getSource());
        if (!memref)
          return op.emitOpError("of a tile is not supported in a GPU kernel");
        scalars.map(op.getResult(),
                    memref::DimOp::create(builder, op.getLoc(), memref,
                                          scalars.lookup(op.getIndex()))
                        .getResult());
        return success();
      })
      .Case([&](tensor::ExtractOp op) -> LogicalResult {
        Value memref = scalars.lookupOrNull(op.getTensor());
        if (!memref)
          return op.emitOpError("of a tile is not supported in a GPU kernel");
        SmallVector<Value> indices;
        for (Value index : op.getIndices())
          indices.push_back(scalars.lookup(index));
        scalars.map(op.getResult(), memref::LoadOp::create(builder, op.getLoc(),
                                                           memref, indices)
                                        .getResult());
        return success();
      })
      .Default([&](Operation *op) -> LogicalResult {
        auto isTensor = llvm::IsaPred<TensorType>;
        bool known = isa_and_nonnull<arith::ArithDialect, affine::AffineDialect,
                                     math::MathDialect>(op->getDialect()) &&
                     op->getNumRegions() == 0;
        if (!known || llvm::any_of(op->getOperandTypes(), isTensor) ||
            llvm::any_of(op->getResultTypes(), isTensor))
          return op->emitOpError("is not supported in a GPU kernel");
        builder.clone(*op, scalars);
        return success();
      });
}
