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
//     ->  wait until ld.acquire gives p to all lanes; lane 0: st 0;
//         ld.global of each element
//
// Element k of all threads lies together, so that a warp's are one line. Lanes
// hold the same elements in both blocks: nothing else has to wait for them.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace flash::tile;

namespace {
/// Where a warp's part of a slot lies.
struct Slot {
  Value state;    ///< this thread's first element, i64
  Value turn;     ///< the warp's turn, i64
  int64_t stride; ///< bytes from one element of a thread to its next
};
} // namespace

/// Of a row of a memref, the element of this thread, or of its warp. In one
/// piece of text, so that nobody computes a part of it before the loops around
/// and keeps that in registers.
static Value getAddress(Emitter &e, Value memref, Value row, int64_t rowBytes,
                        int64_t threadsOfElement) {
  Value index = memref::ExtractAlignedPointerAsIndexOp::create(e, memref);
  Value base = e.createOrFold<arith::IndexCastOp>(e.getI64Type(), index);
  std::string text;
  llvm::raw_string_ostream(text)
      << "{\n.reg .b32 place;\nmov.u32 place, %tid.x;\n"
      << "shr.u32 place, place, " << llvm::Log2_64(threadsOfElement) << ";\n"
      << "mad.wide.u32 $0, $2, " << rowBytes << ", $1;\n"
      << "mad.wide.u32 $0, place, 4, $0;\n}";
  return e.ptx(e.getI64Type(), text, "=&l,l,r", {base, row})[0];
}

template <typename OpT>
static Slot getSlot(Emitter &e, const KernelValues &kernel, OpT op) {
  int64_t elements = cast<MemRefType>(op.getState().getType()).getDimSize(1);
  Value number = e.toI32(op.getSlot());
  return {getAddress(e, op.getState(), number, 4 * elements, 1),
          getAddress(e, op.getTurns(), number, 4 * kernel.warps, 32),
          4 * 32 * kernel.warps};
}

/// How a turn is written: memory that holds anything is nobody's turn.
static Value getTurn(Emitter &e, Value part) {
  return e.add(e.toI32(part), int64_t(kCounterMark));
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
    Slot slot = getSlot(e, *kernel, op);
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
          "l,r,r", {slot.turn, getTurn(e, op.getPart()), kernel->lane});
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
    Slot slot = getSlot(e, *kernel, op);
    // By a vote, so that the assembler knows that lanes stay together.
    e.ptx("{\n.reg .pred mine, all;\n.reg .b32 turn;\nWAIT:\n"
          "ld.acquire.gpu.global.u32 turn, [$0];\n"
          "setp.eq.u32 mine, turn, $1;\n"
          "vote.sync.all.pred all, mine, 0xffffffff;\n@!all bra WAIT;\n"
          "setp.eq.s32 mine, $2, 0;\n"
          "@mine st.relaxed.gpu.global.u32 [$0], 0;\n}",
          "l,r,r", {slot.turn, getTurn(e, op.getPart()), kernel->lane});
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

struct AgainLowering : TilePattern<AgainOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(AgainOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Emitter e(op.getLoc(), rewriter);
    // From lane 0, so that the assembler knows that all have the same.
    Value same =
        e.ptx(e.getI32Type(), "shfl.sync.idx.b32 $0, $1, 0, 31, 0xffffffff;",
              "=r,r", e.toI32(op.getValue()))[0];
    rewriter.replaceOp(
        op, e.createOrFold<arith::IndexCastOp>(e.getIndexType(), same));
    return success();
  }
};

} // namespace

void flash::tile::populateHandOverPatterns(const TileTypeConverter &converter,
                                           RewritePatternSet &patterns,
                                           const KernelMap &kernels) {
  patterns.add<HandOverLowering, TakeOverLowering, AgainLowering>(
      converter, patterns.getContext(), kernels);
}
