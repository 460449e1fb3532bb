//===- CPUInfo.h - CPUs by name ---------------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `cpu:x86-64-v3`, `cpu:znver4`, ...: what is compiled for such a target does
// not depend on the machine that compiles it. `cpu` is that machine.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_TARGET_CPUINFO_H
#define FLASH_TARGET_CPUINFO_H

#include "flash/Dialect/Flash/IR/Flash.h"
#include "llvm/ADT/StringRef.h"

namespace flash {

/// The description of a CPU by LLVM's name for it (-mcpu, -march), without
/// `cpu:`: what its features say of vector registers, and the caches and cores
/// of the usual one. An unknown name is an error that lists those there are.
llvm::FailureOr<TargetAttr>
getNamedCPUTarget(mlir::MLIRContext *context, llvm::StringRef name,
                  llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

/// The description of the machine that this runs on: what LLVM detects of its
/// vector registers, and what the operating system says of caches and cores. If
/// $FLASH_HOST_CPU names a CPU, caches, cores and registers are that one's, so
/// that tests can look for what depends on them.
TargetAttr getHostCPUTarget(mlir::MLIRContext *context);

/// An error if $FLASH_HOST_CPU is no CPU's name.
llvm::LogicalResult
checkHostCPU(llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

/// LLVM's names of 64-bit CPUs of the architecture that this runs on, those of
/// the levels of x86-64 first.
llvm::SmallVector<llvm::StringRef> getCPUNames();

/// The features of a named CPU that code for it may use and that the processor
/// at hand lacks. Empty for the host (no name), and where all are there.
llvm::SmallVector<std::string> findMissingFeatures(llvm::StringRef name);

/// The CPU whose features the code of a target uses: a name; or, empty, the
/// processor at hand. Of `cpu` with $FLASH_HOST_CPU it is that CPU if code for
/// it runs here.
llvm::StringRef getCodeCPU(TargetAttr target);

} // namespace flash

#endif // FLASH_TARGET_CPUINFO_H
