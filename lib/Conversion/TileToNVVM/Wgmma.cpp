//===- Wgmma.cpp - Products by wgmma ----------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A product is one piece of inline PTX: fence, an instruction for each step of
// 16 and each 64 rows of a warpgroup, commit.
//
//   mma_start #wgmma %q, %k transpose_b  ->  wgmma.fence; wgmma.mma_async ...;
//                                            wgmma.commit_group
//   mma_wait %s, %o in_flight 1          ->  wgmma.wait_group 1, tying %s and
//   %o
//
// In one piece, nothing can come between the instructions and touch registers
// in flight; waits tie every accumulator, so that no read can move above them
// (PTX ISA, "Asynchronous warpgroup-level matrix instructions"). NVVM's own ops
// take A from shared memory only.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

using namespace mlir;
using namespace flash::tile;

/// High word of a descriptor: 128-byte swizzle, 1024 bytes from one group of 8
/// rows to the next. The same for all tiles, so that only the low word is
/// computed; but a tile of 8 rows is read twice, the second time for columns of
/// A that are zero.
constexpr StringRef descriptorHigh = "0x40000040",
                    descriptorOf8Rows = "0x40000000";

/// Low word of the descriptor of a shared tile: address and leading byte offset
/// in units of 16 bytes. The address is masked: in a cluster it carries the
/// block's rank above bit 24.
static Value getDescriptor(Emitter &e, Value address, int64_t leadingOffset) {
  Value low = e.shr(e.bitAnd(address, 0x3FFFF), 4);
  return e.bitOr(low, e.i32(leadingOffset << 16));
}

/// PTX that makes the descriptor `name` of a low word and a step from there.
static std::string descriptorText(StringRef name, const std::string &low,
                                  int64_t step,
                                  StringRef high = descriptorHigh) {
  return "add.u32 lo, " + low + ", " + std::to_string(step) + ";\nmov.b64 " +
         name.str() + ", {lo, " + high.str() + "};\n";
}

namespace {

/// The PTX of one product and its operands.
class WgmmaEmitter {
public:
  WgmmaEmitter(Emitter &e, const KernelValues &kernel, FragmentType result,
               Value a, Value loweredA, bool transposeA, Value b,
               Value loweredB, bool transposeB, Value loweredHead = {});

  /// The accumulator, still in flight.
  Value emit(Emitter &e, Value acc);

private:
  std::string instruction(int64_t repetition, int64_t k, bool accumulate);
  std::string operand(int64_t position) {
    return "$" + std::to_string(position);
  }

  FragmentType result;
  SharedType aTile, bTile; ///< aTile is null for A in registers
  bool transposeA, transposeB;
  int64_t n, steps;
  /// A's registers or descriptor, those of its first columns, B's descriptor.
  SmallVector<Value> inputs;
  int64_t firstA = 0, firstHead = 0, descriptorB = 0;
  int64_t headSteps = 0;
  bool isHalfStep = false;
  Type element;
};

} // namespace

