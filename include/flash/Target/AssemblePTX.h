//===- AssemblePTX.h - From PTX to cubins -----------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_TARGET_ASSEMBLEPTX_H
#define FLASH_TARGET_ASSEMBLEPTX_H

#include "flash/Runtime/Status.h"

#include "llvm/ADT/StringRef.h"

#include <string>

namespace flash {

/// What an assembler makes of PTX.
struct AssembledPTX {
  std::string cubin;
  std::string log; ///< what it says (with -v: registers, spills, shared memory)
};

/// Assembles PTX with ptxas: $FLASH_PTXAS, else one on the PATH, else
/// /usr/local/cuda/bin/ptxas, else the one that `setToolPath` named. Where
/// there is none (or FLASH_PTXAS is empty), with nvJitLink: $FLASH_NVJITLINK,
/// else the one that this process has loaded, that `setToolPath` named, or that
/// the loader finds. wgmma that the assembler had to serialise is an error.
rt::Status assemblePTX(llvm::StringRef ptx, llvm::StringRef target,
                       AssembledPTX &made);
/// The same with the ptxas at this path.
rt::Status assembleWithPtxas(llvm::StringRef ptxas, llvm::StringRef ptx,
                             llvm::StringRef target, AssembledPTX &made);

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

} // namespace flash

#endif // FLASH_TARGET_ASSEMBLEPTX_H
