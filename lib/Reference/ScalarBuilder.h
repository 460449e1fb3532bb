//===- ScalarBuilder.h - Makes the steps of a body --------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each op of a region becomes a step on the slots of its operands and results:
// functions of numbers in ScalarBody.cpp, what has blocks of others in
// ScalarControl.cpp, tensors and affine maps in ScalarTensors.cpp.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_REFERENCE_SCALARBUILDER_H
#define FLASH_LIB_REFERENCE_SCALARBUILDER_H

#include "ScalarBody.h"
#include "ScalarOps.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace flash::reference {

/// Rounds a float to its type.
double roundTo(mlir::Type type, double x);

/// Makes the steps of a body.
struct ScalarBody::Builder {
  Builder(ScalarBody &body, bool rounds, bool slopes = false)
      : body(body), rounds(rounds), slopes(slopes) {}

  int64_t slot(mlir::Value value) {
    auto [it, isNew] = slots.try_emplace(value, body.initial.size());
    if (isNew)
      body.initial.emplace_back();
    return it->second;
  }
  /// A step whose float result is rounded to the result's type.
  void addReal(mlir::Operation *op,
               std::function<double(const Slot *)> compute) {
    int64_t to = slot(op->getResult(0));
    mlir::Type type = op->getResult(0).getType();
    body.steps.push_back([=, rounds = rounds](Slot *s) {
      double value = compute(s);
      s[to].real = rounds ? roundTo(type, value) : value;
    });
  }
  /// A step that finds the slopes of the results of an op on floats; false if
  /// the op has none.
  bool addSlopes(mlir::Operation *op);
  void addInteger(mlir::Operation *op,
                  std::function<int64_t(const Slot *)> compute) {
    int64_t to = slot(op->getResult(0));
    unsigned width = widthOf(op->getResult(0).getType());
    body.steps.push_back(
        [=](Slot *s) { s[to].integer = wrap(width, compute(s)); });
  }
  /// What a value from outside of the region is.
  void bind(mlir::Value value, const RuntimeValue &known);
  /// All ops of the block; an error names one that is not known.
  rt::Status addAll(mlir::Block &block);
  bool add(mlir::Operation *op);
  bool addConversion(mlir::Operation *op);
  bool addExtract(mlir::tensor::ExtractOp op);
  bool addFloat(mlir::Operation *op, llvm::ArrayRef<int64_t> in);
  bool addBitcast(mlir::arith::BitcastOp op);
  bool addMade(mlir::tensor::FromElementsOp op);
  bool addDense(mlir::arith::ConstantOp op);
  bool addWide(mlir::Operation *op, llvm::ArrayRef<int64_t> in);
  using AffineStep = std::function<int64_t(const Slot *)>;
  /// The least of a map's results, or the largest.
  static AffineStep affineStep(mlir::AffineMap map, llvm::ArrayRef<int64_t> in,
                               bool largest);
  bool addAffine(mlir::Operation *op, mlir::AffineMap map,
                 llvm::ArrayRef<int64_t> in);
  /// Branches and loops: an op that has blocks of others.
  bool addControl(mlir::Operation *op);
  bool addIf(mlir::scf::IfOp op);
  bool addCounted(mlir::LoopLikeOpInterface op, mlir::Block &block,
                  AffineStep lower, AffineStep upper, AffineStep by);
  bool addFor(mlir::scf::ForOp op);
  bool addFor(mlir::affine::AffineForOp op);
  bool addWhile(mlir::scf::WhileOp op);
  bool addSwitch(mlir::scf::IndexSwitchOp op);
  bool addRegion(mlir::scf::ExecuteRegionOp op);
  /// Whether an op copies slopes with its values.
  static bool isControl(mlir::Operation *op);
  /// The steps of a block within, and the slots of what it yields.
  std::optional<std::vector<Step>>
  nested(mlir::Block &block, llvm::SmallVectorImpl<int64_t> &yielded);

  /// The first op that is not known, or whose slope is not.
  mlir::Operation *unknown = nullptr;
  bool withoutSlope = false;
  ScalarBody &body;
  bool rounds, slopes;
  llvm::DenseMap<mlir::Value, int64_t> slots;
  llvm::DenseMap<mlir::Value, Tensor> tensors;
  /// Which capture a value is.
  llvm::DenseMap<mlir::Value, int64_t> numbers;
  /// Tensors that the body makes of numbers.
  llvm::DenseMap<mlir::Value, llvm::SmallVector<int64_t>> made;
};

} // namespace flash::reference

#endif // FLASH_LIB_REFERENCE_SCALARBUILDER_H
