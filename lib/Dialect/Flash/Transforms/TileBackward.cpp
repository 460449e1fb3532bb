//===- TileBackward.cpp - Tile a backward (L0 to L1) ----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %lse, %do
//   // with #flash.recompute<outer = keys, sum = added> becomes
//   statistics of each query                               BackwardRows.cpp
//   scf.forall (%b, %h, %j) in (batch, key heads, key blocks) {
//     %r:3 = scf.for %i = %first to %end step m iter_args(dk, dv, dq) {
//       %s:3 = flash.backward_step ins(...) d_query(0) d_key(dk) d_value(dv)
//       flash.add_slice %s#0 into dq[%i]
//     }
//     parallel_insert_slice dk, dv ; flash.parallel_add_slice dq
//   }
//   dq, scaled and rounded                                 BackwardRows.cpp
//
// which is BackwardByKeys.cpp; `outer = queries` is a forall over blocks of
// queries around a loop over keys, for dq alone (BackwardByQueries.cpp). What
// score functions read has a loop of its own (BackwardOperands.cpp), and so
// have sinks (BackwardSinks.cpp). Which loops there are is said by
// BackwardWalk.
//
//===----------------------------------------------------------------------===//

#include "BackwardSteps.h"

#include "flash/Dialect/Flash/Analysis/ScheduleModel.h"
#include "flash/Dialect/Flash/IR/ScheduleFields.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace flash;

BackwardProblem::BackwardProblem(RewriterBase &rewriter, AttentionBackwardOp op,
                                 ScheduleAttr schedule)
    : rewriter(rewriter), op(op), schedule(schedule), walk(op),
      loc(op.getLoc()), index(rewriter, loc), rows(schedule.getM()),
      keys(schedule.getN()), qkDim(roundUp(op.getQKHeadDim(), schedule.getD())),
      vDim(roundUp(op.getVHeadDim(), schedule.getD())),
      accumulator(op.getAccumulatorType()) {
  int64_t heads = op.getHeadsDim(), length = op.getLengthDim();
  batches = index.dim(op.getQuery(), 0);
  queryHeads = index.dim(op.getQuery(), heads);
  keyHeads = index.dim(op.getKey(), heads);
  numQueries = index.dim(op.getQuery(), length);
  numKeys = index.dim(op.getKey(), length);
  group = index.div(queryHeads, index.max(keyHeads, index.constant(1)));
  if (queryTiles().areCut() || op.isRagged())
    paddedQueries = index.mul(countTiles(/*ofKeys=*/false),
                              index.constant(walk.statisticsRows));
  else
    paddedQueries = walk.padQueries(index, numQueries);
  kvOffset = op.getKvOffset() ? op.getKvOffset() : index.constant(0);
  qOffset = op.getQOffset()
                ? op.getQOffset()
                : index.add(kvOffset, index.sub(numKeys, numQueries));
}

BackwardProblem BackwardProblem::withBlocksOf(int64_t queries,
                                              int64_t keysOfBlock) const {
  BackwardProblem problem = *this;
  problem.rows = queries;
  problem.keys = keysOfBlock;
  ScheduleFields fields = ScheduleFields::get(schedule);
  fields.m = queries;
  fields.n = keysOfBlock;
  problem.schedule = fields.get(op->getContext());
  return problem;
}

void BackwardProblem::setSchedule(scf::ForallOp loop, ScheduleAttr given,
                                  LoopContents contents) {
  hasFailed |= failed(flash::setSchedule(loop, given, contents));
}

OpFoldResult BackwardProblem::existing(Value first, Value count, int64_t most) {
  std::optional<int64_t> known = getConstantIntValue(count);
  if (known && *known % most == 0)
    return rewriter.getIndexAttr(most);
  return getAsOpFoldResult(
      index.min(index.constant(most), index.sub(count, first)));
}

