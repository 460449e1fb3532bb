//===- IndexInterpreter.h - Runs the sizes of a program ---------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs what a program says of sizes and positions, and nothing else: index
// arithmetic, shapes of tensors, elements of integer tensors that are known.
// Analyses use it on L0 with the sizes of a call, and on the answers of masks,
// which are IR.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_ANALYSIS_INDEXINTERPRETER_H
#define FLASH_DIALECT_FLASH_ANALYSIS_INDEXINTERPRETER_H

#include "flash/Dialect/Flash/IR/Flash.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <memory>
#include <optional>
#include <vector>

namespace flash {

/// What is known of a value: a number, or the shape of a tensor and, where
/// they are known, its elements (integers, row-major).
struct KnownValue {
  static KnownValue number(int64_t value) {
    KnownValue known;
    known.integer = value;
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
  llvm::SmallVector<int64_t, 4> shape;
  std::shared_ptr<const std::vector<int64_t>> elements;
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

private:
  llvm::LogicalResult visitAll(mlir::Block &block);
  llvm::LogicalResult visit(mlir::Operation *op);
  llvm::LogicalResult visitTensor(mlir::Operation *op);
  std::shared_ptr<const std::vector<int64_t>>
  sliceElements(mlir::tensor::ExtractSliceOp slice) const;
  llvm::LogicalResult visitLoop(mlir::Operation *op);
  bool fold(mlir::Operation *op);
  void takeShapes(mlir::Operation *op);

  llvm::DenseMap<mlir::Value, KnownValue> values;
  /// The innermost op at which the last run of a block failed.
  mlir::Operation *culprit = nullptr;
};

} // namespace flash

#endif // FLASH_DIALECT_FLASH_ANALYSIS_INDEXINTERPRETER_H
