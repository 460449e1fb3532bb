//===- RingUtils.cpp - Loads that become rings ----------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See RingUtils.h.
//
//===----------------------------------------------------------------------===//

#include "RingUtils.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace flash;
using namespace flash::tile;

namespace {
/// What arithmetic may do besides. A division by what may be zero can be
/// repeated where it is done anyway, and so can a read: kernels write none of
/// the tensors whose elements they read as scalars.
struct Allowed {
  bool divisions = false, reads = false;
};
} // namespace

bool tile::isRead(Operation *op) {
  if (isa<memref::LoadOp>(op))
    return true;
  auto isInside = [](Operation *inner) {
    return isa<memref::LoadOp>(inner) ||
           (isMemoryEffectFree(inner) &&
            !isa<FlashTileDialect>(inner->getDialect()));
  };
  if (!isa<scf::IfOp, scf::ForOp>(op))
    return false;
  WalkResult walk = op->walk([&](Operation *inner) {
    return inner == op || isInside(inner) ? WalkResult::advance()
                                          : WalkResult::interrupt();
  });
  return !walk.wasInterrupted() && !isMemoryEffectFree(op);
}

/// Collects the ops of `scope` that `value` needs, in order; fails where one is
/// more than arithmetic and what is allowed.
static LogicalResult collect(Value value, Block *scope,
                             SetVector<Operation *> &ops, Allowed allowed) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return success(argument.getOwner() != scope ||
                   argument.getArgNumber() == 0);
  Operation *op = value.getDefiningOp();
  // What is in a branch that belongs to the arithmetic is cloned with it.
  if (op->getBlock() != scope || ops.contains(op))
    return success();
  bool isArithmetic = op->getNumRegions() == 0 &&
                      (allowed.divisions ? isMemoryEffectFree(op) : isPure(op));
  if (!(isArithmetic || (allowed.reads && isRead(op))) ||
      (isa<FlashTileDialect>(op->getDialect()) && !isa<TileOfOp>(op)))
    return failure();
  SetVector<Value> inputs(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), inputs);
  for (Value input : inputs)
    if (failed(collect(input, scope, ops, allowed)))
      return failure();
  ops.insert(op);
  return success();
}

FailureOr<KernelLoads> tile::findLoads(gpu::GPUFuncOp kernel,
                                       std::string &reason, bool reads) {
  KernelLoads loads;
  loads.tiles = getTileLoop(kernel);
  Block &body = loads.tiles ? *loads.tiles.getBody() : kernel.getBody().front();
  auto fail = [&](StringRef why) {
    reason = why;
    return failure();
  };
  SmallVector<LoadOp> all;
  kernel.walk([&](LoadOp load) { all.push_back(load); });
  for (LoadOp load : all) {
    if (load->getBlock() == &body) {
      if (loads.loop)
        return fail("a load stands after the loop");
      loads.before.push_back(load);
      continue;
    }
    auto loop = dyn_cast<scf::ForOp>(load->getParentOp());
    if (!loop || loop->getBlock() != &body)
      return fail("a load is neither at the top level nor in a loop there");
    if (loads.loop && loads.loop != loop)
      return fail("two loops have loads");
    loads.loop = loop;
    loads.inside.push_back(load);
    SetVector<Operation *> ops;
    for (Value operand : load->getOperands())
      if (failed(collect(operand, loop.getBody(), ops,
                         {/*divisions=*/reads, reads})))
        return fail("an address is not plain arithmetic on the induction "
                    "variable");
  }
  if (!loads.loop)
    return fail("there is no loop with loads");
  return loads;
}

bool tile::isArithmetic(Block *scope, Value value, bool reads) {
  SetVector<Operation *> ops;
  return succeeded(collect(value, scope, ops, {/*divisions=*/true, reads}));
}

bool tile::isScalar(Operation &op) {
  return isRead(&op) ||
         (op.getNumRegions() == 0 &&
          (!isa<FlashTileDialect>(op.getDialect()) || isa<TileOfOp>(op)) &&
          isMemoryEffectFree(&op));
}

void tile::cloneScalars(OpBuilder &builder, scf::ForOp tiles, scf::ForOp loop,
                        IRMapping &mapping) {
  for (Operation &op : tiles.getBody()->without_terminator()) {
    if (&op == loop)
      break;
    if (isScalar(op))
      builder.clone(op, mapping);
  }
}

SmallVector<Operation *> tile::findReads(Block *scope, ValueRange values) {
  SetVector<Operation *> ops;
  for (Value value : values)
    (void)collect(value, scope, ops, {/*divisions=*/true, /*reads=*/true});
  ops.remove_if([](Operation *op) { return !isRead(op); });
  return ops.takeVector();
}

