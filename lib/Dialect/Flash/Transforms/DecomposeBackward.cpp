//===- DecomposeBackward.cpp - One step of a backward, written out --------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %r:3 = flash.backward_step ins(%q, %k, %v, %do, %lse, %delta) ...
//   // becomes
//   %s  = linalg.matmul ins(%k, %q)                       S^T = K Q^T
//   %m  = score functions and mask of %s                  as in the forward
//   %dp = linalg.matmul ins(%v, %do)                      dP^T = V dO^T
//   %p, %ds = linalg.generic { exp2(m - lse), p * (dp - delta) }
//   %w  = flash.hide_unseen %k when %cut                  0 for what none sees
//   %dv = linalg.matmul ins(%p, %do) outs(%dv0)           dV += P^T dO
//   %dk = linalg.matmul ins(%ds, %q) outs(%dk0)           dK += dS^T Q
//   %dq = linalg.matmul ins(%ds, %w) outs(%dq0)           dQ += dS K
//
// With dropout, P meets dO with 0 for what was dropped, and dP is divided by
// 1 - p where it was kept; bits are those of the forward, for they follow from
// positions alone. For gradients of what score functions read a step gives S
// and p * (dp - delta) themselves.
//
// Here in the form `transposed`. What no result needs is not made. dP, too, is
// made of values without those that none sees; of a copy of them that lies the
// other way round, dP is 0 where the mask hides the key.
//
//===----------------------------------------------------------------------===//

#include "DecomposeBackward.h"

#include "ScoreBody.h"
#include "flash/Dialect/Flash/Transforms/Philox.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace flash;

namespace {
struct BackwardStepBuilder {
  BackwardStepBuilder(RewriterBase &rewriter, BackwardStepOp op)
      : b(rewriter), op(op), loc(op.getLoc()), transposed(op.getTransposed()),
        rows(op.getQuery().getType().getDimSize(0)),
        accumulator(op.getAccumulatorType()),
        element(op.getQuery().getType().getElementType()),
        body(rewriter, op, rows, accumulator) {}

  FailureOr<SmallVector<Value>> build();

private:
  Value contractHeadDims(Value ofQueries, Value ofQueriesT, Value ofKeys,
                         Value ofKeysT, Value statistic);
  Value beginWith(Value statistic);
  Value gradientOfProbabilities();
  /// Whether keys are cleared, for dQ, where they lie, on a GPU, so that
  /// scores, too, are those of cleared keys: it has the loop's other side in
  /// the rows.
  bool clearsInPlace() {
    return op.getDQuery() && !op.getKeyT() &&
           transposed == (op.getDKey() || op.getDValue());
  }
  Value probabilities(Value scores, double factor);
  Value isKept(OpBuilder &nested, Location l);
  Value dropped(OpBuilder &nested, Location l, Value kept, Value value,
                double factor = 1);
  Value gradientOfScores(Value scores, double factor, Value dP);
  std::pair<Value, Value>
  probabilitiesAndGradient(const ScoreBody::Differentiated &scores,
                           double factor, Value dP);
  Value addToKeys(Value scores, Value ofQueries, Value sum) {
    return contract(b, loc, scores, ofQueries, sum,
                    transposed ? ArrayRef<unsigned>{0, 2}
                               : ArrayRef<unsigned>{2, 0},
                    {2, 1});
  }
  Value addToQueries(Value scores, Value ofKeys, Value sum) {
    return contract(b, loc, scores, ofKeys, sum,
                    transposed ? ArrayRef<unsigned>{2, 0}
                               : ArrayRef<unsigned>{0, 2},
                    {2, 1});
  }
  AffineMap scoreMap() { return b.getMultiDimIdentityMap(2); }
  /// Of what each query has.
  AffineMap queryMap() {
    return AffineMap::get(2, 0, {b.getAffineDimExpr(transposed ? 1 : 0)},
                          b.getContext());
  }
  /// What dropout leaves on average: kept gradients are divided by it.
  double keptPart() {
    return op.getDropoutP() ? 1 - op.getDropoutP()->convertToDouble() : 1;
  }
  Value round(OpBuilder &nested, Location l, Value value) {
    return element == accumulator
               ? value
               : arith::TruncFOp::create(nested, l, element, value);
  }
  Value constant(OpBuilder &nested, Location l, double value) {
    return arith::ConstantOp::create(nested, l,
                                     nested.getFloatAttr(accumulator, value));
  }
  /// exp2(factor * score - lse); `lse` is null where the score contains it.
  /// With `isAnyNumber` the score may be infinite where a row is padding, or
  /// sees no key; the probability is 0 there.
  Value exponential(OpBuilder &nested, Location l, Value score, Value lse,
                    double factor, bool isAnyNumber);

