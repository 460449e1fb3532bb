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

#include "DropOut.h"
#include "PackedRows.h"
#include "TileUtils.h"
#include "mlir/Analysis/SliceAnalysis.h"
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
        positions(positionsOf(op.getPackingAttr(), rows)),
        keys(op.getKey().getType().getDimSize(0)), scale(op.getScale()),
        accumulator(op.getAcc().getType().getElementType()),
        operandType(op.getQuery().getType().getElementType()) {
    scoreShape = transposed ? SmallVector<int64_t>{keys, rows}
                            : SmallVector<int64_t>{rows, keys};
  }

  SmallVector<Value> build();

private:
  Value scores();
  Value isCutByMask();
  Value isRagged();
  Value mayHide(Value cut);
  Value hideUnseen(Value values, Value cut);
  /// An element: its key within the tile, its head, and the positions of query
  /// and key.
  struct Element {
    Value column, head, q, k;
  };
  /// (builder, location, score, element) -> score
  using PositionBody =
      function_ref<Value(OpBuilder &, Location, Value, const Element &)>;
  Value mapPositions(Value scores, const PositionBody &body);
  void guardReads(Value mapped);
  /// Query and key of an element, within the tile.
  std::pair<RowPlace, Value> placeInTile(OpBuilder &builder, Location l) {
    Value i = linalg::IndexOp::create(builder, l, transposed ? 1 : 0);
    Value j = linalg::IndexOp::create(builder, l, transposed ? 0 : 1);
    return {placeOfRow(builder, l, op.getPackingAttr(), rows, i), j};
  }
  /// Of a tile of several heads, to which a row's own is added; else null.
  Value firstHead() { return op.getPackingAttr() ? op.getHead() : Value(); }
  Value applyScores(Value scores);
  Value widen(Value tile);
  bool scalesBefore() {
    return scalesFirst(scale, bool(op.getScores()), bool(op.getKeyScale()),
                       accumulator);
  }
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
  int64_t rows, positions, keys;
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

/// Whether fewer than all `size` rows of a tile may exist.
static bool mayPad(Value existing, int64_t size) {
  return getConstantIntValue(existing).value_or(0) < size;
}

/// An i1: whether the mask hides some score of the block, or null without one.
Value StepBuilder::isCutByMask() {
  MaskAttrInterface mask = op.getMaskAttr();
  if (!mask)
    return Value();
  Value qLast = index.add(op.getQPosition(), index.constant(positions - 1));
  Value kLast = index.add(op.getKPosition(), index.constant(keys - 1));
  Value full = mask.buildIsFull(b, loc, maskPlace(), op.getQPosition(), qLast,
                                op.getKPosition(), kLast);
  Value one = arith::ConstantOp::create(b, loc, b.getBoolAttr(true));
  return arith::XOrIOp::create(b, loc, full, one);
}

/// An i1: whether keys are missing, or null if it is known that none is.
Value StepBuilder::isRagged() {
  return mayPad(op.getKeys(), keys)
             ? index.less(op.getKeys(), index.constant(keys))
             : Value();
}

/// An i1: whether there may be keys in the block that no query of the tile
/// sees. A mask may know where those that some query sees begin and end.
Value StepBuilder::mayHide(Value cut) {
  MaskAttrInterface mask = op.getMaskAttr();
  if (!mask.fillsVisibleKeys())
    return cut;
  Value one = index.constant(1);
  Value qLast =
      index.sub(index.add(op.getQPosition(), op.getQueries()), one);
  auto [low, high] = mask.buildVisibleKeys(b, loc, maskPlace(),
                                           op.getQPosition(), qLast);
  Value outside;
  if (low)
    outside = index.less(op.getKPosition(), low);
  if (high) {
    Value end = index.add(op.getKPosition(), index.constant(keys));
    Value after = index.less(high, end);
    outside = outside ? arith::OrIOp::create(b, loc, outside, after) : after;
  }
  return outside ? arith::AndIOp::create(b, loc, cut, outside).getResult()
                 : cut;
}

