//===- CPUKernel.h - Compile a function and call it here --------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_EXECUTIONENGINE_CPUKERNEL_H
#define FLASH_EXECUTIONENGINE_CPUKERNEL_H

#include "flash/Pipelines/CPUPipeline.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>

namespace llvm::orc {
class LLJIT;
} // namespace llvm::orc

namespace flash {

/// An argument of a kernel: a dense row-major tensor in the caller's memory, or
/// a number.
struct KernelArgument {
  static KernelArgument tensor(void *data, llvm::ArrayRef<int64_t> shape) {
    return {data, llvm::SmallVector<int64_t>(shape), 0};
  }
  static KernelArgument index(int64_t value) { return {nullptr, {}, value}; }

  void *data;
  llvm::SmallVector<int64_t> shape;
  int64_t number;
};

/// A function of a module, compiled for the machine at hand, or for another one
/// to look at.
///
///   auto kernel = CPUKernel::compile(module, "attention", options);
///   (*kernel)->invoke({tensor(q, ...), tensor(k, ...), tensor(v, ...)},
///                     {tensor(o, ...)});
///
/// Calls may come from several threads at once.
class CPUKernel {
public:
  /// Runs the pipeline on `module`, which is at L0, L1 or L2 and is the LLVM
  /// dialect afterwards, and compiles it. Failures are diagnostics of the
  /// module's context.
  static llvm::FailureOr<std::unique_ptr<CPUKernel>>
  compile(mlir::ModuleOp module, llvm::StringRef entry,
          const CPUPipelineOptions &options);

  /// Compiles a module that is in the LLVM dialect by the pipeline; `type` is
  /// what the entry's was before. `cpu` is LLVM's name of a CPU, whose features
  /// the code uses and no other; empty: the processor at hand.
  static llvm::FailureOr<std::unique_ptr<CPUKernel>>
  load(mlir::ModuleOp module, llvm::StringRef entry, mlir::FunctionType type,
       llvm::StringRef cpu = "", unsigned optLevel = 3);

  /// Calls the function. Results go to `outputs`, which the caller allocates;
  /// inputs are not written. Fails, and says at `error` why, if ranks, static
  /// sizes or the number of arguments do not fit, or if the processor lacks
  /// features of the CPU that the code is for.
  llvm::LogicalResult invoke(llvm::ArrayRef<KernelArgument> inputs,
                             llvm::ArrayRef<KernelArgument> outputs,
                             std::string &error) const;

  /// The function's type, on tensors, as it was before compilation.
  mlir::FunctionType getType() const { return type; }

  /// The memory of a public global of the module; null if there is none.
  void *lookup(llvm::StringRef global) const;

  /// Writes the object code, for a disassembler.
  llvm::Error dumpObject(llvm::StringRef path) const;

  ~CPUKernel();

private:
  CPUKernel();
  /// Puts the code in this process and finds its entry.
  llvm::Error link(llvm::StringRef name);

  std::unique_ptr<llvm::MemoryBuffer> object;
  std::unique_ptr<llvm::orc::LLJIT> jit; // empty if the code does not run here
  llvm::SmallVector<std::string> missing;
  mlir::FunctionType type;
  void (*entry)(void **) = nullptr;
};

} // namespace flash

#endif // FLASH_EXECUTIONENGINE_CPUKERNEL_H
