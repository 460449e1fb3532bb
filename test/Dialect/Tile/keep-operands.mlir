// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-keep-operands)))' | FileCheck %s
// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-keep-operands{max-registers=31})))' | FileCheck %s --check-prefix=FEW

!acc = !flash_tile.fragment<64x32xf32, #flash_tile.acc<4>>
!q = !flash_tile.shared<64x64xbf16>
!k = !flash_tile.shared<32x64xbf16>

gpu.module @kernels {
  // The query tile is read once, before the loop.
  // CHECK-LABEL: gpu.func @mma_sync
  // CHECK: %[[A:.*]] = flash_tile.load_fragment
  // CHECK: scf.for
  // CHECK: flash_tile.mma #flash_tile.mma_sync %[[A]],
  // Not where there are too few registers.
  // FEW-LABEL: gpu.func @mma_sync
  // FEW-NOT: load_fragment
  gpu.func @mma_sync(%query: memref<?x64xbf16>, %key: memref<?x64xbf16>, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>, flash_tile.passes = [#flash_tile.keep_operands]} {
    %c0 = arith.constant 0 : index
    %c32 = arith.constant 32 : index
    %zero = arith.constant 0.0 : f32
    %init = flash_tile.splat %zero : !acc
    %q = flash_tile.load %query[%c0, %c0] : memref<?x64xbf16> -> !q
    %r = scf.for %i = %c0 to %n step %c32 iter_args(%acc = %init) -> (!acc) {
      %k = flash_tile.load %key[%i, %c0] : memref<?x64xbf16> -> !k
      %s = flash_tile.mma #flash_tile.mma_sync %q, %k acc(%acc) transpose_b : !q, !k -> !acc
      scf.yield %s : !acc
    }
    gpu.return
  }

  // wgmma reads shared memory itself; a tile that is loaded in the loop stays there.
  // CHECK-LABEL: gpu.func @others
  // CHECK-NOT: load_fragment
  gpu.func @others(%query: memref<?x64xbf16>, %key: memref<?x64xbf16>, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>, flash_tile.passes = [#flash_tile.keep_operands]} {
    %c0 = arith.constant 0 : index
    %c32 = arith.constant 32 : index
    %q = flash_tile.load %query[%c0, %c0] : memref<?x64xbf16> -> !q
    scf.for %i = %c0 to %n step %c32 {
      %k = flash_tile.load %key[%i, %c0] : memref<?x64xbf16> -> !k
      %a = flash_tile.mma #flash_tile.wgmma %q, %k transpose_b : !q, !k -> !acc
      %q2 = flash_tile.load %query[%i, %c0] : memref<?x64xbf16> -> !q
      %b = flash_tile.mma #flash_tile.mma_sync %q2, %k transpose_b : !q, !k -> !acc
    }
    gpu.return
  }
}
