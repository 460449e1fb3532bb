//===- SplitTiles.cpp - Several blocks for a tile of the last round -------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   launch grid(%n) ; %b = gpu.block_id
//   tile(%b) { %o, %m, %l = scf.for %j = %lo to %hi {...} ; store f(%o, %l) }
//   ->  launch grid(%whole + %rest * %parts)
//       tile(%b < %whole ? %b : %whole + (%b - %whole) >> %log) {
//         %o, %m, %l = scf.for %j = part of %lo to %hi {...}
//         %o, %m, %l = scf.if %part > 0 { merge(take_over, %o, %m, %l) }
//         scf.if last part { store f(%o, %l) } else { hand_over %o, %m, %l }
//       }
//
// 1376 tiles are 10.4 rounds of 132 blocks: in the eleventh, 56 blocks would
// work and 76 wait. Of a tile's parts each has a share of its keys, and the one
// before hands over what it has. Blocks wait for blocks of lower numbers only:
// those run already. Where tiles take unequally long, and the last are short,
// only a grid that does not fill the device is split. It runs first on L3.
//
//===----------------------------------------------------------------------===//

#include "KernelParameters.h"
#include "PassGate.h"
#include "SplitGrid.h"
#include "TensorMaps.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"

#include <cmath>

namespace flash::tile {
#define GEN_PASS_DEF_TILESPLITTILES
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash::tile;

//===----------------------------------------------------------------------===//
// Kernels that can be split
//===----------------------------------------------------------------------===//

namespace {
/// A kernel with one loop over keys.
struct Splittable {
  Operation *id = nullptr;
  scf::ForOp loop;
  OnlineSoftmaxOp softmax;
  LoadOp keys; ///< a load of the loop
  /// Numbers of the loop's results.
  unsigned max = 0, sum = 0;
  /// Whether all tiles take as many steps.
  bool alike = false;

  /// An empty string, or why it cannot be split.
  StringRef match(gpu::GPUFuncOp kernel);
};
} // namespace

static bool isSplat(Value value, bool infinite) {
  auto splat = value.getDefiningOp<SplatOp>();
  return splat && (infinite ? matchPattern(splat.getValue(), m_NegInfFloat())
                            : matchPattern(splat.getValue(), m_AnyZeroFloat()));
}

/// Whether a value is the same in all blocks.
static bool isUniform(Value value, Operation *id) {
  if (value.getDefiningOp() == id)
    return false;
  SetVector<Operation *> slice;
  if (failed(getBackwardSlice(value, &slice)))
    return false;
  return !slice.contains(id);
}

StringRef Splittable::match(gpu::GPUFuncOp kernel) {
  id = findBlockId(kernel);
  if (!id || getKernelCluster(kernel) > 1)
    return "it has no one block id along x";
  SmallVector<OnlineSoftmaxOp> all;
  kernel.walk([&](OnlineSoftmaxOp op) { all.push_back(op); });
  if (all.size() != 1)
    return "it has not one softmax";
  softmax = all[0];
  loop = dyn_cast<scf::ForOp>(softmax->getParentOp());
  if (!loop || loop->getBlock() != id->getBlock())
    return "its softmax is not in a loop at the top level";
  auto loads = loop.getBody()->getOps<LoadOp>();
  if (loads.empty())
    return "its loop loads nothing";
  keys = *loads.begin();
  if (!isa<BlockArgument>(keys.getSource()))
    return "its keys are not a parameter";
  auto passed = [&](Value in, Value out, unsigned &number) {
    auto argument = dyn_cast<BlockArgument>(in);
    if (!argument || argument.getOwner() != loop.getBody() ||
        argument == loop.getInductionVar() ||
        loop.getTiedLoopYieldedValue(argument)->get() != out)
      return false;
    number = loop.getTiedLoopResult(argument).getResultNumber();
    return true;
  };
  if (!passed(softmax.getMax(), softmax.getMaxOut(), max) ||
      !passed(softmax.getSum(), softmax.getSumOut(), sum))
    return "its loop does not pass the maximum and the sum on";
  alike = isUniform(loop.getLowerBound(), id) &&
          isUniform(loop.getUpperBound(), id);
  return "";
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

namespace {
/// What a block has: part `part` of `count`, 2 to the power of `log`, of a
/// tile, whose state has a slot.
struct Share {
  Value tile, slot, part, count, log;
};

/// Builds a kernel's parts of tiles.
class Splitter {
public:
  Splitter(const Splittable &kernel, const SplitParameters &parameters)
      : kernel(kernel), parameters(parameters), builder(kernel.id),
        loc(kernel.id->getLoc()) {
    builder.setInsertionPointAfter(kernel.id);
  }

  void run() {
    numberTiles();
    limitLoop();
    startEmpty();
    joinParts();
  }

private:
  Share getShare(Value number);
  void numberTiles();
  void limitLoop();
  void startEmpty();
  void joinParts();
  SmallVector<Value> merge(ValueRange before);
  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }

  Splittable kernel;
  SplitParameters parameters;
  OpBuilder builder;
  Location loc;
  Share share;
};
} // namespace

Share Splitter::getShare(Value number) {
  auto shifted = [&](Value value, Value by) -> Value {
    return arith::ShLIOp::create(builder, loc, value, by);
  };
  Value behind = arith::SubIOp::create(builder, loc, number, parameters.whole);
  Value split = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge,
                                      behind, constant(0));
  auto ifSplit = [&](Value a, Value b) -> Value {
    return arith::SelectOp::create(builder, loc, split, a, b);
  };
  Share share;
  Value unit = ifSplit(behind, constant(0));
  share.log = ifSplit(parameters.log, constant(0));
  share.slot = arith::ShRUIOp::create(builder, loc, unit, parameters.log);
  share.part = arith::SubIOp::create(builder, loc, unit,
                                     shifted(share.slot, parameters.log));
  share.count = shifted(constant(1), share.log);
  share.tile =
      ifSplit(arith::AddIOp::create(builder, loc, parameters.whole, share.slot),
              number);
  return share;
}

