//===- Raise.cpp - From linalg to attention ---------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Recognises attention in linalg on tensors, opt-in:
//
//   %s = linalg.batch_matmul ins(%q, %kt); %p = softmax of %s * 0.125
//   %o = linalg.batch_matmul ins(%p, %v)
//   // becomes
//   %o = flash.attention %q, %k, %v {scale = 0.125 : f32}
//
// Starting from each contraction, matchers ask what its factors are as scalars:
// a softmax of scores, which are a product of a query and a key. It comes
// before everything, on what frontends make, with calls inlined.
//
//===----------------------------------------------------------------------===//

#include "flash/Conversion/LinalgToFlash/Passes.h"

#include "Attention.h"
#include "ExpandTMAttention.h"

#include "mlir/Transforms/RegionUtils.h"
#include "llvm/Support/DebugLog.h"

#define DEBUG_TYPE "flash-raise"

namespace flash {
#define GEN_PASS_DEF_RAISE
#include "flash/Conversion/LinalgToFlash/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;
using namespace flash::raise;

static void emitRemark(Operation *op, const Twine &prefix,
                       const NearMiss &what) {
  InFlightDiagnostic remark = op->emitRemark() << prefix << what.reason;
  if (what.loc != op->getLoc())
    remark.attachNote(what.loc) << "seen here";
}

namespace {
/// A match, and what it refers to.
struct Trial {
  Splits splits;
  std::optional<Domain> domain;
  std::optional<Tracer> tracer;
  std::optional<Match> match;
  FailureOr<Attention> attention = failure();
};
} // namespace

static std::unique_ptr<Trial> tryMatch(linalg::LinalgOp op,
                                       const Allowances &options, Sizes &sizes,
                                       bool keepQueriesWhole,
                                       bool keepFiniteMasks) {
  auto trial = std::make_unique<Trial>();
  // Each restart adds a cut; there are at most as many as factors of sizes.
  constexpr int kMaxRestarts = 32;
  for (int attempt = 0; attempt < kMaxRestarts; ++attempt) {
    trial->domain.emplace(op.getContext(), trial->splits);
    trial->tracer.emplace(*trial->domain, sizes);
    trial->match.emplace(Match{*trial->tracer, options});
    trial->match->keepQueriesWhole = keepQueriesWhole;
    trial->match->keepFiniteMasks = keepFiniteMasks;
    trial->attention = matchAttention(*trial->match, op);
    if (!trial->domain->wantsRestart())
      return trial;
  }
  LDBG() << "too many restarts at " << op.getLoc();
  trial->attention = failure();
  return trial;
}

/// Raises the attention whose second contraction is `op`, if it is one.
static LogicalResult raiseAttention(RewriterBase &rewriter, linalg::LinalgOp op,
                                    const Allowances &options, Sizes &sizes) {
  bool keepFiniteMasks = false;
  auto tryIt = [&](bool keepQueriesWhole) {
    return tryMatch(op, options, sizes, keepQueriesWhole, keepFiniteMasks);
  };
  auto trial = tryIt(/*keepQueriesWhole=*/false);
  if (trial->match->wantsFiniteMasksKept) {
    keepFiniteMasks = true;
    trial = tryIt(/*keepQueriesWhole=*/false);
  }
  if (failed(trial->attention)
          ? trial->match->nearMiss.has_value()
          : hasSplitQueries(*trial->domain, *trial->attention)) {
    auto other = tryIt(/*keepQueriesWhole=*/true);
    if (succeeded(other->attention))
      trial = std::move(other);
  }
  const Match &match = *trial->match;
  if (failed(trial->attention)) {
    if (match.nearMiss)
      emitRemark(op, "not raised to flash.attention: ", *match.nearMiss);
    return failure();
  }
  for (const NearMiss &advice : match.advice)
    emitRemark(op, "raised to flash.attention, but ", advice);
  buildAttention(rewriter, *trial->tracer, *trial->attention, op.getLoc());
  return success();
}

/// Raises tm_tensor.attention by way of linalg; what cannot be raised, stays.
static LogicalResult raiseTMAttention(RewriterBase &rewriter,
                                      tm_tensor::AttentionOp op,
                                      const Allowances &options, Sizes &sizes) {
  rewriter.setInsertionPoint(op);
  FailureOr<Value> result = expandTMAttention(rewriter, op);
  if (failed(result)) {
    op.emitRemark("not raised to flash.attention: its head dim is dynamic, or "
                  "its operands are not of one rank");
    return failure();
  }
  Value old = op.getResult(0), expanded = *result;
  Value kept = expanded;
  if (expanded.getType() != old.getType())
    kept = tensor::CastOp::create(rewriter, op.getLoc(), old.getType(), kept);
  rewriter.replaceAllUsesWith(old, kept);
  if (succeeded(raiseAttention(rewriter,
                               expanded.getDefiningOp<linalg::LinalgOp>(),
                               options, sizes)))
    return success();
  rewriter.replaceAllUsesWith(kept, old);
  return failure();
}

namespace {
struct RaisePass : flash::impl::RaiseBase<RaisePass> {
  using RaiseBase::RaiseBase;

  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> candidates;
    SmallVector<tm_tensor::AttentionOp> attentions;
    getOperation().walk([&](Operation *op) {
      if (auto attention = dyn_cast<tm_tensor::AttentionOp>(op))
        attentions.push_back(attention);
      if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
          linalgOp && isContraction(linalgOp))
        candidates.push_back(linalgOp);
    });
    IRRewriter rewriter(&getContext());
    Sizes sizes(getOperation());
    Allowances options{roundProbabilities, finiteMinimaHide};
    for (tm_tensor::AttentionOp op : attentions)
      if (succeeded(raiseTMAttention(rewriter, op, options, sizes)))
        ++numRaised;
    for (linalg::LinalgOp op : candidates)
      if (succeeded(raiseAttention(rewriter, op, options, sizes)))
        ++numRaised;
    // Values stay until no size is asked for any more.
    for (tm_tensor::AttentionOp op : attentions)
      if (op.use_empty())
        rewriter.eraseOp(op);
    if (numRaised > 0 || !attentions.empty())
      (void)runRegionDCE(rewriter, getOperation()->getRegions());
  }
};
} // namespace
