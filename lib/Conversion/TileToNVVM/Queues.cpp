//===- Queues.cpp - Tile numbers from the producer to consumers -----------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   post %queue[%i], %n     ->  wait empty (phase ^ 1); st.shared; arrive full
//   receive %queue[%i]      ->  wait full (phase); ld.shared; one lane of each
//                               warp arrives on empty
//   next_tile %c of %tiles  ->  atom.add; who counts last stores 0; memory that
//                               is no counter yet is made one by atom.cas
//
// with stage and phase as of a ring of two.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace flash::tile;

/// Addresses of the number and of its barriers.
static StageAddress getPlace(Emitter &e, Value queue, Value iteration) {
  Value i = e.toI32(iteration);
  Value stage = e.bitAnd(i, QueueType::stages - 1);
  StageAddress place;
  place.tile = e.add(queue, e.shl(stage, 3));
  place.full = e.add(place.tile, QueueType::barrierOffset);
  place.empty = e.add(place.full, 8 * QueueType::stages);
  place.phase = e.bitAnd(e.shr(i, 1), 1);
  return place;
}

namespace {

struct QueueLowering : TilePattern<QueueOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(QueueOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    FailureOr<Value> base = getSharedAddress(e, *kernel, op);
    if (failed(base))
      return failure();
    rewriter.replaceOp(op, *base);
    Value isFirst = e.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq,
                                                  kernel->thread, e.i32(0));
    auto once = scf::IfOp::create(e, isFirst, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(e);
    e.setInsertionPointToStart(once.thenBlock());
    int64_t receivers = kernel->warps + kernel->watched;
    for (Operation *user : op->getUsers())
      if (auto receive = dyn_cast<ReceiveOp>(user))
        receivers += receive.getAlone();
    for (int64_t stage = 0; stage < QueueType::stages; ++stage) {
      Value full = e.add(*base, QueueType::barrierOffset + 8 * stage);
      e.ptx("mbarrier.init.shared::cta.b64 [$0], 1;", "r", full);
      e.ptx("mbarrier.init.shared::cta.b64 [$0], " + std::to_string(receivers) +
                ";",
            "r", e.add(full, 8 * QueueType::stages));
    }
    return success();
  }
};

struct PostLowering : TilePattern<PostOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(PostOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Emitter e(op.getLoc(), rewriter);
    StageAddress place = getPlace(e, adaptor.getQueue(), op.getIteration());
    waitBarrier(e, place.empty, e.bitXor(place.phase, e.i32(1)));
    e.ptx("st.shared.b32 [$0], $1;\n"
          "mbarrier.arrive.shared::cta.b64 _, [$2];",
          "r,r,r", {place.tile, e.toI32(op.getNumber()), place.full});
    rewriter.eraseOp(op);
    return success();
  }
};

struct ReceiveLowering : TilePattern<ReceiveOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(ReceiveOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    StageAddress place = getPlace(e, adaptor.getQueue(), op.getIteration());
    waitBarrier(e, place.full, place.phase);
    Value number =
        e.ptx(e.getI32Type(), "ld.shared.b32 $0, [$1];", "=r,r", place.tile)[0];
    if (op.getAlone()) {
      e.ptx("mbarrier.arrive.shared::cta.b64 _, [$0];", "r", place.empty);
      rewriter.replaceOp(
          op, e.createOrFold<arith::IndexCastOp>(e.getIndexType(), number));
      return success();
    }
    e.ptx("bar.warp.sync 0xffffffff;\n{\n.reg .pred first;\n"
          "setp.eq.s32 first, $1, 0;\n"
          "@first mbarrier.arrive.shared::cta.b64 _, [$0];\n}",
          "r,r", {place.empty, kernel->lane});
    // All lanes have read the same; from lane 0 the assembler knows it.
    Value uniform = NVVM::ShflOp::create(
        e, e.getI32Type(), e.i32(-1), number, e.i32(0), e.i32(31),
        NVVM::ShflKind::idx, /*return_value_and_is_valid=*/UnitAttr());
    rewriter.replaceOp(
        op, e.createOrFold<arith::IndexCastOp>(e.getIndexType(), uniform));
    return success();
  }
};

struct NextTileLowering : TilePattern<NextTileOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(NextTileOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Emitter e(op.getLoc(), rewriter);
    Value index = memref::ExtractAlignedPointerAsIndexOp::create(
        e, op.getLoc(), op.getCounter());
    Value address = e.createOrFold<arith::IndexCastOp>(e.getI64Type(), index);
    // The count is the lower half. Who meets other memory exchanges it for a
    // counter at 0 before it adds again: only the first adds disturb exchanges.
    const std::string mark = std::to_string(kCounterMark),
                      start = std::to_string(kCounterMark << 32);
    Value count = e.ptx(e.getI32Type(),
                        "{\n.reg .pred counted, last;\n.reg .b32 mark;\n"
                        ".reg .b64 old;\n"
                        "COUNT:\n"
                        "atom.relaxed.gpu.global.add.u64 old, [$1], 1;\n"
                        "mov.b64 {$0, mark}, old;\n"
                        "setp.eq.u32 counted, mark, " +
                            mark +
                            ";\n"
                            "@counted bra DONE;\n"
                            "BEGIN:\n"
                            "atom.relaxed.gpu.global.cas.b64 old, [$1], old, " +
                            start +
                            ";\n"
                            "mov.b64 {$0, mark}, old;\n"
                            "setp.eq.u32 counted, mark, " +
                            mark +
                            ";\n"
                            "@counted bra COUNT;\n"
                            "bra BEGIN;\n"
                            "DONE:\n"
                            "add.u32 mark, $0, 1;\n"
                            "setp.eq.u32 last, mark, $2;\n"
                            "@last st.relaxed.gpu.global.u64 [$1], " +
                            start + ";\n}",
                        "=&r,l,r", {address, e.toI32(op.getTiles())})[0];
    Value grid = gpu::GridDimOp::create(e, gpu::Dimension::x);
    Value next = arith::AddIOp::create(
        e, grid, e.createOrFold<arith::IndexCastOp>(e.getIndexType(), count));
    rewriter.replaceOp(op, next);
    return success();
  }
};

} // namespace

void flash::tile::populateQueuePatterns(const TileTypeConverter &converter,
                                        RewritePatternSet &patterns,
                                        const KernelMap &kernels) {
  patterns.add<QueueLowering, PostLowering, ReceiveLowering, NextTileLowering>(
      converter, patterns.getContext(), kernels);
}
