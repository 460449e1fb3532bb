//===- NarrowLoops.cpp - Loops that count in 32 bits ----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   scf.for %i = %c0 to %n iter_args(%m = %c0) : index
//   ->  scf.for %i = %c0 to %n32 iter_args(%m = %c0) : i32
//
// An index has 64 bits, two registers, of which loops with many products have
// none to spare. What kernels count is positions in a tensor, or less: below
// 2^31. Runs last among what changes loops.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/Transforms/Passes.h"

#include "PassGate.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILENARROWLOOPS
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash;
using namespace flash::tile;

/// An index as i32; other values as they are.
static Value narrow(OpBuilder &builder, Value value) {
  if (!value.getType().isIndex())
    return value;
  return builder.createOrFold<arith::IndexCastUIOp>(
      value.getLoc(), builder.getI32Type(), value);
}

/// `value`, of a narrowed loop, as `type`.
static Value widen(OpBuilder &builder, Value value, Type type) {
  if (value.getType() == type)
    return value;
  return arith::IndexCastUIOp::create(builder, value.getLoc(), type, value);
}

/// Whether what the loop counts with is no constant below 0, or of more bits.
static bool canNarrow(scf::ForOp loop) {
  SmallVector<Value> numbers(loop.getInitArgs());
  llvm::append_values(numbers, loop.getLowerBound(), loop.getUpperBound(),
                      loop.getStep());
  return llvm::all_of(numbers, [](Value number) {
    std::optional<int64_t> constant =
        number.getType().isIndex() ? getConstantIntValue(number) : std::nullopt;
    return !constant || (*constant >= 0 && llvm::isInt<32>(*constant));
  });
}

static void narrowLoop(scf::ForOp loop) {
  OpBuilder builder(loop);
  SmallVector<Value> inits;
  for (Value init : loop.getInitArgs())
    inits.push_back(narrow(builder, init));
  auto narrowed = scf::ForOp::create(builder, loop.getLoc(),
                                     narrow(builder, loop.getLowerBound()),
                                     narrow(builder, loop.getUpperBound()),
                                     narrow(builder, loop.getStep()), inits);
  narrowed->setDiscardableAttrs(loop->getDiscardableAttrDictionary());
  Block *from = loop.getBody(), *to = narrowed.getBody();
  // The builder makes a yield where nothing is carried.
  if (!to->empty())
    to->getTerminator()->erase();
  OpBuilder inside = OpBuilder::atBlockEnd(to);
  for (auto [argument, value] :
       llvm::zip(from->getArguments(), to->getArguments()))
    argument.replaceAllUsesWith(widen(inside, value, argument.getType()));
  to->getOperations().splice(to->end(), from->getOperations());
  Operation *yield = to->getTerminator();
  OpBuilder end(yield);
  for (OpOperand &operand : yield->getOpOperands())
    operand.set(narrow(end, operand.get()));
  builder.setInsertionPointAfter(narrowed);
  for (auto [result, value] :
       llvm::zip(loop.getResults(), narrowed.getResults()))
    result.replaceAllUsesWith(widen(builder, value, result.getType()));
  loop.erase();
}

namespace {
struct TileNarrowLoopsPass
    : flash::tile::impl::TileNarrowLoopsBase<TileNarrowLoopsPass> {
  void runOnOperation() override {
    // Where products need all registers.
    if (!getPassAttr<StartProductsAttr>(getOperation()))
      return;
    SmallVector<scf::ForOp> loops;
    getOperation().walk([&](scf::ForOp loop) {
      if (loop.getInductionVar().getType().isIndex() && canNarrow(loop))
        loops.push_back(loop);
    });
    for (scf::ForOp loop : loops) {
      narrowLoop(loop);
      ++numNarrowed;
    }
  }
};
} // namespace
