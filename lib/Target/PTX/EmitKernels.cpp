//===- EmitKernels.cpp - PTX of several modules, side by side -------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each gpu.module has its own LLVM context, so that a function with kernels for
// several lengths takes as long as the slowest of them where there are cores
// enough.
//
//===----------------------------------------------------------------------===//

#include "flash/Target/EmitPTX.h"

#include "mlir/IR/Threading.h"

using namespace mlir;
using namespace flash;

FailureOr<std::vector<KernelText>> flash::emitKernels(ModuleOp host,
                                                      StringRef target) {
  SmallVector<gpu::GPUModuleOp> modules(host.getOps<gpu::GPUModuleOp>());
  std::vector<KernelText> texts(modules.size());
  LogicalResult emitted = failableParallelForEachN(
      host.getContext(), 0, modules.size(), [&](size_t i) -> LogicalResult {
        FailureOr<std::string> ptx =
            emitPTX(modules[i], target, &texts[i].bitcode);
        if (failed(ptx))
          return failure();
        texts[i].ptx = std::move(*ptx);
        return success();
      });
  if (failed(emitted))
    return failure();
  return texts;
}
