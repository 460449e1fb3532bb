//===- ScheduleSpace.cpp - Schedules that could be ------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   sm_90a, head dim 64, causal
//   ->  192 x 96, 128 x 160, 192 x 112, 64 x 256, ...     (tiles)
//   192 x 96  ->  with 2 stages; with 16 heads in turn; without ping-pong; ...
//
// Nothing here knows a device: sizes go as far as the description says. The
// model's estimate of registers may err, so that candidates may exceed it by a
// little; the assembler has the last word.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Analysis/ScheduleSpace.h"

#include "flash/Dialect/Flash/Analysis/ScheduleModel.h"
#include "flash/Dialect/Flash/IR/ScheduleFields.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SmallVectorExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <numeric>

using namespace mlir;
using namespace flash;

/// What a resource of a schedule is used and limited to.
static TileResource getResource(TargetAttr target, ScheduleAttr schedule,
                                const TileProblem &problem, StringRef name) {
  for (TileResource &resource : describeTile(target, schedule, problem))
    if (resource.name == name)
      return resource;
  return {name.str(), "", 0, 0};
}

std::string flash::findMisfit(TargetAttr target, ScheduleAttr schedule,
                              const TileProblem &problem) {
  ScheduleFields s = ScheduleFields::get(schedule);
  int64_t heads = std::max<int64_t>(s.packHeads, 1);
  if (problem.headGroup % heads || s.m % heads)
    return llvm::formatv("has tiles of {0} heads, and {1} share their keys",
                         heads, problem.headGroup);
  if (s.m < 1 || s.n < 1)
    return "has no rows or no keys";
  if (target.isCPU()) {
    if (s.warps || s.instruction != Instruction::None)
      return "is a GPU's";
    return s.m > 4096 || s.n > 4096 ? "has a tile of more than 4096 rows" : "";
  }
  if (s.transposed)
    return "is a CPU's";
  if (s.warps < 1 || s.m % (16 * s.warps) || s.n % 16 || s.n > 256)
    return llvm::formatv("cannot be laid out over {0} warps", s.warps);
  if (s.instruction == Instruction::None || s.d % 16 || s.stages < 1)
    return "does not say instruction, stages and d = 16";
  if (s.instruction == Instruction::Wgmma &&
      (!usesWgmma(target, problem) || s.warps % 4 || s.m != 16 * s.warps))
    return "needs wgmma, for which the target, the problem or the tile is not "
           "fit";
  int64_t threads = 32 * s.warps + (s.specialize ? 128 : 0);
  int64_t registers = s.specialize ? 128 * s.producerRegisters +
                                         32 * s.warps * s.consumerRegisters
                                   : 0;
  if (threads > 1024 || registers > target.getRegisters())
    return llvm::formatv("needs {0} threads and {1:N} registers", threads,
                         registers);
  TileResource shared = getResource(target, schedule, problem, "shared memory");
  if (shared.used > shared.limit)
    return llvm::formatv("needs {0:N} bytes of shared memory of {1:N}",
                         shared.used, shared.limit);
  return "";
}

