//===- AttentionBytes.cpp - Bytes of each operand ---------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From blocks and rows to bytes over both boundaries, for the schedule and for
// unfused attention, and over sizes of fast memory.
//
//===----------------------------------------------------------------------===//

#include "AttentionModel.h"

#include <cmath>

using namespace mlir;
using namespace flash;
using namespace flash::io;

/// Keys that come from HBM, over batches and key heads: each once where what is
/// in use at a time fits the shared cache; else once for each time that all
/// cores go through a head.
int64_t AttentionModel::streamedKeys(const KeyLoop &loop, int64_t once,
                                     int64_t m) {
  int64_t keyHeads = sizes.batch * sizes.keyHeads;
  if (once == 0 || keyHeads == 0)
    return 0;
  int64_t cores = std::max<int64_t>(target.getCores(), 1);
  int64_t blocks =
      std::max<int64_t>(ceilDiv(sizes.queries, m) * group() / tileHeads, 1);
  int64_t headsInUse = std::min(keyHeads, ceilDiv(cores, blocks) + 1);
  int64_t bytes = ceilDiv(once, keyHeads) * headsInUse *
                  (sizes.keyRowBytes() + sizes.valueRowBytes());
  int64_t times = bytes <= target.getL2() ? 1 : ceilDiv(blocks, cores);
  return std::min(once * times, loop.loadedKeys);
}

void AttentionModel::addOperands(OperationIO &io, const KeyLoop &loop,
                                 const Totals &totals,
                                 std::optional<unsigned> part,
                                 const Needs &needs) {
  int64_t queryRow = sizes.qkDim * sizes.elementBytes;
  auto add = [&](StringRef name) -> OperandIO & {
    io.operands.emplace_back();
    io.operands.back().name = name.str();
    return io.operands.back();
  };
  OperandIO &query = add("query");
  query.compulsory.read = needs.queries.count * queryRow;
  query.schedule.hbm.read = query.schedule.onChip.read = totals.rows * queryRow;
  // The parts of an attention over slices of the keys are one when unfused.
  if (part.value_or(0) == 0)
    query.unfused.hbm.read = totals.pairs ? totals.rows * queryRow : 0;
  query.unfused.onChip.read = totals.queryLoads * queryRow;

  int64_t streamed = streamedKeys(loop, needs.keys.count,
                                  io.schedule.getTiling().getTilePositions());
  for (bool isKey : {true, false}) {
    int64_t row = isKey ? sizes.keyRowBytes() : sizes.valueRowBytes();
    OperandIO &operand = add(isKey ? "key" : "value");
    operand.compulsory.read = needs.keys.count * row;
    operand.schedule.hbm.read = streamed * row;
    operand.schedule.onChip.read = loop.loadedKeys * row;
    operand.unfused.hbm.read = totals.pairs ? totals.keyRows * row : 0;
    operand.unfused.onChip.read = totals.keyLoads * row;
  }

  // S as it is accumulated, P in the inputs' type: each written by a kernel and
  // read by the next one.
  int64_t scoreBytes = op.getAccumulatorType().getIntOrFloatBitWidth() / 8;
  OperandIO &s = add("scores");
  s.unfused.hbm.read = s.unfused.hbm.written = totals.pairs * scoreBytes;
  s.unfused.onChip = s.unfused.hbm;
  OperandIO &p = add("probabilities");
  p.unfused.hbm.read = p.unfused.hbm.written =
      totals.pairs * sizes.elementBytes;
  p.unfused.onChip = p.unfused.hbm;

  addBiases(io, loop, totals, add);
  addCaptures(io, loop, totals, add);

  // Rows in no sequence have values too.
  int64_t rows = op.isRagged() ? sizes.heads * sizes.queries : totals.rows;
  auto addResult = [&](StringRef name, Value result) {
    OperandIO &written = add(name);
    auto type = cast<RankedTensorType>(result.getType());
    int64_t columns = type.getRank() == 4 ? type.getDimSize(3) : 1;
    written.compulsory.written =
        rows * columns * (type.getElementTypeBitWidth() / 8);
    written.schedule.hbm = written.schedule.onChip = written.compulsory;
    if (!part)
      written.unfused.hbm = written.unfused.onChip = written.compulsory;
  };
  addResult("output", op.getOutput());
  if (op.getLse())
    addResult("lse", op.getLse());
}

double io::orderOfGrowth(const AttentionSizes &sizes, int64_t fastMemory,
                         double pairs, bool &large) {
  auto e = double(sizes.elementBytes);
  double memory = double(fastMemory) / e;
  double d2 = double(sizes.qkDim) * double(sizes.vDim);
  large = memory >= d2;
  return large ? pairs * d2 / memory * e
               : pairs * std::sqrt(d2) / std::sqrt(memory) * e;
}

/// For each size of fast memory the largest tile that fits, square up to the
/// schedule's block of keys and then taller: the number of queries sets how
/// often K and V are loaded, the number of keys only the grain of the mask.
LogicalResult AttentionModel::sweep(OperationIO &io, const KeyWalk &walk,
                                    const KeyLoop &chosen, int64_t pairs) {
  // Tiles that lie in the blocks of a list are not free to grow.
  if (walk.keys.block)
    return success();
  TileProblem problem = TileProblem::get(op);
  for (int64_t memory = 16 << 10; memory <= (2 << 20); memory *= 2) {
    auto keysOf = [&](int64_t m) {
      return std::min(m, std::max<int64_t>(io.schedule.getN(), 16));
    };
    int64_t m = 0;
    while (m < sizes.queries * tileHeads &&
           stepBytes(problem, m + 16, keysOf(m + 16)) <= memory)
      m += 16;
    if (m == 0)
      continue; // not even the smallest
    int64_t n = keysOf(m);
    FailureOr<KeyLoop> loop =
        countBlocks(walk.withTiles(std::max<int64_t>(m / tileHeads, 1), n),
                    /*classify=*/false);
    if (failed(loop))
      return failure();
    SweepPoint point{memory, m, n, 0, 0, false};
    point.bytes =
        loop->loadedKeys * (sizes.keyRowBytes() + sizes.valueRowBytes());
    for (const OperandIO &operand : io.operands) {
      int64_t bytes = operand.schedule.onChip.total();
      // What is read an element at a time grows with the scores.
      bool byScore = operand.name == "bias" || operand.name == "captures";
      if (byScore && chosen.pairs)
        bytes = bytes / chosen.pairs * loop->pairs;
      if (operand.name != "key" && operand.name != "value")
        point.bytes += bytes;
    }
    point.order = orderOfGrowth(
        sizes, memory, double(pairs) * io.blocks.density(), point.large);
    io.sweep.push_back(point);
  }
  return success();
}
