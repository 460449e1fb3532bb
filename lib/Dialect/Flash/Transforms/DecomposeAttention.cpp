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
//   %a = acc * alpha ;  %o = linalg.matmul ins(%p, %v) outs(%a)
//
// Contractions and scalar bodies are what both the CPU's and the GPU's legs
// take over, so this is where they part. The predicate is computed for partial
// blocks only.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Transforms/Passes.h"

#include "TileUtils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <limits>

namespace flash {
#define GEN_PASS_DEF_DECOMPOSEATTENTION
#include "flash/Dialect/Flash/Transforms/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

/// out += lhs x rhs, contracted over the third loop.
static Value contract(OpBuilder &b, Location loc, Value lhs, Value rhs,
                      Value out, ArrayRef<unsigned> lhsDims,
                      ArrayRef<unsigned> rhsDims) {
  MLIRContext *context = b.getContext();
  auto map = [&](ArrayRef<unsigned> dims) {
    SmallVector<AffineExpr> exprs;
    for (unsigned dim : dims)
      exprs.push_back(getAffineDimExpr(dim, context));
    return AffineMap::get(3, 0, exprs, context);
  };
  auto matmul = linalg::MatmulOp::create(b, loc, TypeRange{out.getType()},
                                         ValueRange{lhs, rhs}, ValueRange{out});
  matmul.setIndexingMapsAttr(
      b.getAffineMapArrayAttr({map(lhsDims), map(rhsDims), map({0, 1})}));
  return matmul.getResult(0);
}

namespace {
/// Writes one flash.online_attention out. Scores are queries x keys, or keys x
/// queries when transposed.
class StepBuilder {
public:
  StepBuilder(RewriterBase &rewriter, OnlineAttentionOp op)
      : b(rewriter), op(op), loc(op.getLoc()), index(rewriter, loc),
        transposed(op.getTransposed()),
        rows(op.getMax().getType().getDimSize(0)),
        keys(op.getKey().getType().getDimSize(0)),
        scale(op.getScale().convertToFloat()) {
    scoreShape = transposed ? SmallVector<int64_t>{keys, rows}
                            : SmallVector<int64_t>{rows, keys};
  }

  SmallVector<Value> build();

private:
  Value scores();
  Value isPartial();
  Value applyScores(Value scores);
  Value maskScores(Value scores);
  TilePlace maskPlace() {
    return op.getPlace(op.getMaskOperands(), op.getMaskBody());
  }
  Value empty(ArrayRef<int64_t> shape, Type element) {
    return tensor::EmptyOp::create(b, loc, shape, element);
  }

