//===- BackwardRows.cpp - Each row before and after a backward ------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   scf.forall (%b, %h, %i) {                 before: statistics of each query
//     delta = rowsum(d_output * output) - d_lse
//     lse2  = lse * log2(e), +inf for -inf
//     // as products: -delta and -lse / scale, in three parts each
//   }
//   ...
//   scf.forall (%b, %h, %i) { d_query = scale * sums }                    after
//
// Both read and write each row once, in blocks of the gradients' loops, with
// rows up to a whole block: what reads them needs no bounds.
//
//===----------------------------------------------------------------------===//

#include "BackwardTiler.h"

#include "flash/Dialect/Flash/Analysis/ScheduleModel.h"
#include "flash/Dialect/Flash/IR/ScheduleFields.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace flash;

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Blocks of a row's loop: element-wise, without contractions and rings.
static ScheduleAttr scheduleRows(BackwardProblem &p) {
  ScheduleFields fields;
  fields.m = p.rows;
  fields.n = 1;
  fields.d = p.schedule.getD();
  fields.warps = p.schedule.getTiling().getSummaries()
                     ? 0
                     : std::max<int64_t>(p.rows / 16, 1);
  return fields.get(p.op.getContext());
}

/// A loop over blocks of rows of all heads.
static scf::ForallOp loopOverRows(BackwardProblem &p, ValueRange outs) {
  SmallVector<OpFoldResult> blocks{
      getAsOpFoldResult(p.countGridBatches(/*ofKeys=*/false)),
      getAsOpFoldResult(p.queryHeads),
      getAsOpFoldResult(p.countTiles(/*ofKeys=*/false))};
  auto forall = scf::ForallOp::create(p.rewriter, p.loc, blocks, outs,
                                      /*mapping=*/std::nullopt);
  p.setSchedule(forall, scheduleRows(p), LoopContents{0, false, false});
  p.rewriter.setInsertionPoint(forall.getTerminator());
  return forall;
}

/// The sums of a tile's rows, of products of two tiles.
static Value sumProducts(BackwardProblem &p, Value a, Value b) {
  SmallVector<AffineMap> identity(2, p.rewriter.getMultiDimIdentityMap(2));
  Value products =
      mapTiles(p.rewriter, p.loc, {p.rows, p.vDim}, {a, b}, identity,
               p.accumulator,
               [&](OpBuilder &nested, Location l, ValueRange in) {
                 SmallVector<Value> wide;
                 for (Value value : in)
                   wide.push_back(value.getType() == p.accumulator
                                      ? value
                                      : arith::ExtFOp::create(
                                            nested, l, p.accumulator, value));
                 return SmallVector<Value>{
                     arith::MulFOp::create(nested, l, wide[0], wide[1])};
               })
          .front();
  Value zero = filledTile(p.rewriter, p.loc, p.rows, 0.0, p.accumulator);
  auto sum = linalg::ReduceOp::create(
      p.rewriter, p.loc, products, zero, ArrayRef<int64_t>{1},
      [](OpBuilder &nested, Location l, ValueRange args) {
        linalg::YieldOp::create(
            nested, l,
            ValueRange{arith::AddFOp::create(nested, l, args[0], args[1])});
      });
  return sum.getResult(0);
}

static Value scaleLse(BackwardProblem &p, Value lse) {
  return mapTiles(p.rewriter, p.loc, p.rows, lse,
                  p.rewriter.getMultiDimIdentityMap(1), p.accumulator,
                  [&](OpBuilder &nested, Location l, ValueRange in) {
                    auto constant = [&](double value) -> Value {
                      return arith::ConstantOp::create(
                          nested, l, nested.getFloatAttr(p.accumulator, value));
                    };
                    Value none = arith::CmpFOp::create(
                        nested, l, arith::CmpFPredicate::OEQ, in[0],
                        constant(-kInfinity));
                    Value scaled = arith::MulFOp::create(
                        nested, l, in[0], constant(1 / std::log(2.0)));
                    return SmallVector<Value>{arith::SelectOp::create(
                        nested, l, none, constant(kInfinity), scaled)};
                  })
      .front();
}

