//===- IndexInterpreter.h - Runs the sizes of a program ---------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs what a program says of sizes and positions, and nothing else: index
// arithmetic, what it follows from (integers, floats), shapes of tensors,
// elements of tensors that are known. Analyses use it on L0 with the sizes of a
// call, and on the answers of masks, which are IR.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_ANALYSIS_INDEXINTERPRETER_H
#define FLASH_DIALECT_FLASH_ANALYSIS_INDEXINTERPRETER_H

#include "flash/Dialect/Flash/IR/Flash.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <memory>
#include <optional>
#include <vector>

namespace flash {

/// What is known of a value: a number, or the shape of a tensor and, where
/// they are known, its elements, row-major.
struct KnownValue {
  static KnownValue number(int64_t value) {
    KnownValue known;
    known.integer = value;
    return known;
  }
  static KnownValue floating(double value) {
    KnownValue known;
    known.real = value;
    return known;
  }
  static KnownValue
  tensor(llvm::ArrayRef<int64_t> shape,
         std::shared_ptr<const std::vector<int64_t>> elements = nullptr) {
    KnownValue known;
    known.shape.assign(shape.begin(), shape.end());
    known.elements = std::move(elements);
    return known;
  }

  std::optional<int64_t> integer;
  std::optional<double> real; ///< a float, of whatever type
  llvm::SmallVector<int64_t, 4> shape;
  std::shared_ptr<const std::vector<int64_t>> elements; ///< integers
  std::shared_ptr<const std::vector<double>> reals;     ///< floats
};

class IndexInterpreter {
public:
  /// Runs the body of a function on the sizes of a call. What cannot be told
  /// stays unknown; of other ops' tensors what types and destinations say is.
  llvm::LogicalResult run(mlir::func::FuncOp func,
                          llvm::ArrayRef<KnownValue> arguments);

  /// Runs the ops of a block up to its terminator. An op that is not understood
  /// is an error at the op.
  llvm::LogicalResult run(mlir::Block &block);

  void set(mlir::Value value, KnownValue known) {
    values[value] = std::move(known);
  }
  void set(mlir::Value value, int64_t number) {
    values[value].integer = number;
  }

  /// Null where nothing is known of the value.
  const KnownValue *find(mlir::Value value) const {
    auto it = values.find(value);
    return it == values.end() ? nullptr : &it->second;
  }
  std::optional<int64_t> number(mlir::Value value) const {
    const KnownValue *known = find(value);
    return known ? known->integer : std::nullopt;
  }
  /// A size or offset that is an attribute or a value.
  std::optional<int64_t> number(mlir::OpFoldResult value) const;

  /// Operations that have been run; those of loops of integers count less, as
  /// they take less.
  int64_t getWork() const { return work; }

private:
  llvm::LogicalResult visitAll(mlir::Block &block);
  llvm::LogicalResult visit(mlir::Operation *op);
  llvm::LogicalResult visitLoop(mlir::Operation *op);

  // Arithmetic.
  llvm::LogicalResult visitNumber(mlir::Operation *op);
  bool fold(mlir::Operation *op);
  mlir::Attribute toAttribute(mlir::Value value) const;
  bool setFrom(mlir::Value value, mlir::Attribute attribute);

  // Tensors.
  llvm::LogicalResult visitTensor(mlir::Operation *op);
  llvm::LogicalResult visitSlice(mlir::tensor::ExtractSliceOp slice);
  llvm::LogicalResult visitExtract(mlir::tensor::ExtractOp extract);
  std::optional<std::vector<int64_t>>
  findElements(mlir::tensor::ExtractSliceOp slice,
               llvm::ArrayRef<int64_t> shape) const;
  void takeShapes(mlir::Operation *op);

  llvm::DenseMap<mlir::Value, KnownValue> values;
  /// The innermost op at which the last run of a block failed.
  mlir::Operation *culprit = nullptr;
  int64_t work = 0;
};

} // namespace flash

#endif // FLASH_DIALECT_FLASH_ANALYSIS_INDEXINTERPRETER_H
