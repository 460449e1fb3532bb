//===- CaptureReads.cpp - Captures that each score reads ------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CaptureReads.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace flash;

SmallVector<int64_t> flash::countReads(AttentionOp op, Region &body) {
  size_t numCaptures = op.getCaptures().size();
  SmallVector<int64_t> reads(numCaptures);
  if (body.empty())
    return reads;
  // The score, if any; batch, head, query and key; the captures.
  Block &block = body.front();
  auto captures = block.getArguments().take_back(numCaptures);
  auto positions = block.getArguments().drop_back(numCaptures);
  DenseSet<Value> varying;
  varying.insert_range(positions.take_back(2));
  varying.insert_range(positions.drop_back(4));
  auto varies = [&](Value value) { return varying.contains(value); };
  block.walk([&](Operation *op) {
    if (auto extract = dyn_cast<tensor::ExtractOp>(op))
      for (auto [capture, count] : llvm::zip(captures, reads))
        count += extract.getTensor() == capture &&
                 llvm::any_of(extract.getIndices(), varies);
    if (llvm::any_of(op->getOperands(), varies))
      varying.insert_range(op->getResults());
  });
  return reads;
}
