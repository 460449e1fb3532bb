//===- FunctionConverter.h - A function becomes host code -------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What FlashToTile.cpp (the host's code) and OutlineKernels.cpp (a kernel of
// each loop over tiles) share.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_CONVERSION_FLASHTOTILE_FUNCTIONCONVERTER_H
#define FLASH_LIB_CONVERSION_FLASHTOTILE_FUNCTIONCONVERTER_H

#include "flash/Dialect/Flash/IR/Flash.h"
#include "flash/Dialect/Tile/IR/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/SymbolTable.h"

namespace flash {

/// The memref that holds a tensor of the host: dense.
mlir::MemRefType denseType(mlir::Type tensor);

/// Whether a number is read from a tensor, in device memory, or made of one
/// that is.
bool isRead(mlir::Value value);

/// Turns one function into host code; kernels go to `kernels`.
class FunctionConverter {
public:
  FunctionConverter(mlir::func::FuncOp function, mlir::gpu::GPUModuleOp kernels,
                    mlir::SymbolTable &symbols, bool hideUnseen)
      : function(function), kernels(kernels), symbols(symbols),
        hideUnseen(hideUnseen), builder(function.getContext()) {}

  llvm::FailureOr<int64_t> run();

private:
  mlir::LogicalResult convert(mlir::Operation *op);
  mlir::LogicalResult outline(mlir::scf::ForallOp op);
  mlir::LogicalResult makeBody(mlir::scf::ForallOp op,
                               mlir::gpu::GPUFuncOp kernel,
                               llvm::ArrayRef<mlir::Value> captures,
                               llvm::ArrayRef<mlir::Value> arguments,
                               int64_t warps);
  llvm::FailureOr<mlir::Value> allocateResult(mlir::scf::ForallOp op,
                                              mlir::OpOperand &init);
  mlir::memref::GlobalOp globalOf(mlir::arith::ConstantOp constant);

  mlir::func::FuncOp function;
  mlir::gpu::GPUModuleOp kernels;
  mlir::SymbolTable &symbols;
  bool hideUnseen;
  mlir::OpBuilder builder;
  /// Tensors of the function to memrefs.
  llvm::DenseMap<mlir::Value, mlir::Value> memrefs;
  /// Constant tensors to what holds them beside the kernels.
  llvm::DenseMap<mlir::Value, mlir::memref::GlobalOp> globals;
  llvm::SmallVector<mlir::Operation *> converted;
  int64_t numKernels = 0;
};

} // namespace flash

#endif // FLASH_LIB_CONVERSION_FLASHTOTILE_FUNCTIONCONVERTER_H
