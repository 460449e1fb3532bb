//===- IOModel.cpp - What an attention moves, and why ---------------------===//
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

#include "flash/Dialect/Flash/Analysis/IOModel.h"

#include "IntervalSet.h"
#include "flash/Dialect/Flash/Analysis/MaskBlocks.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace flash;

Value flash::traceTensor(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto cast = dyn_cast<tensor::CastOp>(op))
      value = cast.getSource();
    else if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
      value = slice.getSource();
    else
      break;
  }
  return value;
}

std::string flash::nameTensor(Value value, ArrayRef<Operation *> ops) {
  value = traceTensor(value);
  if (auto argument = dyn_cast<BlockArgument>(value))
    return isa<func::FuncOp>(argument.getOwner()->getParentOp())
               ? "arg" + std::to_string(argument.getArgNumber())
               : "";
  auto result = cast<OpResult>(value);
  const auto *it = llvm::find(ops, result.getOwner());
  if (it == ops.end())
    return "";
  return "op" + std::to_string(it - ops.begin()) + "." +
         std::to_string(result.getResultNumber());
}

OperandIO OperationIO::total() const {
  OperandIO sum;
  sum.name = "total";
  for (const OperandIO &operand : operands) {
    sum.compulsory += operand.compulsory;
    sum.schedule.hbm += operand.schedule.hbm;
    sum.schedule.onChip += operand.schedule.onChip;
    sum.unfused.hbm += operand.unfused.hbm;
    sum.unfused.onChip += operand.unfused.onChip;
  }
  return sum;
}

namespace {

/// Which rows of a function's tensors are needed at all.
struct Needed {
  IntervalSet rows;
  /// Of one row, over all batches and heads.
  int64_t bytesPerRow = 0;
};

/// Rows that some query or key needs; intervals if all batches and heads are
/// alike.
struct NeededRows {
  int64_t queries = 0; // over batches and query heads
  int64_t keys = 0;    // over batches and key heads
  std::optional<std::pair<IntervalSet, IntervalSet>> alike;
};

/// What the key loop of all (batch, head) does, for one size of tile.
struct KeyLoop {
  int64_t loadedKeys = 0; // over batches and query heads
  BlockCounts blocks;
};

/// A step of the key loop: keys as rows, and which list they come from.
struct Step {
  int64_t first, count;
  std::optional<size_t> list;
};

class AttentionModel {
public:
  AttentionModel(AttentionOp op, TargetAttr target,
                 const IndexInterpreter &known)
      : op(op), target(target), known(known) {}

  LogicalResult run(OperationIO &io, bool isPart, bool isFirstPart,
                    NeededRows &needed);

private:
  LogicalResult readSizes();
  /// The keys, as rows, that queries [first, first + count) may see.
  FailureOr<std::pair<int64_t, int64_t>> visibleRows(int64_t first,
                                                     int64_t count);
  /// The steps of the block of queries that begins at `first`.
  FailureOr<SmallVector<Step>> steps(int64_t first, int64_t count, int64_t n);
  /// Calls `visit` for each place that can differ from others, with the number
  /// of (batch, query head) that are alike.
  LogicalResult
  forEachPlace(function_ref<LogicalResult(int64_t, int64_t, int64_t)> visit);
  FailureOr<KeyLoop> countBlocks(int64_t m, int64_t n, bool classify);
  LogicalResult findNeeded(int64_t m, int64_t n, NeededRows &needed);
  void addOperands(OperationIO &io, const KeyLoop &loop, bool isPart,
                   bool isFirstPart, const NeededRows &needed);
  LogicalResult sweep(OperationIO &io, double density);
  int64_t streamedKeys(const KeyLoop &loop, int64_t neededKeys, int64_t m);
  double order(int64_t fastMemory, double density, bool &large) const;

  AttentionOp op;
  TargetAttr target;
  const IndexInterpreter &known;
  std::optional<MaskBlocks> mask;
  AttentionSizes sizes;
  int64_t qOffset = 0, kvOffset = 0;
};

} // namespace

