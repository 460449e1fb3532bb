//===- Interpreter.cpp - Runs L0 on host arrays ---------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One visitor for three runs: shapes, f64, and unfused. An op of L0 that it
// does not know is an error that names it; sizes that disagree are an error
// that names the dimension and both values, at the op's location.
//
//===----------------------------------------------------------------------===//

#include "flash/Reference/Interpreter.h"

#include "flash/Dialect/Flash/IR/Flash.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cstring>

using namespace mlir;
using namespace flash;
using namespace flash::reference;
using rt::Array;
using rt::DType;
using rt::Result;
using rt::Status;

Result<DType> reference::convertElementType(Type type) {
  if (type.isF32())
    return DType::F32;
  if (type.isF16())
    return DType::F16;
  if (type.isBF16())
    return DType::BF16;
  if (type.isF64())
    return DType::F64;
  if (type.isInteger(64) || type.isIndex())
    return DType::I64;
  if (type.isInteger(32))
    return DType::I32;
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return Status::error("element type " + text + " is not supported");
}

Tensor Tensor::view(const Array &array) {
  // The caller owns the array: no deleter.
  return {array.dtype(), array.shape(),
          std::shared_ptr<const Array>(std::shared_ptr<void>(), &array)};
}

static std::string toString(Location loc) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (auto file = loc->findInstanceOf<FileLineColLoc>())
    stream << file.getFilename().getValue() << ":" << file.getLine() << ":"
           << file.getColumn();
  else
    stream << loc;
  return text;
}

static Status errorAt(Operation *op, const std::string &message) {
  return Status::error(toString(op->getLoc()) + ": '" +
                       op->getName().getStringRef().str() + "': " + message);
}

namespace {

class Interpreter {
public:
  /// Without an arithmetic, shapes alone.
  Interpreter(std::optional<Arithmetic> arithmetic,
              std::function<void(double)> progress)
      : arithmetic(arithmetic), progress(std::move(progress)) {}

  Result<std::vector<RuntimeValue>> run(func::FuncOp func,
                                        const std::vector<RuntimeValue> &args);

  Work work;
  bool countWork = true;

private:
  Status visit(Operation *op);
  Status visit(AttentionOp op);
  Status visit(MergeOp op);
  Status visit(tensor::ExtractSliceOp op);
  Status visit(tensor::EmptyOp op);
  Status visit(tensor::DimOp op);
  Status visit(tensor::CastOp op);
  Status visit(arith::ConstantOp op);
  Status visit(arith::CmpIOp op);
  Status visitAffine(Operation *op, AffineMap map);
  Status visitInteger(Operation *op);

  const Tensor &tensor(Value value) { return std::get<Tensor>(values[value]); }
  int64_t integer(Value value) { return std::get<int64_t>(values[value]); }
  /// A size, offset or bound that is an attribute or a value.
  int64_t integer(OpFoldResult value) {
    if (std::optional<int64_t> constant = getConstantIntValue(value))
      return *constant;
    return integer(cast<Value>(value));
  }

  /// Binds a tensor result, whose type's static sizes must be the shape's.
  Status bind(Value result, Tensor tensor);
  Status bind(Value result, Array array, Type element);
  Status bind(Value result, int64_t value) {
    values[result] = value;
    return Status::success();
  }
  Status bindShape(Value result, std::vector<int64_t> shape);

  std::optional<Arithmetic> arithmetic;
  std::function<void(double)> progress;
  int64_t attentions = 0, attentionsDone = 0;
  llvm::DenseMap<Value, RuntimeValue> values;
};

} // namespace

/// Checks a shape against a type.
static Status checkShape(const std::vector<int64_t> &shape,
                         RankedTensorType type) {
  if (int64_t(shape.size()) != type.getRank())
    return Status::error("has " + std::to_string(shape.size()) +
                         " dimensions, but its type has " +
                         std::to_string(type.getRank()));
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (!type.isDynamicDim(dim) && type.getDimSize(dim) != shape[dim])
      return Status::error("dimension " + std::to_string(dim) + " is " +
                           std::to_string(shape[dim]) + ", but its type has " +
                           std::to_string(type.getDimSize(dim)));
  return Status::success();
}

