//===- VectorizeLanes.cpp - Register-tile linalg ops on buffers -----------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Turns every linalg op on buffers into loops over 1-D vectors held in
// registers:
//
//   linalg.matmul ins(%k, %q) outs(%s)          // s(n,m) += k(n,d) * q(d,m)
//   ->
//   scf.for %m step 24  scf.for %n step 4       // a register tile of 4 x 3
//   vectors
//     %acc:12 = scf.for %d iter_args(...)       // loads 3 vectors, broadcasts
//     4
//       math.fma ...                            // scalars, 12 multiply-adds
//
// One loop dimension, the lanes, is chosen so that most operands are contiguous
// along it; operands without it are broadcast. Contractions, reductions and
// element-wise ops are one algorithm with different register tiles. An
// element-wise op that makes what a contraction adds to (a fill, a rescaling)
// is done when the contraction loads its accumulators. Runs after
// bufferization, when "in place" is a fact, and keeps loops as loops, so that
// code stays small and compiles fast.
//
//===----------------------------------------------------------------------===//

#include "LaneLoops.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#define DEBUG_TYPE "flash-vectorize-lanes"

namespace flash {
#define GEN_PASS_DEF_VECTORIZELANESPASS
#include "flash/Conversion/FlashToCPU/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

LogicalResult flash::vectorizeLanes(RewriterBase &rewriter, linalg::LinalgOp op,
                                    RegisterTile tile) {
  FailureOr<LanePlan> plan = LanePlan::get(rewriter, op);
  if (failed(plan))
    return failure();
  // Half as many f64 fill a register.
  if (llvm::any_of(op->getOperandTypes(), [](Type type) {
        return getElementTypeOrSelf(type).isF64();
      }))
    tile.lanes = std::max<int64_t>(1, tile.lanes / 2);
  LaneLoops(rewriter, *plan, tile).emit();
  return success();
}

/// Three vectors wide, as many rows as leave a register for each vector of the
/// panel and one for the broadcast: 4 x 3 of 16 registers, 8 x 3 of 32.
RegisterTile RegisterTile::get(unsigned vectorBits, unsigned registers) {
  RegisterTile tile;
  tile.lanes = std::max<int64_t>(1, vectorBits / 32);
  tile.vectors = 3;
  tile.rows = 1;
  while (2 * tile.rows * tile.vectors + tile.vectors + 1 <= registers)
    tile.rows *= 2;
  return tile;
}

namespace {

struct ErasedOps : RewriterBase::Listener {
  void notifyOperationErased(Operation *op) override { ops.insert(op); }
  DenseSet<Operation *> ops;
};

struct VectorizeLanesPass
    : public flash::impl::VectorizeLanesPassBase<VectorizeLanesPass> {
  using VectorizeLanesPassBase::VectorizeLanesPassBase;

  void runOnOperation() override {
    RegisterTile tile = RegisterTile::get(vectorBits, registers);
    IRRewriter rewriter(&getContext());
    // A copy of a part of a buffer would become a call an element.
    getOperation()->walk([&](memref::CopyOp copy) {
      auto type = dyn_cast<MemRefType>(copy.getSource().getType());
      if (!type || type.getRank() == 0)
        return;
      rewriter.setInsertionPoint(copy);
      linalg::CopyOp::create(rewriter, copy.getLoc(), copy.getSource(),
                             copy.getTarget());
      rewriter.eraseOp(copy);
    });
    SmallVector<linalg::LinalgOp> ops;
    getOperation()->walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    // Last first, for a contraction may take over the op before it.
    ErasedOps erased;
    rewriter.setListener(&erased);
    for (linalg::LinalgOp op : llvm::reverse(ops)) {
      if (erased.ops.contains(op) ||
          op->hasAttr(FlashDialect::getRareAttrName()))
        continue;
      ++(succeeded(vectorizeLanes(rewriter, op, tile)) ? numVectorized
                                                       : numLeft);
    }
  }
};

} // namespace
