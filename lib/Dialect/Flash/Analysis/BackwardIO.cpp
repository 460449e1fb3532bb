//===- BackwardIO.cpp - What a backward moves -----------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A backward is several loops, and each has a table: statistics of the rows;
// blocks of keys outside, whose own tiles move once, with the tiles of queries
// that the mask lets through; or blocks of queries outside; and where keys add
// up the gradient of the queries, what rounds it. BackwardBlocks.h says which
// blocks are let through.
//
//===----------------------------------------------------------------------===//

#include "AttentionModel.h"
#include "BackwardBlocks.h"

#include "flash/Dialect/Flash/Analysis/BackwardWalk.h"
#include "flash/Dialect/Flash/Analysis/ScheduleModel.h"
#include "flash/Dialect/Flash/IR/ScheduleFields.h"

using namespace mlir;
using namespace flash;
using namespace flash::io;

namespace {
class BackwardModel {
public:
  BackwardModel(AttentionBackwardOp op, TargetAttr target,
                const IndexInterpreter &known, BackwardNames &names,
                std::vector<OperationIO> &loops)
      : op(op), target(target), known(known), names(names), loops(loops),
        walk(op) {}

  LogicalResult run();

private:
  LogicalResult readSizes();
  FailureOr<LoopCount> count(const BackwardLoop &loop) {
    return BackwardBlocks(walk, *mask, sizes, qOffset, kvOffset).count(loop);
  }
  void addStatistics();
  LogicalResult addKeyLoop(const BackwardLoop &loop);
  LogicalResult addQueryLoop(const BackwardLoop &loop);
  void addRounding();
  void addUnfused(OperationIO &loop);

  OperationIO &begin(const char *part, int64_t m, int64_t n);
  OperandIO &add(OperationIO &loop, StringRef name, const std::string &value) {
    loop.operands.emplace_back();
    loop.operands.back().name = name.str();
    loop.operands.back().value = value;
    return loop.operands.back();
  }
  /// An input that all of a loop's blocks together read `bytes` of.
  void read(OperationIO &loop, StringRef name, const std::string &value,
            int64_t compulsory, int64_t hbm, int64_t bytes) {
    OperandIO &operand = add(loop, name, value);
    operand.compulsory.read = compulsory;
    operand.schedule.hbm.read = std::max(compulsory, std::min(hbm, bytes));
    operand.schedule.onChip.read = bytes;
  }
  void write(OperationIO &loop, StringRef name, const std::string &value,
             int64_t bytes, bool isResult) {
    OperandIO &operand = add(loop, name, value);
    operand.schedule.hbm.written = operand.schedule.onChip.written = bytes;
    if (isResult)
      operand.compulsory.written = bytes;
  }
  /// Result `number` of the loop that is being added, or of another one.
  std::string result(int64_t loop, int64_t number) {
    return "op" + std::to_string(loop) + "." + std::to_string(number);
  }
  int64_t last() { return int64_t(loops.size()) - 1; }
  /// How often blocks outside go through what they share, from HBM: once, if
  /// that of all heads in use fits the shared cache.
  int64_t passes(int64_t blocks, int64_t heads, int64_t bytes);
  int64_t group() const {
    return sizes.keyHeads ? sizes.heads / sizes.keyHeads : 1;
  }
  int64_t rowsOf(int64_t heads) const { return sizes.batch * heads; }
  /// Bytes of a statistic of a query, between the loops.
  int64_t statisticBytes(bool isProduct) const {
    return isProduct ? partsOfStatistic * 2 : accumulatorBytes;
  }
  int64_t lseBytes() const { return statisticBytes(takesLseAsProduct(op)); }
  int64_t deltaBytes() const { return statisticBytes(takesDeltaAsProduct(op)); }

  AttentionBackwardOp op;
  TargetAttr target;
  const IndexInterpreter &known;
  BackwardNames &names;
  std::vector<OperationIO> &loops;
  BackwardWalk walk;
  KnownIndex index;
  std::optional<MaskBlocks> mask;
  ScheduleAttr schedule;
  AttentionSizes sizes;
  int64_t accumulatorBytes = 4, outputBytes = 0;
  int64_t kvOffset = 0, qOffset = 0;
  /// Queries rounded up to whole blocks; the head dim of sums, padded.
  int64_t paddedQueries = 0, paddedDim = 0;
  /// Names of log-sum-exps and deltas, and of the sums for the queries.
  std::string lse, delta, sums;
};
} // namespace

