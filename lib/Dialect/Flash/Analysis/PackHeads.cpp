//===- PackHeads.cpp - Query heads that share a tile ----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   32 query heads, 4 key heads, 5 queries, tiles of 128 rows
//   ->  8 heads x 16 positions a tile: 40 rows of 128 used, and not 5
//
// A mask that is asked for whole blocks is asked once for all heads of a tile,
// so that it may not look at them. Scores are asked row by row.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Analysis/PackHeads.h"

#include "flash/Dialect/Flash/Analysis/ScheduleModel.h"
#include "flash/Dialect/Flash/IR/ScheduleFields.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace mlir;
using namespace flash;

/// Whether what the mask hides may differ between heads.
static bool masksByHead(AttentionOpInterface op) {
  MaskAttrInterface mask = op.getEffectiveMask();
  if (!mask)
    return false;
  if (!op.getMaskBody().empty() && !op.getMaskBody().getArgument(1).use_empty())
    return true;
  for (auto [kind, operand] :
       llvm::zip(mask.getMaskOperandKinds(), op.getMaskOperands())) {
    auto type = cast<RankedTensorType>(operand.getType());
    for (auto [dim, what] : llvm::enumerate(kind.dimsOf(type.getRank())))
      if (what.along == Along::Heads && type.getDimSize(dim) != 1)
        return true;
  }
  return false;
}

/// Query heads of a key head; 0 where the types do not say.
static int64_t getRatio(AttentionOpInterface op) {
  int64_t dim = op.getHeadsDim();
  int64_t queryHeads = op.getQuery().getType().getDimSize(dim),
          keyHeads = op.getKey().getType().getDimSize(dim);
  if (ShapedType::isDynamic(queryHeads) || ShapedType::isDynamic(keyHeads) ||
      keyHeads == 0)
    return 0;
  return queryHeads / keyHeads;
}

int64_t flash::findHeadGroup(AttentionOpInterface op) {
  int64_t ratio = getRatio(op);
  return ratio > 1 && !masksByHead(op) ? ratio : 1;
}

/// Why the schedule's `packHeads` is not possible, as the rest of a sentence.
static std::string findMisfit(AttentionOpInterface op, ScheduleAttr schedule) {
  int64_t heads = std::max<int64_t>(schedule.getPackHeads(), 1),
          ratio = getRatio(op);
  if (heads == 1)
    return "";
  if (!ratio)
    return "the types do not say how many query heads share a key head";
  if (ratio % heads)
    return llvm::formatv("{0} query heads share a key head", ratio);
  if (schedule.getM() % heads)
    return llvm::formatv("tiles have {0} rows", schedule.getM());
  if (masksByHead(op))
    return "the mask tells heads apart";
  if (op.isRagged())
    return "sequences are ragged";
  return "";
}

LogicalResult flash::checkPacking(AttentionOpInterface op,
                                  ScheduleAttr schedule) {
  std::string reason = findMisfit(op, schedule);
  if (reason.empty())
    return success();
  return op.emitOpError() << "schedule has packHeads = "
                          << schedule.getPackHeads() << ", but " << reason;
}

/// How much of the tiles is not padding.
static double fill(int64_t queries, int64_t rows) {
  return double(queries) / double(llvm::alignTo(queries, rows));
}

int64_t flash::choosePackedHeads(const TileProblem &problem, int64_t rows) {
  // Measured by others: with less to win, the longer way to addresses and the
  // masks' positions are what is lost.
  constexpr double kNearly = 0.9;
  int64_t heads = std::gcd(problem.headGroup, rows);
  if (heads < 2 || problem.queries < 1)
    return 1;
  bool better = fill(problem.queries, rows) <
                kNearly * fill(problem.queries, rows / heads);
  return better ? heads : 1;
}

ScheduleAttr flash::packHeads(TargetAttr target, ScheduleAttr schedule,
                              const TileProblem &problem) {
  if (target.isCPU() || schedule.getPackHeads() || schedule.getM() < 1)
    return schedule;
  int64_t heads = choosePackedHeads(problem, schedule.getM());
  if (heads < 2)
    return schedule;
  ScheduleFields fields = ScheduleFields::get(schedule);
  fields.packHeads = heads;
  return fields.get(target.getContext());
}
