//===- BackwardWalk.cpp - Which blocks a backward walks -------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a backward's #flash.recompute makes of it:
//
//   outer = keys      one loop, keys outside, for all gradients
//   outer = queries   one loop, queries outside, for that of the queries
//   outer = both      one of each
//   outer = each      keys outside twice (dV, dK), then queries outside
//
// What score functions read has a loop of its own, after the others.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Analysis/BackwardWalk.h"

#include "flash/Dialect/Flash/Analysis/ScheduleModel.h"
#include <numeric>

using namespace mlir;
using namespace flash;

static std::optional<int64_t> findGroup(AttentionBackwardOp op) {
  int64_t heads = op.getQuery().getType().getDimSize(op.getHeadsDim()),
          keyHeads = op.getKey().getType().getDimSize(op.getHeadsDim());
  if (ShapedType::isDynamic(heads) || ShapedType::isDynamic(keyHeads))
    return std::nullopt;
  return heads / std::max<int64_t>(keyHeads, 1);
}

BackwardWalk::BackwardWalk(AttentionBackwardOp op)
    : listed(op.getMaskBlockSizes()), group(findGroup(op)) {
  int64_t m = 0, n = 0;
  if (ScheduleAttr schedule = op.getScheduleAttr()) {
    oneThread = schedule.getTiling().getSummaries();
    m = schedule.getM();
    n = schedule.getN();
  }
  RecomputeAttr recompute = op.getRecomputeAttr();
  OuterLoop outer = recompute ? recompute.getOuter() : OuterLoop::Keys;
  // Two loops have blocks of queries of different sizes.
  bool turned = outer == OuterLoop::Both || outer == OuterLoop::Each;
  // Tiles that blocks of lists cut off have numbers, and so one size; those of
  // a sequence are in blocks that are whole ones of the larger.
  bool divides = m && n && std::max(m, n) % std::min(m, n) == 0;
  bool isCut =
      listed.first && m && n &&
      (listed.first % std::lcm(m, n) || listed.second % std::lcm(m, n));
  if (isCut || ((listed.first || op.isRagged()) && !divides))
    turned = false;
  statisticsRows = turned ? std::lcm(m, n) : m;
  if (seesNothing(op))
    return;
  bool query = bool(op.getDQuery()), key = bool(op.getDKey()),
       value = bool(op.getDValue());
  bool queryByKeys = query && outer == OuterLoop::Keys;
  if (key && value && outer == OuterLoop::Each) {
    loops.push_back({true, false, true, false, m, n});
    loops.push_back({true, false, false, true, m, n});
  } else if (key || value || queryByKeys) {
    loops.push_back({true, queryByKeys, key, value, m, n});
  }
  // The tile of the other loop, turned: more of what is outside.
  if (query && !queryByKeys)
    loops.push_back(
        {false, true, false, false, turned ? n : m, turned ? m : n});
  if (!op.getDOperands().empty())
    loops.push_back({false, false, false, false, m, n, /*operands=*/true});
}
