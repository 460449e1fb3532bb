//===- CutTiles.cpp - Tiles that end before their rows do -----------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The copy engine fills a tile with zeros after the tensor's end. After the
// end of a sequence, or of a length that is data, it brings what lies there:
// the next sequence, or what nobody has written, such as a NaN. Consumers have
// to clear those rows (flash_tile.get ... rows), unless
//
//   %s = mma %q, %k transpose_b             // a row of %k: a column of %s
//   scf.if (%n < 64) { map(%s) { select %column < %n, %s, -inf } }
//
// replaces what they lead to, or an iteration is followed by another one, so
// that its tile is whole. Said of the program, not of its name for keys and
// values.
//
//===----------------------------------------------------------------------===//

#include "RingUtils.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace flash::tile;

static std::optional<int64_t> getConstant(Value value) {
  return getConstantIntValue(getAsOpFoldResult(value));
}

//===----------------------------------------------------------------------===//
// Scores that are replaced
//===----------------------------------------------------------------------===//

/// Whether `condition` holds wherever `count < size`.
static bool isImpliedByCut(Value condition, Value count, int64_t size) {
  if (auto either = condition.getDefiningOp<arith::OrIOp>())
    return isImpliedByCut(either.getLhs(), count, size) ||
           isImpliedByCut(either.getRhs(), count, size);
  auto compare = condition.getDefiningOp<arith::CmpIOp>();
  return compare && compare.getPredicate() == arith::CmpIPredicate::slt &&
         compare.getLhs() == count &&
         getConstant(compare.getRhs()).value_or(0) >= size;
}

/// Whether `condition` holds nowhere but where `column < count`.
static bool impliesInside(Value condition, Value column, Value count) {
  if (auto both = condition.getDefiningOp<arith::AndIOp>())
    return impliesInside(both.getLhs(), column, count) ||
           impliesInside(both.getRhs(), column, count);
  auto compare = condition.getDefiningOp<arith::CmpIOp>();
  return compare && compare.getPredicate() == arith::CmpIPredicate::slt &&
         compare.getLhs() == column && compare.getRhs() == count;
}

/// Whether a map's result has, in columns from `count` on, what does not depend
/// on its inputs.
static bool replacesColumns(MapOp map, unsigned result, Value count) {
  Block &body = map.getBody().front();
  auto yield = cast<YieldOp>(body.getTerminator());
  auto select = yield.getValues()[result].getDefiningOp<arith::SelectOp>();
  return select &&
         impliesInside(select.getCondition(), body.getArgument(1), count) &&
         select.getFalseValue().getParentRegion() != &map.getBody();
}

/// Whether all uses of `scores` replace its columns from `count` on, where
/// there are any.
static bool areColumnsReplaced(Value scores, Value count, int64_t size) {
  return llvm::all_of(scores.getUses(), [&](OpOperand &use) {
    Operation *user = use.getOwner();
    if (auto map = dyn_cast<MapOp>(user))
      return llvm::all_of(llvm::enumerate(map.getResults()), [&](auto entry) {
        return replacesColumns(map, entry.index(), count) ||
               areColumnsReplaced(entry.value(), count, size);
      });
    auto branch = dyn_cast<scf::IfOp>(user->getParentOp());
    if (!branch || !isa<scf::YieldOp>(user))
      return false;
    bool otherwise = user->getBlock() == branch.elseBlock();
    return (otherwise && isImpliedByCut(branch.getCondition(), count, size)) ||
           areColumnsReplaced(branch.getResult(use.getOperandNumber()), count,
                              size);
  });
}

bool flash::tile::isPaddingUnseen(LoadOp load) {
  int64_t size = load.getTile().getType().getRows();
  return llvm::all_of(load.getTile().getUses(), [&](OpOperand &use) {
    auto product = dyn_cast<MmaOp>(use.getOwner());
    return product && product.getTransposeB() && use.get() == product.getB() &&
           use.get() != product.getA() &&
           areColumnsReplaced(product.getResult(), load.getRows(), size);
  });
}

//===----------------------------------------------------------------------===//
// Iterations that others follow
//===----------------------------------------------------------------------===//

/// Whether `value` is certainly at most `limit`.
static bool isAtMost(Value value, Value limit) {
  if (value == limit)
    return true;
  if (auto min = value.getDefiningOp<arith::MinSIOp>())
    return isAtMost(min.getLhs(), limit) || isAtMost(min.getRhs(), limit);
  auto select = value.getDefiningOp<arith::SelectOp>();
  return select && isAtMost(select.getTrueValue(), limit) &&
         isAtMost(select.getFalseValue(), limit);
}

bool flash::tile::isWholeBeforeLast(scf::ForOp loop, Value count,
                                    int64_t size) {
  // Where another one follows, position + step is below the loop's bound, and
  // so at least `size` rows are left.
  if (getConstant(loop.getStep()).value_or(0) < size)
    return false;
  auto min = count.getDefiningOp<arith::MinSIOp>();
  if (!min)
    return false;
  for (auto [all, rest] : {std::pair(min.getLhs(), min.getRhs()),
                           std::pair(min.getRhs(), min.getLhs())}) {
    auto left = rest.getDefiningOp<arith::SubIOp>();
    if (getConstant(all).value_or(0) >= size && left &&
        left.getRhs() == loop.getInductionVar() &&
        isAtMost(loop.getUpperBound(), left.getLhs()))
      return true;
  }
  return false;
}