Status Interpreter::bind(Value result, Tensor tensor) {
  Status status =
      checkShape(tensor.shape, cast<RankedTensorType>(result.getType()));
  if (status.failed())
    return errorAt(result.getDefiningOp(), "the result's " + status.message());
  values[result] = std::move(tensor);
  return Status::success();
}

Status Interpreter::bind(Value result, Array array, Type element) {
  Result<DType> type = convertElementType(element);
  if (type.failed())
    return type.status();
  std::vector<int64_t> shape = array.shape();
  return bind(result, Tensor{*type, std::move(shape),
                             std::make_shared<Array>(std::move(array))});
}

Status Interpreter::bindShape(Value result, std::vector<int64_t> shape) {
  auto type = cast<RankedTensorType>(result.getType());
  Result<DType> element = convertElementType(type.getElementType());
  if (element.failed())
    return errorAt(result.getDefiningOp(), element.message());
  return bind(result, Tensor{*element, std::move(shape), nullptr});
}

Result<std::vector<RuntimeValue>>
Interpreter::run(func::FuncOp func, const std::vector<RuntimeValue> &args) {
  if (func.isExternal() || !func.getBody().hasOneBlock())
    return errorAt(func, "a body of one block is needed");
  if (args.size() != func.getNumArguments())
    return errorAt(func, "takes " + std::to_string(func.getNumArguments()) +
                             " arguments, not " + std::to_string(args.size()));
  for (auto [index, pair] :
       llvm::enumerate(llvm::zip(func.getArguments(), args))) {
    auto [arg, value] = pair;
    auto type = dyn_cast<RankedTensorType>(arg.getType());
    std::string name = "argument " + std::to_string(index) + ": ";
    if (bool(type) != std::holds_alternative<Tensor>(value))
      return errorAt(func, name + (type ? "a tensor is needed, not a number"
                                        : "a number is needed, not a tensor"));
    if (type) {
      const Tensor &tensor = std::get<Tensor>(value);
      Status status = checkShape(tensor.shape, type);
      Result<DType> element = convertElementType(type.getElementType());
      if (status.ok() && element.failed())
        status = element.status();
      if (status.ok() && *element != tensor.type)
        status = Status::error(std::string("has elements of type ") +
                               rt::nameOf(tensor.type) + ", not " +
                               rt::nameOf(*element));
      if (status.failed())
        return errorAt(func, name + status.message());
    }
    values[arg] = value;
  }

  func.walk([&](AttentionOp) { ++attentions; });
  for (Operation &op : func.getBody().front()) {
    if (auto ret = dyn_cast<func::ReturnOp>(op)) {
      std::vector<RuntimeValue> results;
      for (Value operand : ret.getOperands())
        results.push_back(values[operand]);
      return results;
    }
    Status status = visit(&op);
    if (status.failed())
      return status;
  }
  return errorAt(func, "does not end in func.return");
}

