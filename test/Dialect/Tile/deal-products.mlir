// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-deal-products)))' | FileCheck %s
// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-deal-products,flash-tile-start-products)))' | FileCheck %s --check-prefix=STARTED

!k = !flash_tile.shared<64x64xbf16>
!rk = !flash_tile.ring<1, 64x64xbf16, mbarrier>
!half = !flash_tile.fragment<64x64xf32, #flash_tile.acc<8, column_groups = 2>>
!half16 = !flash_tile.fragment<64x64xbf16, #flash_tile.acc<8, column_groups = 2>>

// Of two tiles that become operands each warpgroup makes one, whole. What the second reads of the first goes through shared memory as
// two tiles of 16 bits that add up to it; the sums of the loop stay dealt by columns.
gpu.module @kernels {
  // CHECK-LABEL: gpu.func @gradients
  // CHECK-DAG: %[[HIGH:.*]] = flash_tile.ring : !flash_tile.ring<1, 64x64xbf16, mbarrier>
  // CHECK: consumers(240)
  // CHECK: scf.for {{.*}} iter_args(%{{.*}}, %{{.*}}, %[[N:.*]] = %{{.*}})
  // CHECK: flash_tile.in_turn %{{.*}} {
  // CHECK: flash_tile.mma {{.*}} -> !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
  // CHECK: math.exp2
  // CHECK: %[[PARTS:.*]]:2 = flash_tile.map
  // CHECK: flash_tile.fill %[[H:.*]][%[[N]]], %[[PARTS]]#0
  // CHECK: flash_tile.fill %[[L:.*]][%[[N]]], %[[PARTS]]#1
  // CHECK: flash_tile.in_turn %{{.*}} {
  // CHECK: flash_tile.mma {{.*}} -> !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
  // CHECK: flash_tile.get %[[H]][%[[N]]]
  // CHECK: flash_tile.get %[[L]][%[[N]]]
  // CHECK-COUNT-2: flash_tile.load_fragment
  // CHECK: arith.addf
  // CHECK: flash_tile.release %[[L]][%[[N]]]
  // CHECK: flash_tile.fill %[[S:.*]][%[[N]]], %{{.*}}
  // CHECK-DAG: flash_tile.get %[[H]][%[[N]]]
  // CHECK-DAG: flash_tile.get %[[S]][%[[N]]]
  // CHECK-NOT: flash_tile.store_shared
  // CHECK: flash_tile.mma {{.*}} acc({{.*}} -> !flash_tile.fragment<64x64xf32, #flash_tile.acc<8, column_groups = 2>>
  // CHECK: flash_tile.mma {{.*}} acc({{.*}} -> !flash_tile.fragment<64x64xf32, #flash_tile.acc<8, column_groups = 2>>
  // CHECK-DAG: flash_tile.release %[[H]][%[[N]]]
  // CHECK-DAG: flash_tile.release %[[S]][%[[N]]]

  // Products behind what is done in turn are started there, and not before it: it fills what they read.
  // STARTED-LABEL: gpu.func @gradients
  // STARTED: scf.for
  // STARTED-NOT: mma_start
  // STARTED: flash_tile.in_turn
  // STARTED-NOT: mma_start
  // STARTED: flash_tile.in_turn
  // STARTED: flash_tile.mma_start
  gpu.func @gradients(%n: index, %out: memref<?x64xf32, strided<[64, 1]>>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.start_products]} {
    %rk = flash_tile.ring : !rk
    %rv = flash_tile.ring : !rk
    %rq = flash_tile.ring : !rk
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    flash_tile.specialize producer(24) {
    } consumers(240) {
      %k = flash_tile.get %rk[%c0] : !rk
      %v = flash_tile.get %rv[%c0] : !rk
      %zero = arith.constant 0.0 : f32
      %a0 = flash_tile.splat %zero : !half
      scf.for %i = %c0 to %n step %c1 iter_args(%dv = %a0, %dk = %a0, %count = %c0) -> (!half, !half, index) {
        %q = flash_tile.get %rq[%count] : !rk
        %s = flash_tile.mma #flash_tile.wgmma %k, %q transpose_b : !k, !k -> !half
        %g = flash_tile.mma #flash_tile.wgmma %v, %q transpose_b : !k, !k -> !half
        %p = flash_tile.map(%s) : (!half) -> !half {
        ^bb0(%r: index, %c: index, %x: f32):
          %1 = math.exp2 %x : f32
          flash_tile.yield %1 : f32
        }
        %p16 = flash_tile.convert %p : !half -> !half16
        %t0 = flash_tile.store_shared %p16 : !half16 -> !k
        %d = flash_tile.map(%g, %p) : (!half, !half) -> !half {
        ^bb0(%r: index, %c: index, %x: f32, %y: f32):
          %2 = arith.mulf %x, %y : f32
          flash_tile.yield %2 : f32
        }
        %d16 = flash_tile.convert %d : !half -> !half16
        %t1 = flash_tile.store_shared %d16 : !half16 -> !k
        %dv1 = flash_tile.mma #flash_tile.wgmma %t0, %q acc(%dv) : !k, !k -> !half
        %dk1 = flash_tile.mma #flash_tile.wgmma %t1, %q acc(%dk) : !k, !k -> !half
        %dq = flash_tile.mma #flash_tile.wgmma %t1, %k transpose_a : !k, !k -> !half
        flash_tile.store add %dq, %out[%i, %c0] {alignment = 16 : i64} : !half, memref<?x64xf32, strided<[64, 1]>>
        flash_tile.release %rq[%count] : !rk
        %next = arith.addi %count, %c1 : index
        scf.yield %dv1, %dk1, %next : !half, !half, index
      }
    }
    gpu.return
  }
}
