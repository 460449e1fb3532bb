//===- ScheduleModel.cpp - Which tile fits a target, and why --------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Candidates are numbers of query rows and warps; each gets the largest block
// of keys that fits, with what stopped the next one, and a cost. The cheapest
// is the schedule.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Analysis/ScheduleModel.h"
#include "flash/Dialect/Flash/IR/ScheduleFields.h"
#include "flash/Support/DebugLog.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

#define DEBUG_TYPE "flash-choose-schedule"

using namespace mlir;
using namespace flash;

using Choice = ScheduleFields;

static int64_t registerLimit(const Choice &c) {
  return c.consumerRegisters ? c.consumerRegisters : 255;
}

int64_t flash::stepBytes(const TileProblem &p, int64_t m, int64_t n) {
  return (m * p.qkDim + n * (p.qkDim + p.vDim)) * p.elementBytes +
         m * (n + p.vDim) * 4;
}

//===----------------------------------------------------------------------===//
// CPU
//===----------------------------------------------------------------------===//

/// The largest divisor of `size` that is at most `limit`.
static int64_t largestDivisor(int64_t size, int64_t limit) {
  int64_t best = 1;
  for (int64_t d = 1; d <= std::min(size, limit); ++d)
    if (size % d == 0)
      best = d;
  return best;
}

/// The size of the steps that walk `block` rows, at most `limit`: a divisor, if
/// one is large enough, else parts that are nearly alike.
static int64_t stepThrough(int64_t block, int64_t limit) {
  int64_t divisor = largestDivisor(block, limit);
  if (2 * divisor >= std::min(block, limit))
    return divisor;
  return llvm::divideCeil(block, llvm::divideCeil(block, limit));
}

/// Queries lie along the vector lanes, three vectors to a register tile: two
/// such panels share a block of keys, which halves what is streamed from the
/// outer caches. Small blocks keep a panel of Q^T, S^T and O^T in the first
/// cache and waste little on the diagonal of a causal mask
/// (docs/rationale/cpu.md); m is a multiple of n or n of m, so that blocks of
/// queries and keys end together.
static TileCandidate tileForCPU(TargetAttr target, const TileProblem &problem) {
  Choice choice;
  int64_t lanes = std::max<int64_t>(target.getVectorBits() / 32, 4);
  choice.m = 2 * 3 * lanes;
  choice.n = 48;
  choice.d = 1;
  // Tiles do not cross the blocks of a mask. A block of keys that crosses no
  // page is read where it lies; below 24 keys a step is dear.
  if (problem.queryBlock)
    choice.m = stepThrough(problem.queryBlock, 64);
  if (problem.keyBlock)
    choice.n = stepThrough(problem.keyBlock, 64);
  else if (int64_t n = largestDivisor(problem.pageSize, 64); n >= 24)
    choice.n = n;
  choice.transposed = choice.peel = true;
  TileCandidate candidate;
  candidate.schedule = choice.get(target.getContext());
  candidate.limit = "vector registers";
  candidate.reason = llvm::formatv(
      "m is two register tiles of 3 vectors of {0} lanes; n = {1} keeps a "
      "panel of Q^T, S^T and O^T ({2:N} bytes) in the first cache",
      lanes, choice.n,
      3 * lanes * (problem.qkDim + choice.n + problem.vDim) * 4);
  return candidate;
}

//===----------------------------------------------------------------------===//
// GPU
//===----------------------------------------------------------------------===//

/// Registers for addresses, rows and what the assembler keeps besides, found by
/// assembling the list of kernels: the least that spills nowhere.
static int64_t otherRegisters(TargetAttr target, Instruction instruction,
                              const TileProblem &p) {
  int64_t forScores = (p.elementData ? 40 : 0) + (p.wideMask ? 20 : 0);
  if (instruction == Instruction::Wgmma)
    return 36 + (p.predicate ? 12 : 0) + (p.lse ? 8 : 0) + (p.offsets ? 4 : 0) +
           (p.vDim > 128 ? 12 : 0) + (p.functions ? 29 : 0) +
           (p.ragged                                 ? 12
            : p.length == TileProblem::kLengthInData ? 4
                                                     : 0) +
           (p.recedes && p.wideMask ? 8 : 0) + forScores;
  if (target.getKind().getValue().starts_with("sm_1"))
    return 88 + forScores;
  // Two loops over lists keep more addresses.
  return 48 + (p.scores.empty() ? 0 : 16) + (p.queryBlock ? 24 : 0) + forScores;
}

