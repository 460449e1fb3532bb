//===- Specialize.cpp - Roles of a block ------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The block divides by warps, and each role takes its share of the registers:
//
//   specialize producer(40) {P} watcher {V} consumers(232) {C}
//     ->  bar.sync 0
//         if warp < W { setmaxnreg.inc 232; C }
//         else { setmaxnreg.dec 40; if first lane of warp W { P }
//                if warp W + 1 { V } }
//         (helper i: the first lane of the warp after those)
//   in_turn %n { B }  ->  if warpgroup == n % warpgroups { B }
//   take_turn  ->  bar.sync own, 256
//   pass_turn  ->  bar.arrive next, 256
//
// A turn is a named barrier of each warpgroup, on which it waits and the one
// before it arrives; the last one arrives first of all, for the first one.
// The producer is the last warpgroup, so that the computing threads count from
// 0. In a cluster a barrier of all its blocks stands at both ends: they write
// to one another's shared memory.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace flash::tile;

/// Registers of a thread at the launch of a block of `threads`.
static int64_t getLaunchRegisters(int64_t threads) {
  return std::min<int64_t>(65536 / threads / 8 * 8, 255);
}

static void setRegisters(Emitter &e, int64_t registers, int64_t atLaunch) {
  if (registers == atLaunch)
    return;
  std::string direction = registers > atLaunch ? "inc" : "dec";
  e.ptx("setmaxnreg." + direction + ".sync.aligned.u32 " +
            std::to_string(registers) + ";",
        "", {});
}

static void giveFirstTurn(Emitter &e, const KernelValues &kernel) {
  Value isLast = e.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq,
                                               e.shr(kernel.warp, 2),
                                               e.i32(kernel.warps / 4 - 1));
  auto once = scf::IfOp::create(e, isLast, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(e);
  e.setInsertionPointToStart(once.thenBlock());
  e.ptx("bar.arrive $0, 256;", "r", e.i32(firstTurnBarrier));
}

namespace {

struct SpecializeLowering : TilePattern<SpecializeOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(SpecializeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    int64_t threads = 32 * kernel->warps + 128;
    int64_t atLaunch = getLaunchRegisters(threads);
    // Initialised barriers become visible to both roles.
    if (kernel->cluster > 1)
      e.ptx("barrier.cluster.arrive.release.aligned;\n"
            "barrier.cluster.wait.acquire.aligned;",
            "", {});
    else
      NVVM::BarrierOp::create(e, e.i32(0));
    auto roles =
        scf::IfOp::create(e, e.less(kernel->warp, e.i32(kernel->warps)),
                          /*withElseRegion=*/true);

    e.setInsertionPointToStart(roles.thenBlock());
    setRegisters(e, op.getConsumerRegisters(), atLaunch);
    bool hasTurns = false;
    op.getConsumers().walk([&](TakeTurnOp) { hasTurns = true; });
    if (hasTurns)
      giveFirstTurn(e, *kernel);
    inlineRole(rewriter, op.getConsumers(), roles.thenBlock());

    e.setInsertionPointToStart(roles.elseBlock());
    setRegisters(e, op.getProducerRegisters(), atLaunch);
    // The warps of this warpgroup, one a role; of all but the watcher's the
    // first lane.
    int64_t warp = kernel->warps;
    auto placeRole = [&](Region &role, Value number, int64_t own) {
      Value isOwn = e.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq,
                                                  number, e.i32(own));
      auto once = scf::IfOp::create(e, isOwn, /*withElseRegion=*/false);
      inlineRole(rewriter, role, once.thenBlock());
      ++warp;
    };
    placeRole(op.getProducer(), kernel->thread, 32 * warp);
    if (!op.getWatcher().empty())
      placeRole(op.getWatcher(), kernel->warp, warp);
    for (Region &helper : op.getHelpers())
      placeRole(helper, kernel->thread, 32 * warp);
    if (kernel->cluster > 1) {
      e.setInsertionPointAfter(roles);
      e.ptx("barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;",
            "", {});
    }
    rewriter.eraseOp(op);
    return success();
  }

  static void inlineRole(ConversionPatternRewriter &rewriter, Region &role,
                         Block *target) {
    rewriter.eraseOp(role.front().getTerminator());
    rewriter.inlineBlockBefore(&role.front(), target->getTerminator());
  }
};

