//===- ScheduleFields.h - A schedule that can be filled in ------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The fields of #flash.schedule<...>, for who makes one step by step, or goes
// through all of them.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_IR_SCHEDULEFIELDS_H
#define FLASH_DIALECT_FLASH_IR_SCHEDULEFIELDS_H

#include "flash/Dialect/Flash/IR/Flash.h"

namespace flash {

struct ScheduleFields {
  int64_t m = 0;
  int64_t n = 0;
  int64_t d = 0;
  bool transposed = false;
  bool peel = false;
  int64_t warps = 0;
  int64_t stages = 0;
  Instruction instruction = Instruction::None;
  bool specialize = false;
  bool tma = false;
  int64_t producerRegisters = 0;
  int64_t consumerRegisters = 0;
  bool lazy = false;
  bool persistent = false;
  int64_t queryStages = 0;
  int64_t headTurns = 0;
  bool storeTma = false;
  int64_t storeColumns = 0;
  bool pingPong = false;
  bool overlapTiles = false;
  int64_t prefetchBlocks = 0;
  bool earlyCheck = false;
  bool dynamic = false;
  bool peelMasks = false;
  int64_t cluster = 0;
  bool reverseKeys = false;
  bool keysFirst = false;
  int64_t splitTiles = 0;
  int64_t packHeads = 0;
  bool overlap = true;
  bool partialSums = true;
  int64_t turnTiles = 0;
  /// Fields that are written with their default, a bit each in the order of
  /// `forEach`.
  uint64_t fixed = 0;

  /// `visit(name, member, getter, needed)` for each; `needed` are those that no
  /// schedule can do without.
  template <typename Visit> static void forEach(Visit visit) {
    visit("m", &ScheduleFields::m, &ScheduleAttr::getM, true);
    visit("n", &ScheduleFields::n, &ScheduleAttr::getN, true);
    visit("d", &ScheduleFields::d, &ScheduleAttr::getD, true);
    visit("transposed", &ScheduleFields::transposed,
          &ScheduleAttr::getTransposed, false);
    visit("peel", &ScheduleFields::peel, &ScheduleAttr::getPeel, false);
    visit("warps", &ScheduleFields::warps, &ScheduleAttr::getWarps, true);
    visit("stages", &ScheduleFields::stages, &ScheduleAttr::getStages, true);
    visit("instruction", &ScheduleFields::instruction,
          &ScheduleAttr::getInstruction, true);
    visit("specialize", &ScheduleFields::specialize,
          &ScheduleAttr::getSpecialize, false);
    visit("tma", &ScheduleFields::tma, &ScheduleAttr::getTma, false);
    visit("producerRegisters", &ScheduleFields::producerRegisters,
          &ScheduleAttr::getProducerRegisters, false);
    visit("consumerRegisters", &ScheduleFields::consumerRegisters,
          &ScheduleAttr::getConsumerRegisters, false);
    visit("lazy", &ScheduleFields::lazy, &ScheduleAttr::getLazy, false);
    visit("persistent", &ScheduleFields::persistent,
          &ScheduleAttr::getPersistent, false);
    visit("queryStages", &ScheduleFields::queryStages,
          &ScheduleAttr::getQueryStages, false);
    visit("headTurns", &ScheduleFields::headTurns, &ScheduleAttr::getHeadTurns,
          false);
    visit("storeTma", &ScheduleFields::storeTma, &ScheduleAttr::getStoreTma,
          false);
    visit("storeColumns", &ScheduleFields::storeColumns,
          &ScheduleAttr::getStoreColumns, false);
    visit("pingPong", &ScheduleFields::pingPong, &ScheduleAttr::getPingPong,
          false);
    visit("overlapTiles", &ScheduleFields::overlapTiles,
          &ScheduleAttr::getOverlapTiles, false);
    visit("prefetchBlocks", &ScheduleFields::prefetchBlocks,
          &ScheduleAttr::getPrefetchBlocks, false);
    visit("earlyCheck", &ScheduleFields::earlyCheck,
          &ScheduleAttr::getEarlyCheck, false);
    visit("dynamic", &ScheduleFields::dynamic, &ScheduleAttr::getDynamic,
          false);
    visit("peelMasks", &ScheduleFields::peelMasks, &ScheduleAttr::getPeelMasks,
          false);
    visit("cluster", &ScheduleFields::cluster, &ScheduleAttr::getCluster,
          false);
    visit("reverseKeys", &ScheduleFields::reverseKeys,
          &ScheduleAttr::getReverseKeys, false);
    visit("keysFirst", &ScheduleFields::keysFirst, &ScheduleAttr::getKeysFirst,
          false);
    visit("splitTiles", &ScheduleFields::splitTiles,
          &ScheduleAttr::getSplitTiles, false);
    visit("packHeads", &ScheduleFields::packHeads, &ScheduleAttr::getPackHeads,
          false);
    visit("overlap", &ScheduleFields::overlap, &ScheduleAttr::getOverlap,
          false);
    visit("partialSums", &ScheduleFields::partialSums,
          &ScheduleAttr::getPartialSums, false);
    visit("turnTiles", &ScheduleFields::turnTiles, &ScheduleAttr::getTurnTiles,
          false);
  }

  static ScheduleFields get(ScheduleAttr s) {
    ScheduleFields c;
    forEach([&](llvm::StringRef, auto member, auto getter, bool) {
      c.*member = (s.*getter)();
    });
    c.fixed = s.getFixed();
    return c;
  }

  ScheduleAttr get(mlir::MLIRContext *context) const {
    return ScheduleAttr::get(
        context, m, n, d, transposed, peel, warps, stages, instruction,
        specialize, tma, producerRegisters, consumerRegisters, lazy, persistent,
        queryStages, headTurns, storeTma, storeColumns, pingPong, overlapTiles,
        prefetchBlocks, earlyCheck, dynamic, peelMasks, cluster, reverseKeys,
        keysFirst, splitTiles, packHeads, overlap, partialSums, turnTiles,
        fixed);
  }
};

/// `over` where it says something, else `base`; `over` may be null.
ScheduleAttr overlay(ScheduleAttr base, ScheduleAttr over);

/// Whether the field is written with its default.
bool isFixed(ScheduleAttr schedule, llvm::StringRef field);

} // namespace flash

#endif // FLASH_DIALECT_FLASH_IR_SCHEDULEFIELDS_H
