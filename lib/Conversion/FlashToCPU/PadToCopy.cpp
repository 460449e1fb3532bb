//===- PadToCopy.cpp - Pads become a fill and a copy ----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %p = tensor.pad %t low[0, 0] high[%h, 0] { yield %zero } : ... to
//   tensor<64x128xf32>
//   ->
//   %f = linalg.fill ins(%zero) outs(%empty : tensor<64x128xf32>)
//   %p = tensor.insert_slice %t into %f[0, 0] [%rows, 128] [1, 1]
//
// Bufferization does not take tensor.pad. On tensors, right before it.
//
//===----------------------------------------------------------------------===//

#include "flash/Conversion/FlashToCPU/Passes.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

#define DEBUG_TYPE "flash-pad-to-copy"

namespace flash {
#define GEN_PASS_DEF_PADTOCOPYPASS
#include "flash/Conversion/FlashToCPU/Passes.h.inc"
} // namespace flash

using namespace mlir;

/// Where the padding is computed of an element's place:
///
///   %f = linalg.generic outs(%empty) { body of the pad, of linalg.index }
///   %p = tensor.insert_slice %t into %f[...]
static LogicalResult padByPlace(IRRewriter &rewriter, tensor::PadOp pad) {
  Location loc = pad.getLoc();
  RankedTensorType type = pad.getResultType();
  ReifiedRankedShapedTypeDims sizes;
  if (failed(reifyResultShapes(rewriter, pad, sizes)))
    return failure();
  Value empty = tensor::EmptyOp::create(rewriter, loc, sizes.front(),
                                        type.getElementType());
  AffineMap map = rewriter.getMultiDimIdentityMap(type.getRank());
  SmallVector<utils::IteratorType> loops(type.getRank(),
                                         utils::IteratorType::parallel);
  auto filled = linalg::GenericOp::create(
      rewriter, loc, TypeRange(empty.getType()), ValueRange(), empty, map,
      loops, [&](OpBuilder &b, Location at, ValueRange) {
        IRMapping mapping;
        Block &body = pad.getRegion().front();
        for (auto [dim, argument] : llvm::enumerate(body.getArguments()))
          mapping.map(argument,
                      Value(linalg::IndexOp::create(b, at, int64_t(dim))));
        for (Operation &op : body.without_terminator())
          b.clone(op, mapping);
        linalg::YieldOp::create(
            b, at,
            mapping.lookupOrDefault(body.getTerminator()->getOperand(0)));
      });
  SmallVector<OpFoldResult> strides(type.getRank(), rewriter.getIndexAttr(1));
  rewriter.replaceOpWithNewOp<tensor::InsertSliceOp>(
      pad, pad.getSource(),
      tensor::CastOp::create(rewriter, loc, type, filled.getResult(0)),
      pad.getMixedLowPad(),
      tensor::getMixedSizes(rewriter, loc, pad.getSource()), strides);
  return success();
}

namespace {

struct PadToCopyPass : flash::impl::PadToCopyPassBase<PadToCopyPass> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    WalkResult result = getOperation()->walk([&](tensor::PadOp pad) {
      rewriter.setInsertionPoint(pad);
      if (failed(pad.getConstantPaddingValue()
                     ? LogicalResult(linalg::rewriteInDestinationPassingStyle(
                           rewriter, pad))
                     : padByPlace(rewriter, pad))) {
        pad.emitOpError("cannot be written as a fill and a copy");
        return WalkResult::interrupt();
      }
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};

} // namespace
