//===- AttentionIO.cpp - What one attention moves ---------------*- C++ -*-===//
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

#include "AttentionModel.h"

#include "flash/Dialect/Flash/Analysis/PackHeads.h"
#include "flash/Dialect/Flash/Analysis/ScheduleTable.h"

using namespace mlir;
using namespace flash;
using namespace flash::io;

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
  sizes.valueBytes = op.getValue().getType().getElementTypeBitWidth() / 8;
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
  return success();
}

/// Operations that a count may take for asking the mask: a fraction of a
/// second.
static constexpr int64_t kBudget = int64_t(1) << 21;

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
FailureOr<Rows> AttentionModel::readRows(const KeyWalk &walk, int64_t batch) {
  Rows rows{sizes.queries, sizes.keys, 0, 0, 0, kvOffset};
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
  if (walk.isSliced()) {
    // The keys of a slice are those of a batch that begins later and has fewer.
    KnownIndex index;
    auto [before, count] = walk.sliceKeys(index, rows.keys);
    rows.keysBefore = before;
    rows.keys = count;
    rows.keyRow += before;
    rows.keyPosition += before;
  }
  return rows;
}

LogicalResult AttentionModel::forEachPlace(
    const KeyWalk &walk,
    function_ref<LogicalResult(const Rows &, int64_t, int64_t, int64_t)>
        visit) {
  int64_t heads = mask->dependsOnHead() ? sizes.heads : 1;
  int64_t batches = batchesDiffer() ? sizes.batch : 1;
  int64_t copies = sizes.batch * sizes.heads;
  if (copies == 0)
    return success();
  places = heads * batches;
  copies /= places;
  for (int64_t b = 0; b < batches; ++b) {
    FailureOr<Rows> rows = readRows(walk, b);
    if (failed(rows))
      return failure();
    for (int64_t h = 0; h < heads; ++h) {
      mask->setPlace({b, h, rows->qOffset - rows->queryRow,
                      rows->keyPosition - rows->keyRow, rows->qOffset,
                      rows->keyPosition - rows->keysBefore,
                      rows->qOffset + rows->queries,
                      rows->keyPosition + rows->keys});
      if (failed(visit(*rows, b, h, copies)))
        return failure();
    }
  }
  return success();
}

LogicalResult AttentionModel::run(OperationIO &io, std::optional<unsigned> part,
                                  Needs &needs) {
  if (failed(readSizes()))
    return failure();
  io.op = op;
  io.sizes = sizes;
  io.schedule = getScheduleForLength(op, std::max(sizes.queries, sizes.keys));
  if (!io.schedule || !io.schedule.isComplete())
    return op.emitError("has no complete schedule (m, n and d): run "
                        "flash-choose-schedule before");
  if (failed(checkPacking(op, io.schedule)))
    return failure();
  TilingAttr tiling = io.schedule.getTiling();
  mask.emplace(op, known, tiling.getSummaries());
  // Heads that share a tile share its loop over keys.
  KeyWalk walk(op, tiling);
  tileHeads = tiling.getTileHeads();
  budget = kBudget;
  FailureOr<KeyLoop> loop = countBlocks(walk, /*classify=*/true);
  if (failed(loop) || failed(findNeeds(walk, needs)))
    return failure();
  FailureOr<Totals> totals = addUp(walk, tiling.getM());
  if (failed(totals))
    return failure();
  io.blocks = loop->blocks;
  addOperands(io, *loop, *totals, part, needs);
  TileProblem problem = TileProblem::get(op);
  io.candidates = considerTiles(target, problem);
  TileCandidate chosen = chooseTile(target, problem);
  io.chosen = packHeads(target, chosen.schedule, problem) == io.schedule;
  io.bound = io.chosen ? TileBound{chosen.limit, chosen.reason}
                       : findBound(target, io.schedule, problem);
  io.resources = describeTile(target, io.schedule, problem);
  io.order = orderOfGrowth(sizes, target.getFastMemory(),
                           double(totals->pairs) * io.blocks.density(),
                           io.largeMemory);
  // Counters are compared with the above; the sweep is a picture.
  budget = kBudget / 16;
  if (failed(sweep(io, walk, *loop, totals->pairs)))
    return failure();
  io.sampled = sampled;
  return success();
}

LogicalResult flash::modelAttention(AttentionOp op, TargetAttr target,
                                    const IndexInterpreter &known,
                                    std::optional<unsigned> part,
                                    OperationIO &io, Needs &needs) {
  return AttentionModel(op, target, known).run(io, part, needs);
}
