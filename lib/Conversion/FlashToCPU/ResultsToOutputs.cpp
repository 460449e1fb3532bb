//===- ResultsToOutputs.cpp - Results become output buffers ---------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Gives a public function one more argument for each tensor that it returns:
//
//   func.func @f(%q: tensor<?xf32>) -> tensor<?xf32> { ... return %o }
//   ->
//   func.func @f(%q: tensor<?xf32> {bufferization.writable = false},
//                %out: memref<?xf32>) {
//     bufferization.materialize_in_destination %o in restrict writable %out
//
// The caller owns the results' memory, whose sizes it knows, so that no kernel
// allocates. Arguments and outputs of more dimensions may have any strides, but
// contiguous rows. Before bufferization, which then computes in place.
//
//===----------------------------------------------------------------------===//

#include "flash/Conversion/FlashToCPU/Passes.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Pass/Pass.h"

#define DEBUG_TYPE "flash-results-to-outputs"

namespace flash {
#define GEN_PASS_DEF_RESULTSTOOUTPUTSPASS
#include "flash/Conversion/FlashToCPU/Passes.h.inc"
} // namespace flash

using namespace mlir;

/// What callers may give: any strides, but contiguous rows.
static MemRefLayoutAttrInterface getLayout(RankedTensorType type) {
  if (type.getRank() < 2)
    return {};
  SmallVector<int64_t> strides(type.getRank(), ShapedType::kDynamic);
  strides.back() = 1;
  return StridedLayoutAttr::get(type.getContext(), /*offset=*/0, strides);
}

LogicalResult flash::resultsToOutputs(func::FuncOp func) {
  if (func.isExternal() || !func.isPublic())
    return success();
  if (!func.getBody().hasOneBlock())
    return func.emitOpError("has more than one block; a kernel has one");
  if (!SymbolTable::symbolKnownUseEmpty(func, func->getParentOp()))
    return func.emitOpError("is public and called; an entry point cannot be");

  Builder b(func.getContext());
  using bufferization::BufferizationDialect;
  for (unsigned i = 0, e = func.getNumArguments(); i < e; ++i) {
    auto type = dyn_cast<RankedTensorType>(func.getArgumentTypes()[i]);
    if (!type)
      continue;
    func.setArgAttr(i, BufferizationDialect::kWritableAttrName,
                    b.getBoolAttr(false));
    if (MemRefLayoutAttrInterface layout = getLayout(type))
      func.setArgAttr(i, BufferizationDialect::kBufferLayoutAttrName, layout);
  }

  auto ret = cast<func::ReturnOp>(func.getBody().front().getTerminator());
  for (Value result : ret.getOperands())
    if (!isa<RankedTensorType>(result.getType()))
      return func.emitOpError("returns ")
             << result.getType() << "; an entry point returns ranked tensors";

  OpBuilder builder(ret);
  BitVector resultIndices(func.getNumResults(), true);
  for (Value result : ret.getOperands()) {
    auto type = cast<RankedTensorType>(result.getType());
    auto bufferType = MemRefType::get(type.getShape(), type.getElementType(),
                                      getLayout(type));
    if (failed(func.insertArgument(func.getNumArguments(), bufferType, {},
                                   func.getLoc())))
      return func.emitOpError("does not take another argument");
    Value output = func.getArguments().back();
    auto op = bufferization::MaterializeInDestinationOp::create(
        builder, ret.getLoc(), result, output);
    op.setRestrict(true);
    op.setWritable(true);
  }
  ret->setOperands({});
  func->setAttr(LLVM::LLVMDialect::getEmitCWrapperAttrName(),
                builder.getUnitAttr());
  return func.eraseResults(resultIndices);
}

namespace {

struct ResultsToOutputsPass
    : flash::impl::ResultsToOutputsPassBase<ResultsToOutputsPass> {
  void runOnOperation() override {
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (failed(flash::resultsToOutputs(func)))
        return signalPassFailure();
  }
};

} // namespace
