//===- LaneBody.h - The body of a linalg op on vectors ----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_CONVERSION_FLASHTOCPU_LANEBODY_H
#define FLASH_LIB_CONVERSION_FLASHTOCPU_LANEBODY_H

#include "LanePlan.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace flash {

/// A register tile in the making: `rows` x `vectors` vectors of `width` lanes,
/// whose origin is `position`, one value for each loop of the op.
struct LanePanel {
  int64_t rows = 1, vectors = 1, width = 1;
  llvm::SmallVector<mlir::Value> position;
};

/// A value of the body: one for all lanes, or a vector, or both.
struct LaneValue {
  mlir::Value scalar, wide;
};

/// Emits the op's work at one place of a panel: row `r`, vector `v`.
class LaneBody {
public:
  /// What was loaded already, keyed by operand number (reads of the body have
  /// the numbers after), row and vector; -1 where the operand does not depend
  /// on it.
  using Cache =
      llvm::DenseMap<std::tuple<unsigned, int64_t, int64_t>, mlir::Value>;

  LaneBody(mlir::RewriterBase &rewriter, const LanePlan &plan)
      : rewriter(rewriter), plan(plan), op(plan.op), loc(op.getLoc()) {}

  /// The operand's vector: contiguous, gathered lane by lane, or one element
  /// broadcast.
  mlir::Value load(mlir::OpOperand &operand, const LanePanel &panel, int64_t r,
                   int64_t v, Cache &cache);
  void store(mlir::OpOperand &operand, const LanePanel &panel, int64_t r,
             int64_t v, mlir::Value value);
  /// What the body yields, one value for each output. `accumulators` are the
  /// current values of the outputs that are carried through reductions, null
  /// for the others, which are loaded.
  llvm::SmallVector<mlir::Value>
  evaluate(const LanePanel &panel, int64_t r, int64_t v,
           llvm::ArrayRef<mlir::Value> accumulators, Cache &cache);

private:
  mlir::Value offset(mlir::Value base, int64_t by);
  mlir::Value indexOf(const LanePanel &panel, int64_t dim, int64_t r,
                      int64_t v);
  llvm::SmallVector<mlir::Value> indicesOf(mlir::OpOperand &operand,
                                           const LanePanel &panel, int64_t r,
                                           int64_t v);
  mlir::Value splat(mlir::Value scalar, int64_t width);
  mlir::Value gather(mlir::Value buffer, llvm::ArrayRef<LaneValue> indices,
                     int64_t width);
  mlir::Value readAcross(mlir::memref::LoadOp read, const LanePanel &panel,
                         int64_t r, int64_t v,
                         llvm::ArrayRef<LaneValue> indices,
                         llvm::function_ref<mlir::Value(mlir::Value)> scalarOf,
                         Cache &cache);
  llvm::SmallVector<mlir::Value> readSquare(mlir::Value buffer,
                                            const LanePanel &panel,
                                            llvm::ArrayRef<LaneValue> indices);
  mlir::Value indexVector(const LanePanel &panel, int64_t dim, int64_t r,
                          int64_t v);

  mlir::RewriterBase &rewriter;
  const LanePlan &plan;
  mlir::linalg::LinalgOp op;
  mlir::Location loc;
};

} // namespace flash

#endif // FLASH_LIB_CONVERSION_FLASHTOCPU_LANEBODY_H
