//===- Passes.td - From L2 to the tile program -------------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_CONVERSION_FLASHTOTILE_PASSES
#define FLASH_CONVERSION_FLASHTOTILE_PASSES

include "mlir/Pass/PassBase.td"

def ConvertFlashToTile : Pass<"convert-flash-to-tile", "::mlir::ModuleOp"> {
  let summary = "Outline parallel loops over tiles as GPU kernels (L2 to L3)";
  let description = [{
    Each `scf.forall` of a function becomes a kernel in `gpu.module @kernels` and
    a `flash_tile.launch` in its place; tensors of the function become memrefs.
    In the kernel, tile tensors become fragments and tiles in shared memory:

    | L2 | L3 |
    |---|---|
    | slice and pad that a contraction reads | `flash_tile.load` |
    | contraction (`linalg.matmul`) | `flash_tile.mma`, the instruction from `flash_tile.kernel` |
    | element-wise `linalg.generic` | `flash_tile.map`, and `flash_tile.convert` for rounding |
    | slice and pad that an element-wise step reads | element by element in its `flash_tile.map` |
    | the same in a kernel without products | `flash_tile.fetch`, in runs of 16 bytes (`#flash_tile.stream`) |
    | `flash.online_softmax` | `flash_tile.online_softmax` |
    | `tensor.parallel_insert_slice` | `flash_tile.store` |

    What the kernel is to be and which passes are to work on it stands on the loop
    (`flash_tile.kernel`, `flash_tile.passes`), and then on the kernel; a schedule in
    short has been split before (`flash-split-schedule`). Everything else in such a function is an error at its location.

    ```mlir
    %o = scf.forall (%b, %h, %i) in (%nb, 32, %nq) shared_outs(%out = %e) -> (tensor<?x32x?x128xbf16>) {...}
    // becomes
    flash_tile.launch @kernels::@attention grid(%blocks) args(%q, %k, %v, %o, ...)
    ```
  }];
  let options = [
    Option<"hideUnseen", "hide-unseen", "bool", /*default=*/"true",
           "Clear values that no query sees (flash.hide_unseen)">];
  let statistics = [Statistic<"numKernels", "num-kernels", "Number of kernels">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
                           "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect", "::flash::tile::FlashTileDialect"];
}

#endif // FLASH_CONVERSION_FLASHTOTILE_PASSES
