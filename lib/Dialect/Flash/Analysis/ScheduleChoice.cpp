//===- ScheduleChoice.cpp - The table's schedule, else the model's --------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   16 bit, head dim 64, causal, on sm_90a
//   ->  up to 1408: 128 x 128; else: 192 x 96        (a table's entry)
//   ->  192 x 96                                     (the model's cheapest
//   tile)
//
// What was measured wins over what is modelled. An entry that cannot be run
// (a file may say anything) is left out, and the reason told.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Analysis/ScheduleSpace.h"
#include "flash/Dialect/Flash/Analysis/ScheduleTable.h"
#include "flash/Support/DebugLog.h"

#include "mlir/AsmParser/AsmParser.h"

#define DEBUG_TYPE "flash-choose-schedule"

using namespace mlir;
using namespace flash;

/// How near a table's device is to a target; negative where code for one does
/// not suit the other.
static int nearness(const ScheduleTable &table, TargetAttr target) {
  auto measured = cast<TargetAttr>(
      parseAttribute(table.target, target.getContext())); // has been verified
  if (measured.getKind() != target.getKind() ||
      measured.getVectorBits() != target.getVectorBits())
    return -1;
  return (measured.getCores() == target.getCores()) +
         (measured.getFastMemory() == target.getFastMemory()) +
         (measured.getL2() == target.getL2());
}

/// The entry of the problem; or of the one that has neither LSE nor offsets,
/// which cost registers: `exact` is false then.
static const ScheduleEntry *findEntry(const ScheduleTable &table,
                                      ScheduleKey key, bool &exact) {
  auto find = [&]() -> const ScheduleEntry * {
    for (const ScheduleEntry &entry : table.entries)
      if (entry.key == key)
        return &entry;
    return nullptr;
  };
  exact = true;
  if (const ScheduleEntry *entry = find())
    return entry;
  exact = key.lse = key.offsets = false;
  return find();
}

/// Why a schedule that was measured without LSE and offsets may not do for a
/// problem with them: by the model, it needs more registers than there are.
static std::string findSpill(TargetAttr target, ScheduleAttr schedule,
                             const TileProblem &problem) {
  for (const TileResource &resource : describeTile(target, schedule, problem))
    if (resource.name == "registers" && resource.used > resource.limit)
      return "was measured without LSE and offsets, with which it is short of "
             "registers";
  return "";
}

/// The same of lengths that are data, which a producer has to read.
static std::string findShortProducer(ScheduleAttr schedule,
                                     const TileProblem &problem) {
  constexpr int64_t least = 32;
  int64_t registers = schedule.getProducerRegisters();
  if (problem.length != TileProblem::kLengthInData || !registers ||
      registers >= least)
    return "";
  return "was measured without lengths that are data, with which its producer "
         "is short of registers";
}

/// Fills in `choice` for the problem's length, if the entry's schedules can be
/// run.
static bool takeEntry(const ScheduleEntry &entry, bool exact, TargetAttr target,
                      const TileProblem &problem, ScheduleChoice &choice) {
  for (const ScheduleRange &range : entry.ranges) {
    if (problem.length >= 0 && range.upTo && problem.length > range.upTo)
      continue;
    ScheduleAttr schedule = parseSchedule(range.schedule, target.getContext());
    std::string problemWithIt = findMisfit(target, schedule, problem);
    if (problemWithIt.empty() && !exact)
      problemWithIt = findSpill(target, schedule, problem);
    if (problemWithIt.empty())
      problemWithIt = findShortProducer(schedule, problem);
    if (!problemWithIt.empty()) {
      choice.remark = "its schedule of " + std::to_string(schedule.getM()) +
                      " queries and " + std::to_string(schedule.getN()) +
                      " keys " + problemWithIt;
      return false;
    }
    if (!range.upTo || problem.length >= 0) {
      choice.schedule = schedule;
      break;
    }
    if (problem.length == TileProblem::kLengthAtRunTime)
      choice.shorter.push_back({range.upTo, schedule});
  }
  // Beyond the last bound the model goes on; not, if that is all.
  if (!choice.schedule && !choice.shorter.empty())
    choice.schedule = chooseTile(target, problem).schedule;
  return static_cast<bool>(choice.schedule);
}

