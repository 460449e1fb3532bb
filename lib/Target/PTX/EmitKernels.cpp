//===- CompileKernels.cpp - Code of several modules, side by side ---------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each gpu.module has its own LLVM context and its own run of the assembler, so
// that a function with kernels for several lengths takes as long as the slowest
// of them where there are cores enough.
//
//===----------------------------------------------------------------------===//

#include "flash/Target/EmitPTX.h"

#include "mlir/IR/Threading.h"

#include <chrono>
#include <numeric>

using namespace mlir;
using namespace flash;

using Clock = std::chrono::steady_clock;

/// Code of one module, and what its two steps took.
static LogicalResult compileOne(gpu::GPUModuleOp module, StringRef target,
                                StringRef assembleFor, KernelCode &code,
                                Clock::duration &emitting,
                                Clock::duration &assembling) {
  auto begin = Clock::now();
  FailureOr<std::string> ptx = emitPTX(module, target, &code.bitcode);
  if (failed(ptx))
    return failure();
  code.ptx = std::move(*ptx);
  auto emitted = Clock::now();
  emitting = emitted - begin;
  if (assembleFor.empty() || !hasAssembler(code.ptx))
    return success();
  std::string error;
  FailureOr<std::string> cubin =
      assemblePTX(code.ptx, assembleFor, code.log, error);
  assembling = Clock::now() - emitted;
  if (failed(cubin))
    return module.emitError() << error;
  code.cubin = std::move(*cubin);
  return success();
}

FailureOr<CompiledKernels>
flash::compileKernels(ModuleOp host, StringRef target, StringRef assembleFor) {
  SmallVector<gpu::GPUModuleOp> modules(host.getOps<gpu::GPUModuleOp>());
  CompiledKernels kernels;
  kernels.modules.resize(modules.size());
  std::vector<Clock::duration> emitting(modules.size()),
      assembling(modules.size());
  auto begin = Clock::now();
  if (failed(failableParallelForEachN(
          host.getContext(), 0, modules.size(), [&](size_t i) {
            return compileOne(modules[i], target, assembleFor,
                              kernels.modules[i], emitting[i], assembling[i]);
          })))
    return failure();
  auto all = Clock::now() - begin;
  // One image that the driver compiles has the others compiled by it, too.
  if (llvm::any_of(kernels.modules,
                   [](const KernelCode &code) { return code.cubin.empty(); }))
    for (KernelCode &code : kernels.modules)
      code.cubin.clear();
  auto milliseconds = [](Clock::duration time) {
    return std::chrono::duration<double, std::milli>(time).count();
  };
  auto sum = [&](const std::vector<Clock::duration> &times) {
    return milliseconds(
        std::accumulate(times.begin(), times.end(), Clock::duration()));
  };
  double emit = sum(emitting), assemble = sum(assembling);
  double share = emit + assemble > 0 ? emit / (emit + assemble) : 1;
  kernels.emitMilliseconds = share * milliseconds(all);
  kernels.assembleMilliseconds = (1 - share) * milliseconds(all);
  return kernels;
}
