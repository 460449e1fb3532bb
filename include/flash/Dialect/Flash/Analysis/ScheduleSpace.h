//===- ScheduleSpace.h - Schedules that could be ----------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a tuner may try on a target, from the target's description alone: tiles
// of every size that fits, and the changes of one field of a schedule.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_ANALYSIS_SCHEDULESPACE_H
#define FLASH_DIALECT_FLASH_ANALYSIS_SCHEDULESPACE_H

#include "flash/Dialect/Flash/Analysis/ScheduleModel.h"

namespace flash {

/// Why a target cannot run a schedule for a problem, as a sentence; empty if
/// nothing is known against it. Registers are the assembler's to judge.
std::string findMisfit(TargetAttr target, ScheduleAttr schedule,
                       const TileProblem &problem);

/// Tiles of all sizes that fit, the model's choice first, then the cheapest by
/// the model.
std::vector<ScheduleAttr> enumerateTiles(TargetAttr target,
                                         const TileProblem &problem);

/// The schedules that differ from one in a single field that is no size of the
/// tile.
std::vector<ScheduleAttr> enumerateVariants(TargetAttr target,
                                            const TileProblem &problem,
                                            ScheduleAttr schedule);

/// `128 x 112, 8 warps, 2 stages, ping-pong, ...`, for people.
std::string describeSchedule(ScheduleAttr schedule);

} // namespace flash

#endif // FLASH_DIALECT_FLASH_ANALYSIS_SCHEDULESPACE_H