  RewriterBase &b;
  BackwardStepOp op;
  Location loc;
  bool transposed;
  int64_t rows;
  Type accumulator, element;
  ScoreBody body;
};
} // namespace

/// Whether a statistic is what a product begins with.
static bool isProduct(Value statistic) {
  return cast<RankedTensorType>(statistic.getType()).getRank() == 2;
}

/// What scores or their gradients begin with: 0, or ones times the parts of a
/// statistic, which is its number for each query.
Value BackwardStepBuilder::beginWith(Value statistic) {
  Value zero = filledTile(b, loc, body.getShape(), 0.0, accumulator);
  if (!isProduct(statistic))
    return zero;
  auto type = cast<RankedTensorType>(statistic.getType());
  Value ones = filledTile(b, loc, {body.getShape()[0], type.getDimSize(0)}, 1.0,
                          type.getElementType());
  return contract(b, loc, ones, statistic, zero, {0, 2}, {2, 1});
}

/// Queries times keys over their head dims, in the form of scores.
Value BackwardStepBuilder::contractHeadDims(Value ofQueries, Value ofQueriesT,
                                            Value ofKeys, Value ofKeysT,
                                            Value statistic) {
  Value zero = beginWith(statistic);
  SmallVector<unsigned> queryDims{0, 2}, keyDims{1, 2};
  if (transposed)
    std::swap(queryDims[0], keyDims[0]);
  if (ofQueriesT) {
    ofQueries = ofQueriesT;
    std::swap(queryDims[0], queryDims[1]);
  }
  if (ofKeysT) {
    ofKeys = ofKeysT;
    std::swap(keyDims[0], keyDims[1]);
  }
  return transposed
             ? contract(b, loc, ofKeys, ofQueries, zero, keyDims, queryDims)
             : contract(b, loc, ofQueries, ofKeys, zero, queryDims, keyDims);
}

/// dP = dO V^T, less delta where that is a part of the product.
Value BackwardStepBuilder::gradientOfProbabilities() {
  Value dOutput = op.getDOutput(), dOutputT = op.getDOutputT();
  if (!op.getValueT())
    return contractHeadDims(dOutput, dOutputT, body.hideUnseen(op.getValue()),
                            Value(), op.getDelta());
  return body.hideGradients(contractHeadDims(dOutput, dOutputT, op.getValue(),
                                             op.getValueT(), op.getDelta()));
}

Value BackwardStepBuilder::exponential(OpBuilder &nested, Location l,
                                       Value score, Value lse, double factor,
                                       bool isAnyNumber) {
  Value scaled =
      arith::MulFOp::create(nested, l, score, constant(nested, l, factor));
  if (lse)
    scaled = arith::SubFOp::create(nested, l, scaled, lse);
  Value p = math::Exp2Op::create(nested, l, scaled);
  if (!isAnyNumber)
    return p;
  Value none = arith::CmpFOp::create(
      nested, l, arith::CmpFPredicate::OEQ, lse,
      constant(nested, l, std::numeric_limits<double>::infinity()));
  return arith::SelectOp::create(nested, l, none, constant(nested, l, 0), p);
}

