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
// up the gradient of the queries, what rounds it. Which blocks are let through
// is asked of the mask, in the direction in which the loop asks.
//
//===----------------------------------------------------------------------===//

#include "AttentionModel.h"

#include "flash/Dialect/Flash/Analysis/ScheduleModel.h"
#include "flash/Dialect/Flash/IR/ScheduleFields.h"
#include "llvm/ADT/SmallBitVector.h"
#include <numeric>

using namespace mlir;
using namespace flash;
using namespace flash::io;

namespace {
/// What a loop over blocks goes through, over all batches and heads.
struct Walk {
  /// Rows of the loop inside that are loaded, and its iterations.
  int64_t rows = 0, steps = 0;
  /// Rows of either loop that some step has.
  int64_t neededOutside = 0, neededInside = 0;
  BlockCounts blocks;
};

class BackwardModel {
public:
  BackwardModel(AttentionBackwardOp op, TargetAttr target,
                const IndexInterpreter &known, BackwardNames &names,
                std::vector<OperationIO> &loops)
      : op(op), target(target), known(known), names(names), loops(loops) {}

  LogicalResult run();

private:
  LogicalResult readSizes();
  FailureOr<Walk> walk(bool keysOutside, int64_t m, int64_t n);
  LogicalResult walkPlace(bool keysOutside, int64_t m, int64_t n,
                          int64_t copies, llvm::SmallBitVector &met,
                          Walk &walk);
  void addStatistics();
  LogicalResult addKeyLoop(bool query, bool key, bool value);
  LogicalResult addQueryLoop(int64_t m, int64_t n);
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

LogicalResult BackwardModel::readSizes() {
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

/// Adds the blocks of one batch and head, which stands for `copies`. `met` says
/// of each block outside whether another head has met it.
LogicalResult BackwardModel::walkPlace(bool keysOutside, int64_t m, int64_t n,
                                       int64_t copies,
                                       llvm::SmallBitVector &met, Walk &walk) {
  int64_t outside = keysOutside ? sizes.keys : sizes.queries,
          inside = keysOutside ? sizes.queries : sizes.keys,
          outsideOffset = keysOutside ? kvOffset : qOffset,
          insideOffset = keysOutside ? qOffset : kvOffset,
          by = keysOutside ? n : m, size = keysOutside ? m : n;
  IntervalSet needed;
  for (int64_t first = 0; first < outside; first += by) {
    int64_t last = std::min(first + by, outside) - 1;
    FailureOr<KeyRange> range =
        keysOutside
            ? mask->visibleQueries(kvOffset + first, kvOffset + last)
            : mask->visibleKeys(outsideOffset + first, outsideOffset + last);
    if (failed(range))
      return failure();
    auto toRow = [&](int64_t position) {
      return std::clamp<int64_t>(position - insideOffset, 0, inside);
    };
    // The loop inside begins at a block.
    int64_t from = range->first ? toRow(*range->first) / size * size : 0,
            to = range->end ? toRow(*range->end) : inside;
    walk.blocks.all += ceilDiv(inside, size) * copies;
    if (from >= to)
      continue;
    int64_t steps = ceilDiv(to - from, size);
    int64_t end = std::min(from + steps * size, inside);
    walk.steps += steps * copies;
    walk.blocks.visited += steps * copies;
    walk.rows += (end - from) * copies;
    if (!met.test(first / by))
      walk.neededOutside += (last + 1 - first) * copies;
    met.set(first / by);
    needed.insert(from, end);
    for (int64_t row = from; row < end; row += size) {
      int64_t rowLast = std::min(row + size, inside) - 1;
      int64_t keysHere = keysOutside ? last + 1 - first : rowLast + 1 - row;
      if (keysHere < n)
        continue;
      auto [q, qLast, k, kLast] = keysOutside
                                      ? std::tuple(row, rowLast, first, last)
                                      : std::tuple(first, last, row, rowLast);
      FailureOr<bool> full = mask->isFull(qOffset + q, qOffset + qLast,
                                          kvOffset + k, kvOffset + kLast);
      if (failed(full))
        return failure();
      walk.blocks.full += *full * copies;
    }
  }
  walk.neededInside += needed.size() * copies;
  return success();
}

FailureOr<Walk> BackwardModel::walk(bool keysOutside, int64_t m, int64_t n) {
  Walk walk;
  // A block of keys meets the queries of a group of heads. Where the mask asks
  // which head it is, each is walked; otherwise one stands for all.
  bool dependent = mask->dependsOnPlace();
  int64_t inGroup = keysOutside ? group() : 1,
          heads = keysOutside ? sizes.keyHeads : sizes.heads,
          batches = dependent ? sizes.batch : 1, places = dependent ? heads : 1,
          each = dependent ? inGroup : 1;
  if (sizes.batch * sizes.heads * heads == 0)
    return walk;
  int64_t copies = sizes.batch * heads / (batches * places);
  int64_t blocks =
      keysOutside ? ceilDiv(sizes.keys, n) : ceilDiv(sizes.queries, m);
  for (int64_t b = 0; b < batches; ++b)
    for (int64_t h = 0; h < places; ++h) {
      llvm::SmallBitVector met(blocks);
      for (int64_t i = 0; i < each; ++i) {
        mask->setPlace({b, h * inGroup + i, qOffset, kvOffset, qOffset,
                        kvOffset, qOffset + sizes.queries,
                        kvOffset + sizes.keys});
        if (failed(walkPlace(keysOutside, m, n, copies, met, walk)))
          return failure();
      }
    }
  // Each query head of a group has its own tiles.
  for (int64_t *count :
       {&walk.rows, &walk.steps, &walk.neededInside, &walk.blocks.all,
        &walk.blocks.visited, &walk.blocks.full})
    *count *= inGroup / each;
  return walk;
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
  OuterLoop outer = op.getRecompute()->getOuter();
  int64_t m = schedule.getM(), n = schedule.getN();
  int64_t block =
      outer == OuterLoop::Both || outer == OuterLoop::Each ? std::lcm(m, n) : m;
  paddedQueries = ceilDiv(sizes.queries, block) * block;
  OperationIO &loop = begin("statistics", block, 1);
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
LogicalResult BackwardModel::addKeyLoop(bool query, bool key, bool value) {
  int64_t m = schedule.getM(), n = schedule.getN();
  FailureOr<Walk> counted = walk(/*keysOutside=*/true, m, n);
  if (failed(counted))
    return failure();
  OperationIO &loop = begin("keys", m, n);
  loop.blocks = counted->blocks;
  // Of the gradient for the values alone neither values nor deltas are needed.
  bool wantsScores = query || key;
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
  if (query) {
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
  if (key)
    write(loop, "d_key", result(last(), number++), keyRows * keyRow, true);
  if (value)
    write(loop, "d_value", result(last(), number++), keyRows * valueRow, true);
  return success();
}

/// Blocks of m queries outside: the gradient for the queries alone.
LogicalResult BackwardModel::addQueryLoop(int64_t m, int64_t n) {
  FailureOr<Walk> counted = walk(/*keysOutside=*/false, m, n);
  if (failed(counted))
    return failure();
  OperationIO &loop = begin("queries", m, n);
  loop.blocks = counted->blocks;
  int64_t rows = rowsOf(sizes.heads) * sizes.queries;
  int64_t keyRow = sizes.keyRowBytes(), valueRow = sizes.valueRowBytes();
  int64_t whole =
      rowsOf(sizes.heads) * ceilDiv(sizes.queries, m) * m * accumulatorBytes;
  auto own = [&](StringRef name, Value of, int64_t row) {
    read(loop, name, names.of(of), counted->neededOutside * row, rows * row,
         rows * row);
  };
  own("query", op.getQuery(), keyRow);
  own("d_output", op.getDOutput(), valueRow);
  read(loop, "log2 sums", lse, 0, whole, whole);
  read(loop, "delta", delta, 0, whole, whole);
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
  bool query = bool(op.getDQuery()), key = bool(op.getDKey()),
       value = bool(op.getDValue());
  OuterLoop outer = recompute.getOuter();
  bool queryByKeys = query && outer == OuterLoop::Keys;
  addStatistics();
  size_t main = loops.size();
  if (key && value && outer == OuterLoop::Each) {
    if (failed(addKeyLoop(false, true, false)) ||
        failed(addKeyLoop(false, false, true)))
      return failure();
    names.set(op.getDKey(), result(last() - 1, 0));
    names.set(op.getDValue(), result(last(), 0));
  } else if (key || value || queryByKeys) {
    if (failed(addKeyLoop(queryByKeys, key, value)))
      return failure();
    if (key)
      names.set(op.getDKey(), result(last(), queryByKeys));
    if (value)
      names.set(op.getDValue(), result(last(), queryByKeys + key));
  }
  // The tile of the other loop, turned: more of what is outside.
  int64_t m = schedule.getM(), n = schedule.getN();
  if (queryByKeys)
    addRounding();
  else if (query && outer != OuterLoop::Queries)
    std::swap(m, n);
  if (query && !queryByKeys && failed(addQueryLoop(m, n)))
    return failure();
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
  if (seesNothing(op))
    return 0;
  RecomputeAttr recompute = op.getRecomputeAttr();
  OuterLoop outer = recompute ? recompute.getOuter() : OuterLoop::Keys;
  bool ofKeys = op.getDKey() || op.getDValue();
  size_t loops =
      1 + (ofKeys || outer == OuterLoop::Keys) + bool(op.getDQuery());
  return loops + (outer == OuterLoop::Each && op.getDKey() && op.getDValue());
}

LogicalResult flash::modelBackward(AttentionBackwardOp op, TargetAttr target,
                                   const IndexInterpreter &known,
                                   BackwardNames &names,
                                   std::vector<OperationIO> &loops) {
  return BackwardModel(op, target, known, names, loops).run();
}
