//===- InterpretAround.cpp - What stands around an attention ----*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The update of a cache, joined and padded tensors, numbers out of tensors:
//
//   %k = tensor.insert_slice %new into %cache[0, 0, %p, 0] [1, 2, 1, 64] ...
//
// Without an arithmetic, for shapes alone, elements are 0: what they decide is
// not known.
//
//===----------------------------------------------------------------------===//

#include "InterpreterImpl.h"
#include "ScalarBody.h"

#include "mlir/IR/DialectResourceBlobManager.h"

#include <cmath>
#include <cstring>

using namespace mlir;
using namespace flash;
using namespace flash::reference;
using rt::Array;
using rt::DType;
using rt::Result;
using rt::Status;

using Slot = ScalarBody::Slot;

Slot reference::toSlot(const RuntimeValue &value) {
  Slot slot;
  if (auto *real = std::get_if<double>(&value))
    slot.real = *real;
  else if (auto *integer = std::get_if<int64_t>(&value))
    slot.integer = *integer;
  return slot;
}

RuntimeValue reference::fromSlot(const Slot &slot, Type type) {
  if (type.isIntOrIndex())
    return slot.integer;
  return slot.real;
}

Result<Array> Interpreter::copyOf(const Tensor &from) {
  bool wide = arithmetic == Arithmetic::Float64 && rt::isFloat(from.type);
  Result<Array> to = Array::create(wide ? DType::F64 : from.array->dtype(),
                                   from.array->shape());
  for (int64_t i = 0; to.ok() && i < from.array->numElements(); ++i)
    ScalarBody::write(*to, i, ScalarBody::read(*from.array, i));
  return to;
}

