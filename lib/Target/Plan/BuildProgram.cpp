//===- BuildProgram.cpp - From host function to launch plan ---------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Interprets the host function symbolically: an index is an expression over the
// dimensions of the arguments, a memref a buffer with an offset, sizes and
// strides.
//
//   %n = arith.ceildivsi %sq, %c128 ; %o = memref.alloc(%b, %sq)
//   flash_tile.launch @kernels::@f grid(%n) args(%q, %o)
//   ->  launch @f grid (ceildiv(dim(0, 2), 128), 1, 1) pointer #0 ... pointer
//   #1 ...
//
// The plan is data, so that a compiled function runs without MLIR.
//
//===----------------------------------------------------------------------===//

#include "ProgramBuilder.h"

#include "flash/Dialect/Flash/IR/Flash.h"
#include "flash/Target/ElementType.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/TypeSwitch.h"

#include <numeric>

using namespace mlir;
using namespace flash;
using rt::Expr;

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

FailureOr<rt::DType> ProgramBuilder::dtype(Location loc, Type type) {
  if (type.isF32())
    return rt::DType::F32;
  if (type.isF16())
    return rt::DType::F16;
  if (type.isBF16())
    return rt::DType::BF16;
  if (type.isSignlessInteger(32))
    return rt::DType::I32;
  if (type.isSignlessInteger(64))
    return rt::DType::I64;
  if (type.isSignlessInteger(8))
    return rt::DType::I8;
  if (type.isSignlessInteger(1))
    return rt::DType::I1;
  return emitError(loc) << "tensors of " << type
                        << " are not supported in a launch plan yet";
}

Expr ProgramBuilder::index(Value value) {
  if (auto known = getConstantIntValue(getAsOpFoldResult(value)))
    return Expr(*known);
  return indices.lookup(value);
}

Expr ProgramBuilder::index(OpFoldResult value) {
  if (auto known = getConstantIntValue(value))
    return Expr(*known);
  return index(cast<Value>(value));
}

View ProgramBuilder::dense(int buffer, std::vector<Expr> sizes) {
  View view{buffer, Expr(0), sizes, sizes};
  Expr stride(1);
  for (size_t i = sizes.size(); i-- > 0;) {
    view.strides[i] = stride;
    stride = stride * sizes[i];
  }
  return view;
}

//===----------------------------------------------------------------------===//
// The function
//===----------------------------------------------------------------------===//

LogicalResult ProgramBuilder::convert(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](arith::ConstantOp) { return success(); })
      .Case([&](cf::AssertOp op) { return convertAssert(op); })
      .Case([&](tile::LaunchOp op) { return convertLaunch(op); })
      .Case([&](tile::TensorMapOp) { return success(); })
      .Case([&](tile::ClearOp op) { return convertClear(op); })
      .Case([&](func::ReturnOp op) { return convertReturn(op); })
      .Case([&](memref::CastOp op) {
        views[op.getResult()] = View(views[op.getSource()]);
        return success();
      })
      .Case([&](memref::DimOp op) -> LogicalResult {
        auto dim = op.getConstantIndex();
        if (!dim)
          return op.emitOpError("needs a constant dimension in a launch plan");
        indices[op.getResult()] = views[op.getSource()].sizes[*dim];
        return success();
      })
      .Case([&](memref::AllocOp op) {
        std::vector<Expr> sizes;
        for (OpFoldResult size : op.getMixedSizes())
          sizes.push_back(index(size));
        Expr bytes(op.getType().getElementTypeBitWidth() / 8);
        for (const Expr &size : sizes)
          bytes = bytes * size;
        int buffer = static_cast<int>(program.buffers.size());
        if (auto result = resultOf.find(op); result != resultOf.end()) {
          int number = result->second;
          View view = dense(buffer, std::move(sizes));
          for (size_t i = 0; i + 1 < view.strides.size(); ++i)
            view.strides[i] = Expr::resultStride(number, static_cast<int>(i));
          views[op.getResult()] = std::move(view);
          program.buffers.push_back(rt::Buffer::result(number));
          return success();
        }
        program.buffers.push_back(
            rt::Buffer::temporary("temporary" + std::to_string(buffer), bytes));
        views[op.getResult()] = dense(buffer, std::move(sizes));
        return success();
      })
      .Case([&](memref::SubViewOp op) {
        View source = views[op.getSource()], view = source;
        view.sizes.clear();
        view.strides.clear();
        llvm::SmallBitVector dropped = op.getDroppedDims();
        SmallVector<OpFoldResult> offsets = op.getMixedOffsets(),
                                  sizes = op.getMixedSizes(),
                                  strides = op.getMixedStrides();
        for (size_t i = 0; i < offsets.size(); ++i) {
          view.offset = view.offset + index(offsets[i]) * source.strides[i];
          if (dropped.test(i))
            continue;
          view.sizes.push_back(index(sizes[i]));
          view.strides.push_back(source.strides[i] * index(strides[i]));
        }
        views[op.getResult()] = view;
        return success();
      })
      .Default([&](Operation *op) -> LogicalResult {
        if (isa_and_nonnull<arith::ArithDialect, affine::AffineDialect>(
                op->getDialect()))
          return convertArithmetic(op);
        return op->emitOpError("cannot be part of a launch plan");
      });
}