/// 32-bit registers a thread needs: O and S in f32; beside them P in 16 bits
/// where the next S is computed before P is used up (wgmma, asynchronous).
static int64_t registersPerThread(const Choice &c, TargetAttr target,
                                  int64_t vDim, const TileProblem &p) {
  int64_t rowsPerWarp = c.m / c.warps;
  int64_t tiles = rowsPerWarp * (vDim + c.n) / 32;
  if (c.instruction == Instruction::Wgmma)
    tiles += rowsPerWarp * c.n / 64;
  return tiles + otherRegisters(target, c.instruction, p);
}

static int64_t sharedBytes(const Choice &c, const TileProblem &p) {
  // Panels of 64 columns: what is stored is rounded up to whole ones.
  int64_t qkDim = llvm::alignTo(p.qkDim, 64), vDim = llvm::alignTo(p.vDim, 64);
  int64_t row = (qkDim + vDim) * p.elementBytes;
  int64_t query =
      std::max<int64_t>(c.queryStages, 1) * c.m * qkDim * p.elementBytes;
  int64_t columns = c.storeColumns ? std::min(c.storeColumns, vDim) : vDim;
  int64_t output = c.storeTma ? c.m * columns * p.elementBytes : 0;
  return query + output + c.stages * c.n * row + 1024;
}

/// What a score costs, in bytes read from shared memory: K and V come from L2
/// once for each block of queries, and, where warps multiply on their own
/// (mma.sync), from shared memory once for each warp; a step has a cost that
/// does not depend on the number of keys (waits, row reductions), calibrated on
/// an H100 (docs/rationale/gpu.md). Smaller is better.
static double costPerScore(const Choice &c, const TileProblem &p) {
  double keyBytes = double(p.qkDim + p.vDim) * double(p.elementBytes);
  double fromL2 = keyBytes / double(c.m);
  double fromShared = c.instruction == Instruction::Wgmma
                          ? 0.0
                          : keyBytes * double(c.warps) / double(c.m);
  // A third warpgroup hides a part of it.
  double stepOverhead =
      c.instruction == Instruction::Wgmma && c.warps > 8 ? 300.0 : 320.0;
  return fromL2 + fromShared + stepOverhead / double(c.n);
}

/// How much of the tiles of `size` the mask's blocks of `block` fill; all of
/// them where it has none.
static double filledShare(int64_t size, int64_t block) {
  if (!block)
    return 1.0;
  return double(block) / double(llvm::alignTo(block, size));
}

/// The largest block of keys that fits registers and shared memory, for one
/// number of query rows and warps. Inside of a mask's blocks, the cheapest.
static TileCandidate withMostKeys(Choice c, TargetAttr target,
                                  const TileProblem &p) {
  constexpr int64_t kMostKeys = 128, kStep = 16;
  int64_t vDim = llvm::alignTo(p.vDim, c.d);
  TileCandidate candidate;
  candidate.limit = "keys a block";
  candidate.reason = llvm::formatv(
      "{0} keys a block are the most that the model tries", kMostKeys);
  if (p.keyBlock && p.keyBlock < kMostKeys) {
    candidate.limit = "the mask's blocks";
    candidate.reason =
        llvm::formatv("the mask's blocks have {0} keys", p.keyBlock);
  }
  double filledRows = filledShare(c.m, p.queryBlock);
  int64_t best = 0;
  for (c.n = kMostKeys; c.n > 0; c.n -= kStep) {
    if (p.keyBlock && c.n >= p.keyBlock + kStep)
      continue;
    int64_t registers = registersPerThread(c, target, vDim, p);
    int64_t shared = sharedBytes(c, p);
    if (registers > registerLimit(c)) {
      candidate.limit = "registers";
      candidate.reason =
          llvm::formatv("{0} keys a block need {1} registers a thread of {2}",
                        c.n, registers, registerLimit(c));
      continue;
    }
    if (shared > target.getFastMemory()) {
      candidate.limit = "shared memory";
      candidate.reason = llvm::formatv(
          "{0} keys a block need {1:N} bytes of shared memory of {2:N}", c.n,
          shared, target.getFastMemory());
      continue;
    }
    // Measured: docs/rationale/gpu.md. Where the last tile of a block is cut
    // off, each asks how many keys it has.
    double cut = p.keyBlock % c.n ? 1.25 : 1.0;
    double cost =
        costPerScore(c, p) * cut / (filledRows * filledShare(c.n, p.keyBlock));
    if (best && cost >= candidate.cost)
      continue;
    best = c.n;
    candidate.cost = cost;
    if (!p.keyBlock)
      break;
  }
  c.n = best;
  candidate.schedule = c.get(target.getContext());
  return candidate;
}

