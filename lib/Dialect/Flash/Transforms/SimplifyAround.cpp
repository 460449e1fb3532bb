//===- SimplifyAround.cpp - Forms that targets know -----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %r = arith.addf %x, %y : tensor<8x64xf32>   ->   linalg.generic
//
// What frontends write around attentions has many forms of one meaning; after
// L0 there are linalg ops, slices, loops and branches. A loop carries tensors
// in the place where they were, so that nothing is allocated by an iteration.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Transforms/Passes.h"

#include "flash/Dialect/Flash/IR/Flash.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace flash {
#define GEN_PASS_DEF_SIMPLIFYAROUND
#include "flash/Dialect/Flash/Transforms/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

namespace {

struct DecomposeSoftmax : OpRewritePattern<linalg::SoftmaxOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(linalg::SoftmaxOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<SmallVector<Value>> results = op.decomposeOperation(rewriter);
    if (failed(results))
      return rewriter.notifyMatchFailure(op, "does not decompose");
    rewriter.replaceOp(op, *results);
    return success();
  }
};

struct ElementwiseBitcast : OpRewritePattern<tensor::BitcastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::BitcastOp op,
                                PatternRewriter &rewriter) const override {
    if (!isa<RankedTensorType>(op.getSource().getType()) ||
        !isa<RankedTensorType>(op.getType()))
      return rewriter.notifyMatchFailure(op, "is of unranked tensors");
    rewriter.replaceOpWithNewOp<arith::BitcastOp>(op, op.getType(),
                                                  op.getSource());
    return success();
  }
};

} // namespace

/// Whether a value is made of `argument` in its place, step by step.
static bool isMadeInPlace(Value value, Value argument) {
  while (value != argument) {
    auto result = dyn_cast<OpResult>(value);
    if (!result)
      return false;
    if (auto op = dyn_cast<DestinationStyleOpInterface>(result.getOwner()))
      value = op.getTiedOpOperand(result)->get();
    else if (auto insert = dyn_cast<tensor::InsertSliceOp>(result.getOwner()))
      value = insert.getDest();
    else if (auto add = dyn_cast<AddSliceOp>(result.getOwner()))
      value = add.getDest();
    else if (auto branch = dyn_cast<scf::IfOp>(result.getOwner()))
      return llvm::all_of(branch->getRegions(), [&](Region &region) {
        Operation *end = region.front().getTerminator();
        return isMadeInPlace(end->getOperand(result.getResultNumber()),
                             argument);
      });
    else if (auto loop = dyn_cast<scf::ForOp>(result.getOwner()))
      value = loop.getTiedLoopInit(result)->get();
    else
      return false;
  }
  return true;
}

static void carryInPlace(scf::ForOp loop) {
  Operation *yield = loop.getBody()->getTerminator();
  OpBuilder builder(yield);
  for (auto [argument, yielded] :
       llvm::zip(loop.getRegionIterArgs(), yield->getOpOperands())) {
    if (!isa<RankedTensorType>(argument.getType()) ||
        isMadeInPlace(yielded.get(), argument))
      continue;
    yielded.set(linalg::CopyOp::create(builder, loop.getLoc(), yielded.get(),
                                       Value(argument))
                    .getResult(0));
  }
}

/// What works on tensors has to say how it does on memory, or is ours.
static WalkResult checkKnown(Operation *op) {
  auto isTensor = llvm::IsaPred<TensorType>;
  if ((llvm::none_of(op->getOperandTypes(), isTensor) &&
       llvm::none_of(op->getResultTypes(), isTensor)) ||
      op->hasTrait<OpTrait::IsTerminator>() ||
      isa<FlashDialect>(op->getDialect()) ||
      isa<bufferization::BufferizableOpInterface>(op))
    return WalkResult::advance();
  op->emitOpError("is not supported around an attention: write it as linalg "
                  "ops, slices (tensor.extract_slice, insert_slice), scf.for "
                  "and scf.if");
  return WalkResult::interrupt();
}

namespace {
struct SimplifyAroundPass
    : flash::impl::SimplifyAroundBase<SimplifyAroundPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    linalg::populateElementwiseToLinalgConversionPatterns(patterns);
    patterns.add<DecomposeSoftmax, ElementwiseBitcast>(&getContext());
    GreedyRewriteConfig config;
    config.enableFolding(false).enableConstantCSE(false);
    config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
    if (failed(
            applyPatternsGreedily(getOperation(), std::move(patterns), config)))
      return signalPassFailure();
    getOperation().walk(carryInPlace);
    if (getOperation().walk(checkKnown).wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
