//===- PinScalars.cpp - Lengths that stay as they were computed -----------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %start = memref.load %starts[%b] ; %row = arith.addi %start, %first
//   scf.for ... { use of %row }
//   ->  %row = arith.addi %start, %first ; %pinned = asm "mov" %row
//       scf.for ... { use of %pinned }
//
// What a tile's place and end are computed from is data, many values; what its
// loops use are few. LLVM takes sums apart, and computes them again where a
// loop begins or a result is stored, so that registers hold all of the terms
// over the loops. What a mov in assembly gives cannot be taken apart. Places
// in a tensor map have 32 bits, and take one register.
//
// A search for a tile's sequence is not unrolled: a few steps of one read each,
// by a producer that has few registers.
//
// Only what depends on loads: kernels without them are as they were.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace flash::tile;

/// Whether an op is part of the arithmetic on scalars of its block.
static bool isArithmetic(Operation *op) {
  return op->getNumRegions() == 0 && isPure(op) &&
         !isa<FlashTileDialect>(op->getDialect());
}

/// Whether an op reads scalars of device memory, itself or in a search.
static bool readsScalars(Operation &op) {
  if (isa<memref::LoadOp>(op))
    return true;
  bool reads = false;
  WalkResult walk = op.walk([&](Operation *inner) {
    reads |= isa<memref::LoadOp>(inner);
    return isa<FlashTileDialect>(inner->getDialect()) ? WalkResult::interrupt()
                                                      : WalkResult::advance();
  });
  return reads && !walk.wasInterrupted();
}

/// Whether a use of a scalar is as a place, of which 32 bits count.
static bool isPlace(OpOperand &use) {
  return isa<StoreOp, StoreAsyncOp, GetOp, PutOp>(use.getOwner());
}

static void pin(Value value, ArrayRef<OpOperand *> uses) {
  OpBuilder builder(value.getContext());
  builder.setInsertionPointAfterValue(value);
  Emitter e(value.getLoc(), builder);
  bool narrow =
      llvm::all_of(uses, [](OpOperand *use) { return isPlace(*use); });
  Value pinned = e.toIndex(e.pin(narrow ? e.toI32(value) : e.toI64(value)));
  for (OpOperand *use : uses)
    use->set(pinned);
}

/// Pins what ops of the block compute from what it reads, for what is not
/// arithmetic beside them.
static void pinScalars(Block &block) {
  DenseSet<Value> fromMemory;
  SmallVector<std::pair<Value, SmallVector<OpOperand *>>> pins;
  for (Operation &op : block) {
    bool depends =
        readsScalars(op) ||
        (isArithmetic(&op) && llvm::any_of(op.getOperands(), [&](Value value) {
           return fromMemory.contains(value);
         }));
    if (!depends)
      continue;
    for (Value result : op.getResults()) {
      fromMemory.insert(result);
      SmallVector<OpOperand *> uses;
      for (OpOperand &use : result.getUses()) {
        Operation *user = block.findAncestorOpInBlock(*use.getOwner());
        if (user && !isArithmetic(user) && !readsScalars(*user))
          uses.push_back(&use);
      }
      if (!uses.empty() && result.getType().isIndex())
        pins.push_back({result, uses});
    }
  }
  for (auto &[value, uses] : pins)
    pin(value, uses);
}

void flash::tile::keepLoop(scf::ForOp loop) {
  MLIRContext *context = loop.getContext();
  auto yes = BoolAttr::get(context, true);
  auto unroll = LLVM::LoopUnrollAttr::get(context, /*disable=*/yes, {}, {}, {},
                                          {}, {}, {});
  loop->setAttr(kLoopAnnotation, LLVM::LoopAnnotationAttr::get(
                                     context, {}, {}, {}, unroll, {}, {}, {},
                                     {}, {}, {}, {}, {}, {}, {}, {}));
}

/// Loops that read scalars and do nothing else stay loops.
static void keepSearches(SpecializeOp roles) {
  roles.walk([&](scf::ForOp loop) {
    if (readsScalars(*loop))
      keepLoop(loop);
  });
}

void flash::tile::pinScalars(gpu::GPUFuncOp kernel) {
  kernel.walk([](SpecializeOp roles) {
    keepSearches(roles);
    SmallVector<Block *> blocks;
    roles.walk([&](Operation *op) {
      if (isa<scf::ForOp, scf::WhileOp>(op))
        for (Region &region : op->getRegions())
          // A loop over tiles: what it reads is for the loops within.
          if (!region.getOps<scf::ForOp>().empty() ||
              !region.getOps<scf::IfOp>().empty())
            blocks.push_back(&region.front());
    });
    for (Block *block : blocks)
      if (llvm::any_of(*block, readsScalars))
        ::pinScalars(*block);
  });
}
