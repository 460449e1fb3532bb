//===- HideUnseen.cpp - Keys and values that no query sees ----------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A hidden key has probability 0, but 0 times what is NaN or infinite is NaN.
// Where a product multiplies by rows of keys or values, those that no query of
// the tile sees are taken out before:
//
//   %w = flash.hide_unseen %v when %cut queries(%n) { the mask at i and j }
//
// and where a tile of gradients of scores was made of such rows already, what
// the mask hides becomes 0. Both in blocks only that the mask cuts.
//
//===----------------------------------------------------------------------===//

#include "ScoreBody.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace flash;

/// An i1: whether there may be keys in the block that no query of the tile
/// sees. A mask may know where those that some query sees begin and end.
Value ScoreBody::mayHide() {
  Value cut = isCut();
  if (!mask.fillsVisibleKeys())
    return cut;
  Value one = index.constant(1);
  Value qLast = index.sub(index.add(qPosition, existingQueries), one);
  auto [low, high] = mask.buildVisibleKeys(b, loc, maskPlace, qPosition, qLast);
  Value outside;
  if (low)
    outside = index.less(kPosition, low);
  if (high) {
    Value end = index.add(kPosition, index.constant(keys));
    Value after = index.less(high, end);
    outside = outside ? arith::OrIOp::create(b, loc, outside, after) : after;
  }
  return outside ? arith::AndIOp::create(b, loc, cut, outside).getResult()
                 : cut;
}

Value ScoreBody::hideUnseen(Value tile) {
  if (!isCut())
    return tile;
  auto hide = HideUnseenOp::create(b, loc, tile.getType(), tile, mayHide(),
                                   index.constant(rows));
  OpBuilder::InsertionGuard guard(b);
  Block *body = b.createBlock(&hide.getBody(), {},
                              {b.getIndexType(), b.getIndexType()}, {loc, loc});
  IndexBuilder inside(b, loc);
  RowPlace row = placeOfRow(b, loc, packing, rows, body->getArgument(0));
  TilePlace place = maskPlace;
  if (row.head && place.head)
    place.head = arith::AddIOp::create(b, loc, place.head, row.head);
  // Padding is answered for by the last that exists.
  auto last = [&](Value count) {
    return inside.sub(count, inside.constant(1));
  };
  Value i = inside.min(row.position, last(existingQueries));
  Value j = body->getArgument(1);
  if (mayPad(existingKeys, keys))
    j = inside.min(j, last(existingKeys));
  YieldOp::create(b, loc,
                  mask.buildIsVisible(b, loc, place, inside.add(qPosition, i),
                                      inside.add(kPosition, j)));
  hoistInvariants(hide);
  return hide.getResult();
}

Value ScoreBody::hideGradients(Value tile) {
  if (!isCut())
    return tile;
  auto clean = scf::IfOp::create(
      b, loc, mayHide(),
      [&](OpBuilder &, Location) {
        scf::YieldOp::create(b, loc,
                             hide(tile, /*hidden=*/0.0, /*ofPadding=*/true));
      },
      [&](OpBuilder &, Location) { scf::YieldOp::create(b, loc, tile); });
  return clean.getResult(0);
}
