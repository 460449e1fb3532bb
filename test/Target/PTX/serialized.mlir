// RUN: flash-opt %s --pass-pipeline="builtin.module(flash-gpu-lowering-pipeline{target=sm_90a})" \
// RUN:   | not flash-translate --flash-to-cubin --flash-target=sm_90a 2>&1 | FileCheck %s

// What the assembler warns of only is an error here: registers of a product are read
// while it is in flight, because the wait leaves one group unfinished.

!tile = !flash_tile.shared<64x64xbf16>
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
!pending = !flash_tile.pending<!acc>

// CHECK: error: ptxas serialised wgmma: {{.*}}(C751
gpu.module @kernels {
  gpu.func @k(%m: memref<64x64xbf16>, %o: memref<64x64xf32>) kernel
      attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>, flash_tile.shared_bytes = 8192 : i64} {
    %c0 = arith.constant 0 : index
    %t = flash_tile.load %m[%c0, %c0] {alignment = 16 : i64, shared_offset = 0 : i64} : memref<64x64xbf16> -> !tile
    %p = flash_tile.mma_start #flash_tile.wgmma %t, %t transpose_b : !tile, !tile -> !pending
    %x = flash_tile.mma_wait %p in_flight 1 : !pending -> !acc
    flash_tile.store %x, %o[%c0, %c0] {alignment = 8 : i64} : !acc, memref<64x64xf32>
    gpu.return
  }
}
