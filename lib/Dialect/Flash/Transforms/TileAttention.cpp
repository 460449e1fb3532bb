//===- TileAttention.cpp - Tile attention (L0 to L1) ------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %o = flash.attention %q, %k, %v
//   // becomes
//   scf.forall (%b, %h, %i) in (batch, heads, query blocks) shared_outs(%o) {
//     %r:3 = scf.for %k0 = %first to %end step n iter_args(acc, max, sum) {
//       flash.online_attention ins(q tile, k tile, v tile) outs(acc, max, sum)
//     }
//     parallel_insert_slice(acc / sum)
//   }
//
// Tiles are static and padded, because what comes after (fragments, registers,
// vectors) is; the mask bounds the loop, so that hidden blocks are never
// loaded.
//
// An attention with schedules for several ranges of lengths becomes a forall
// for each, the results of one the destinations of the next; all but one have
// no iterations in a call.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Transforms/Passes.h"

#include "AttentionTiler.h"
#include "BackwardTiler.h"
#include "SplitSchedule.h"
#include "flash/Dialect/Flash/Analysis/PackHeads.h"
#include "flash/Dialect/Flash/Analysis/ScheduleTable.h"
#include "flash/Dialect/Tile/IR/Tile.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"
#include <limits>
#include <tuple>