StringRef flash::findUnmodelledIO(AttentionBackwardOp op) {
  if (op.isRagged())
    return "cu_seqlens_q";
  if (op.isPaged())
    return "page_table";
  if (op.getKvLengths())
    return "kv_lengths";
  if (op.getKeySliceAttr())
    return "key_slice";
  if (op.getMaskBlockSizes().second)
    return "lists of blocks";
  if (!op.getDOperands().empty())
    return "gradients for score_operands and captures";
  if (op.getDSinks())
    return "a gradient for sinks";
  return "";
}

LogicalResult BackwardModel::readSizes() {
  if (StringRef unmodelled = findUnmodelledIO(op); !unmodelled.empty())
    return op.emitError() << "has " << unmodelled
                          << ", of which the IO report knows nothing in a "
                             "backward; of the forward it does";
  const KnownValue *query = known.find(op.getQuery()),
                   *key = known.find(op.getKey());
  auto number = [&](Value value) {
    return value ? known.number(value) : std::optional<int64_t>();
  };
  if (!query || !key || (op.getKvOffset() && !number(op.getKvOffset())) ||
      (op.getQOffset() && !number(op.getQOffset())))
    return op.emitError("the sizes of this backward are not known");
  auto bytes = [](Value value) {
    return int64_t(
        cast<RankedTensorType>(value.getType()).getElementTypeBitWidth() / 8);
  };
  int64_t heads = op.getHeadsDim(), length = op.getLengthDim();
  sizes.batch = query->shape[0];
  sizes.heads = query->shape[heads];
  sizes.keyHeads = key->shape[heads];
  sizes.queries = query->shape[length];
  sizes.keys = key->shape[length];
  sizes.qkDim = op.getQKHeadDim();
  sizes.vDim = op.getVHeadDim();
  sizes.elementBytes = sizes.keyBytes = sizes.valueBytes = bytes(op.getQuery());
  accumulatorBytes = bytes(op.getLse());
  outputBytes = bytes(op.getOutput());
  kvOffset = number(op.getKvOffset()).value_or(0);
  qOffset =
      number(op.getQOffset()).value_or(kvOffset + sizes.keys - sizes.queries);
  return success();
}

int64_t BackwardModel::passes(int64_t blocks, int64_t heads, int64_t bytes) {
  int64_t cores = std::max<int64_t>(target.getCores(), 1);
  if (blocks == 0 || heads == 0)
    return 1;
  int64_t inUse = std::min(heads, ceilDiv(cores, blocks) + 1);
  return ceilDiv(bytes, heads) * inUse <= target.getL2()
             ? 1
             : ceilDiv(blocks, cores);
}

OperationIO &BackwardModel::begin(const char *part, int64_t m, int64_t n) {
  OperationIO loop;
  loop.op = op;
  loop.part = part;
  loop.sizes = sizes;
  ScheduleFields fields = ScheduleFields::get(schedule);
  fields.m = m;
  fields.n = n;
  loop.schedule = fields.get(op.getContext());
  loops.push_back(std::move(loop));
  return loops.back();
}

void BackwardModel::addStatistics() {
  paddedQueries = walk.padQueries(index, sizes.queries);
  OperationIO &loop = begin("statistics", walk.statisticsRows, 1);
  int64_t rows = rowsOf(sizes.heads) * sizes.queries,
          padded = rowsOf(sizes.heads) * paddedQueries;
  auto once = [&](StringRef name, Value value, int64_t bytes) {
    read(loop, name, names.of(value), bytes, bytes, bytes);
  };
  once("output", op.getOutput(), rows * sizes.vDim * outputBytes);
  once("d_output", op.getDOutput(), rows * sizes.vDim * sizes.elementBytes);
  once("lse", op.getLse(), rows * accumulatorBytes);
  if (op.getDLse())
    once("d_lse", op.getDLse(), rows * accumulatorBytes);
  lse = result(last(), 0);
  delta = result(last(), 1);
  write(loop, "log2 sums", lse, padded * lseBytes(), /*isResult=*/false);
  write(loop, "delta", delta, padded * deltaBytes(), /*isResult=*/false);
  for (OperandIO &operand : loop.operands)
    operand.unfused.hbm = operand.unfused.onChip = operand.schedule.onChip;
}

