//===- ScoreBody.cpp - What happens to the scores of a step ---------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %s1 = linalg.generic ins(%s) { score functions of scale * s }
//   %s2 = scf.if %partial { linalg.generic { visible ? s1 : -inf } } else { %s1
//   }
//
// The predicate is computed for partial blocks only.
//
//===----------------------------------------------------------------------===//

#include "ScoreBody.h"

#include "flash/Dialect/Flash/Transforms/Differentiate.h"
#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <limits>

using namespace mlir;
using namespace flash;

bool flash::mayPad(Value existing, int64_t size) {
  return getConstantIntValue(existing).value_or(0) < size;
}

//===----------------------------------------------------------------------===//
// Elements at positions
//===----------------------------------------------------------------------===//

/// Query and key of an element, within the tile.
std::pair<RowPlace, Value> ScoreBody::placeInTile(OpBuilder &builder,
                                                  Location l) {
  Value i = linalg::IndexOp::create(builder, l, isTransposed ? 1 : 0);
  Value j = linalg::IndexOp::create(builder, l, isTransposed ? 0 : 1);
  return {placeOfRow(builder, l, packing, rows, i), j};
}

/// The reads of a body whose place differs from element to element. That of a
/// row's head, a sum with `head`, does not count: all heads of a tile exist.
static SmallVector<tensor::ExtractOp> findElementReads(linalg::GenericOp mapped,
                                                       Value head) {
  SmallVector<tensor::ExtractOp> reads;
  mapped.walk([&](tensor::ExtractOp extract) {
    SetVector<Operation *> slice;
    BackwardSliceOptions options;
    options.omitBlockArguments = true;
    options.filter = [&](Operation *op) {
      bool isHead = head && isa<arith::AddIOp>(op) && op->getOperand(0) == head;
      return mapped->isAncestor(op) && !isHead;
    };
    (void)getBackwardSlice(extract.getOperation(), &slice, options);
    if (llvm::any_of(slice, llvm::IsaPred<linalg::IndexOp>))
      reads.push_back(extract);
  });
  return reads;
}

/// Makes a body read where both the query and the key exist, and take zero
/// elsewhere.
void ScoreBody::guardReads(linalg::GenericOp mapped) {
  OpBuilder::InsertionGuard guard(b);
  Value exists;
  for (tensor::ExtractOp read : findElementReads(mapped, firstHead())) {
    if (!exists) {
      b.setInsertionPointToStart(mapped.getBody());
      auto [i, j] = placeInTile(b, loc);
      exists =
          arith::AndIOp::create(b, loc, index.less(i.position, existingQueries),
                                index.less(j, existingKeys));
    }
    b.setInsertionPoint(read);
    auto branch = scf::IfOp::create(b, loc, read.getType(), exists,
                                    /*addThenBlock=*/true,
                                    /*addElseBlock=*/true);
    read.replaceAllUsesWith(branch.getResult(0));
    b.setInsertionPointToEnd(branch.elseBlock());
    Value zero =
        arith::ConstantOp::create(b, loc, b.getZeroAttr(read.getType()));
    scf::YieldOp::create(b, loc, zero);
    b.setInsertionPointToEnd(branch.thenBlock());
    auto yield = scf::YieldOp::create(b, loc, read.getResult());
    read->moveBefore(yield);
  }
}