Status Interpreter::visit(Operation *op) {
  return llvm::TypeSwitch<Operation *, Status>(op)
      .Case<AttentionOp, MergeOp, tensor::ExtractSliceOp, tensor::EmptyOp,
            tensor::DimOp, tensor::CastOp, arith::ConstantOp, arith::CmpIOp>(
          [&](auto known) { return visit(known); })
      .Case<affine::AffineApplyOp, affine::AffineMinOp, affine::AffineMaxOp>(
          [&](auto known) { return visitAffine(known, known.getMap()); })
      .Default([&](Operation *other) { return visitInteger(other); });
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

/// What a mask means, written here again: the compiler's predicates are what is
/// checked. False for one that is not known.
static bool setMask(Options &options, Attribute mask) {
  if (!mask)
    return true;
  if (isa<CausalAttr>(mask)) {
    options.visible = [](int64_t query, int64_t key) { return key <= query; };
    options.countVisible = [](int64_t query, int64_t first, int64_t end) {
      return std::clamp(query + 1, first, end) - first;
    };
    return true;
  }
  return false;
}

Status Interpreter::visit(AttentionOp op) {
  const Tensor &query = tensor(op.getQuery()), &key = tensor(op.getKey()),
               &value = tensor(op.getValue());
  Options options;
  options.bshd = op.getLayout() == Layout::BSHD;
  Result<Sizes> sizes =
      Sizes::get(query.shape, key.shape, value.shape, options.bshd);
  if (sizes.failed())
    return errorAt(op, sizes.message());
  if (!op.getMaskOperands().empty() || !op.getMaskBody().empty() ||
      !op.getScoreBody().empty() || op.getScores() || op.getSinks() ||
      op.getDropoutP() || op.isRagged() || op.isPaged() || op.getKvLengths() ||
      op.getKeyScale())
    return errorAt(op, "the reference cannot run this attention yet");
  if (!setMask(options, op.getMaskAttr()))
    return errorAt(op, "the reference does not know this mask");
  if (op.getScale())
    options.scale = op.getScale()->convertToFloat();
  if (op.getQOffset())
    options.qOffset = integer(op.getQOffset());
  if (op.getKvOffset())
    options.kvOffset = integer(op.getKvOffset());

  if (!arithmetic) {
    double perPair = 2.0 * (sizes->dqk + sizes->dv),
           heads = double(sizes->batch) * sizes->heads;
    if (countWork)
      work.flops += perPair * heads * visiblePairs(*sizes, options);
    work.flopsUnmasked += perPair * heads * sizes->sq * sizes->sk;
    Status status = bindShape(op.getOutput(), sizes->outputShape(options.bshd));
    if (status.ok() && op.getLse())
      status = bindShape(op.getLse(), sizes->lseShape());
    return status;
  }

  Type element = op.getOutput().getType().getElementType();
  Result<DType> outputType = convertElementType(element);
  if (outputType.failed())
    return errorAt(op, outputType.message());
  options.outputType = *outputType;
  options.progress = [&](double part) {
    if (progress)
      progress((attentionsDone + part) / attentions);
  };
  Result<Attended> result =
      attention(*arithmetic, *query.array, *key.array, *value.array, options);
  if (result.failed())
    return errorAt(op, result.message());
  ++attentionsDone;
  Status status = bind(op.getOutput(), std::move(result->output), element);
  if (status.ok() && op.getLse())
    status = bind(op.getLse(), std::move(result->lse),
                  op.getLse().getType().getElementType());
  return status;
}

Status Interpreter::visit(MergeOp op) {
  bool bshd = op.getLayout() == Layout::BSHD;
  if (!arithmetic) {
    const std::vector<int64_t> &shape = tensor(op.getOutputs().front()).shape;
    std::vector<int64_t> lseShape{shape[0], shape[bshd ? 2 : 1],
                                  shape[bshd ? 1 : 2]};
    for (auto [index, part] :
         llvm::enumerate(llvm::zip(op.getOutputs(), op.getLses()))) {
      auto [output, lse] = part;
      std::string number = std::to_string(index);
      if (tensor(output).shape != shape)
        return errorAt(op, "output 0 is " + rt::shapeToString(shape) +
                               ", output " + number + " is " +
                               rt::shapeToString(tensor(output).shape));
      if (tensor(lse).shape != lseShape)
        return errorAt(op, "lse " + number + " is " +
                               rt::shapeToString(tensor(lse).shape) +
                               ", but outputs need " +
                               rt::shapeToString(lseShape));
    }
    Status status = bindShape(op.getOutput(), shape);
    if (status.ok() && op.getLse())
      status = bindShape(op.getLse(), lseShape);
    return status;
  }
  std::vector<const Array *> outputs, lses;
  for (Value output : op.getOutputs())
    outputs.push_back(tensor(output).array.get());
  for (Value lse : op.getLses())
    lses.push_back(tensor(lse).array.get());
  auto resultType = cast<RankedTensorType>(op.getOutput().getType());
  Result<DType> outputType = convertElementType(resultType.getElementType());
  if (outputType.failed())
    return errorAt(op, outputType.message());
  Result<Attended> result =
      merge(*arithmetic, outputs, lses, bshd, *outputType);
  if (result.failed())
    return errorAt(op, result.message());
  Status status = bind(op.getOutput(), std::move(result->output),
                       resultType.getElementType());
  if (status.ok() && op.getLse())
    status =
        bind(op.getLse(), std::move(result->lse),
             cast<RankedTensorType>(op.getLse().getType()).getElementType());
  return status;
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

/// Copies `source[offsets..., sizes...]`.
static Result<Array> copySlice(const Array &source,
                               const std::vector<int64_t> &offsets,
                               const std::vector<int64_t> &sizes,
                               std::vector<int64_t> resultShape) {
  Result<Array> result = Array::create(source.dtype(), std::move(resultShape));
  if (result.failed() || result->numElements() == 0)
    return result;
  int64_t rank = sizes.size(), element = rt::sizeOf(source.dtype());
  if (rank == 0) {
    std::memcpy(result->data(), source.data(), element);
    return result;
  }
  int64_t row = sizes[rank - 1] * element, rows = result->sizeInBytes() / row;
  for (int64_t i = 0; i < rows; ++i) {
    int64_t rest = i, index = offsets[rank - 1],
            stride = source.shape()[rank - 1];
    for (int64_t dim = rank - 2; dim >= 0; --dim) {
      index += (offsets[dim] + rest % sizes[dim]) * stride;
      rest /= sizes[dim];
      stride *= source.shape()[dim];
    }
    std::memcpy(result->dataAs<char>() + i * row,
                source.dataAs<char>() + index * element, row);
  }
  return result;
}

Status Interpreter::visit(tensor::ExtractSliceOp op) {
  const Tensor &source = tensor(op.getSource());
  std::vector<int64_t> offsets, sizes;
  for (auto [offset, size, stride] : llvm::zip(
           op.getMixedOffsets(), op.getMixedSizes(), op.getMixedStrides())) {
    if (integer(stride) != 1)
      return errorAt(op, "only strides of 1 are supported");
    offsets.push_back(integer(offset));
    sizes.push_back(integer(size));
  }
  std::vector<int64_t> shape;
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (auto [dim, size] : llvm::enumerate(sizes)) {
    int64_t offset = offsets[dim], whole = source.shape[dim];
    if (offset < 0 || size < 0 || offset > whole || size > whole - offset)
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
      copySlice(*source.array, offsets, sizes, std::move(shape));
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
  Result<Array> array =
      Array::create(*arithmetic == Arithmetic::Float64 ? DType::F64 : *type,
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

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

Status Interpreter::visit(arith::ConstantOp op) {
  if (auto value = dyn_cast<IntegerAttr>(op.getValue()))
    if (value.getType().isIndex() || value.getType().isInteger(1) ||
        value.getType().isInteger(32) || value.getType().isInteger(64))
      return bind(op.getResult(), value.getType().isInteger(1)
                                      ? int64_t(value.getValue().getBoolValue())
                                      : value.getValue().getSExtValue());
  return errorAt(op, "only integer constants are supported");
}

Status Interpreter::visit(arith::CmpIOp op) {
  if (!op.getLhs().getType().isIntOrIndex())
    return errorAt(op, "only integers are supported");
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

/// Integer and index arithmetic: folded by the ops themselves, on constants.
Status Interpreter::visitInteger(Operation *op) {
  if (op->getName().getDialectNamespace() != "arith" ||
      op->getNumResults() != 1 ||
      !llvm::all_of(op->getOperandTypes(),
                    [](Type type) { return type.isIntOrIndex(); }) ||
      !op->getResult(0).getType().isIntOrIndex())
    return errorAt(op, "is not an operation that the reference can run");
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

//===----------------------------------------------------------------------===//
// Entry points
//===----------------------------------------------------------------------===//

Result<ShapeRun> reference::runShapes(func::FuncOp func,
                                      const std::vector<RuntimeValue> &args,
                                      bool countWork) {
  Interpreter interpreter(std::nullopt, {});
  interpreter.countWork = countWork;
  Result<std::vector<RuntimeValue>> results = interpreter.run(func, args);
  if (results.failed())
    return results.status();
  return ShapeRun{std::move(*results), interpreter.work};
}

Result<std::vector<RuntimeValue>>
reference::run(func::FuncOp func, const std::vector<RuntimeValue> &args,
               Arithmetic arithmetic, std::function<void(double)> progress) {
  return Interpreter(arithmetic, std::move(progress)).run(func, args);
}
