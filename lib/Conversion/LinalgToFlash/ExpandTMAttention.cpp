//===- ExpandTMAttention.cpp - tm_tensor.attention in linalg ----*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// torch-mlir keeps scaled_dot_product_attention as an op, with the mask as a
// tensor. As linalg it is read like any other attention, so that a mask of
// positions is found in the tensor, and repeated heads in the operands:
//
//   tm_tensor.attention ins(%q, %k, %v, %mask)
//   // becomes
//   s = q k / sqrt(head dim) + mask;  e = exp(s - max(s));  (e / sum(e)) v
//
//===----------------------------------------------------------------------===//

#include "ExpandTMAttention.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>

using namespace mlir;

namespace {
/// Writes linalg.generic over (batch.., query, key) and one more loop.
class Writer {
public:
  Writer(OpBuilder &builder, Location loc, unsigned rank)
      : builder(builder), loc(loc), rank(rank) {}

  using Body = llvm::function_ref<Value(OpBuilder &, ValueRange)>;

  /// Loops of a tensor: those of the batch, and these.
  AffineMap map(ArrayRef<unsigned> last) const {
    SmallVector<AffineExpr> results;
    for (unsigned dim = 0; dim < rank - 2; ++dim)
      results.push_back(builder.getAffineDimExpr(dim));
    for (unsigned dim : last)
      results.push_back(builder.getAffineDimExpr(rank - 2 + dim));
    return AffineMap::get(rank + 1, 0, results, builder.getContext());
  }

  Value write(ValueRange inputs, ArrayRef<AffineMap> maps,
              ArrayRef<OpFoldResult> sizes, Type element,
              std::optional<unsigned> reduced, double init, Body body) {
    Value out = tensor::EmptyOp::create(builder, loc, sizes, element);
    if (reduced) {
      Value number = arith::ConstantOp::create(
          builder, loc, builder.getFloatAttr(element, init));
      out = linalg::FillOp::create(builder, loc, number, out).getResult(0);
    }
    // Loops that no operand has are dropped.
    SmallVector<AffineMap> used =
        compressUnusedDims(SmallVector<AffineMap>(maps));
    SmallVector<utils::IteratorType> kinds;
    for (unsigned dim = 0; dim < rank + 1; ++dim)
      if (llvm::any_of(maps,
                       [&](AffineMap map) { return map.isFunctionOfDim(dim); }))
        kinds.push_back(reduced && dim == rank - 2 + *reduced
                            ? utils::IteratorType::reduction
                            : utils::IteratorType::parallel);
    return linalg::GenericOp::create(
               builder, loc, out.getType(), inputs, out, used, kinds,
               [&](OpBuilder &inner, Location at, ValueRange arguments) {
                 linalg::YieldOp::create(inner, at, body(inner, arguments));
               })
        .getResult(0);
  }

private:
  OpBuilder &builder;
  Location loc;
  unsigned rank;
};
} // namespace

FailureOr<Value>
flash::raise::expandTMAttention(OpBuilder &builder,
                                flash::tm_tensor::AttentionOp op) {
  Location loc = op.getLoc();
  Value query = op.getInputs()[0], key = op.getInputs()[1],
        value = op.getInputs()[2];
  auto type = cast<RankedTensorType>(query.getType());
  auto element = dyn_cast<FloatType>(type.getElementType());
  unsigned rank = type.getRank();
  if (!element || rank < 2 || type.isDynamicDim(rank - 1))
    return failure();
  for (Value operand : op.getInputs())
    if (cast<RankedTensorType>(operand.getType()).getRank() != rank)
      return failure();
  Type wide = element.getWidth() < 32 ? Type(builder.getF32Type()) : element;
  double root = std::sqrt(double(type.getDimSize(rank - 1)));

  SmallVector<OpFoldResult> rows = tensor::getMixedSizes(builder, loc, query);
  rows.pop_back();
  SmallVector<OpFoldResult> pairs(rows), outputs(rows);
  pairs.push_back(tensor::getMixedSize(builder, loc, key, rank - 2));
  outputs.push_back(tensor::getMixedSize(builder, loc, value, rank - 1));

  Writer writer(builder, loc, rank);
  AffineMap ofPair = writer.map({0, 1}), ofRow = writer.map({0}),
            ofQuery = writer.map({0, 2}), ofKey = writer.map({1, 2});
  auto multiplyAdd = [&](OpBuilder &inner, ValueRange in) -> Value {
    Value product = arith::MulFOp::create(inner, loc, in[0], in[1]);
    return arith::AddFOp::create(inner, loc, in[2], product);
  };
  Value scores = writer.write({query, key}, {ofQuery, ofKey, ofPair}, pairs,
                              element, /*reduced=*/2, 0, multiplyAdd);
  SmallVector<Value> inputs{scores};
  if (op.getInputs().size() == 4)
    inputs.push_back(op.getInputs()[3]);
  scores = writer.write(
      inputs, SmallVector<AffineMap>(inputs.size() + 1, ofPair), pairs, wide,
      std::nullopt, 0, [&](OpBuilder &inner, ValueRange in) -> Value {
        auto number = [&](double number) -> Value {
          return arith::ConstantOp::create(inner, loc,
                                           inner.getFloatAttr(wide, number));
        };
        auto widen = [&](Value value) -> Value {
          return value.getType() == wide
                     ? value
                     : arith::ExtFOp::create(inner, loc, wide, value);
        };
        Value score =
            arith::DivFOp::create(inner, loc, widen(in[0]), number(root));
        if (inputs.size() == 1)
          return score;
        Value mask = in[1];
        mask = isa<FloatType>(mask.getType())
                   ? widen(mask)
                   : arith::SelectOp::create(inner, loc, mask, number(0),
                                             number(-HUGE_VAL));
        return arith::AddFOp::create(inner, loc, score, mask);
      });
  Value maximum =
      writer.write(scores, {ofPair, ofRow}, rows, wide, /*reduced=*/1,
                   -HUGE_VAL, [&](OpBuilder &inner, ValueRange in) -> Value {
                     return arith::MaximumFOp::create(inner, loc, in[0], in[1]);
                   });
  Value exponentials = writer.write(
      {scores, maximum}, {ofPair, ofRow, ofPair}, pairs, wide, std::nullopt, 0,
      [&](OpBuilder &inner, ValueRange in) -> Value {
        Value less = arith::SubFOp::create(inner, loc, in[0], in[1]);
        return math::ExpOp::create(inner, loc, less);
      });
  Value sum =
      writer.write(exponentials, {ofPair, ofRow}, rows, wide, /*reduced=*/1, 0,
                   [&](OpBuilder &inner, ValueRange in) -> Value {
                     return arith::AddFOp::create(inner, loc, in[0], in[1]);
                   });
  Value probabilities = writer.write(
      {exponentials, sum}, {ofPair, ofRow, ofPair}, pairs, element,
      std::nullopt, 0, [&](OpBuilder &inner, ValueRange in) -> Value {
        Value quotient = arith::DivFOp::create(inner, loc, in[0], in[1]);
        return wide == element
                   ? quotient
                   : arith::TruncFOp::create(inner, loc, element, quotient);
      });
  return writer.write({probabilities, value},
                      {ofPair, writer.map({1, 2}), writer.map({0, 2})}, outputs,
                      element, /*reduced=*/1, 0, multiplyAdd);
}