/// The values, without those that no query of the tile sees: what they hold,
/// be it NaN, does not matter.
Value StepBuilder::hideUnseen(Value values, Value cut) {
  Type element = op.getValue().getType().getElementType();
  if (!cut || isa<IntegerType>(element))
    return values;
  auto hide = HideUnseenOp::create(b, loc, values.getType(), values,
                                   mayHide(cut), b.getI64IntegerAttr(rows));
  OpBuilder::InsertionGuard guard(b);
  Block *body = b.createBlock(&hide.getBody(), {},
                              {b.getIndexType(), b.getIndexType()}, {loc, loc});
  IndexBuilder inside(b, loc);
  RowPlace row =
      placeOfRow(b, loc, op.getPackingAttr(), rows, body->getArgument(0));
  TilePlace place = maskPlace();
  if (row.head && place.head)
    place.head = arith::AddIOp::create(b, loc, place.head, row.head);
  // Padding is answered for by the last that exists.
  auto last = [&](Value count) {
    return inside.sub(count, inside.constant(1));
  };
  Value i = inside.min(row.position, last(op.getQueries()));
  Value j = body->getArgument(1);
  if (mayPad(op.getKeys(), keys))
    j = inside.min(j, last(op.getKeys()));
  YieldOp::create(b, loc,
                  op.getMaskAttr().buildIsVisible(
                      b, loc, place, inside.add(op.getQPosition(), i),
                      inside.add(op.getKPosition(), j)));
  hoistInvariants(hide);
  return hide.getResult();
}

/// The reads of a body whose place differs from element to element. That of a
/// row's head, a sum with `head`, does not count: all heads of a tile exist.
static SmallVector<tensor::ExtractOp> findElementReads(Value mapped,
                                                       Value head) {
  auto generic = mapped.getDefiningOp<linalg::GenericOp>();
  SmallVector<tensor::ExtractOp> reads;
  generic.walk([&](tensor::ExtractOp extract) {
    SetVector<Operation *> slice;
    BackwardSliceOptions options;
    options.omitBlockArguments = true;
    options.filter = [&](Operation *op) {
      bool isHead = head && isa<arith::AddIOp>(op) && op->getOperand(0) == head;
      return generic->isAncestor(op) && !isHead;
    };
    (void)getBackwardSlice(extract.getOperation(), &slice, options);
    if (llvm::any_of(slice, llvm::IsaPred<linalg::IndexOp>))
      reads.push_back(extract);
  });
  return reads;
}

