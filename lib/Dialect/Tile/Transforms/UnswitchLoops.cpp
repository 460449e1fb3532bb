//===- UnswitchLoops.cpp - One loop for each answer -----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   for %i { %m = if %cut { map(%s) } else { %s } }     // %cut is known before
//   ->  if %cut { for %i { %m = map(%s) } } else { for %i { %m = %s } }
//
// A condition that is the same in all iterations, as whether keys are missing
// from a block of the loop outside, costs a branch in each: among products in
// flight the assembler moves nothing across it. Only in loops with more than
// two products, and of one condition, for the code grows. Runs after the
// products have been started.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/Transforms/Passes.h"

#include "ProductLoops.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILEUNSWITCHLOOPS
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash;
using namespace flash::tile;

/// A condition of the loop's body that can be computed before it: comparisons
/// and i1 arithmetic on what is known there. Its ops are moved there.
static bool hoistCondition(scf::ForOp loop, Value condition) {
  if (loop.isDefinedOutsideOfLoop(condition))
    return true;
  Operation *op = condition.getDefiningOp();
  if (!op || op->getNumRegions() || !isPure(op))
    return false;
  for (Value operand : op->getOperands())
    if (!hoistCondition(loop, operand))
      return false;
  op->moveBefore(loop);
  return true;
}

/// The branch of the loop's body whose condition is the same in all iterations.
static scf::IfOp findInvariantBranch(scf::ForOp loop) {
  for (auto branch : loop.getBody()->getOps<scf::IfOp>())
    if (hoistCondition(loop, branch.getCondition()))
      return branch;
  return {};
}

/// Replaces the branch by what it does where its condition is `holds`.
static void takeBranch(RewriterBase &rewriter, scf::IfOp branch, bool holds) {
  Block *block = holds ? branch.thenBlock() : branch.elseBlock();
  if (!block)
    return rewriter.eraseOp(branch);
  Operation *end = block->getTerminator();
  SmallVector<Value> results(end->getOperands());
  rewriter.eraseOp(end);
  rewriter.inlineBlockBefore(block, branch);
  rewriter.replaceOp(branch, results);
}

static void unswitch(RewriterBase &rewriter, scf::ForOp loop,
                     scf::IfOp branch) {
  Location loc = loop.getLoc();
  rewriter.setInsertionPoint(loop);
  auto both = scf::IfOp::create(rewriter, loc, loop.getResultTypes(),
                                branch.getCondition(), /*addThenBlock=*/true,
                                /*addElseBlock=*/true);
  for (bool holds : {true, false}) {
    rewriter.setInsertionPointToStart(holds ? both.thenBlock()
                                            : both.elseBlock());
    IRMapping mapping;
    auto copy = cast<scf::ForOp>(rewriter.clone(*loop, mapping));
    if (loop->getNumResults() > 0)
      scf::YieldOp::create(rewriter, loc, copy.getResults());
    // The copy stands where the original does.
    auto position =
        std::distance(loop.getBody()->begin(), branch->getIterator());
    takeBranch(rewriter,
               cast<scf::IfOp>(*std::next(copy.getBody()->begin(), position)),
               holds);
  }
  rewriter.replaceOp(loop, both.getResults());
}

namespace {
struct TileUnswitchLoopsPass
    : flash::tile::impl::TileUnswitchLoopsBase<TileUnswitchLoopsPass> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    for (scf::ForOp loop : findStartedLoops(getOperation()))
      if (scf::IfOp branch = findInvariantBranch(loop)) {
        unswitch(rewriter, loop, branch);
        ++numUnswitched;
      }
  }
};
} // namespace
