//===- FlashToTile.cpp - Parallel loops over tiles to GPU kernels ---------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Splits a function at L2 into kernels and what is left for the host:
//
//   %o = scf.forall (%b, %h, %i) in (%nb, 32, %nq) shared_outs(%x = %empty)
//   {...}
//   ->
//   %o = memref.alloc(%nb, %sq) : memref<?x32x?x128xbf16>
//   %n = arith.muli ...                      // one block a point, %i fastest
//   flash_tile.launch @kernels::@f grid(%n) args(%q, %k, %v, %o, ...)
//
// (OutlineKernels.cpp). Tensors become memrefs on both sides. It runs at the
// fork of the levels, before anything is vectorised: what tiles turn into
// depends on who reads them.
//
//===----------------------------------------------------------------------===//

#include "FunctionConverter.h"

#include "flash/Conversion/FlashToTile/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

namespace flash {
#define GEN_PASS_DEF_CONVERTFLASHTOTILE
#include "flash/Conversion/FlashToTile/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

static constexpr StringLiteral kKernelsName = "kernels";

MemRefType flash::denseType(Type tensor) {
  auto type = cast<RankedTensorType>(tensor);
  return MemRefType::get(type.getShape(), type.getElementType());
}

LogicalResult FunctionConverter::convert(Operation *op) {
  builder.setInsertionPoint(op);
  Location loc = op->getLoc();
  auto isTensor = llvm::IsaPred<TensorType>;
  bool ours =
      llvm::TypeSwitch<Operation *, bool>(op)
          .Case<scf::ForallOp, tensor::EmptyOp, linalg::FillOp,
                tensor::ExtractSliceOp, tensor::CastOp, tensor::DimOp,
                cf::AssertOp, func::ReturnOp, arith::ConstantOp>(
              [](auto) { return true; })
          .Case([](tensor::ExtractOp) { return true; })
          .Default([&](Operation *op) {
            return isa_and_nonnull<arith::ArithDialect, affine::AffineDialect,
                                   math::MathDialect>(op->getDialect()) &&
                   op->getNumRegions() == 0 &&
                   !llvm::any_of(op->getOperandTypes(), isTensor) &&
                   !llvm::any_of(op->getResultTypes(), isTensor);
          });
  if (!ours) {
    InFlightDiagnostic error =
        op->emitError("on a GPU, a function may hold attention and what "
                      "belongs to it, but not '")
        << op->getName()
        << "', which is not supported there yet; do it to the caller's tensors "
           "before or after the call";
    if (isa<linalg::LinalgOp>(op))
      error << ", or, if it is done to scores, in a `score` region";
    return error;
  }

  if (isa<scf::ForallOp, cf::AssertOp>(op) &&
      llvm::any_of(op->getOperands(), isRead))
    return op->emitError("on a GPU, what the host decides cannot be read from "
                         "a tensor: make the number an argument of the "
                         "function (of an assertion by flash-raise: "
                         "finite-minima-hide asserts nothing)");

  if (auto forall = dyn_cast<scf::ForallOp>(op)) {
    if (failed(outline(forall)))
      return failure();
  } else if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    Value source = dim.getSource();
    if (auto empty = source.getDefiningOp<tensor::EmptyOp>()) {
      auto index = dim.getConstantIndex();
      if (!index)
        return op->emitOpError("needs a constant dimension on a GPU");
      dim.replaceAllUsesWith(getValueOrCreateConstantIndexOp(
          builder, loc, empty.getMixedSizes()[*index]));
    } else {
      dim.replaceAllUsesWith(memref::DimOp::create(builder, loc,
                                                   memrefs.lookup(source),
                                                   dim.getIndex())
                                 .getResult());
    }
  } else if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    Value source = memrefs.lookup(slice.getSource());
    if (!source || !slice.hasUnitStride())
      return op->emitOpError("must be a slice of an argument or a result, with "
                             "unit strides, on a GPU");
    MemRefType type = memref::SubViewOp::inferRankReducedResultType(
        slice.getType().getShape(), cast<MemRefType>(source.getType()),
        slice.getMixedOffsets(), slice.getMixedSizes(),
        slice.getMixedStrides());
    memrefs[slice.getResult()] = memref::SubViewOp::create(
        builder, loc, type, source, slice.getMixedOffsets(),
        slice.getMixedSizes(), slice.getMixedStrides());
  } else if (auto cast = dyn_cast<tensor::CastOp>(op)) {
    Value source = memrefs.lookup(cast.getSource());
    auto type = dyn_cast<RankedTensorType>(cast.getType());
    if (!source || !type)
      return op->emitOpError(
          "must cast what a kernel computed, or an argument, "
          "on a GPU");
    auto layout = mlir::cast<MemRefType>(source.getType()).getLayout();
    memrefs[cast.getResult()] = memref::CastOp::create(
        builder, loc,
        MemRefType::get(type.getShape(), type.getElementType(), layout),
        source);
  } else if (auto ret = dyn_cast<func::ReturnOp>(op)) {
    SmallVector<Value> values;
    for (Value value : ret.getOperands()) {
      if (isTensor(value.getType()) &&
          (isa<BlockArgument>(value) || !memrefs.contains(value)))
        return op->emitOpError("returns a tensor that no kernel computes");
      values.push_back(isTensor(value.getType()) ? memrefs.lookup(value)
                                                 : value);
    }
    func::ReturnOp::create(builder, loc, values);
  } else if (!isa<tensor::EmptyOp, linalg::FillOp, tensor::ExtractOp>(op) &&
             !(isa<arith::ConstantOp>(op) &&
               isTensor(op->getResult(0).getType()))) {
    // Index arithmetic stays as it is; of other numbers the kernel has its own.
    if (op->getNumResults() != 1 || !isPure(op))
      return success();
    Value number = op->getResult(0);
    if (!isRead(number) && (!number.use_empty() || number.getType().isIndex()))
      return success();
  }
  converted.push_back(op);
  return success();
}