Status Interpreter::build(Value result, std::vector<int64_t> shape,
                          llvm::function_ref<RuntimeValue(int64_t)> at) {
  Operation *op = result.getDefiningOp();
  Type element = cast<RankedTensorType>(result.getType()).getElementType();
  Result<DType> type = convertElementType(element);
  Result<int64_t> count = rt::countElements(shape);
  if (type.failed() || count.failed())
    return errorAt(op, type.failed() ? type.message() : count.message());
  // Integers may be sizes: they are kept for shapes, too.
  if (!arithmetic && rt::isFloat(*type))
    return bindShape(result, std::move(shape));
  bool wide = arithmetic == Arithmetic::Float64 && rt::isFloat(*type);
  Result<Array> array =
      Array::create(wide ? DType::F64 : *type, std::move(shape));
  if (array.failed())
    return errorAt(op, array.message());
  for (int64_t i = 0; i < *count; ++i)
    ScalarBody::write(*array, i, toSlot(at(i)));
  return bind(result, std::move(*array), element);
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

/// The number of an element; -1 if it is outside.
static int64_t flatten(ArrayRef<int64_t> indices, ArrayRef<int64_t> shape) {
  int64_t flat = 0;
  for (auto [index, size] : llvm::zip(indices, shape)) {
    if (index < 0 || index >= size)
      return -1;
    flat = flat * size + index;
  }
  return flat;
}

/// The indices of an element.
static SmallVector<int64_t> unflatten(int64_t number, ArrayRef<int64_t> shape) {
  SmallVector<int64_t> indices(shape.size());
  for (int64_t dim = int64_t(shape.size()) - 1; dim >= 0; --dim) {
    indices[dim] = number % shape[dim];
    number /= shape[dim];
  }
  return indices;
}

Status Interpreter::visit(tensor::ExtractOp op) {
  const Tensor &source = tensor(op.getTensor());
  if (!source.array) {
    guessed = true;
    values[op.getResult()] = fromSlot({}, op.getType());
    return Status::success();
  }
  SmallVector<int64_t> indices;
  for (Value index : op.getIndices())
    indices.push_back(integer(index));
  int64_t at = flatten(indices, source.shape);
  if (at < 0)
    return errorAt(op, "reads outside of " + rt::shapeToString(source.shape));
  values[op.getResult()] =
      fromSlot(ScalarBody::read(*source.array, at), op.getType());
  return Status::success();
}

Status Interpreter::visit(tensor::InsertOp op) {
  const Tensor &dest = tensor(op.getDest());
  if (!dest.array)
    return bindShape(op.getResult(), dest.shape);
  SmallVector<int64_t> indices;
  for (Value index : op.getIndices())
    indices.push_back(integer(index));
  int64_t at = flatten(indices, dest.shape);
  if (at < 0)
    return errorAt(op, "writes outside of " + rt::shapeToString(dest.shape));
  Result<Array> copy = copyOf(dest);
  if (copy.failed())
    return errorAt(op, copy.message());
  ScalarBody::write(*copy, at, toSlot(values[op.getScalar()]));
  return bind(op.getResult(), std::move(*copy),
              cast<RankedTensorType>(op.getType()).getElementType());
}

/// Tensors are worked on element by element, as numbers are.
Status Interpreter::visitElements(Operation *op) {
  Block scope;
  OperationState state(op->getLoc(), op->getName());
  state.addAttributes(op->getAttrs());
  state.propertiesAttr = op->getPropertiesAsAttribute();
  for (Value operand : op->getOperands())
    state.addOperands(scope.addArgument(getElementTypeOrSelf(operand.getType()),
                                        op->getLoc()));
  Type element = getElementTypeOrSelf(op->getResult(0).getType());
  state.addTypes(element);
  if (isa<tensor::BitcastOp>(op))
    state.name =
        OperationName(arith::BitcastOp::getOperationName(), op->getContext());
  Operation *scalar = Operation::create(state);
  scope.push_back(scalar);
  auto body =
      ScalarBody::getOp(scalar, arithmetic.value_or(Arithmetic::Float64));
  if (!body)
    return notKnown(op);
  std::vector<int64_t> shape;
  for (Value operand : op->getOperands()) {
    const auto *array = std::get_if<Tensor>(&values[operand]);
    if (!array)
      continue;
    if (!shape.empty() && shape != array->shape)
      return errorAt(op, rt::shapeToString(shape) + " beside " +
                             rt::shapeToString(array->shape));
    shape = array->shape;
  }
  bool isKnown = llvm::all_of(op->getOperands(), [&](Value operand) {
    const auto *array = std::get_if<Tensor>(&values[operand]);
    return !array || array->array;
  });
  if (!isKnown) {
    guessed |= !isa<FloatType>(element);
    return bindShape(op->getResult(0), std::move(shape));
  }
  SmallVector<Slot> elements(op->getNumOperands()), yielded;
  return build(op->getResult(0), std::move(shape), [&](int64_t i) {
    for (auto [slot, operand] : llvm::zip(elements, op->getOperands())) {
      const auto *array = std::get_if<Tensor>(&values[operand]);
      slot =
          array ? ScalarBody::read(*array->array, i) : toSlot(values[operand]);
    }
    body->run(elements, {}, yielded);
    return fromSlot(yielded.front(), element);
  });
}

/// exp(x - max) over the sum of those, along a dimension.
Status Interpreter::visit(linalg::SoftmaxOp op) {
  const Tensor input = tensor(op.getInput());
  Value result = op->getResult(0);
  if (!input.array)
    return bindShape(result, input.shape);
  int64_t along = op.getDimension(), size = input.shape[along];
  auto at = [&](SmallVector<int64_t> indices, int64_t n) {
    indices[along] = n;
    return input.array->at(flatten(indices, input.shape));
  };
  return build(result, input.shape, [&](int64_t i) -> RuntimeValue {
    SmallVector<int64_t> indices = unflatten(i, input.shape);
    double largest = -INFINITY, sum = 0;
    for (int64_t n = 0; n < size; ++n)
      largest = std::max(largest, at(indices, n));
    for (int64_t n = 0; n < size; ++n)
      sum += std::exp(at(indices, n) - largest);
    return std::exp(at(indices, indices[along]) - largest) / sum;
  });
}

Status Interpreter::visit(tensor::FromElementsOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  return build(op.getResult(), type.getShape().vec(),
               [&](int64_t i) { return values[op.getElements()[i]]; });
}

Status Interpreter::visit(tensor::SplatOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  std::vector<int64_t> shape = type.getShape().vec();
  auto sizes = op.getDynamicSizes().begin();
  for (int64_t &size : shape)
    if (ShapedType::isDynamic(size))
      size = integer(*sizes++);
  return build(op.getResult(), std::move(shape),
               [&](int64_t) { return values[op.getInput()]; });
}

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

Status Interpreter::visit(tensor::InsertSliceOp op) {
  Tensor source = tensor(op.getSource()), dest = tensor(op.getDest());
  SmallVector<int64_t> offsets, sizes, strides;
  for (auto [offset, size, stride] : llvm::zip(
           op.getMixedOffsets(), op.getMixedSizes(), op.getMixedStrides())) {
    offsets.push_back(integer(offset));
    sizes.push_back(integer(size));
    strides.push_back(integer(stride));
  }
  int64_t count = 1;
  for (int64_t size : sizes)
    count *= size;
  if (!arithmetic)
    return bindShape(op.getResult(), dest.shape);
  for (auto [dim, whole] : llvm::enumerate(dest.shape)) {
    int64_t last = offsets[dim] + (sizes[dim] - 1) * strides[dim];
    if (count && (offsets[dim] < 0 || last >= whole))
      return errorAt(op, "dimension " + std::to_string(dim) + ": " +
                             std::to_string(sizes[dim]) + " elements from " +
                             std::to_string(offsets[dim]) + " on, of " +
                             std::to_string(whole));
  }
  if (count != source.array->numElements())
    return errorAt(op, rt::shapeToString(source.shape) + " does not fill " +
                           std::to_string(count) + " elements");
  Result<Array> copy = copyOf(dest);
  if (copy.failed())
    return errorAt(op, copy.message());
  for (int64_t i = 0; i < count; ++i) {
    SmallVector<int64_t> indices = unflatten(i, sizes);
    for (auto [dim, index] : llvm::enumerate(indices))
      index = offsets[dim] + index * strides[dim];
    ScalarBody::write(*copy, flatten(indices, dest.shape),
                      ScalarBody::read(*source.array, i));
  }
  return bind(op.getResult(), std::move(*copy), op.getType().getElementType());
}

Status Interpreter::visit(tensor::ConcatOp op) {
  int64_t dim = op.getDim();
  std::vector<int64_t> shape = tensor(op.getInputs()[0]).shape;
  shape[dim] = 0;
  for (Value input : op.getInputs()) {
    std::vector<int64_t> part = tensor(input).shape;
    shape[dim] += part[dim];
    part[dim] = shape[dim];
    if (part != shape)
      return errorAt(op, "parts differ in another dimension than " +
                             std::to_string(dim));
  }
  return build(op.getResult(), shape, [&](int64_t i) -> RuntimeValue {
    SmallVector<int64_t> indices = unflatten(i, shape);
    for (Value input : op.getInputs()) {
      const Tensor &part = tensor(input);
      if (indices[dim] < part.shape[dim])
        return fromSlot(
            part.array
                ? ScalarBody::read(*part.array, flatten(indices, part.shape))
                : Slot(),
            op.getResultType().getElementType());
      indices[dim] -= part.shape[dim];
    }
    return int64_t(0);
  });
}

/// Runs a region of indices for one element.
Status Interpreter::visit(tensor::GenerateOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  std::vector<int64_t> shape = type.getShape().vec();
  auto sizes = op.getDynamicExtents().begin();
  for (int64_t &size : shape)
    if (ShapedType::isDynamic(size))
      size = integer(*sizes++);
  Block &body = op.getBody().front();
  Status failure = Status::success();
  Status status = build(op.getResult(), shape, [&](int64_t i) -> RuntimeValue {
    for (auto [argument, index] :
         llvm::zip(body.getArguments(), unflatten(i, shape)))
      values[argument] = index;
    if (Status inside = visitBlock(body); inside.failed())
      failure = inside;
    return values[body.getTerminator()->getOperand(0)];
  });
  return failure.failed() ? failure : status;
}

Status Interpreter::visit(tensor::PadOp op) {
  const Tensor source = tensor(op.getSource());
  std::vector<int64_t> shape, low;
  for (auto [size, before, after] :
       llvm::zip(source.shape, op.getMixedLowPad(), op.getMixedHighPad())) {
    low.push_back(integer(before));
    shape.push_back(size + low.back() + integer(after));
  }
  Block &body = op.getRegion().front();
  Type element = op.getResultType().getElementType();
  Status failure = Status::success();
  Status status = build(op.getResult(), shape, [&](int64_t i) -> RuntimeValue {
    SmallVector<int64_t> indices = unflatten(i, shape), inside(indices);
    for (auto [index, before] : llvm::zip(inside, low))
      index -= before;
    if (int64_t at = flatten(inside, source.shape); at >= 0)
      return fromSlot(
          source.array ? ScalarBody::read(*source.array, at) : Slot(), element);
    for (auto [argument, index] : llvm::zip(body.getArguments(), indices))
      values[argument] = index;
    if (Status padding = visitBlock(body); padding.failed())
      failure = padding;
    return values[body.getTerminator()->getOperand(0)];
  });
  return failure.failed() ? failure : status;
}

Status Interpreter::visit(tensor::ReshapeOp op) {
  auto type = dyn_cast<RankedTensorType>(op.getType());
  const Tensor &sizes = tensor(op.getShape());
  if (!type || (!sizes.array && !type.hasStaticShape()))
    return errorAt(op, "becomes a shape that is not known");
  std::vector<int64_t> shape = type.getShape().vec();
  for (auto [dim, size] : llvm::enumerate(shape))
    if (sizes.array)
      size = ScalarBody::read(*sizes.array, dim).integer;
  return reshape(op.getResult(), tensor(op.getSource()), std::move(shape));
}

//===----------------------------------------------------------------------===//
// Constants and numbers
//===----------------------------------------------------------------------===//

Status Interpreter::visitResource(arith::ConstantOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  Result<DType> element = convertElementType(type.getElementType());
  if (element.failed())
    return errorAt(op, element.message());
  AsmResourceBlob *blob =
      cast<DenseResourceElementsAttr>(op.getValue()).getRawHandle().getBlob();
  Result<Array> array = Array::create(*element, type.getShape().vec());
  if (array.failed())
    return errorAt(op, array.message());
  if (!blob || int64_t(blob->getData().size()) != array->sizeInBytes())
    return errorAt(op, "its resource is not there, or not of " +
                           std::to_string(array->sizeInBytes()) + " bytes");
  std::memcpy(array->data(), blob->getData().data(), array->sizeInBytes());
  return bind(op.getResult(), std::move(*array), type.getElementType());
}

Status Interpreter::visitScalars(Operation *op) {
  if (op->getNumResults() == 1 && op->getNumRegions() == 0 &&
      isa<RankedTensorType>(op->getResult(0).getType()) &&
      (OpTrait::hasElementwiseMappableTraits(op) || isa<tensor::BitcastOp>(op)))
    return visitElements(op);
  auto isNumber = [](Type type) { return type.isIntOrIndexOrFloat(); };
  std::shared_ptr<const ScalarBody> body;
  if (llvm::all_of(op->getOperandTypes(), isNumber) &&
      llvm::all_of(op->getResultTypes(), isNumber) && op->getNumRegions() == 0)
    body = ScalarBody::getOp(op, arithmetic.value_or(Arithmetic::Float64));
  if (!body)
    return notKnown(op);
  SetVector<Value> operands(op->operand_begin(), op->operand_end());
  SmallVector<Slot> elements, results;
  for (Value operand : operands)
    elements.push_back(toSlot(values[operand]));
  body->run(elements, {}, results);
  for (auto [result, slot] : llvm::zip(op->getResults(), results))
    values[result] = fromSlot(slot, result.getType());
  return Status::success();
}
