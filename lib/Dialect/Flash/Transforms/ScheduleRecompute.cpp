//===- ScheduleRecompute.cpp - What a backward computes again -------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   flash.attention_backward ...
//   ->  flash.attention_backward ... {recompute = #flash.recompute<outer =
//   keys,
//                                                                  sum =
//                                                                  added>}
//
// The backward keeps no scores. Which loop is outside decides how many products
// it takes to compute them again, and who adds to which gradient; it is decided
// here, before tiles are chosen, and can be printed and overridden.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Transforms/Passes.h"

#include "flash/Target/TargetInfo.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace flash {
#define GEN_PASS_DEF_SCHEDULERECOMPUTE
#include "flash/Dialect/Flash/Transforms/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

/// Key heads of all batches; dynamic sizes count as enough for each core.
static bool hasHeadForEachCore(AttentionBackwardOp op, int64_t cores) {
  RankedTensorType key = op.getKey().getType();
  int64_t batches = key.getDimSize(0), heads = key.getDimSize(op.getHeadsDim());
  if (ShapedType::isDynamic(batches) || ShapedType::isDynamic(heads))
    return true;
  return batches * heads >= cores;
}

/// Whether a step's statistics are rather part of its products: where products
/// run beside everything else, and a factor keeps LSE / scale a number.
static bool wantsProductOfStatistics(AttentionBackwardOp op,
                                     TargetAttr target) {
  constexpr double least = 1.0 / (1 << 20);
  return target.hasWgmma() && op.getScaleOrDefault() >= least &&
         op.getQuery().getType().getElementTypeBitWidth() == 16;
}

static RecomputeAttr chooseRecompute(AttentionBackwardOp op, TargetAttr target,
                                     bool deterministic) {
  auto get = [&](OuterLoop outer, GradientSum sum) {
    StatisticsForm statistics =
        outer == OuterLoop::Keys && wantsProductOfStatistics(op, target)
            ? StatisticsForm::Product
            : StatisticsForm::Operands;
    return RecomputeAttr::get(op.getContext(), outer, sum, statistics);
  };
  bool ofKeys = op.getDKey() || op.getDValue();
  if (!ofKeys)
    return get(OuterLoop::Queries, GradientSum::Owned);
  if (target.isCPU())
    return hasHeadForEachCore(op, target.getCores())
               ? get(OuterLoop::Keys, GradientSum::Owned)
               : get(OuterLoop::Both, GradientSum::Owned);
  if (std::max(op.getQKHeadDim(), op.getVHeadDim()) > 128)
    return get(OuterLoop::Each, GradientSum::Added);
  if (deterministic && op.getDQuery())
    return get(OuterLoop::Both, GradientSum::Added);
  return get(OuterLoop::Keys, GradientSum::Added);
}

/// What a backward does not take yet, by the name that the op has for it.
static StringRef findUntaken(AttentionBackwardOp op) {
  if (op.isRagged())
    return "cu_seqlens_q";
  if (op.isPaged())
    return "page_table";
  if (op.getKvLengths())
    return "kv_lengths";
  if (op.getKeySliceAttr())
    return "key_slice";
  if (op.getSinks())
    return "sinks";
  if (op.getDropoutP())
    return "dropout";
  if (op.getKeyScale() || op.getValueScale())
    return "keys or values of 8 bits";
  if (op.getMaskBlockSizes().second)
    return "#flash.block_sparse";
  return "";
}

/// What a given decision cannot do.
static LogicalResult checkRecompute(AttentionBackwardOp op, TargetAttr target) {
  RecomputeAttr recompute = op.getRecomputeAttr();
  if (recompute.getOuter() == OuterLoop::Queries &&
      (op.getDKey() || op.getDValue()))
    return op.emitOpError()
           << "has outer = queries, which gives the gradient of the query "
              "alone: write #flash.recompute<outer = keys> or <outer = both>";
  if (recompute.getSum() == GradientSum::Added &&
      recompute.getOuter() == OuterLoop::Keys && op.getDQuery() &&
      target.isCPU())
    return op.emitOpError()
           << "has sum = added, by which blocks of keys add to memory at the "
              "same time: on a CPU write #flash.recompute<outer = keys, sum = "
              "owned>, or <outer = both>";
  if (recompute.getSum() == GradientSum::Owned &&
      recompute.getOuter() == OuterLoop::Keys && !target.isCPU())
    return op.emitOpError()
           << "has sum = owned, by which one block walks all keys of a head: "
              "on a GPU write #flash.recompute<outer = keys, sum = added>, or "
              "<outer = both> for a fixed order";
  if (recompute.getStatistics() == StatisticsForm::Product &&
      (recompute.getOuter() != OuterLoop::Keys || target.isCPU()))
    return op.emitOpError()
           << "has statistics = product, which is for blocks of keys outside "
              "on a GPU: leave it out, or write statistics = operands";
  return success();
}

namespace {
struct ScheduleRecomputePass
    : flash::impl::ScheduleRecomputeBase<ScheduleRecomputePass> {
  using ScheduleRecomputeBase::ScheduleRecomputeBase;

  void runOnOperation() override {
    func::FuncOp func = getOperation();
    // A target that there is not is reported by who reads it.
    bool hasBackward =
        func.walk([](AttentionBackwardOp) { return WalkResult::interrupt(); })
            .wasInterrupted();
    if (!hasBackward)
      return;
    FailureOr<TargetAttr> description = parseTarget(&getContext(), target, [&] {
      return func.emitError() << "flash-schedule-recompute: ";
    });
    if (failed(description))
      return signalPassFailure();
    WalkResult walk = func.walk([&](AttentionBackwardOp op) -> WalkResult {
      if (StringRef untaken = findUntaken(op); !untaken.empty()) {
        op.emitOpError() << "does not take " << untaken
                         << " yet; the forward does";
        return WalkResult::interrupt();
      }
      if (!op.getRecompute())
        op.setRecomputeAttr(chooseRecompute(op, *description, deterministic));
      return checkRecompute(op, *description);
    });
    if (walk.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
