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
// where %c holds from some block on: after the diagonal, in the block that the
// end of the keys cuts, and in the list of partial blocks, which follow full
// ones. Where keys are walked backward it holds up to some block, and the loop
// without masks is the last, or with a window's far end the middle one of
// three. What is left has no branch between a product and the exponentials, so
// that the assembler can arrange both. %c is made of comparisons that are
// linear in %j, of what is known before the loop, and, beside one of these in
// an and, of anything; %mid comes from them. It runs after the loops overlap,
// so that products in flight pass from one loop to the other.
//
//===----------------------------------------------------------------------===//

#include "PassGate.h"

#include "flash/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILEPEELMASKS
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash::tile;

namespace {
/// sign * %j + sum of outer - sum of inner.
struct Linear {
  int64_t sign = 0;
  SmallVector<Value> plus, minus;
};

/// Where a condition may hold: for each %j below `until`, and for each %j that
/// is at least `from`. Null on a side where it never does.
struct Cut {
  Value until, from;
};

/// Finds it from the comparisons of a condition.
class Threshold {
public:
  Threshold(scf::ForOp loop, OpBuilder &builder)
      : loop(loop), builder(builder), loc(loop.getLoc()) {}

  /// Of `condition`, or if `negated` of its opposite; nothing if it is not of
  /// the form.
  std::optional<Cut> find(Value condition, bool negated = false);

private:
  std::optional<Linear> linear(Value value);
  std::optional<Cut> ofComparison(arith::CmpIOp compare, bool negated);
  std::optional<Cut> ofEither(std::optional<Cut> a, std::optional<Cut> b);
  std::optional<Cut> ofBoth(std::optional<Cut> a, std::optional<Cut> b);
  Cut ofInvariant(Value condition, bool negated);
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

/// Whether two values are known to be the same.
static bool isSame(Value a, Value b) {
  std::optional<int64_t> x = getConstantIntValue(a), y = getConstantIntValue(b);
  return a == b || (x && x == y);
}

/// Of a condition that holds where one of two does.
std::optional<Cut> Threshold::ofEither(std::optional<Cut> a,
                                       std::optional<Cut> b) {
  if (!a || !b)
    return std::nullopt;
  Cut either{a->until ? a->until : b->until, a->from ? a->from : b->from};
  if (a->until && b->until)
    either.until = arith::MaxSIOp::create(builder, loc, a->until, b->until);
  if (a->from && b->from)
    either.from = arith::MinSIOp::create(builder, loc, a->from, b->from);
  return either;
}

/// Of one that holds where both do: one that is known will do.
std::optional<Cut> Threshold::ofBoth(std::optional<Cut> a,
                                     std::optional<Cut> b) {
  if (!a || !b)
    return a ? a : b;
  if (!a->until && !b->until)
    return Cut{Value(), arith::MaxSIOp::create(builder, loc, a->from, b->from)};
  if (!a->from && !b->from)
    return Cut{arith::MinSIOp::create(builder, loc, a->until, b->until),
               Value()};
  return a;
}

/// From the first iteration on, or in none.
Cut Threshold::ofInvariant(Value condition, bool negated) {
  Value holds = loop.getLowerBound(), fails = loop.getUpperBound();
  if (negated)
    std::swap(holds, fails);
  return Cut{Value(),
             arith::SelectOp::create(builder, loc, condition, holds, fails)};
}

/// min(a, n) < n is a < n, and a chosen (c ? a : n) < n is c and a < n;
/// j + a > b holds from b - a + 1 on, a - j > b until a - b.
std::optional<Cut> Threshold::ofComparison(arith::CmpIOp compare,
                                           bool negated) {
  using Predicate = arith::CmpIPredicate;
  Predicate predicate = compare.getPredicate();
  if (negated)
    predicate = arith::invertPredicate(predicate);
  Value large = compare.getRhs(), small = compare.getLhs();
  if (predicate == Predicate::sgt || predicate == Predicate::sge)
    std::swap(large, small);
  else if (predicate != Predicate::slt && predicate != Predicate::sle)
    return std::nullopt;
  bool strict = predicate == Predicate::slt || predicate == Predicate::sgt;
  std::optional<Cut> chosen;
  if (auto select = small.getDefiningOp<arith::SelectOp>();
      select && strict && loop.isDefinedOutsideOfLoop(select.getCondition())) {
    for (bool other : {false, true})
      if (!chosen &&
          isSame(other ? select.getTrueValue() : select.getFalseValue(),
                 large)) {
        chosen = ofInvariant(select.getCondition(), other);
        small = other ? select.getFalseValue() : select.getTrueValue();
      }
  }
  if (auto least = small.getDefiningOp<arith::MinSIOp>(); least && strict) {
    if (isSame(least.getRhs(), large))
      small = least.getLhs();
    else if (isSame(least.getLhs(), large))
      small = least.getRhs();
  }
  std::optional<Linear> a = linear(large), b = linear(small);
  // a > b as sign * j > rest.
  if (!a || !b || std::abs(a->sign - b->sign) != 1)
    return chosen;
  bool from = a->sign > b->sign;
  if (!from)
    std::swap(a, b);
  Linear rest;
  rest.plus = b->plus, rest.minus = b->minus;
  llvm::append_range(rest.plus, a->minus);
  llvm::append_range(rest.minus, a->plus);
  // j > rest, or j < rest; or equal.
  Value limit = sum(rest);
  if (from == strict)
    limit = arith::AddIOp::create(
        builder, loc, limit, arith::ConstantIndexOp::create(builder, loc, 1));
  return ofBoth(chosen, from ? Cut{Value(), limit} : Cut{limit, Value()});
}

std::optional<Cut> Threshold::find(Value condition, bool negated) {
  if (loop.isDefinedOutsideOfLoop(condition))
    return ofInvariant(condition, negated);
  Operation *op = condition.getDefiningOp();
  if (isa_and_nonnull<arith::OrIOp, arith::AndIOp>(op)) {
    std::optional<Cut> a = find(op->getOperand(0), negated),
                       b = find(op->getOperand(1), negated);
    return isa<arith::OrIOp>(op) != negated ? ofEither(a, b) : ofBoth(a, b);
  }
  if (auto no = dyn_cast_or_null<arith::XOrIOp>(op);
      no && matchPattern(no.getRhs(), m_One()))
    return find(no.getLhs(), !negated);
  auto compare = dyn_cast_or_null<arith::CmpIOp>(op);
  return compare ? ofComparison(compare, negated) : std::nullopt;
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

/// The first block of the loop that begins at `place` or after it, or the
/// loop's end.
static Value firstBlock(OpBuilder &builder, scf::ForOp loop, Value place) {
  Location loc = loop.getLoc();
  Value lower = loop.getLowerBound(), step = loop.getStep();
  auto bounded = arith::MaxSIOp::create(
      builder, loc, lower,
      arith::MinSIOp::create(builder, loc, place, loop.getUpperBound()));
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
  return arith::AddIOp::create(builder, loc, lower, whole);
}

/// Makes a copy of the loop do what comes before `middle`, and returns it.
static scf::ForOp splitAt(scf::ForOp loop, Value middle, IRMapping &mapping) {
  OpBuilder builder(loop);
  auto first = cast<scf::ForOp>(builder.clone(*loop, mapping));
  first.setUpperBound(middle);
  loop.setLowerBound(middle);
  loop.getInitArgsMutable().assign(first.getResults());
  return first;
}

static void neverMask(Value condition, scf::ForOp loop) {
  OpBuilder builder(loop);
  condition.replaceAllUsesWith(arith::ConstantOp::create(
      builder, loop.getLoc(), builder.getBoolAttr(false)));
}

/// Says of a loop that its blocks are those that masks cut.
static void setMasked(scf::ForOp loop) {
  loop->setAttr(FlashTileDialect::getMaskedAttrName(),
                UnitAttr::get(loop.getContext()));
}

/// Splits a loop with a mask; an empty string, or why it stays.
static StringRef peel(scf::ForOp loop, scf::IfOp mask, PeelMasksAttr how) {
  OpBuilder builder(loop);
  Location loc = loop.getLoc();
  std::optional<Cut> cut = Threshold(loop, builder).find(mask.getCondition());
  if (!cut)
    return "where its mask begins does not follow from linear comparisons";
  if (cut->until && !how.getFirst())
    return "its first blocks are masked, and its last ones";
  IRMapping before;
  if (!cut->until) {
    scf::ForOp whole =
        splitAt(loop, firstBlock(builder, loop, cut->from), before);
    neverMask(before.lookup(mask.getCondition()), whole);
    setMasked(loop);
    return "";
  }
  // Where the first maxima stay, each row's is that of a block's keys: one
  // block more goes with those that masks cut.
  Value until = cut->until;
  if (how.getOneMore())
    until = arith::AddIOp::create(builder, loc, until, loop.getStep());
  setMasked(splitAt(loop, firstBlock(builder, loop, until), before));
  if (!cut->from) {
    neverMask(mask.getCondition(), loop);
    return "";
  }
  IRMapping middle;
  scf::ForOp whole =
      splitAt(loop, firstBlock(builder, loop, cut->from), middle);
  neverMask(middle.lookup(mask.getCondition()), whole);
  setMasked(loop);
  return "";
}

namespace {
struct TilePeelMasksPass
    : flash::tile::impl::TilePeelMasksBase<TilePeelMasksPass> {
  void runOnOperation() override {
    PassGate<PeelMasksAttr> gate(
        getOperation(), "no loop of it with products in flight has a mask");
    if (!gate)
      return;
    SmallVector<scf::ForOp> loops;
    getOperation().walk([&](scf::ForOp loop) {
      if (!loop.getBody()->getOps<MmaStartOp>().empty())
        loops.push_back(loop);
    });
    for (scf::ForOp loop : loops) {
      scf::IfOp mask = findMask(loop);
      if (!mask)
        continue;
      if (StringRef reason = peel(loop, mask, *gate); !reason.empty()) {
        gate.leave(reason);
        continue;
      }
      gate.worked();
      ++numPeeled;
    }
  }
};
} // namespace
