//===- TileKernelAttrs.cpp - What a kernel may be -------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifiers of #flash_tile.kernel<...> and of what passes read.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/IR/Tile.h"

using namespace mlir;
using namespace flash::tile;

using EmitError = llvm::function_ref<InFlightDiagnostic()>;

LogicalResult RolesAttr::verify(EmitError emitError, int64_t producer,
                                int64_t consumer) {
  for (int64_t registers : {producer, consumer})
    if (registers < 24 || registers > 256 || registers % 8 != 0)
      return emitError() << "a role has a multiple of 8 registers from 24 to "
                            "256, not "
                         << registers;
  return success();
}

LogicalResult KernelAttr::verify(EmitError emitError, int64_t warps,
                                 Attribute instruction, int64_t stages,
                                 int64_t outerStages, int64_t cluster,
                                 RolesAttr roles) {
  if (warps < 0 || warps > 32)
    return emitError() << "a kernel has 1 to 32 warps, not " << warps;
  if (instruction) {
    auto known = dyn_cast<InstructionAttrInterface>(instruction);
    if (!known)
      return emitError() << "the instruction of a kernel is "
                            "#flash_tile.mma_sync or #flash_tile.wgmma, not "
                         << instruction;
    if (warps % known.getWarpsPerInstruction())
      return emitError() << instruction << " is executed by "
                         << known.getWarpsPerInstruction()
                         << " warps together, but the kernel has " << warps;
  }
  if (roles && warps % 4)
    return emitError() << "consumers are whole warpgroups of 4 warps, but the "
                          "kernel has "
                       << warps;
  for (int64_t count : {stages, outerStages})
    if (count < 0 || count > 32)
      return emitError() << "a ring has 1 to 32 stages, not " << count;
  // What every GPU with clusters can run.
  if (cluster < 0 || cluster > 8)
    return emitError() << "a cluster has 2 to 8 blocks, not " << cluster;
  return success();
}

KernelAttr KernelAttr::withWarps(int64_t warps) const {
  return get(getContext(), warps, getInstruction(), getStages(),
             getOuterStages(), getCluster(), getRoles());
}

KernelAttr KernelAttr::withCluster(int64_t cluster) const {
  return get(getContext(), getWarps(), getInstruction(), getStages(),
             getOuterStages(), cluster, getRoles());
}
