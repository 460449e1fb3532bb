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
struct KernelCode {
  std::string bitcode; ///< the optimised LLVM IR
  std::string ptx;
  std::string cubin; ///< empty where it is not assembled
  std::string log;   ///< what the assembler says
};

struct CompiledKernels {
  std::vector<KernelCode> modules; ///< in the order of the gpu.modules
  /// The time for all, as the two steps of each share it.
  double emitMilliseconds = 0, assembleMilliseconds = 0;
};

/// PTX of each gpu.module of `host`, and a cubin for `assembleFor` unless it is
/// empty or there is no assembler for one of them; side by side where the
/// context has threads. Errors are reported at the modules.
llvm::FailureOr<CompiledKernels> compileKernels(mlir::ModuleOp host,
                                                llvm::StringRef target,
                                                llvm::StringRef assembleFor);

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