void flash::setShorterSchedules(AttentionOp op,
                                ArrayRef<ScheduleChoice::Bounded> shorter) {
  StringRef name = FlashDialect::getShorterSchedulesAttrName();
  if (shorter.empty()) {
    op->removeAttr(name);
    return;
  }
  SmallVector<Attribute> list;
  for (const ScheduleChoice::Bounded &bounded : shorter)
    list.push_back(
        BoundedAttr::get(op.getContext(), bounded.upTo, bounded.schedule));
  op->setAttr(name, ArrayAttr::get(op.getContext(), list));
}

SmallVector<ScheduleChoice::Bounded>
flash::getShorterSchedules(AttentionOp op) {
  SmallVector<ScheduleChoice::Bounded> shorter;
  if (auto list = op->getAttrOfType<ArrayAttr>(
          FlashDialect::getShorterSchedulesAttrName()))
    for (auto bounded : list.getAsRange<BoundedAttr>())
      shorter.push_back({bounded.getUpTo(), bounded.getSchedule()});
  return shorter;
}

ScheduleAttr flash::getScheduleForLength(AttentionOp op, int64_t length) {
  for (const ScheduleChoice::Bounded &bounded : getShorterSchedules(op))
    if (length <= bounded.upTo)
      return bounded.schedule;
  return op.getScheduleAttr();
}

/// The tables that suit a target, the nearest first.
static SmallVector<const ScheduleTable *>
findTables(TargetAttr target, ArrayRef<ScheduleTable> tables) {
  SmallVector<std::pair<int, const ScheduleTable *>> near;
  for (const ScheduleTable &table : tables)
    if (int points = nearness(table, target); points >= 0)
      near.push_back({points, &table});
  llvm::sort(near, [](auto &a, auto &b) {
    return std::tie(b.first, a.second) < std::tie(a.first, b.second);
  });
  return llvm::map_to_vector(near, [](auto &pair) { return pair.second; });
}

static std::string notTaken(const ScheduleTable &table, StringRef why) {
  return "schedule table '" + table.name + "': " + why.str() + "; not taken";
}

ScheduleChoice flash::chooseSchedule(TargetAttr target, MergeOp op,
                                     ArrayRef<ScheduleTable> tables) {
  ScheduleChoice choice;
  for (const ScheduleTable *table : findTables(target, tables)) {
    bool exact;
    const ScheduleEntry *entry = findEntry(*table, ScheduleKey::get(op), exact);
    if (!entry || choice.schedule)
      continue;
    // Rows are rows, whatever their number.
    ScheduleAttr schedule =
        parseSchedule(entry->ranges.back().schedule, target.getContext());
    int64_t rows = 16 * schedule.getWarps();
    if (!target.isCPU() && (rows == 0 || schedule.getM() % rows)) {
      choice.remark = notTaken(
          *table, "its schedule of " + std::to_string(schedule.getM()) +
                      " rows cannot be laid out over " +
                      std::to_string(schedule.getWarps()) + " warps");
      continue;
    }
    choice.schedule = schedule;
    choice.table = table->name;
  }
  if (!choice.schedule)
    choice.schedule = chooseMergeSchedule(target);
  return choice;
}

ScheduleChoice flash::chooseSchedule(TargetAttr target,
                                     const TileProblem &problem,
                                     ArrayRef<ScheduleTable> tables) {
  // Of ragged sequences nothing was measured: tiles are unlike, and a kernel
  // needs more registers.
  if (problem.ragged)
    tables = {};
  std::string remark;
  for (const ScheduleTable *table : findTables(target, tables)) {
    bool exact;
    const ScheduleEntry *entry =
        findEntry(*table, ScheduleKey::get(problem), exact);
    LDBG() << "table " << table->name << " has "
           << (!entry  ? "no"
               : exact ? "an"
                       : "a similar")
           << " entry";
    if (!entry)
      continue;
    ScheduleChoice choice;
    if (takeEntry(*entry, exact, target, problem, choice)) {
      choice.table = table->name;
      return choice;
    }
    LDBG() << "which is not taken: " << choice.remark;
    if (!choice.remark.empty() && remark.empty())
      remark = notTaken(*table, choice.remark);
  }
  ScheduleChoice choice;
  choice.schedule = chooseTile(target, problem).schedule;
  choice.remark = std::move(remark);
  return choice;
}