  RewriterBase &b;
  OnlineAttentionOp op;
  Location loc;
  IndexBuilder index;
  bool transposed;
  int64_t rows, keys;
  float scale;
  SmallVector<int64_t> scoreShape;
};
} // namespace

/// S = Q K^T in f32, scaled here only if the scale is not positive: softmax
/// looks for the maximum before it scales. Score functions scale for
/// themselves.
Value StepBuilder::scores() {
  Value zero = filledTile(b, loc, scoreShape, 0.0);
  Value s =
      transposed
          ? contract(b, loc, op.getKey(), op.getQuery(), zero, {0, 2}, {2, 1})
          : contract(b, loc, op.getQuery(), op.getKey(), zero, {0, 2}, {1, 2});
  if (scale > 0 || op.getScores())
    return s;
  return mapTiles(b, loc, scoreShape, s, b.getMultiDimIdentityMap(2),
                  b.getF32Type(),
                  [&](OpBuilder &nested, Location l, ValueRange in) {
                    Value factor = arith::ConstantOp::create(
                        nested, l, nested.getF32FloatAttr(scale));
                    return SmallVector<Value>{
                        arith::MulFOp::create(nested, l, in[0], factor)};
                  })
      .front();
}

/// An i1: whether some score of the block is hidden, or null if it is known
/// that none is.
Value StepBuilder::isPartial() {
  Value partial;
  if (getConstantIntValue(op.getKeys()).value_or(0) < keys)
    partial = index.less(op.getKeys(), index.constant(keys));
  if (MaskAttrInterface mask = op.getMaskAttr()) {
    Value qLast = index.add(op.getQPosition(), index.constant(rows - 1));
    Value kLast = index.add(op.getKPosition(), index.constant(keys - 1));
    Value full = mask.buildIsFull(b, loc, maskPlace(), op.getQPosition(), qLast,
                                  op.getKPosition(), kLast);
    Value one = arith::ConstantOp::create(b, loc, b.getBoolAttr(true));
    Value notFull = arith::XOrIOp::create(b, loc, full, one);
    partial =
        partial ? arith::OrIOp::create(b, loc, partial, notFull) : notFull;
  }
  return partial;
}

/// Whether fewer than all `size` rows of a tile may exist.
static bool mayPad(Value existing, int64_t size) {
  return getConstantIntValue(existing).value_or(0) < size;
}

/// The scale, then the score functions in their order, each on what the one
/// before made. Where they read data, padding asks for the last row that
/// exists.
Value StepBuilder::applyScores(Value scores) {
  if (!op.getScores())
    return scores;
  bool readsData = !op.getScoreOperands().empty() || !op.getCaptures().empty();
  Value lastQuery = index.sub(op.getQueries(), index.constant(1)),
        lastKey = index.sub(op.getKeys(), index.constant(1));
  auto body = [&](OpBuilder &nested, Location l, ValueRange in) {
    Value i = linalg::IndexOp::create(nested, l, transposed ? 1 : 0);
    Value j = linalg::IndexOp::create(nested, l, transposed ? 0 : 1);
    if (readsData && mayPad(op.getQueries(), rows))
      i = arith::MinSIOp::create(nested, l, i, lastQuery);
    if (readsData && mayPad(op.getKeys(), keys))
      j = arith::MinSIOp::create(nested, l, j, lastKey);
    Value q = arith::AddIOp::create(nested, l, op.getQPosition(), i);
    Value k = arith::AddIOp::create(nested, l, op.getKPosition(), j);
    Value factor =
        arith::ConstantOp::create(nested, l, nested.getF32FloatAttr(scale));
    Value score = arith::MulFOp::create(nested, l, in[0], factor);
    ValueRange operands = op.getScoreOperands();
    for (auto function : op.getScoresAttr().getAsRange<ScoreAttrInterface>()) {
      unsigned count = function.getNumScoreOperands();
      TilePlace place =
          op.getPlace(operands.take_front(count), op.getScoreBody());
      score = function.buildScore(nested, l, place, score, q, k);
      operands = operands.drop_front(count);
    }
    return SmallVector<Value>{score};
  };
  Value changed = mapTiles(b, loc, scoreShape, scores,
                           b.getMultiDimIdentityMap(2), b.getF32Type(), body)
                      .front();
  hoistInvariants(changed.getDefiningOp<linalg::GenericOp>());
  return changed;
}

/// Scores with -inf where the key does not exist or the mask hides it.
Value StepBuilder::maskScores(Value scores) {
  Value lastQuery, lastKey;
  bool readsData = !op.getMaskOperands().empty() ||
                   (!op.getMaskBody().empty() && !op.getCaptures().empty());
  if (readsData) {
    lastQuery = index.sub(op.getQueries(), index.constant(1));
    lastKey = index.sub(op.getKeys(), index.constant(1));
  }
  auto body = [&](OpBuilder &nested, Location l, ValueRange in) {
    Value i = linalg::IndexOp::create(nested, l, transposed ? 1 : 0);
    Value j = linalg::IndexOp::create(nested, l, transposed ? 0 : 1);
    Value visible;
    if (getConstantIntValue(op.getKeys()).value_or(0) < keys)
      visible = arith::CmpIOp::create(nested, l, arith::CmpIPredicate::slt, j,
                                      op.getKeys());
    if (MaskAttrInterface mask = op.getMaskAttr()) {
      // Where the mask reads operands, padding asks for the last that exists.
      if (readsData && mayPad(op.getQueries(), rows))
        i = arith::MinSIOp::create(nested, l, i, lastQuery);
      if (readsData && mayPad(op.getKeys(), keys))
        j = arith::MinSIOp::create(nested, l, j, lastKey);
      Value q = arith::AddIOp::create(nested, l, op.getQPosition(), i);
      Value k = arith::AddIOp::create(nested, l, op.getKPosition(), j);
      Value seen = mask.buildIsVisible(nested, l, maskPlace(), q, k);
      visible =
          visible ? arith::AndIOp::create(nested, l, visible, seen) : seen;
    }
    Value hidden = arith::ConstantOp::create(
        nested, l,
        nested.getF32FloatAttr(-std::numeric_limits<float>::infinity()));
    return SmallVector<Value>{
        arith::SelectOp::create(nested, l, visible, in[0], hidden)};
  };
  Value masked = mapTiles(b, loc, scoreShape, scores,
                          b.getMultiDimIdentityMap(2), b.getF32Type(), body)
                     .front();
  hoistInvariants(masked.getDefiningOp<linalg::GenericOp>());
  return masked;
}

SmallVector<Value> StepBuilder::build() {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(op);
  Value s = applyScores(scores());
  if (Value partial = isPartial()) {
    auto masked = scf::IfOp::create(
        b, loc, partial,
        [&](OpBuilder &, Location) {
          scf::YieldOp::create(b, loc, maskScores(s));
        },
        [&](OpBuilder &, Location) { scf::YieldOp::create(b, loc, s); });
    s = masked.getResult(0);
  }

  Type element = op.getValue().getType().getElementType();
  auto softmax = OnlineSoftmaxOp::create(
      b, loc, s, empty(scoreShape, element), op.getMax(), op.getSum(),
      empty(rows, b.getF32Type()),
      b.getF32FloatAttr(op.getScores() ? 1.0f : softmaxScale(scale)),
      b.getI64IntegerAttr(transposed ? 0 : 1));

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
  acc = transposed ? contract(b, loc, op.getValue(), softmax.getP(), acc,
                              {2, 0}, {2, 1})
                   : contract(b, loc, softmax.getP(), op.getValue(), acc,
                              {0, 2}, {2, 1});
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
  }
};
} // namespace
