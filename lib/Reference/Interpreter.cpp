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

#include "InterpreterImpl.h"

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/raw_ostream.h"

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
  if (type.isInteger(8))
    return DType::I8;
  if (type.isInteger(1))
    return DType::I1;
  if (isa<Float8E4M3FNType>(type))
    return DType::F8E4M3FN;
  if (isa<Float8E5M2Type>(type))
    return DType::F8E5M2;
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

Status reference::errorAt(Operation *op, const std::string &message) {
  return Status::error(toString(op->getLoc()) + ": '" +
                       op->getName().getStringRef().str() + "': " + message);
}

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
      .Case<AttentionOp, AttentionBackwardOp, MergeOp, tensor::ExtractSliceOp,
            tensor::EmptyOp, tensor::DimOp, tensor::CastOp,
            tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ReshapeOp,
            tensor::ExtractOp, tensor::InsertOp, tensor::InsertSliceOp,
            tensor::ConcatOp, tensor::FromElementsOp, tensor::SplatOp,
            tensor::PadOp, tensor::GenerateOp, scf::ForOp, scf::IfOp,
            scf::WhileOp, scf::ParallelOp, scf::IndexSwitchOp,
            scf::ExecuteRegionOp, affine::AffineForOp, linalg::SoftmaxOp,
            scf::ForallOp, AddSliceOp, linalg::LinalgOp, cf::AssertOp,
            arith::ConstantOp, arith::CmpIOp>(
          [&](auto known) { return visit(known); })
      .Case<affine::AffineApplyOp, affine::AffineMinOp, affine::AffineMaxOp>(
          [&](auto known) { return visitAffine(known, known.getMap()); })
      .Case([&](tensor::RankOp rank) {
        return bind(rank.getResult(),
                    int64_t(tensor(rank.getTensor()).shape.size()));
      })
      .Default([&](Operation *other) { return visitNumber(other); });
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
  if (results.failed() && !interpreter.guessed)
    return results.status();
  if (interpreter.guessed)
    return ShapeRun{{}, {}, /*isKnown=*/false};
  return ShapeRun{std::move(*results), interpreter.work};
}

Result<std::vector<RuntimeValue>>
reference::run(func::FuncOp func, const std::vector<RuntimeValue> &args,
               Arithmetic arithmetic, std::function<void(double)> progress,
               uint64_t variant) {
  Interpreter interpreter(arithmetic, std::move(progress));
  interpreter.variant = variant;
  return interpreter.run(func, args);
}
