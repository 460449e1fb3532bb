//===- TMTensorDialect.cpp - What torch-mlir leaves beside linalg ---------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The verifiers say what following positions, and whoever reads the ops, relies
// on: a result for each destination, dimensions that exist, bodies over
// elements.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/TMTensor/IR/TMTensor.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/InliningUtils.h"

using namespace mlir;
using namespace flash::tm_tensor;

#include "flash/Dialect/TMTensor/IR/TMTensorDialect.cpp.inc"

#define GET_OP_CLASSES
#include "flash/Dialect/TMTensor/IR/TMTensorOps.cpp.inc"

namespace {
/// The ops have no effects: functions that hold them are inlined.
struct TMTensorInliner : DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;

  bool isLegalToInline(Operation *, Region *, bool, IRMapping &) const final {
    return true;
  }
  bool isLegalToInline(Region *, Region *, bool, IRMapping &) const final {
    return true;
  }
  void handleTerminator(Operation *, ValueRange) const final {}
};
} // namespace

void TMTensorDialect::initialize() {
  addInterfaces<TMTensorInliner>();
  addOperations<
#define GET_OP_LIST
#include "flash/Dialect/TMTensor/IR/TMTensorOps.cpp.inc"
      >();
}

/// What all have: each destination has a result of its type.
template <typename OpTy> static LogicalResult verifyResults(OpTy op) {
  if (op.getOutputs().getTypes() != op.getResults().getTypes())
    return op.emitOpError("has to have a result for each of 'outs', of the "
                          "same type");
  return success();
}

/// What the body takes and yields.
template <typename OpTy>
static LogicalResult verifyBody(OpTy op, ArrayRef<Type> arguments,
                                Type yielded) {
  Block &body = op.getRegion().front();
  if (body.getArgumentTypes() != TypeRange(arguments))
    return op.emitOpError("has to have a body over elements: (")
           << ArrayRef<Type>(arguments) << ")";
  if (body.getTerminator()->getOperandTypes() != TypeRange(yielded))
    return op.emitOpError("has to yield ") << yielded;
  return success();
}

template <typename OpTy>
static LogicalResult verifyDimension(OpTy op, RankedTensorType type) {
  int64_t dimension = op.getDimension();
  if (dimension < 0 || dimension >= type.getRank())
    return op.emitOpError("has dimension ")
           << dimension << ", but " << type << " has " << type.getRank();
  return success();
}

LogicalResult ScanOp::verify() {
  if (getInputs().size() != 1 || getOutputs().size() != 2)
    return emitOpError("has to have one input and two outputs, the sums and "
                       "the accumulator");
  auto input = cast<RankedTensorType>(getInputs().front().getType()),
       sums = cast<RankedTensorType>(getOutputs().front().getType()),
       start = cast<RankedTensorType>(getOutputs().back().getType());
  if (failed(verifyDimension(*this, input)) || failed(verifyResults(*this)))
    return failure();
  if (failed(verifyCompatibleShape(input, sums)) ||
      start.getRank() != input.getRank() - 1)
    return emitOpError("has to have sums of the input's shape, and an "
                       "accumulator without the dimension");
  Type element = sums.getElementType();
  return verifyBody(*this, {element, element}, element);
}

LogicalResult ScatterOp::verify() {
  if (getInputs().size() != 2 || getOutputs().size() != 1)
    return emitOpError("has to have two inputs, updates and indices, and one "
                       "output");
  auto updates = cast<RankedTensorType>(getInputs().front().getType()),
       original = cast<RankedTensorType>(getOutputs().front().getType());
  if (failed(verifyResults(*this)))
    return failure();
  Type element = original.getElementType();
  return verifyBody(*this, {updates.getElementType(), element}, element);
}

LogicalResult SortOp::verify() {
  if (!getInputs().empty() || getOutputs().empty())
    return emitOpError("has to have outputs alone");
  if (failed(verifyResults(*this)))
    return failure();
  SmallVector<Type> elements;
  for (Value output : getOutputs()) {
    auto type = cast<RankedTensorType>(output.getType());
    if (failed(verifyDimension(*this, type)))
      return failure();
    elements.append(2, type.getElementType());
  }
  return verifyBody(*this, elements, IntegerType::get(getContext(), 1));
}

LogicalResult TopkOp::verify() {
  if (getInputs().empty() || getInputs().size() > 2 || getOutputs().size() != 2)
    return emitOpError("has to have values and perhaps indices as inputs, and "
                       "both as outputs");
  auto type = cast<RankedTensorType>(getInputs().front().getType());
  if (failed(verifyDimension(*this, type)) || failed(verifyResults(*this)))
    return failure();
  Type element = type.getElementType();
  return verifyBody(*this, {element, element},
                    IntegerType::get(getContext(), 1));
}

LogicalResult AttentionOp::verify() {
  if (getInputs().size() < 3 || getInputs().size() > 4 ||
      getOutputs().size() != 1)
    return emitOpError("has to have query, key, value and perhaps a mask as "
                       "inputs, and one output");
  return verifyResults(*this);
}
