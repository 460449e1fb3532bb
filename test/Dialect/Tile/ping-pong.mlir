// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-ping-pong)))' | FileCheck %s

!acc = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!tile = !flash_tile.shared<128x64xf16>
!keys = !flash_tile.shared<64x64xf16>
!ring = !flash_tile.ring<2, 64x64xf16, mbarrier>

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @kernel
  gpu.func @kernel(%out: memref<?x64xf32>, %n: index) kernel
      attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.ping_pong]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %rq = flash_tile.ring : !flash_tile.ring<1, 128x64xf16, mbarrier>
    %rk = flash_tile.ring : !ring
    flash_tile.specialize producer(40) {
    } consumers(232) {
      %q = flash_tile.get %rq[%c0] : !flash_tile.ring<1, 128x64xf16, mbarrier>
      // CHECK: scf.for
      // CHECK:   flash_tile.get
      // CHECK:   flash_tile.take_turn
      // CHECK-NEXT: flash_tile.mma_start
      // CHECK:   flash_tile.mma_start
      // CHECK-NEXT: flash_tile.pass_turn
      // CHECK:   flash_tile.mma_wait
      scf.for %i = %c0 to %n step %c1 {
        %k = flash_tile.get %rk[%i] : !ring
        %a = flash_tile.mma_start #flash_tile.wgmma %q, %k transpose_b : !tile, !keys -> !flash_tile.pending<!acc>
        %b = flash_tile.mma_start #flash_tile.wgmma %q, %k transpose_b : !tile, !keys -> !flash_tile.pending<!acc>
        %x, %y = flash_tile.mma_wait %a, %b : !flash_tile.pending<!acc>, !flash_tile.pending<!acc> -> !acc, !acc
        flash_tile.store %x, %out[%i, %c0] : !acc, memref<?x64xf32>
        flash_tile.store %y, %out[%i, %c0] : !acc, memref<?x64xf32>
      }
      // A loop with one product stays as it is.
      // CHECK: scf.for
      // CHECK-NOT: take_turn
      // CHECK: gpu.return
      scf.for %i = %c0 to %n step %c1 {
        %k = flash_tile.get %rk[%i] : !ring
        %a = flash_tile.mma_start #flash_tile.wgmma %q, %k transpose_b : !tile, !keys -> !flash_tile.pending<!acc>
        %x = flash_tile.mma_wait %a : !flash_tile.pending<!acc> -> !acc
        flash_tile.store %x, %out[%i, %c0] : !acc, memref<?x64xf32>
      }
    }
    gpu.return
  }
}
