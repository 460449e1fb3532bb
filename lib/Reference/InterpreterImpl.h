//===- InterpreterImpl.h - The visitor that runs L0 -------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One visitor for three runs: shapes, f64, and unfused.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_REFERENCE_INTERPRETERIMPL_H
#define FLASH_LIB_REFERENCE_INTERPRETERIMPL_H

#include "flash/Dialect/Flash/IR/Flash.h"
#include "flash/Reference/Interpreter.h"

#include "ScalarBody.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace flash::reference {

/// `file:line:column: 'op': message`.
rt::Status errorAt(mlir::Operation *op, const std::string &message);

ScalarBody::Slot toSlot(const RuntimeValue &value);
RuntimeValue fromSlot(const ScalarBody::Slot &slot, mlir::Type type);

class Interpreter {
public:
  /// Without an arithmetic, shapes alone.
  Interpreter(std::optional<Arithmetic> arithmetic,
              std::function<void(double)> progress)
      : arithmetic(arithmetic), progress(std::move(progress)) {}

  rt::Result<std::vector<RuntimeValue>>
  run(mlir::func::FuncOp func, const std::vector<RuntimeValue> &args);

  Work work;
  bool countWork = true;
  /// Of the attentions in Unfused arithmetic (Options::variant).
  uint64_t variant = 0;
  /// A run on shapes met what it does not know: an op, or a number that data
  /// decides. What follows of it may not be so.
  bool guessed = false;

private:
  rt::Status visit(mlir::Operation *op);
  rt::Status visit(AttentionOp op);
  rt::Status visit(AttentionBackwardOp op);
  rt::Status visit(MergeOp op);
  rt::Result<Sizes> sizesOf(AttentionOpInterface op);
  rt::Status checkOperandShapes(AttentionOpInterface op, const Sizes &sizes);
  Sequences sequencesOf(AttentionOpInterface op);
  rt::Status
  setFunctions(AttentionOpInterface op, Options &options, bool withSlopes,
               std::vector<std::shared_ptr<const ScalarBody>> &bodies);
  rt::Status setOptions(AttentionOpInterface op, Options &options,
                        bool withSlopes,
                        std::vector<std::shared_ptr<const ScalarBody>> &bodies);
  void count(AttentionOpInterface op, const Sizes &sizes, Options &options,
             double perPair);
  rt::Status visit(mlir::tensor::ExtractSliceOp op);
  rt::Status visit(mlir::tensor::EmptyOp op);
  rt::Status visit(mlir::tensor::DimOp op);
  rt::Status visit(mlir::tensor::CastOp op);
  rt::Status visit(mlir::tensor::ExpandShapeOp op);
  rt::Status visit(mlir::tensor::CollapseShapeOp op);
  rt::Status visit(mlir::tensor::ReshapeOp op);
  rt::Status visit(mlir::tensor::ExtractOp op);
  rt::Status visit(mlir::tensor::InsertOp op);
  rt::Status visit(mlir::tensor::InsertSliceOp op);
  rt::Status visit(mlir::tensor::ConcatOp op);
  rt::Status visit(mlir::tensor::FromElementsOp op);
  rt::Status visit(mlir::tensor::SplatOp op);
  rt::Status visit(mlir::tensor::PadOp op);
  rt::Status visit(mlir::tensor::GenerateOp op);
  rt::Status visit(mlir::scf::ForOp op);
  rt::Status visit(mlir::scf::IfOp op);
  rt::Status visit(mlir::scf::WhileOp op);
  rt::Status visit(mlir::scf::ParallelOp op);
  rt::Status visit(mlir::scf::IndexSwitchOp op);
  rt::Status visit(mlir::scf::ExecuteRegionOp op);
  rt::Status visit(mlir::affine::AffineForOp op);
  rt::Status visit(mlir::linalg::SoftmaxOp op);
  rt::Status visit(mlir::linalg::LinalgOp op);
  rt::Status visit(mlir::cf::AssertOp op);
  rt::Status visit(mlir::arith::ConstantOp op);
  rt::Status visit(mlir::arith::CmpIOp op);
  rt::Status visit(mlir::scf::ForallOp op);
  rt::Status visit(AddSliceOp op);
  /// What a parallel loop has combined so far.
  using Outputs = llvm::DenseMap<mlir::Value, std::shared_ptr<rt::Array>>;
  rt::Status visitIteration(mlir::scf::ForallOp op,
                            llvm::ArrayRef<int64_t> point, Outputs &outputs);
  /// Writes the op's source to its slice of `dest`, or adds it there.
  template <typename OpT>
  rt::Status writeSlice(OpT op, rt::Array &dest, bool add);
  rt::Status visitAffine(mlir::Operation *op, mlir::AffineMap map);
  rt::Status visitNumber(mlir::Operation *op);
  rt::Status visitDense(mlir::arith::ConstantOp op);
  rt::Status visitResource(mlir::arith::ConstantOp op);
  /// An op on numbers, as a region may hold it.
  rt::Status visitScalars(mlir::Operation *op);
  /// An op on each element of tensors.
  rt::Status visitElements(mlir::Operation *op);
  /// A loop from `begin` to `end`.
  rt::Status visitRange(mlir::LoopLikeOpInterface op, int64_t begin,
                        int64_t end, int64_t step);
  /// The one block of a region, which gives the op's results.
  rt::Status visitTaken(mlir::Operation *op, mlir::Region &taken);
  std::vector<RuntimeValue> take(mlir::ValueRange from);
  void give(mlir::ValueRange to, const std::vector<RuntimeValue> &taken);
  /// An error that says that the reference lacks something, not that the call
  /// is wrong.
  rt::Status notKnown(mlir::Operation *op) {
    guessed = true;
    return errorAt(op, "is not an operation that the reference can run");
  }
  /// The ops of a block, up to its terminator.
  rt::Status visitBlock(mlir::Block &block);
  /// A tensor whose elements `at` gives, in order.
  rt::Status build(mlir::Value result, std::vector<int64_t> shape,
                   llvm::function_ref<RuntimeValue(int64_t)> at);
  /// A copy of a tensor to write into, in the arithmetic's type.
  rt::Result<rt::Array> copyOf(const Tensor &tensor);
  /// The elements of `source`, in order, as a tensor of another shape.
  rt::Status reshape(mlir::Value result, const Tensor &source,
                     std::vector<int64_t> shape);
  rt::Result<std::vector<int64_t>> loopSizes(mlir::linalg::LinalgOp op);

