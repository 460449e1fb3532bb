// RUN: flash-opt %s --split-input-file --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-start-products,flash-tile-advance-products)))' | FileCheck %s

!k = !flash_tile.shared<128x64xbf16>
!q = !flash_tile.shared<64x64xbf16>
!rk = !flash_tile.ring<1, 128x64xbf16, mbarrier>
!rq = !flash_tile.ring<2, 64x64xbf16, mbarrier>
!s = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!p = !flash_tile.fragment<128x64xbf16, #flash_tile.lhs<8>>

// The first product starts at the end of the iteration before, beside the last ones, and is waited for before
// the second starts; what it has waited for is there. What the loop alone reads is waited for beside the first one. Behind the last iteration there is one that nobody reads: its stage is not waited for.
gpu.module @kernels {
  // CHECK-LABEL: gpu.func @gradient
  // CHECK-SAME: %[[N:[a-z0-9]*]]: index
  // CHECK: %[[RQ:.*]] = flash_tile.ring {ahead}
  // CHECK: %[[SOME:.*]] = arith.cmpi slt, %{{.*}}, %[[N]]
  // CHECK-NEXT: %[[Q0:.*]] = flash_tile.get %[[RQ]][%{{.*}}] when %[[SOME]]
  // CHECK-NEXT: %[[FIRST:.*]] = flash_tile.mma_start #flash_tile.wgmma %[[K:.*]], %[[Q0]] transpose_b
  // CHECK-NEXT: flash_tile.get
  // CHECK-NEXT: %[[LOOP:.*]]:4 = scf.for %[[I:.*]] = {{.*}} iter_args(%{{.*}}, %[[COUNT:.*]] = %{{.*}}, %[[Q:.*]] = %[[Q0]], %[[PENDING:.*]] = %[[FIRST]])
  // CHECK-NOT: flash_tile.get
  // CHECK: %[[S:.*]] = flash_tile.mma_wait %[[PENDING]]
  // CHECK-NEXT: flash_tile.mma_start #flash_tile.wgmma %{{.*}}, %[[Q]] transpose_b
  // CHECK-NOT: flash_tile.mma_start #flash_tile.wgmma %[[K]]
  // CHECK: flash_tile.mma_start {{.*}} onto(
  // CHECK: %[[MORE:.*]] = arith.cmpi slt, %{{.*}}, %[[N]]
  // CHECK: %[[Q1:.*]] = flash_tile.get %[[RQ]][%{{.*}}] when %[[MORE]]
  // CHECK-NEXT: %[[NEXT:.*]] = flash_tile.mma_start #flash_tile.wgmma %[[K]], %[[Q1]] transpose_b
  // CHECK: %[[WAIT:.*]]:2 = flash_tile.mma_wait %{{.*}}, %[[NEXT]] in_flight 1
  // CHECK: scf.yield %[[WAIT]]#0, %{{.*}}, %[[Q1]], %[[WAIT]]#1
  // CHECK: flash_tile.mma_wait %[[LOOP]]#3
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
      scf.for %i = %c0 to %n step %c1 iter_args(%acc = %a0, %count = %c0) -> (!s, index) {
        %q = flash_tile.get %rq[%count] : !rq
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
        flash_tile.release %rq[%count] : !rq
        %next = arith.addi %count, %c1 : index
        scf.yield %a2, %next : !s, index
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

// A first product that adds to what the loop carries has to wait for it: the loop stays.
gpu.module @kernels {
  // CHECK-LABEL: gpu.func @carried
  // CHECK-NOT: ahead
  // CHECK: scf.for
  // CHECK-NOT: when
  // CHECK: gpu.return
  gpu.func @carried(%n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.start_products]} {
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
      scf.for %i = %c0 to %n step %c1 iter_args(%acc = %a0, %count = %c0) -> (!s, index) {
        %q = flash_tile.get %rq[%count] : !rq
        %s = flash_tile.mma #flash_tile.wgmma %k, %q acc(%acc) transpose_b : !k, !q -> !s
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
        flash_tile.release %rq[%count] : !rq
        %next = arith.addi %count, %c1 : index
        scf.yield %a2, %next : !s, index
      }
    }
    gpu.return
  }
}