LogicalResult AttentionModel::readSizes() {
  StringRef missing = op.isRagged()       ? "ragged sequences"
                      : op.isPaged()      ? "paged keys"
                      : op.getKvLengths() ? "kv_lengths"
                                          : "";
  if (!missing.empty())
    return op.emitError() << "what an attention with " << missing
                          << " moves is not modelled yet";
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
  if (key->shape[0] != sizes.batch || value->shape[0] != sizes.batch)
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
  auto offset = [&](Value value, int64_t otherwise, int64_t &into) {
    std::optional<int64_t> number =
        value ? known.number(value) : std::optional<int64_t>(otherwise);
    if (number)
      into = *number;
    return bool(number);
  };
  if (!offset(op.getKvOffset(), 0, kvOffset) ||
      !offset(op.getQOffset(), kvOffset + sizes.keys - sizes.queries, qOffset))
    return op.emitError("the offsets of this attention are not known");
  mask.emplace(op, known, qOffset, kvOffset);
  return success();
}

FailureOr<std::pair<int64_t, int64_t>>
AttentionModel::visibleRows(int64_t first, int64_t count) {
  FailureOr<KeyRange> range =
      mask->visibleKeys(qOffset + first, qOffset + first + count - 1);
  if (failed(range))
    return failure();
  auto toRow = [&](int64_t position) {
    return std::clamp<int64_t>(position - kvOffset, 0, sizes.keys);
  };
  return std::pair<int64_t, int64_t>(range->first ? toRow(*range->first) : 0,
                                     range->end ? toRow(*range->end)
                                                : sizes.keys);
}

FailureOr<SmallVector<Step>> AttentionModel::steps(int64_t first, int64_t count,
                                                   int64_t n) {
  SmallVector<Step> steps;
  if (mask->hasLists()) {
    FailureOr<SmallVector<KeyList>> lists = mask->keyLists(qOffset + first);
    if (failed(lists))
      return failure();
    for (auto [index, list] : llvm::enumerate(*lists))
      for (int64_t number : list.numbers) {
        if (number < 0 || number * list.size >= sizes.keys)
          continue;
        int64_t end = std::min((number + 1) * list.size, sizes.keys);
        for (int64_t k = number * list.size; k < end; k += n)
          steps.push_back({k, std::min(n, end - k), index});
      }
    return steps;
  }
  FailureOr<std::pair<int64_t, int64_t>> visible = visibleRows(first, count);
  if (failed(visible))
    return failure();
  auto [from, to] = *visible;
  for (int64_t k = from / n * n; k < to; k += n) {
    int64_t keys = std::min(n, sizes.keys - k);
    if (mask->hasHoles()) {
      FailureOr<bool> hidden =
          mask->isHidden(qOffset + first, qOffset + first + count - 1,
                         kvOffset + k, kvOffset + k + keys - 1);
      if (failed(hidden))
        return failure();
      if (*hidden)
        continue;
    }
    steps.push_back({k, keys, std::nullopt});
  }
  return steps;
}

LogicalResult AttentionModel::forEachPlace(
    function_ref<LogicalResult(int64_t, int64_t, int64_t)> visit) {
  if (!mask->dependsOnPlace()) {
    int64_t copies = sizes.batch * sizes.heads;
    return copies ? visit(0, 0, copies) : success();
  }
  for (int64_t b = 0; b < sizes.batch; ++b)
    for (int64_t h = 0; h < sizes.heads; ++h) {
      mask->setPlace(b, h);
      if (failed(visit(b, h, 1)))
        return failure();
    }
  return success();
}

FailureOr<KeyLoop> AttentionModel::countBlocks(int64_t m, int64_t n,
                                               bool classify) {
  KeyLoop loop;
  auto visit = [&](int64_t, int64_t, int64_t copies) -> LogicalResult {
    for (int64_t q = 0; q < sizes.queries; q += m) {
      FailureOr<SmallVector<Step>> taken =
          steps(q, std::min(m, sizes.queries - q), n);
      if (failed(taken))
        return failure();
      loop.blocks.all += copies * int64_t(llvm::divideCeil(sizes.keys, n));
      loop.blocks.visited += copies * int64_t(taken->size());
      for (const Step &step : *taken) {
        loop.loadedKeys += copies * step.count;
        if (!classify || step.count < n)
          continue;
        // As the compiled program asks: of the whole tile, padding included.
        FailureOr<bool> full = mask->isFull(
            qOffset + q, qOffset + q + m - 1, kvOffset + step.first,
            kvOffset + step.first + n - 1, step.list);
        if (failed(full))
          return failure();
        loop.blocks.full += copies * int64_t(*full);
      }
    }
    return success();
  };
  if (failed(forEachPlace(visit)))
    return failure();
  return loop;
}

