//===- AttentionGradients.cpp - Gradients of attentions and merges --------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %o, %lse = flash.attention %q, %k, %v
//   ->  %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %lse, %do
//
// with results for sinks and for floats that scores read, where these want one.
//
//   %o, %lse = flash.merge outputs(%oi ...) lses(%li ...)
//   ->  with w_i = exp(l_i - lse):
//       do_i = w_i do ;  dl_i = w_i (rowsum(do (o_i - o)) + dlse)
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Transforms/Gradients.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <limits>

using namespace mlir;
using namespace flash;

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

/// An operand with a gradient that the backward of attention does not give.
static StringRef findUntaken(GradientBuilder &gradients, AttentionOp op) {
  for (auto [name, operand] :
       {std::pair<StringRef, Value>{"key_scale", op.getKeyScale()},
        {"value_scale", op.getValueScale()}})
    if (operand && gradients.wants(operand))
      return name;
  for (Value capture : op.getCaptures())
    if (gradients.wants(capture) && !isa<RankedTensorType>(capture.getType()))
      return "captured numbers (a captured tensor has one)";
  return "";
}

/// The numbers of score operands and captures that want a gradient. One that
/// is both is numbered once: what reads it adds to one sum.
static SmallVector<int64_t> findReadWithGradient(GradientBuilder &gradients,
                                                 AttentionOp op) {
  SmallVector<Value> read(op.getScoreOperands());
  llvm::append_range(read, op.getCaptures());
  SmallVector<int64_t> numbers;
  for (auto [number, operand] : llvm::enumerate(read))
    if (gradients.wants(operand) &&
        !llvm::is_contained(ArrayRef(read).take_front(number), operand))
      numbers.push_back(number);
  return numbers;
}

/// Operands of the forward, in the backward.
static SmallVector<Value> getAll(GradientBuilder &gradients,
                                 ValueRange operands) {
  return llvm::map_to_vector(
      operands, [&](Value operand) { return gradients.get(operand); });
}

LogicalResult flash::buildGradients(GradientBuilder &gradients,
                                    AttentionOp op) {
  if (StringRef name = findUntaken(gradients, op); !name.empty())
    return op.emitOpError()
           << "has no gradient for its " << name
           << " yet: leave their arguments out by wrt = [...], the numbers of "
              "the arguments that want one";
  OpBuilder &b = gradients.builder();
  Location loc = op.getLoc();
  auto get = [&](Value value) {
    return value ? gradients.get(value) : Value();
  };
  Type element = op.getQuery().getType().getElementType();
  Value dOutput = gradients.gradientFor(op.getOutput());
  if (!dOutput) {
    dOutput = gradients.zerosLike(op.getOutput(), element);
  } else if (getElementTypeOrSelf(dOutput) != element) {
    dOutput = mapElements(b, loc, dOutput, element,
                          [&](OpBuilder &nested, Location l, ValueRange in) {
                            return convertFloat(nested, l, in[0], element);
                          });
  }
  Value dLse = op.getLse() ? gradients.gradientFor(op.getLse()) : Value();
  auto typeIfWanted = [&](Value operand) {
    return gradients.wants(operand) ? gradients.get(operand).getType() : Type();
  };
  SmallVector<int64_t> read = findReadWithGradient(gradients, op);
  SmallVector<Value> ofRead(op.getScoreOperands());
  llvm::append_range(ofRead, op.getCaptures());
  SmallVector<Type> readTypes = llvm::map_to_vector(read, [&](int64_t number) {
    return gradients.get(ofRead[number]).getType();
  });
  auto backward = AttentionBackwardOp::create(
      b, loc, typeIfWanted(op.getQuery()), typeIfWanted(op.getKey()),
      typeIfWanted(op.getValue()),
      op.getSinks() ? typeIfWanted(op.getSinks()) : Type(), readTypes,
      get(op.getQuery()), get(op.getKey()), get(op.getValue()),
      get(op.getOutput()), get(op.getLse()), dOutput, dLse,
      get(op.getQOffset()), get(op.getKvOffset()), get(op.getCuSeqlensQ()),
      get(op.getCuSeqlensK()), get(op.getKvLengths()), get(op.getPageTable()),
      get(op.getKeyScale()), get(op.getValueScale()),
      getAll(gradients, op.getMaskOperands()),
      getAll(gradients, op.getScoreOperands()), get(op.getSinks()),
      get(op.getSeed()), get(op.getDropoutOffset()),
      getAll(gradients, op.getCaptures()), op.getLayoutAttr(), op.getMaskAttr(),
      op.getScoresAttr(), op.getDropoutPAttr(), op.getScaleAttr(),
      /*schedule=*/ScheduleAttr(), op.getKeySliceAttr(),
      op.getDeterministicAttr(), /*recompute=*/RecomputeAttr(),
      read.empty() ? DenseI64ArrayAttr() : b.getDenseI64ArrayAttr(read));
  IRMapping mapping;
  op.getScoreBody().cloneInto(&backward.getScoreBody(), mapping);
  op.getMaskBody().cloneInto(&backward.getMaskBody(), mapping);
  for (auto [operand, gradient] :
       {std::pair<Value, Value>{op.getQuery(), backward.getDQuery()},
        {op.getKey(), backward.getDKey()},
        {op.getValue(), backward.getDValue()}})
    if (gradient)
      gradients.add(operand, gradient);
  if (backward.getDSinks())
    gradients.add(op.getSinks(), backward.getDSinks());
  for (auto [number, gradient] : llvm::zip(read, backward.getDOperands()))
    gradients.add(ofRead[number], gradient);
  return success();
}

