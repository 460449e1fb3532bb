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
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Transforms/Passes.h"

#include "TileUtils.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include <limits>

namespace flash {
#define GEN_PASS_DEF_TILEATTENTION
#include "flash/Dialect/Flash/Transforms/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

static constexpr double kMinusInfinity =
    -std::numeric_limits<double>::infinity();

namespace {
/// Tiles one flash.attention: what is fixed for all its blocks, and the steps
/// that build one.
class AttentionTiler {
public:
  AttentionTiler(RewriterBase &rewriter, AttentionOp op, ScheduleAttr schedule)
      : rewriter(rewriter), op(op), schedule(schedule), loc(op.getLoc()),
        index(rewriter, loc), rows(schedule.getM()), keys(schedule.getN()),
        qkDim(roundUp(op.getQKHeadDim(), schedule.getD())),
        vDim(roundUp(op.getVHeadDim(), schedule.getD())) {}

  SmallVector<Value> tile();

private:
  using State = SmallVector<Value>; // acc, max, sum

  void buildBlock(ValueRange ids, ValueRange outs,
                  scf::InParallelOp terminator);
  State step(Value query, Value k0, OpFoldResult existing, State state);
  State stepUnlessHidden(Value query, Value k0, OpFoldResult existing,
                         State state);
  State loopOverKeys(Value query, Value qFirst, Value qLast);
  std::pair<Value, Value> visibleKeys(Value qFirst, Value qLast);
  Value queryTile(Value first, Value existing);
  TilePlace maskPlace();
  Value output(const State &state);
  Value logSumExp(const State &state);

  RewriterBase &rewriter;
  AttentionOp op;
  ScheduleAttr schedule;
  Location loc;
  IndexBuilder index;
  int64_t rows, keys, qkDim, vDim;