/// Builds an element-wise op whose body may read data at positions. Where some
/// of the tile's do not exist, padding asks for the last that does (in
/// vectors), or is not asked (where threads read elements; whole tiles are told
/// apart, and do not look).
SmallVector<Value> ScoreBody::mapPositions(Value tile, unsigned results,
                                           const PositionBody &body) {
  auto map = [&](bool clamped) {
    Value lastQuery, lastKey;
    if (clamped) {
      lastQuery = index.sub(existingQueries, index.constant(1));
      lastKey = index.sub(existingKeys, index.constant(1));
    }
    auto inner = [&](OpBuilder &nested, Location l, ValueRange in) {
      auto [row, j] = placeInTile(nested, l);
      Value i = row.position;
      Element element{j, head, {}, {}, i};
      if (row.head && element.head)
        element.head = arith::AddIOp::create(nested, l, element.head, row.head);
      if (clamped && mayPad(existingQueries, positions))
        i = arith::MinSIOp::create(nested, l, i, lastQuery);
      if (clamped && mayPad(existingKeys, keys))
        j = arith::MinSIOp::create(nested, l, j, lastKey);
      element.q = arith::AddIOp::create(nested, l, qPosition, i);
      element.k = arith::AddIOp::create(nested, l, kPosition, j);
      return body(nested, l, in[0], element);
    };
    SmallVector<Value> mapped =
        mapTiles(b, loc, getShape(), tile, b.getMultiDimIdentityMap(2),
                 SmallVector<Type>(results, accumulator), inner);
    auto generic = mapped.front().getDefiningOp<linalg::GenericOp>();
    hoistInvariants(generic);
    return generic;
  };
  linalg::GenericOp mapped = map(/*clamped=*/false);
  // Nobody looks at positions alone where there is no place.
  bool pads = existingQueries && (mayPad(existingQueries, positions) ||
                                  mayPad(existingKeys, keys));
  if (!pads || findElementReads(mapped, firstHead()).empty())
    return SmallVector<Value>(mapped.getResults());
  mapped.erase();
  if (clampsReads)
    return SmallVector<Value>(map(/*clamped=*/true).getResults());
  Value whole = arith::AndIOp::create(
      b, loc, index.less(index.constant(positions - 1), existingQueries),
      index.less(index.constant(keys - 1), existingKeys));
  auto branch = scf::IfOp::create(
      b, loc, whole,
      [&](OpBuilder &, Location) {
        scf::YieldOp::create(b, loc, map(/*clamped=*/false).getResults());
      },
      [&](OpBuilder &, Location) {
        linalg::GenericOp guarded = map(/*clamped=*/false);
        guardReads(guarded);
        scf::YieldOp::create(b, loc, guarded.getResults());
      });
  return SmallVector<Value>(branch.getResults());
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

/// What Q K^T is multiplied by.
Value ScoreBody::buildFactor() {
  Value factor =
      arith::ConstantOp::create(b, loc, b.getFloatAttr(accumulator, scale));
  if (!keyScale)
    return factor;
  Value ofKeys = keyScale;
  if (ofKeys.getType() != accumulator)
    ofKeys = arith::ExtFOp::create(b, loc, accumulator, ofKeys);
  return arith::MulFOp::create(b, loc, factor, ofKeys);
}

/// The score functions of a scaled score.
Value ScoreBody::buildScores(OpBuilder &builder, Location l, Value score,
                             const Element &element) {
  if (!scores)
    return score;
  ValueRange operands = scoreOperands;
  for (auto function : scores.getAsRange<ScoreAttrInterface>()) {
    unsigned count = function.getNumScoreOperands();
    TilePlace place = scorePlace.with(operands.take_front(count));
    place.head = element.head;
    score = function.buildScore(builder, l, place, score, element.q, element.k);
    operands = operands.drop_front(count);
  }
  return score;
}

Value ScoreBody::applyScores(Value tile) {
  if (!scalesBefore())
    return tile;
  Value factor = buildFactor();
  return mapPositions(tile, /*results=*/1,
                      [&](OpBuilder &nested, Location l, Value score,
                          const Element &element) -> SmallVector<Value> {
                        score = arith::MulFOp::create(nested, l, score, factor);
                        return {buildScores(nested, l, score, element)};
                      })
      .front();
}

FailureOr<ScoreBody::Differentiated>
ScoreBody::differentiateScores(Value tile) {
  SmallVector<ScoreAttrInterface> functions;
  if (scores)
    llvm::append_range(functions, scores.getAsRange<ScoreAttrInterface>());
  Value factor = buildFactor();
  // Whether there is a derivative, which a first try tells.
  bool isOne = true, isBounded = true, hasFailed = false;
  auto map = [&](unsigned results) {
    return mapPositions(
        tile, results,
        [&](OpBuilder &nested, Location l, Value score,
            const Element &element) -> SmallVector<Value> {
          score = arith::MulFOp::create(nested, l, score, factor);
          TilePlace place = scorePlace;
          place.head = element.head;
          FailureOr<ValueAndDerivative> both = buildScoreAndDerivative(
              nested, l, functions, place, scoreOperands, score, element.q,
              element.k);
          if (failed(both)) {
            hasFailed = true;
            return SmallVector<Value>(results, score);
          }
          isOne &= !both->derivative;
          isBounded &= both->isBounded;
          SmallVector<Value> made{both->value};
          if (results == 2)
            made.push_back(
                both->derivative
                    ? both->derivative
                    : arith::ConstantOp::create(
                          nested, l, nested.getFloatAttr(accumulator, 1.0)));
          return made;
        });
  };
  SmallVector<Value> tiles = map(/*results=*/1);
  if (hasFailed)
    return failure();
  if (isOne)
    return Differentiated{tiles.front(), Value()};
  tiles.front().getDefiningOp()->erase();
  tiles = map(/*results=*/2);
  return Differentiated{tiles[0], tiles[1], isBounded};
}

//===----------------------------------------------------------------------===//
// Masks
//===----------------------------------------------------------------------===//

Value ScoreBody::isCut() {
  if (!mask || cut)
    return cut;
  Value qLast = index.add(qPosition, index.constant(positions - 1));
  Value kLast = index.add(kPosition, index.constant(keys - 1));
  Value full =
      mask.buildIsFull(b, loc, maskPlace, qPosition, qLast, kPosition, kLast);
  Value one = arith::ConstantOp::create(b, loc, b.getBoolAttr(true));
  cut = arith::XOrIOp::create(b, loc, full, one);
  return cut;
}

/// An i1: whether keys are missing; null if it is known that none is.
Value ScoreBody::isRagged() {
  return mayPad(existingKeys, keys)
             ? index.less(existingKeys, index.constant(keys))
             : Value();
}

/// A tile with `hidden` where the key does not exist or the mask hides it, and,
/// if `ofPadding`, where the query does not exist.
Value ScoreBody::hide(Value tile, double hidden, bool ofPadding) {
  auto body = [&](OpBuilder &nested, Location l, Value score,
                  const Element &element) -> SmallVector<Value> {
    Value visible;
    auto restrict = [&](Value condition) {
      visible = visible ? arith::AndIOp::create(nested, l, visible, condition)
                        : condition;
    };
    auto restrictTo = [&](Value row, Value existing, int64_t size) {
      if (mayPad(existing, size))
        restrict(arith::CmpIOp::create(nested, l, arith::CmpIPredicate::slt,
                                       row, existing));
    };
    restrictTo(element.column, existingKeys, keys);
    if (ofPadding)
      restrictTo(element.row, existingQueries, positions);
    if (mask) {
      TilePlace place = maskPlace;
      place.head = element.head;
      restrict(mask.buildIsVisible(nested, l, place, element.q, element.k));
    }
    Value instead = arith::ConstantOp::create(
        nested, l, nested.getFloatAttr(accumulator, hidden));
    return {arith::SelectOp::create(nested, l, visible, score, instead)
                .getResult()};
  };
  return mapPositions(tile, /*results=*/1, body).front();
}

Value ScoreBody::maskScores(Value tile, bool ofPadding) {
  Value partial = isRagged();
  if (partial && isCut())
    partial = arith::OrIOp::create(b, loc, partial, isCut());
  else if (isCut())
    partial = isCut();
  if (!partial)
    return tile;
  auto masked = scf::IfOp::create(
      b, loc, partial,
      [&](OpBuilder &, Location) {
        scf::YieldOp::create(b, loc,
                             hide(tile,
                                  -std::numeric_limits<double>::infinity(),
                                  ofPadding && mask));
      },
      [&](OpBuilder &, Location) { scf::YieldOp::create(b, loc, tile); });
  return masked.getResult(0);
}