/// Warpgroups are powers of two or few: a turn's number is small.
struct InTurnLowering : TilePattern<InTurnOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(InTurnOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    Value mine = e.createOrFold<arith::CmpIOp>(
        arith::CmpIPredicate::eq, e.shr(kernel->warp, 2),
        e.rem(e.toI32(op.getTurn()), kernel->warps / 4));
    if (op.getWhen())
      mine = e.createOrFold<arith::AndIOp>(mine, op.getWhen());
    auto branch = scf::IfOp::create(e, mine, /*withElseRegion=*/false);
    rewriter.eraseOp(op.getBody().front().getTerminator());
    rewriter.inlineBlockBefore(&op.getBody().front(),
                               branch.thenBlock()->getTerminator());
    rewriter.eraseOp(op);
    return success();
  }
};

/// A chain of branches: the last region needs no question.
struct ByWarpgroupLowering : TilePattern<ByWarpgroupOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(ByWarpgroupOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    Value warpgroup = e.shr(kernel->warp, 2);
    for (auto [index, body] : llvm::enumerate(op.getBodies())) {
      Operation *end = nullptr;
      if (index + 1 < op.getBodies().size()) {
        auto branch = scf::IfOp::create(
            e,
            e.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq, warpgroup,
                                          e.i32(index)),
            /*withElseRegion=*/true);
        end = branch.thenBlock()->getTerminator();
        e.setInsertionPoint(branch.elseBlock()->getTerminator());
      } else {
        end = op;
      }
      Block *block = &body.front();
      rewriter.eraseOp(block->getTerminator());
      rewriter.inlineBlockBefore(
          block, end == op ? e.getInsertionBlock() : end->getBlock(),
          end == op ? e.getInsertionPoint() : end->getIterator());
    }
    rewriter.eraseOp(op);
    return success();
  }
};

struct TakeTurnLowering : TilePattern<TakeTurnOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(TakeTurnOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    e.ptx("bar.sync $0, 256;", "r",
          e.add(e.shr(kernel->warp, 2), firstTurnBarrier));
    rewriter.eraseOp(op);
    return success();
  }
};

struct PassTurnLowering : TilePattern<PassTurnOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(PassTurnOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    Value group = e.shr(kernel->warp, 2);
    Value isLast = e.createOrFold<arith::CmpIOp>(
        arith::CmpIPredicate::eq, group, e.i32(kernel->warps / 4 - 1));
    Value next = e.select(isLast, e.i32(0), e.add(group, 1));
    e.ptx("bar.arrive $0, 256;", "r", e.add(next, firstTurnBarrier));
    rewriter.eraseOp(op);
    return success();
  }
};

struct DelayLowering : TilePattern<DelayOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(DelayOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    OpBuilder::InsertionGuard guard(e);
    if (std::optional<int64_t> warpgroup = op.getWarpgroup()) {
      Value late = e.createOrFold<arith::CmpIOp>(
          arith::CmpIPredicate::eq, e.div(kernel->warp, 4), e.i32(*warpgroup));
      auto branch = scf::IfOp::create(e, late, /*withElseRegion=*/false);
      e.setInsertionPointToStart(branch.thenBlock());
    }
    e.ptx("nanosleep.u32 " + std::to_string(op.getNanoseconds()) + ";", "", {});
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void flash::tile::populateSpecializePatterns(const TileTypeConverter &converter,
                                             RewritePatternSet &patterns,
                                             const KernelMap &kernels) {
  patterns.add<SpecializeLowering, InTurnLowering, ByWarpgroupLowering,
               TakeTurnLowering, PassTurnLowering, DelayLowering>(
      converter, patterns.getContext(), kernels);
}
