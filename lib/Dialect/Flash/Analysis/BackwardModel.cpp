//===- BackwardModel.cpp - Tiles of a backward ----------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   flash.attention_backward ... {recompute = #flash.recompute<outer = keys>}
//   ->  #flash.schedule<m = 64, n = 128, warps = 8, instruction = wgmma, ...>
//
// A step holds two tiles of scores and adds to up to three gradients, of which
// those of the loop outside stay in registers: they bound the tile.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Analysis/ScheduleModel.h"

#include "flash/Dialect/Flash/IR/ScheduleFields.h"

using namespace mlir;
using namespace flash;

static ScheduleAttr chooseForCPU(AttentionBackwardOp op, TargetAttr target) {
  ScheduleFields fields;
  // Scores of the loop outside lie along the lanes of vectors.
  int64_t lanes = std::max<int64_t>(target.getVectorBits() / 32, 4);
  bool queriesOutside = op.getRecompute()->getOuter() == OuterLoop::Queries;
  int64_t alongLanes = 2 * 3 * lanes, across = 48;
  fields.m = queriesOutside ? alongLanes : across;
  fields.n = queriesOutside ? across : alongLanes;
  fields.d = 1;
  return fields.get(op.getContext());
}

/// Warps have 16 rows each of the loop outside (wgmma: four have 64).
static ScheduleAttr chooseForGPU(AttentionBackwardOp op, TargetAttr target) {
  ScheduleFields fields;
  int64_t dim = std::max(op.getQKHeadDim(), op.getVHeadDim());
  bool queriesOutside = op.getRecompute()->getOuter() == OuterLoop::Queries;
  fields.d = 16;
  fields.stages = 2;
  bool is16Bit = op.getQuery().getType().getElementTypeBitWidth() == 16;
  if (target.hasWgmma() && is16Bit && dim <= 128) {
    int64_t outside = 128, inside = 64;
    fields.m = queriesOutside ? outside : inside;
    fields.n = queriesOutside ? inside : outside;
    fields.warps = 8;
    fields.instruction = Instruction::Wgmma;
    fields.specialize = fields.tma = fields.storeTma = true;
    fields.producerRegisters = 24;
    fields.consumerRegisters = 240;
    return fields.get(op.getContext());
  }
  fields.warps = 4;
  int64_t outside = 64, inside = dim <= 64 ? 64 : 32;
  fields.m = queriesOutside ? outside : inside;
  fields.n = queriesOutside ? inside : outside;
  fields.instruction = Instruction::MmaSync;
  return fields.get(op.getContext());
}

ScheduleAttr flash::chooseBackwardSchedule(AttentionBackwardOp op,
                                           TargetAttr target) {
  return target.isCPU() ? chooseForCPU(op, target) : chooseForGPU(op, target);
}