namespace flash {
#define GEN_PASS_DEF_TILEATTENTION
#include "flash/Dialect/Flash/Transforms/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

/// The results before any block is written.
SmallVector<Value> AttentionTiler::emptyResults() {
  ReifiedRankedShapedTypeDims shapes;
  (void)op.reifyResultShapes(rewriter, shapes);
  SmallVector<Value> outs;
  for (auto [shape, type] : llvm::zip(shapes, op->getResultTypes()))
    outs.push_back(tensor::EmptyOp::create(
        rewriter, loc, shape, cast<RankedTensorType>(type).getElementType()));
  return outs;
}

/// Finds how many queries and keys the batch or sequence has, where they lie,
/// and which positions they have. Bounds are data: what they say is not to lead
/// out of the operands.
BatchRows AttentionTiler::findRows(BatchRows here) {
  int64_t length = op.getLengthDim();
  Value zero = index.constant(0);
  here.numQueries = index.dim(op.getQuery(), length);
  here.numKeys = index.dim(op.getKey(), length);
  here.rowBatch = op.isRagged() ? zero : here.batch;
  here.queryRow = here.keyRow = zero;
  if (op.isPaged())
    here.numKeys = index.mul(here.numKeys, index.dim(op.getPageTable(), 1));
  if (Value starts = op.getCuSeqlensQ()) {
    RowBlock<Value> own = findSequenceRows(starts, here.place, here.numQueries);
    here.queryRow = own.first;
    here.numQueries = own.count;
  }
  if (Value starts = op.getCuSeqlensK()) {
    RowBlock<Value> own = findSequenceRows(starts, here.place, here.numKeys);
    here.keyRow = own.first;
    here.numKeys = own.count;
  }
  if (op.getKvLengths())
    here.numKeys = readCount(rewriter, loc, op.getKvLengths(), here.batch, zero,
                             here.numKeys);
  here.qOffset =
      op.getQOffset()
          ? op.getQOffset()
          : index.add(here.kvOffset, index.sub(here.numKeys, here.numQueries));
  here.keyPosition = here.kvOffset;
  return walk.isSliced() ? takeSlice(here) : here;
}

/// The keys of one slice are those of a batch that begins later and has fewer.
BatchRows AttentionTiler::takeSlice(BatchRows here) {
  auto [before, count] = walk.sliceKeys(index, here.numKeys);
  here.keysBefore = before;
  here.numKeys = count;
  here.keyRow = index.add(here.keyRow, here.keysBefore);
  here.keyPosition = index.add(here.kvOffset, here.keysBefore);
  return here;
}

/// 1 where the length of the call is in the range, else 0.
Value AttentionTiler::isWithin(int64_t above, std::optional<int64_t> upTo) {
  Value length = index.max(index.dim(op.getQuery(), op.getLengthDim()),
                           index.dim(op.getKey(), op.getLengthDim()));
  Value zero = index.constant(0), one = index.constant(1);
  auto exceeds = [&](int64_t bound) {
    return index.min(index.max(index.sub(length, index.constant(bound)), zero),
                     one);
  };
  Value within = above ? exceeds(above) : one;
  return upTo ? index.sub(within, exceeds(*upTo)) : within;
}

SmallVector<Value> AttentionTiler::tile(int64_t above,
                                        std::optional<int64_t> upTo,
                                        SmallVector<Value> outs) {
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(op);
  int64_t heads = op.getHeadsDim();
  // Where all batches are alike, what holds for one is found here.
  bool alike = !op.isRagged() && !op.getKvLengths();
  BatchRows here;
  here.kvOffset = op.getKvOffset() ? op.getKvOffset() : index.constant(0);
  here.numQueries = index.dim(op.getQuery(), op.getLengthDim());
  if (alike)
    here = findRows(here);
  Value queryHeads = index.dim(op.getQuery(), heads);
  Value keyHeads = index.dim(op.getKey(), heads);
  Value headsPerKeyHead =
      index.div(queryHeads, index.max(keyHeads, index.constant(1)));
  Value queryHeadBlocks =
      packing ? index.div(queryHeads, index.constant(packing.getHeads()))
              : queryHeads;
  if (outs.empty())
    outs = emptyResults();
  // The blocks of all sequences lie one after another, as one batch; without
  // rows there is none.
  Value batches = op.isRagged() ? index.min(here.numQueries, index.constant(1))
                                : index.dim(op.getQuery(), 0);
  if (above || upTo)
    batches = index.mul(batches, isWithin(above, upTo));

  SmallVector<OpFoldResult> blocks{
      getAsOpFoldResult(batches), getAsOpFoldResult(queryHeadBlocks),
      getAsOpFoldResult(op.isRagged()
                            ? countSequenceBlocks()
                            : walk.queries.count(index, here.numQueries))};
  auto forall = scf::ForallOp::create(rewriter, loc, blocks, outs,
                                      /*mapping=*/std::nullopt);
  // S = Q K^T and O += P V.
  int64_t keyCount = op.getKey().getType().getDimSize(op.getLengthDim());
  bool masks = op.getEffectiveMask() || !alike || op.isPaged() ||
               op.getKeySlice() || ShapedType::isDynamic(keyCount) ||
               keyCount % keys != 0;
  if (failed(setSchedule(forall, schedule,
                         {/*products=*/2, /*softmax=*/true, masks})))
    return {};
  rewriter.setInsertionPoint(forall.getTerminator());
  here.batch = here.rowBatch = forall.getInductionVar(0);
  Value number = forall.getInductionVar(2);
  if (op.isRagged())
    std::tie(here, number) = findSequence(here, number);
  if (!alike)
    here = findRows(here);
  buildBlock(here, headsPerKeyHead, forall.getInductionVar(1), number,
             forall.getRegionIterArgs(), forall.getTerminator());

  return llvm::to_vector_of<Value>(forall.getResults());
}

void AttentionTiler::buildBlock(const BatchRows &here, Value headsPerKeyHead,
                                Value head, Value number, ValueRange outs,
                                scf::InParallelOp terminator) {
  QueryBlock block(here);
  block.queryHead = head;
  block.keyHead = index.div(head, headsPerKeyHead);
  if (packing) {
    Value heads = index.constant(packing.getHeads());
    block.queryHead = index.mul(head, heads);
    block.keyHead = index.div(head, index.div(headsPerKeyHead, heads));
  }
  auto [first, most] = walk.queries.find(index, number);
  block.keyScale = headFactor(op.getKeyScale(), block.keyHead);
  if (!packing)
    block.sink = headFactor(op.getSinks(), block.queryHead);
  if (block.sink && block.sink.getType() != accumulator)
    block.sink = arith::ExtFOp::create(rewriter, loc, accumulator, block.sink);
  // A sequence may have fewer blocks than there are numbers for.
  if (op.isRagged())
    first = index.min(first, block.numQueries);
  block.existingQueries = block.readQueries =
      index.min(most, index.sub(block.numQueries, first));
  block.qPosition = index.add(block.qOffset, first);
  Value qLast = index.sub(index.add(block.qPosition, block.existingQueries),
                          index.constant(1));
  Value row = index.add(block.queryRow, first);
  if (op.isRagged())
    block = leaveOut(block);

  State state = loopOverKeys(block, queryTile(block, row), qLast);
  insertRows(block, output(block, state), outs[0], row, terminator);
  if (op.getLse())
    insertRows(block, logSumExp(block, state), outs[1], row, terminator);
}

/// Writes the rows of a result tile that exist.
void AttentionTiler::insertRows(const QueryBlock &block, Value tile, Value dest,
                                Value first, scf::InParallelOp terminator) {
  OpFoldResult existing = getAsOpFoldResult(block.existingQueries);
  if (packing)
    insertPackedTile(
        rewriter, loc, tile, dest,
        {op.getLayout(), block.rowBatch, block.queryHead, first, existing},
        packing, terminator);
  else
    insertTile(rewriter, loc, tile, dest, op.getLayout(), block.rowBatch,
               block.queryHead, first, existing, terminator);
}

/// The query tile, rows x dqk, or its transpose.
Value AttentionTiler::queryTile(const QueryBlock &block, Value first) {
  OpFoldResult count = getAsOpFoldResult(block.readQueries);
  Value tile = packing ? readPackedTile(rewriter, loc, op.getQuery(),
                                        {op.getLayout(), block.rowBatch,
                                         block.queryHead, first, count},
                                        packing, {rows, qkDim})
                       : readTile(rewriter, loc, op.getQuery(), op.getLayout(),
                                  block.rowBatch, block.queryHead, first, count,
                                  {rows, qkDim});
  if (!tiling.getTransposed())
    return tile;
  Type element = op.getQuery().getType().getElementType();
  Value empty = tensor::EmptyOp::create(
      rewriter, loc, ArrayRef<int64_t>{qkDim, rows}, element);
  return linalg::TransposeOp::create(rewriter, loc, tile, empty,
                                     ArrayRef<int64_t>{1, 0})
      ->getResult(0);
}

/// Tiles an attention with the schedule of each range of lengths; returns
/// nothing where one describes no kernel.
static SmallVector<Value> tileForLengths(RewriterBase &rewriter, AttentionOp op,
                                         ScheduleAttr schedule) {
  int64_t above = 0;
  SmallVector<Value> outs;
  for (const ScheduleChoice::Bounded &shorter : getShorterSchedules(op)) {
    outs = AttentionTiler(rewriter, op, shorter.schedule)
               .tile(above, shorter.upTo, std::move(outs));
    if (outs.empty())
      return {};
    above = shorter.upTo;
  }
  outs = AttentionTiler(rewriter, op, schedule)
             .tile(above, std::nullopt, std::move(outs));
  if (outs.empty())
    return {};
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(op);
  for (auto [out, type] : llvm::zip(outs, op->getResultTypes()))
    out = rewriter.createOrFold<tensor::CastOp>(op.getLoc(), type, out);
  return outs;
}

/// Whether heads can share tiles as the schedules say.
static LogicalResult checkPackings(AttentionOp op, ScheduleAttr schedule) {
  if (failed(checkPacking(op, schedule)))
    return failure();
  for (const ScheduleChoice::Bounded &shorter : getShorterSchedules(op))
    if (failed(checkPacking(op, shorter.schedule)))
      return failure();
  return success();
}

/// Says why all blocks get the predicate of a mask region, if they do.
static void remarkOnMask(AttentionOp op) {
  if (op.getMaskBody().empty())
    return;
  if (Operation *culprit = findUnfollowed(op.getMaskBody()))
    culprit->emitRemark() << "blocks of the mask are not classified, for '"
                          << culprit->getName()
                          << "' is not followed here; each gets the predicate";
}

/// The schedule of an op, complete, or an error at the op.
static FailureOr<ScheduleAttr> getSchedule(Operation *op) {
  ScheduleAttr schedule =
      llvm::TypeSwitch<Operation *, ScheduleAttr>(op)
          .Case<AttentionOp, AttentionBackwardOp, MergeOp>(
              [](auto known) { return known.getScheduleAttr(); });
  if (!schedule || !schedule.isComplete())
    return op->emitOpError() << "has no complete schedule (m, n and d): run "
                                "flash-choose-schedule before";
  return schedule;
}

namespace {
struct TileAttentionPass : flash::impl::TileAttentionBase<TileAttentionPass> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa<AttentionOp, AttentionBackwardOp, MergeOp>(op))
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      FailureOr<ScheduleAttr> schedule = getSchedule(op);
      if (failed(schedule))
        return signalPassFailure();
      if (auto attention = dyn_cast<AttentionOp>(op)) {
        if (failed(checkPackings(attention, *schedule)))
          return signalPassFailure();
        remarkOnMask(attention);
        SmallVector<Value> results =
            tileForLengths(rewriter, attention, *schedule);
        if (results.empty())
          return signalPassFailure();
        rewriter.replaceOp(op, results);
      } else if (auto backward = dyn_cast<AttentionBackwardOp>(op)) {
        if (!backward.getRecompute()) {
          op->emitOpError() << "says not what it recomputes: run "
                               "flash-schedule-recompute before";
          return signalPassFailure();
        }
        SmallVector<Value> results =
            tileBackward(rewriter, backward, *schedule);
        if (results.empty())
          return signalPassFailure();
        rewriter.replaceOp(op, results);
      } else if (failed(tileMerge(rewriter, cast<MergeOp>(op), *schedule))) {
        return signalPassFailure();
      }
      ++numTiled;
    }
  }
};
} // namespace
