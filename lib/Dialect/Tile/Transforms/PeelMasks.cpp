//===- PeelMasks.cpp - Loops over whole blocks, then over cut ones --------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   scf.for %j = %lo to %hi step %n { ... ; scf.if %c(%j) { mask } ; ... }
//   ->  scf.for %j = %lo to %mid step %n { ... }              // %c is false
//       scf.for %j = %mid to %hi step %n { ... ; scf.if %c(%j) { mask } ; ... }
//
// where %c holds from some block on: behind the diagonal, and in the block that
// the end of the keys cuts. What is left has no branch between a product and
// the exponentials, so that the assembler can arrange both. %c is an or of
// comparisons that are linear in %j; %mid comes from them. It runs after the
// loops overlap, so that products in flight pass from one loop to the other.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/IR/Flash.h"
#include "flash/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILEPEELMASKS
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using flash::ScheduleAttr;
using namespace flash::tile;

namespace {
/// sign * %j + sum of outer - sum of inner.
struct Linear {
  int64_t sign = 0;
  SmallVector<Value> plus, minus;
};

/// Where the comparisons of a condition begin to hold.
class Threshold {
public:
  Threshold(scf::ForOp loop, OpBuilder &builder)
      : loop(loop), builder(builder), loc(loop.getLoc()) {}

  /// The least %j for which `condition` may hold; null if it is not of the
  /// form.
  Value find(Value condition);

private:
  std::optional<Linear> linear(Value value);
  Value ofComparison(arith::CmpIOp compare);
  Value sum(const Linear &terms);

  scf::ForOp loop;
  OpBuilder &builder;
  Location loc;
};
} // namespace

std::optional<Linear> Threshold::linear(Value value) {
  Linear result;
  if (value == loop.getInductionVar()) {
    result.sign = 1;
    return result;
  }
  if (loop.isDefinedOutsideOfLoop(value)) {
    result.plus.push_back(value);
    return result;
  }
  Operation *op = value.getDefiningOp();
  if (!isa_and_nonnull<arith::AddIOp, arith::SubIOp>(op))
    return std::nullopt;
  std::optional<Linear> a = linear(op->getOperand(0)),
                        b = linear(op->getOperand(1));
  if (!a || !b)
    return std::nullopt;
  if (isa<arith::SubIOp>(op)) {
    b->sign = -b->sign;
    std::swap(b->plus, b->minus);
  }
  a->sign += b->sign;
  llvm::append_range(a->plus, b->plus);
  llvm::append_range(a->minus, b->minus);
  return a;
}

Value Threshold::sum(const Linear &terms) {
  Value total = arith::ConstantIndexOp::create(builder, loc, 0);
  for (Value term : terms.plus)
    total = arith::AddIOp::create(builder, loc, total, term);
  for (Value term : terms.minus)
    total = arith::SubIOp::create(builder, loc, total, term);
  return total;
}

/// min(a, n) < n is a < n; and j + a > b holds from b - a + 1 on.
Value Threshold::ofComparison(arith::CmpIOp compare) {
  Value lhs = compare.getLhs(), rhs = compare.getRhs();
  bool greater = compare.getPredicate() == arith::CmpIPredicate::sgt;
  if (!greater && compare.getPredicate() != arith::CmpIPredicate::slt)
    return {};
  if (auto least = lhs.getDefiningOp<arith::MinSIOp>(); least && !greater) {
    auto same = [&](Value value) {
      std::optional<int64_t> a = getConstantIntValue(value),
                             b = getConstantIntValue(rhs);
      return value == rhs || (a && a == b);
    };
    if (same(least.getRhs()))
      lhs = least.getLhs();
    else if (same(least.getLhs()))
      lhs = least.getRhs();
  }
  std::optional<Linear> a = linear(greater ? lhs : rhs),
                        b = linear(greater ? rhs : lhs);
  // a > b as sign * j > rest.
  if (!a || !b || a->sign - b->sign != 1)
    return {};
  Linear rest;
  rest.plus = b->plus, rest.minus = b->minus;
  llvm::append_range(rest.plus, a->minus);
  llvm::append_range(rest.minus, a->plus);
  return arith::AddIOp::create(builder, loc, sum(rest),
                               arith::ConstantIndexOp::create(builder, loc, 1));
}

Value Threshold::find(Value condition) {
  if (auto either = condition.getDefiningOp<arith::OrIOp>()) {
    Value a = find(either.getLhs());
    Value b = a ? find(either.getRhs()) : Value();
    return b ? Value(arith::MinSIOp::create(builder, loc, a, b)) : Value();
  }
  auto compare = condition.getDefiningOp<arith::CmpIOp>();
  return compare ? ofComparison(compare) : Value();
}

/// The branch of the loop's body that changes scores: it gives one fragment, as
/// it is where the condition does not hold.
static scf::IfOp findMask(scf::ForOp loop) {
  for (auto branch : loop.getBody()->getOps<scf::IfOp>())
    if (branch.getNumResults() == 1 && branch.elseBlock() &&
        isa<FragmentType>(branch.getResult(0).getType()) &&
        branch.elseBlock()->without_terminator().empty() &&
        !branch.getCondition().getDefiningOp<AnyOp>())
      return branch;
  return {};
}

/// Splits the loop; false if it is not known from where on it masks.
static bool peel(scf::ForOp loop) {
  scf::IfOp mask = findMask(loop);
  if (!mask)
    return false;
  OpBuilder builder(loop);
  Location loc = loop.getLoc();
  Value from = Threshold(loop, builder).find(mask.getCondition());
  if (!from)
    return false;
  // The first block that begins at `from` or behind it, between the bounds.
  Value lower = loop.getLowerBound(), step = loop.getStep();
  auto bounded = arith::MaxSIOp::create(
      builder, loc, lower,
      arith::MinSIOp::create(builder, loc, from, loop.getUpperBound()));
  Value whole = arith::MulIOp::create(
      builder, loc, step,
      arith::DivUIOp::create(
          builder, loc,
          arith::AddIOp::create(
              builder, loc, arith::SubIOp::create(builder, loc, bounded, lower),
              arith::SubIOp::create(
                  builder, loc, step,
                  arith::ConstantIndexOp::create(builder, loc, 1))),
          step));
  Value middle = arith::AddIOp::create(builder, loc, lower, whole);

  IRMapping mapping;
  auto first = cast<scf::ForOp>(builder.clone(*loop, mapping));
  first.setUpperBound(middle);
  loop.setLowerBound(middle);
  loop.getInitArgsMutable().assign(first.getResults());
  Value never =
      arith::ConstantOp::create(builder, loc, builder.getBoolAttr(false));
  never.getDefiningOp()->moveBefore(first);
  Value condition = mapping.lookup(mask.getCondition());
  condition.replaceAllUsesWith(never);
  return true;
}

namespace {
struct TilePeelMasksPass
    : flash::tile::impl::TilePeelMasksBase<TilePeelMasksPass> {
  void runOnOperation() override {
    auto schedule =
        getOperation()->getAttrOfType<ScheduleAttr>("flash.schedule");
    if (!schedule || !schedule.getPeelMasks())
      return;
    SmallVector<scf::ForOp> loops;
    getOperation().walk([&](scf::ForOp loop) {
      if (!loop.getBody()->getOps<MmaStartOp>().empty())
        loops.push_back(loop);
    });
    for (scf::ForOp loop : loops)
      numPeeled += peel(loop);
  }
};
} // namespace
