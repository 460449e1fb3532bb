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
  bool backward = false;
  bool keysFirst = false;
  int64_t splitTiles = 0;
  int64_t packHeads = 0;
  bool overlap = true;
  bool partialSums = true;
  /// Fields that are written with their default, a bit each in the order of
  /// `forEach`.
  uint64_t fixed = 0;

  /// `visit(name, member, needed)` for each; `needed` are those that no
  /// schedule can do without.
  template <typename Visit> static void forEach(Visit visit) {
    visit("m", &ScheduleFields::m, true);
    visit("n", &ScheduleFields::n, true);
    visit("d", &ScheduleFields::d, true);
    visit("transposed", &ScheduleFields::transposed, false);
    visit("peel", &ScheduleFields::peel, false);
    visit("warps", &ScheduleFields::warps, true);
    visit("stages", &ScheduleFields::stages, true);
    visit("instruction", &ScheduleFields::instruction, true);
    visit("specialize", &ScheduleFields::specialize, false);
    visit("tma", &ScheduleFields::tma, false);
    visit("producerRegisters", &ScheduleFields::producerRegisters, false);
    visit("consumerRegisters", &ScheduleFields::consumerRegisters, false);
    visit("lazy", &ScheduleFields::lazy, false);
    visit("persistent", &ScheduleFields::persistent, false);
    visit("queryStages", &ScheduleFields::queryStages, false);
    visit("headTurns", &ScheduleFields::headTurns, false);
    visit("storeTma", &ScheduleFields::storeTma, false);
    visit("storeColumns", &ScheduleFields::storeColumns, false);
    visit("pingPong", &ScheduleFields::pingPong, false);
    visit("overlapTiles", &ScheduleFields::overlapTiles, false);
    visit("prefetchBlocks", &ScheduleFields::prefetchBlocks, false);
    visit("earlyCheck", &ScheduleFields::earlyCheck, false);
    visit("dynamic", &ScheduleFields::dynamic, false);
    visit("peelMasks", &ScheduleFields::peelMasks, false);
    visit("cluster", &ScheduleFields::cluster, false);
    visit("backward", &ScheduleFields::backward, false);
    visit("keysFirst", &ScheduleFields::keysFirst, false);
    visit("splitTiles", &ScheduleFields::splitTiles, false);
    visit("packHeads", &ScheduleFields::packHeads, false);
    visit("overlap", &ScheduleFields::overlap, false);
    visit("partialSums", &ScheduleFields::partialSums, false);
  }

  static ScheduleFields get(ScheduleAttr s) {
    ScheduleFields c;
    c.m = s.getM();
    c.n = s.getN();
    c.d = s.getD();
    c.transposed = s.getTransposed();
    c.peel = s.getPeel();
    c.warps = s.getWarps();
    c.stages = s.getStages();
    c.instruction = s.getInstruction();
    c.specialize = s.getSpecialize();
    c.tma = s.getTma();
    c.producerRegisters = s.getProducerRegisters();
    c.consumerRegisters = s.getConsumerRegisters();
    c.lazy = s.getLazy();
    c.persistent = s.getPersistent();
    c.queryStages = s.getQueryStages();
    c.headTurns = s.getHeadTurns();
    c.storeTma = s.getStoreTma();
    c.storeColumns = s.getStoreColumns();
    c.pingPong = s.getPingPong();
    c.overlapTiles = s.getOverlapTiles();
    c.prefetchBlocks = s.getPrefetchBlocks();
    c.earlyCheck = s.getEarlyCheck();
    c.dynamic = s.getDynamic();
    c.peelMasks = s.getPeelMasks();
    c.cluster = s.getCluster();
    c.backward = s.getBackward();
    c.keysFirst = s.getKeysFirst();
    c.splitTiles = s.getSplitTiles();
    c.packHeads = s.getPackHeads();
    c.overlap = s.getOverlap();
    c.partialSums = s.getPartialSums();
    c.fixed = s.getFixed();
    return c;
  }

  ScheduleAttr get(mlir::MLIRContext *context) const {
    return ScheduleAttr::get(
        context, m, n, d, transposed, peel, warps, stages, instruction,
        specialize, tma, producerRegisters, consumerRegisters, lazy, persistent,
        queryStages, headTurns, storeTma, storeColumns, pingPong, overlapTiles,
        prefetchBlocks, earlyCheck, dynamic, peelMasks, cluster, backward,
        keysFirst, splitTiles, packHeads, overlap, partialSums, fixed);
  }
};

/// `over` where it says something, else `base`; `over` may be null.
ScheduleAttr overlay(ScheduleAttr base, ScheduleAttr over);

/// Whether the field is written with its default.
bool isFixed(ScheduleAttr schedule, llvm::StringRef field);

} // namespace flash

#endif // FLASH_DIALECT_FLASH_IR_SCHEDULEFIELDS_H
