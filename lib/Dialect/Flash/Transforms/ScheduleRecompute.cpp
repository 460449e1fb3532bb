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

#include "flash/Support/DebugLog.h"
#include "flash/Target/TargetInfo.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#define DEBUG_TYPE "flash-schedule-recompute"

namespace flash {
#define GEN_PASS_DEF_SCHEDULERECOMPUTE
#include "flash/Dialect/Flash/Transforms/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

/// Key heads of all batches; dynamic sizes count as enough for each core.
static bool hasHeadForEachCore(AttentionBackwardOp op, int64_t cores) {
  // Keys may lie in pages.
  int64_t batches = op.getQuery().getType().getDimSize(0),
          heads = op.getKey().getType().getDimSize(op.getHeadsDim());
  if (ShapedType::isDynamic(batches) || ShapedType::isDynamic(heads) ||
      op.isRagged())
    return true;
  return batches * heads >= cores;
}

/// Whether a step's statistics are rather part of its products: where products
/// run beside everything else, and a factor keeps LSE / scale a number.
static bool wantsProductOfStatistics(AttentionBackwardOp op,
                                     TargetAttr target) {
  constexpr double least = 1.0 / (1 << 20);
  // What dropout drops of dP it does not drop of delta.
  return target.hasWgmma() && !op.getDropoutP() &&
         op.getScaleOrDefault() >= least &&
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
  // What has no product loop but that of operands has a tile of queries.
  if (!ofKeys)
    return get(OuterLoop::Queries, GradientSum::Owned);
  if (target.isCPU())
    return hasHeadForEachCore(op, target.getCores())
               ? get(OuterLoop::Keys, GradientSum::Owned)
               : get(OuterLoop::Both, GradientSum::Owned);
  if (std::max(op.getQKHeadDim(), op.getVHeadDim()) > 128)
    return get(OuterLoop::Each, GradientSum::Added);
  // Two gradients of large head dims beside two tiles of one size are too much.
  if (deterministic && op.getDQuery())
    return get(op.getMaskBlockSizes().second &&
                       std::max(op.getQKHeadDim(), op.getVHeadDim()) > 64
                   ? OuterLoop::Each
                   : OuterLoop::Both,
               GradientSum::Added);
  return get(OuterLoop::Keys, GradientSum::Added);
}

/// What a backward does not take, by the name that the op has for it.
static StringRef findUntaken(AttentionBackwardOp op) {
  if (op.getKeyScale() || op.getValueScale())
    return "keys or values of 8 bits";
  return "";
}

/// What it does not take on a GPU.
static StringRef findUntakenByGPU(AttentionBackwardOp op) {
  if (!op.getDOperands().empty())
    return "gradients for score_operands and captures";
  if (op.getDSinks())
    return "a gradient for sinks";
  if (op.getKeySliceAttr())
    return "key_slice";
  if (op.isPaged())
    return "page_table";
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
  if (op.getDeterministic() && !op.hasFixedOrder())
    return op.emitOpError()
           << "is deterministic, but has sum = added, by which blocks of keys "
              "add in any order: write #flash.recompute<outer = both>";
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
      if (StringRef untaken = findUntakenByGPU(op);
          !untaken.empty() && !description->isCPU()) {
        op.emitOpError() << "does not take " << untaken
                         << " on a GPU yet: compile it for a CPU, or leave its "
                            "arguments out by wrt = [...]";
        return WalkResult::interrupt();
      }
      if (!op.getRecompute())
        op.setRecomputeAttr(chooseRecompute(
            op, *description, deterministic || op.getDeterministic()));
      LDBG() << "backward at " << op.getLoc() << ": " << op.getRecomputeAttr();
      return checkRecompute(op, *description);
    });
    if (walk.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
