//===- EmitPTX.h - From kernels at L4 to PTX --------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_TARGET_EMITPTX_H
#define FLASH_TARGET_EMITPTX_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"

namespace flash {

/// The PTX of a module of kernels at L4, by LLVM's NVPTX back end; `bitcode`,
/// if given, receives the optimised LLVM IR as bitcode. Errors are reported at
/// the module.
llvm::FailureOr<std::string> emitPTX(mlir::gpu::GPUModuleOp kernels,
                                     llvm::StringRef target,
                                     std::string *bitcode = nullptr);

/// LLVM IR as text.
llvm::FailureOr<std::string> printBitcode(llvm::StringRef bitcode);

/// One PTX text of several: the header, and what several of them declare, stand
/// in it once.
std::string joinPTX(llvm::ArrayRef<std::string> texts);

/// What one gpu.module at L4 becomes.
struct KernelText {
  std::string bitcode; ///< the optimised LLVM IR
  std::string ptx;
};

/// The texts of each gpu.module of `host`, in order; side by side where the
/// context has threads. Errors are reported at the modules.
llvm::FailureOr<std::vector<KernelText>> emitKernels(mlir::ModuleOp host,
                                                     llvm::StringRef target);

/// Translations to LLVM IR that emitPTX needs.
void registerEmitPTXInterfaces(mlir::DialectRegistry &registry);

} // namespace flash

#endif // FLASH_TARGET_EMITPTX_H
