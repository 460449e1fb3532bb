//===- Overlap.cpp - Products beside the next iteration -------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   scf.for %j { %s = mma %q, %k ; %p = f(%s) ; %o = mma %p, %v acc(g(%o0)) }
//   ->  %p = f(mma %q, %k)                              // first iteration
//       scf.for %j from the second on {
//         %s' = mma_start %q, %k ; %o' = mma_start %p, %v acc(%a)
//         %s, _ = mma_wait %s', %o' in_flight 1 ; ... ; %o = mma_wait %o'
//         %a = g(%o) ; %p = f(%s)
//       }
//       %o = mma %p, %v acc(%a)                         // of the last
//       iteration
//
// The tensor cores work on the second product while the other units are busy
// with f. A tile of an iteration that another one follows is whole, so that the
// rows after a length are cleared after the loop only, and how many there are
// is computed there. The wait for it stands before the first op that needs its
// result, and before any conversion to an A operand: that would overwrite
// registers which the product in flight still reads.
//
//===----------------------------------------------------------------------===//

#include "PassGate.h"
#include "RingUtils.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallPtrSet.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILEOVERLAP
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash;
using namespace flash::tile;

namespace {
/// A loop with one product that can be delayed.
class LoopRotation {
public:
  explicit LoopRotation(scf::ForOp loop) : loop(loop) {}

  /// Whether there are two asynchronous products.
  bool findProducts();
  /// Empty if the second can be delayed, else the reason.
  StringRef match();
  void rotate();
  /// The ring of the second product's operand.
  Value getLateRing() { return lateGet.getRing(); }

private:
  bool isLate(Operation *op) const { return late.contains(op); }
  void cloneLate(OpBuilder &builder, IRMapping &mapping,
                 function_ref<bool(Operation *)> which);
  void cloneLateGet(OpBuilder &builder, IRMapping &mapping);
  void mapLastRows(OpBuilder &builder, IRMapping &mapping);
  void cloneEarly(OpBuilder &builder, IRMapping &mapping);
  void buildIteration(OpBuilder &builder, IRMapping &mapping,
                      IRMapping &delayed);
  SmallVector<Value> yielded(const IRMapping &mapping);

  scf::ForOp loop;
  MmaOp first, second;
  /// What waits for the second product's operand.
  GetOp lateGet;
  /// The second product, what waits for its operand and what releases it.
  SetVector<Operation *> late;
  /// What the late ops need from their iteration.
  SetVector<Value> carried;
  /// How many rows of the second product's operand exist, where that is wanted
  /// for the last iteration only, and follows from its position.
  Value lastRows;
  /// The iteration argument that the second product's result becomes.
  BlockArgument result;
};
} // namespace

bool LoopRotation::findProducts() {
  SmallVector<MmaOp> products(loop.getBody()->getOps<MmaOp>());
  if (products.size() != 2 || !products[0].getInstruction().isAsynchronous() ||
      !products[1].getInstruction().isAsynchronous())
    return false;
  first = products[0], second = products[1];
  return true;
}

StringRef LoopRotation::match() {
  Block *body = loop.getBody();
  Operation *terminator = body->getTerminator();
  if (!second.getAcc() || !second.getResult().hasOneUse() ||
      *second->getUsers().begin() != terminator)
    return "its second product's result is used in the iteration itself";
  result =
      loop.getRegionIterArg(second.getResult().use_begin()->getOperandNumber());
  for (Operation *user : result.getUsers()) {
    Operation *op = body->findAncestorOpInBlock(*user);
    if (op == second || op == terminator)
      return "nothing is done with the second product's result before the next "
             "one adds to it";
    if (op->isBeforeInBlock(first))
      return "its first product waits for the second of the iteration before";
  }

  auto get = second.getB().getDefiningOp<GetOp>();
  if (!get || get->getBlock() != body)
    return "its second product's operand is not from a ring";
  if (!get.getTile().hasOneUse())
    return "its second product's operand has other uses";
  // With cp.async the puts of this loop count on the order of its gets.
  if (get.getRing().getType().getKind() != RingKind::MBarrier)
    return "its rings are filled by the warps that compute";
  lateGet = get;
  late.insert(get);
  late.insert(second);
  if (Value rows = get.getRows();
      rows && isArithmetic(body, rows) &&
      isWholeBeforeLast(loop, rows, get.getTile().getType().getRows()))
    lastRows = rows;
  for (auto release : body->getOps<ReleaseOp>())
    if (release.getRing() == get.getRing()) {
      if (release->isBeforeInBlock(second))
        return "its second product's operand is given back before it";
      late.insert(release);
    }
  for (Operation *op : late)
    for (Value operand : op->getOperands()) {
      auto argument = dyn_cast<BlockArgument>(operand);
      Operation *definition = operand.getDefiningOp();
      bool inside = argument
                        ? argument.getOwner() == body
                        : definition->getBlock() == body && !isLate(definition);
      if (inside && operand != lastRows)
        carried.insert(operand);
    }
  return carried.contains(result)
             ? "its second product's operand depends on its result"
             : "";
}

