//===- ScalarBodyControl.cpp - Branches and loops of a region -------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A branch or a loop is one step that has others:
//
//   %r = scf.if %c -> f32 { A } else { B }   ->   run A or B, then copy slots
//
//===----------------------------------------------------------------------===//

#include "ScalarBodyBuilder.h"

using namespace mlir;
using namespace flash;
using namespace flash::reference;

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

bool ScalarBody::Builder::addFor(scf::ForOp op) {
  SmallVector<int64_t> results, arguments, inits, yielded;
  for (Value value : op.getResults())
    results.push_back(slot(value));
  for (Value value : op.getRegionIterArgs())
    arguments.push_back(slot(value));
  for (Value value : op.getInitArgs())
    inits.push_back(slot(value));
  int64_t position = slot(op.getInductionVar()),
          lower = slot(op.getLowerBound()), upper = slot(op.getUpperBound()),
          by = slot(op.getStep());
  auto inside = nested(*op.getBody(), yielded);
  if (!inside)
    return false;
  body.steps.push_back([=, steps = std::move(*inside)](Slot *s) {
    move(s, inits, arguments);
    int64_t step = std::max<int64_t>(s[by].integer, 1);
    for (int64_t i = s[lower].integer, end = s[upper].integer; i < end;
         i += step) {
      s[position].integer = i;
      for (const Step &one : steps)
        one(s);
      move(s, yielded, arguments);
    }
    move(s, arguments, results);
  });
  return true;
}
