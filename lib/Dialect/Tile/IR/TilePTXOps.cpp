//===- TilePTXOps.cpp - Instructions as text ------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Effects of PTX, and that its constraints are those of its values.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/IR/Tile.h"

using namespace mlir;
using namespace flash::tile;

void InlinePtxOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  if (!getHasSideEffects())
    return;
  effects.emplace_back(MemoryEffects::Read::get());
  effects.emplace_back(MemoryEffects::Write::get());
}

LogicalResult InlinePtxOp::verify() {
  size_t outputs = 0, inputs = 0;
  for (StringRef constraint : llvm::split(getConstraints(), ','))
    if (constraint.starts_with("="))
      ++outputs;
    else if (!constraint.starts_with("~"))
      ++inputs;
  if (outputs != getNumResults())
    return emitOpError("has constraints of ")
           << outputs << " results, but " << getNumResults()
           << " results: write one '=...' for each, first";
  if (inputs != getOperands().size())
    return emitOpError("has constraints of ")
           << inputs << " operands, but " << getOperands().size()
           << " operands: write one for each, after those of the results";
  if (getNumResults() < 2)
    return emitOpError(
        "is for several results: write llvm.inline_asm for one or none");
  return success();
}
