//===- AttentionIO.cpp - What one attention moves -------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For each block of m queries: Q, O and LSE move once; K and V move for each
// block of n keys that the mask lets through, as far as keys exist. Padding is
// made where the tile is, and moves nowhere.
//
//===----------------------------------------------------------------------===//

#include "AttentionIO.h"

#include "flash/Dialect/Flash/Analysis/MaskBlocks.h"
#include "flash/Dialect/Flash/Analysis/ScheduleTable.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace flash;

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

namespace {
/// A batch or sequence: how many queries and keys it has, where they lie in the
/// tensors' rows, and the position of its first query.
struct Rows {
  int64_t queries, keys, queryRow, keyRow, qOffset;
};

/// A step of the key loop: keys as rows of the batch.
struct Step {
  int64_t first, count;
  bool full = false;
};

/// What the key loop does, over batches and query heads.
struct KeyLoop {
  int64_t loadedKeys = 0;
  /// Scores that are computed, padding left out.
  int64_t pairs = 0;
  BlockCounts blocks;
};

/// Sums over batches and query heads that do not depend on the mask.
struct Totals {
  int64_t rows = 0, keyRows = 0, pairs = 0;
  /// Rows that unfused products read, with tiles of m x n.
  int64_t queryLoads = 0, keyLoads = 0;
};

class AttentionModel {
public:
  AttentionModel(AttentionOp op, TargetAttr target,
                 const IndexInterpreter &known)
      : op(op), target(target), known(known) {}

  LogicalResult run(OperationIO &io, std::optional<unsigned> part,
                    NeededRows &needed);

private:
  LogicalResult readSizes();
  FailureOr<Rows> readRows(int64_t batch);
  FailureOr<int64_t> element(Value tensor, ArrayRef<int64_t> indices);
  /// The keys that queries [first, first + count) of a batch may see.
  FailureOr<std::pair<int64_t, int64_t>>
  visibleRows(const Rows &rows, int64_t first, int64_t count);
  /// The steps of the block of up to m queries that begins at `first`; with
  /// `classify`, whether they are full.
  FailureOr<SmallVector<Step>> steps(const Rows &rows, int64_t first, int64_t m,
                                     int64_t n, bool classify = false);
  FailureOr<SmallVector<Step>> listedSteps(const Rows &rows, int64_t first,
                                           int64_t m, int64_t n, bool classify);
  /// Calls `visit` for each (batch, query head) that can differ from others,
  /// with the number of those that are alike.
  LogicalResult
  forEachPlace(function_ref<LogicalResult(const Rows &, int64_t batch,
                                          int64_t head, int64_t copies)>
                   visit);
  FailureOr<KeyLoop> countBlocks(int64_t m, int64_t n, bool classify);
  FailureOr<Totals> addUp(int64_t m, int64_t n);
  LogicalResult findNeeded(int64_t m, int64_t n, NeededRows &needed);
  LogicalResult addKeys(const Rows &rows, int64_t batch, int64_t first,
                        int64_t end, IntervalSet &keys);
  void addOperands(OperationIO &io, const KeyLoop &loop, const Totals &totals,
                   std::optional<unsigned> part, const NeededRows &needed);
  void addBiases(OperationIO &io, const KeyLoop &loop, const Totals &totals,
                 function_ref<OperandIO &(StringRef)> add);
  LogicalResult sweep(OperationIO &io, const KeyLoop &chosen, int64_t pairs);
  int64_t streamedKeys(const KeyLoop &loop, int64_t once, int64_t m);
  double order(int64_t fastMemory, double pairs, bool &large) const;

  bool batchesDiffer() {
    return mask->dependsOnPlace() || op.isRagged() || op.getKvLengths();
  }
  /// Whether the number of keys is known to be a multiple of n.
  bool allWhole(int64_t n) {
    int64_t keys = op.getKey().getType().getDimSize(op.getLengthDim());
    return !ShapedType::isDynamic(keys) && !op.isPaged() && !op.isRagged() &&
           !op.getKvLengths() && keys > 0 && keys % n == 0;
  }

  AttentionOp op;
  TargetAttr target;
  const IndexInterpreter &known;
  std::optional<MaskBlocks> mask;
  AttentionSizes sizes;
  int64_t kvOffset = 0;
  std::optional<int64_t> qOffset; // given for all
};
} // namespace

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

