//===- CPUCode.h - From the LLVM dialect to an object file ------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_EXECUTIONENGINE_CPUCODE_H
#define FLASH_EXECUTIONENGINE_CPUCODE_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

namespace flash {

/// Registers LLVM's code generator for this machine, once.
void initializeCPU();

/// The name of the function of one argument, an array of pointers to those of
/// the C entry of `entry`.
std::string getPackedName(llvm::StringRef entry);

/// The LLVM IR of a module in the LLVM dialect, for a CPU by name, or for the
/// processor at hand: triple, data layout and, of a name, the attribute that
/// `llc` takes it from.
llvm::Expected<std::unique_ptr<llvm::Module>>
translateForCPU(mlir::ModuleOp module, llvm::LLVMContext &context,
                llvm::StringRef cpu);

/// The object code of a module in the LLVM dialect, by LLVM's optimizer and
/// code generator, for a CPU by name, or for the processor at hand. Has a
/// packed entry beside the C entry.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
generateCPUCode(mlir::ModuleOp module, llvm::StringRef entry,
                llvm::StringRef cpu, unsigned optLevel);

} // namespace flash

#endif // FLASH_EXECUTIONENGINE_CPUCODE_H
