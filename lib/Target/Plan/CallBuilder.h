//===- CallBuilder.h - Sizes of a call's tensors ----------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_TARGET_PLAN_CALLBUILDER_H
#define FLASH_LIB_TARGET_PLAN_CALLBUILDER_H

#include "ProgramBuilder.h"

#include "flash/Dialect/Flash/IR/Flash.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <optional>

namespace flash {

/// Sizes of tensors as expressions; ops that make none are left alone. A size
/// that depends on data, or on the iteration of a loop, is not known: nothing
/// is checked of it, and no result may have it.
class CallBuilder : public ProgramBuilder {
public:
  explicit CallBuilder(const ProgramOptions &options)
      : ProgramBuilder(mlir::ModuleOp(), options) {}

  llvm::FailureOr<rt::Program> run(mlir::func::FuncOp function);

private:
  using Size = std::optional<rt::Expr>;
  using Sizes = std::vector<Size>;

  mlir::LogicalResult visit(mlir::Operation *op);
  mlir::LogicalResult visitBlock(mlir::Block &block);
  void convertNumber(mlir::Operation *op);
  bool isKnown(mlir::Value index);

  mlir::LogicalResult visit(AttentionOp op);
  mlir::LogicalResult visit(AttentionBackwardOp op);
  mlir::LogicalResult visit(MergeOp op);
  mlir::LogicalResult visit(mlir::func::ReturnOp op);
  mlir::LogicalResult visit(mlir::tensor::EmptyOp op);
  mlir::LogicalResult visit(mlir::tensor::DimOp op);
  mlir::LogicalResult visit(mlir::tensor::CastOp op);
  // CallTensors.cpp
  mlir::LogicalResult visit(mlir::tensor::ExtractSliceOp op);
  mlir::LogicalResult visit(mlir::tensor::InsertSliceOp op);
  mlir::LogicalResult visit(AddSliceOp op);
  mlir::LogicalResult visit(mlir::tensor::ExpandShapeOp op);
  mlir::LogicalResult visit(mlir::tensor::CollapseShapeOp op);
  mlir::LogicalResult visit(mlir::tensor::ReshapeOp op);
  mlir::LogicalResult visit(mlir::tensor::ConcatOp op);
  mlir::LogicalResult visit(mlir::tensor::PadOp op);
  mlir::LogicalResult visit(mlir::linalg::LinalgOp op);
  mlir::LogicalResult visit(mlir::scf::ForOp op);
  mlir::LogicalResult visit(mlir::scf::ForallOp op);
  mlir::LogicalResult visit(mlir::scf::IfOp op);

  Sizes sizesOf(mlir::Value tensor);
  /// A size or offset, if a call can tell it before it runs.
  Size known(mlir::OpFoldResult value);
  Sizes known(llvm::ArrayRef<mlir::OpFoldResult> values);
  /// Checks that parts of a tensor lie within it.
  void checkSlice(const Sizes &whole, const Sizes &offsets,
                  const Sizes &strides, const Sizes &sizes);
  /// Binds the sizes of a value, and checks those that its type says.
  mlir::LogicalResult bind(mlir::Value value, Sizes sizes);
  /// Binds a result whose sizes are those of its type, and these.
  mlir::LogicalResult bindDynamic(mlir::Value result, mlir::ValueRange sizes);
  void check(rt::Check::Relation relation, const Size &lhs, const Size &rhs,
             const llvm::Twine &message);

  llvm::DenseMap<mlir::Value, Sizes> tensors;
};

} // namespace flash

#endif // FLASH_LIB_TARGET_PLAN_CALLBUILDER_H