/// -lse / scale, a number that hides every score where the row sees no key.
static Value negateLse(BackwardProblem &p, Value lse) {
  // Far below all scores, and exponents of 8 bits have it, times any scale.
  constexpr double hidden = -1e30;
  return mapTiles(
             p.rewriter, p.loc, p.rows, lse,
             p.rewriter.getMultiDimIdentityMap(1), p.accumulator,
             [&](OpBuilder &nested, Location l, ValueRange in) {
               auto constant = [&](double value) -> Value {
                 return arith::ConstantOp::create(
                     nested, l, nested.getFloatAttr(p.accumulator, value));
               };
               Value none =
                   arith::CmpFOp::create(nested, l, arith::CmpFPredicate::OEQ,
                                         in[0], constant(-kInfinity));
               Value scaled = arith::MulFOp::create(
                   nested, l, in[0], constant(-1 / p.op.getScaleOrDefault()));
               scaled = arith::MaximumFOp::create(nested, l, scaled,
                                                  constant(hidden));
               return SmallVector<Value>{arith::SelectOp::create(
                   nested, l, none, constant(hidden), scaled)};
             })
      .front();
}

static Value negate(BackwardProblem &p, Value rows) {
  return mapTiles(p.rewriter, p.loc, p.rows, rows,
                  p.rewriter.getMultiDimIdentityMap(1), p.accumulator,
                  [&](OpBuilder &nested, Location l, ValueRange in) {
                    return SmallVector<Value>{
                        arith::NegFOp::create(nested, l, in[0])};
                  })
      .front();
}

/// Numbers of bf16 whose sum is the number: each rounds what those before it
/// leave.
static SmallVector<Value> splitInParts(BackwardProblem &p, Value rows) {
  Type part = p.rewriter.getBF16Type();
  return mapTiles(
      p.rewriter, p.loc, p.rows, rows, p.rewriter.getMultiDimIdentityMap(1),
      SmallVector<Type>(partsOfStatistic, part),
      [&](OpBuilder &nested, Location l, ValueRange in) {
        SmallVector<Value> parts;
        Value rest = in[0];
        for (int64_t i = 0; i < partsOfStatistic; ++i) {
          parts.push_back(arith::TruncFOp::create(nested, l, part, rest));
          rest = arith::SubFOp::create(
              nested, l, rest,
              arith::ExtFOp::create(nested, l, p.accumulator, parts.back()));
        }
        return parts;
      });
}

RowStatistics flash::buildRowStatistics(BackwardProblem &p) {
  OpBuilder::InsertionGuard guard(p.rewriter);
  SmallVector<OpFoldResult> sizes{
      getAsOpFoldResult(p.countGridBatches(/*ofKeys=*/false)),
      getAsOpFoldResult(p.queryHeads),
      getAsOpFoldResult(p.countTiles(/*ofKeys=*/false)),
      p.rewriter.getIndexAttr(p.rows)};
  SmallVector<Value> outs;
  bool products[] = {takesLseAsProduct(p.op), takesDeltaAsProduct(p.op)};
  for (bool isProduct : products) {
    SmallVector<OpFoldResult> shape(sizes);
    if (isProduct)
      shape.insert(shape.begin() + 3,
                   p.rewriter.getIndexAttr(partsOfStatistic));
    outs.push_back(tensor::EmptyOp::create(p.rewriter, p.loc, shape,
                                           isProduct ? p.rewriter.getBF16Type()
                                                     : p.accumulator));
  }
  scf::ForallOp forall = loopOverRows(p, outs);
  Value batch = forall.getInductionVar(0), head = forall.getInductionVar(1);
  auto [own, tile] =
      p.findTile(batch, forall.getInductionVar(2), /*ofKeys=*/false);
  Value rowBatch = own.rowBatch, row = p.index.add(own.queryRow, tile.first);
  OpFoldResult existing = tile.existing;
  auto read = [&](Value tensor, ArrayRef<int64_t> shape, double pad = 0.0) {
    return readTile(p.rewriter, p.loc, tensor, p.op.getLayout(), rowBatch, head,
                    row, existing, shape, pad);
  };
  // All reads before the sum, which waits for the longest.
  Value output = read(p.op.getOutput(), {p.rows, p.vDim}),
        dOutput = read(p.op.getDOutput(), {p.rows, p.vDim});
  Value lse = read(p.op.getLse(), p.rows, -kInfinity);
  lse = products[0] ? negateLse(p, lse) : scaleLse(p, lse);
  Value delta = sumProducts(p, output, dOutput);
  if (Value dLse = p.op.getDLse()) {
    SmallVector<AffineMap> identity(2, p.rewriter.getMultiDimIdentityMap(1));
    delta = mapTiles(p.rewriter, p.loc, p.rows, {delta, read(dLse, p.rows)},
                     identity, p.accumulator,
                     [&](OpBuilder &nested, Location l, ValueRange in) {
                       return SmallVector<Value>{
                           arith::SubFOp::create(nested, l, in[0], in[1])};
                     })
                .front();
  }
  SmallVector<Value> tiles[] = {{lse}, {delta}};
  if (products[0])
    tiles[0] = splitInParts(p, lse);
  if (products[1])
    tiles[1] = splitInParts(p, negate(p, delta));
  p.rewriter.setInsertionPointToEnd(forall.getTerminator().getBody());
  for (auto [parts, out] : llvm::zip_equal(tiles, forall.getRegionIterArgs()))
    for (auto [i, part] : llvm::enumerate(parts)) {
      SmallVector<OpFoldResult> at{getAsOpFoldResult(batch),
                                   getAsOpFoldResult(head),
                                   getAsOpFoldResult(forall.getInductionVar(2)),
                                   p.rewriter.getIndexAttr(i)};
      if (parts.size() > 1)
        at.push_back(p.rewriter.getIndexAttr(0));
      SmallVector<OpFoldResult> one(at.size(), p.rewriter.getIndexAttr(1)),
          size = one;
      size.back() = sizes[3];
      tensor::ParallelInsertSliceOp::create(p.rewriter, p.loc, part, out, at,
                                            size, one);
    }
  return {forall.getResult(0), forall.getResult(1)};
}

