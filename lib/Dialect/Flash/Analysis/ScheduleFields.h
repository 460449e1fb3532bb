//===- ScheduleFields.h - A schedule that can be filled in ------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The fields of #flash.schedule<...>, for who makes one step by step.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_ANALYSIS_SCHEDULEFIELDS_H
#define FLASH_LIB_DIALECT_FLASH_ANALYSIS_SCHEDULEFIELDS_H

#include "flash/Dialect/Flash/Analysis/ScheduleModel.h"

namespace flash {

struct ScheduleFields {
  int64_t m = 0, n = 0, d = 0;
  bool transposed = false, peel = false;
  int64_t warps = 0, stages = 0;
  Instruction instruction = Instruction::None;
  bool specialize = false, tma = false;
  int64_t producerRegisters = 0, consumerRegisters = 0;
  bool lazy = false, persistent = false;
  int64_t queryStages = 0, headTurns = 0;
  bool storeTma = false;
  int64_t storeColumns = 0;
  bool pingPong = false, overlapTiles = false;
  int64_t prefetchBlocks = 0;
  bool earlyCheck = false, dynamic = false, peelMasks = false, backward = false;
  bool keysFirst = false;
  int64_t cluster = 0, splitTiles = 0, packHeads = 0;

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
    return c;
  }

  ScheduleAttr get(mlir::MLIRContext *context) const {
    return ScheduleAttr::get(
        context, m, n, d, transposed, peel, warps, stages, instruction,
        specialize, tma, producerRegisters, consumerRegisters, lazy, persistent,
        queryStages, headTurns, storeTma, storeColumns, pingPong, overlapTiles,
        prefetchBlocks, earlyCheck, dynamic, peelMasks, cluster, backward,
        keysFirst, splitTiles, packHeads);
  }
};

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_ANALYSIS_SCHEDULEFIELDS_H
