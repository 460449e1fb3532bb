//===- BackwardOperands.cpp - Gradients for what scores read --------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   scf.forall (%b, %h) {           // where an iteration has its own elements
//     scf.for %i, %j in blocks of queries, and keys that they see {
//       %s, %ds = flash.backward_step ... -> scores, d_scores
//       scf.for (each query, each key) {
//         scf.if %ds[..] != 0 { sums[indices] += %ds[..] * dscore / delement }
//       }
//     }
//   }
//   sums, in the operand's type
//
// What a score function reads of an element, it reads at indices that it
// computes: so each score is differentiated in reverse by all that was read for
// it, and adds to the same indices. That is right whatever is broadcast, and
// one thread meets the scores of a sum in one order. An iteration may have a
// batch or a head where each read has it as an index; loops go through what is
// left.
//
// A score that has no gradient is left out: one that is hidden may divide by
// what only visible keys have.
//
//===----------------------------------------------------------------------===//

#include "BackwardSteps.h"

#include "flash/Dialect/Flash/Transforms/Differentiate.h"
#include "flash/Dialect/Flash/Transforms/Gradients.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace flash;

//===----------------------------------------------------------------------===//
// What is read
//===----------------------------------------------------------------------===//

namespace {
/// Score functions built where nobody sees it, to be read or copied.
struct ScratchScores {
  ScratchScores(AttentionBackwardOp op, const TilePlace &at, Value score,
                Value q, Value k) {
    OpBuilder inside(op.getContext());
    inside.setInsertionPointToStart(&block);
    ValueRange operands = op.getScoreOperands();
    result = score;
    for (ScoreAttrInterface function : op.getEffectiveScores()) {
      unsigned count = function.getNumScoreOperands();
      result = function.buildScore(inside, op.getLoc(),
                                   at.with(operands.take_front(count)), result,
                                   q, k);
      operands = operands.drop_front(count);
    }
  }
  ~ScratchScores() {
    // Results before what they are computed from.
    while (!block.empty())
      block.back().erase();
  }
  Block block;
  Value result;
};
} // namespace

/// The dimension in which all reads of a tensor have `index`.
static std::optional<int64_t> findDim(ArrayRef<tensor::ExtractOp> reads,
                                      Value index) {
  tensor::ExtractOp first = reads.front();
  int64_t rank = first.getTensor().getType().getRank();
  for (int64_t dim = 0; dim < rank; ++dim)
    if (llvm::all_of(reads, [&](tensor::ExtractOp read) {
          return read.getIndices()[dim] == index;
        }))
      return dim;
  return std::nullopt;
}