/// Queries that see a key, and keys that a query sees, as far as the mask's
/// interface tells: row by row for a range of positions, else as whole blocks.
LogicalResult AttentionModel::findNeeded(int64_t m, int64_t n,
                                         NeededRows &needed) {
  bool byRows = !mask->dependsOnPlace() && !mask->hasHoles();
  int64_t rows = !mask->hasMask() ? sizes.queries : byRows ? 1 : m;
  int64_t group = sizes.keyHeads ? sizes.heads / sizes.keyHeads : 1;
  IntervalSet keys; // of a key head
  auto visit = [&](int64_t, int64_t h, int64_t copies) -> LogicalResult {
    IntervalSet queries;
    if (h % group == 0)
      keys = IntervalSet();
    for (int64_t q = 0; q < sizes.queries; q += rows) {
      int64_t count = std::min(rows, sizes.queries - q);
      bool any = false;
      if (byRows) {
        FailureOr<std::pair<int64_t, int64_t>> visible = visibleRows(q, count);
        if (failed(visible))
          return failure();
        any = visible->first < visible->second;
        keys.insert(visible->first, visible->second);
      } else {
        FailureOr<SmallVector<Step>> taken = steps(q, count, n);
        if (failed(taken))
          return failure();
        any = !taken->empty();
        for (const Step &step : *taken)
          keys.insert(step.first, step.first + step.count);
      }
      if (any)
        queries.insert(q, q + count);
    }
    needed.queries += copies * queries.size();
    if (!mask->dependsOnPlace()) {
      needed.keys = sizes.batch * sizes.keyHeads * keys.size();
      needed.alike = {queries, keys};
    } else if (h % group == group - 1) {
      needed.keys += keys.size();
    }
    return success();
  };
  return forEachPlace(visit);
}

/// Keys that come from HBM, over batches and key heads: each once where what is
/// in use at a time fits the shared cache; else once for each time that all
/// cores go through a head.
int64_t AttentionModel::streamedKeys(const KeyLoop &loop, int64_t once,
                                     int64_t m) {
  int64_t keyHeads = sizes.batch * sizes.keyHeads;
  if (once == 0)
    return 0;
  int64_t cores = std::max<int64_t>(target.getCores(), 1);
  int64_t group = sizes.heads / sizes.keyHeads;
  int64_t blocks =
      std::max<int64_t>(int64_t(llvm::divideCeil(sizes.queries, m)) * group, 1);
  int64_t headsInUse =
      std::min(keyHeads, int64_t(llvm::divideCeil(cores, blocks)) + 1);
  int64_t bytes = int64_t(llvm::divideCeil(once, keyHeads)) * headsInUse *
                  (sizes.qkDim + sizes.vDim) * sizes.keyBytes;
  if (bytes <= target.getL2())
    return std::min(once, loop.loadedKeys);
  return std::min<int64_t>(once * int64_t(llvm::divideCeil(blocks, cores)),
                           loop.loadedKeys);
}

