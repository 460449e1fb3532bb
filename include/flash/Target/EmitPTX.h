//===- EmitPTX.h - From kernels at L4 to PTX and cubins ---------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_TARGET_EMITPTX_H
#define FLASH_TARGET_EMITPTX_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/DialectRegistry.h"

namespace flash {

/// The PTX of a module of kernels at L4, by LLVM's NVPTX back end; `llvmIR`, if
/// given, receives the optimised LLVM IR. Errors are reported at the module.
llvm::FailureOr<std::string> emitPTX(mlir::gpu::GPUModuleOp kernels,
                                     llvm::StringRef target,
                                     std::string *llvmIR = nullptr);

/// Assembles PTX with ptxas: $FLASH_PTXAS, else one on the PATH, else
/// /usr/local/cuda/bin/ptxas, else the one that `setToolPath` named. Where
/// there is none (or FLASH_PTXAS is empty), with nvJitLink: $FLASH_NVJITLINK,
/// else the one that this process has loaded, that `setToolPath` named, or that
/// the loader finds. `log` receives what it says (with -v: registers, spills,
/// shared memory). On failure `error` says what went wrong; wgmma that the
/// assembler had to serialise is a failure.
llvm::FailureOr<std::string> assemblePTX(llvm::StringRef ptx,
                                         llvm::StringRef target,
                                         std::string &log, std::string &error);

/// The path of the ptxas or libnvJitLink.so that assemblePTX uses; empty if
/// there is neither.
std::string findAssembler();
/// `ptxas PATH`, `nvJitLink PATH`, or `driver` where assembly is left to that:
/// where neither is found, and of kernels with wgmma or setmaxnreg where there
/// is no ptxas (nvJitLink makes relocatable code, for which both are undone).
std::string describeAssembler(llvm::StringRef ptx);
/// Whether assemblePTX has an assembler for this.
bool hasAssembler(llvm::StringRef ptx);
/// Where a host has `ptxas` or `nvJitLink` (a wheel of Python's); false for
/// other tools.
bool setToolPath(llvm::StringRef tool, llvm::StringRef path);

/// Translations to LLVM IR that emitPTX needs.
void registerEmitPTXInterfaces(mlir::DialectRegistry &registry);

} // namespace flash

#endif // FLASH_TARGET_EMITPTX_H
