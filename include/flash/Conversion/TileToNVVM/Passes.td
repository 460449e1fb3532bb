//===- Passes.td - From tiles to instructions --------------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_CONVERSION_TILETONVVM_PASSES
#define FLASH_CONVERSION_TILETONVVM_PASSES

include "mlir/Pass/PassBase.td"

def TileSeparateKernels
    : Pass<"flash-tile-separate-kernels", "::mlir::ModuleOp"> {
  let summary = "Give each kernel a module of its own (L3)";
  let description = [{
    The kernels of a function (one for each class of lengths, parts of a
    backward) share nothing but constants. Each in its own `gpu.module`, they are
    lowered, translated and assembled side by side.

    ```mlir
    gpu.module @kernels {
      gpu.func @f(...) kernel
      gpu.func @f_0(...) kernel
    }
    flash_tile.launch @kernels::@f_0 grid(%n)
    // becomes
    gpu.module @kernels {
      gpu.func @f(...) kernel
    }
    gpu.module @kernels_0 {
      gpu.func @f_0(...) kernel
    }
    flash_tile.launch @kernels_0::@f_0 grid(%n)
    ```
  }];
}

def ConvertTileToNVVM
    : Pass<"convert-flash-tile-to-nvvm", "::mlir::gpu::GPUModuleOp"> {
  let summary = "Lower tile operations to what one thread does";
  let description = [{
    L3 to L4. Each op of a kernel becomes the code of one thread: fragments
    become the elements that a lane holds, tiles 32-bit shared
    addresses, products `mma.sync` or `wgmma`. Kernels get their number of
    threads (`nvvm.reqntid`).

    ```mlir
    %m = flash_tile.reduce max %s
        : !flash_tile.fragment<64x8xf32, #flash_tile.acc<4>> -> !flash_tile.fragment<64xf32, #flash_tile.row<4>>
    // becomes, for each of the two rows that a lane holds
    %0 = arith.maxnumf %a, %b : f32
    %1 = nvvm.shfl.sync bfly %mask, %0, %c1, %c31 : f32 -> f32
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::LLVM::LLVMDialect", "::mlir::math::MathDialect",
    "::mlir::memref::MemRefDialect", "::mlir::NVVM::NVVMDialect", "::mlir::scf::SCFDialect"
  ];
}

def TileUnpackFragments : Pass<"flash-tile-unpack-fragments"> {
  let summary = "Carry the elements of fragments, one by one";
  let description = [{
    After `convert-flash-tile-to-nvvm` the elements that a lane holds of a
    fragment are values of their own, but where loops and branches carry them:
    as one vector, to which and from which `builtin.unrealized_conversion_cast`
    goes. Makes these values of their own, too; the casts are gone then.

    ```mlir
    %r = scf.for ... iter_args(%i = %b) -> (vector<2xf32>) {
    // becomes
    %r:2 = scf.for ... iter_args(%i0 = %x, %i1 = %y) -> (f32, f32) {
    ```
  }];
}

def TileFinalizeKernels : Pass<"flash-tile-finalize-kernels"> {
  let summary = "Pass tensor maps by value";
  let description = [{
    After `convert-gpu-to-nvvm`: marks the parameters that are tensor maps as
    128 bytes by value, aligned to 64, constant over the grid. A `gpu.func`
    cannot say that.

    ```mlir
    llvm.func @k(%arg0: !llvm.ptr) attributes {flash_tile.tensor_map_parameters = array<i64: 0>, nvvm.kernel}
    // becomes
    llvm.func @k(%arg0: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant})
        attributes {nvvm.kernel}
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect"];
}

def TileDropParameters : Pass<"flash-tile-drop-parameters"> {
  let summary = "Leave out the parameters that kernels do not read (L4)";
  let description = [{
    A memref is a descriptor of 3 + 2 * rank parameters, most of which nobody
    reads: sizes and strides go into tensor maps, or into products that the host
    computes. A launch copies every parameter, so that the last step at L4 leaves
    out the others. The attribute says which ones the launch plan keeps.

    ```mlir
    llvm.func @k(%arg0: !llvm.ptr, %arg1: !llvm.ptr, %arg2: i64) attributes {nvvm.kernel} {
      llvm.store %arg2, %arg1 : i64, !llvm.ptr
    // becomes
    llvm.func @k(%arg0: !llvm.ptr, %arg1: i64)
        attributes {flash_tile.parameters = array<i64: 1, 2>, nvvm.kernel} {
      llvm.store %arg1, %arg0 : i64, !llvm.ptr
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect"];
  let statistics = [
    Statistic<"numDropped", "num-dropped", "Parameters left out">
  ];
}

#endif // FLASH_CONVERSION_TILETONVVM_PASSES
