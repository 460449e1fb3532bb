//===- CheckCall.h - The results of a call, judged --------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One unfused computation may have luck: where a sum cancels, where there are
// few roundings, where a score lies so near to a kink of its function that f32
// may take either side. So a result that is above its limit (Check.h) is
// compared with more unfused computations of the same call, as exact and with
// other roundings, and has to be within the limit of the worst of them.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_REFERENCE_CHECKCALL_H
#define FLASH_REFERENCE_CHECKCALL_H

#include "flash/Reference/Check.h"
#include "flash/Reference/Interpreter.h"

namespace flash::reference {

class CheckedCall {
public:
  /// Told what is computed, and the part of it that is done.
  using Progress = std::function<void(const std::string &what, double part)>;

  /// Computes the f64 reference and the unfused results. `args` stay the
  /// caller's, as does what their tensors view.
  static rt::Result<CheckedCall> create(mlir::func::FuncOp func,
                                        std::vector<RuntimeValue> args,
                                        Progress progress = {});

  const Tensor &exact(size_t index) const {
    return std::get<Tensor>(truth[index]);
  }
  /// A result of the type and shape that the function's has.
  const Tensor &unfused(size_t index) const {
    return std::get<Tensor>(plain[index]);
  }
  size_t numResults() const { return plain.size(); }

  /// Judges `array` as result `index`.
  rt::Result<Verdict> judge(size_t index, const rt::Array &array,
                            ResultKind kind, rt::DType inputType,
                            bool nanAsReference = false);

private:
  CheckedCall() = default;
  rt::Result<std::vector<RuntimeValue>>
  run(Arithmetic arithmetic, uint64_t variant, const std::string &what) const;
  Errors measured(size_t index, const std::vector<RuntimeValue> &results) const;

  mlir::func::FuncOp func;
  std::vector<RuntimeValue> args, truth, plain;
  Progress progress;
  /// Of each further unfused computation, the errors of each result.
  std::vector<std::vector<Errors>> variants;
};

} // namespace flash::reference

#endif // FLASH_REFERENCE_CHECKCALL_H
