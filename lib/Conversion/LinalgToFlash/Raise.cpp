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
  if (succeeded(trial->attention) &&
      hasSplitQueries(*trial->domain, *trial->attention)) {
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

namespace {
struct RaisePass : flash::impl::RaiseBase<RaisePass> {
  using RaiseBase::RaiseBase;

  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> candidates;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (isContraction(op))
        candidates.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    Sizes sizes(getOperation());
    Allowances options{roundProbabilities, finiteMinimaHide};
    for (linalg::LinalgOp op : candidates)
      if (succeeded(raiseAttention(rewriter, op, options, sizes)))
        ++numRaised;
    if (numRaised > 0)
      (void)runRegionDCE(rewriter, getOperation()->getRegions());
  }
};
} // namespace
