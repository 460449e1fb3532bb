//===- ScalarBody.h - Runs score and mask regions ---------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A region of scalars as a list of steps on slots, run once for an element: a
// score or mask region, or the body of a linalg op.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_REFERENCE_SCALARBODY_H
#define FLASH_LIB_REFERENCE_SCALARBODY_H

#include "flash/Reference/Interpreter.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <mutex>

namespace flash::reference {

class ScalarBody {
public:
  struct Slot {
    int64_t integer = 0;
    double real = 0;
    /// In a body with slopes, the derivative of `real` by the score.
    double slope = 0;
  };

  /// Prepares a score or mask region. `captures` are what its last block
  /// arguments are; arrays must outlive the body. Floats are of the
  /// arithmetic's type. An op that is not known is an error that names it.
  /// With slopes, derivatives by the first argument are computed beside.
  static rt::Result<std::shared_ptr<const ScalarBody>>
  get(mlir::Region &region, llvm::ArrayRef<RuntimeValue> captures,
      Arithmetic arithmetic, bool slopes = false);

  /// Prepares the body of a linalg op. `around` gives values that it reads from
  /// outside.
  static rt::Result<std::shared_ptr<const ScalarBody>>
  getLinalg(mlir::linalg::LinalgOp op,
            llvm::function_ref<const RuntimeValue &(mlir::Value)> around,
            Arithmetic arithmetic);

  /// Prepares a single op without regions on numbers, whose operands are the
  /// elements and whose results it yields; null if it is not known.
  static std::shared_ptr<const ScalarBody> getOp(mlir::Operation *op,
                                                 Arithmetic arithmetic);

  /// Of a linalg op: what it yields of one element of each operand, at the
  /// loops' indices.
  void run(llvm::ArrayRef<Slot> elements, llvm::ArrayRef<int64_t> loops,
           llvm::SmallVectorImpl<Slot> &yielded) const;
  /// Of a mask region.
  bool isVisible(const Element &element) const {
    return run(element, nullptr).integer != 0;
  }
  /// Of a score region.
  double score(double score, const Element &element) const {
    return run(element, &score).real;
  }
  /// The same, and its derivative, of a body with slopes.
  std::pair<double, double> scoreWithSlope(double score,
                                           const Element &element) const {
    Slot result = run(element, &score);
    return {result.real, result.slope};
  }
  /// The captures that the region reads for an element, by their number, and
  /// the derivative in each element that it reads, of a body with slopes.
  std::vector<ReadSlope> readSlopes(double score, const Element &element) const;
  /// An element as a slot has it.
  static Slot read(const rt::Array &array, int64_t index);
  static void write(rt::Array &array, int64_t index, const Slot &slot);

  /// What went wrong in any run: a capture read outside of its shape.
  rt::Status status() const;

private:
  using Step = std::function<void(Slot *)>;
  struct Builder;

  /// What one run of a body reads of its captures: noted, or with a slope of 1
  /// in one element.
  struct Reads {
    std::vector<std::pair<int64_t, int64_t>> all;
    std::optional<std::pair<int64_t, int64_t>> wrt;
  };
  /// Of the run that this thread is in; null if nobody asks.
  static thread_local Reads *reads;

  Slot run(const Element &element, const double *score,
           bool byScore = true) const;
  void fail(const std::string &message) const;

  std::vector<Step> steps;
  std::vector<Slot> initial; ///< constants and captured numbers
  int64_t firstIndex = 0;    ///< slot of the batch, 1 after a score; or loop 0
  std::vector<int64_t> results;
  mutable std::mutex mutex;
  mutable std::string failure;
};

/// The elements of a constant.
rt::Result<rt::Array> toArray(mlir::DenseElementsAttr elements);

} // namespace flash::reference

#endif // FLASH_LIB_REFERENCE_SCALARBODY_H