/// Gives up the second stage of Q, then parts of the tile of results in shared
/// memory, then all of it, where they leave no room for blocks of 64 keys.
static Choice fitShared(Choice c, TargetAttr target, const TileProblem &p) {
  c.n = 64;
  if (sharedBytes(c, p) > target.getFastMemory())
    c.queryStages = 1;
  for (c.storeColumns = 0; sharedBytes(c, p) > target.getFastMemory();) {
    int64_t columns =
        c.storeColumns ? c.storeColumns : llvm::alignTo(p.vDim, 64);
    c.storeColumns = llvm::alignTo(columns / 2, 64);
    if (c.storeColumns == columns) {
      c.storeTma = false;
      c.storeColumns = 0;
      break;
    }
  }
  return c;
}

/// Four stages of K and V where there is room for them: short sequences wait
/// for memory. Counting to three would cost registers.
static TileCandidate withMoreStages(TileCandidate candidate, TargetAttr target,
                                    const TileProblem &p) {
  Choice c = Choice::get(candidate.schedule);
  c.stages = 4;
  if (sharedBytes(c, p) <= target.getFastMemory())
    candidate.schedule = c.get(target.getContext());
  return candidate;
}

/// What is against Hopper's instructions; empty if nothing is.
static std::string whyNotWgmma(TargetAttr target, const TileProblem &problem) {
  int64_t wide = std::max(problem.qkDim, problem.vDim);
  if (!target.hasWgmma())
    return "the target has no wgmma";
  if (problem.elementBytes != 2)
    return "its elements do not have 16 bits";
  if (problem.paged)
    return "pages of keys are not one tensor that could be copied as such";
  if (StringRef(problem.scores).contains("dropout"))
    return "dropout's bits would be computed where P's registers are still "
           "read by a product in flight";
  if (wide > 256)
    return llvm::formatv("a product has at most 256 columns, not {0}", wide);
  // A product has 64 rows, and twice the rate of one by warps on their own.
  if (filledShare(64, problem.queryBlock) <= 0.5)
    return llvm::formatv("the mask's blocks of {0} queries fill no more than "
                         "half of the 64 rows of a product",
                         problem.queryBlock);
  if (problem.qkDim % 8 || problem.vDim % 8)
    return llvm::formatv("rows of {0} elements are not whole numbers of 16 "
                         "bytes",
                         problem.qkDim % 8 ? problem.qkDim : problem.vDim);
  return "";
}

bool flash::usesWgmma(TargetAttr target, const TileProblem &problem) {
  return whyNotWgmma(target, problem).empty();
}

static bool fits(const TileCandidate &candidate) {
  return candidate.schedule.getN() > 0;
}