void AttentionModel::addOperands(OperationIO &io, const KeyLoop &loop,
                                 bool isPart, bool isFirstPart,
                                 const NeededRows &needed) {
  int64_t e = sizes.elementBytes, m = io.schedule.getM(),
          n = io.schedule.getN();
  int64_t rows = sizes.batch * sizes.heads * sizes.queries;
  int64_t keyRows = sizes.batch * sizes.keyHeads * sizes.keys;
  int64_t scores = rows * sizes.keys;
  // Times that unfused products go through an operand, with the same tiles.
  int64_t keyBlocks = llvm::divideCeil(sizes.keys, n),
          queryBlocks = llvm::divideCeil(sizes.queries, m);
  int64_t keyLoads = sizes.batch * sizes.heads * queryBlocks * sizes.keys;
  int64_t streamed = streamedKeys(loop, needed.keys, m);

  auto add = [&](StringRef name) -> OperandIO & {
    io.operands.emplace_back();
    io.operands.back().name = name.str();
    return io.operands.back();
  };
  OperandIO &query = add("query");
  query.compulsory.read = needed.queries * sizes.qkDim * e;
  query.schedule.hbm.read = query.schedule.onChip.read = rows * sizes.qkDim * e;
  // The parts of an attention over slices of the keys are one when unfused.
  if (!isPart || isFirstPart)
    query.unfused.hbm.read = sizes.keys ? rows * sizes.qkDim * e : 0;
  query.unfused.onChip.read = rows * keyBlocks * sizes.qkDim * e;

  for (bool isKey : {true, false}) {
    int64_t row = (isKey ? sizes.qkDim : sizes.vDim) * sizes.keyBytes;
    OperandIO &operand = add(isKey ? "key" : "value");
    operand.compulsory.read = needed.keys * row;
    operand.schedule.hbm.read = streamed * row;
    operand.schedule.onChip.read = loop.loadedKeys * row;
    operand.unfused.hbm.read = sizes.queries ? keyRows * row : 0;
    operand.unfused.onChip.read = keyLoads * row;
  }

  // S as it is accumulated, P in the inputs' type: each written by a kernel and
  // read by the next one.
  int64_t scoreBytes = op.getAccumulatorType().getIntOrFloatBitWidth() / 8;
  OperandIO &s = add("scores");
  s.unfused.hbm.read = s.unfused.hbm.written = scores * scoreBytes;
  s.unfused.onChip = s.unfused.hbm;
  OperandIO &p = add("probabilities");
  p.unfused.hbm.read = p.unfused.hbm.written = scores * e;
  p.unfused.onChip = p.unfused.hbm;

  OperandIO &output = add("output");
  int64_t bits = op.getOutput().getType().getElementTypeBitWidth();
  output.compulsory.written = rows * sizes.vDim * bits / 8;
  if (op.getLse())
    add("lse").compulsory.written =
        rows * op.getLse().getType().getElementTypeBitWidth() / 8;
  for (OperandIO &result : io.operands)
    if (result.name == "output" || result.name == "lse") {
      result.schedule.hbm = result.schedule.onChip = result.compulsory;
      if (!isPart)
        result.unfused.hbm = result.unfused.onChip = result.compulsory;
    }
}

double AttentionModel::order(int64_t fastMemory, double density,
                             bool &large) const {
  double e = double(sizes.elementBytes), memory = double(fastMemory) / e,
         d2 = double(sizes.qkDim) * double(sizes.vDim);
  double pairs = double(sizes.batch) * double(sizes.heads) *
                 double(sizes.queries) * double(sizes.keys) * density;
  large = memory >= d2;
  return large ? pairs * d2 / memory * e
               : pairs * std::sqrt(d2) / std::sqrt(memory) * e;
}

/// For each size of fast memory the largest tile that fits, square up to the
/// schedule's block of keys and then taller: the number of queries sets how
/// often K and V are loaded, the number of keys only the grain of the mask.
LogicalResult AttentionModel::sweep(OperationIO &io, double density) {
  TileProblem problem = TileProblem::get(op);
  for (int64_t memory = 16 << 10; memory <= (2 << 20); memory *= 2) {
    auto keysOf = [&](int64_t m) {
      return std::min(m, std::max<int64_t>(io.schedule.getN(), 16));
    };
    int64_t m = 0;
    while (stepBytes(problem, m + 16, keysOf(m + 16)) <= memory)
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
    for (const OperandIO &operand : io.operands)
      if (operand.name != "key" && operand.name != "value")
        point.bytes += operand.schedule.onChip.total();
    point.order = order(memory, density, point.large);
    io.sweep.push_back(point);
  }
  return success();
}

