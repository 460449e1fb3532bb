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

/// Bytes of shared memory: the tiles of the loop outside, stages of those
/// inside, dS where it is a product's left operand, and what leaves.
static int64_t countSharedBytes(const ScheduleFields &c, int64_t outside,
                                int64_t inside, int64_t qkDim, int64_t vDim,
                                bool addsToQueries) {
  int64_t row = (llvm::alignTo(qkDim, 64) + llvm::alignTo(vDim, 64)) * 2;
  int64_t bytes = (outside + c.stages * inside) * row;
  if (!addsToQueries)
    return bytes;
  int64_t scores = outside * llvm::alignTo(inside, 64) * 2;
  if (!c.storeTma)
    return bytes + scores;
  // dS of two iterations, what is added to dQ, and a part of dK or dV.
  return bytes + 2 * scores + inside * llvm::alignTo(qkDim, 64) * 4 +
         outside * c.storeColumns * 2;
}

/// Whether two warpgroups can share the columns of a gradient: parts are panels
/// of 64, or divide one.
static bool sharesColumns(int64_t dim) {
  int64_t part = llvm::alignTo(dim, 64) / 2;
  return part % 64 == 0 || 64 % part == 0;
}

/// Warps have 16 rows each of the loop outside (wgmma: four have 64). Blocks of
/// the loop inside are the largest that registers hold: two tiles of scores
/// beside the gradients.
static ScheduleAttr chooseForGPU(AttentionBackwardOp op, TargetAttr target) {
  ScheduleFields fields;
  int64_t qkDim = op.getQKHeadDim(), vDim = op.getVHeadDim();
  int64_t dim = std::max(qkDim, vDim);
  OuterLoop outer = op.getRecompute()->getOuter();
  bool adds = outer == OuterLoop::Keys && op.getDQuery();
  fields.d = 16;
  fields.stages = 2;
  int64_t outside = 64, inside = dim <= 64 ? 64 : 32;
  bool is16Bit = op.getQuery().getType().getElementTypeBitWidth() == 16;
  // Rows that data find are copied by threads, which takes a buffer more.
  bool isOfData = op.isRagged() || op.getMaskBlockSizes().second;
  // Two loops over listed blocks have tiles of one size.
  bool isSquare = op.getMaskBlockSizes().second &&
                  (outer == OuterLoop::Both || outer == OuterLoop::Each);
  // All three gradients of wide heads in one loop: not chosen, but taken if it
  // is asked for.
  bool isWide = adds && dim > 128;
  bool canShare = !isWide || (sharesColumns(qkDim) && sharesColumns(vDim));
  if (isSquare) {
    fields.warps = 4;
    fields.instruction = Instruction::MmaSync;
    inside = outside;
  } else if (target.hasWgmma() && is16Bit && canShare) {
    outside = 128;
    // With a head dim of 64 the gradients leave room for larger tiles of
    // scores.
    inside = adds && dim <= 64 && !isOfData ? 128 : dim <= 128 ? 64 : 32;
    fields.warps = 8;
    fields.instruction = Instruction::Wgmma;
    fields.specialize = fields.tma = fields.storeTma = true;
    // Measured: docs/rationale/gpu.md. A tile of few iterations is a third as
    // long again by what it begins and ends with.
    fields.persistent = true;
    // Blocks that take tiles as they come leave no multiprocessor without work
    // where masks make tiles long and short, and are not in step where tiles
    // are little. Not yet where a helper has sums stored.
    bool hasMask = static_cast<bool>(op.getEffectiveMask());
    bool hasHelper = adds && inside < 16 * fields.warps;
    fields.dynamic = !hasHelper && (hasMask || dim <= 64);
    fields.turnTiles = fields.dynamic && hasMask ? 256 : 0;
    // What leaves at the end does so in parts: room for the rings.
    fields.storeColumns = 64;
    fields.producerRegisters = 24;
    fields.consumerRegisters = 240;
    // There are registers for the gradients of 64 keys, whose columns the
    // warpgroups share, and shared memory for one stage and no sums.
    if (isWide) {
      outside = inside = 64;
      fields.stages = 1;
      fields.storeTma = false;
      fields.storeColumns = 0;
    }
  } else {
    fields.warps = 4;
    fields.instruction = Instruction::MmaSync;
    // As many rows as the warps have: nobody shares columns.
    if (!canShare)
      inside = outside;
  }
  // Where the tile of queries has fewer rows than the warps compute, these
  // share the columns of dQ, in parts that a panel of 64 columns divides or is
  // divided by.
  if (adds && inside < 16 * fields.warps && qkDim > 16)
    fields.d = qkDim > 32 ? 64 : 32;
  while (fields.stages > 1 &&
         countSharedBytes(fields, outside, inside, qkDim, vDim, adds) >
             target.getFastMemory())
    --fields.stages;
  bool queriesOutside = outer == OuterLoop::Queries;
  fields.m = queriesOutside ? outside : inside;
  fields.n = queriesOutside ? inside : outside;
  return fields.get(op.getContext());
}

bool flash::seesNothing(AttentionBackwardOp op) {
  int64_t length = op.getLengthDim();
  return op.getQuery().getType().getDimSize(length) == 0 ||
         op.getKey().getType().getDimSize(length) == 0;
}

bool flash::takesDeltaAsProduct(AttentionBackwardOp op) {
  return op.getRecompute()->getStatistics() == StatisticsForm::Product;
}

bool flash::takesLseAsProduct(AttentionBackwardOp op) {
  return takesDeltaAsProduct(op) && op.getEffectiveScores().empty() &&
         op.getScoreBody().empty();
}

ScheduleAttr flash::chooseBackwardSchedule(AttentionBackwardOp op,
                                           TargetAttr target) {
  return target.isCPU() ? chooseForCPU(op, target) : chooseForGPU(op, target);
}