/// Finds which operands are read, and of which dimensions a batch or a head has
/// one index. False where none is.
bool BackwardTiler::findOwners() {
  Block arguments;
  auto argument = [&](Type type) {
    return Value(arguments.addArgument(type, loc));
  };
  Type index = rewriter.getIndexType();
  Value anyBatch = argument(index), anyHead = argument(index),
        q = argument(index), k = argument(index),
        score = argument(p.accumulator);
  TilePlace at{anyBatch,
               anyHead,
               argument(index),
               argument(index),
               {},
               &op.getScoreBody(),
               op.getCaptures(),
               false,
               Value(),
               {},
               {},
               Value(),
               Value()};
  ScratchScores scratch(op, at, score, q, k);
  hasOwnBatch = hasOwnHead = true;
  for (auto [number, value] : llvm::enumerate(op.getOperandsOfGradients())) {
    Value operand = value;
    SmallVector<tensor::ExtractOp> reads;
    scratch.block.walk([&](tensor::ExtractOp read) {
      if (read.getTensor() == operand)
        reads.push_back(read);
    });
    bool isRepeated = llvm::any_of(gradients, [&](const OperandGradient &of) {
      return of.operand == operand;
    });
    // What has no elements has nothing to add to, and no slice.
    bool isEmpty = llvm::is_contained(
        cast<RankedTensorType>(operand.getType()).getShape(), 0);
    if (reads.empty() || isRepeated || isEmpty)
      continue;
    gradients.push_back({unsigned(number), operand, findDim(reads, anyBatch),
                         findDim(reads, anyHead)});
    hasOwnBatch &= gradients.back().batchDim.has_value();
    hasOwnHead &= gradients.back().headDim.has_value();
  }
  return !gradients.empty();
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

using LoopBody = function_ref<SmallVector<Value>(Value, ValueRange)>;

/// A loop whose body makes of what is carried what is carried on.
static SmallVector<Value> loopOver(OpBuilder &b, Location loc,
                                   BackwardProblem::Steps steps,
                                   ValueRange carried, LoopBody body) {
  auto loop =
      scf::ForOp::create(b, loc, steps.from, steps.to, steps.by, carried,
                         [&](OpBuilder &, Location, Value at, ValueRange args) {
                           OpBuilder::InsertionGuard guard(b);
                           b.setInsertionPointToEnd(at.getParentBlock());
                           SmallVector<Value> made = body(at, args);
                           scf::YieldOp::create(b, loc, made);
                         });
  return SmallVector<Value>(loop.getResults());
}

/// Zeros in the place of a tensor of a few elements, else nothing.
static Value zerosIfFew(OpBuilder &b, Location loc, Value tensor) {
  constexpr int64_t kFew = 16;
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.hasStaticShape() || type.getNumElements() > kFew)
    return Value();
  Value zero =
      arith::ConstantOp::create(b, loc, b.getZeroAttr(type.getElementType()));
  Value empty =
      tensor::EmptyOp::create(b, loc, type.getShape(), type.getElementType());
  return linalg::FillOp::create(b, loc, zero, empty).getResult(0);
}

/// Sums of a block by themselves where they are few, then added to those of all
/// blocks: one sum of a million terms, one after the other, has fewer digits.
static SmallVector<Value>
addByBlock(OpBuilder &b, Location loc, ValueRange slabs,
           function_ref<SmallVector<Value>(ValueRange)> addBlock) {
  SmallVector<Value> ofBlock;
  for (Value slab : slabs) {
    Value zeros = zerosIfFew(b, loc, slab);
    ofBlock.push_back(zeros ? zeros : slab);
  }
  SmallVector<Value> sums = addBlock(ofBlock);
  for (auto [slab, start, sum] : llvm::zip(slabs, ofBlock, sums)) {
    if (start == slab)
      continue;
    AffineMap map = b.getMultiDimIdentityMap(
        cast<RankedTensorType>(sum.getType()).getRank());
    SmallVector<utils::IteratorType> loops(map.getNumDims(),
                                           utils::IteratorType::parallel);
    sum = linalg::GenericOp::create(
              b, loc, slab.getType(), sum, slab, {map, map}, loops,
              [](OpBuilder &nested, Location l, ValueRange in) {
                linalg::YieldOp::create(
                    nested, l,
                    ValueRange(arith::AddFOp::create(nested, l, in[1], in[0])));
              })
              .getResult(0);
  }
  return sums;
}

