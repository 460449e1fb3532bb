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
#include "flash/Runtime/CallArgument.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cstring>
#include <memory>

namespace llvm::orc {
class LLJIT;
} // namespace llvm::orc

namespace flash {

/// An argument of a kernel: a tensor in the caller's memory, or a number.
struct KernelArgument {
  /// Without strides (in elements), the tensor is dense and row-major.
  static KernelArgument tensor(void *data, llvm::ArrayRef<int64_t> shape,
                               llvm::ArrayRef<int64_t> strides = {}) {
    return {data, llvm::SmallVector<int64_t>(shape),
            llvm::SmallVector<int64_t>(strides), 0};
  }
  /// A floating-point number, as the bytes of its type.
  static KernelArgument real(const rt::RealBytes &bytes) {
    int64_t number;
    std::memcpy(&number, bytes.data(), sizeof(number));
    return index(number);
  }
  static KernelArgument index(int64_t value) {
    return {nullptr, {}, {}, value};
  }

  void *data;
  llvm::SmallVector<int64_t> shape, strides;
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

  /// Loads what getObject gave, for the same `cpu`; `isTensor` says of each
  /// input and then of each output whether it is one. Callers check sizes.
  static llvm::Expected<std::unique_ptr<CPUKernel>>
  loadObject(llvm::StringRef object, llvm::StringRef entry, llvm::StringRef cpu,
             std::vector<bool> isTensor);
  /// The object code.
  llvm::StringRef getObject() const;

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
  /// Puts the code in this process and finds its entry, if the processor has
  /// what code for `cpu` needs.
  llvm::Error link(llvm::StringRef name, llvm::StringRef cpu);

  std::unique_ptr<llvm::MemoryBuffer> object;
  std::unique_ptr<llvm::orc::LLJIT> jit; // empty if the code does not run here
  llvm::SmallVector<std::string> missing;
  mlir::FunctionType type;
  std::vector<bool> isTensor;
  void (*entry)(void **) = nullptr;
};

} // namespace flash

#endif // FLASH_EXECUTIONENGINE_CPUKERNEL_H