WgmmaEmitter::WgmmaEmitter(Emitter &e, const KernelValues &kernel,
                           FragmentType result, Value a, Value loweredA,
                           bool transposeA, Value b, Value loweredB,
                           bool transposeB, Value loweredHead)
    : result(result), transposeA(transposeA), transposeB(transposeB),
      n(result.getColumnsOfWarp()) {
  bTile = cast<SharedType>(b.getType());
  element = bTile.getElementType();
  int64_t depth = transposeB ? bTile.getColumns() : bTile.getRows();
  isHalfStep = depth == 8;
  steps = llvm::divideCeil(depth, 16);
  firstA = result.getElementsPerLane();
  WarpPlace warp = WarpPlace::get(e, kernel, result);
  if (auto shared = dyn_cast<SharedType>(a.getType())) {
    aTile = shared;
    // 64 rows for each warpgroup: 8 KiB of each panel, or a panel of a tile
    // that has them along its columns.
    Value group = e.shr(warp.row, 2);
    Value offset =
        transposeA ? e.mul(group, aTile.getPanelBytes()) : e.shl(group, 13);
    inputs.push_back(getDescriptor(e, e.add(loweredA, offset),
                                   /*leadingOffset=*/1));
  } else {
    inputs = e.elements(loweredA);
    // A block of 8 columns is two registers.
    if (isHalfStep) {
      SmallVector<Value> whole;
      for (size_t i = 0; i < inputs.size(); i += 2)
        whole.append({inputs[i], inputs[i + 1], e.i32(0), e.i32(0)});
      inputs = std::move(whole);
    }
  }
  firstHead = firstA + inputs.size();
  if (loweredHead) {
    SmallVector<Value> registers = e.elements(loweredHead);
    headSteps = registers.size() / (4 * result.getRepetitions());
    llvm::append_range(inputs, registers);
  }
  descriptorB = firstA + inputs.size();
  // The leading offset is the distance of panels, which only an N-major
  // operand wider than a panel needs.
  inputs.push_back(getDescriptor(
      e, getGroupAddress(e, warp, result, bTile, transposeB, loweredB),
      transposeB ? 1 : bTile.getPanelBytes() >> 4));
}

/// Distance of 16 columns in a K-major tile, in units of 16 bytes.
static int64_t getKMajorStep(SharedType tile, int64_t k) {
  int64_t perPanel = tile.getPanelColumns() / 16;
  return k / perPanel * (tile.getPanelBytes() >> 4) + k % perPanel * 2;
}

std::string WgmmaEmitter::instruction(int64_t repetition, int64_t k,
                                      bool accumulate) {
  std::string text;
  // 16 rows of an N-major tile are 2 KiB.
  int64_t stepB = transposeB ? getKMajorStep(bTile, k) : k * 128;
  text += descriptorText("db", operand(descriptorB), stepB,
                         isHalfStep ? descriptorOf8Rows : descriptorHigh);
  bool isHead = k < headSteps, isShared = aTile && !isHead;
  if (isShared) {
    // A repetition steps over the rows of all warps, 128 bytes each, or the
    // panels that have them.
    int64_t rows = repetition * 16 * result.getRowWarps();
    int64_t stepA = transposeA
                        ? k * 128 + rows / 64 * (aTile.getPanelBytes() >> 4)
                        : getKMajorStep(aTile, k) + rows * 8;
    text += descriptorText("da", operand(firstA), stepA);
  }
  std::string type = element.isBF16() ? "bf16" : "f16";
  text += "wgmma.mma_async.sync.aligned.m64n" + std::to_string(n) + "k16.f32." +
          type + "." + type + " {";
  for (int64_t i = 0; i < n / 2; ++i)
    text += (i ? ", " : "") + operand(repetition * n / 2 + i);
  text += "}, ";
  if (isShared) {
    text += "da";
  } else {
    int64_t first = isHead ? firstHead + (repetition * headSteps + k) * 4
                           : firstA + (repetition * steps + k) * 4;
    text += "{";
    for (int64_t i = 0; i < 4; ++i)
      text += (i ? ", " : "") + operand(first + i);
    text += "}";
  }
  // scale-d, scale-a, scale-b, and which of A and B are not K-major.
  text += std::string(", db, ") + (accumulate ? "yes" : "no") + ", 1, 1";
  if (isShared)
    text += transposeA ? ", 1" : ", 0";
  text += transposeB ? ", 0;\n" : ", 1;\n";
  return text;
}

