//===- LaneLoops.h - Loops over vectors of lanes ----------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_CONVERSION_FLASHTOCPU_LANELOOPS_H
#define FLASH_LIB_CONVERSION_FLASHTOCPU_LANELOOPS_H

#include "LaneBody.h"
#include "LanePlan.h"
#include "LanePrefetch.h"

#include "flash/Conversion/FlashToCPU/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

namespace flash {

/// Emits the loops around the body of one op.
class LaneLoops {
public:
  LaneLoops(mlir::RewriterBase &rewriter, const LanePlan &plan,
            RegisterTile tile)
      : rewriter(rewriter), plan(plan), op(plan.op), tile(tile),
        loc(op.getLoc()), body(rewriter, plan), ahead(rewriter, plan) {}

  void emit();

private:
  using Values = llvm::SmallVector<mlir::Value>;

  void findExtents();
  void foldInit();
  void emitOuter(LanePanel panel, unsigned next,
                 llvm::function_ref<void(LanePanel)> inside);
  void emitLanes(LanePanel panel);
  void emitRows(LanePanel panel);
  void emitTile(LanePanel panel);
  void emitReductions(LanePanel &panel, unsigned next, Values &accumulators,
                      const LaneBody::Cache &hoisted);
  void emitPoints(LanePanel &panel, Values &accumulators,
                  LaneBody::Cache cache);
  mlir::Value initialValue(mlir::OpOperand &init, const LanePanel &panel,
                           int64_t r, int64_t v);
  template <typename Visit>
  void forEachAccumulator(LanePanel &panel, Visit visit);

  mlir::Value constant(int64_t v) {
    return mlir::arith::ConstantIndexOp::create(rewriter, loc, v);
  }
  Values loop(mlir::Value lower, mlir::Value upper, int64_t step,
              mlir::ValueRange init,
              llvm::function_ref<Values(mlir::Value, mlir::ValueRange)> inside);

  mlir::RewriterBase &rewriter;
  const LanePlan &plan;
  mlir::linalg::LinalgOp op;
  RegisterTile tile;
  mlir::Location loc;
  LaneBody body;
  LanePrefetch ahead;
  llvm::SmallVector<mlir::Value> extents;
  /// The element-wise op before a contraction that makes its initial values.
  std::optional<LanePlan> initPlan;
};

} // namespace flash

#endif // FLASH_LIB_CONVERSION_FLASHTOCPU_LANELOOPS_H
