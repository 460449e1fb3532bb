//===- Passes.h - From L2 to LLVM on the CPU --------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_CONVERSION_FLASHTOCPU_PASSES_H
#define FLASH_CONVERSION_FLASHTOCPU_PASSES_H

#include "flash/Dialect/Flash/IR/Flash.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Pass/Pass.h"

namespace flash {

/// The block of an output that is kept in vector registers: `rows` x `vectors`
/// vectors of `lanes` 32-bit elements.
struct RegisterTile {
  int64_t rows, vectors, lanes;

  static RegisterTile get(unsigned vectorBits, unsigned registers);
};

/// Replaces a linalg op on buffers by loops over vectors, and with a
/// contraction also the element-wise op before it that makes its initial
/// values.
llvm::LogicalResult vectorizeLanes(mlir::RewriterBase &rewriter,
                                   mlir::linalg::LinalgOp op,
                                   RegisterTile tile);

/// exp2 of an f32 or f64 value or vector as arithmetic.
mlir::Value expandExp2(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Value x);
void populateExpandExp2Patterns(mlir::RewritePatternSet &patterns);

/// tanh of an f32 value or vector as arithmetic.
mlir::Value expandTanh(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Value x);
/// tanh, exp, log and the like on f32 as arithmetic; not exp2.
void populateExpandMathPatterns(mlir::RewritePatternSet &patterns);

/// An f8E4M3FN or f8E5M2 value or vector as f32, exactly.
mlir::Value expandFloat8(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value x);
void populateExpandFloat8Patterns(mlir::RewritePatternSet &patterns);

/// Computes an operation on 16-bit floats in f32; every result is rounded once.
llvm::LogicalResult widenFloat16(mlir::RewriterBase &rewriter,
                                 mlir::Operation *op);

/// Replaces bf16 by 16-bit integers in a module of the LLVM dialect.
void bf16ToBits(mlir::ModuleOp module);

/// Turns the results of an entry point into output buffers.
llvm::LogicalResult resultsToOutputs(mlir::func::FuncOp func);

/// Moves the body of a parallel loop on buffers to a function and calls it
/// through the runtime.
llvm::LogicalResult outlineParallelLoop(mlir::scf::ForallOp forall);

/// Replaces an online softmax by linalg ops.
void lowerOnlineSoftmax(mlir::RewriterBase &rewriter, OnlineSoftmaxOp op);

/// Replaces the clearing of values that no query sees, and the product that
/// reads them.
llvm::LogicalResult lowerHideUnseen(mlir::RewriterBase &rewriter,
                                    HideUnseenOp op);

/// Converts the 16-bit inputs of a contraction to f32 before it.
llvm::LogicalResult promoteOperands(mlir::RewriterBase &rewriter,
                                    mlir::linalg::LinalgOp op);

/// How flash.parallel_add_slice becomes memory operations.
void registerSumBufferization(mlir::DialectRegistry &registry);

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "flash/Conversion/FlashToCPU/Passes.h.inc"

} // namespace flash

#endif // FLASH_CONVERSION_FLASHTOCPU_PASSES_H
