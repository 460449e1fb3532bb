//===- ClearShare.cpp - Zeros in device memory ------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   clear_share %m  ->  scf.for %i from the block's first piece to its last,
//                       each thread its own: st.global.v4 zeros
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace flash::tile;

namespace {

struct ClearShareLowering : TilePattern<ClearShareOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(ClearShareOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    auto type = cast<MemRefType>(op.getMemref().getType());
    constexpr int64_t pieceBytes = 16;
    int64_t known = type.getElementTypeBitWidth() / 8;
    Value pieces;
    auto metadata =
        memref::ExtractStridedMetadataOp::create(e, adaptor.getMemref());
    for (auto [dim, size] : llvm::enumerate(type.getShape())) {
      if (!ShapedType::isDynamic(size)) {
        known *= size;
        continue;
      }
      Value run = e.toI64(metadata.getSizes()[dim]);
      pieces = pieces ? e.mul(pieces, run) : run;
    }
    // The last dimension is known, and whole pieces.
    Value all = e.i64(known / pieceBytes);
    pieces = pieces ? e.mul(pieces, all) : all;
    Value grid = e.toI64(gpu::GridDimOp::create(e, gpu::Dimension::x)),
          block = e.toI64(gpu::BlockIdOp::create(e, gpu::Dimension::x));
    Value share = arith::CeilDivUIOp::create(e, pieces, grid);
    Value first = e.mul(block, share), end = e.min(e.add(first, share), pieces);
    Value pointer = e.toI64(
        memref::ExtractAlignedPointerAsIndexOp::create(e, adaptor.getMemref()));
    auto loop = scf::ForOp::create(e, e.add(first, e.toI64(kernel->thread)),
                                   end, e.i64(kernel->warps * 32));
    OpBuilder::InsertionGuard guard(e);
    e.setInsertionPointToStart(loop.getBody());
    Value at = e.add(pointer, e.mul(loop.getInductionVar(), pieceBytes));
    e.ptx("st.global.v4.b32 [$0], {$1, $1, $1, $1};", "l,r", {at, e.i32(0)});
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void flash::tile::populateClearSharePatterns(const TileTypeConverter &converter,
                                             RewritePatternSet &patterns,
                                             const KernelMap &kernels) {
  patterns.add<ClearShareLowering>(converter, patterns.getContext(), kernels);
}
