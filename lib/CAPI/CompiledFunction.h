//===- CompiledFunction.h - A function from a text --------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_CAPI_COMPILEDFUNCTION_H
#define FLASH_LIB_CAPI_COMPILEDFUNCTION_H

#include "Function.h"
#include "flash/Compiler/Executable.h"

namespace flash::capi {

/// A function that was compiled in this process, or found in its cache.
struct CompiledFunction : FlashFunction {
  const rt::CallPlan &plan() const override { return executable->plan(); }
  bool onDevice() const override { return executable->onDevice(); }
  rt::Status prepare() override { return executable->prepare(); }
  rt::Status launch(const rt::CallArgument *arguments,
                    const rt::CallArgument *results, rt::cuda::Stream stream,
                    const rt::Workspace *workspace) override {
    return executable->launch(arguments, results, stream, workspace);
  }
  rt::Result<std::string> getCode(const std::string &kind) override;
  rt::Result<std::string> getIOReport(const rt::CallArgument *arguments,
                                      bool json) override;

  std::string text, entry;
  CompileOptions options;
  // Members are destroyed last to first: the context outlives what is in it.
  // There is none for what came from the cache.
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::unique_ptr<Executable> executable;
};

/// The function of the text, in `module`.
rt::Result<mlir::func::FuncOp> parse(const CompiledFunction &function,
                                     mlir::MLIRContext &context,
                                     mlir::OwningOpRef<mlir::ModuleOp> &module);

/// The IR of a level, `L0` to `L4`, by compiling the text once more.
rt::Result<std::string> printLevel(const CompiledFunction &function,
                                   llvm::StringRef level);

} // namespace flash::capi

#endif // FLASH_LIB_CAPI_COMPILEDFUNCTION_H
