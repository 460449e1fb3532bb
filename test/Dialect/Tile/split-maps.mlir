// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-split-maps)))' | FileCheck %s

!k = !flash_tile.shared<128x64xbf16>
!q = !flash_tile.shared<64x64xbf16>
!rk = !flash_tile.ring<1, 128x64xbf16, mbarrier>
!rq = !flash_tile.ring<2, 64x64xbf16, mbarrier>
!s = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!p = !flash_tile.fragment<128x64xbf16, #flash_tile.lhs<8>>
!c = !flash_tile.fragment<64xf32, #flash_tile.col<8>>

gpu.module @kernels {
  // The exponential waits for the first product alone; the difference reads both.
  // CHECK-LABEL: gpu.func @gradient
  // CHECK: %[[S:.*]] = flash_tile.mma
  // CHECK: %[[D:.*]] = flash_tile.mma
  // CHECK: %[[P:.*]] = flash_tile.map(%[[S]], %[[L:.*]]) : (!flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>, !flash_tile.fragment<64xf32, #flash_tile.col<8>>)
  // CHECK-NEXT: ^bb0(%{{.*}}: index, %{{.*}}: index, %[[X:.*]]: f32, %[[Y:.*]]: f32):
  // CHECK-NEXT: %[[A:.*]] = arith.subf %[[X]], %[[Y]] : f32
  // CHECK-NEXT: %[[B:.*]] = math.exp2 %[[A]] : f32
  // CHECK-NEXT: flash_tile.yield %[[B]] : f32
  // CHECK: %[[G:.*]] = flash_tile.map(%[[D]], %[[P]])
  // CHECK-NEXT: ^bb0(%{{.*}}: index, %{{.*}}: index, %[[E:.*]]: f32, %[[F:.*]]: f32):
  // CHECK-NEXT: %[[M:.*]] = arith.mulf %[[F]], %[[E]] : f32
  // CHECK-NEXT: flash_tile.yield %[[M]] : f32
  // CHECK: flash_tile.convert %[[P]]
  // CHECK: flash_tile.convert %[[G]]
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
        scf.yield %a2 : !s
      }
    }
    gpu.return
  }

  // Two products have an order of their own (flash-tile-overlap).
  // CHECK-LABEL: gpu.func @two
  // CHECK-COUNT-1: flash_tile.map
  // CHECK-NOT: flash_tile.map
  gpu.func @two(%n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.start_products]} {
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
        flash_tile.release %rq[%i] : !rq
        scf.yield %p#1 : !s
      }
    }
    gpu.return
  }
}