void Splitter::numberTiles() {
  Value id = kernel.id->getResult(0);
  SmallVector<OpOperand *> uses;
  for (OpOperand &use : id.getUses())
    uses.push_back(&use);
  share = getShare(id);
  for (OpOperand *use : uses)
    use->set(share.tile);
}

/// Part p of c has blocks p * n / c to (p + 1) * n / c.
void Splitter::limitLoop() {
  scf::ForOp loop = kernel.loop;
  builder.setInsertionPoint(loop);
  Value lower = loop.getLowerBound(), upper = loop.getUpperBound(),
        step = loop.getStep();
  Value length = arith::MaxSIOp::create(
      builder, loc, arith::SubIOp::create(builder, loc, upper, lower),
      constant(0));
  Value blocks = arith::CeilDivUIOp::create(builder, loc, length, step);
  auto begin = [&](Value number) -> Value {
    Value block = arith::ShRUIOp::create(
        builder, loc, arith::MulIOp::create(builder, loc, blocks, number),
        share.log);
    return arith::AddIOp::create(
        builder, loc, lower, arith::MulIOp::create(builder, loc, block, step));
  };
  loop.setLowerBound(begin(share.part));
  Value next = arith::AddIOp::create(builder, loc, share.part, constant(1));
  loop.setUpperBound(arith::MinSIOp::create(builder, loc, upper, begin(next)));
}

/// What a loop begins with, as a sink that joins each row, belongs to part 0.
void Splitter::startEmpty() {
  scf::ForOp loop = kernel.loop;
  builder.setInsertionPoint(loop);
  for (auto [number, init] : llvm::enumerate(loop.getInitArgsMutable())) {
    bool isMax = number == kernel.max;
    if (isSplat(init.get(), isMax))
      continue;
    Value first = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                        share.part, constant(0));
    auto start = scf::IfOp::create(builder, loc, init.get().getType(), first,
                                   /*withElseRegion=*/true);
    OpBuilder then = start.getThenBodyBuilder(),
              other = start.getElseBodyBuilder();
    scf::YieldOp::create(then, loc, init.get());
    Value none = arith::ConstantOp::create(
        other, loc, other.getF32FloatAttr(isMax ? -INFINITY : 0.0f));
    scf::YieldOp::create(
        other, loc,
        SplatOp::create(other, loc, init.get().getType(), none).getResult());
    init.set(start.getResult(0));
  }
}