void LoopRotation::cloneLate(OpBuilder &builder, IRMapping &mapping,
                             function_ref<bool(Operation *)> which) {
  for (Operation *op : late)
    if (which(op))
      builder.clone(*op, mapping);
}

/// The wait for the operand of an iteration that another one follows.
void LoopRotation::cloneLateGet(OpBuilder &builder, IRMapping &mapping) {
  auto get = cast<GetOp>(builder.clone(*lateGet, mapping));
  if (lastRows)
    get.getRowsMutable().clear();
}

/// Says what `lastRows` is after the loop.
void LoopRotation::mapLastRows(OpBuilder &builder, IRMapping &mapping) {
  if (!lastRows)
    return;
  Location loc = loop.getLoc();
  // The last position is below the bound, by a step at most.
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  Value behind = arith::SubIOp::create(
      builder, loc,
      arith::SubIOp::create(builder, loc, loop.getUpperBound(),
                            loop.getLowerBound()),
      one);
  Value steps = arith::DivUIOp::create(builder, loc, behind, loop.getStep());
  Value position = arith::AddIOp::create(
      builder, loc, loop.getLowerBound(),
      arith::MulIOp::create(builder, loc, steps, loop.getStep()));
  IRMapping atLast;
  atLast.map(loop.getInductionVar(), position);
  cloneArithmetic(builder, loop.getBody(), lastRows, atLast);
  mapping.map(lastRows, atLast.lookupOrDefault(lastRows));
}

void LoopRotation::cloneEarly(OpBuilder &builder, IRMapping &mapping) {
  for (Operation &op : loop.getBody()->without_terminator())
    if (!isLate(&op))
      builder.clone(op, mapping);
}

/// One rotated iteration: the early ops of this one, the late ops of the one
/// before, whose values `delayed` has.
void LoopRotation::buildIteration(OpBuilder &builder, IRMapping &mapping,
                                  IRMapping &delayed) {
  Value inFlight; // The second product's, once started.
  bool finished = false;
  auto start = [&](MmaOp op, IRMapping &values) -> Value {
    return MmaStartOp::create(
        builder, op.getLoc(), PendingType::get(op.getResult().getType()),
        op.getInstruction(), values.lookupOrDefault(op.getA()),
        values.lookupOrDefault(op.getB()),
        op.getAcc() ? values.lookupOrDefault(op.getAcc()) : Value(),
        op.getTransposeAAttr(), op.getTransposeBAttr());
  };
  auto finish = [&] {
    if (finished)
      return;
    finished = true;
    auto wait = MmaWaitOp::create(
        builder, second.getLoc(), TypeRange(second.getResult().getType()),
        ValueRange(inFlight), builder.getI64IntegerAttr(0));
    mapping.map(result, wait.getResult(0));
    cloneLate(builder, delayed, llvm::IsaPred<ReleaseOp>);
  };
  auto needsResult = [&](Operation *op) {
    if (auto convert = dyn_cast<ConvertOp>(op))
      if (isa<LhsLayoutAttr>(convert.getResult().getType().getLayout()))
        return true;
    return llvm::any_of(result.getUsers(),
                        [&](Operation *user) { return op->isAncestor(user); });
  };
  for (Operation &op : loop.getBody()->without_terminator()) {
    if (isLate(&op))
      continue;
    if (&op == first) {
      Value scores = start(first, mapping);
      cloneLateGet(builder, delayed);
      inFlight = start(second, delayed);
      auto wait = MmaWaitOp::create(
          builder, first.getLoc(),
          TypeRange{first.getResult().getType(), inFlight.getType()},
          ValueRange{scores, inFlight}, builder.getI64IntegerAttr(1));
      mapping.map(first.getResult(), wait.getResult(0));
      inFlight = wait.getResult(1);
      continue;
    }
    if (inFlight && needsResult(&op))
      finish();
    builder.clone(op, mapping);
  }
  finish();
}