Value flash::roundGradient(BackwardProblem &p, Value sums, Type element,
                           double scale) {
  if (scale == 1 && element == p.accumulator)
    return sums;
  auto type = cast<RankedTensorType>(sums.getType());
  return mapTiles(
             p.rewriter, p.loc, type.getShape(), sums,
             p.rewriter.getMultiDimIdentityMap(2), element,
             [&](OpBuilder &nested, Location l, ValueRange in) {
               Value value = in[0];
               if (scale != 1)
                 value = arith::MulFOp::create(
                     nested, l, value,
                     arith::ConstantOp::create(
                         nested, l, nested.getFloatAttr(p.accumulator, scale)));
               if (element != p.accumulator)
                 value = arith::TruncFOp::create(nested, l, element, value);
               return SmallVector<Value>{value};
             })
      .front();
}

Value flash::zeroTensor(BackwardProblem &p, ArrayRef<OpFoldResult> sizes) {
  Value empty =
      tensor::EmptyOp::create(p.rewriter, p.loc, sizes, p.accumulator);
  Value zero = arith::ConstantOp::create(
      p.rewriter, p.loc, p.rewriter.getFloatAttr(p.accumulator, 0.0));
  return linalg::FillOp::create(p.rewriter, p.loc, zero, empty).getResult(0);
}

Value flash::buildQueryGradient(BackwardProblem &p, Value sums) {
  OpBuilder::InsertionGuard guard(p.rewriter);
  Value query = p.op.getQuery();
  Type element = cast<RankedTensorType>(query.getType()).getElementType();
  Value out = tensor::EmptyOp::create(
      p.rewriter, p.loc, tensor::getMixedSizes(p.rewriter, p.loc, query),
      element);
  scf::ForallOp forall = loopOverRows(p, out);
  Value batch = forall.getInductionVar(0), head = forall.getInductionVar(1);
  Value padded =
      p.index.mul(forall.getInductionVar(2), p.index.constant(p.rows));
  auto [own, rows] =
      p.findTile(batch, forall.getInductionVar(2), /*ofKeys=*/false);
  Value tile =
      readTile(p.rewriter, p.loc, sums, Layout::BHSD, batch, head, padded,
               p.rewriter.getIndexAttr(p.rows), {p.rows, p.qkDim});
  tile = roundGradient(p, tile, element, p.op.getScaleOrDefault());
  insertTile(p.rewriter, p.loc, tile, forall.getRegionIterArgs()[0],
             p.op.getLayout(), own.rowBatch, head,
             p.index.add(own.queryRow, rows.first), rows.existing,
             forall.getTerminator());
  return forall.getResult(0);
}
