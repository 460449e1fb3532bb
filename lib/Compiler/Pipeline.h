//===- Pipeline.h - Timed, verified steps of a compilation ------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_COMPILER_PIPELINE_H
#define FLASH_LIB_COMPILER_PIPELINE_H

#include "flash/Compiler/Executable.h"
#include "flash/Dialect/Flash/IR/Flash.h"

#include "mlir/Pass/PassManager.h"

#include <chrono>

namespace flash::compiler {

/// A module on its way through the levels.
class Pipeline {
public:
  Pipeline(mlir::OwningOpRef<mlir::ModuleOp> module,
           const CompileOptions &options, TargetAttr target)
      : module(std::move(module)), options(options), target(target) {}

  /// Runs the passes that `build` adds, verifies that the result is at `level`,
  /// and shows it to the caller.
  rt::Status lower(llvm::StringRef level,
                   llvm::function_ref<void(mlir::OpPassManager &)> build);

  /// The same without a level: runs the passes of a stage on any module.
  static rt::Status
  runPasses(mlir::ModuleOp module, const CompileOptions &options,
            llvm::function_ref<void(mlir::OpPassManager &)> build,
            const DiagnosticCollector &diagnostics, const llvm::Twine &failure);

  /// Runs and times something that is not a pass.
  rt::Status time(llvm::StringRef name, llvm::function_ref<rt::Status()> run);

  mlir::OwningOpRef<mlir::ModuleOp> module;
  const CompileOptions &options;
  TargetAttr target;
  std::vector<StageTime> stages;
  std::vector<std::string> remarks;
};

/// The attribute's text, as pass options have it.
std::string toString(mlir::Attribute attribute);

/// From L2 to code, called as `call` says.
rt::Result<std::unique_ptr<Executable>> compileForCPU(Pipeline &pipeline,
                                                      rt::Program call);
/// From L2 to code; the launch plan is given the signature's names.
rt::Result<std::unique_ptr<Executable>> compileForGPU(Pipeline &pipeline,
                                                      rt::Signature signature);

} // namespace flash::compiler

#endif // FLASH_LIB_COMPILER_PIPELINE_H
