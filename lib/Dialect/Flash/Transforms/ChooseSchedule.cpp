//===- ChooseSchedule.cpp - Tile sizes from a target ------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   flash.attention %q, %k, %v
//   // for #flash.target<kind = "sm_80", ...> becomes
//   flash.attention %q, %k, %v {schedule = #flash.schedule<m = 128, n = 64,
//   warps = 4, ...>}
//
// The one place that chooses. Later passes only read the attribute, so that a
// choice can be printed, overridden and measured.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Transforms/Passes.h"

#include "TileUtils.h"
#include "flash/Target/TargetInfo.h"
#include "mlir/AsmParser/AsmParser.h"
#include <optional>

namespace flash {
#define GEN_PASS_DEF_CHOOSESCHEDULE
#include "flash/Dialect/Flash/Transforms/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

namespace {
/// What the model needs of an attention.
struct Problem {
  int64_t qkDim, vDim, elementBytes;
};

/// The fields of a schedule, as something that can be filled in.
struct Choice {
  int64_t m = 0, n = 0, d = 0;
  bool transposed = false, peel = false;
  int64_t warps = 0, stages = 0;
  Instruction instruction = Instruction::None;
  bool specialize = false, tma = false;
  int64_t producerRegisters = 0, consumerRegisters = 0;