/// What an iteration passes on: the old values without the second product's
/// result, then what the late ops need.
SmallVector<Value> LoopRotation::yielded(const IRMapping &mapping) {
  SmallVector<Value> values;
  for (auto [argument, value] :
       llvm::zip(loop.getRegionIterArgs(),
                 loop.getBody()->getTerminator()->getOperands()))
    if (argument != result)
      values.push_back(mapping.lookupOrDefault(value));
  for (Value value : carried)
    values.push_back(mapping.lookupOrDefault(value));
  return values;
}

void LoopRotation::rotate() {
  OpBuilder builder(loop);
  Location loc = loop.getLoc();
  Value some =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt,
                            loop.getLowerBound(), loop.getUpperBound());
  auto whole = scf::IfOp::create(builder, loc, loop.getResultTypes(), some,
                                 /*addThenBlock=*/true, /*addElseBlock=*/true);
  builder.setInsertionPointToEnd(&whole.getElseRegion().front());
  scf::YieldOp::create(builder, loc, loop.getInitArgs());

  builder.setInsertionPointToEnd(&whole.getThenRegion().front());
  IRMapping peeled;
  peeled.map(loop.getInductionVar(), loop.getLowerBound());
  peeled.map(loop.getRegionIterArgs(), loop.getInitArgs());
  cloneEarly(builder, peeled);
  Value from =
      arith::AddIOp::create(builder, loc, loop.getLowerBound(), loop.getStep());
  auto rotated = scf::ForOp::create(
      builder, loc, from, loop.getUpperBound(), loop.getStep(), yielded(peeled),
      [&](OpBuilder &b, Location l, Value position, ValueRange args) {
        IRMapping mapping, delayed;
        mapping.map(loop.getInductionVar(), position);
        size_t next = 0;
        for (BlockArgument argument : loop.getRegionIterArgs())
          if (argument != result)
            mapping.map(argument, args[next++]);
        for (Value value : carried)
          delayed.map(value, args[next++]);
        buildIteration(b, mapping, delayed);
        scf::YieldOp::create(b, l, yielded(mapping));
      });

  IRMapping last;
  size_t next = 0;
  SmallVector<Value> results(loop.getNumResults());
  for (auto [i, argument] : llvm::enumerate(loop.getRegionIterArgs()))
    if (argument != result)
      results[i] = rotated.getResult(next++);
  for (Value value : carried)
    last.map(value, rotated.getResult(next++));
  mapLastRows(builder, last);
  cloneLate(builder, last, [](Operation *) { return true; });
  results[result.getArgNumber() - 1] = last.lookup(second.getResult());
  scf::YieldOp::create(builder, loc, results);
  loop.replaceAllUsesWith(whole.getResults());
  loop.erase();
}

namespace {
struct TileOverlapPass : flash::tile::impl::TileOverlapBase<TileOverlapPass> {
  using TileOverlapBase::TileOverlapBase;

  void runOnOperation() override {
    PassGate<OverlapAttr> gate(getOperation(),
                               "it has no loop with two asynchronous products");
    if (!gate)
      return;
    SmallVector<scf::ForOp> loops;
    getOperation().walk([&](scf::ForOp loop) { loops.push_back(loop); });
    for (scf::ForOp loop : loops) {
      LoopRotation rotation(loop);
      if (!rotation.findProducts())
        continue;
      if (StringRef reason = rotation.match(); !reason.empty()) {
        gate.leave(reason);
        continue;
      }
      Value ring = rotation.getLateRing();
      rotation.rotate();
      if (delayPuts && gate->getDelayPuts())
        flash::tile::delayPuts(ring);
      gate.worked();
      ++numOverlapped;
    }
  }
};
} // namespace
