//===- SplitSchedule.h - A schedule for its readers -------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// #flash.schedule<...> says everything in short. Who tiles an operation gives
// the loop that it becomes what each of the later passes reads.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_TRANSFORMS_SPLITSCHEDULE_H
#define FLASH_LIB_DIALECT_FLASH_TRANSFORMS_SPLITSCHEDULE_H

#include "flash/Dialect/Flash/IR/Flash.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace flash {

/// What a loop over tiles computes: passes that have nothing to do there are
/// not asked for.
struct LoopContents {
  /// The most products that a loop inside has in an iteration.
  int64_t products = 0;
  bool softmax = false;
  /// Whether some blocks are cut, by a mask or by the end of the keys.
  bool masks = true;
};

/// Gives a loop over tiles the attributes of a schedule's readers. Fails, with
/// an error at the loop, where the schedule describes no kernel.
llvm::LogicalResult setSchedule(mlir::scf::ForallOp loop, ScheduleAttr schedule,
                                LoopContents contents);

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_TRANSFORMS_SPLITSCHEDULE_H
