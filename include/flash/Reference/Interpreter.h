//===- Interpreter.h - Runs L0 on host arrays -------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs a function at L0 as it is written, op by op, with the reference's
// arithmetic. Or on shapes alone: that checks every constraint that only
// run-time sizes can break, tells the results' shapes, and counts the work,
// before anything is compiled or computed.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_REFERENCE_INTERPRETER_H
#define FLASH_REFERENCE_INTERPRETER_H

#include "flash/Reference/Attention.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <memory>
#include <variant>

namespace flash::reference {

/// What a tensor is at run time. In a run on shapes there is no array.
struct Tensor {
  rt::DType type = rt::DType::F32;
  std::vector<int64_t> shape;
  std::shared_ptr<const rt::Array> array;
  /// Of a gradient in f64: what its terms amount to where they do not cancel
  /// (AttentionBackward.h). Else null.
  std::shared_ptr<const rt::Array> magnitudes = nullptr;
  /// Of a gradient: rows of the queries that it is made from, else 0.
  int64_t queryRows = 0;

  /// A tensor of an array that the caller keeps alive.
  static Tensor view(const rt::Array &array);
};

/// A tensor, an index or integer, or a float.
using RuntimeValue = std::variant<Tensor, int64_t, double>;

/// What a run on shapes counts, over all attentions of the function.
struct Work {
  /// 2 (dqk + dv) for each pair of a query and a key that it sees.
  double flops = 0;
  /// The same without masks.
  double flopsUnmasked = 0;
};

struct ShapeRun {
  std::vector<RuntimeValue> results;
  Work work;
  /// False where the function has an op that the reference lacks, or data
  /// decide what it does: then nothing is said of results and work.
  bool isKnown = true;
};

/// Runs on shapes; `args` need no arrays. Counting work takes time that grows
/// with the lengths.
rt::Result<ShapeRun> runShapes(mlir::func::FuncOp func,
                               const std::vector<RuntimeValue> &args,
                               bool countWork = true);

/// Runs on arrays. `progress` is told the part that is done; `variant` is one
/// of the unfused computations (Options::variant).
rt::Result<std::vector<RuntimeValue>>
run(mlir::func::FuncOp func, const std::vector<RuntimeValue> &args,
    Arithmetic arithmetic, std::function<void(double)> progress = {},
    uint64_t variant = 0);

/// The runtime's name of an element type; an error for one it lacks.
rt::Result<rt::DType> convertElementType(mlir::Type type);

} // namespace flash::reference

#endif // FLASH_REFERENCE_INTERPRETER_H
