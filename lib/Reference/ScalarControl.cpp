//===- ScalarControl.cpp - Branches and loops in regions --------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An op that has blocks is one step that has others, and moves numbers between
// the slots of what enters and what leaves:
//
//   %r = scf.if %c -> f32 { ... scf.yield %x } else { ... scf.yield %y }
//   ->  slot r = slot c ? (steps, slot x) : (steps, slot y)
//
//===----------------------------------------------------------------------===//

#include "ScalarBuilder.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace flash;
using namespace flash::reference;

/// More is taken for a loop without end.
static constexpr int64_t kMostTurns = int64_t(1) << 24;

std::optional<std::vector<ScalarBody::Step>>
ScalarBody::Builder::nested(Block &block, SmallVectorImpl<int64_t> &yielded) {
  std::vector<Step> around = std::exchange(body.steps, {});
  bool known = true;
  for (Operation &op : block.without_terminator()) {
    known = add(&op) && addSlopes(&op);
    if (!known) {
      unknown = unknown ? unknown : &op;
      break;
    }
  }
  std::vector<Step> steps = std::exchange(body.steps, std::move(around));
  if (!known)
    return std::nullopt;
  for (Value value : block.getTerminator()->getOperands())
    yielded.push_back(slot(value));
  return steps;
}

/// Copies slots to others, all at once.
static void move(ScalarBody::Slot *s, ArrayRef<int64_t> from,
                 ArrayRef<int64_t> to) {
  SmallVector<ScalarBody::Slot, 4> values;
  for (int64_t slot : from)
    values.push_back(s[slot]);
  for (auto [slot, value] : llvm::zip(to, values))
    s[slot] = value;
}

bool ScalarBody::Builder::addIf(scf::IfOp op) {
  SmallVector<int64_t> results, yielded[2];
  for (Value result : op.getResults())
    results.push_back(slot(result));
  std::vector<Step> steps[2];
  for (int side : {0, 1}) {
    Region &region = side ? op.getElseRegion() : op.getThenRegion();
    if (region.empty())
      continue;
    auto inside = nested(region.front(), yielded[side]);
    if (!inside)
      return false;
    steps[side] = std::move(*inside);
  }
  int64_t condition = slot(op.getCondition());
  body.steps.push_back([=, yes = steps[0], no = steps[1], fromYes = yielded[0],
                        fromNo = yielded[1]](Slot *s) {
    bool holds = s[condition].integer != 0;
    for (const Step &step : holds ? yes : no)
      step(s);
    move(s, holds ? fromYes : fromNo, results);
  });
  return true;
}

/// A loop that counts, whatever its bounds are read from.
bool ScalarBody::Builder::addCounted(LoopLikeOpInterface op, Block &block,
                                     AffineStep lower, AffineStep upper,
                                     AffineStep by) {
  SmallVector<int64_t> results, arguments, inits, yielded;
  for (Value value : op->getResults())
    results.push_back(slot(value));
  for (Value value : op.getRegionIterArgs())
    arguments.push_back(slot(value));
  for (Value value : op.getInits())
    inits.push_back(slot(value));
  int64_t position = slot(*op.getSingleInductionVar());
  auto inside = nested(block, yielded);
  if (!inside)
    return false;
  body.steps.push_back([=, steps = std::move(*inside)](Slot *s) {
    move(s, inits, arguments);
    int64_t step = by(s);
    for (int64_t i = lower(s), end = upper(s); i < end; i += step) {
      s[position].integer = i;
      for (const Step &one : steps)
        one(s);
      move(s, yielded, arguments);
    }
    move(s, arguments, results);
  });
  return true;
}

bool ScalarBody::Builder::addFor(scf::ForOp op) {
  auto read = [&](Value value) -> AffineStep {
    return [from = slot(value)](const Slot *s) { return s[from].integer; };
  };
  AffineStep by = read(op.getStep());
  return addCounted(op, *op.getBody(), read(op.getLowerBound()),
                    read(op.getUpperBound()),
                    [=](const Slot *s) { return std::max<int64_t>(by(s), 1); });
}

