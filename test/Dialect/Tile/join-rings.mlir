// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-join-rings)))' | FileCheck %s

!q = !flash_tile.ring<2, 64x128xbf16, mbarrier>
!l = !flash_tile.ring<2, 16x64xbf16, mbarrier>
!s = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!a = !flash_tile.fragment<128x16xbf16, #flash_tile.lhs<8>>
!p = !flash_tile.fragment<128x64xbf16, #flash_tile.lhs<8>>

gpu.module @kernels {
  // The little tile comes right behind the large one, and is awaited and released with it.
  // CHECK-LABEL: gpu.func @joined
  // CHECK: %[[Q:.*]] = flash_tile.ring : !flash_tile.ring<2, 64x128xbf16, mbarrier>
  // CHECK-NEXT: %[[L:.*]] = flash_tile.ring with(%[[Q]] : !flash_tile.ring<2, 64x128xbf16, mbarrier>) : !flash_tile.ring<2, 16x64xbf16, mbarrier>
  // CHECK: flash_tile.put %[[Q]]
  // CHECK-NEXT: arith.addi
  // CHECK-NEXT: flash_tile.put %[[L]]
  // CHECK-NEXT: flash_tile.put
  // CHECK: consumers
  // CHECK: flash_tile.get %[[Q]]
  // CHECK-NEXT: flash_tile.get %[[L]]
  // CHECK-NOT: flash_tile.release %[[L]]
  // CHECK: flash_tile.release %[[Q]]
  gpu.func @joined(%mq: !flash_tile.tensor_map<64x64xbf16>, %ml: !flash_tile.tensor_map<16x64xbf16>, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.start_products]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %one = arith.constant 1.0 : bf16
    %l = flash_tile.ring : !l
    %q = flash_tile.ring : !q
    %o = flash_tile.ring : !q
    flash_tile.specialize producer(40) {
      scf.for %i = %c0 to %n step %c1 {
        flash_tile.put %q[%i], %mq[%i, %c0] : !q, !flash_tile.tensor_map<64x64xbf16>
        flash_tile.put %o[%i], %mq[%i, %c0] : !q, !flash_tile.tensor_map<64x64xbf16>
        %at = arith.addi %i, %i : index
        flash_tile.put %l[%i], %ml[%at, %c0] : !l, !flash_tile.tensor_map<16x64xbf16>
      }
    } consumers(232) {
      %a = flash_tile.splat %one : !a
      %b = flash_tile.splat %one : !p
      scf.for %i = %c0 to %n step %c1 {
        %lt = flash_tile.get %l[%i] : !l
        %s = flash_tile.mma_start #flash_tile.wgmma %a, %lt : !a, !flash_tile.shared<16x64xbf16> -> !flash_tile.pending<!s>
        %qt = flash_tile.get %q[%i] : !q
        %t = flash_tile.mma_wait %s : !flash_tile.pending<!s> -> !s
        flash_tile.release %l[%i] : !l
        %u = flash_tile.mma #flash_tile.wgmma %b, %qt : !p, !flash_tile.shared<64x128xbf16> -> !flash_tile.fragment<128x128xf32, #flash_tile.acc<8>>
        flash_tile.release %q[%i] : !q
        %ot = flash_tile.get %o[%i] : !q
        flash_tile.release %o[%i] : !q
      }
    }
    gpu.return
  }

  // A wait between the two: the little tile would wait for what comes later.
  // CHECK-LABEL: gpu.func @apart
  // CHECK-NOT: with(
  gpu.func @apart(%mq: !flash_tile.tensor_map<64x64xbf16>, %ml: !flash_tile.tensor_map<16x64xbf16>, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.start_products]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %one = arith.constant 1.0 : bf16
    %l = flash_tile.ring : !l
    %q = flash_tile.ring : !q
    flash_tile.specialize producer(40) {
      scf.for %i = %c0 to %n step %c1 {
        flash_tile.put %q[%i], %mq[%i, %c0] : !q, !flash_tile.tensor_map<64x64xbf16>
        flash_tile.put %l[%i], %ml[%i, %c0] : !l, !flash_tile.tensor_map<16x64xbf16>
      }
    } consumers(232) {
      %a = flash_tile.splat %one : !a
      scf.for %i = %c0 to %n step %c1 {
        %lt = flash_tile.get %l[%i] : !l
        %s = flash_tile.mma_start #flash_tile.wgmma %a, %lt : !a, !flash_tile.shared<16x64xbf16> -> !flash_tile.pending<!s>
        %t = flash_tile.mma_wait %s : !flash_tile.pending<!s> -> !s
        flash_tile.release %l[%i] : !l
        %qt = flash_tile.get %q[%i] : !q
        flash_tile.release %q[%i] : !q
      }
    }
    gpu.return
  }
}