  ScheduleAttr get(MLIRContext *context) const {
    return ScheduleAttr::get(context, m, n, d, transposed, peel, warps, stages,
                             instruction, specialize, tma, producerRegisters,
                             consumerRegisters);
  }
};
} // namespace

//===----------------------------------------------------------------------===//
// CPU
//===----------------------------------------------------------------------===//

/// Queries lie along the vector lanes, three vectors to a register tile: two
/// such panels share a block of keys, which halves what is streamed from the
/// outer caches. Small blocks keep a panel of Q^T, S^T and O^T in the first
/// cache and waste little on the diagonal of a causal mask
/// (docs/rationale/cpu.md); m is a multiple of n or n of m, so that blocks of
/// queries and keys end together.
static Choice chooseForCPU(TargetAttr target, const Problem &problem) {
  Choice choice;
  int64_t lanes = std::max<int64_t>(target.getVectorBits() / 32, 4);
  choice.m = 2 * 3 * lanes;
  choice.n = 48;
  choice.d = 1;
  choice.transposed = choice.peel = true;
  return choice;
}

//===----------------------------------------------------------------------===//
// GPU
//===----------------------------------------------------------------------===//

/// Registers for addresses, rows and what the assembler keeps besides, found by
/// assembling the list of kernels: the least that spills nowhere.
static int64_t otherRegisters(TargetAttr target, Instruction instruction) {
  if (instruction == Instruction::Wgmma)
    return 36;
  return target.getKind().getValue().starts_with("sm_1") ? 88 : 48;
}

/// 32-bit registers a thread needs: O and S in f32; beside them P in 16 bits
/// where the next S is computed before P is used up (wgmma, asynchronous).
static int64_t registersPerThread(const Choice &c, TargetAttr target,
                                  int64_t vDim) {
  int64_t rowsPerWarp = c.m / c.warps;
  int64_t tiles = rowsPerWarp * (vDim + c.n) / 32;
  if (c.instruction == Instruction::Wgmma)
    tiles += rowsPerWarp * c.n / 64;
  return tiles + otherRegisters(target, c.instruction);
}

static int64_t sharedBytes(const Choice &c, const Problem &p, int64_t qkDim,
                           int64_t vDim) {
  // Panels of 64 columns: what is stored is rounded up to whole ones.
  int64_t row = (roundUp(qkDim, 64) + roundUp(vDim, 64)) * p.elementBytes;
  int64_t query = c.m * roundUp(qkDim, 64) * p.elementBytes;
  return query + c.stages * c.n * row + 1024;
}

/// What a score costs, in bytes read from shared memory: K and V come from L2
/// once for each block of queries, and, where warps multiply on their own
/// (mma.sync), from shared memory once for each warp; a step has a cost that
/// does not depend on the number of keys (waits, row reductions), calibrated on
/// an H100 (docs/rationale/gpu.md). Smaller is better.
static double costPerScore(const Choice &c, const Problem &p) {
  double keyBytes = double(p.qkDim + p.vDim) * double(p.elementBytes);
  double fromL2 = keyBytes / double(c.m);
  double fromShared = c.instruction == Instruction::Wgmma
                          ? 0.0
                          : keyBytes * double(c.warps) / double(c.m);
  constexpr double kStepOverhead = 320.0;
  return fromL2 + fromShared + kStepOverhead / double(c.n);
}

/// The cheapest of the key-block sizes that fit registers and shared memory,
/// for one number of query rows and warps.
static std::optional<Choice> bestKeys(Choice c, TargetAttr target,
                                      const Problem &p, int64_t registerLimit) {
  int64_t qkDim = roundUp(p.qkDim, c.d), vDim = roundUp(p.vDim, c.d);
  for (c.n = 128; c.n >= 16; c.n -= 16)
    if (registersPerThread(c, target, vDim) <= registerLimit &&
        sharedBytes(c, p, qkDim, vDim) <= target.getFastMemory())
      return c;
  return std::nullopt;
}

static Choice chooseForGPU(TargetAttr target, const Problem &problem) {
  std::optional<Choice> best;
  auto consider = [&](Choice candidate, int64_t registerLimit) {
    std::optional<Choice> c =
        bestKeys(candidate, target, problem, registerLimit);
    if (c &&
        (!best || costPerScore(*c, problem) < costPerScore(*best, problem)))
      best = c;
  };
  bool onHopper = target.hasWgmma() && problem.elementBytes == 2 &&
                  problem.qkDim == problem.vDim &&
                  (problem.qkDim == 64 || problem.qkDim == 128);
  Choice c;
  c.d = 16;
  c.stages = 2;
  if (onHopper) {
    c.instruction = Instruction::Wgmma;
    c.specialize = c.tma = true;
    // Two or three consumer warpgroups of 64 rows; with the producer's they
    // share 64 K registers.
    for (int64_t warpgroups : {2, 3}) {
      c.m = 64 * warpgroups;
      c.warps = 4 * warpgroups;
      c.producerRegisters = warpgroups == 2 ? 40 : 32;
      c.consumerRegisters = warpgroups == 2 ? 232 : 160;
      consider(c, c.consumerRegisters);
    }
  }
  for (int64_t warps : {4, 8}) {
    if (onHopper)
      break;
    c.instruction = Instruction::MmaSync;
    c.warps = warps;
    for (c.m = 16 * warps; c.m <= 128; c.m += 16 * warps)
      consider(c, /*registerLimit=*/255);
  }
  if (best)
    return *best;
  // Nothing fits: the smallest tile; what comes after says what is missing.
  c.m = 64;
  c.n = 16;
  c.warps = 4;
  c.stages = 1;
  return c;
}

//===----------------------------------------------------------------------===//
// The choice
//===----------------------------------------------------------------------===//

/// `over` where it says something, else `base`.
static ScheduleAttr overlay(ScheduleAttr base, ScheduleAttr over) {
  if (!over)
    return base;
  auto pick = [](int64_t a, int64_t b) { return a ? a : b; };
  return ScheduleAttr::get(
      base.getContext(), pick(over.getM(), base.getM()),
      pick(over.getN(), base.getN()), pick(over.getD(), base.getD()),
      over.getTransposed() || base.getTransposed(),
      over.getPeel() || base.getPeel(), pick(over.getWarps(), base.getWarps()),
      pick(over.getStages(), base.getStages()),
      over.getInstruction() != Instruction::None ? over.getInstruction()
                                                 : base.getInstruction(),
      over.getSpecialize() || base.getSpecialize(),
      over.getTma() || base.getTma(),
      pick(over.getProducerRegisters(), base.getProducerRegisters()),
      pick(over.getConsumerRegisters(), base.getConsumerRegisters()));
}

static ScheduleAttr choose(TargetAttr target, const Problem &problem) {
  Choice choice = target.isCPU() ? chooseForCPU(target, problem)
                                 : chooseForGPU(target, problem);
  return choice.get(target.getContext());
}

namespace {
struct ChooseSchedulePass
    : flash::impl::ChooseScheduleBase<ChooseSchedulePass> {
  using ChooseScheduleBase::ChooseScheduleBase;

  void runOnOperation() override {
    func::FuncOp func = getOperation();
    auto error = [&] { return func.emitError() << "flash-choose-schedule: "; };
    FailureOr<TargetAttr> description =
        parseTarget(&getContext(), target, error);
    if (failed(description))
      return signalPassFailure();
    ScheduleAttr fromOption;
    if (!schedule.empty()) {
      fromOption = dyn_cast_or_null<ScheduleAttr>(
          parseAttribute(schedule, &getContext()));
      if (!fromOption) {
        error() << "'" << schedule << "' is not a #flash.schedule attribute";
        return signalPassFailure();
      }
    }
    func.walk([&](AttentionOp op) {
      RankedTensorType q = op.getQuery().getType();
      ScheduleAttr chosen =
          choose(*description, {op.getQKHeadDim(), op.getVHeadDim(),
                                int64_t(q.getElementTypeBitWidth() / 8)});
      chosen = overlay(overlay(chosen, fromOption), op.getScheduleAttr());
      op.setScheduleAttr(chosen);
    });
    func.walk([&](MergeOp op) {
      // A merge is element-wise: row blocks of one warp-row each, no
      // contraction and so no rings.
      Choice choice;
      choice.m = 64;
      choice.n = 1;
      choice.d = description->isCPU() ? 1 : 16;
      choice.warps = description->isCPU() ? 0 : 4;
      op->setAttr(kScheduleAttrName, choice.get(&getContext()));
    });
  }
};
} // namespace