static std::vector<TileCandidate> tilesForGPU(TargetAttr target,
                                              const TileProblem &problem) {
  std::vector<TileCandidate> candidates;
  int64_t widest = std::max(problem.qkDim, problem.vDim);
  Choice c;
  c.d = 16;
  c.stages = 2;
  if (usesWgmma(target, problem)) {
    c.instruction = Instruction::Wgmma;
    c.specialize = c.tma = true;
    // The first block's maximum is no reference for scores that grow along the
    // way. Those of ALiBi do not where the way begins at the diagonal.
    c.lazy = !problem.drifts;
    c.reverseKeys = c.lazy && problem.recedes;
    c.persistent = c.storeTma = true;
    c.queryStages = 2;
    // Two or three consumer warpgroups of 64 rows; with the producer's they
    // share 64 K registers. One where a mask's blocks fill its rows better.
    bool narrow = filledShare(64, problem.queryBlock) >
                  filledShare(128, problem.queryBlock);
    for (int64_t warpgroups : {narrow ? 1 : 2, 3}) {
      c.m = 64 * warpgroups;
      c.warps = 4 * warpgroups;
      c.producerRegisters = warpgroups == 3 ? 32 : 40;
      // Measured: docs/rationale/gpu.md. Three warpgroups keep each other's
      // exponentials waiting, and gain from tiles as they come; of two with
      // few head dims, one's products fill the other's pauses without turns.
      c.earlyCheck = warpgroups < 3;
      c.peelMasks = warpgroups < 3 || c.reverseKeys;
      // How long a tile of listed blocks or of a sequence takes is data.
      c.dynamic = warpgroups == 3 || problem.queryBlock || problem.ragged;
      // Keys are what consumers wait for where rows end at the diagonal. A
      // producer with 24 registers cannot walk keys in reverse and do that,
      // too.
      c.keysFirst = warpgroups == 2 && problem.uneven && !problem.queryBlock &&
                    widest > 64 && !(widest > 192 && c.reverseKeys);
      c.pingPong = warpgroups == 3 || (warpgroups == 2 && widest > 128);
      c.consumerRegisters = warpgroups == 3 ? 160 : 232;
      // Wide heads under a mask: the last registers are worth 64 keys.
      // A producer that reads lists or lengths needs more than 24 itself.
      if (warpgroups < 3 && problem.uneven && !problem.queryBlock &&
          problem.length != TileProblem::kLengthInData && widest > 192) {
        c.producerRegisters = 24;
        c.consumerRegisters = 240;
      }
      // Measured: docs/rationale/gpu.md. Larger tiles are fewer a head.
      c.headTurns = problem.uneven && !c.dynamic ? 24 : 0;
      TileCandidate candidate = withMoreStages(
          withMostKeys(fitShared(c, target, problem), target, problem), target,
          problem);
      // With fewer keys the assembler serialises the third one's products.
      constexpr int64_t leastKeysOfThree = 96;
      if (warpgroups < 3 || candidate.schedule.getN() >= leastKeysOfThree)
        candidates.push_back(candidate);
    }
    // Where nothing fits, warps multiply on their own.
    if (llvm::any_of(candidates, fits))
      return candidates;
    c = Choice();
    c.d = 16;
    c.stages = 2;
  }
  SmallVector<int64_t> numbersOfWarps{4, 8};
  // One for each 16 queries of a mask's block.
  if (int64_t warps = llvm::divideCeil(problem.queryBlock, 16);
      warps && warps < 8 && warps != 4)
    numbersOfWarps.push_back(warps);
  for (int64_t warps : numbersOfWarps) {
    c.instruction = Instruction::MmaSync;
    c.warps = warps;
    for (c.m = 16 * warps; c.m <= 128; c.m += 16 * warps)
      candidates.push_back(withMostKeys(c, target, problem));
  }
  return candidates;
}

//===----------------------------------------------------------------------===//
// The choice
//===----------------------------------------------------------------------===//

std::vector<TileCandidate> flash::considerTiles(TargetAttr target,
                                                const TileProblem &problem) {
  if (target.isCPU())
    return {tileForCPU(target, problem)};
  return tilesForGPU(target, problem);
}