LogicalResult AttentionModel::run(OperationIO &io, bool isPart,
                                  bool isFirstPart, NeededRows &needed) {
  if (failed(readSizes()))
    return failure();
  io.op = op;
  io.sizes = sizes;
  io.schedule = op.getScheduleAttr();
  if (!io.schedule || io.schedule.getM() < 1 || io.schedule.getN() < 1)
    return op.emitError("has no complete schedule (m and n): run "
                        "flash-choose-schedule before");
  int64_t m = io.schedule.getM(), n = io.schedule.getN();
  FailureOr<KeyLoop> loop = countBlocks(m, n, /*classify=*/true);
  if (failed(loop) || failed(findNeeded(m, n, needed)))
    return failure();
  io.blocks = loop->blocks;
  addOperands(io, *loop, isPart, isFirstPart, needed);
  TileProblem problem = TileProblem::get(op);
  io.candidates = considerTiles(target, problem);
  TileCandidate chosen = chooseTile(target, problem);
  if (chosen.schedule == io.schedule)
    io.chosen = chosen;
  io.resources = describeTile(target, io.schedule, problem);
  io.order = order(target.getFastMemory(), io.blocks.density(), io.largeMemory);
  return sweep(io, io.blocks.density());
}

/// A merge reads each part once and writes the result.
static LogicalResult modelMerge(MergeOp op, const IndexInterpreter &known,
                                bool ofParts, OperationIO &io) {
  io.op = op;
  io.schedule = op->getAttrOfType<ScheduleAttr>("flash.schedule");
  auto bytes = [&](Value value) -> std::optional<int64_t> {
    const KnownValue *tensor = known.find(value);
    if (!tensor)
      return std::nullopt;
    int64_t count =
        cast<RankedTensorType>(value.getType()).getElementTypeBitWidth() / 8;
    for (int64_t size : tensor->shape)
      count *= size;
    return count;
  };
  const KnownValue *shape = known.find(op.getOutputs().front());
  if (!shape)
    return op.emitError("the sizes of this merge are not known");
  int64_t heads = op.getLayout() == Layout::BHSD ? 1 : 2;
  io.sizes.batch = shape->shape[0];
  io.sizes.heads = shape->shape[heads];
  io.sizes.queries = shape->shape[3 - heads];
  io.sizes.vDim = shape->shape[3];
  auto add = [&](const std::string &name, Value value,
                 bool isResult) -> LogicalResult {
    std::optional<int64_t> size = bytes(value);
    if (!size)
      return op.emitError("the sizes of this merge are not known");
    OperandIO operand;
    operand.name = name;
    (isResult ? operand.compulsory.written : operand.compulsory.read) = *size;
    operand.schedule.hbm = operand.schedule.onChip = operand.compulsory;
    // Of an attention in parts, only the result exists when unfused.
    if (isResult || !ofParts)
      operand.unfused = operand.schedule;
    io.operands.push_back(operand);
    return success();
  };
  for (auto [part, value] : llvm::enumerate(op.getOutputs()))
    if (failed(add("output " + std::to_string(part), value, false)))
      return failure();
  for (auto [part, value] : llvm::enumerate(op.getLses()))
    if (failed(add("lse " + std::to_string(part), value, false)))
      return failure();
  if (failed(add("output", op.getOutput(), true)))
    return failure();
  return op.getLse() ? add("lse", op.getLse(), true) : success();
}

/// Which part of a merge an attention is: its number, or nothing.
static std::optional<unsigned> findPart(AttentionOp op) {
  for (Operation *user : op.getOutput().getUsers())
    if (auto merge = dyn_cast<MergeOp>(user))
      for (auto [part, output] : llvm::enumerate(merge.getOutputs()))
        if (output == op.getOutput())
          return part;
  return std::nullopt;
}

/// Whether a merge joins attentions of one query: parts of one attention.
static bool joinsParts(MergeOp merge) {
  Value query;
  for (Value output : merge.getOutputs()) {
    auto part = output.getDefiningOp<AttentionOp>();
    if (!part || (query && part.getQuery() != query))
      return false;
    query = part.getQuery();
  }
  return true;
}

