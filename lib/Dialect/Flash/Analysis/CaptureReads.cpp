//===- CaptureReads.cpp - Who reads captures, and where ------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Analysis/CaptureReads.h"
#include "flash/Dialect/Flash/Analysis/IOModel.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace flash;

namespace {
/// How often a body reads one capture at a place that depends on the score, the
/// query or the key, and elsewhere.
struct Reads {
  int64_t varying = 0, steady = 0;
};
} // namespace

static SmallVector<Reads> findReads(AttentionOpInterface op, Region &body) {
  size_t numCaptures = op.getCaptures().size();
  SmallVector<Reads> reads(numCaptures);
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
    if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
      bool place = llvm::any_of(extract.getIndices(), varies);
      for (auto [capture, count] : llvm::zip(captures, reads))
        if (extract.getTensor() == capture)
          ++(place ? count.varying : count.steady);
    }
    if (llvm::any_of(op->getOperands(), varies))
      varying.insert_range(op->getResults());
  });
  return reads;
}

SmallVector<int64_t> flash::countReads(AttentionOpInterface op, Region &body) {
  SmallVector<int64_t> varying;
  for (const Reads &reads : findReads(op, body))
    varying.push_back(reads.varying);
  return varying;
}

bool flash::readsElements(Region &body) {
  if (body.empty())
    return false;
  Block &block = body.front();
  llvm::DenseMap<Value, unsigned> positions;
  positions[block.getArgument(2)] = 1;
  positions[block.getArgument(3)] = 2;
  auto positionsOf = [&](ValueRange values) {
    unsigned all = 0;
    for (Value value : values)
      all |= positions.lookup(value);
    return all;
  };
  WalkResult walk = block.walk([&](Operation *op) {
    auto extract = dyn_cast<tensor::ExtractOp>(op);
    if (extract && positionsOf(extract.getIndices()) == 3)
      return WalkResult::interrupt();
    unsigned all = 0;
    op->walk(
        [&](Operation *inner) { all |= positionsOf(inner->getOperands()); });
    for (Value result : op->getResults())
      positions[result] = all;
    return WalkResult::advance();
  });
  return walk.wasInterrupted();
}

llvm::SmallBitVector flash::findAskedArguments(func::FuncOp func) {
  llvm::SmallBitVector asked(func.getNumArguments());
  for (BlockArgument argument : func.getArguments()) {
    Type element = getElementTypeOrSelf(argument.getType());
    if (element.isIndex() || element.isInteger(32) || element.isInteger(64))
      asked.set(argument.getArgNumber());
  }
  func.walk([&](AttentionOpInterface op) {
    for (auto [capture, reads] :
         llvm::zip(op.getCaptures(), findReads(op, op.getMaskBody()))) {
      auto argument = dyn_cast<BlockArgument>(traceTensor(capture));
      if (reads.steady && argument &&
          argument.getOwner() == &func.getBody().front())
        asked.set(argument.getArgNumber());
    }
  });
  return asked;
}