FailureOr<int64_t> FunctionConverter::run() {
  if (!function.getBody().hasOneBlock())
    return function.emitError("on a GPU, a function must be one block");
  Block &entry = function.getBody().front();
  unsigned numArguments = entry.getNumArguments();
  SmallVector<Type> inputs;
  for (unsigned i = 0; i < numArguments; ++i) {
    BlockArgument argument = entry.getArgument(i);
    Type type = argument.getType();
    if (isa<RankedTensorType>(type)) {
      Type element = getElementTypeOrSelf(type);
      if (!element.isF32() && !element.isF16() && !element.isBF16() &&
          !element.isSignlessInteger(1) && !element.isSignlessInteger(8) &&
          !element.isSignlessInteger(32) && !element.isSignlessInteger(64))
        return emitError(argument.getLoc(), "tensors of ")
               << element
               << " are not supported on a GPU yet; f16, bf16, f32, i1, i8, "
                  "i32 "
                  "and i64 are (and --target=cpu has more)";
      type = denseType(type);
      memrefs[argument] = entry.addArgument(type, argument.getLoc());
    } else if (type.isIndex() || type.isF32()) {
      Value fresh = entry.addArgument(type, argument.getLoc());
      argument.replaceAllUsesWith(fresh);
    } else if (type.isInteger(64)) {
      OpBuilder first = OpBuilder::atBlockBegin(&entry);
      Value fresh = entry.addArgument(first.getIndexType(), argument.getLoc());
      argument.replaceAllUsesWith(
          arith::IndexCastOp::create(first, argument.getLoc(), type, fresh));
      type = first.getIndexType();
    } else {
      return function.emitError("on a GPU, arguments are ranked tensors, "
                                "index, i64 and f32 values, but argument ")
             << i << " is " << type;
    }
    inputs.push_back(type);
  }
  for (Operation &op : llvm::make_early_inc_range(entry))
    if (failed(convert(&op)))
      return failure();
  for (Operation *op : llvm::reverse(converted))
    op->erase();
  entry.eraseArguments(0, numArguments);
  function.setType(builder.getFunctionType(
      inputs, TypeRange(entry.getTerminator()->getOperandTypes())));
  return numKernels;
}

namespace {
struct ConvertFlashToTilePass
    : flash::impl::ConvertFlashToTileBase<ConvertFlashToTilePass> {
  using ConvertFlashToTileBase::ConvertFlashToTileBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<func::FuncOp> functions;
    for (auto function : module.getOps<func::FuncOp>())
      if (!function.isExternal())
        functions.push_back(function);
    if (functions.empty())
      return;
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    auto kernels =
        gpu::GPUModuleOp::create(builder, module.getLoc(), kKernelsName);
    SymbolTable(module).insert(kernels);
    module->setAttr(gpu::GPUDialect::getContainerModuleAttrName(),
                    builder.getUnitAttr());
    SymbolTable symbols(kernels);
    for (func::FuncOp function : functions) {
      FailureOr<int64_t> count =
          FunctionConverter(function, kernels, symbols, hideUnseen).run();
      if (failed(count))
        return signalPassFailure();
      numKernels += *count;
    }
  }
};
} // namespace