/// Adds what the scores of a step make of the elements that they read.
SmallVector<Value> BackwardTiler::addElements(const QueryTiles &queries,
                                              const KeyTiles &keys,
                                              ValueRange slabs) {
  bool transposed = isOfOneThread();
  BackwardStepOp step = buildStep(queries, keys, Sums(), transposed,
                                  /*ofScores=*/true);
  auto count = [&](OpFoldResult rows) {
    return getValueOrCreateConstantIndexOp(rewriter, loc, rows);
  };
  Value zero = index.constant(0), one = index.constant(1);
  Value outer = count(transposed ? keys.existing : queries.existing),
        inner = count(transposed ? queries.existing : keys.existing);
  auto forEach = [&](Value end, ValueRange carried, LoopBody body) {
    return loopOver(rewriter, loc, {zero, end, one}, carried, body);
  };
  auto addOne = [&](Value row, Value column, Value gradient,
                    ValueRange sums) -> SmallVector<Value> {
    SmallVector<Value> at{row, column};
    Value score =
        tensor::ExtractOp::create(rewriter, loc, step.getScoresOut(), at);
    Value factor = arith::ConstantOp::create(
        rewriter, loc,
        rewriter.getFloatAttr(p.accumulator, op.getScaleOrDefault()));
    score = arith::MulFOp::create(rewriter, loc, score, factor);
    Value i = transposed ? column : row, j = transposed ? row : column;
    Value q = index.add(index.add(own.qOffset, queries.first), i),
          k = index.add(index.add(own.keyPosition, keys.first), j);
    TilePlace place = this->place();
    place.body = &op.getScoreBody();
    ScratchScores scratch(op, place, score, q, k);
    IRMapping mapping;
    FailureOr<ValueAndCotangents> all = copyWithCotangents(
        rewriter, scratch.block, scratch.result, gradient, score, mapping);
    SmallVector<Value> results(sums);
    if (failed(all)) {
      p.hasFailed = true;
      return results;
    }
    for (const ElementCotangent &element : all->elements)
      for (auto [of, sum] : llvm::zip(gradients, results)) {
        if (of.operand != element.tensor)
          continue;
        SmallVector<Value> indices(element.indices);
        if (hasOwnBatch)
          indices[*of.batchDim] = zero;
        if (hasOwnHead)
          indices[*of.headDim] = zero;
        Value old = tensor::ExtractOp::create(rewriter, loc, sum, indices);
        // Terms are not rounded to the operand's type, their sum is.
        Value term = element.cotangent;
        if (auto rounded = term.getDefiningOp<arith::TruncFOp>())
          term = rounded.getIn();
        term = convertFloat(rewriter, loc, term, rewriter.getF64Type());
        sum = tensor::InsertOp::create(
            rewriter, loc, arith::AddFOp::create(rewriter, loc, old, term), sum,
            indices);
      }
    return results;
  };
  return forEach(outer, slabs, [&](Value row, ValueRange ofRow) {
    return forEach(inner, ofRow, [&](Value column, ValueRange sums) {
      Value gradient = tensor::ExtractOp::create(
          rewriter, loc, step.getDScores(), ValueRange{row, column});
      Value none = arith::ConstantOp::create(
          rewriter, loc, rewriter.getFloatAttr(p.accumulator, 0.0));
      Value hasOne = arith::CmpFOp::create(
          rewriter, loc, arith::CmpFPredicate::UNE, gradient, none);
      auto branch = scf::IfOp::create(
          rewriter, loc, hasOne,
          [&](OpBuilder &, Location) {
            scf::YieldOp::create(rewriter, loc,
                                 addOne(row, column, gradient, sums));
          },
          [&](OpBuilder &, Location) {
            scf::YieldOp::create(rewriter, loc, sums);
          });
      return SmallVector<Value>(branch.getResults());
    });
  });
}

/// All blocks of the head: queries, and the keys that they see.
SmallVector<Value> BackwardTiler::walkBlocks(ValueRange slabs) {
  RowTiles ofQueries = p.queryTiles(), ofKeys = p.keyTiles();
  return loopOver(
      rewriter, loc,
      p.stepsOver(ofQueries, {index.constant(0), own.numQueries}), slabs,
      [&](Value at, ValueRange carried) {
        QueryTiles queries =
            queryTiles(p.tileAt(ofQueries, at, own.numQueries));
        queries.queryT = transpose(queries.query);
        queries.dOutputT = transpose(queries.dOutput);
        return loopOver(
            rewriter, loc, p.stepsOver(ofKeys, visibleKeys(queries)), carried,
            [&](Value at, ValueRange sums) {
              KeyTiles keys = keyTiles(p.tileAt(ofKeys, at, own.numKeys));
              return unlessHidden(queries, keys, sums, [&] {
                return addByBlock(rewriter, loc, sums, [&](ValueRange mine) {
                  return addElements(queries, keys, mine);
                });
              });
            });
      });
}

//===----------------------------------------------------------------------===//
// The loop
//===----------------------------------------------------------------------===//

