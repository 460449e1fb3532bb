//===- DecomposeAttention.cpp - One step's arithmetic -----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %r:3 = flash.online_attention ins(%q, %k, %v) outs(%acc, %max, %sum)
//   // becomes
//   %s = linalg.matmul ins(%q, %k)                      S = Q K^T
//   %m = scf.if %partial { s where visible, else -inf } else { s }
//   %p, %max1, %sum1, %alpha = flash.online_softmax ins(%m) outs(...)
//   %d = dropout of %p, if there is any
//   %w = flash.hide_unseen %v when %partial             0 for what none sees
//   %a = acc * alpha ;  %o = linalg.matmul ins(%d, %w) outs(%a)
//
// Contractions and scalar bodies are what both the CPU's and the GPU's legs
// take over, so this is where they part. The predicate is computed for partial
// blocks only.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Transforms/Passes.h"

#include "DecomposeBackward.h"
#include "DropOut.h"
#include "ScoreBody.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace flash {
#define GEN_PASS_DEF_DECOMPOSEATTENTION
#include "flash/Dialect/Flash/Transforms/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

namespace {
/// Writes one flash.online_attention out. Scores are queries x keys, or keys x
/// queries when transposed.
class StepBuilder {
public:
  StepBuilder(RewriterBase &rewriter, OnlineAttentionOp op)
      : b(rewriter), op(op), loc(op.getLoc()), transposed(op.getTransposed()),
        rows(op.getMax().getType().getDimSize(0)),
        keys(op.getKey().getType().getDimSize(0)), scale(op.getScale()),
        accumulator(op.getAcc().getType().getElementType()),
        operandType(op.getQuery().getType().getElementType()) {
    scoreShape = transposed ? SmallVector<int64_t>{keys, rows}
                            : SmallVector<int64_t>{rows, keys};
  }

  SmallVector<Value> build();

private:
  Value scores();
  Value widen(Value tile);
  Value empty(ArrayRef<int64_t> shape, Type element) {
    return tensor::EmptyOp::create(b, loc, shape, element);
  }

  RewriterBase &b;
  OnlineAttentionOp op;
  Location loc;
  bool transposed;
  int64_t rows, keys;
  double scale;
  Type accumulator, operandType;
  SmallVector<int64_t> scoreShape;
};
} // namespace

/// An 8-bit tile in the type of the queries, which holds all its values.
Value StepBuilder::widen(Value tile) {
  auto type = cast<RankedTensorType>(tile.getType());
  if (type.getElementTypeBitWidth() != 8)
    return tile;
  return mapTiles(b, loc, type.getShape(), tile, b.getMultiDimIdentityMap(2),
                  operandType,
                  [&](OpBuilder &nested, Location l, ValueRange in) {
                    Type wide = operandType.isF64() ? operandType
                                                    : Type(nested.getF32Type());
                    Value value =
                        isa<IntegerType>(in[0].getType())
                            ? arith::SIToFPOp::create(nested, l, wide, in[0])
                                  .getResult()
                            : arith::ExtFOp::create(nested, l, wide, in[0])
                                  .getResult();
                    if (wide != operandType)
                      value = arith::TruncFOp::create(nested, l, operandType,
                                                      value);
                    return SmallVector<Value>{value};
                  })
      .front();
}

/// S = Q K^T, not scaled.
Value StepBuilder::scores() {
  Value zero = filledTile(b, loc, scoreShape, 0.0, accumulator);
  Value key = widen(op.getKey());
  return transposed
             ? contract(b, loc, key, op.getQuery(), zero, {0, 2}, {2, 1})
             : contract(b, loc, op.getQuery(), key, zero, {0, 2}, {1, 2});
}

SmallVector<Value> StepBuilder::build() {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(op);
  ScoreBody body(b, op, rows, accumulator);
  Value s = body.maskScores(body.applyScores(scores()));
  auto softmax = OnlineSoftmaxOp::create(
      b, loc, s, empty(scoreShape, operandType), op.getMax(), op.getSum(),
      empty(rows, accumulator),
      b.getF32FloatAttr(body.scalesBefore() ? 1.0f : scale),
      b.getI64IntegerAttr(transposed ? 0 : 1));
  Value p = dropOut(b, op, softmax.getP()), value = widen(op.getValue());

  RankedTensorType accType = op.getAcc().getType();
  AffineMap identity = b.getMultiDimIdentityMap(2);
  AffineMap alphaMap = AffineMap::get(
      2, 0, {b.getAffineDimExpr(transposed ? 1 : 0)}, b.getContext());
  auto rescaled = linalg::GenericOp::create(
      b, loc, TypeRange{accType}, ValueRange{softmax.getAlpha()},
      ValueRange{op.getAcc()}, ArrayRef<AffineMap>{alphaMap, identity},
      SmallVector<utils::IteratorType>(2, utils::IteratorType::parallel),
      [&](OpBuilder &nested, Location l, ValueRange args) {
        linalg::YieldOp::create(
            nested, l,
            ValueRange{arith::MulFOp::create(nested, l, args[1], args[0])});
      });
  Value acc = rescaled.getResult(0);
  if (!isa<IntegerType>(op.getValue().getType().getElementType()))
    value = body.hideUnseen(value);
  acc = transposed ? contract(b, loc, value, p, acc, {2, 0}, {2, 1})
                   : contract(b, loc, p, value, acc, {0, 2}, {2, 1});
  return {acc, softmax.getMaxOut(), softmax.getSumOut()};
}

namespace {
struct DecomposeAttentionPass
    : flash::impl::DecomposeAttentionBase<DecomposeAttentionPass> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<OnlineAttentionOp> ops;
    getOperation().walk([&](OnlineAttentionOp op) { ops.push_back(op); });
    for (OnlineAttentionOp op : ops) {
      rewriter.replaceOp(op, StepBuilder(rewriter, op).build());
      ++numDecomposed;
    }
    SmallVector<BackwardStepOp> steps;
    getOperation().walk([&](BackwardStepOp op) { steps.push_back(op); });
    for (BackwardStepOp op : steps) {
      FailureOr<SmallVector<Value>> results =
          decomposeBackwardStep(rewriter, op);
      if (failed(results))
        return signalPassFailure();
      rewriter.replaceOp(op, *results);
      ++numDecomposed;
    }
  }
};
} // namespace
