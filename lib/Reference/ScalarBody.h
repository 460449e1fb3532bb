//===- ScalarBody.h - Runs score and mask regions ---------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A region of scalars as a list of steps on slots, run once for an element.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_REFERENCE_SCALARBODY_H
#define FLASH_LIB_REFERENCE_SCALARBODY_H

#include "flash/Reference/Interpreter.h"

#include <mutex>

namespace flash::reference {

class ScalarBody {
public:
  /// Prepares a score or mask region. `captures` are what its last block
  /// arguments are; arrays must outlive the body. Floats are of the
  /// arithmetic's type. An op that is not known is an error that names it.
  static rt::Result<std::shared_ptr<const ScalarBody>>
  get(mlir::Region &region, llvm::ArrayRef<RuntimeValue> captures,
      Arithmetic arithmetic);

  /// Of a mask region.
  bool isVisible(const Element &element) const {
    return run(element, nullptr).integer != 0;
  }
  /// Of a score region.
  double score(double score, const Element &element) const {
    return run(element, &score).real;
  }
  /// What went wrong in any run: a capture read outside of its shape.
  rt::Status status() const;

private:
  struct Slot {
    int64_t integer = 0;
    double real = 0;
  };
  using Step = std::function<void(Slot *)>;
  struct Builder;

  Slot run(const Element &element, const double *score) const;
  void fail(const std::string &message) const;

  std::vector<Step> steps;
  std::vector<Slot> initial; ///< constants and captured numbers
  int64_t firstIndex = 0;    ///< slot of the batch; 1 after a score
  int64_t result = 0;
  mutable std::mutex mutex;
  mutable std::string failure;
};

} // namespace flash::reference

#endif // FLASH_LIB_REFERENCE_SCALARBODY_H
