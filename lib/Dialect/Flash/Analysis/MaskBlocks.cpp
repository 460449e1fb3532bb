//===- MaskBlocks.cpp - Which blocks a mask lets through ------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An answer is built in a function of its own, which belongs to no module:
//
//   func.func @visible(%qFirst: index, %qLast: index) {
//     %end = arith.addi %qLast, %c1        // #flash.causal's
//   }
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Analysis/MaskBlocks.h"

using namespace mlir;
using namespace flash;

/// An empty function of `count` positions.
static OwningOpRef<func::FuncOp> makeQuestion(AttentionOp op, StringRef name,
                                              unsigned count) {
  OpBuilder builder(op.getContext());
  SmallVector<Type> positions(count, builder.getIndexType());
  auto func = func::FuncOp::create(op.getLoc(), name,
                                   builder.getFunctionType(positions, {}));
  builder.setInsertionPointToStart(func.addEntryBlock());
  func::ReturnOp::create(builder, op.getLoc());
  return func;
}

MaskBlocks::MaskBlocks(AttentionOp op, const IndexInterpreter &known)
    : op(op), mask(op.getMaskAttr()) {
  if (!mask)
    return;
  op.getContext()->loadDialect<func::FuncDialect>();
  visible.func = makeQuestion(op, "visible", 2);
  full.func = makeQuestion(op, "full", 4);
  Location loc = op.getLoc();
  OpBuilder builder(op.getContext());
  Block &visibleBody = visible.func->getBody().front();
  builder.setInsertionPoint(visibleBody.getTerminator());
  auto [first, end] = mask.buildVisibleKeys(
      builder, loc, visibleBody.getArgument(0), visibleBody.getArgument(1));
  visible.answers = {first, end};
  Block &fullBody = full.func->getBody().front();
  builder.setInsertionPoint(fullBody.getTerminator());
  full.answers = {mask.buildIsFull(
      builder, loc, fullBody.getArgument(0), fullBody.getArgument(1),
      fullBody.getArgument(2), fullBody.getArgument(3))};
}

LogicalResult MaskBlocks::ask(Question &question, ArrayRef<int64_t> positions) {
  Block &body = question.func->getBody().front();
  for (auto [argument, position] : llvm::zip(body.getArguments(), positions))
    interpreter.set(argument, position);
  return interpreter.run(body);
}

FailureOr<KeyRange> MaskBlocks::visibleKeys(int64_t qFirst, int64_t qLast) {
  KeyRange range;
  if (!mask)
    return range;
  if (failed(ask(visible, {qFirst, qLast})))
    return failure();
  if (Value first = visible.answers[0])
    range.first = interpreter.number(first);
  if (Value end = visible.answers[1])
    range.end = interpreter.number(end);
  return range;
}

FailureOr<bool> MaskBlocks::isFull(int64_t qFirst, int64_t qLast,
                                   int64_t kFirst, int64_t kLast) {
  if (!mask)
    return true;
  if (failed(ask(full, {qFirst, qLast, kFirst, kLast})))
    return failure();
  return interpreter.number(full.answers[0]).value_or(0) != 0;
}