LogicalResult AttentionModel::readSizes() {
  const KnownValue *query = known.find(op.getQuery()),
                   *key = known.find(op.getKey()),
                   *value = known.find(op.getValue());
  if (!query || !key || !value)
    return op.emitError("the sizes of this attention are not known");
  int64_t heads = op.getHeadsDim(), length = op.getLengthDim();
  sizes.batch = query->shape[0];
  sizes.heads = query->shape[heads];
  sizes.keyHeads = key->shape[heads];
  sizes.queries = query->shape[length];
  sizes.keys = key->shape[length];
  sizes.qkDim = op.getQKHeadDim();
  sizes.vDim = op.getVHeadDim();
  sizes.elementBytes = TileProblem::get(op).elementBytes;
  sizes.keyBytes = op.getKey().getType().getElementTypeBitWidth() / 8;
  if (key->shape[0] != value->shape[0] ||
      (!op.isPaged() && key->shape[0] != sizes.batch))
    return op.emitError() << "batch differs: query has " << sizes.batch
                          << ", key " << key->shape[0] << " and value "
                          << value->shape[0];
  if (value->shape[length] != sizes.keys)
    return op.emitError() << "key has length " << sizes.keys << ", value "
                          << value->shape[length];
  if (sizes.keyHeads ? sizes.heads % sizes.keyHeads != 0 : sizes.heads != 0)
    return op.emitError() << sizes.heads
                          << " query heads are not a multiple of "
                          << sizes.keyHeads << " key heads";
  if (op.isPaged()) {
    const KnownValue *table = known.find(op.getPageTable());
    if (!table)
      return op.emitError("the sizes of this attention are not known");
    sizes.keys *= table->shape[1];
  }
  if (op.isRagged()) {
    const KnownValue *starts = known.find(op.getCuSeqlensQ());
    if (!starts)
      return op.emitError("the sizes of this attention are not known");
    sizes.batch = std::max<int64_t>(starts->shape[0] - 1, 0);
  }
  auto number = [&](Value value) { return known.number(value); };
  if ((op.getKvOffset() && !number(op.getKvOffset())) ||
      (op.getQOffset() && !number(op.getQOffset())))
    return op.emitError("the offsets of this attention are not known");
  if (op.getKvOffset())
    kvOffset = *number(op.getKvOffset());
  if (op.getQOffset())
    qOffset = number(op.getQOffset());
  mask.emplace(op, known);
  return success();
}

FailureOr<int64_t> AttentionModel::element(Value tensor,
                                           ArrayRef<int64_t> indices) {
  const KnownValue *value = known.find(tensor);
  int64_t position = 0;
  for (size_t dim = 0; value && dim < indices.size(); ++dim) {
    if (indices[dim] < 0 || indices[dim] >= value->shape[dim])
      value = nullptr;
    else
      position = position * value->shape[dim] + indices[dim];
  }
  if (!value || !value->elements)
    return op.emitError("its lengths or pages are data that is not known here; "
                        "flash-run --io-report knows a call's");
  return (*value->elements)[position];
}

/// Bounds are data: what they say does not lead out of the operands.
FailureOr<Rows> AttentionModel::readRows(int64_t batch) {
  Rows rows{sizes.queries, sizes.keys, 0, 0, 0};
  auto bound = [&](Value starts, int64_t &first,
                   int64_t &count) -> LogicalResult {
    FailureOr<int64_t> begin = element(starts, batch);
    FailureOr<int64_t> end =
        failed(begin) ? FailureOr<int64_t>() : element(starts, batch + 1);
    if (failed(begin) || failed(end))
      return failure();
    first = std::clamp<int64_t>(*begin, 0, count);
    count = std::clamp<int64_t>(*end, first, count) - first;
    return success();
  };
  if ((op.getCuSeqlensQ() &&
       failed(bound(op.getCuSeqlensQ(), rows.queryRow, rows.queries))) ||
      (op.getCuSeqlensK() &&
       failed(bound(op.getCuSeqlensK(), rows.keyRow, rows.keys))))
    return failure();
  if (op.getKvLengths()) {
    FailureOr<int64_t> length = element(op.getKvLengths(), batch);
    if (failed(length))
      return failure();
    rows.keys = std::clamp<int64_t>(*length, 0, rows.keys);
  }
  rows.qOffset = qOffset.value_or(kvOffset + rows.keys - rows.queries);
  return rows;
}