void tile::cloneArithmetic(OpBuilder &builder, Block *scope, ValueRange values,
                           IRMapping &mapping) {
  SetVector<Operation *> ops;
  for (Value value : values)
    (void)collect(value, scope, ops, {/*divisions=*/true, /*reads=*/true});
  for (Operation *op : ops)
    if (!mapping.contains(op->getResult(0)))
      builder.clone(*op, mapping);
}

Operation *tile::ancestorIn(Block *block, Operation *user) {
  return block->findAncestorOpInBlock(*user);
}

Operation *tile::firstUser(Value value, Block *block) {
  Operation *first = nullptr;
  for (Operation *user : value.getUsers())
    if (Operation *op = ancestorIn(block, user))
      if (!first || op->isBeforeInBlock(first))
        first = op;
  return first;
}

Operation *tile::lastUser(Value value, Block *block) {
  Operation *last = nullptr;
  for (Operation *user : value.getUsers())
    if (Operation *op = ancestorIn(block, user))
      if (!last || last->isBeforeInBlock(op))
        last = op;
  return last;
}

scf::ForOp tile::getTileLoop(gpu::GPUFuncOp kernel) {
  for (auto loop : kernel.getBody().front().getOps<scf::ForOp>())
    if (loop->hasAttr(FlashTileDialect::getTilesAttrName()))
      return loop;
  return {};
}

scf::ForOp tile::addCounter(scf::ForOp loop, Value first) {
  IRRewriter rewriter(loop.getContext());
  rewriter.setInsertionPoint(loop);
  auto next = [&](OpBuilder &b, Location l, ArrayRef<BlockArgument> fresh) {
    Value one = arith::ConstantIndexOp::create(b, l, 1);
    return SmallVector<Value>{
        arith::AddIOp::create(b, l, fresh.back(), one).getResult()};
  };
  auto counted = loop.replaceWithAdditionalYields(
      rewriter, first, /*replaceInitOperandUsesInLoop=*/false, next);
  return cast<scf::ForOp>(counted->getOperation());
}

scf::ForOp tile::carryCounter(scf::ForOp tiles, Value zero) {
  IRRewriter rewriter(tiles.getContext());
  rewriter.setInsertionPoint(tiles);
  // The counter is passed on as it came in until the loop within exists.
  auto carried = tiles.replaceWithAdditionalYields(
      rewriter, zero, /*replaceInitOperandUsesInLoop=*/false,
      [](OpBuilder &, Location, ArrayRef<BlockArgument> fresh) {
        return SmallVector<Value>{fresh.back()};
      });
  return cast<scf::ForOp>(carried->getOperation());
}

scf::ForOp tile::tilesAround(scf::ForOp loop) {
  auto tiles = dyn_cast<scf::ForOp>(loop->getParentOp());
  return tiles && tiles->hasAttr(FlashTileDialect::getTilesAttrName())
             ? tiles
             : scf::ForOp();
}

/// Whether `value`, with which a loop's count begins, is 0, or what the count
/// is after the tile before.
static bool isCountFrom0(Value value, OpResult after, scf::ForOp tiles) {
  if (getConstantIntValue(value) == 0)
    return true;
  auto argument = dyn_cast<BlockArgument>(value);
  return tiles && argument && argument.getOwner() == tiles.getBody() &&
         argument != tiles.getInductionVar() &&
         getConstantIntValue(tiles.getTiedLoopInit(argument)->get()) == 0 &&
         tiles.getTiedLoopYieldedValue(argument)->get() == after;
}

BlockArgument tile::findCounter(scf::ForOp loop) {
  scf::ForOp tiles = tilesAround(loop);
  for (BlockArgument argument : loop.getRegionIterArgs()) {
    auto next = loop.getTiedLoopYieldedValue(argument)
                    ->get()
                    .getDefiningOp<arith::AddIOp>();
    if (next && next.getLhs() == argument &&
        getConstantIntValue(next.getRhs()) == 1 &&
        isCountFrom0(loop.getTiedLoopInit(argument)->get(),
                     loop.getTiedLoopResult(argument), tiles))
      return argument;
  }
  return {};
}

void tile::releaseAtEnd(scf::ForOp loop) {
  Block *block = loop->getBlock();
  auto isReadLater = [&](ReleaseOp release) {
    return llvm::any_of(block->getOps<GetOp>(), [&](GetOp get) {
      Operation *last = lastUser(get.getTile(), block);
      return get.getRing() == release.getRing() && last &&
             loop->isBeforeInBlock(last);
    });
  };
  Operation *last = loop;
  for (auto release : llvm::make_early_inc_range(block->getOps<ReleaseOp>()))
    if (loop->isBeforeInBlock(release) && !isReadLater(release)) {
      release->moveAfter(last);
      last = release;
    }
}
