//===- PromoteOperands.cpp - 16-bit contractions read f32 -----------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Converts the 16-bit operands of contractions to f32 once, before the op:
//
//   linalg.matmul ins(%q, %k : tensor<96x64xbf16>, tensor<64x48xbf16>) outs(%s
//   : tensor<96x48xf32>)
//   ->
//   %k32 = linalg.generic { arith.extf } ins(%k) outs(%empty :
//   tensor<64x48xf32>) linalg.generic { mulf, addf } ins(%q32, %k32) outs(%s)
//
// An element of K meets every query of the tile: converted inside the
// contraction, it would be converted once a register tile. A converted operand
// that was only just rounded from f32 (P) is read where it was before. On
// tensors, at L2.
//
//===----------------------------------------------------------------------===//

#include "flash/Conversion/FlashToCPU/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#define DEBUG_TYPE "flash-promote-operands"

namespace flash {
#define GEN_PASS_DEF_PROMOTEOPERANDSPASS
#include "flash/Conversion/FlashToCPU/Passes.h.inc"
} // namespace flash

using namespace mlir;

static bool isNarrowFloat(Type type) {
  Type element = getElementTypeOrSelf(type);
  return isa<FloatType>(element) && element.getIntOrFloatBitWidth() < 32;
}

/// The f32 tensor that `value` was truncated from, if that lost nothing: if
/// what it yields was itself extended from the same type.
static Value getExactSource(Value value) {
  auto trunc = value.getDefiningOp<linalg::GenericOp>();
  if (!trunc || trunc.getNumDpsInputs() != 1 || trunc.getNumDpsInits() != 1 ||
      !llvm::all_of(trunc.getIndexingMapsArray(),
                    [](AffineMap map) { return map.isIdentity(); }))
    return {};
  auto truncOp = trunc.getBody()
                     ->getTerminator()
                     ->getOperand(0)
                     .getDefiningOp<arith::TruncFOp>();
  if (!truncOp || truncOp.getIn() != trunc.getBody()->getArgument(0))
    return {};
  auto source = dyn_cast<OpResult>(trunc.getDpsInputs()[0]);
  auto producer =
      source ? dyn_cast<linalg::GenericOp>(source.getOwner()) : nullptr;
  if (!producer)
    return {};
  auto ext = producer.getBody()
                 ->getTerminator()
                 ->getOperand(source.getResultNumber())
                 .getDefiningOp<arith::ExtFOp>();
  if (!ext || ext.getIn().getType() != truncOp.getType())
    return {};
  return source;
}

static Value promote(RewriterBase &rewriter, Location loc, Value operand) {
  if (Value source = getExactSource(operand))
    return source;
  auto type = cast<RankedTensorType>(operand.getType());
  Value empty = tensor::EmptyOp::create(
      rewriter, loc, tensor::getMixedSizes(rewriter, loc, operand),
      rewriter.getF32Type());
  AffineMap map = rewriter.getMultiDimIdentityMap(type.getRank());
  SmallVector<utils::IteratorType> iterators(type.getRank(),
                                             utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             rewriter, loc, empty.getType(), operand, empty,
             ArrayRef<AffineMap>{map, map}, iterators,
             [](OpBuilder &b, Location l, ValueRange args) {
               Value wide =
                   arith::ExtFOp::create(b, l, b.getF32Type(), args[0]);
               linalg::YieldOp::create(b, l, wide);
             })
      .getResult(0);
}

LogicalResult flash::promoteOperands(RewriterBase &rewriter,
                                     linalg::LinalgOp op) {
  if (!op.hasPureTensorSemantics() || op.getNumReductionLoops() == 0 ||
      op.getNumDpsInputs() < 2)
    return rewriter.notifyMatchFailure(op,
                                       "it is not a contraction of tensors");
  if (llvm::none_of(op.getDpsInputs(),
                    [](Value v) { return isNarrowFloat(v.getType()); }))
    return rewriter.notifyMatchFailure(op, "no operand is narrow");

  rewriter.setInsertionPoint(op);
  FailureOr<linalg::GenericOp> general =
      isa<linalg::GenericOp>(op)
          ? FailureOr<linalg::GenericOp>(cast<linalg::GenericOp>(op))
          : linalg::generalizeNamedOp(rewriter, op);
  if (failed(general))
    return failure();
  linalg::GenericOp generic = *general;
  rewriter.setInsertionPoint(generic);
  for (OpOperand *operand : generic.getDpsInputOperands()) {
    if (!isNarrowFloat(operand->get().getType()))
      continue;
    BlockArgument arg = generic.getMatchingBlockArgument(operand);
    Value wide = promote(rewriter, generic.getLoc(), operand->get());
    Type narrowType = arg.getType();
    rewriter.modifyOpInPlace(generic, [&] {
      operand->set(wide);
      arg.setType(rewriter.getF32Type());
    });
    // extf was what the body began with; anything else gets the narrow value
    // back, exactly.
    Value narrow;
    for (OpOperand &use : llvm::make_early_inc_range(arg.getUses())) {
      auto ext = dyn_cast<arith::ExtFOp>(use.getOwner());
      if (ext && ext.getType().isF32()) {
        rewriter.replaceOp(ext, arg);
        continue;
      }
      if (!narrow) {
        OpBuilder::InsertionGuard guard(rewriter);
        rewriter.setInsertionPointToStart(generic.getBody());
        narrow = arith::TruncFOp::create(rewriter, generic.getLoc(), narrowType,
                                         arg);
        if (use.getOwner() == narrow.getDefiningOp())
          continue;
      }
      use.set(narrow);
    }
  }
  return success();
}

namespace {

struct PromoteOperandsPass
    : flash::impl::PromoteOperandsPassBase<PromoteOperandsPass> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<linalg::LinalgOp> ops;
    getOperation()->walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    for (linalg::LinalgOp op : ops)
      (void)flash::promoteOperands(rewriter, op);
  }
};

} // namespace
