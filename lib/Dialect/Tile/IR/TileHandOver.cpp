//===- TileHandOver.cpp - Parts of tiles ------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifiers of hand_over and take_over.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/IR/Tile.h"

using namespace mlir;
using namespace flash::tile;

int64_t HandOverOp::countElements(TypeRange fragments) {
  int64_t elements = 0;
  for (Type type : fragments)
    elements += cast<FragmentType>(type).getElementsPerLane();
  return elements;
}

/// The fragments of all threads fill a slot, and each warp has a turn.
static LogicalResult verifyHandOver(Operation *op, TypeRange fragments,
                                    Type stateType, Type turnsType) {
  if (fragments.empty())
    return op->emitOpError() << "has no fragments";
  int64_t warps = cast<FragmentType>(fragments[0]).getWarps();
  for (Type type : fragments) {
    auto fragment = cast<FragmentType>(type);
    if (!fragment.getElementType().isF32() ||
        isa<LhsLayoutAttr>(fragment.getLayout()) ||
        fragment.getWarps() != warps)
      return op->emitOpError()
             << "passes f32 accumulators and rows of the same warps, not "
             << fragment;
  }
  auto state = cast<MemRefType>(stateType), turns = cast<MemRefType>(turnsType);
  int64_t elements = HandOverOp::countElements(fragments) * 32 * warps;
  if (state.getRank() != 2 || !state.getElementType().isF32() ||
      state.getDimSize(1) != elements)
    return op->emitOpError()
           << "needs a state of slots x " << elements << " f32, not " << state;
  if (turns.getRank() != 2 || !turns.getElementType().isInteger(32) ||
      turns.getDimSize(1) != warps)
    return op->emitOpError()
           << "needs turns of slots x " << warps << " i32, not " << turns;
  return success();
}

LogicalResult HandOverOp::verify() {
  return verifyHandOver(*this, getValues().getTypes(), getState().getType(),
                        getTurns().getType());
}

LogicalResult TakeOverOp::verify() {
  return verifyHandOver(*this, getValues().getTypes(), getState().getType(),
                        getTurns().getType());
}
