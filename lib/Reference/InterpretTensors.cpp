//===- InterpretTensors.cpp - Slices, sizes and numbers ---------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What stands around attentions at L0: tensor.extract_slice and friends, and
// integer arithmetic.
//
//===----------------------------------------------------------------------===//

#include "InterpreterImpl.h"
#include "ScalarBody.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "llvm/ADT/SmallBitVector.h"

#include <algorithm>
#include <cstring>

using namespace mlir;
using namespace flash;
using namespace flash::reference;
using rt::Array;
using rt::DType;
using rt::Result;
using rt::Status;

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

/// Copies `source[offsets..., sizes..., strides...]`.
static Result<Array> copySlice(const Array &source, ArrayRef<int64_t> offsets,
                               ArrayRef<int64_t> sizes,
                               ArrayRef<int64_t> strides,
                               std::vector<int64_t> resultShape) {
  Result<Array> result = Array::create(source.dtype(), std::move(resultShape));
  if (result.failed())
    return result;
  int64_t element = rt::sizeOf(source.dtype());
  for (int64_t i = 0; i < result->numElements(); ++i) {
    int64_t rest = i, index = 0, stride = 1;
    for (int64_t dim = int64_t(sizes.size()) - 1; dim >= 0; --dim) {
      index += (offsets[dim] + rest % sizes[dim] * strides[dim]) * stride;
      rest /= sizes[dim];
      stride *= source.shape()[dim];
    }
    std::memcpy(result->dataAs<char>() + i * element,
                source.dataAs<char>() + index * element, element);
  }
  return result;
}

Status Interpreter::visit(tensor::ExtractSliceOp op) {
  const Tensor &source = tensor(op.getSource());
  std::vector<int64_t> offsets, sizes, strides;
  for (auto [offset, size, stride] : llvm::zip(
           op.getMixedOffsets(), op.getMixedSizes(), op.getMixedStrides())) {
    offsets.push_back(integer(offset));
    sizes.push_back(integer(size));
    strides.push_back(integer(stride));
  }
  std::vector<int64_t> shape;
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (auto [dim, size] : llvm::enumerate(sizes)) {
    int64_t offset = offsets[dim], whole = source.shape[dim],
            rows = size > 0 ? (size - 1) * strides[dim] + 1 : size;
    if (offset < 0 || size < 0 || strides[dim] < 1 || offset > whole ||
        rows > whole - offset)
      return errorAt(op, "dimension " + std::to_string(dim) + ": " +
                             std::to_string(size) + " elements from " +
                             std::to_string(offset) + " on, of " +
                             std::to_string(whole));
    if (!dropped[dim])
      shape.push_back(size);
  }
  if (!arithmetic)
    return bindShape(op.getResult(), std::move(shape));
  Result<Array> slice =
      copySlice(*source.array, offsets, sizes, strides, std::move(shape));
  if (slice.failed())
    return errorAt(op, slice.message());
  return bind(op.getResult(), std::move(*slice), op.getType().getElementType());
}

Status Interpreter::visit(tensor::EmptyOp op) {
  std::vector<int64_t> shape;
  for (OpFoldResult size : op.getMixedSizes())
    shape.push_back(integer(size));
  Result<int64_t> count = rt::countElements(shape);
  if (count.failed())
    return errorAt(op, count.message());
  if (!arithmetic)
    return bindShape(op.getResult(), std::move(shape));
  Result<DType> type = convertElementType(op.getType().getElementType());
  if (type.failed())
    return errorAt(op, type.message());
  Result<Array> array = Array::create(
      *arithmetic == Arithmetic::Float64 && rt::isFloat(*type) ? DType::F64
                                                               : *type,
      std::move(shape));
  if (array.failed())
    return errorAt(op, array.message());
  return bind(op.getResult(), std::move(*array), op.getType().getElementType());
}

Status Interpreter::visit(tensor::DimOp op) {
  const Tensor &source = tensor(op.getSource());
  int64_t dim = integer(op.getIndex());
  if (dim < 0 || dim >= int64_t(source.shape.size()))
    return errorAt(op, "no dimension " + std::to_string(dim));
  return bind(op.getResult(), source.shape[dim]);
}

Status Interpreter::visit(tensor::CastOp op) {
  if (!isa<RankedTensorType>(op.getSource().getType()) ||
      !isa<RankedTensorType>(op.getType()))
    return errorAt(op, "unranked tensors are not supported");
  return bind(op.getResult(), tensor(op.getSource()));
}

Status Interpreter::reshape(Value result, const Tensor &source,
                            std::vector<int64_t> shape) {
  Operation *op = result.getDefiningOp();
  Result<int64_t> before = rt::countElements(source.shape),
                  after = rt::countElements(shape);
  if (before.failed() || after.failed() || *before != *after)
    return errorAt(op, rt::shapeToString(source.shape) + " does not become " +
                           rt::shapeToString(shape));
  if (!arithmetic)
    return bindShape(result, std::move(shape));
  Result<Array> array = Array::create(source.array->dtype(), std::move(shape));
  if (array.failed())
    return errorAt(op, array.message());
  std::memcpy(array->data(), source.array->data(), array->sizeInBytes());
  return bind(result, std::move(*array),
              cast<RankedTensorType>(result.getType()).getElementType());
}

Status Interpreter::visit(tensor::ExpandShapeOp op) {
  std::vector<int64_t> shape;
  for (OpFoldResult size : op.getMixedOutputShape())
    shape.push_back(integer(size));
  return reshape(op.getResult(), tensor(op.getSrc()), std::move(shape));
}

