//===- LanePrefetch.cpp - Ask for broadcast operands in time --------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For flash-vectorize-lanes. A contraction reads K and V where they lie, a few
// rows or a few columns at a time; a column of V is a line of memory for each
// key, which no hardware prefetcher follows once the sequence has outgrown the
// second cache.
//
//   scf.for %n {                                   // O^T += V^T P^T
//     memref.prefetch %v[%n, %row + 16], read      // the line after this one
//     memref.load %v[%n, %row] ...
//   }
//
// Addresses may lie past the end of a buffer: a prefetch does not fault.
//
//===----------------------------------------------------------------------===//

#include "LanePrefetch.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#define DEBUG_TYPE "flash-vectorize-lanes"

using namespace mlir;
using namespace flash;

/// Elements of four bytes in a line of the cache.
static constexpr int64_t kLine = 16;

bool flash::isFreshBuffer(Value value) {
  return value.getDefiningOp<memref::AllocaOp>() ||
         value.getDefiningOp<memref::AllocOp>();
}

LanePrefetch::LanePrefetch(RewriterBase &rewriter, const LanePlan &plan)
    : rewriter(rewriter), plan(plan), loc(plan.op->getLoc()) {
  if (!plan.isContraction || plan.row < 0 || plan.reductions.size() != 1 ||
      ShapedType::isDynamic(plan.sizes[plan.reductions.front()]))
    return;
  linalg::LinalgOp op = plan.op;
  for (OpOperand *input : op.getDpsInputOperands()) {
    auto type = dyn_cast<MemRefType>(input->get().getType());
    if (!type || type.getRank() < 2 || isFreshBuffer(input->get()) ||
        plan.dependsOn(*input, plan.lanes) ||
        !plan.dependsOn(*input, plan.row) || !plan.dependsOnReduction(*input))
      continue;
    unsigned last = type.getRank() - 1;
    if (plan.positionOf(*input, plan.reductions.front()) == last)
      alongReduction.push_back(input);
    else if (plan.positionOf(*input, plan.row) == last)
      alongRows.push_back(input);
  }
}

void LanePrefetch::prefetch(OpOperand &operand, ValueRange indices) {
  memref::PrefetchOp::create(rewriter, loc, operand.get(), indices,
                             /*isWrite=*/false, /*localityHint=*/3,
                             /*isDataCache=*/true);
}

SmallVector<Value> LanePrefetch::indicesOf(OpOperand &operand,
                                           const LanePanel &panel) {
  return llvm::map_to_vector(plan.map(operand).getResults(), [&](AffineExpr e) {
    return panel.position[cast<AffineDimExpr>(e).getPosition()];
  });
}

void LanePrefetch::beforeTile(const LanePanel &panel) {
  auto constant = [&](int64_t v) -> Value {
    return arith::ConstantIndexOp::create(rewriter, loc, v);
  };
  auto add = [&](Value a, Value b) -> Value {
    return arith::AddIOp::create(rewriter, loc, a, b);
  };
  if (!alongRows.empty()) {
    int64_t rows = plan.sizes[plan.row];
    Value ahead = add(panel.position[plan.row], constant(kLine));
    Value past = arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::sge,
                                       ahead, constant(rows));
    Value wrapped = arith::SubIOp::create(rewriter, loc, ahead, constant(rows));
    nextRow = arith::SelectOp::create(rewriter, loc, past, wrapped, ahead);
    nextStep = arith::SelectOp::create(
        rewriter, loc, past, constant(plan.sizes[plan.reductions.front()]),
        constant(0));
  }
  for (OpOperand *operand : alongReduction) {
    int64_t dim = plan.reductions.front();
    scf::ForOp::create(
        rewriter, loc, constant(0), constant(plan.sizes[dim]), constant(kLine),
        ValueRange(), [&](OpBuilder &b, Location, Value iv, ValueRange) {
          OpBuilder::InsertionGuard guard(rewriter);
          rewriter.setInsertionPointToEnd(b.getInsertionBlock());
          LanePanel there = panel;
          there.position[dim] = iv;
          for (int64_t r = 0; r < panel.rows; ++r) {
            there.position[plan.row] =
                add(panel.position[plan.row], constant(panel.rows + r));
            prefetch(*operand, indicesOf(*operand, there));
          }
          scf::YieldOp::create(rewriter, loc);
        });
  }
}

void LanePrefetch::atStep(const LanePanel &panel) {
  for (OpOperand *operand : alongRows) {
    LanePanel there = panel;
    int64_t dim = plan.reductions.front();
    there.position[plan.row] = nextRow;
    there.position[dim] =
        arith::AddIOp::create(rewriter, loc, panel.position[dim], nextStep);
    prefetch(*operand, indicesOf(*operand, there));
  }
}