/// Blocks of keys outside.
LogicalResult BackwardModel::addKeyLoop(const BackwardLoop &of) {
  int64_t m = of.m, n = of.n;
  FailureOr<LoopCount> counted = count(of);
  if (failed(counted))
    return failure();
  OperationIO &loop = begin("keys", m, n);
  loop.blocks = counted->blocks;
  loop.sampled = counted->sampled;
  // Of the gradient for the values alone neither values nor deltas are needed.
  bool wantsScores = of.needsScoreGradients();
  int64_t keyRows = rowsOf(sizes.keyHeads) * sizes.keys;
  int64_t keyRow = sizes.keyRowBytes(), valueRow = sizes.valueRowBytes();
  auto own = [&](StringRef name, Value of, int64_t row) {
    read(loop, name, names.of(of), counted->neededOutside * row, keyRows * row,
         keyRows * row);
  };
  own("key", op.getKey(), keyRow);
  if (wantsScores)
    own("value", op.getValue(), valueRow);
  int64_t stepRow = keyRow + valueRow + lseBytes() + deltaBytes();
  int64_t times = passes(ceilDiv(sizes.keys, n), rowsOf(sizes.heads),
                         counted->neededInside * stepRow);
  auto inside = [&](StringRef name, const std::string &value, int64_t row) {
    int64_t needed = counted->neededInside * row;
    read(loop, name, value, needed, needed * times, counted->rows * row);
  };
  inside("query", names.of(op.getQuery()), keyRow);
  inside("d_output", names.of(op.getDOutput()), valueRow);
  // Statistics have whole blocks.
  auto ofRows = [&](StringRef name, const std::string &value, int64_t bytes) {
    read(loop, name, value, 0,
         rowsOf(sizes.heads) * paddedQueries * bytes * times,
         counted->steps * m * bytes);
  };
  ofRows("log2 sums", lse, lseBytes());
  if (wantsScores)
    ofRows("delta", delta, deltaBytes());
  int64_t number = 0;
  if (of.query) {
    paddedDim = ceilDiv(sizes.qkDim, schedule.getD()) * schedule.getD();
    sums = result(last(), number++);
    // Zeros first; a step adds a tile: on a GPU by stores that reduce.
    int64_t once =
        rowsOf(sizes.heads) * paddedQueries * paddedDim * accumulatorBytes;
    int64_t added = counted->steps * m * paddedDim * accumulatorBytes;
    OperandIO &operand = add(loop, "sums for dQ", sums);
    Bytes &onChip = operand.schedule.onChip;
    onChip.written = once + added;
    onChip.read = target.isCPU() ? added : 0;
    operand.schedule.hbm.written = once + std::min(added, once * times);
    operand.schedule.hbm.read = std::min(added, once * times);
    if (!target.isCPU())
      operand.schedule.hbm.read = 0;
  }
  auto gradient = [&](StringRef name, Value of, int64_t row) {
    names.set(of, result(last(), number));
    write(loop, name, result(last(), number++), keyRows * row, true);
  };
  if (of.key)
    gradient("d_key", op.getDKey(), keyRow);
  if (of.value)
    gradient("d_value", op.getDValue(), valueRow);
  return success();
}

/// Blocks of m queries outside: the gradient for the queries alone.
LogicalResult BackwardModel::addQueryLoop(const BackwardLoop &of) {
  int64_t m = of.m, n = of.n;
  FailureOr<LoopCount> counted = count(of);
  if (failed(counted))
    return failure();
  OperationIO &loop = begin("queries", m, n);
  loop.blocks = counted->blocks;
  loop.sampled = counted->sampled;
  int64_t rows = rowsOf(sizes.heads) * sizes.queries;
  int64_t keyRow = sizes.keyRowBytes(), valueRow = sizes.valueRowBytes();
  int64_t whole = rowsOf(sizes.heads) * ceilDiv(sizes.queries, m) * m;
  auto own = [&](StringRef name, Value of, int64_t row) {
    read(loop, name, names.of(of), counted->neededOutside * row, rows * row,
         rows * row);
  };
  own("query", op.getQuery(), keyRow);
  own("d_output", op.getDOutput(), valueRow);
  read(loop, "log2 sums", lse, 0, whole * lseBytes(), whole * lseBytes());
  read(loop, "delta", delta, 0, whole * deltaBytes(), whole * deltaBytes());
  int64_t needed = counted->neededInside / group();
  int64_t times = passes(ceilDiv(sizes.queries, m) * group(),
                         rowsOf(sizes.keyHeads), needed * (keyRow + valueRow));
  for (bool isKey : {true, false}) {
    int64_t row = isKey ? keyRow : valueRow;
    read(loop, isKey ? "key" : "value",
         names.of(isKey ? Value(op.getKey()) : Value(op.getValue())),
         needed * row, needed * row * times, counted->rows * row);
  }
  write(loop, "d_query", result(last(), 0), rows * keyRow, true);
  names.set(op.getDQuery(), result(last(), 0));
  return success();
}