  const Tensor &tensor(mlir::Value value) {
    return std::get<Tensor>(values[value]);
  }
  int64_t integer(mlir::Value value) {
    return std::get<int64_t>(values[value]);
  }
  /// A size, offset or bound that is an attribute or a value.
  int64_t integer(mlir::OpFoldResult value) {
    if (std::optional<int64_t> constant = mlir::getConstantIntValue(value))
      return *constant;
    return integer(mlir::cast<mlir::Value>(value));
  }

  /// Binds a tensor result, whose type's static sizes must be the shape's.
  rt::Status bind(mlir::Value result, Tensor tensor);
  rt::Status bind(mlir::Value result, rt::Array array, mlir::Type element);
  rt::Status bind(mlir::Value result, int64_t value) {
    values[result] = value;
    return rt::Status::success();
  }
  /// Binds `result` to what `value` has.
  void bindAs(mlir::Value result, mlir::Value value) {
    // A copy: a new entry may move the others.
    RuntimeValue copy = values[value];
    values[result] = std::move(copy);
  }
  rt::Status bindShape(mlir::Value result, std::vector<int64_t> shape);

  std::optional<Arithmetic> arithmetic;
  std::function<void(double)> progress;
  int64_t attentions = 0, attentionsDone = 0;
  llvm::DenseMap<mlir::Value, RuntimeValue> values;
};

} // namespace flash::reference

#endif // FLASH_LIB_REFERENCE_INTERPRETERIMPL_H
