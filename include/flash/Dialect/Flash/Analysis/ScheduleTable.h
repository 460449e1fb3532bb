//===- ScheduleTable.h - Schedules found by measurement ---------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What `flash-run --tune` found on a device, as data (data/schedules/*.json,
// built into the compiler), and the choice: the table's schedule where there is
// one for the problem, else the model's. docs/Tuning.md has the format.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_ANALYSIS_SCHEDULETABLE_H
#define FLASH_DIALECT_FLASH_ANALYSIS_SCHEDULETABLE_H

#include "flash/Dialect/Flash/Analysis/ScheduleModel.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <string>
#include <vector>

namespace flash {

/// What an entry is for: the part of a TileProblem that is known when a kernel
/// is compiled for every length.
struct ScheduleKey {
  /// The kind of operation, by its name: attention, merge, attention_backward.
  std::string op = "attention";
  int64_t bits = 16, qkDim = 0, vDim = 0;
  std::string mask = "none", scores;
  bool lse = false, offsets = false, paged = false;

  static ScheduleKey get(const TileProblem &problem);
  /// Of a merge only the parts' type and the head dim count.
  static ScheduleKey get(MergeOp op);
  static llvm::Expected<ScheduleKey> fromJson(const llvm::json::Object &object);
  llvm::json::Object toJson() const;
  /// `16 bit, head dim 192/128, causal`.
  std::string str() const;
  bool operator==(const ScheduleKey &other) const;
};

/// A schedule for lengths up to a bound. A call's length is that of its queries
/// or keys, whichever is longer.
struct ScheduleRange {
  /// 0: whatever the length.
  int64_t upTo = 0;
  /// The attribute's text.
  std::string schedule;
  /// What was measured; not read.
  llvm::json::Object measured;
};

/// In the order of their bounds.
struct ScheduleEntry {
  ScheduleKey key;
  std::vector<ScheduleRange> ranges;
};

/// The measurements of one device.
struct ScheduleTable {
  /// The file, or `built-in NAME`.
  std::string name;
  /// The #flash.target that was measured, its device, and when and with what.
  std::string target, device, driver, date, commit;
  std::vector<ScheduleEntry> entries;

  /// An error names the field at fault.
  static llvm::Expected<ScheduleTable>
  parse(llvm::StringRef text, llvm::StringRef name, mlir::MLIRContext *context);
  /// Puts an entry in the place of one with the same key.
  void set(ScheduleEntry entry);
  /// The file's text: the same for the same contents.
  std::string str() const;
};

/// The tables that are built in (``), none at all (`none`), or those of files
/// (separated by commas).
llvm::Expected<std::vector<ScheduleTable>>
loadScheduleTables(llvm::StringRef source, mlir::MLIRContext *context);

/// The choice for a problem.
struct ScheduleChoice {
  struct Bounded {
    int64_t upTo;
    ScheduleAttr schedule;
  };
  /// For lengths that are known when a call is made only: what is better for
  /// the shorter ones, in the order of their bounds.
  llvm::SmallVector<Bounded> shorter;
  ScheduleAttr schedule;
  /// The table's name; empty when the model chose.
  std::string table;
  /// Why an entry that there is was not taken.
  std::string remark;
};

ScheduleChoice chooseSchedule(TargetAttr target, const TileProblem &problem,
                              llvm::ArrayRef<ScheduleTable> tables);

/// The same for a merge.
ScheduleChoice chooseSchedule(TargetAttr target, MergeOp op,
                              llvm::ArrayRef<ScheduleTable> tables);

/// On an attention that has `schedule`: the ones for shorter calls, where
/// lengths are known at run time only, as `flash.shorter_schedules =
/// [#flash.bounded<up_to = 1408, schedule = <...>>, ...]`.
void setShorterSchedules(AttentionOp op,
                         llvm::ArrayRef<ScheduleChoice::Bounded> shorter);
llvm::SmallVector<ScheduleChoice::Bounded> getShorterSchedules(AttentionOp op);

/// The schedule that a call takes, by the longer of its queries and keys.
ScheduleAttr getScheduleForLength(AttentionOp op, int64_t length);

/// The attribute of its text, without a diagnostic; null if it is not one.
ScheduleAttr parseSchedule(llvm::StringRef text, mlir::MLIRContext *context);

} // namespace flash

#endif // FLASH_DIALECT_FLASH_ANALYSIS_SCHEDULETABLE_H
