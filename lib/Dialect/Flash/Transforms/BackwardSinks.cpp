//===- BackwardSinks.cpp - The gradient for sinks -------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %dsinks = flash.attention_backward ... sinks(%sinks)
//   ->
//   %delta  = linalg.generic { rowsum(d_output * output) - d_lse }
//   %dsinks = linalg.generic { - sum over batches and rows of
//                                exp(sink - lse) * delta }
//
// A sink is a score without a value: its probability is exp(sink - lse), and
// dP is 0. All of it is in rows that are kept, so that no score is computed.
// The sums have one order.
//
//===----------------------------------------------------------------------===//

#include "BackwardTiler.h"

#include "flash/Dialect/Flash/Transforms/Gradients.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <limits>

using namespace mlir;
using namespace flash;

namespace {
struct SinkGradient {
  OpBuilder &b;
  AttentionBackwardOp op;
  Location loc;
  Type wide;

  Value zeros(ArrayRef<OpFoldResult> sizes, Type type) {
    Value zero = arith::ConstantOp::create(b, loc, b.getFloatAttr(type, 0.0));
    Value empty = tensor::EmptyOp::create(b, loc, sizes, type);
    return linalg::FillOp::create(b, loc, zero, empty).getResult(0);
  }
  Value sumRows();
  Value sumHeads(Value delta);
};
} // namespace

/// rowsum(d_output * output): batch x heads x length.
Value SinkGradient::sumRows() {
  AffineExpr batch, head, row, column;
  bindDims(b.getContext(), batch, head, row, column);
  SmallVector<AffineExpr> dims{batch, head, row, column};
  if (op.getLayout() == Layout::BSHD)
    std::swap(dims[1], dims[2]);
  AffineMap ofOutput = AffineMap::get(4, 0, dims, b.getContext());
  AffineMap ofRows = AffineMap::get(4, 0, {batch, head, row}, b.getContext());
  SmallVector<utils::IteratorType> loops(4, utils::IteratorType::parallel);
  loops.back() = utils::IteratorType::reduction;
  Value init = zeros(tensor::getMixedSizes(b, loc, op.getLse()), wide);
  return linalg::GenericOp::create(
             b, loc, init.getType(),
             ValueRange{op.getOutput(), op.getDOutput()}, init,
             ArrayRef<AffineMap>{ofOutput, ofOutput, ofRows}, loops,
             [&](OpBuilder &nested, Location l, ValueRange in) {
               Value product = arith::MulFOp::create(
                   nested, l, convertFloat(nested, l, in[0], wide),
                   convertFloat(nested, l, in[1], wide));
               linalg::YieldOp::create(nested, l,
                                       ValueRange{arith::AddFOp::create(
                                           nested, l, in[2], product)});
             })
      .getResult(0);
}

/// - sum of exp(sink - lse) * delta, of rows that saw the sink.
Value SinkGradient::sumHeads(Value delta) {
  AffineExpr head, batch, row;
  bindDims(b.getContext(), head, batch, row);
  AffineMap ofRows = AffineMap::get(3, 0, {batch, head, row}, b.getContext());
  AffineMap ofHeads = AffineMap::get(3, 0, {head}, b.getContext());
  SmallVector<utils::IteratorType> loops(3, utils::IteratorType::reduction);
  loops.front() = utils::IteratorType::parallel;
  SmallVector<Value> inputs{op.getLse(), delta, op.getSinks()};
  SmallVector<AffineMap> maps{ofRows, ofRows, ofHeads};
  if (op.getDLse()) {
    inputs.push_back(op.getDLse());
    maps.push_back(ofRows);
  }
  maps.push_back(ofHeads);
  // Terms of all rows: their sum has more digits than they have.
  Value init =
      zeros(tensor::getMixedSizes(b, loc, op.getSinks()), b.getF64Type());
  return linalg::GenericOp::create(
             b, loc, init.getType(), inputs, init, maps, loops,
             [&](OpBuilder &nested, Location l, ValueRange in) {
               auto constant = [&](double value) -> Value {
                 return arith::ConstantOp::create(
                     nested, l, nested.getFloatAttr(wide, value));
               };
               Value sink = convertFloat(nested, l, in[2], wide), d = in[1];
               if (in.size() == 5)
                 d = arith::SubFOp::create(nested, l, d, in[3]);
               Value weight = math::ExpOp::create(
                   nested, l, arith::SubFOp::create(nested, l, sink, in[0]));
               Value term = arith::MulFOp::create(nested, l, weight, d);
               // Rows in no sequence saw none; nor is a sink of -inf seen.
               double none = -std::numeric_limits<double>::infinity();
               for (Value value : {in[0], sink}) {
                 Value isNone =
                     arith::CmpFOp::create(nested, l, arith::CmpFPredicate::OEQ,
                                           value, constant(none));
                 term = arith::SelectOp::create(nested, l, isNone, constant(0),
                                                term);
               }
               term = convertFloat(nested, l, term, nested.getF64Type());
               linalg::YieldOp::create(nested, l,
                                       ValueRange{arith::SubFOp::create(
                                           nested, l, in.back(), term)});
             })
      .getResult(0);
}

Value flash::buildSinkGradient(RewriterBase &rewriter, AttentionBackwardOp op) {
  SinkGradient gradient{rewriter, op, op.getLoc(), op.getAccumulatorType()};
  Value sums = gradient.sumHeads(gradient.sumRows());
  Type element = getElementTypeOrSelf(op.getSinks());
  if (getElementTypeOrSelf(sums) == element)
    return sums;
  return mapElements(rewriter, op.getLoc(), sums, element,
                     [&](OpBuilder &nested, Location l, ValueRange in) {
                       return convertFloat(nested, l, in[0], element);
                     });
}
