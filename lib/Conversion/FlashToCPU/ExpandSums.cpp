//===- ExpandSums.cpp - Sums over iterations, on the CPU ------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %d1 = flash.add_slice %t into %d0[%i, 0] [64, 128] [1, 1]
//   ->  %s = tensor.extract_slice %d0[...] ; %a = linalg.add ins(%s, %t)
//       %d1 = tensor.insert_slice %a into %d0[...]
//
// Each iteration of a parallel loop adds into a buffer of its own; at its end
// flash.parallel_add_slice adds that to the result, element by element and
// atomically: other threads do the same. Before bufferization.
//
//===----------------------------------------------------------------------===//

#include "flash/Conversion/FlashToCPU/Passes.h"
#include "flash/Dialect/Flash/IR/Flash.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#define DEBUG_TYPE "flash-expand-sums"

namespace flash {
#define GEN_PASS_DEF_EXPANDSUMSPASS
#include "flash/Conversion/FlashToCPU/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace mlir::bufferization;
using namespace flash;

static void expand(RewriterBase &rewriter, AddSliceOp op) {
  Location loc = op.getLoc();
  SmallVector<OpFoldResult> offsets = op.getMixedOffsets(),
                            sizes = op.getMixedSizes(),
                            strides = op.getMixedStrides();
  Value old = tensor::ExtractSliceOp::create(
      rewriter, loc, op.getSourceType(), op.getDest(), offsets, sizes, strides);
  Value sum =
      linalg::AddOp::create(rewriter, loc, ValueRange{old, op.getSource()}, old)
          .getResult(0);
  rewriter.replaceOpWithNewOp<tensor::InsertSliceOp>(op, sum, op.getDest(),
                                                     offsets, sizes, strides);
}

namespace {

struct ExpandSumsPass : flash::impl::ExpandSumsPassBase<ExpandSumsPass> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    getOperation()->walk([&](AddSliceOp op) {
      rewriter.setInsertionPoint(op);
      expand(rewriter, op);
    });
  }
};

/// Reads the source, and adds to its slice of the destination in place.
struct ParallelAddSliceModel
    : BufferizableOpInterface::ExternalModel<ParallelAddSliceModel,
                                             ParallelAddSliceOp> {
  AliasingValueList getAliasingValues(Operation *, OpOperand &,
                                      const AnalysisState &) const {
    return {};
  }
  bool bufferizesToMemoryRead(Operation *, OpOperand &,
                              const AnalysisState &) const {
    return true;
  }
  bool bufferizesToMemoryWrite(Operation *op, OpOperand &operand,
                               const AnalysisState &) const {
    return operand == cast<ParallelAddSliceOp>(op).getDestMutable();
  }
  bool mustBufferizeInPlace(Operation *, OpOperand &,
                            const AnalysisState &) const {
    return true;
  }
  LogicalResult resolveConflicts(Operation *, RewriterBase &,
                                 const AnalysisState &,
                                 const BufferizationState &) const {
    return success();
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    OpBuilder::InsertionGuard guard(rewriter);
    auto add = cast<ParallelAddSliceOp>(op);
    Operation *parent = add->getParentOp();
    // Memory is written before the terminator.
    rewriter.setInsertionPoint(parent);
    FailureOr<Value> dest = getBuffer(rewriter, add.getDest(), options, state);
    FailureOr<Value> source =
        getBuffer(rewriter, add.getSource(), options, state);
    if (failed(dest) || failed(source))
      return failure();
    Location loc = add.getLoc();
    auto type = cast<MemRefType>(memref::SubViewOp::inferRankReducedResultType(
        add.getSourceType().getShape(), cast<MemRefType>(dest->getType()),
        add.getMixedOffsets(), add.getMixedSizes(), add.getMixedStrides()));
    Value slice = memref::SubViewOp::create(
        rewriter, loc, type, *dest, add.getMixedOffsets(), add.getMixedSizes(),
        add.getMixedStrides());
    Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0),
          one = arith::ConstantIndexOp::create(rewriter, loc, 1);
    SmallVector<Value> indices;
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      Value size = memref::DimOp::create(rewriter, loc, *source, dim);
      auto loop = scf::ForOp::create(rewriter, loc, zero, size, one);
      rewriter.setInsertionPointToStart(loop.getBody());
      indices.push_back(loop.getInductionVar());
    }
    Value value = memref::LoadOp::create(rewriter, loc, *source, indices);
    memref::AtomicRMWOp::create(rewriter, loc, arith::AtomicRMWKind::addf,
                                value, slice, indices);
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void flash::registerSumBufferization(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, FlashDialect *) {
    ParallelAddSliceOp::attachInterface<ParallelAddSliceModel>(*context);
  });
}