SmallVector<Value> BackwardTiler::loopOverOperands(const BackwardLoop &of) {
  OpBuilder::InsertionGuard guard(rewriter);
  SmallVector<Value> results;
  // Millions of terms may be one sum, which f32 would have few digits of.
  Type wide = rewriter.getF64Type();
  for (Value operand : op.getOperandsOfGradients()) {
    Value empty = tensor::EmptyOp::create(
        rewriter, loc, tensor::getMixedSizes(rewriter, loc, operand), wide);
    Value zero =
        arith::ConstantOp::create(rewriter, loc, rewriter.getF64FloatAttr(0));
    results.push_back(
        linalg::FillOp::create(rewriter, loc, zero, empty).getResult(0));
  }
  if (findOwners()) {
    SmallVector<Value> outs;
    for (const OperandGradient &gradient : gradients)
      outs.push_back(results[gradient.number]);
    Value one = index.constant(1);
    SmallVector<OpFoldResult> grid{
        getAsOpFoldResult(hasOwnBatch ? p.countOwners() : one),
        getAsOpFoldResult(hasOwnHead ? p.queryHeads : one),
        rewriter.getIndexAttr(1)};
    auto forall = scf::ForallOp::create(rewriter, loc, grid, outs,
                                        /*mapping=*/std::nullopt);
    p.setSchedule(forall, p.schedule, contents(of));
    rewriter.setInsertionPoint(forall.getTerminator());
    SmallVector<Slab> slabs;
    SmallVector<Value> carried;
    SmallVector<OpFoldResult> unit;
    for (auto [gradient, dest] :
         llvm::zip(gradients, forall.getRegionIterArgs())) {
      auto type = cast<RankedTensorType>(dest.getType());
      unit.assign(type.getRank(), rewriter.getIndexAttr(1));
      Slab slab;
      slab.offsets.assign(type.getRank(), rewriter.getIndexAttr(0));
      slab.sizes = tensor::getMixedSizes(rewriter, loc, gradient.operand);
      auto own = [&](int64_t dim, unsigned number) {
        slab.offsets[dim] = getAsOpFoldResult(forall.getInductionVar(number));
        slab.sizes[dim] = rewriter.getIndexAttr(1);
      };
      if (hasOwnBatch)
        own(*gradient.batchDim, 0);
      if (hasOwnHead)
        own(*gradient.headDim, 1);
      slab.type = tensor::ExtractSliceOp::inferResultType(type, slab.sizes);
      carried.push_back(tensor::ExtractSliceOp::create(
          rewriter, loc, slab.type, dest, slab.offsets, slab.sizes, unit));
      slabs.push_back(slab);
    }
    // A loop over what iterations do not have of their own.
    auto forAll = [&](Value count, ValueRange sums, LoopBody body) {
      return loopOver(rewriter, loc, {index.constant(0), count, one}, sums,
                      body);
    };
    auto ofHead = [&](Value head, ValueRange sums) {
      queryHead = head;
      keyHead = index.div(head, p.group);
      return walkBlocks(sums);
    };
    auto ofBatch = [&](Value batch, ValueRange sums) {
      own = p.rowsOf(batch);
      return hasOwnHead ? ofHead(forall.getInductionVar(1), sums)
                        : forAll(p.queryHeads, sums, ofHead);
    };
    carried = hasOwnBatch ? ofBatch(forall.getInductionVar(0), carried)
                          : forAll(p.countOwners(), carried, ofBatch);
    rewriter.setInsertionPointToEnd(forall.getTerminator().getBody());
    for (auto [sum, dest, slab] :
         llvm::zip_equal(carried, forall.getRegionIterArgs(), slabs)) {
      unit.assign(slab.type.getRank(), rewriter.getIndexAttr(1));
      tensor::ParallelInsertSliceOp::create(rewriter, loc, sum, dest,
                                            slab.offsets, slab.sizes, unit);
    }
    for (auto [gradient, sum] : llvm::zip(gradients, forall.getResults()))
      results[gradient.number] = sum;
    rewriter.setInsertionPointAfter(forall);
  }
  for (auto [sum, operand] : llvm::zip(results, op.getOperandsOfGradients())) {
    Type element = getElementTypeOrSelf(operand);
    if (element != wide)
      sum = mapElements(rewriter, loc, sum, element,
                        [&](OpBuilder &nested, Location l, ValueRange in) {
                          return convertFloat(nested, l, in[0], element);
                        });
  }
  return results;
}