//===----------------------------------------------------------------------===//
// Merge
//===----------------------------------------------------------------------===//

namespace {
/// Ops on the rows of a merge: batch x heads x length, beside outputs of
/// `layout`.
struct MergeRows {
  OpBuilder &b;
  Location loc;
  Layout layout;
  Type wide;

  /// Loops are batch, heads, length and head dim.
  AffineMap outputMap() {
    SmallVector<AffineExpr> dims(4);
    bindDimsList(b.getContext(), MutableArrayRef<AffineExpr>(dims));
    if (layout == Layout::BSHD)
      std::swap(dims[1], dims[2]);
    return AffineMap::get(4, 0, dims, b.getContext());
  }
  AffineMap rowMap() { return b.getMultiDimIdentityMap(4).getMajorSubMap(3); }
  Value weights(Value lse, Value all);
  Value scaleRows(Value dOutput, Value weights, Type element);
  Value rowGradient(Value dOutput, Value part, Value output, Value dLse,
                    Value weights);
};
} // namespace

/// exp(lse - all); 0 where the part sees no key.
Value MergeRows::weights(Value lse, Value all) {
  return mapElements(
      b, loc, {lse, all}, wide,
      [&](OpBuilder &nested, Location l, ValueRange in) -> Value {
        auto constant = [&](double value) -> Value {
          return arith::ConstantOp::create(nested, l,
                                           nested.getFloatAttr(wide, value));
        };
        Value none = arith::CmpFOp::create(
            nested, l, arith::CmpFPredicate::OEQ, in[0],
            constant(-std::numeric_limits<double>::infinity()));
        Value weight = math::ExpOp::create(
            nested, l, arith::SubFOp::create(nested, l, in[0], in[1]));
        return arith::SelectOp::create(nested, l, none, constant(0), weight);
      });
}

/// A part's share of the gradient for the output.
Value MergeRows::scaleRows(Value dOutput, Value weights, Type element) {
  Value empty = tensor::EmptyOp::create(
      b, loc, tensor::getMixedSizes(b, loc, dOutput), element);
  SmallVector<utils::IteratorType> loops(4, utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             b, loc, empty.getType(), ValueRange{dOutput, weights}, empty,
             ArrayRef<AffineMap>{outputMap(), rowMap(), outputMap()}, loops,
             [&](OpBuilder &nested, Location l, ValueRange in) {
               Value value = arith::MulFOp::create(
                   nested, l, convertFloat(nested, l, in[0], wide), in[1]);
               linalg::YieldOp::create(
                   nested, l,
                   ValueRange{convertFloat(nested, l, value, element)});
             })
      .getResult(0);
}

/// w (rowsum(do (o_i - o)) + dlse); `dOutput` or `dLse` may be null.
Value MergeRows::rowGradient(Value dOutput, Value part, Value output,
                             Value dLse, Value weights) {
  Value sum = dLse;
  if (dOutput) {
    Value init = dLse;
    if (!init) {
      Value zero = arith::ConstantOp::create(b, loc, b.getFloatAttr(wide, 0.0));
      Value empty = tensor::EmptyOp::create(
          b, loc, tensor::getMixedSizes(b, loc, weights), wide);
      init = linalg::FillOp::create(b, loc, zero, empty).getResult(0);
    }
    SmallVector<utils::IteratorType> loops(4, utils::IteratorType::parallel);
    loops.back() = utils::IteratorType::reduction;
    sum =
        linalg::GenericOp::create(
            b, loc, init.getType(), ValueRange{dOutput, part, output}, init,
            ArrayRef<AffineMap>{outputMap(), outputMap(), outputMap(),
                                rowMap()},
            loops,
            [&](OpBuilder &nested, Location l, ValueRange in) {
              SmallVector<Value> values;
              for (Value value : in.take_front(3))
                values.push_back(convertFloat(nested, l, value, wide));
              Value apart =
                  arith::SubFOp::create(nested, l, values[1], values[2]);
              Value product =
                  arith::MulFOp::create(nested, l, values[0], apart);
              linalg::YieldOp::create(
                  nested, l,
                  ValueRange{arith::AddFOp::create(nested, l, in[3], product)});
            })
            .getResult(0);
  }
  if (!sum)
    return Value();
  return mapElements(
      b, loc, {sum, weights}, wide,
      [&](OpBuilder &nested, Location l, ValueRange in) -> Value {
        return arith::MulFOp::create(nested, l, in[0], in[1]);
      });
}

LogicalResult flash::buildGradients(GradientBuilder &gradients, MergeOp op) {
  Value dOutput = gradients.gradientFor(op.getOutput()),
        dLse = gradients.gradientFor(op.getLse());
  Type wide = op.getLse().getType().getElementType();
  MergeRows rows{gradients.builder(), op.getLoc(), op.getLayout(), wide};
  for (auto [output, lse] : llvm::zip_equal(op.getOutputs(), op.getLses())) {
    if (!gradients.wants(output) && !gradients.wants(lse))
      continue;
    Value weights =
        rows.weights(gradients.get(lse), gradients.get(op.getLse()));
    if (dOutput && gradients.wants(output))
      gradients.add(output, rows.scaleRows(dOutput, weights,
                                           getElementTypeOrSelf(output)));
    if (!gradients.wants(lse))
      continue;
    Value dRow = rows.rowGradient(
        dOutput, dOutput ? gradients.get(output) : Value(),
        dOutput ? gradients.get(op.getOutput()) : Value(), dLse, weights);
    if (dRow)
      gradients.add(lse, dRow);
  }
  return success();
}