LogicalResult AttentionModel::forEachPlace(
    function_ref<LogicalResult(const Rows &, int64_t, int64_t, int64_t)>
        visit) {
  int64_t heads = mask->dependsOnPlace() ? sizes.heads : 1;
  int64_t batches = batchesDiffer() ? sizes.batch : 1;
  int64_t copies = sizes.batch * sizes.heads;
  if (copies == 0)
    return success();
  copies /= heads * batches;
  for (int64_t b = 0; b < batches; ++b) {
    FailureOr<Rows> rows = readRows(b);
    if (failed(rows))
      return failure();
    for (int64_t h = 0; h < heads; ++h) {
      mask->setPlace(b, h, rows->qOffset - rows->queryRow,
                     kvOffset - rows->keyRow);
      if (failed(visit(*rows, b, h, copies)))
        return failure();
    }
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

FailureOr<std::pair<int64_t, int64_t>>
AttentionModel::visibleRows(const Rows &rows, int64_t first, int64_t count) {
  FailureOr<KeyRange> range =
      mask->visibleKeys(rows.qOffset + first, rows.qOffset + first + count - 1);
  if (failed(range))
    return failure();
  auto toRow = [&](int64_t position) {
    return std::clamp<int64_t>(position - kvOffset, 0, rows.keys);
  };
  return std::pair<int64_t, int64_t>(range->first ? toRow(*range->first) : 0,
                                     range->end ? toRow(*range->end)
                                                : rows.keys);
}

FailureOr<SmallVector<Step>> AttentionModel::listedSteps(const Rows &rows,
                                                         int64_t first,
                                                         int64_t m, int64_t n,
                                                         bool classify) {
  SmallVector<Step> steps;
  FailureOr<SmallVector<KeyList>> lists = mask->keyLists(rows.qOffset + first);
  if (failed(lists))
    return failure();
  int64_t qFirst = rows.qOffset + first;
  int64_t qLast = qFirst + std::min(m, rows.queries - first) - 1;
  for (auto [index, list] : llvm::enumerate(*lists))
    for (int64_t number : list.numbers)
      for (int64_t offset = 0; offset < list.size; offset += n) {
        // The list is data: what lies outside of the keys is no key.
        int64_t last = allWhole(list.size) ? rows.keys - n : rows.keys;
        int64_t k = std::clamp<int64_t>(number * list.size + offset, 0, last);
        int64_t count = std::min(n, rows.keys - k);
        if (count == 0)
          continue;
        int64_t kFirst = kvOffset + k;
        FailureOr<bool> hidden =
            mask->isHidden(qFirst, qLast, kFirst, kFirst + count - 1, index);
        if (failed(hidden))
          return failure();
        if (*hidden)
          continue;
        FailureOr<bool> full =
            mask->isFull(qFirst, qFirst + m - 1, kFirst, kFirst + n - 1, index);
        if (failed(full))
          return failure();
        steps.push_back({k, count, *full && count == n});
      }
  return steps;
}

FailureOr<SmallVector<Step>> AttentionModel::steps(const Rows &rows,
                                                   int64_t first, int64_t m,
                                                   int64_t n, bool classify) {
  if (mask->hasLists())
    return listedSteps(rows, first, m, n, classify);
  SmallVector<Step> steps;
  int64_t count = std::min(m, rows.queries - first);
  FailureOr<std::pair<int64_t, int64_t>> visible =
      visibleRows(rows, first, count);
  if (failed(visible))
    return failure();
  auto [from, to] = *visible;
  int64_t qFirst = rows.qOffset + first;
  for (int64_t k = from / n * n; k < to; k += n) {
    int64_t keys = std::min(n, rows.keys - k), kFirst = kvOffset + k;
    if (mask->hasHoles()) {
      FailureOr<bool> hidden =
          mask->isHidden(qFirst, qFirst + count - 1, kFirst, kFirst + keys - 1);
      if (failed(hidden))
        return failure();
      if (*hidden)
        continue;
    }
    steps.push_back({k, keys});
    if (!classify || keys < n)
      continue;
    // As the compiled program asks: of the whole tile, padding included.
    FailureOr<bool> full =
        mask->isFull(qFirst, qFirst + m - 1, kFirst, kFirst + n - 1);
    if (failed(full))
      return failure();
    steps.back().full = *full;
  }
  return steps;
}

FailureOr<KeyLoop> AttentionModel::countBlocks(int64_t m, int64_t n,
                                               bool classify) {
  KeyLoop loop;
  auto visit = [&](const Rows &rows, int64_t, int64_t,
                   int64_t copies) -> LogicalResult {
    for (int64_t q = 0; q < rows.queries; q += m) {
      FailureOr<SmallVector<Step>> taken = steps(rows, q, m, n, classify);
      if (failed(taken))
        return failure();
      loop.blocks.all += copies * ceilDiv(rows.keys, n);
      loop.blocks.visited += copies * int64_t(taken->size());
      for (const Step &step : *taken) {
        loop.loadedKeys += copies * step.count;
        loop.pairs += copies * step.count * std::min(m, rows.queries - q);
        loop.blocks.full += copies * int64_t(step.full);
      }
    }
    return success();
  };
  if (failed(forEachPlace(visit)))
    return failure();
  return loop;
}

FailureOr<Totals> AttentionModel::addUp(int64_t m, int64_t n) {
  Totals totals;
  int64_t keyHeads = sizes.heads ? sizes.keyHeads : 0;
  int64_t group = keyHeads ? sizes.heads / keyHeads : 1;
  auto visit = [&](const Rows &rows, int64_t, int64_t,
                   int64_t copies) -> LogicalResult {
    totals.rows += copies * rows.queries;
    totals.keyRows += copies * rows.keys; // of query heads, for now
    totals.pairs += copies * rows.queries * rows.keys;
    totals.queryLoads += copies * rows.queries * ceilDiv(rows.keys, n);
    totals.keyLoads += copies * ceilDiv(rows.queries, m) * rows.keys;
    return success();
  };
  if (failed(forEachPlace(visit)))
    return failure();
  totals.keyRows /= group;
  return totals;
}

//===----------------------------------------------------------------------===//
// What is needed at all
//===----------------------------------------------------------------------===//

/// Adds keys of a batch as rows of the tensor; in pages, of the pages.
LogicalResult AttentionModel::addKeys(const Rows &rows, int64_t batch,
                                      int64_t first, int64_t end,
                                      IntervalSet &keys) {
  if (!op.isPaged()) {
    int64_t start = op.isRagged() ? rows.keyRow : batch * sizes.keys;
    keys.insert(start + first, start + end);
    return success();
  }
  const KnownValue *key = known.find(op.getKey());
  int64_t pages = key->shape[0], size = key->shape[op.getLengthDim()];
  for (int64_t k = first; k < end;) {
    FailureOr<int64_t> page = element(op.getPageTable(), {batch, k / size});
    if (failed(page))
      return failure();
    int64_t row = std::clamp<int64_t>(*page, 0, pages - 1) * size + k % size;
    int64_t count = std::min(end - k, size - k % size);
    keys.insert(row, row + count);
    k += count;
  }
  return success();
}

/// Queries that see a key, and keys that a query sees, as far as the mask's
/// interface tells: row by row for a range of positions, else as whole blocks.
LogicalResult AttentionModel::findNeeded(int64_t m, int64_t n,
                                         NeededRows &needed) {
  bool byRows = !mask->dependsOnPlace() && !mask->hasHoles();
  int64_t group = sizes.keyHeads ? sizes.heads / sizes.keyHeads : 1;
  // Of each key head, over batches: pages and rows may be shared.
  llvm::DenseMap<int64_t, IntervalSet> keys;
  IntervalSet queries;
  auto visit = [&](const Rows &rows, int64_t b, int64_t h,
                   int64_t copies) -> LogicalResult {
    int64_t block = !mask->hasMask() ? std::max<int64_t>(rows.queries, 1)
                    : byRows         ? 1
                                     : m;
    // Alike batches have rows, or pages, of their own.
    int64_t batches = batchesDiffer() ? 1 : sizes.batch;
    queries = IntervalSet();
    for (int64_t q = 0; q < rows.queries; q += block) {
      int64_t count = std::min(block, rows.queries - q);
      SmallVector<std::pair<int64_t, int64_t>> seen;
      if (byRows) {
        FailureOr<std::pair<int64_t, int64_t>> visible =
            visibleRows(rows, q, count);
        if (failed(visible))
          return failure();
        if (visible->first < visible->second)
          seen.push_back(*visible);
      } else {
        FailureOr<SmallVector<Step>> taken = steps(rows, q, m, n);
        if (failed(taken))
          return failure();
        for (const Step &step : *taken)
          seen.push_back({step.first, step.first + step.count});
      }
      if (!seen.empty())
        queries.insert(q, q + count);
      for (auto [first, end] : seen)
        for (int64_t other = 0; other < batches; ++other)
          if (failed(addKeys(rows, b + other, first, end, keys[h / group])))
            return failure();
    }
    needed.queries += copies * queries.size();
    return success();
  };
  if (failed(forEachPlace(visit)))
    return failure();
  int64_t copies = mask->dependsOnPlace() ? 1 : sizes.keyHeads;
  for (auto &[head, rows] : keys)
    needed.keys += copies * rows.size();
  if (!batchesDiffer() && !op.isPaged() && sizes.batch > 0)
    needed.alike = {queries, keys[0].clipped(sizes.keys)};
  return success();
}

//===----------------------------------------------------------------------===//
// Bytes
//===----------------------------------------------------------------------===//

/// Keys that come from HBM, over batches and key heads: each once where what is
/// in use at a time fits the shared cache; else once for each time that all
/// cores go through a head.
int64_t AttentionModel::streamedKeys(const KeyLoop &loop, int64_t once,
                                     int64_t m) {
  int64_t keyHeads = sizes.batch * sizes.keyHeads;
  if (once == 0 || keyHeads == 0)
    return 0;
  int64_t cores = std::max<int64_t>(target.getCores(), 1);
  int64_t group = sizes.heads / sizes.keyHeads;
  int64_t blocks = std::max<int64_t>(ceilDiv(sizes.queries, m) * group, 1);
  int64_t headsInUse = std::min(keyHeads, ceilDiv(cores, blocks) + 1);
  int64_t bytes = ceilDiv(once, keyHeads) * headsInUse *
                  (sizes.qkDim + sizes.vDim) * sizes.keyBytes;
  int64_t times = bytes <= target.getL2() ? 1 : ceilDiv(blocks, cores);
  return std::min(once * times, loop.loadedKeys);
}

/// Biases are read an element at a time, one for each score that is computed:
/// no tile of theirs is loaded, so no counter sees them.
void AttentionModel::addBiases(OperationIO &io, const KeyLoop &loop,
                               const Totals &totals,
                               function_ref<OperandIO &(StringRef)> add) {
  ValueRange operands = op.getScoreOperands();
  for (ScoreAttrInterface score : op.getEffectiveScores()) {
    unsigned count = score.getNumScoreOperands();
    if (isa<BiasAttr>(score)) {
      const KnownValue *bias = known.find(operands[0]);
      int64_t size =
          getElementTypeOrSelf(operands[0].getType()).getIntOrFloatBitWidth() /
          8;
      int64_t whole = size;
      for (size_t dim = 0; bias && dim < bias->shape.size(); ++dim)
        whole *= bias->shape[dim];
      OperandIO &operand = add("bias");
      // A mask may hide any of it.
      operand.compulsory.read =
          mask->hasMask() ? 0 : std::min(whole, totals.pairs * size);
      operand.schedule.onChip.read = loop.pairs * size;
      operand.schedule.hbm.read = std::min(whole, loop.pairs * size);
      operand.unfused.onChip.read = totals.pairs * size;
      operand.unfused.hbm.read = std::min(whole, totals.pairs * size);
    }
    operands = operands.drop_front(count);
  }
}

void AttentionModel::addOperands(OperationIO &io, const KeyLoop &loop,
                                 const Totals &totals,
                                 std::optional<unsigned> part,
                                 const NeededRows &needed) {
  int64_t queryRow = sizes.qkDim * sizes.elementBytes;
  auto add = [&](StringRef name) -> OperandIO & {
    io.operands.emplace_back();
    io.operands.back().name = name.str();
    return io.operands.back();
  };
  OperandIO &query = add("query");
  query.compulsory.read = needed.queries * queryRow;
  query.schedule.hbm.read = query.schedule.onChip.read = totals.rows * queryRow;
  // The parts of an attention over slices of the keys are one when unfused.
  if (part.value_or(0) == 0)
    query.unfused.hbm.read = totals.pairs ? totals.rows * queryRow : 0;
  query.unfused.onChip.read = totals.queryLoads * queryRow;

  int64_t streamed = streamedKeys(loop, needed.keys, io.schedule.getM());
  for (bool isKey : {true, false}) {
    int64_t row = (isKey ? sizes.qkDim : sizes.vDim) * sizes.keyBytes;
    OperandIO &operand = add(isKey ? "key" : "value");
    operand.compulsory.read = needed.keys * row;
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

  auto addResult = [&](StringRef name, int64_t rowBytes) {
    OperandIO &result = add(name);
    result.compulsory.written = totals.rows * rowBytes;
    result.schedule.hbm = result.schedule.onChip = result.compulsory;
    if (!part)
      result.unfused.hbm = result.unfused.onChip = result.compulsory;
  };
  int64_t outputRow =
      sizes.vDim * op.getOutput().getType().getElementTypeBitWidth() / 8;
  addResult("output", outputRow);
  int64_t lseRow = 0;
  if (op.getLse()) {
    lseRow = op.getLse().getType().getElementTypeBitWidth() / 8;
    addResult("lse", lseRow);
  }
  if (!op.isRagged())
    return;
  // Rows in no sequence have values too: the program fills all results first.
  int64_t all = sizes.heads * sizes.queries, row = outputRow + lseRow;
  OperandIO &fill = add("fill");
  fill.compulsory.written = std::max<int64_t>(all - totals.rows, 0) * row;
  fill.schedule.hbm.written = fill.schedule.onChip.written = all * row;
  fill.unfused.hbm = fill.unfused.onChip = fill.compulsory;
}

double AttentionModel::order(int64_t fastMemory, double pairs,
                             bool &large) const {
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
LogicalResult AttentionModel::sweep(OperationIO &io, const KeyLoop &chosen,
                                    int64_t pairs) {
  // Tiles that lie in the blocks of a list are not free to grow.
  if (mask->hasLists())
    return success();
  TileProblem problem = TileProblem::get(op);
  for (int64_t memory = 16 << 10; memory <= (2 << 20); memory *= 2) {
    auto keysOf = [&](int64_t m) {
      return std::min(m, std::max<int64_t>(io.schedule.getN(), 16));
    };
    int64_t m = 0;
    while (m < sizes.queries &&
           stepBytes(problem, m + 16, keysOf(m + 16)) <= memory)
      m += 16;
    if (m == 0)
      continue; // not even the smallest
    int64_t n = keysOf(m);
    FailureOr<KeyLoop> loop = countBlocks(m, n, /*classify=*/false);
    if (failed(loop))
      return failure();
    SweepPoint point{memory, m, n, 0, 0, false};
    point.bytes =
        loop->loadedKeys * (sizes.qkDim + sizes.vDim) * sizes.keyBytes;
    for (const OperandIO &operand : io.operands) {
      int64_t bytes = operand.schedule.onChip.total();
      if (operand.name == "bias" && chosen.pairs)
        bytes = bytes / chosen.pairs * loop->pairs;
      if (operand.name != "key" && operand.name != "value")
        point.bytes += bytes;
    }
    point.order =
        order(memory, double(pairs) * io.blocks.density(), point.large);
    io.sweep.push_back(point);
  }
  return success();
}

LogicalResult AttentionModel::run(OperationIO &io, std::optional<unsigned> part,
                                  NeededRows &needed) {
  if (failed(readSizes()))
    return failure();
  io.op = op;
  io.sizes = sizes;
  io.schedule = getScheduleForLength(op, std::max(sizes.queries, sizes.keys));
  if (!io.schedule || io.schedule.getM() < 1 || io.schedule.getN() < 1)
    return op.emitError("has no complete schedule (m and n): run "
                        "flash-choose-schedule before");
  int64_t m = io.schedule.getM(), n = io.schedule.getN();
  FailureOr<KeyLoop> loop = countBlocks(m, n, /*classify=*/true);
  if (failed(loop) || failed(findNeeded(m, n, needed)))
    return failure();
  FailureOr<Totals> totals = addUp(m, n);
  if (failed(totals))
    return failure();
  io.blocks = loop->blocks;
  addOperands(io, *loop, *totals, part, needed);
  TileProblem problem = TileProblem::get(op);
  io.candidates = considerTiles(target, problem);
  TileCandidate chosen = chooseTile(target, problem);
  if (chosen.schedule == io.schedule)
    io.chosen = chosen;
  io.resources = describeTile(target, io.schedule, problem);
  io.order = order(target.getFastMemory(),
                   double(totals->pairs) * io.blocks.density(), io.largeMemory);
  return sweep(io, *loop, totals->pairs);
}

LogicalResult flash::modelAttention(AttentionOp op, TargetAttr target,
                                    const IndexInterpreter &known,
                                    std::optional<unsigned> part,
                                    OperationIO &io, NeededRows &needed) {
  return AttentionModel(op, target, known).run(io, part, needed);
}