/// An affine loop: bounds are the greatest and the least of some.
bool ScalarBody::Builder::addFor(affine::AffineForOp op) {
  auto bound = [&](AffineMap map, ValueRange operands, bool largest) {
    SmallVector<int64_t> in;
    for (Value operand : operands)
      in.push_back(slot(operand));
    return affineStep(map, in, largest);
  };
  return addCounted(op, *op.getBody(),
                    bound(op.getLowerBoundMap(), op.getLowerBoundOperands(),
                          /*largest=*/true),
                    bound(op.getUpperBoundMap(), op.getUpperBoundOperands(),
                          /*largest=*/false),
                    [by = op.getStepAsInt()](const Slot *) { return by; });
}

bool ScalarBody::Builder::addWhile(scf::WhileOp op) {
  auto slotsOf = [&](ValueRange values) {
    SmallVector<int64_t> in;
    for (Value value : values)
      in.push_back(slot(value));
    return in;
  };
  SmallVector<int64_t> inits = slotsOf(op.getInits()),
                       before = slotsOf(op.getBeforeArguments()),
                       after = slotsOf(op.getAfterArguments()),
                       results = slotsOf(op.getResults()), asked, yielded;
  auto ask = nested(*op.getBeforeBody(), asked);
  if (!ask)
    return false;
  auto turn = nested(*op.getAfterBody(), yielded);
  if (!turn)
    return false;
  const ScalarBody *owner = &body;
  body.steps.push_back(
      [=, ask = std::move(*ask), turn = std::move(*turn)](Slot *s) {
        ArrayRef<int64_t> passed = ArrayRef(asked).drop_front();
        move(s, inits, before);
        for (int64_t n = 0;; ++n) {
          for (const Step &step : ask)
            step(s);
          if (!s[asked.front()].integer)
            break;
          if (n == kMostTurns)
            return owner->fail("a loop ends neither after " +
                               std::to_string(n) + " turns");
          move(s, passed, after);
          for (const Step &step : turn)
            step(s);
          move(s, yielded, before);
        }
        move(s, passed, results);
      });
  return true;
}

bool ScalarBody::Builder::addSwitch(scf::IndexSwitchOp op) {
  SmallVector<int64_t> results;
  for (Value result : op.getResults())
    results.push_back(slot(result));
  struct Case {
    std::vector<Step> steps;
    SmallVector<int64_t> yielded;
  };
  std::vector<Case> cases;
  for (Region &region : op->getRegions()) {
    Case &one = cases.emplace_back();
    auto inside = nested(region.front(), one.yielded);
    if (!inside)
      return false;
    one.steps = std::move(*inside);
  }
  // The first region is that of all other numbers.
  std::vector<int64_t> numbers = op.getCases().vec();
  int64_t argument = slot(op.getArg());
  body.steps.push_back([=](Slot *s) {
    size_t taken = 0;
    for (auto [n, number] : llvm::enumerate(numbers))
      if (number == s[argument].integer)
        taken = n + 1;
    for (const Step &step : cases[taken].steps)
      step(s);
    move(s, cases[taken].yielded, results);
  });
  return true;
}

bool ScalarBody::Builder::addRegion(scf::ExecuteRegionOp op) {
  if (!op.getRegion().hasOneBlock())
    return false;
  SmallVector<int64_t> results, yielded;
  for (Value result : op.getResults())
    results.push_back(slot(result));
  auto inside = nested(op.getRegion().front(), yielded);
  if (!inside)
    return false;
  body.steps.push_back([=, steps = std::move(*inside)](Slot *s) {
    for (const Step &step : steps)
      step(s);
    move(s, yielded, results);
  });
  return true;
}

bool ScalarBody::Builder::isControl(Operation *op) {
  return isa<scf::IfOp, scf::ForOp, scf::WhileOp, scf::IndexSwitchOp,
             scf::ExecuteRegionOp, affine::AffineForOp>(op);
}

bool ScalarBody::Builder::addControl(Operation *op) {
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case([&](scf::IfOp branch) { return addIf(branch); })
      .Case<scf::ForOp, affine::AffineForOp>(
          [&](auto loop) { return addFor(loop); })
      .Case([&](scf::WhileOp loop) { return addWhile(loop); })
      .Case([&](scf::IndexSwitchOp branch) { return addSwitch(branch); })
      .Case([&](scf::ExecuteRegionOp region) { return addRegion(region); })
      .Default(false);
}