  // Values that hold for the whole operation.
  Value numQueries, numKeys, qOffset, kvOffset, headsPerKeyHead;
  // Values of one block.
  Value batch, keyHead, queryHead, qPosition, existingQueries;
};
} // namespace

SmallVector<Value> AttentionTiler::tile() {
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(op);
  int64_t length = op.getLengthDim(), heads = op.getHeadsDim();
  numQueries = index.dim(op.getQuery(), length);
  numKeys = index.dim(op.getKey(), length);
  Value queryHeads = index.dim(op.getQuery(), heads);
  Value keyHeads = index.dim(op.getKey(), heads);
  headsPerKeyHead =
      index.div(queryHeads, index.max(keyHeads, index.constant(1)));
  kvOffset = op.getKvOffset() ? op.getKvOffset() : index.constant(0);
  qOffset = op.getQOffset()
                ? op.getQOffset()
                : index.add(kvOffset, index.sub(numKeys, numQueries));

  ReifiedRankedShapedTypeDims shapes;
  (void)op.reifyResultShapes(rewriter, shapes);
  SmallVector<Value> outs;
  for (auto [shape, type] : llvm::zip(shapes, op->getResultTypes()))
    outs.push_back(tensor::EmptyOp::create(
        rewriter, loc, shape, cast<RankedTensorType>(type).getElementType()));

  SmallVector<OpFoldResult> blocks{
      getAsOpFoldResult(index.dim(op.getQuery(), 0)),
      getAsOpFoldResult(queryHeads),
      getAsOpFoldResult(index.ceilDiv(numQueries, rows))};
  auto forall = scf::ForallOp::create(rewriter, loc, blocks, outs,
                                      /*mapping=*/std::nullopt);
  forall->setAttr(kScheduleAttrName, schedule);
  rewriter.setInsertionPoint(forall.getTerminator());
  buildBlock(forall.getInductionVars(), forall.getRegionIterArgs(),
             forall.getTerminator());

  rewriter.setInsertionPointAfter(forall);
  SmallVector<Value> results;
  for (auto [result, type] :
       llvm::zip(forall.getResults(), op->getResultTypes()))
    results.push_back(rewriter.createOrFold<tensor::CastOp>(loc, type, result));
  return results;
}

void AttentionTiler::buildBlock(ValueRange ids, ValueRange outs,
                                scf::InParallelOp terminator) {
  batch = ids[0];
  queryHead = ids[1];
  keyHead = index.div(queryHead, headsPerKeyHead);
  Value first = index.mul(ids[2], index.constant(rows));
  Value existing =
      index.min(index.constant(rows), index.sub(numQueries, first));
  existingQueries = existing;
  qPosition = index.add(qOffset, first);
  Value qLast = index.sub(index.add(qPosition, existing), index.constant(1));

  State state = loopOverKeys(queryTile(first, existing), qPosition, qLast);
  OpFoldResult existingRows = getAsOpFoldResult(existing);
  insertTile(rewriter, loc, output(state), outs[0], op.getLayout(), batch,
             queryHead, first, existingRows, terminator);
  if (op.getLse())
    insertTile(rewriter, loc, logSumExp(state), outs[1], op.getLayout(), batch,
               queryHead, first, existingRows, terminator);
}

/// The query tile, rows x dqk, or its transpose.
Value AttentionTiler::queryTile(Value first, Value existing) {
  Value tile =
      readTile(rewriter, loc, op.getQuery(), op.getLayout(), batch, queryHead,
               first, getAsOpFoldResult(existing), {rows, qkDim});
  if (!schedule.getTransposed())
    return tile;
  Type element = op.getQuery().getType().getElementType();
  Value empty = tensor::EmptyOp::create(
      rewriter, loc, ArrayRef<int64_t>{qkDim, rows}, element);
  return linalg::TransposeOp::create(rewriter, loc, tile, empty,
                                     ArrayRef<int64_t>{1, 0})
      ->getResult(0);
}

/// Whether something looks at more than positions.
static bool needsPlace(AttentionOp op) {
  return !op.getMaskOperands().empty() || !op.getMaskBody().empty() ||
         !op.getEffectiveScores().empty() || op.getDropoutP();
}

TilePlace AttentionTiler::maskPlace() {
  return TilePlace{batch,
                   queryHead,
                   qOffset,
                   kvOffset,
                   op.getMaskOperands(),
                   &op.getMaskBody(),
                   op.getCaptures()};
}

/// The keys that the block's queries may see, as indices [first, end), first a
/// multiple of the key block.
std::pair<Value, Value> AttentionTiler::visibleKeys(Value qFirst, Value qLast) {
  Value zero = index.constant(0), first = zero, end = numKeys;
  if (MaskAttrInterface mask = op.getEffectiveMask()) {
    auto [low, high] =
        mask.buildVisibleKeys(rewriter, loc, maskPlace(), qFirst, qLast);
    auto toIndex = [&](Value position) {
      return index.min(index.max(index.sub(position, kvOffset), zero), numKeys);
    };
    if (low) {
      Value block = index.constant(keys);
      first = index.mul(index.div(toIndex(low), block), block);
    }
    if (high)
      end = toIndex(high);
  }
  return {first, end};
}

AttentionTiler::State AttentionTiler::step(Value query, Value k0,
                                           OpFoldResult existing, State state) {
  Value keyTile = readTile(rewriter, loc, op.getKey(), op.getLayout(), batch,
                           keyHead, k0, existing, {keys, qkDim});
  Value valueTile = readTile(rewriter, loc, op.getValue(), op.getLayout(),
                             batch, keyHead, k0, existing, {keys, vDim});
  // What only some masks and score functions look at.
  bool wantsPlace = needsPlace(op);
  auto ifWanted = [&](Value value) { return wantsPlace ? value : Value(); };
  auto online = OnlineAttentionOp::create(
      rewriter, loc, query, keyTile, valueTile, state[0], state[1], state[2],
      qPosition, index.add(kvOffset, k0),
      getValueOrCreateConstantIndexOp(rewriter, loc, existing),
      ifWanted(existingQueries), ifWanted(batch), ifWanted(queryHead),
      ifWanted(qOffset), ifWanted(kvOffset), op.getMaskOperands(),
      op.getScoreOperands(), op.getSeed(), op.getDropoutOffset(),
      op.getCaptures(), rewriter.getF32FloatAttr(op.getScaleOrDefault()),
      op.getEffectiveMask(), op.getScoresAttr(), op.getDropoutPAttr(),
      schedule.getTransposed() ? rewriter.getUnitAttr() : UnitAttr());
  for (auto [from, to] : llvm::zip(op->getRegions(), online->getRegions())) {
    IRMapping mapping;
    from.cloneInto(&to, mapping);
  }
  return SmallVector<Value>(online->getResults());
}

/// A step inside a condition, if its block can be hidden though the loop meets
/// it: then nothing of the block is read.
AttentionTiler::State AttentionTiler::stepUnlessHidden(Value query, Value k0,
                                                       OpFoldResult existing,
                                                       State state) {
  MaskAttrInterface mask = op.getEffectiveMask();
  Value hidden;
  if (mask && mask.hasHoles()) {
    Value one = index.constant(1), kFirst = index.add(kvOffset, k0);
    Value keysHere = getValueOrCreateConstantIndexOp(rewriter, loc, existing);
    hidden = mask.buildIsHidden(
        rewriter, loc, maskPlace(), qPosition,
        index.sub(index.add(qPosition, existingQueries), one), kFirst,
        index.sub(index.add(kFirst, keysHere), one));
  }
  if (!hidden)
    return step(query, k0, existing, state);
  auto branch = scf::IfOp::create(
      rewriter, loc, hidden,
      [&](OpBuilder &, Location) {
        scf::YieldOp::create(rewriter, loc, state);
      },
      [&](OpBuilder &, Location) {
        scf::YieldOp::create(rewriter, loc, step(query, k0, existing, state));
      });
  return SmallVector<Value>(branch.getResults());
}

AttentionTiler::State AttentionTiler::loopOverKeys(Value query, Value qFirst,
                                                   Value qLast) {
  SmallVector<int64_t> accShape{rows, vDim};
  if (schedule.getTransposed())
    std::swap(accShape[0], accShape[1]);
  State state{filledTile(rewriter, loc, accShape, 0.0),
              filledTile(rewriter, loc, rows, kMinusInfinity),
              filledTile(rewriter, loc, rows, 0.0)};

  auto [first, end] = visibleKeys(qFirst, qLast);
  Value block = index.constant(keys);
  auto loop = [&](Value from, Value to, bool whole) {
    auto forOp = scf::ForOp::create(
        rewriter, loc, from, to, block, state,
        [&](OpBuilder &, Location, Value k0, ValueRange args) {
          OpBuilder::InsertionGuard guard(rewriter);
          rewriter.setInsertionPointToEnd(args[0].getParentBlock());
          OpFoldResult existing =
              whole
                  ? OpFoldResult(rewriter.getIndexAttr(keys))
                  : getAsOpFoldResult(index.min(block, index.sub(numKeys, k0)));
          scf::YieldOp::create(
              rewriter, loc,
              stepUnlessHidden(query, k0, existing, SmallVector<Value>(args)));
        });
    state = SmallVector<Value>(forOp.getResults());
  };

  std::optional<int64_t> staticKeys = getConstantIntValue(numKeys);
  if (staticKeys && *staticKeys % keys == 0) {
    loop(first, end, /*whole=*/true);
    return state;
  }
  if (!schedule.getPeel()) {
    loop(first, end, /*whole=*/false);
    return state;
  }
  // Whole blocks are read where they lie; only the ragged last one is padded.
  // As a loop of at most one step it needs no copy of the state around it.
  Value wholeEnd = index.mul(index.div(numKeys, block), block);
  loop(first, index.min(end, wholeEnd), /*whole=*/true);
  loop(index.max(first, wholeEnd), end, /*whole=*/false);
  return state;
}

/// acc / sum, rounded to the output's type; 0 where no key was seen.
Value AttentionTiler::output(const State &state) {
  Type f32 = rewriter.getF32Type(),
       element = op.getOutput().getType().getElementType();
  MLIRContext *context = rewriter.getContext();
  AffineExpr d0 = rewriter.getAffineDimExpr(0),
             d1 = rewriter.getAffineDimExpr(1);
  Value inverse =
      mapTiles(rewriter, loc, rows, state[2],
               {rewriter.getMultiDimIdentityMap(1)}, f32,
               [&](OpBuilder &b, Location l, ValueRange in) {
                 Value zero =
                     arith::ConstantOp::create(b, l, b.getF32FloatAttr(0.0f));
                 Value one =
                     arith::ConstantOp::create(b, l, b.getF32FloatAttr(1.0f));
                 Value empty = arith::CmpFOp::create(
                     b, l, arith::CmpFPredicate::OEQ, in[0], zero);
                 Value quotient = arith::DivFOp::create(b, l, one, in[0]);
                 return SmallVector<Value>{
                     arith::SelectOp::create(b, l, empty, zero, quotient)};
               })
          .front();
  AffineMap accMap = schedule.getTransposed()
                         ? AffineMap::get(2, 0, {d1, d0}, context)
                         : AffineMap::get(2, 0, {d0, d1}, context);
  AffineMap rowMap = AffineMap::get(2, 0, {d0}, context);
  return mapTiles(rewriter, loc, {rows, vDim}, {state[0], inverse},
                  {accMap, rowMap}, element,
                  [&](OpBuilder &b, Location l, ValueRange in) {
                    Value o = arith::MulFOp::create(b, l, in[0], in[1]);
                    if (!element.isF32())
                      o = arith::TruncFOp::create(b, l, element, o);
                    return SmallVector<Value>{o};
                  })
      .front();
}

/// max * scale + ln(sum); -inf where no key was seen.
Value AttentionTiler::logSumExp(const State &state) {
  float scale = softmaxScale(op.getScaleOrDefault());
  AffineMap identity = rewriter.getMultiDimIdentityMap(1);
  return mapTiles(
             rewriter, loc, rows, {state[1], state[2]}, {identity, identity},
             rewriter.getF32Type(),
             [&](OpBuilder &b, Location l, ValueRange in) {
               Value factor =
                   arith::ConstantOp::create(b, l, b.getF32FloatAttr(scale));
               Value zero =
                   arith::ConstantOp::create(b, l, b.getF32FloatAttr(0.0f));
               Value none = arith::ConstantOp::create(
                   b, l,
                   b.getF32FloatAttr(-std::numeric_limits<float>::infinity()));
               Value empty = arith::CmpFOp::create(
                   b, l, arith::CmpFPredicate::OEQ, in[1], zero);
               Value log = math::LogOp::create(b, l, in[1]);
               Value scaled = arith::MulFOp::create(b, l, in[0], factor);
               Value lse = arith::AddFOp::create(b, l, scaled, log);
               return SmallVector<Value>{
                   arith::SelectOp::create(b, l, empty, none, lse)};
             })
      .front();
}

/// What an attention has that cannot be tiled yet.
static LogicalResult checkSupported(AttentionOp op) {
  RankedTensorType key = op.getKey().getType();
  bool lists = false;
  if (op.getMaskAttr())
    op.getMaskAttr().walk([&](BlockSparseAttr) { lists = true; });
  StringRef what = !op.getEffectiveScores().empty()    ? "score functions"
                   : op.getSinks()                     ? "sinks"
                   : op.getDropoutP()                  ? "dropout"
                   : op.isRagged()                     ? "ragged sequences"
                   : op.isPaged()                      ? "paged keys"
                   : op.getKvLengths()                 ? "kv_lengths"
                   : lists                             ? "#flash.block_sparse"
                   : key.getElementTypeBitWidth() == 8 ? "8-bit keys"
                   : key.getElementType().isF64()      ? "f64"
                                                       : "";
  if (what.empty())
    return success();
  return op.emitOpError() << "with " << what << " is not supported yet";
}

/// The schedule of an op, complete, or an error at the op.
static FailureOr<ScheduleAttr> getSchedule(Operation *op) {
  auto schedule = op->getAttrOfType<ScheduleAttr>(
      isa<AttentionOp>(op) ? StringRef("schedule")
                           : StringRef(kScheduleAttrName));
  if (!schedule || schedule.getM() < 1 || schedule.getN() < 1 ||
      schedule.getD() < 1)
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
      if (isa<AttentionOp, MergeOp>(op))
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      FailureOr<ScheduleAttr> schedule = getSchedule(op);
      if (failed(schedule))
        return signalPassFailure();
      if (auto attention = dyn_cast<AttentionOp>(op)) {
        if (failed(checkSupported(attention)))
          return signalPassFailure();
        rewriter.replaceOp(
            op, AttentionTiler(rewriter, attention, *schedule).tile());
      } else if (failed(tileMerge(rewriter, cast<MergeOp>(op), *schedule))) {
        return signalPassFailure();
      }
      ++numTiled;
    }
  }
};
} // namespace