TileCandidate flash::chooseTile(TargetAttr target, const TileProblem &problem) {
  std::vector<TileCandidate> candidates = considerTiles(target, problem);
  const TileCandidate *best = nullptr;
  for (const TileCandidate &candidate : candidates) {
    LDBG(2) << (fits(candidate) ? "fits" : "does not fit") << ", cost "
            << candidate.cost << ": " << candidate.schedule;
    if (fits(candidate) && (!best || candidate.cost < best->cost))
      best = &candidate;
  }
  if (std::string reason = whyNotWgmma(target, problem);
      !target.isCPU() && !reason.empty())
    LDBG() << "no wgmma: " << reason;
  if (best)
    return *best;
  // Nothing fits: the smallest tile; what comes after says what is missing.
  Choice c = Choice::get(candidates.back().schedule);
  c.m = 64;
  c.n = 16;
  c.warps = 4;
  c.stages = 1;
  TileCandidate smallest = candidates.front();
  smallest.schedule = c.get(target.getContext());
  return smallest;
}

std::string flash::explainInstruction(TargetAttr target,
                                      const TileProblem &problem) {
  // Of other elements a GPU has no products yet, and says so.
  if (!target.hasWgmma() || problem.elementBytes != 2 ||
      Choice::get(chooseTile(target, problem).schedule).instruction ==
          Instruction::Wgmma)
    return "";
  std::string reason = whyNotWgmma(target, problem);
  return reason.empty() ? considerTiles(target, problem).front().reason
                        : reason;
}

double flash::tileCost(TargetAttr target, ScheduleAttr schedule,
                       const TileProblem &problem) {
  Choice c = Choice::get(schedule);
  if (!target.isCPU())
    return costPerScore(c, problem);
  // The CPU's model has one answer, without a cost: how far from it.
  ScheduleAttr best = tileForCPU(target, problem).schedule;
  return std::abs(std::log2(double(c.m) / double(best.getM()))) +
         std::abs(std::log2(double(c.n) / double(best.getN())));
}

ScheduleAttr flash::chooseMergeSchedule(TargetAttr target) {
  // Row blocks of one warp-row each, no contraction and so no rings.
  Choice choice;
  choice.m = 64;
  choice.n = 1;
  choice.d = target.isCPU() ? 1 : 16;
  choice.warps = target.isCPU() ? 0 : 4;
  return choice.get(target.getContext());
}

std::vector<TileResource> flash::describeTile(TargetAttr target,
                                              ScheduleAttr schedule,
                                              const TileProblem &problem) {
  Choice c = Choice::get(schedule);
  if (target.isCPU()) {
    // The CPU leg computes in f32, whatever the inputs' type.
    TileProblem wide = problem;
    wide.elementBytes = 4;
    return {{"fast memory", "bytes", stepBytes(wide, c.m, c.n),
             target.getFastMemory()}};
  }
  std::vector<TileResource> resources;
  if (c.warps > 0)
    resources.push_back(
        {"registers", "a thread",
         registersPerThread(
             c, target, llvm::alignTo(problem.vDim, std::max<int64_t>(c.d, 1)),
             problem),
         registerLimit(c)});
  resources.push_back({"shared memory", "bytes", sharedBytes(c, problem),
                       target.getFastMemory()});
  return resources;
}

TileBound flash::findBound(TargetAttr target, ScheduleAttr schedule,
                           const TileProblem &problem) {
  constexpr int64_t kStep = 16;
  Choice larger = Choice::get(schedule);
  larger.n += kStep;
  const TileResource *nearest = nullptr;
  auto share = [](const TileResource &resource) {
    return double(resource.used) / double(resource.limit);
  };
  std::vector<TileResource> needs =
      describeTile(target, larger.get(target.getContext()), problem);
  for (const TileResource &resource : needs)
    if (resource.limit > 0 && (!nearest || share(resource) > share(*nearest)))
      nearest = &resource;
  if (!nearest)
    return {"unknown", "the target's description has no limits"};
  std::string keys = llvm::formatv(
      "{0} keys a block need {1:N} of {2:N} {3} of {4}", larger.n,
      nearest->used, nearest->limit, nearest->unit, nearest->name);
  if (nearest->used > nearest->limit)
    return {nearest->name, keys};
  // Measured to be better than the larger one, or asked for.
  return {"the schedule", keys + ", the nearest limit, and would fit"};
}