/// How far a slice along the length begins from its tensor's beginning.
static std::optional<int64_t> offsetOfSlice(Value value, int64_t lengthDim,
                                            const IndexInterpreter &known) {
  int64_t offset = 0;
  while (Operation *op = value.getDefiningOp()) {
    if (auto cast = dyn_cast<tensor::CastOp>(op)) {
      value = cast.getSource();
      continue;
    }
    auto slice = dyn_cast<tensor::ExtractSliceOp>(op);
    if (!slice)
      break;
    for (auto [dim, start] : llvm::enumerate(slice.getMixedOffsets())) {
      std::optional<int64_t> number = known.number(start);
      if (!number || (int64_t(dim) != lengthDim && *number != 0))
        return std::nullopt;
      offset += *number;
    }
    value = slice.getSource();
  }
  return offset;
}

FailureOr<FunctionIO> flash::analyzeIO(func::FuncOp func,
                                       ArrayRef<KnownValue> arguments,
                                       TargetAttr target) {
  IndexInterpreter known;
  if (failed(known.run(func, arguments)))
    return failure();
  FunctionIO io;
  io.function = func.getName().str();
  io.target = target;
  SmallVector<Operation *> ops;
  func.walk([&](Operation *op) {
    if (isa<AttentionOp, MergeOp>(op))
      ops.push_back(op);
  });
  if (ops.empty())
    return func.emitError("there is no attention in this function");

  llvm::MapVector<Value, Needed> needed;
  int64_t otherReads = 0; // of slices that are not along the length
  for (Operation *op : ops) {
    io.operations.emplace_back();
    OperationIO &operation = io.operations.back();
    SmallVector<Value> values;
    if (auto attention = dyn_cast<AttentionOp>(op)) {
      std::optional<unsigned> part = findPart(attention);
      NeededRows rows;
      if (failed(AttentionModel(attention, target, known)
                     .run(operation, part.has_value(), part == 0u, rows)))
        return failure();
      values = {attention.getQuery(),
                attention.getKey(),
                attention.getValue(),
                Value(),
                Value(),
                attention.getOutput(),
                attention.getLse()};
      for (int i = 0; i < 3; ++i) {
        Value root = traceTensor(values[i]);
        int64_t read = operation.operands[i].compulsory.read;
        if (!isa<BlockArgument>(root) || read == 0)
          continue;
        std::optional<int64_t> offset =
            offsetOfSlice(values[i], attention.getLengthDim(), known);
        if (!offset || !rows.alike) {
          otherReads += read;
          continue;
        }
        const IntervalSet &needs =
            i == 0 ? rows.alike->first : rows.alike->second;
        Needed &entry = needed[root];
        entry.bytesPerRow = std::max(entry.bytesPerRow, read / needs.size());
        entry.rows.insert(needs, *offset);
      }
    } else {
      auto merge = cast<MergeOp>(op);
      if (failed(modelMerge(merge, known, joinsParts(merge), operation)))
        return failure();
      llvm::append_range(values, merge.getOutputs());
      llvm::append_range(values, merge.getLses());
      for (auto [value, operand] : llvm::zip(values, operation.operands))
        if (isa<BlockArgument>(traceTensor(value)))
          otherReads += operand.compulsory.read;
      values.push_back(merge.getOutput());
      values.push_back(merge.getLse());
    }
    for (auto [value, operand] : llvm::zip(values, operation.operands))
      if (value)
        operand.value = nameTensor(value, ops);
  }

  for (const OperationIO &operation : io.operations) {
    OperandIO sum = operation.total();
    io.total.schedule.hbm += sum.schedule.hbm;
    io.total.schedule.onChip += sum.schedule.onChip;
    io.total.unfused.hbm += sum.unfused.hbm;
    io.total.unfused.onChip += sum.unfused.onChip;
  }
  io.total.name = "total";
  io.total.compulsory.read = otherReads;
  for (auto &[root, entry] : needed)
    io.total.compulsory.read += entry.rows.size() * entry.bytesPerRow;
  llvm::SmallDenseSet<Value> returned;
  for (Value value : func.getBody().front().getTerminator()->getOperands()) {
    std::string name = nameTensor(value, ops);
    if (name.empty() || !returned.insert(traceTensor(value)).second)
      continue;
    for (const OperationIO &operation : io.operations)
      for (const OperandIO &operand : operation.operands)
        if (operand.value == name)
          io.total.compulsory.written += operand.compulsory.written;
  }
  return io;
}
