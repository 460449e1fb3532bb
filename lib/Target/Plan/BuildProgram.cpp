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

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/TypeSwitch.h"

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
        program.buffers.push_back(rt::Buffer::temporary(
            "temporary" + std::to_string(buffer), bytes,
            op->hasAttr(tile::FlashTileDialect::getCounterAttrName())));
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

FailureOr<rt::Program> ProgramBuilder::run(func::FuncOp function) {
  program.signature.name = function.getName().str();
  for (BlockArgument argument : function.getArguments()) {
    int number = static_cast<int>(argument.getArgNumber());
    auto given = function.getArgAttrOfType<StringAttr>(number, "flash.name");
    std::string name = given ? given.str() : "arg" + std::to_string(number);
    auto type = dyn_cast<MemRefType>(argument.getType());
    if (!type) {
      if (!argument.getType().isIndex())
        return function.emitError("a launch plan has no arguments of ")
               << argument.getType();
      program.signature.arguments.push_back(rt::ArgumentInfo::index(name));
      indices[argument] = Expr::scalar(number);
      continue;
    }
    FailureOr<rt::DType> element =
        dtype(function.getLoc(), type.getElementType());
    if (failed(element))
      return failure();
    std::vector<std::optional<Expr>> dims;
    std::vector<Expr> sizes;
    for (auto [i, size] : llvm::enumerate(type.getShape())) {
      bool dynamic = ShapedType::isDynamic(size);
      sizes.push_back(dynamic ? Expr::dim(number, static_cast<int>(i))
                              : Expr(size));
      dims.push_back(dynamic ? std::nullopt : std::optional<Expr>(Expr(size)));
    }
    program.signature.arguments.push_back(
        rt::ArgumentInfo::tensor(name, *element, std::move(dims)));
    views[argument] = dense(static_cast<int>(program.buffers.size()), sizes);
    program.buffers.push_back(rt::Buffer::argument(number));
  }
  for (Operation &op : function.getBody().front())
    if (failed(convert(&op)))
      return failure();
  program.modules.push_back(
      rt::ModuleImage{program.signature.name, options.target, options.image});
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