SmallVector<Value> BackwardTiler::tile() {
  Value dQuery, dKey, dValue;
  SmallVector<Value> dOperands;
  for (const BackwardLoop &of : p.walk.loops) {
    if (of.operands) {
      BackwardProblem ofLoop = p.withBlocksOf(of.m, of.n);
      dOperands = BackwardTiler(ofLoop, statistics).loopOverOperands(of);
      p.hasFailed |= ofLoop.hasFailed;
      if (p.hasFailed)
        return {};
      continue;
    }
    if (!of.keysOutside) {
      BackwardProblem ofLoop = p.withBlocksOf(of.m, of.n);
      dQuery = BackwardTiler(ofLoop, statistics).loopOverQueryBlocks(of);
      p.hasFailed |= ofLoop.hasFailed;
      continue;
    }
    SmallVector<Value> results = loopOverKeyBlocks(of);
    ArrayRef<Value> next(results);
    if (of.query) {
      dQuery = buildQueryGradient(p, next.front());
      next = next.drop_front();
    }
    if (of.key) {
      dKey = next.front();
      next = next.drop_front();
    }
    if (of.value)
      dValue = next.front();
  }
  SmallVector<Value> results;
  for (Value gradient : {dQuery, dKey, dValue})
    if (gradient)
      results.push_back(gradient);
  if (op.getDSinks())
    results.push_back(buildSinkGradient(rewriter, op));
  results.append(dOperands);
  for (auto [result, type] : llvm::zip_equal(results, op->getResultTypes()))
    result = rewriter.createOrFold<tensor::CastOp>(loc, type, result);
  return results;
}

/// There is no block: none could be sliced, and all gradients are 0.
static SmallVector<Value> zeroGradients(RewriterBase &rewriter,
                                        AttentionBackwardOp op) {
  SmallVector<Value> results;
  SmallVector<std::pair<Value, Value>> gradients{
      {op.getDQuery(), op.getQuery()},
      {op.getDKey(), op.getKey()},
      {op.getDValue(), op.getValue()},
      {op.getDSinks(), op.getSinks()}};
  for (auto [gradient, operand] :
       llvm::zip(op.getDOperands(), op.getOperandsOfGradients()))
    gradients.emplace_back(gradient, operand);
  for (auto [result, input] : gradients) {
    if (!result)
      continue;
    // A sink is seen by rows that see no key.
    if (result == op.getDSinks()) {
      results.push_back(buildSinkGradient(rewriter, op));
      continue;
    }
    Location loc = op.getLoc();
    Type element = getElementTypeOrSelf(input.getType());
    Value empty = tensor::EmptyOp::create(
        rewriter, loc, tensor::getMixedSizes(rewriter, loc, input), element);
    Value zero = arith::ConstantOp::create(rewriter, loc,
                                           rewriter.getFloatAttr(element, 0.0));
    Value zeros =
        linalg::FillOp::create(rewriter, loc, zero, empty).getResult(0);
    results.push_back(
        rewriter.createOrFold<tensor::CastOp>(loc, result.getType(), zeros));
  }
  return results;
}

SmallVector<Value> flash::tileBackward(RewriterBase &rewriter,
                                       AttentionBackwardOp op,
                                       ScheduleAttr schedule) {
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(op);
  if (op.isPaged()) {
    AttentionBackwardOp ofRows = gatherPages(rewriter, op);
    SmallVector<Value> results = tileBackward(rewriter, ofRows, schedule);
    if (!results.empty())
      scatterPages(rewriter, op, results);
    rewriter.eraseOp(ofRows);
    return results;
  }
  if (seesNothing(op))
    return zeroGradients(rewriter, op);
  BackwardProblem problem(rewriter, op, schedule);
  BackwardProblem ofRows =
      problem.withBlocksOf(problem.walk.statisticsRows, problem.keys);
  SmallVector<Value> results =
      BackwardTiler(problem, buildRowStatistics(ofRows)).tile();
  if (problem.hasFailed || ofRows.hasFailed)
    return {};
  return results;
}
