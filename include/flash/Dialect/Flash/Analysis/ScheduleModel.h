//===- ScheduleModel.h - Which tile fits a target, and why ------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The model that flash-choose-schedule chooses by, and that flash-io-report
// explains the choice with: both read the same list of candidates.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_ANALYSIS_SCHEDULEMODEL_H
#define FLASH_DIALECT_FLASH_ANALYSIS_SCHEDULEMODEL_H

#include "flash/Dialect/Flash/IR/Flash.h"

#include <string>
#include <vector>

namespace flash {

/// What the model needs of an attention, and what a table of measured schedules
/// (ScheduleTable.h) knows it by.
struct TileProblem {
  /// The kind of operation: its name without the dialect's.
  std::string op = "attention";
  int64_t qkDim = 0, vDim = 0, elementBytes = 2;
  /// Queries and keys that a mask's lists number together, which no tile
  /// crosses (0: no lists); and the size of a page, which tiles should not
  /// cross.
  int64_t queryBlock = 0, keyBlock = 0, pageSize = 0;
  /// Whether a mask gives blocks of queries different numbers of keys.
  bool uneven = false;
  /// Whether scores can meet a mask's predicate.
  bool predicate = false;
  /// Whether the LSE is asked for, and whether positions have offsets.
  bool lse = false, offsets = false;
  /// Names, for the table: `none`, `causal`, `window`, ...; score functions and
  /// what else happens to scores, as `alibi, softcap`; keys in pages.
  std::string mask = "none", scores;
  bool paged = false;
  /// Sequences lie packed along the length.
  bool ragged = false;
  /// The longer of queries and keys, where types say both; else one of these.
  static constexpr int64_t kLengthAtRunTime = -1, kLengthInData = -2;
  int64_t length = kLengthAtRunTime;
  /// Queries of a head, where types say how many; else negative. Query heads
  /// that can share a tile (PackHeads.h).
  int64_t queries = kLengthAtRunTime, headGroup = 1;
  /// Whether a score function may make scores grow along the keys without a
  /// bound that is known; and whether one only makes them fall from the last
  /// visible key on towards the first.
  bool drifts = false, recedes = false;
  /// What each score costs besides: functions (softcap, a region), data of its
  /// own to read (a bias, captures), a mask of more than one comparison.
  bool functions = false, elementData = false, wideMask = false;

  static TileProblem get(AttentionOpInterface op);
};

/// A tile that the model looked at.
struct TileCandidate {
  /// n is 0 where not even the smallest block of keys fits.
  ScheduleAttr schedule;
  /// Of a score, relative to other candidates of the target; smaller is better.
  double cost = 0;
  /// What keeps the tile from being larger: `registers`, `shared memory`, ...
  std::string limit;
  /// The same with its numbers, as a sentence.
  std::string reason;
};

/// What the model considers for a target; at least one fits or is the smallest
/// there is.
std::vector<TileCandidate> considerTiles(TargetAttr target,
                                         const TileProblem &problem);

/// The cheapest candidate.
TileCandidate chooseTile(TargetAttr target, const TileProblem &problem);

/// Whether the target's model takes Hopper's instructions for the problem.
bool usesWgmma(TargetAttr target, const TileProblem &problem);

/// Why the model leaves Hopper's instructions aside on a target that has them;
/// empty where it takes them.
std::string explainInstruction(TargetAttr target, const TileProblem &problem);

/// What the model says a score costs under a schedule, relative to others of
/// the target; smaller is better.
double tileCost(TargetAttr target, ScheduleAttr schedule,
                const TileProblem &problem);

/// The schedule of a backward, whose `recompute` is decided.
ScheduleAttr chooseBackwardSchedule(AttentionBackwardOp op, TargetAttr target);

/// Whether types say that there are no queries or no keys: then a backward has
/// no loops.
bool seesNothing(AttentionBackwardOp op);

/// Whether a backward takes its deltas, or its log-sum-exps, as part of a
/// product: as rows of bf16 whose sum is the number, of 24 bits. Functions of
/// scores stand between the product and the log-sum-exp.
bool takesDeltaAsProduct(AttentionBackwardOp op);
bool takesLseAsProduct(AttentionBackwardOp op);
constexpr int64_t partsOfStatistic = 3;

/// The schedule of a merge: element-wise on blocks of rows.
ScheduleAttr chooseMergeSchedule(TargetAttr target);

/// A memory of the target that a tile uses.
struct TileResource {
  std::string name, unit;
  /// limit is 0 where the target's description does not say.
  int64_t used, limit;
};

/// What a schedule, chosen or given, uses of the target.
std::vector<TileResource> describeTile(TargetAttr target, ScheduleAttr schedule,
                                       const TileProblem &problem);

/// What keeps the tile of a schedule that the model did not choose from having
/// more keys, and the same with its numbers.
struct TileBound {
  std::string limit, reason;
};
TileBound findBound(TargetAttr target, ScheduleAttr schedule,
                    const TileProblem &problem);

/// Bytes of fast memory that an m x n step keeps: Q, a block of K and of V in
/// the inputs' type, S and O in f32. What a target with explicit stages and
/// registers needs is describeTile's.
int64_t stepBytes(const TileProblem &problem, int64_t m, int64_t n);

} // namespace flash

#endif // FLASH_DIALECT_FLASH_ANALYSIS_SCHEDULEMODEL_H
