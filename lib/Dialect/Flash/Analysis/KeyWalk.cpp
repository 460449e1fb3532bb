//===- KeyWalk.cpp - Which blocks an attention walks ----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What an attention and its tiling say of the walk. The walk itself is in the
// header: it is built with values, and followed with numbers.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Analysis/KeyWalk.h"

#include "flash/Dialect/Flash/IR/MaskRange.h"

using namespace mlir;
using namespace flash;

/// Keys of each batch, as types say it.
static std::optional<int64_t> findKnownKeys(AttentionOp op) {
  if (op.getKvLengths() || op.getCuSeqlensK())
    return std::nullopt;
  int64_t count = op.getKey().getType().getDimSize(op.getLengthDim());
  if (ShapedType::isDynamic(count))
    return std::nullopt;
  if (!op.isPaged())
    return count;
  int64_t pages =
      cast<RankedTensorType>(op.getPageTable().getType()).getDimSize(1);
  if (ShapedType::isDynamic(pages))
    return std::nullopt;
  return count * pages;
}

KeyWalk::KeyWalk(AttentionOp op, TilingAttr tiling)
    : queries{tiling.getTilePositions()}, keys{tiling.getN()},
      peel(tiling.getPeel()), reverse(tiling.getReverseKeys()),
      joinLists(tiling.getJoinLists()), summaries(tiling.getSummaries()),
      namesBeyondKeys(op.getKvLengths() || op.isRagged()),
      slice(op.getKeySliceAttr()), mask(op.getEffectiveMask()),
      knownKeys(findKnownKeys(op)) {
  std::tie(queries.block, keys.block) = op.getMaskBlockSizes();
  asksRange = mask && (mayHaveHoles(mask, op.getMaskBody()) || sumsUp(mask));
  KnownIndex known;
  if (slice && knownKeys)
    knownKeys = sliceKeys(known, *knownKeys).count;
}

KeyWalk KeyWalk::withTiles(int64_t positions, int64_t keysOfTile) const {
  KeyWalk walk = *this;
  walk.queries.size = positions;
  walk.keys.size = keysOfTile;
  return walk;
}

bool KeyWalk::sumsUp(MaskAttrInterface here) const {
  return here && here.getSummarySize() && (summaries || here.needsSummary());
}