/// Online softmax over two parts: what is relative to two maxima becomes
/// relative to the greater one.
SmallVector<Value> Splitter::merge(ValueRange before) {
  ValueRange here = kernel.loop.getResults();
  float scale =
      kernel.softmax.getScale().convertToFloat() * 1.44269504088896340736f;
  auto f32 = [](OpBuilder &b, Location l, float value) -> Value {
    return arith::ConstantOp::create(b, l, b.getF32FloatAttr(value));
  };
  Type row = here[kernel.max].getType();
  auto factors = MapOp::create(
      builder, loc, TypeRange{row, row, row},
      ValueRange{before[kernel.max], here[kernel.max]},
      [&](OpBuilder &b, Location l, ValueRange args) {
        Value max = arith::MaxNumFOp::create(b, l, args[1], args[2]);
        Value none = arith::CmpFOp::create(b, l, arith::CmpFPredicate::OEQ, max,
                                           f32(b, l, -INFINITY));
        // Where no key has been seen, everything is zero.
        Value reference =
            arith::SelectOp::create(b, l, none, f32(b, l, 0.0f), max);
        auto factor = [&](Value value) -> Value {
          Value distance = arith::SubFOp::create(b, l, value, reference);
          return math::Exp2Op::create(
              b, l, arith::MulFOp::create(b, l, distance, f32(b, l, scale)));
        };
        YieldOp::create(b, l,
                        ValueRange{max, factor(args[1]), factor(args[2])});
      });
  SmallVector<Value> merged;
  for (auto [number, pair] : llvm::enumerate(llvm::zip(before, here))) {
    auto [a, b] = pair;
    if (number == kernel.max) {
      merged.push_back(factors.getResult(0));
      continue;
    }
    auto both = MapOp::create(
        builder, loc, TypeRange{a.getType()},
        ValueRange{a, b, factors.getResult(1), factors.getResult(2)},
        [&](OpBuilder &b, Location l, ValueRange args) {
          args = args.take_back(4);
          Value first = arith::MulFOp::create(b, l, args[0], args[2]);
          YieldOp::create(
              b, l,
              math::FmaOp::create(b, l, args[1], args[3], first).getResult());
        });
    merged.push_back(both.getResult(0));
  }
  return merged;
}

void Splitter::joinParts() {
  scf::ForOp loop = kernel.loop;
  Block *block = loop->getBlock();
  builder.setInsertionPointAfter(loop);
  Operation *first = loop->getNextNode();
  // The loop needs the registers.
  share = getShare(
      AgainOp::create(builder, loc, kernel.id->getResult(0)).getResult());
  Value follows = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sgt,
                                        share.part, constant(0));
  auto joined = scf::IfOp::create(builder, loc, loop.getResultTypes(), follows,
                                  /*addThenBlock=*/true,
                                  /*addElseBlock=*/true);
  loop->replaceUsesWithIf(joined.getResults(), [&](OpOperand &use) {
    return use.getOwner() != joined && !loop->isAncestor(use.getOwner());
  });
  builder.setInsertionPointToStart(joined.thenBlock());
  auto before =
      TakeOverOp::create(builder, loc, loop.getResultTypes(), parameters.state,
                         parameters.turns, share.slot, share.part);
  scf::YieldOp::create(builder, loc, merge(before.getResults()));
  builder.setInsertionPointToStart(joined.elseBlock());
  scf::YieldOp::create(builder, loc, loop.getResults());

  builder.setInsertionPointAfter(joined);
  Value next = arith::AddIOp::create(builder, loc, share.part, constant(1));
  Value isLast = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                       next, share.count);
  auto end = scf::IfOp::create(builder, loc, isLast, /*withElseRegion=*/true);
  for (Operation &op : llvm::make_early_inc_range(llvm::make_range(
           first->getIterator(), block->getTerminator()->getIterator())))
    if (!op.hasTrait<OpTrait::ConstantLike>())
      op.moveBefore(end.thenBlock()->getTerminator());
  builder.setInsertionPointToStart(end.elseBlock());
  HandOverOp::create(builder, loc, joined.getResults(), parameters.state,
                     parameters.turns, share.slot, next);
}

namespace {
struct TileSplitTilesPass
    : flash::tile::impl::TileSplitTilesBase<TileSplitTilesPass> {
  using TileSplitTilesBase::TileSplitTilesBase;

  void runOnOperation() override {
    LaunchMap launches = findLaunches(getOperation());
    getOperation().walk([&](gpu::GPUFuncOp kernel) {
      PassGate<SplitTilesAttr> gate(kernel, "");
      if (!gate)
        return;
      Splittable split;
      if (StringRef reason = split.match(kernel); !reason.empty())
        return gate.leave(reason);
      SplitParameters parameters = addSplitParameters(
          kernel, launches[kernel],
          {split.keys, split.loop.getResultTypes(), split.alike},
          {cores, gate->getParts(), blocks});
      Splitter(split, parameters).run();
      gate.worked();
      kernel->setAttr(
          FlashTileDialect::getPartsAttrName(),
          IntegerAttr::get(IntegerType::get(&getContext(), 64),
                           cast<BlockArgument>(parameters.log).getArgNumber()));
      ++numSplit;
    });
  }
};
} // namespace