Value WgmmaEmitter::emit(Emitter &e, Value acc) {
  std::string text = "{\n.reg .pred yes, no;\n.reg .b32 lo;\n"
                     ".reg .b64 da, db;\n"
                     "setp.eq.s32 yes, 0, 0;\nsetp.ne.s32 no, 0, 0;\n"
                     "wgmma.fence.sync.aligned;\n";
  for (int64_t r = 0; r < result.getRepetitions(); ++r)
    for (int64_t k = 0; k < steps; ++k)
      text += instruction(r, k, /*accumulate=*/acc || k > 0);
  text += "wgmma.commit_group.sync.aligned;\n}";

  std::string constraints;
  for (int64_t i = 0; i < firstA; ++i)
    constraints += acc ? "=f," : "=&f,";
  for (size_t i = 0; i < inputs.size(); ++i)
    constraints += "r,";
  SmallVector<Value> operands(inputs);
  if (acc) {
    for (int64_t i = 0; i < firstA; ++i)
      constraints += std::to_string(i) + ",";
    llvm::append_range(operands, e.elements(acc));
  }
  SmallVector<Type> results(firstA, e.getF32Type());
  return e.bundle(e.ptx(results, text, constraints + "~{memory}", operands));
}

/// Waits until at most `inFlight` groups are unfinished; the values come out
/// of the wait.
static SmallVector<Value> emitWait(Emitter &e, ValueRange accumulators,
                                   uint64_t inFlight) {
  SmallVector<Value> operands;
  for (Value acc : accumulators)
    llvm::append_range(operands, e.elements(acc));
  std::string constraints;
  for (size_t i = 0; i < operands.size(); ++i)
    constraints += "=f,";
  for (size_t i = 0; i < operands.size(); ++i)
    constraints += std::to_string(i) + ",";
  SmallVector<Type> types(operands.size(), e.getF32Type());
  SmallVector<Value> values = e.ptx(
      types, "wgmma.wait_group.sync.aligned " + std::to_string(inFlight) + ";",
      constraints + "~{memory}", operands);
  SmallVector<Value> results;
  size_t first = 0;
  for (Value acc : accumulators) {
    size_t count = cast<VectorType>(acc.getType()).getNumElements();
    results.push_back(e.bundle(ArrayRef<Value>(values).slice(first, count)));
    first += count;
  }
  return results;
}

namespace {

struct WgmmaLowering : TilePattern<MmaOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(MmaOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel || !isa<WgmmaAttr>(op.getInstruction()))
      return rewriter.notifyMatchFailure(op, "is not wgmma in a kernel");
    Emitter e(op.getLoc(), rewriter);
    WgmmaEmitter wgmma(e, *kernel, op.getResult().getType(), op.getA(),
                       adaptor.getA(), op.getTransposeA(), op.getB(),
                       adaptor.getB(), op.getTransposeB());
    rewriter.replaceOp(op, emitWait(e, wgmma.emit(e, adaptor.getAcc()), 0));
    return success();
  }
};

struct WgmmaStartLowering : TilePattern<MmaStartOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(MmaStartOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel || !isa<WgmmaAttr>(op.getInstruction()))
      return rewriter.notifyMatchFailure(op, "is not wgmma in a kernel");
    Emitter e(op.getLoc(), rewriter);
    WgmmaEmitter wgmma(e, *kernel, op.getResult().getType().getAccumulator(),
                       op.getA(), adaptor.getA(), op.getTransposeA(), op.getB(),
                       adaptor.getB(), op.getTransposeB(), adaptor.getHead());
    rewriter.replaceOp(op, wgmma.emit(e, adaptor.getOnto() ? adaptor.getOnto()
                                                           : adaptor.getAcc()));
    return success();
  }
};

struct WgmmaWaitLowering : TilePattern<MmaWaitOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(MmaWaitOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Emitter e(op.getLoc(), rewriter);
    rewriter.replaceOp(op, emitWait(e, adaptor.getPending(), op.getInFlight()));
    return success();
  }
};

} // namespace

void flash::tile::populateWgmmaPatterns(const TileTypeConverter &converter,
                                        RewritePatternSet &patterns,
                                        const KernelMap &kernels) {
  patterns.add<WgmmaLowering, WgmmaStartLowering, WgmmaWaitLowering>(
      converter, patterns.getContext(), kernels);
}
