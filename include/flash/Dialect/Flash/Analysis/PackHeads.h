//===- PackHeads.h - Query heads that share a tile --------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With G query heads a key head and few queries, a tile of one head's queries
// is mostly padding, and K and V are read G times. A tile of all the group's
// queries is full, and reads them once: whether that can be, and whether it is
// better.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_ANALYSIS_PACKHEADS_H
#define FLASH_DIALECT_FLASH_ANALYSIS_PACKHEADS_H

#include "flash/Dialect/Flash/Analysis/ScheduleModel.h"

#include <string>

namespace flash {

/// Query heads of a key head that can share a tile: 1 where types do not say
/// how many there are, or where a mask tells heads apart.
int64_t findHeadGroup(AttentionOpInterface op);

/// Fails, with an error that says why, where the schedule's `packHeads` is not
/// possible.
mlir::LogicalResult checkPacking(AttentionOpInterface op,
                                 ScheduleAttr schedule);

/// The heads that a tile of `rows` rows of the problem takes best: 1 where
/// tiles of one head are nearly as full, or where lengths are not known.
int64_t choosePackedHeads(const TileProblem &problem, int64_t rows);

/// A GPU's schedule that does not say `packHeads`, with what is best there.
ScheduleAttr packHeads(TargetAttr target, ScheduleAttr schedule,
                       const TileProblem &problem);

} // namespace flash

#endif // FLASH_DIALECT_FLASH_ANALYSIS_PACKHEADS_H