LogicalResult ProgramBuilder::addArgument(func::FuncOp function,
                                          BlockArgument argument) {
  int number = static_cast<int>(argument.getArgNumber());
  auto given = function.getArgAttrOfType<StringAttr>(
      number, FlashDialect::getNameAttrName());
  std::string name = given ? given.str() : "arg" + std::to_string(number);
  auto type = dyn_cast<ShapedType>(argument.getType());
  if (isa<FloatType>(argument.getType())) {
    rt::Result<rt::DType> number = convertElementType(argument.getType());
    if (number.failed())
      return function.emitError() << number.message();
    program.signature.arguments.push_back(
        rt::ArgumentInfo::real(name, *number));
    return success();
  }
  if (!type) {
    if (!argument.getType().isIndex() && !argument.getType().isInteger(64))
      return function.emitError("a launch plan has no arguments of ")
             << argument.getType();
    program.signature.arguments.push_back(rt::ArgumentInfo::index(name));
    if (argument.getType().isIndex())
      indices[argument] = Expr::scalar(number);
    return success();
  }
  rt::Result<rt::DType> element = convertElementType(type.getElementType());
  if (element.failed())
    return function.emitError() << element.message();
  std::vector<std::optional<Expr>> dims;
  for (int64_t size : type.getShape())
    dims.push_back(ShapedType::isDynamic(size)
                       ? std::nullopt
                       : std::optional<Expr>(Expr(size)));
  program.signature.arguments.push_back(
      rt::ArgumentInfo::tensor(name, *element, std::move(dims)));
  return success();
}

/// Kernels copy rows of query, key, value and results, and of what else is
/// multiplied (tiles of 16 bits), in pieces of 16 bytes where the length of a
/// row lets them.
int64_t ProgramBuilder::alignmentOf(MemRefType type) {
  int64_t element = std::max<int64_t>(type.getElementTypeBitWidth() / 8, 1);
  bool isTile = type.getRank() >= 4 || (type.getRank() >= 2 && element == 2);
  if (!isTile || type.isDynamicDim(type.getRank() - 1))
    return element;
  return std::gcd<int64_t>(16, type.getShape().back() * element);
}

FailureOr<rt::Program> ProgramBuilder::run(func::FuncOp function) {
  program.signature.name = function.getName().str();
  for (BlockArgument argument : function.getArguments()) {
    auto type = dyn_cast<MemRefType>(argument.getType());
    if ((!type && !argument.getType().isIndex() &&
         !argument.getType().isF32()) ||
        (type && failed(dtype(function.getLoc(), type.getElementType()))))
      return type ? failure()
                  : function.emitError("a launch plan has no arguments of ")
                        << argument.getType();
    if (failed(addArgument(function, argument)))
      return failure();
    if (!type)
      continue;
    int number = static_cast<int>(argument.getArgNumber());
    std::vector<Expr> sizes;
    for (auto [i, size] : llvm::enumerate(type.getShape()))
      sizes.push_back(ShapedType::isDynamic(size)
                          ? Expr::dim(number, static_cast<int>(i))
                          : Expr(size));
    View view = dense(static_cast<int>(program.buffers.size()), sizes);
    for (size_t i = 0; i + 1 < sizes.size(); ++i)
      view.strides[i] = Expr::stride(number, static_cast<int>(i));
    views[argument] = std::move(view);
    program.buffers.push_back(rt::Buffer::argument(number));
    program.signature.arguments.back().alignment = alignmentOf(type);
  }
  for (auto [i, value] : llvm::enumerate(
           function.getBody().front().getTerminator()->getOperands()))
    if (Operation *definition = findAlloc(value))
      resultOf.try_emplace(definition, static_cast<int>(i));
  for (Operation &op : function.getBody().front())
    if (failed(convert(&op)))
      return failure();
  for (auto [i, image] : llvm::enumerate(options.images)) {
    std::string name = program.signature.name;
    if (options.images.size() > 1)
      name += "." + std::to_string(i);
    program.modules.push_back(
        rt::ModuleImage{std::move(name), options.target, image});
  }
  if (rt::Status status = program.verify(); status.failed())
    return function.emitError() << status.message();
  return program;
}

FailureOr<rt::Program> flash::buildProgram(ModuleOp module,
                                           const ProgramOptions &options) {
  SmallVector<func::FuncOp> functions;
  for (auto function : module.getOps<func::FuncOp>())
    if (!function.isExternal() &&
        (options.entry.empty() || function.getName() == options.entry))
      functions.push_back(function);
  if (functions.empty())
    return module.emitError(
        options.entry.empty() ? std::string("there is no function to run")
                              : "there is no function '" + options.entry + "'");
  if (functions.size() > 1)
    return module.emitError("there are several functions: name one of them");
  func::FuncOp function = functions.front();
  if (!function.getBody().hasOneBlock())
    return function.emitError("a launch plan is made of one block");
  return ProgramBuilder(module, options).run(function);
}
