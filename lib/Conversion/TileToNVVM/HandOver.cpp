//===- HandOver.cpp - Fragments from block to block -----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   hand_over %f to %state, %turns[%slot] part %p
//     ->  st.global of each element; bar.warp.sync; lane 0: st.release p
//   take_over %state, %turns[%slot] part %p
//     ->  wait until ld.acquire gives p; bar.warp.sync; lane 0: st 0;
//         ld.global of each element
//
// Element k of all threads lies together, so that a warp's are one line. Lanes
// hold the same elements in both blocks: nothing else has to wait for them.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace flash::tile;

/// The address of a memref's first element, i64.
static Value getAddress(Emitter &e, Value memref) {
  Value index = memref::ExtractAlignedPointerAsIndexOp::create(e, memref);
  return e.createOrFold<arith::IndexCastOp>(e.getI64Type(), index);
}

namespace {
/// Where a warp's part of a slot lies.
struct Slot {
  Value state;    ///< this thread's first element, i64
  Value turn;     ///< the warp's turn, i64
  int64_t stride; ///< bytes from one element of a thread to its next
};
} // namespace

static Slot getSlot(Emitter &e, const KernelValues &kernel, Value state,
                    Value turns, Value slot) {
  int64_t elements = cast<MemRefType>(state.getType()).getDimSize(1);
  Value number = e.toI32(slot);
  Value first = e.add(e.mul(e.toI64(number), 4 * elements),
                      e.toI64(e.shl(kernel.thread, 2)));
  Value turn = e.shl(e.add(e.mul(number, kernel.warps), kernel.warp), 2);
  return {e.add(getAddress(e, state), first),
          e.add(getAddress(e, turns), e.toI64(turn)), 4 * 32 * kernel.warps};
}

static Value toPointer(Emitter &e, Value address) {
  auto pointer = LLVM::LLVMPointerType::get(e.getContext(), /*global=*/1);
  return LLVM::IntToPtrOp::create(e, pointer, address);
}

namespace {

struct HandOverLowering : TilePattern<HandOverOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(HandOverOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    Slot slot = getSlot(e, *kernel, op.getState(), op.getTurns(), op.getSlot());
    Value address = slot.state;
    for (auto [fragment, lowered] :
         llvm::zip(op.getValues(), adaptor.getValues()))
      for (Value element :
           unpack(e, lowered, cast<FragmentType>(fragment.getType()))) {
        LLVM::StoreOp::create(e, element, toPointer(e, address));
        address = e.add(address, slot.stride);
      }
    e.ptx("bar.warp.sync 0xffffffff;\n{\n.reg .pred first;\n"
          "setp.eq.s32 first, $2, 0;\n"
          "@first st.release.gpu.global.u32 [$0], $1;\n}",
          "l,r,r", {slot.turn, e.toI32(op.getPart()), kernel->lane});
    rewriter.eraseOp(op);
    return success();
  }
};

struct TakeOverLowering : TilePattern<TakeOverOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(TakeOverOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    Slot slot = getSlot(e, *kernel, op.getState(), op.getTurns(), op.getSlot());
    e.ptx("{\n.reg .pred other;\n.reg .b32 turn;\nWAIT:\n"
          "ld.acquire.gpu.global.u32 turn, [$0];\n"
          "setp.ne.u32 other, turn, $1;\n@other bra WAIT;\n"
          "bar.warp.sync 0xffffffff;\n"
          "setp.eq.s32 other, $2, 0;\n"
          "@other st.relaxed.gpu.global.u32 [$0], 0;\n}",
          "l,r,r", {slot.turn, e.toI32(op.getPart()), kernel->lane});
    Value address = slot.state;
    SmallVector<Value> results;
    for (Value value : op.getValues()) {
      auto type = cast<FragmentType>(value.getType());
      SmallVector<Value> elements;
      for (int64_t i = 0; i < type.getElementsPerLane(); ++i) {
        elements.push_back(
            LLVM::LoadOp::create(e, e.getF32Type(), toPointer(e, address)));
        address = e.add(address, slot.stride);
      }
      results.push_back(pack(e, elements, type));
    }
    rewriter.replaceOp(op, results);
    return success();
  }
};

} // namespace

void flash::tile::populateHandOverPatterns(const TileTypeConverter &converter,
                                           RewritePatternSet &patterns,
                                           const KernelMap &kernels) {
  patterns.add<HandOverLowering, TakeOverLowering>(
      converter, patterns.getContext(), kernels);
}
