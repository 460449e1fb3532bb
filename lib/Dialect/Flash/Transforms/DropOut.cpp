//===- DropOut.cpp - Dropout of one step ------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %d = linalg.generic ins(%p) { kept(q, k) ? p : 0 }
//
// A call of Philox serves two queries and two keys. Threads of a GPU that hold
// neighbours find that out from the elements; on a CPU, whose tiles are keys x
// queries and whose lanes run along queries, the words of a pair of keys are
// made once, in tiles of their own, and both rows of the pair read them:
//
//   %w:2 = linalg.generic { words of keys 2n and 2n + 1 }    // N/2 x M
//   %d = linalg.generic ins(%w#0, %w#1) outs(%p as N/2 x 2 x M)
//
// That is so where the step's first key is even; else each element asks.
//
//===----------------------------------------------------------------------===//

#include "DropOut.h"
#include "PackedRows.h"

#include "flash/Dialect/Flash/Transforms/Philox.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace flash;

using Body = function_ref<Value(OpBuilder &, Location, ValueRange)>;

/// A linalg.generic that changes `tile` in place: the body gets elements of
/// `inputs`, then the tile's.
static Value update(OpBuilder &b, Location loc, Value tile, ValueRange inputs,
                    SmallVector<AffineMap> maps, Body body) {
  int64_t rank = cast<RankedTensorType>(tile.getType()).getRank();
  maps.push_back(b.getMultiDimIdentityMap(rank));
  auto generic = linalg::GenericOp::create(
      b, loc, TypeRange{tile.getType()}, inputs, ValueRange{tile}, maps,
      SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
      [&](OpBuilder &nested, Location l, ValueRange args) {
        linalg::YieldOp::create(nested, l, body(nested, l, args));
      });
  hoistInvariants(generic);
  return generic.getResult(0);
}

static Value orZero(OpBuilder &b, Location loc, Value kept, Value element) {
  Value zero =
      arith::ConstantOp::create(b, loc, b.getZeroAttr(element.getType()));
  return arith::SelectOp::create(b, loc, kept, element, zero);
}

/// Position and head of the query that a row of the step's tile is.
static RowPlace queryOfRow(OpBuilder &b, Location loc, OnlineAttentionOp op,
                           Value row) {
  int64_t rows = op.getMax().getType().getDimSize(0);
  RowPlace place = placeOfRow(b, loc, op.getPackingAttr(), rows, row);
  Value head = op.getHead();
  if (place.head)
    head = arith::AddIOp::create(b, loc, head, place.head);
  return {arith::AddIOp::create(b, loc, op.getQPosition(), place.position),
          head};
}

/// Whether the element is kept, each for itself.
static Value isKept(OpBuilder &b, Location loc, OnlineAttentionOp op) {
  bool transposed = op.getTransposed();
  Value i = linalg::IndexOp::create(b, loc, transposed ? 1 : 0),
        j = linalg::IndexOp::create(b, loc, transposed ? 0 : 1);
  RowPlace query = queryOfRow(b, loc, op, i);
  Value k = arith::AddIOp::create(b, loc, op.getKPosition(), j);
  return buildIsKept(b, loc, op.getDropoutPAttr().getValue(), op.getSeed(),
                     op.getDropoutOffset(), op.getBatch(), query.head,
                     query.position, k);
}

/// Words for pairs of keys, of which the step's first is even.
static Value dropPairs(OpBuilder &b, OnlineAttentionOp op,
                       Value probabilities) {
  Location loc = op.getLoc();
  auto type = cast<RankedTensorType>(probabilities.getType());
  int64_t pairs = type.getDimSize(0) / 2, rows = type.getDimSize(1);
  Value one = arith::ConstantIndexOp::create(b, loc, 1);
  Value firstPair = arith::ShRSIOp::create(b, loc, op.getKPosition(), one);
  Type word = b.getI32Type();
  SmallVector<Value> words = mapTiles(
      b, loc, {pairs, rows}, {}, {}, {word, word},
      [&](OpBuilder &nested, Location l, ValueRange) {
        Value pair = arith::AddIOp::create(
            nested, l, firstPair, linalg::IndexOp::create(nested, l, 0));
        RowPlace query =
            queryOfRow(nested, l, op, linalg::IndexOp::create(nested, l, 1));
        std::array<Value, 2> ofKeys =
            buildPairWords(nested, l, op.getSeed(), op.getDropoutOffset(),
                           op.getBatch(), query.head, query.position, pair);
        return SmallVector<Value>{ofKeys[0], ofKeys[1]};
      });
  hoistInvariants(words[0].getDefiningOp<linalg::GenericOp>());

  SmallVector<ReassociationIndices> groups{{0, 1}, {2}};
  Value paired = tensor::ExpandShapeOp::create(
      b, loc, type.clone({pairs, 2, rows}), probabilities, groups);
  AffineMap ofPair = AffineMap::get(
      3, 0, {b.getAffineDimExpr(0), b.getAffineDimExpr(2)}, b.getContext());
  Value dropped = update(
      b, loc, paired, words, {ofPair, ofPair},
      [&](OpBuilder &nested, Location l, ValueRange in) {
        Value second = linalg::IndexOp::create(nested, l, 1);
        Value isOdd = arith::CmpIOp::create(nested, l, arith::CmpIPredicate::eq,
                                            second, one);
        Value drawn = arith::SelectOp::create(nested, l, isOdd, in[1], in[0]);
        Value kept =
            buildIsKept(nested, l, op.getDropoutPAttr().getValue(), drawn);
        return orZero(nested, l, kept, in[2]);
      });
  return tensor::CollapseShapeOp::create(b, loc, type, dropped, groups);
}

Value flash::dropOut(OpBuilder &b, OnlineAttentionOp op, Value probabilities) {
  if (!op.getDropoutP())
    return probabilities;
  Location loc = op.getLoc();
  auto type = cast<RankedTensorType>(probabilities.getType());
  auto dropEach = [&](OpBuilder &nested, Location l, ValueRange in) {
    return orZero(nested, l, isKept(nested, l, op), in[0]);
  };
  if (!op.getTransposed()) {
    Value dropped =
        mapTiles(b, loc, type.getShape(), probabilities,
                 b.getMultiDimIdentityMap(2), type.getElementType(),
                 [&](OpBuilder &nested, Location l, ValueRange in) {
                   return SmallVector<Value>{dropEach(nested, l, in)};
                 })
            .front();
    hoistInvariants(dropped.getDefiningOp<linalg::GenericOp>());
    return dropped;
  }
  if (type.getDimSize(0) % 2 != 0)
    return update(b, loc, probabilities, {}, {}, dropEach);
  Value one = arith::ConstantIndexOp::create(b, loc, 1),
        zero = arith::ConstantIndexOp::create(b, loc, 0);
  Value last = arith::AndIOp::create(b, loc, op.getKPosition(), one);
  Value even =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, last, zero);
  auto branch = scf::IfOp::create(
      b, loc, even,
      [&](OpBuilder &nested, Location l) {
        scf::YieldOp::create(nested, l, dropPairs(nested, op, probabilities));
      },
      [&](OpBuilder &nested, Location l) {
        scf::YieldOp::create(
            nested, l, update(nested, l, probabilities, {}, {}, dropEach));
      });
  return branch.getResult(0);
}