/// Whether dropout keeps the element that is being computed; null without it.
Value BackwardStepBuilder::isKept(OpBuilder &nested, Location l) {
  if (!op.getDropoutP())
    return Value();
  Value i = linalg::IndexOp::create(nested, l, transposed ? 1 : 0),
        j = linalg::IndexOp::create(nested, l, transposed ? 0 : 1);
  Value q = arith::AddIOp::create(nested, l, op.getQPosition(), i),
        k = arith::AddIOp::create(nested, l, op.getKPosition(), j);
  return buildIsKept(nested, l, op.getDropoutPAttr().getValue(), op.getSeed(),
                     op.getDropoutOffset(), op.getBatch(), op.getHead(), q, k);
}

/// The value, times a factor, if it is kept, else 0.
Value BackwardStepBuilder::dropped(OpBuilder &nested, Location l, Value kept,
                                   Value value, double factor) {
  if (!kept)
    return value;
  if (factor != 1)
    value =
        arith::MulFOp::create(nested, l, value, constant(nested, l, factor));
  return arith::SelectOp::create(nested, l, kept, value,
                                 constant(nested, l, 0));
}

Value BackwardStepBuilder::probabilities(Value scores, double factor) {
  bool isAnyNumber = !op.getScoreBody().empty();
  SmallVector<Value> inputs{scores};
  SmallVector<AffineMap> maps{scoreMap()};
  if (!isProduct(op.getLse())) {
    inputs.push_back(op.getLse());
    maps.push_back(queryMap());
  }
  Value made = mapTiles(b, loc, body.getShape(), inputs, maps, element,
                        [&](OpBuilder &nested, Location l, ValueRange in) {
                          Value lse = in.size() > 1 ? in[1] : Value();
                          Value p = exponential(nested, l, in[0], lse, factor,
                                                isAnyNumber);
                          p = dropped(nested, l, isKept(nested, l), p);
                          return SmallVector<Value>{round(nested, l, p)};
                        })
                   .front();
  if (op.getDropoutP())
    hoistInvariants(made.getDefiningOp());
  return made;
}

/// P * (dP - delta), for what score functions read: 0 where there is no
/// probability, whatever else is there.
Value BackwardStepBuilder::gradientOfScores(Value scores, double factor,
                                            Value dP) {
  SmallVector<AffineMap> maps{scoreMap(), scoreMap(), queryMap(), queryMap()};
  Value made =
      mapTiles(b, loc, body.getShape(),
               {scores, dP, op.getLse(), op.getDelta()}, maps, accumulator,
               [&](OpBuilder &nested, Location l, ValueRange in) {
                 Value p = exponential(nested, l, in[0], in[2], factor,
                                       /*isAnyNumber=*/true);
                 Value d = dropped(nested, l, isKept(nested, l), in[1],
                                   1 / keptPart());
                 d = arith::SubFOp::create(nested, l, d, in[3]);
                 d = arith::MulFOp::create(nested, l, p, d);
                 Value zero = constant(nested, l, 0);
                 Value none = arith::CmpFOp::create(
                     nested, l, arith::CmpFPredicate::OEQ, p, zero);
                 d = arith::SelectOp::create(nested, l, none, zero, d);
                 return SmallVector<Value>{d};
               })
          .front();
  if (op.getDropoutP())
    hoistInvariants(made.getDefiningOp());
  return made;
}