/// Whether a candidate can be, and by the model nearly has the registers.
static bool isWorthwhile(TargetAttr target, ScheduleAttr schedule,
                         const TileProblem &problem) {
  constexpr int64_t kSlack = 8;
  TileResource registers = getResource(target, schedule, problem, "registers");
  return registers.used <= registers.limit + kSlack &&
         findMisfit(target, schedule, problem).empty();
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

/// Of K and V as many stages as there is room for; if two are too many, one of
/// Q, then results straight to memory; if that does not do, nothing.
static std::optional<ScheduleFields>
fitStages(ScheduleFields s, TargetAttr target, const TileProblem &problem) {
  auto fits = [&] {
    return findMisfit(target, s.get(target.getContext()), problem).empty();
  };
  for (s.stages = 4; s.stages >= 2; s.stages -= 2)
    if (fits())
      return s;
  s.stages = 2;
  s.queryStages = std::min<int64_t>(s.queryStages, 1);
  if (fits())
    return s;
  s.storeTma = false;
  if (fits())
    return s;
  return std::nullopt;
}

/// Numbers of warps and rows that the target's family may have, with the other
/// fields as the model has them for the nearest.
static SmallVector<ScheduleFields> listShapes(TargetAttr target,
                                              const TileProblem &problem) {
  SmallVector<ScheduleFields> shapes;
  std::vector<TileCandidate> modelled = considerTiles(target, problem);
  ScheduleFields first = ScheduleFields::get(modelled.front().schedule);
  if (target.isCPU()) {
    int64_t lanes = std::max<int64_t>(target.getVectorBits() / 32, 4);
    for (int64_t vectors : {2, 3, 4, 6, 9, 12}) {
      first.m = vectors * lanes;
      shapes.push_back(first);
    }
    // Tiles do not cross the blocks of a mask.
    for (int64_t m = problem.queryBlock; m && m >= 16; m /= 2) {
      first.m = m;
      shapes.push_back(first);
    }
    return shapes;
  }
  if (!usesWgmma(target, problem)) {
    for (int64_t warps : {4, 8})
      for (int64_t rows = 16; rows * warps <= 256; rows += 16) {
        first.warps = warps;
        first.m = rows * warps;
        shapes.push_back(first);
      }
    return shapes;
  }
  for (int64_t groups : {1, 2, 3}) {
    ScheduleFields shape = first;
    for (const TileCandidate &candidate : modelled)
      if (candidate.schedule.getWarps() == 4 * groups)
        shape = ScheduleFields::get(candidate.schedule);
    shape.warps = 4 * groups;
    shape.m = 64 * groups;
    shape.producerRegisters = groups == 3 ? 32 : 40;
    shape.consumerRegisters = groups == 3 ? 160 : 232;
    shapes.push_back(shape);
  }
  return shapes;
}

std::vector<ScheduleAttr> flash::enumerateTiles(TargetAttr target,
                                                const TileProblem &problem) {
  MLIRContext *context = target.getContext();
  SmallVector<int64_t> keys;
  if (target.isCPU())
    keys = {16, 24, 32, 48, 64, 96, 128};
  else
    keys = llvm::to_vector(llvm::map_range(llvm::seq<int64_t>(2, 17),
                                           [](int64_t i) { return i * 16; }));

  // Each number of rows has its list, cheapest first.
  llvm::MapVector<std::pair<int64_t, int64_t>, std::vector<ScheduleAttr>> rows;
  auto cheapestFirst = [&](std::vector<ScheduleAttr> &list) {
    llvm::sort(list, [&](ScheduleAttr a, ScheduleAttr b) {
      auto key = [&](ScheduleAttr s) {
        return std::tuple(tileCost(target, s, problem), s.getM(), s.getN(),
                          s.getWarps());
      };
      return key(a) < key(b);
    });
  };
  for (ScheduleFields shape : listShapes(target, problem)) {
    std::vector<ScheduleAttr> &list = rows[{shape.m, shape.warps}];
    for (int64_t n : keys) {
      shape.n = n;
      std::optional<ScheduleFields> fitted = shape;
      if (!target.isCPU())
        fitted = fitStages(shape, target, problem);
      if (fitted && isWorthwhile(target, fitted->get(context), problem))
        list.push_back(fitted->get(context));
    }
    cheapestFirst(list);
  }
  // The best of each number of rows, then the second best: what the model is
  // wrong about is rather the rows than the keys.
  ScheduleAttr chosen = chooseTile(target, problem).schedule;
  std::vector<ScheduleAttr> tiles{chosen};
  for (size_t rank = 0;; ++rank) {
    std::vector<ScheduleAttr> round;
    for (auto &[key, list] : rows)
      if (rank < list.size())
        round.push_back(list[rank]);
    cheapestFirst(round);
    if (round.empty())
      return tiles;
    for (ScheduleAttr schedule : round)
      if (!llvm::is_contained(tiles, schedule))
        tiles.push_back(schedule);
  }
}

//===----------------------------------------------------------------------===//
// Variants
//===----------------------------------------------------------------------===//

std::vector<ScheduleAttr> flash::enumerateVariants(TargetAttr target,
                                                   const TileProblem &problem,
                                                   ScheduleAttr schedule) {
  std::vector<ScheduleAttr> variants;
  const ScheduleFields base = ScheduleFields::get(schedule);
  auto add = [&](auto &&change) {
    ScheduleFields s = base;
    change(s);
    ScheduleAttr variant = s.get(target.getContext());
    if (variant != schedule && !llvm::is_contained(variants, variant) &&
        isWorthwhile(target, variant, problem))
      variants.push_back(variant);
  };
  if (target.isCPU()) {
    add([](ScheduleFields &s) { s.peel = !s.peel; });
    return variants;
  }
  // Where all blocks of queries have as many keys, order hardly matters.
  if (problem.uneven && !base.dynamic)
    for (int64_t turns : {0, 8, 16, 24, 32, 64})
      add([&](ScheduleFields &s) { s.headTurns = turns; });
  for (int64_t stages : {1, 2, 3, 4})
    if (stages > 1 || !base.specialize)
      add([&](ScheduleFields &s) { s.stages = stages; });
  if (!base.specialize)
    return variants;
  add([](ScheduleFields &s) { s.pingPong = !s.pingPong; });
  add([](ScheduleFields &s) { s.storeTma = !s.storeTma; });
  add([](ScheduleFields &s) { s.queryStages = s.queryStages > 1 ? 1 : 2; });
  add([](ScheduleFields &s) { s.lazy = !s.lazy; });
  // Tiles that blocks take as they come have one order.
  add([](ScheduleFields &s) {
    s.dynamic = !s.dynamic;
    s.headTurns = 0;
  });
  add([](ScheduleFields &s) { s.peelMasks = !s.peelMasks; });
  // Blocks that masks cut come first, and have a loop of their own there.
  if (problem.uneven)
    add([](ScheduleFields &s) {
      s.reverseKeys = !s.reverseKeys;
      s.peelMasks |= s.reverseKeys;
    });
  add([](ScheduleFields &s) { s.earlyCheck = !s.earlyCheck; });
  add([](ScheduleFields &s) { s.overlapTiles = !s.overlapTiles; });
  add([](ScheduleFields &s) { s.keysFirst = !s.keysFirst; });
  // Blocks of a cluster take the same number of steps where nothing is masked.
  if (!problem.uneven && !base.dynamic)
    add([](ScheduleFields &s) { s.cluster = s.cluster > 1 ? 0 : 2; });
  add([](ScheduleFields &s) { s.persistent = !s.persistent; });
  // Tiles that overlap the next one are not split.
  if (!base.overlapTiles)
    add([](ScheduleFields &s) { s.splitTiles = s.splitTiles > 1 ? 0 : 8; });
  add([&](ScheduleFields &s) {
    if (int64_t heads = std::gcd(problem.headGroup, s.m); heads > 1)
      s.packHeads = s.packHeads > 1 ? 1 : heads;
  });
  // Registers go from the producer to the consumers, eight at a time.
  if (base.warps == 8)
    add([](ScheduleFields &s) {
      s.producerRegisters = 24;
      s.consumerRegisters = 240;
    });
  return variants;
}

std::string flash::describeSchedule(ScheduleAttr schedule) {
  ScheduleFields s = ScheduleFields::get(schedule);
  std::string text = llvm::formatv("{0} x {1}", s.m, s.n);
  if (!s.warps)
    return text + (s.peel ? "" : ", not peeled");
  text += llvm::formatv(", {0} warps, {1} stages", s.warps, s.stages);
  if (s.specialize)
    text += llvm::formatv(" ({0} of Q), registers {1}/{2}",
                          std::max<int64_t>(s.queryStages, 1),
                          s.producerRegisters, s.consumerRegisters);
  if (s.headTurns)
    text += llvm::formatv(", {0} heads in turn", s.headTurns);
  if (s.turnTiles)
    text += llvm::formatv(", heads of {0} tiles in turn", s.turnTiles);
  if (s.packHeads > 1)
    text += llvm::formatv(", {0} heads a tile", s.packHeads);
  for (auto [set, name] : {std::pair{s.pingPong, "ping-pong"},
                           {s.lazy, "lazy"},
                           {s.persistent, "persistent"},
                           {s.dynamic, "dynamic"},
                           {s.peelMasks, "masks peeled"},
                           {s.reverseKeys, "keys reversed"},
                           {s.earlyCheck, "early check"},
                           {s.overlapTiles, "tiles overlap"},
                           {s.keysFirst, "keys first"},
                           {s.cluster > 1, "clusters"},
                           {s.splitTiles > 1, "tiles split"},
                           {s.storeTma, "tma store"}})
    if (set)
      text += std::string(", ") + name;
  return text;
}
