//===- Map.cpp - Element-wise work, lane by lane ----------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The scalar body of a map is cloned for each element that a lane holds, with
// the element's row and column:
//
//   map(%s, %m) { ^bb0(%i, %j, %x, %y): ... }   ->   body per element
//
// and the transcendental functions of bodies become the hardware's
// approximations (ex2, lg2): there is no library on the device.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace flash::tile;

/// Clones the body with the values for its arguments; what it yields.
static SmallVector<Value> cloneBody(Emitter &e, Block &body,
                                    ArrayRef<Value> arguments) {
  IRMapping mapping;
  mapping.map(body.getArguments(), arguments);
  for (Operation &nested : body.without_terminator())
    e.clone(nested, mapping);
  SmallVector<Value> yielded;
  for (Value value : body.getTerminator()->getOperands())
    yielded.push_back(mapping.lookupOrDefault(value));
  return yielded;
}

namespace {

struct MapLowering : TilePattern<MapOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(MapOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    auto shape = cast<FragmentType>(op.getResult(0).getType());
    bool isMatrix = shape.getRank() == 2;
    int64_t blocks = isMatrix ? shape.getColumns() / 8 : 1;
    int64_t pairs = isMatrix ? 2 : 1;

    SmallVector<SmallVector<Value>> inputs;
    for (auto [value, input] : llvm::zip(adaptor.getInputs(), op.getInputs()))
      inputs.push_back(unpack(e, value, cast<FragmentType>(input.getType())));

    // Row 16*warp + lane/4 and column 2*(lane%4), to which each element adds
    // a constant.
    Value row0 = e.add(e.shl(kernel->warp, 4), e.shr(kernel->lane, 2));
    Value column0 = e.shl(e.bitAnd(kernel->lane, 3), 1);
    SmallVector<SmallVector<Value>> results(op.getNumResults());
    for (int64_t r = 0; r < shape.getRepetitions(); ++r)
      for (int64_t i = 0; i < blocks; ++i)
        for (int64_t half = 0; half < 2; ++half)
          for (int64_t k = 0; k < pairs; ++k) {
            SmallVector<Value> arguments{
                e.toIndex(e.add(row0, r * 16 * kernel->warps + half * 8))};
            if (isMatrix)
              arguments.push_back(e.toIndex(e.add(column0, i * 8 + k)));
            for (auto [input, values] : llvm::zip(op.getInputs(), inputs)) {
              bool wide = cast<FragmentType>(input.getType()).getRank() == 2;
              arguments.push_back(
                  values[wide ? (r * blocks + i) * 4 + half * 2 + k
                              : r * 2 + half]);
            }
            for (auto [result, value] : llvm::zip(
                     results, cloneBody(e, op.getBody().front(), arguments)))
              result.push_back(value);
          }
    SmallVector<Value> packed;
    for (auto [values, type] : llvm::zip(results, op.getResultTypes()))
      packed.push_back(pack(e, values, cast<FragmentType>(type)));
    rewriter.replaceOp(op, packed);
    return success();
  }
};

/// A function of f32 that one instruction approximates.
template <typename OpT> struct UnaryIntrinsic : OpRewritePattern<OpT> {
  UnaryIntrinsic(MLIRContext *context, StringRef name)
      : OpRewritePattern<OpT>(context), name(name) {}
  LogicalResult matchAndRewrite(OpT op,
                                PatternRewriter &rewriter) const override {
    if (!op.getType().isF32())
      return rewriter.notifyMatchFailure(op, "is not f32");
    Emitter e(op.getLoc(), rewriter);
    rewriter.replaceOp(op, e.intrinsic(op.getType(), name, op.getOperand()));
    return success();
  }
  std::string name;
};

/// exp(x) = exp2(x * log2(e)) and log(x) = log2(x) * ln(2).
struct ExpLowering : OpRewritePattern<math::ExpOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::ExpOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.getType().isF32())
      return rewriter.notifyMatchFailure(op, "is not f32");
    Value log2e = arith::ConstantOp::create(
        rewriter, op.getLoc(), rewriter.getF32FloatAttr(1.44269504f));
    Value scaled =
        arith::MulFOp::create(rewriter, op.getLoc(), op.getOperand(), log2e);
    rewriter.replaceOpWithNewOp<math::Exp2Op>(op, scaled);
    return success();
  }
};

struct LogLowering : OpRewritePattern<math::LogOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::LogOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.getType().isF32())
      return rewriter.notifyMatchFailure(op, "is not f32");
    Value ln2 = arith::ConstantOp::create(
        rewriter, op.getLoc(), rewriter.getF32FloatAttr(0.693147181f));
    Value log2 = math::Log2Op::create(rewriter, op.getLoc(), op.getOperand());
    rewriter.replaceOpWithNewOp<arith::MulFOp>(op, log2, ln2);
    return success();
  }
};

} // namespace

void flash::tile::populateMapPatterns(const TileTypeConverter &converter,
                                      RewritePatternSet &patterns,
                                      const KernelMap &kernels) {
  MLIRContext *context = patterns.getContext();
  patterns.add<MapLowering>(converter, context, kernels);
  patterns.add<ExpLowering, LogLowering>(context);
  patterns.add<UnaryIntrinsic<math::Exp2Op>>(context,
                                             "llvm.nvvm.ex2.approx.ftz.f");
  patterns.add<UnaryIntrinsic<math::Log2Op>>(context,
                                             "llvm.nvvm.lg2.approx.ftz.f");
  patterns.add<UnaryIntrinsic<math::SqrtOp>>(context, "llvm.nvvm.sqrt.rn.f");
  patterns.add<UnaryIntrinsic<math::RsqrtOp>>(context,
                                              "llvm.nvvm.rsqrt.approx.ftz.f");
  patterns.add<UnaryIntrinsic<math::AbsFOp>>(context, "llvm.fabs.f32");
}