std::pair<Value, Value> BackwardStepBuilder::probabilitiesAndGradient(
    const ScoreBody::Differentiated &scores, double factor, Value dP) {
  SmallVector<Value> inputs{scores.scores, dP};
  SmallVector<AffineMap> maps{scoreMap(), scoreMap()};
  auto add = [&](Value input, AffineMap map) -> std::optional<size_t> {
    inputs.push_back(input);
    maps.push_back(map);
    return inputs.size() - 1;
  };
  std::optional<size_t> lse, delta, derivative;
  if (!isProduct(op.getLse()))
    lse = add(op.getLse(), queryMap());
  if (!isProduct(op.getDelta()))
    delta = add(op.getDelta(), queryMap());
  if (scores.derivative)
    derivative = add(scores.derivative, scoreMap());
  SmallVector<Type> types{element};
  if (op.getDValue())
    types.push_back(element);
  SmallVector<Value> tiles = mapTiles(
      b, loc, body.getShape(), inputs, maps, types,
      [&](OpBuilder &nested, Location l, ValueRange in) {
        Value p = exponential(nested, l, in[0], lse ? in[*lse] : Value(),
                              factor, /*isAnyNumber=*/!scores.isBounded);
        Value kept = isKept(nested, l);
        Value d = dropped(nested, l, kept, in[1], 1 / keptPart());
        if (delta)
          d = arith::SubFOp::create(nested, l, d, in[*delta]);
        d = arith::MulFOp::create(nested, l, p, d);
        if (derivative)
          d = arith::MulFOp::create(nested, l, d, in[*derivative]);
        // What has no probability (it is hidden, or padding) has no
        // gradient, whatever the derivative is.
        if (!scores.isBounded) {
          Value zero = constant(nested, l, 0);
          Value none = arith::CmpFOp::create(
              nested, l, arith::CmpFPredicate::OEQ, p, zero);
          d = arith::SelectOp::create(nested, l, none, zero, d);
        }
        SmallVector<Value> results{round(nested, l, d)};
        if (op.getDValue())
          results.insert(results.begin(),
                         round(nested, l, dropped(nested, l, kept, p)));
        return results;
      });
  if (op.getDropoutP())
    hoistInvariants(tiles.front().getDefiningOp());
  return {op.getDValue() ? tiles.front() : Value(), tiles.back()};
}

FailureOr<SmallVector<Value>> BackwardStepBuilder::build() {
  bool wantsScores = op.getDQuery() || op.getDKey() || op.getDScores();
  Value s = contractHeadDims(op.getQuery(), op.getQueryT(), op.getKey(),
                             op.getKeyT(), op.getLse());
  // The products that need nothing of each other come first.
  Value dP;
  if (wantsScores)
    dP = gradientOfProbabilities();
  ScoreBody::Differentiated scores;
  if (wantsScores && !op.getDScores() && op.getScores()) {
    auto both = body.differentiateScores(s);
    if (failed(both))
      return failure();
    scores = *both;
  } else {
    scores.scores = body.applyScores(s);
  }
  // The score of a hidden key may be no number, and so may its derivative.
  bool areNumbers = !body.isCut() || clearsInPlace();
  scores.scores = body.maskScores(scores.scores, /*ofPadding=*/!areNumbers);
  if (!areNumbers && scores.derivative)
    scores.isBounded = false;
  double factor = (body.scalesBefore() ? 1 : op.getScale()) / std::log(2.0);
  if (op.getDScores())
    return SmallVector<Value>{s, gradientOfScores(scores.scores, factor, dP)};
  Value p, ds;
  if (wantsScores)
    std::tie(p, ds) = probabilitiesAndGradient(scores, factor, dP);
  else
    p = probabilities(scores.scores, factor);
  SmallVector<Value> results;
  Value dValue, dKey;
  if (op.getDValue())
    dValue = addToKeys(p, op.getDOutput(), op.getDValueIn());
  if (op.getDKey())
    dKey = addToKeys(ds, op.getQuery(), op.getDKeyIn());
  if (op.getDQuery())
    results.push_back(
        addToQueries(ds, body.hideUnseen(op.getKey()), op.getDQueryIn()));
  if (dKey)
    results.push_back(dKey);
  if (dValue)
    results.push_back(dValue);
  return results;
}

FailureOr<SmallVector<Value>>
flash::decomposeBackwardStep(RewriterBase &rewriter, BackwardStepOp op) {
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(op);
  return BackwardStepBuilder(rewriter, op).build();
}
