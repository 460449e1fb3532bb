// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-keep-columns{columns=32})))' | FileCheck %s
// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-keep-columns{columns=128})))' | FileCheck %s --check-prefix=ALL
// RUN: not flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-keep-columns{columns=7})))' 2>&1 | FileCheck %s --check-prefix=ODD
// ODD: error: flash-tile-keep-columns: columns must be a multiple of 16, but is 7

!t = !flash_tile.ring<1, 128x128xbf16, mbarrier>
!q = !flash_tile.ring<2, 64x128xbf16, mbarrier>
!s = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!shared = !flash_tile.shared<128x128xbf16>
!stage = !flash_tile.shared<64x128xbf16>

gpu.module @kernels {
  // The first columns of what each iteration multiplies are read before the loop; not those of a product that is complete in the next iteration.
  // CHECK-LABEL: gpu.func @kept
  // CHECK: %[[V:.*]] = flash_tile.get
  // CHECK: %[[HEAD:.*]] = flash_tile.load_fragment %[[V]] : !flash_tile.shared<128x128xbf16> -> !flash_tile.fragment<128x32xbf16, #flash_tile.lhs<8>>
  // CHECK-NEXT: scf.for
  // CHECK: flash_tile.mma_start #flash_tile.wgmma %[[V]], %{{.*}} head(%[[HEAD]] : !flash_tile.fragment<128x32xbf16, #flash_tile.lhs<8>>) transpose_b
  // CHECK: %[[AHEAD:.*]] = flash_tile.mma_start #flash_tile.wgmma %[[V]], %{{.*}} transpose_b
  // CHECK-NEXT: scf.yield %[[AHEAD]]
  // All columns are no head.
  // ALL-NOT: load_fragment
  gpu.func @kept(%mt: !flash_tile.tensor_map<128x64xbf16>, %mq: !flash_tile.tensor_map<64x64xbf16>, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.start_products]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %t = flash_tile.ring : !t
    %q = flash_tile.ring : !q
    flash_tile.specialize producer(40) {
      flash_tile.put %t[%c0], %mt[%c0, %c0] : !t, !flash_tile.tensor_map<128x64xbf16>
      scf.for %i = %c0 to %n step %c1 {
        flash_tile.put %q[%i], %mq[%i, %c0] : !q, !flash_tile.tensor_map<64x64xbf16>
      }
    } consumers(232) {
      %v = flash_tile.get %t[%c0] : !t
      %first = flash_tile.get %q[%c0] : !q
      %start = flash_tile.mma_start #flash_tile.wgmma %v, %first transpose_b : !shared, !stage -> !flash_tile.pending<!s>
      %last = scf.for %i = %c0 to %n step %c1 iter_args(%before = %start) -> (!flash_tile.pending<!s>) {
        %tile = flash_tile.get %q[%i] : !q
        %p = flash_tile.mma_start #flash_tile.wgmma %v, %tile transpose_b : !shared, !stage -> !flash_tile.pending<!s>
        %r:2 = flash_tile.mma_wait %before, %p : !flash_tile.pending<!s>, !flash_tile.pending<!s> -> !s, !s
        flash_tile.release %q[%i] : !q
        %ahead = flash_tile.mma_start #flash_tile.wgmma %v, %tile transpose_b : !shared, !stage -> !flash_tile.pending<!s>
        scf.yield %ahead : !flash_tile.pending<!s>
      }
      %end = flash_tile.mma_wait %last : !flash_tile.pending<!s> -> !s
    }
    gpu.return
  }
}
