// RUN: flash-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-start-products)))' | FileCheck %s

!k = !flash_tile.shared<128x64xbf16>
!q = !flash_tile.shared<64x64xbf16>
!rk = !flash_tile.ring<1, 128x64xbf16, mbarrier>
!rq = !flash_tile.ring<2, 64x64xbf16, mbarrier>
!s = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!p = !flash_tile.fragment<128x64xbf16, #flash_tile.lhs<8>>
!c = !flash_tile.fragment<64xf32, #flash_tile.col<8>>

// The second product starts beside the first, whose result is waited for alone; the stage is released when the last
// product that reads it is complete.
gpu.module @kernels {
  // CHECK-LABEL: gpu.func @gradient
  // CHECK: scf.for
  // CHECK-NEXT: %[[Q:.*]] = flash_tile.get
  // CHECK-NEXT: %[[S0:.*]] = flash_tile.mma_start #flash_tile.wgmma %{{.*}}, %[[Q]] transpose_b
  // CHECK-NEXT: %[[D0:.*]] = flash_tile.mma_start #flash_tile.wgmma %{{.*}}, %[[Q]] transpose_b
  // CHECK-NEXT: %[[S:.*]]:2 = flash_tile.mma_wait %[[S0]], %[[D0]] in_flight 1
  // CHECK-NEXT: %[[P:.*]] = flash_tile.map(%[[S]]#0)
  // CHECK: %[[P16:.*]] = flash_tile.convert %[[P]]
  // CHECK-NEXT: %[[A0:.*]] = flash_tile.mma_start #flash_tile.wgmma %[[P16]], %[[Q]] acc(%{{.*}})
  // CHECK-NEXT: %[[D:.*]]:2 = flash_tile.mma_wait %[[S]]#1, %[[A0]] in_flight 1
  // CHECK-NEXT: %[[E:.*]] = flash_tile.map(%[[P]], %[[D]]#0)
  // CHECK: %[[E16:.*]] = flash_tile.convert %[[E]]
  // CHECK-NEXT: %[[A2:.*]] = flash_tile.mma_start #flash_tile.wgmma %[[E16]], %[[Q]] onto(%[[D]]#1)
  // CHECK-NEXT: %[[A3:.*]] = flash_tile.mma_wait %[[A2]]
  // CHECK-NEXT: flash_tile.release
  // CHECK-NEXT: scf.yield %[[A3]]
  gpu.func @gradient(%n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.start_products]} {
    %rk = flash_tile.ring : !rk
    %rq = flash_tile.ring : !rq
    %zero0 = arith.constant 0 : index
    flash_tile.specialize producer(40) {
    } consumers(232) {
      %k = flash_tile.get %rk[%zero0] : !rk
      %v = flash_tile.get %rk[%zero0] : !rk
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %zero = arith.constant 0.0 : f32
      %a0 = flash_tile.splat %zero : !s
      scf.for %i = %c0 to %n step %c1 iter_args(%acc = %a0) -> (!s) {
        %q = flash_tile.get %rq[%i] : !rq
        %s = flash_tile.mma #flash_tile.wgmma %k, %q transpose_b : !k, !q -> !s
        %d = flash_tile.mma #flash_tile.wgmma %v, %q transpose_b : !k, !q -> !s
        %e = flash_tile.map(%s) : (!s) -> !s {
        ^bb0(%r: index, %c: index, %x: f32):
          %1 = math.exp2 %x : f32
          flash_tile.yield %1 : f32
        }
        %g = flash_tile.map(%e, %d) : (!s, !s) -> !s {
        ^bb0(%r: index, %c: index, %x: f32, %y: f32):
          %2 = arith.mulf %x, %y : f32
          flash_tile.yield %2 : f32
        }
        %p16 = flash_tile.convert %e : !s -> !p
        %d16 = flash_tile.convert %g : !s -> !p
        %a1 = flash_tile.mma #flash_tile.wgmma %p16, %q acc(%acc) : !p, !q -> !s
        %a2 = flash_tile.mma #flash_tile.wgmma %d16, %q acc(%a1) : !p, !q -> !s
        flash_tile.release %rq[%i] : !rq
        scf.yield %a2 : !s
      }
    }
    gpu.return
  }
}

// -----

!k = !flash_tile.shared<128x64xbf16>
!q = !flash_tile.shared<64x64xbf16>
!rk = !flash_tile.ring<1, 128x64xbf16, mbarrier>
!rq = !flash_tile.ring<2, 64x64xbf16, mbarrier>
!s = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!p = !flash_tile.fragment<128x64xbf16, #flash_tile.lhs<8>>
!c = !flash_tile.fragment<64xf32, #flash_tile.col<8>>

// What delays its role keeps its place.
gpu.module @kernels {
  // expected-remark @below {{flash-tile-start-products leaves 'delayed' as it is: 'flash_tile.delay' does not move among the products}}
  gpu.func @delayed(%n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.start_products]} {
    %rk = flash_tile.ring : !rk
    %rq = flash_tile.ring : !rq
    %zero0 = arith.constant 0 : index
    flash_tile.specialize producer(40) {
    } consumers(232) {
      %k = flash_tile.get %rk[%zero0] : !rk
      %v = flash_tile.get %rk[%zero0] : !rk
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %zero = arith.constant 0.0 : f32
      %a0 = flash_tile.splat %zero : !s
      %l = flash_tile.splat %zero : !c
      scf.for %i = %c0 to %n step %c1 iter_args(%acc = %a0) -> (!s) {
        %q = flash_tile.get %rq[%i] : !rq
        %s = flash_tile.mma #flash_tile.wgmma %k, %q transpose_b : !k, !q -> !s
        %d = flash_tile.mma #flash_tile.wgmma %v, %q transpose_b : !k, !q -> !s
        %p:2 = flash_tile.map(%s, %d, %l) : (!s, !s, !c) -> (!s, !s) {
        ^bb0(%r: index, %c: index, %x: f32, %y: f32, %z: f32):
          %0 = arith.subf %x, %z : f32
          %1 = math.exp2 %0 : f32
          %2 = arith.mulf %1, %y : f32
          flash_tile.yield %1, %2 : f32, f32
        }
        %p16 = flash_tile.convert %p#0 : !s -> !p
        %d16 = flash_tile.convert %p#1 : !s -> !p
        %a1 = flash_tile.mma #flash_tile.wgmma %p16, %q acc(%acc) : !p, !q -> !s
        %a2 = flash_tile.mma #flash_tile.wgmma %d16, %q acc(%a1) : !p, !q -> !s
        flash_tile.release %rq[%i] : !rq
        flash_tile.delay 1000
        scf.yield %a2 : !s
      }
    }
    gpu.return
  }
}
