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

#define DEBUG_TYPE "flash-pad-to-copy"

namespace flash {
#define GEN_PASS_DEF_PADTOCOPYPASS
#include "flash/Conversion/FlashToCPU/Passes.h.inc"
} // namespace flash

using namespace mlir;

namespace {

struct PadToCopyPass : flash::impl::PadToCopyPassBase<PadToCopyPass> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    WalkResult result = getOperation()->walk([&](tensor::PadOp pad) {
      rewriter.setInsertionPoint(pad);
      if (failed(linalg::rewriteInDestinationPassingStyle(rewriter, pad))) {
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
