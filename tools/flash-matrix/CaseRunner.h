//===- CaseRunner.h - Compiles one kernel and checks its calls --*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_TOOLS_FLASHMATRIX_CASERUNNER_H
#define FLASH_TOOLS_FLASHMATRIX_CASERUNNER_H

#include "Matrix.h"

#include "flash/Reference/CheckCall.h"
#include "flash/Runtime/Cuda.h"

namespace flash::matrix {

/// What came of a call.
struct CaseResult {
  /// Why it failed; empty when it passed.
  std::string failure;
  /// The largest error as a part of its limit, and the result that has it. A
  /// failure with less than 1 has no tolerance: a NaN, a crash.
  double part = 0;
  std::string partOf;
};

/// The name of a result, and how it is judged.
std::pair<std::string, reference::ResultKind>
describeResult(const Kernel &kernel, size_t index);

/// One kernel in a context of its own.
class CaseRunner {
public:
  /// Both outlive it.
  CaseRunner(const Kernel &kernel, const MatrixOptions &options)
      : kernel(kernel), options(options) {}

  /// Once, before anything is run.
  rt::Status compile();

  CaseResult run(const Shape &shape);

private:
  struct Operands;
  std::vector<std::vector<int64_t>> inputShapes(const Shape &shape) const;
  rt::Status addInput(rt::Array array, Operands &operands) const;
  rt::Status makeOperands(const Shape &shape, Operands &operands) const;
  rt::Status addResultGradients(const Shape &shape, uint64_t seed,
                                Operands &operands) const;
  rt::Result<std::optional<rt::cuda::DeviceBuffer>>
  makeWorkspace(const Operands &operands) const;
  rt::Status launchOnce(const Operands &operands,
                        const std::vector<rt::Argument> &results,
                        std::optional<rt::cuda::DeviceBuffer> &memory);
  rt::Status launch(const Operands &operands,
                    const reference::CheckedCall &like,
                    std::vector<rt::Array> &first);
  rt::Status check(const Shape &shape, CaseResult &result);

  const Kernel &kernel;
  const MatrixOptions &options;
  const rt::cuda::Driver *cuda = nullptr; ///< of targets on a device
  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp func, forward;
  CompileOptions compileOptions;
  std::unique_ptr<Executable> executable;
};

} // namespace flash::matrix

#endif // FLASH_TOOLS_FLASHMATRIX_CASERUNNER_H
