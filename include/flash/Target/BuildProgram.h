//===- BuildProgram.h - From host function to launch plan -------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_TARGET_BUILDPROGRAM_H
#define FLASH_TARGET_BUILDPROGRAM_H

#include "flash/Runtime/Plan.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace flash {

struct ProgramOptions {
  /// The host function; empty: the only one that there is.
  std::string entry;
  /// What the kernels were compiled for, and their code (PTX or cubin): of each
  /// gpu.module, in order, or one of all.
  std::string target;
  std::vector<std::string> images;
};

/// The launch plan of a host function at L3 or L4. Kernels are looked at for
/// their number of threads and shared memory. Errors are reported at the op
/// that a plan cannot have.
llvm::FailureOr<rt::Program> buildProgram(mlir::ModuleOp module,
                                          const ProgramOptions &options);

/// What a call of a function at L0 must satisfy, and the sizes of its results:
/// a program that launches nothing. flash-insert-checks has run on it.
llvm::FailureOr<rt::Program> buildCallProgram(mlir::func::FuncOp function);

} // namespace flash

#endif // FLASH_TARGET_BUILDPROGRAM_H