void BackwardModel::addRounding() {
  OperationIO &loop = begin("rounding", schedule.getM(), 1);
  int64_t bytes =
      rowsOf(sizes.heads) * paddedQueries * paddedDim * accumulatorBytes;
  read(loop, "sums for dQ", sums, 0, bytes, bytes);
  write(loop, "d_query", result(last(), 0),
        rowsOf(sizes.heads) * sizes.queries * sizes.keyRowBytes(), true);
  names.set(op.getDQuery(), result(last(), 0));
}

/// Algorithm 3 of the paper: five products, with P kept by the forward in the
/// inputs' type, and dP and dS in device memory. On-chip, products use tiles of
/// m x n, as the loops do.
void BackwardModel::addUnfused(OperationIO &loop) {
  int64_t pairs = rowsOf(sizes.heads) * sizes.queries * sizes.keys;
  int64_t e = sizes.elementBytes;
  int64_t m = loop.schedule.getM(), n = loop.schedule.getN();
  bool query = bool(op.getDQuery()), key = bool(op.getDKey()),
       value = bool(op.getDValue()), scores = query || key;
  auto unfused = [&](StringRef name) -> Traffic & {
    for (OperandIO &operand : loop.operands)
      if (operand.name == name)
        return operand.unfused;
    return add(loop, name, "").unfused;
  };
  int64_t queryRows = rowsOf(sizes.heads) * sizes.queries,
          keyRows = rowsOf(sizes.keyHeads) * sizes.keys,
          sharedRows = rowsOf(sizes.heads) * sizes.keys;
  // `times` products read it, once for each block of the other side.
  auto reads = [&](StringRef name, int64_t times, int64_t hbm, int64_t loads,
                   int64_t row) {
    Traffic &traffic = unfused(name);
    traffic.hbm.read = times * hbm * row;
    traffic.onChip.read = times * loads * row;
  };
  int64_t queryLoads = queryRows * ceilDiv(sizes.keys, n),
          keyLoads = sharedRows * ceilDiv(sizes.queries, m);
  reads("query", key, queryRows, queryLoads, sizes.keyRowBytes());
  reads("key", query, keyRows, keyLoads, sizes.keyRowBytes());
  reads("value", scores, keyRows, keyLoads, sizes.valueRowBytes());
  reads("d_output", value + scores, queryRows, queryLoads,
        sizes.valueRowBytes());
  auto through = [&](StringRef name, int64_t read, int64_t written) {
    Traffic &traffic = unfused(name);
    traffic.hbm = traffic.onChip = Bytes{read, written};
  };
  through("probabilities", (value + scores) * pairs * e, 0);
  if (scores) {
    through("gradient of P", pairs * accumulatorBytes,
            pairs * accumulatorBytes);
    through("gradient of S", (query + key) * pairs * e, pairs * e);
    through("delta", queryRows * accumulatorBytes, 0);
  }
  if (query)
    through("d_query", 0, queryRows * sizes.keyRowBytes());
  if (key)
    through("d_key", 0, keyRows * sizes.keyRowBytes());
  if (value)
    through("d_value", 0, keyRows * sizes.valueRowBytes());
}

LogicalResult BackwardModel::run() {
  if (seesNothing(op))
    return success();
  RecomputeAttr recompute = op.getRecomputeAttr();
  schedule = op.getScheduleAttr();
  if (!recompute || !schedule || !schedule.isComplete())
    return op.emitError("has no recompute or no complete schedule (m, n and "
                        "d): run flash-schedule-recompute and "
                        "flash-choose-schedule before");
  if (failed(readSizes()))
    return failure();
  mask.emplace(op, known, schedule.getTiling().getSummaries());
  addStatistics();
  size_t main = loops.size();
  for (const BackwardLoop &loop : walk.loops)
    if (failed(loop.keysOutside ? addKeyLoop(loop) : addQueryLoop(loop)))
      return failure();
  if (walk.rounds())
    addRounding();
  addUnfused(loops[main]);
  int64_t pairs = rowsOf(sizes.heads) * sizes.queries * sizes.keys;
  for (OperationIO &loop : MutableArrayRef(loops).drop_front(main))
    if (loop.part != "rounding")
      loop.order = orderOfGrowth(sizes, target.getFastMemory(),
                                 double(pairs) * loop.blocks.density(),
                                 loop.largeMemory);
  return success();
}

size_t flash::countLoops(AttentionBackwardOp op) {
  BackwardWalk walk(op);
  return walk.loops.empty() ? 0 : 1 + walk.loops.size() + walk.rounds();
}

LogicalResult flash::modelBackward(AttentionBackwardOp op, TargetAttr target,
                                   const IndexInterpreter &known,
                                   BackwardNames &names,
                                   std::vector<OperationIO> &loops) {
  return BackwardModel(op, target, known, names, loops).run();
}