Status Interpreter::visit(tensor::CollapseShapeOp op) {
  const Tensor &source = tensor(op.getSrc());
  std::vector<int64_t> shape;
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    shape.push_back(1);
    for (int64_t dim : group)
      shape.back() *= source.shape[dim];
  }
  return reshape(op.getResult(), source, std::move(shape));
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

/// A number as the interpreter has it: a boolean is 0 or 1.
static int64_t toInteger(const APInt &value) {
  return value.getBitWidth() == 1 ? int64_t(value.getBoolValue())
                                  : value.getSExtValue();
}

Result<Array> reference::toArray(DenseElementsAttr elements) {
  Type type = elements.getElementType();
  Result<DType> element = convertElementType(type);
  if (element.failed())
    return element.status();
  Result<Array> array =
      Array::create(*element, elements.getType().getShape().vec());
  if (array.failed())
    return array;
  if (isa<FloatType>(type)) {
    for (auto [index, value] : llvm::enumerate(elements.getValues<APFloat>()))
      array->set(index, value.convertToDouble());
  } else {
    for (auto [index, value] : llvm::enumerate(elements.getValues<APInt>()))
      ScalarBody::write(*array, index, {toInteger(value)});
  }
  return array;
}

Status Interpreter::visitDense(arith::ConstantOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  // Integers may be sizes: they are kept for shapes, too.
  if (!arithmetic && isa<FloatType>(type.getElementType()))
    return bindShape(op.getResult(), type.getShape().vec());
  Result<Array> array = toArray(cast<DenseElementsAttr>(op.getValue()));
  if (array.failed())
    return errorAt(op, array.message());
  return bind(op.getResult(), std::move(*array), type.getElementType());
}

Status Interpreter::visit(arith::ConstantOp op) {
  if (auto value = dyn_cast<IntegerAttr>(op.getValue());
      value && value.getValue().getBitWidth() <= 64)
    return bind(op.getResult(), toInteger(value.getValue()));
  if (auto value = dyn_cast<FloatAttr>(op.getValue())) {
    values[op.getResult()] = value.getValueAsDouble();
    return Status::success();
  }
  if (isa<DenseElementsAttr>(op.getValue()) &&
      isa<RankedTensorType>(op.getType()))
    return visitDense(op);
  if (isa<DenseResourceElementsAttr>(op.getValue()) &&
      isa<RankedTensorType>(op.getType()))
    return visitResource(op);
  return errorAt(op, "only numbers and dense tensors are supported");
}

Status Interpreter::visit(cf::AssertOp op) {
  if (integer(op.getArg()) != 0)
    return Status::success();
  return errorAt(op, "does not hold: " + op.getMsg().str());
}

Status Interpreter::visit(arith::CmpIOp op) {
  if (!op.getLhs().getType().isIntOrIndex())
    return visitScalars(op);
  unsigned width = op.getLhs().getType().isIndex()
                       ? 64
                       : op.getLhs().getType().getIntOrFloatBitWidth();
  auto wide = [&](Value value) {
    return APInt(width, integer(value), /*isSigned=*/true,
                 /*implicitTrunc=*/true);
  };
  return bind(op.getResult(),
              int64_t(arith::applyCmpPredicate(
                  op.getPredicate(), wide(op.getLhs()), wide(op.getRhs()))));
}

Status Interpreter::visitAffine(Operation *op, AffineMap map) {
  Builder builder(op->getContext());
  SmallVector<Attribute> operands, results;
  for (Value operand : op->getOperands())
    operands.push_back(builder.getIndexAttr(integer(operand)));
  if (failed(map.constantFold(operands, results)) || results.empty())
    return errorAt(op, "has no value (a division by zero?)");
  int64_t value = cast<IntegerAttr>(results.front()).getInt();
  for (Attribute result : results) {
    int64_t other = cast<IntegerAttr>(result).getInt();
    value = isa<affine::AffineMaxOp>(op) ? std::max(value, other)
                                         : std::min(value, other);
  }
  return bind(op->getResult(0), value);
}

/// Integer and index arithmetic is folded by the ops themselves, on constants;
/// other numbers are as regions have them.
Status Interpreter::visitNumber(Operation *op) {
  auto isInteger = [](Type type) { return type.isIntOrIndex(); };
  if (!llvm::all_of(op->getOperandTypes(), isInteger) ||
      !llvm::all_of(op->getResultTypes(), isInteger) ||
      op->getName().getDialectNamespace() != "arith")
    return visitScalars(op);
  if (op->getNumResults() != 1)
    return visitScalars(op);
  SmallVector<Attribute> operands;
  for (Value operand : op->getOperands())
    operands.push_back(IntegerAttr::get(
        operand.getType(),
        APInt(operand.getType().isIndex()
                  ? 64
                  : operand.getType().getIntOrFloatBitWidth(),
              integer(operand), /*isSigned=*/true, /*implicitTrunc=*/true)));
  SmallVector<OpFoldResult> folded;
  if (failed(op->fold(operands, folded)) || folded.size() != 1)
    return errorAt(op, "has no value (a division by zero?)");
  if (auto value = dyn_cast<Value>(folded.front()))
    return bind(op->getResult(0), integer(value));
  auto value = dyn_cast<IntegerAttr>(cast<Attribute>(folded.front()));
  if (!value)
    return errorAt(op, "has no value");
  return bind(op->getResult(0), value.getType().isInteger(1)
                                    ? int64_t(value.getValue().getBoolValue())
                                    : value.getValue().getSExtValue());
}
