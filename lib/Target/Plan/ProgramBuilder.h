//===- ProgramBuilder.h - A launch plan in the making -----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The interpreter of a host function: what it knows of each value, and a method
// for each kind of op.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_TARGET_PLAN_PROGRAMBUILDER_H
#define FLASH_LIB_TARGET_PLAN_PROGRAMBUILDER_H

#include "flash/Target/BuildProgram.h"

#include "flash/Dialect/Tile/IR/Tile.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace flash {

/// A memref of the host: where it is, in elements of its buffer. Strides of
/// arguments and results are the caller's.
struct View {
  int buffer = 0;
  rt::Expr offset;
  std::vector<rt::Expr> sizes, strides;
};

class ProgramBuilder {
public:
  ProgramBuilder(mlir::ModuleOp module, const ProgramOptions &options)
      : module(module), options(options) {}

  llvm::FailureOr<rt::Program> run(mlir::func::FuncOp function);

protected:
  /// Adds an argument to the signature: a tensor or a memref, or an index.
  mlir::LogicalResult addArgument(mlir::func::FuncOp function,
                                  mlir::BlockArgument argument);
  mlir::LogicalResult convert(mlir::Operation *op);
  mlir::LogicalResult convertArithmetic(mlir::Operation *op);
  mlir::LogicalResult convertAssert(mlir::cf::AssertOp op);
  mlir::LogicalResult convertLaunch(tile::LaunchOp op);
  mlir::LogicalResult convertClear(tile::ClearOp op);
  mlir::LogicalResult convertReturn(mlir::func::ReturnOp op);
  mlir::LogicalResult setKernel(tile::LaunchOp op, rt::Launch &launch);
  void addParams(mlir::Value argument, std::vector<rt::Param> &params);
  rt::TensorMapParam tensorMap(tile::TensorMapOp op);

  /// The allocation that a returned value is, or null.
  static mlir::Operation *findAlloc(mlir::Value value);
  static int64_t alignmentOf(mlir::MemRefType type);

  View dense(int buffer, std::vector<rt::Expr> sizes);
  llvm::FailureOr<rt::DType> dtype(mlir::Location loc, mlir::Type type);
  /// 0 or 1; nothing for what is not made of comparisons of sizes.
  std::optional<rt::Expr> truth(mlir::Value condition);
  rt::Expr index(mlir::Value value);
  rt::Expr index(mlir::OpFoldResult value);
  llvm::FailureOr<rt::Expr> affine(mlir::Location loc, mlir::AffineExpr expr,
                                   mlir::ValueRange operands, unsigned numDims);

  mlir::ModuleOp module;
  const ProgramOptions &options;
  rt::Program program;
  llvm::DenseMap<mlir::Value, rt::Expr> indices;
  llvm::DenseMap<mlir::Value, View> views;
  /// Allocations that are results, and which.
  llvm::DenseMap<mlir::Operation *, int> resultOf;
};

} // namespace flash

#endif // FLASH_LIB_TARGET_PLAN_PROGRAMBUILDER_H