/// Makes a body read where both the query and the key exist, and take zero
/// elsewhere.
void StepBuilder::guardReads(Value mapped) {
  OpBuilder::InsertionGuard guard(b);
  Value exists;
  for (tensor::ExtractOp read : findElementReads(mapped, firstHead())) {
    if (!exists) {
      b.setInsertionPointToStart(
          mapped.getDefiningOp<linalg::GenericOp>().getBody());
      auto [i, j] = placeInTile(b, loc);
      exists =
          arith::AndIOp::create(b, loc, index.less(i.position, op.getQueries()),
                                index.less(j, op.getKeys()));
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
Value StepBuilder::mapPositions(Value scores, const PositionBody &body) {
  auto map = [&](bool clamped) {
    Value lastQuery, lastKey;
    if (clamped) {
      lastQuery = index.sub(op.getQueries(), index.constant(1));
      lastKey = index.sub(op.getKeys(), index.constant(1));
    }
    auto inner = [&](OpBuilder &nested, Location l, ValueRange in) {
      auto [row, j] = placeInTile(nested, l);
      Value i = row.position;
      Element element{j, op.getHead(), {}, {}};
      if (row.head && element.head)
        element.head = arith::AddIOp::create(nested, l, element.head, row.head);
      if (clamped && mayPad(op.getQueries(), positions))
        i = arith::MinSIOp::create(nested, l, i, lastQuery);
      if (clamped && mayPad(op.getKeys(), keys))
        j = arith::MinSIOp::create(nested, l, j, lastKey);
      element.q = arith::AddIOp::create(nested, l, op.getQPosition(), i);
      element.k = arith::AddIOp::create(nested, l, op.getKPosition(), j);
      return SmallVector<Value>{body(nested, l, in[0], element)};
    };
    Value mapped = mapTiles(b, loc, scoreShape, scores,
                            b.getMultiDimIdentityMap(2), accumulator, inner)
                       .front();
    hoistInvariants(mapped.getDefiningOp<linalg::GenericOp>());
    return mapped;
  };
  Value mapped = map(/*clamped=*/false);
  // Nobody looks at positions alone where there is no place.
  bool pads = op.getQueries() && (mayPad(op.getQueries(), positions) ||
                                  mayPad(op.getKeys(), keys));
  if (!pads || findElementReads(mapped, firstHead()).empty())
    return mapped;
  b.eraseOp(mapped.getDefiningOp());
  if (transposed)
    return map(/*clamped=*/true);
  Value whole = arith::AndIOp::create(
      b, loc, index.less(index.constant(positions - 1), op.getQueries()),
      index.less(index.constant(keys - 1), op.getKeys()));
  auto branch = scf::IfOp::create(
      b, loc, whole,
      [&](OpBuilder &, Location) {
        scf::YieldOp::create(b, loc, map(/*clamped=*/false));
      },
      [&](OpBuilder &, Location) {
        Value guarded = map(/*clamped=*/false);
        guardReads(guarded);
        scf::YieldOp::create(b, loc, guarded);
      });
  return branch.getResult(0);
}

/// The scale, then the score functions in their order, each on what the one
/// before made.
Value StepBuilder::applyScores(Value scores) {
  if (!scalesBefore())
    return scores;
  Value factor =
      arith::ConstantOp::create(b, loc, b.getFloatAttr(accumulator, scale));
  if (Value keys = op.getKeyScale()) {
    if (keys.getType() != accumulator)
      keys = arith::ExtFOp::create(b, loc, accumulator, keys);
    factor = arith::MulFOp::create(b, loc, factor, keys);
  }
  return mapPositions(
      scores,
      [&](OpBuilder &nested, Location l, Value score,
          const Element &element) -> Value {
        score = arith::MulFOp::create(nested, l, score, factor);
        if (!op.getScores())
          return score;
        ValueRange operands = op.getScoreOperands();
        for (auto function :
             op.getScoresAttr().getAsRange<ScoreAttrInterface>()) {
          unsigned count = function.getNumScoreOperands();
          TilePlace place =
              op.getPlace(operands.take_front(count), op.getScoreBody());
          place.head = element.head;
          score = function.buildScore(nested, l, place, score, element.q,
                                      element.k);
          operands = operands.drop_front(count);
        }
        return score;
      });
}

/// Scores with -inf where the key does not exist or the mask hides it.
Value StepBuilder::maskScores(Value scores) {
  return mapPositions(scores, [&](OpBuilder &nested, Location l, Value score,
                                  const Element &element) {
    Value visible;
    if (getConstantIntValue(op.getKeys()).value_or(0) < keys)
      visible = arith::CmpIOp::create(nested, l, arith::CmpIPredicate::slt,
                                      element.column, op.getKeys());
    if (MaskAttrInterface mask = op.getMaskAttr()) {
      TilePlace place = maskPlace();
      place.head = element.head;
      Value seen = mask.buildIsVisible(nested, l, place, element.q, element.k);
      visible =
          visible ? arith::AndIOp::create(nested, l, visible, seen) : seen;
    }
    Value hidden = arith::ConstantOp::create(
        nested, l,
        nested.getFloatAttr(accumulator,
                            -std::numeric_limits<double>::infinity()));
    return arith::SelectOp::create(nested, l, visible, score, hidden)
        .getResult();
  });
}

SmallVector<Value> StepBuilder::build() {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(op);
  Value s = applyScores(scores());
  Value partial = isRagged(), cut = isCutByMask();
  if (partial && cut)
    partial = arith::OrIOp::create(b, loc, partial, cut);
  else if (cut)
    partial = cut;
  if (partial) {
    auto masked = scf::IfOp::create(
        b, loc, partial,
        [&](OpBuilder &, Location) {
          scf::YieldOp::create(b, loc, maskScores(s));
        },
        [&](OpBuilder &, Location) { scf::YieldOp::create(b, loc, s); });
    s = masked.getResult(0);
  }

  auto softmax = OnlineSoftmaxOp::create(
      b, loc, s, empty(scoreShape, operandType), op.getMax(), op.getSum(),
      empty(rows, accumulator),
      b.getF32FloatAttr(scalesBefore() ? 1.0f : scale),
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
  value = hideUnseen(value, cut);
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
  }
};
} // namespace
