//===- LowerTMTensor.cpp - Running sums as loops ----------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What raising leaves of torch-mlir's tm_tensor: an attention becomes linalg,
// tm_tensor.scan (positions from a padding
// mask, say) becomes scalar loops, so that the program around an attention
// runs:
//
//   for i, j:  v = j == 0 ? in[i, 0] : body(out[i, j - 1], in[i, j])
//              out[i, j] = last[i] = v
//
//===----------------------------------------------------------------------===//

#include "flash/Conversion/LinalgToFlash/Passes.h"

#include "ExpandTMAttention.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

namespace flash {
#define GEN_PASS_DEF_LOWERTMTENSOR
#include "flash/Conversion/LinalgToFlash/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

/// The body on two scalars.
static Value applyBody(OpBuilder &builder, Region &region, Value sum,
                       Value element) {
  IRMapping mapping;
  mapping.map(region.getArguments(), ValueRange{sum, element});
  for (Operation &op : region.front().without_terminator())
    builder.clone(op, mapping);
  return mapping.lookupOrDefault(region.front().getTerminator()->getOperand(0));
}

static void lowerScan(IRRewriter &rewriter, tm_tensor::ScanOp op) {
  rewriter.setInsertionPoint(op);
  Location loc = op.getLoc();
  Value input = op.getInputs().front();
  int64_t along = op.getDimension();
  Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0),
        one = arith::ConstantIndexOp::create(rewriter, loc, 1);
  int64_t rank = cast<RankedTensorType>(input.getType()).getRank();
  SmallVector<Value> lower(rank, zero), upper, steps(rank, one);
  for (int64_t dim = 0; dim < rank; ++dim)
    upper.push_back(tensor::DimOp::create(rewriter, loc, input, dim));
  auto writeElement = [&](OpBuilder &builder, Location loc, ValueRange at,
                          ValueRange tensors) -> scf::ValueVector {
    SmallVector<Value> index(at), before(at), outside(at);
    before[along] = arith::SubIOp::create(builder, loc, at[along], one);
    outside.erase(outside.begin() + along);
    auto read = [&](OpBuilder &inner, Value tensor, ValueRange place) {
      return tensor::ExtractOp::create(inner, loc, tensor, place);
    };
    Value isFirst = arith::CmpIOp::create(
        builder, loc, arith::CmpIPredicate::eq, at[along], zero);
    auto value = scf::IfOp::create(
        builder, loc, isFirst,
        [&](OpBuilder &inner, Location) {
          Value start = op.getInclusive() ? read(inner, input, index)
                                          : read(inner, tensors[1], outside);
          scf::YieldOp::create(inner, loc, start);
        },
        [&](OpBuilder &inner, Location) {
          Value element =
              read(inner, input, op.getInclusive() ? index : before);
          scf::YieldOp::create(inner, loc,
                               applyBody(inner, op.getRegion(),
                                         read(inner, tensors[0], before),
                                         element));
        });
    Value sums = tensor::InsertOp::create(builder, loc, value.getResult(0),
                                          tensors[0], index);
    Value last = tensor::InsertOp::create(builder, loc, value.getResult(0),
                                          tensors[1], outside);
    return {sums, last};
  };
  scf::LoopNest nest = scf::buildLoopNest(rewriter, loc, lower, upper, steps,
                                          op.getOutputs(), writeElement);
  rewriter.replaceOp(op, nest.results);
}

namespace {
struct LowerTMTensorPass : flash::impl::LowerTMTensorBase<LowerTMTensorPass> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<tm_tensor::ScanOp> scans;
    getOperation().walk([&](tm_tensor::ScanOp op) { scans.push_back(op); });
    for (tm_tensor::ScanOp op : scans)
      lowerScan(rewriter, op);
    SmallVector<tm_tensor::AttentionOp> attentions;
    getOperation().walk(
        [&](tm_tensor::AttentionOp op) { attentions.push_back(op); });
    for (tm_tensor::AttentionOp op : attentions) {
      rewriter.setInsertionPoint(op);
      if (auto result = raise::expandTMAttention(rewriter, op);
          succeeded(result) && result->getType() == op.getResult(0).getType())
        rewriter.replaceOp(op, *result);
    }
  }
};
} // namespace
