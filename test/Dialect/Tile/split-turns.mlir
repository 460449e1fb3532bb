// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-deal-products,flash-tile-split-turns)))' | FileCheck %s
// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-deal-products,flash-tile-split-turns,flash-tile-start-products,flash-tile-advance-products)))' | FileCheck %s --check-prefix=STARTED
// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-split-turns)))' | FileCheck %s --check-prefix=LEFT

// Without turns nothing is split.
// LEFT-NOT: by_warpgroup

!k = !flash_tile.shared<64x64xbf16>
!rk = !flash_tile.ring<1, 64x64xbf16, mbarrier>
!half = !flash_tile.fragment<64x64xf32, #flash_tile.acc<8, column_groups = 2>>
!half16 = !flash_tile.fragment<64x64xbf16, #flash_tile.acc<8, column_groups = 2>>

gpu.module @kernels {
  // The first warpgroup makes the first tile, the second one the other: each has a loop of its own, in which nobody takes a turn. A stage that
  // was awaited is not awaited again.
  // CHECK-LABEL: gpu.func @gradients
  // CHECK: consumers(240)
  // CHECK-NEXT: flash_tile.by_warpgroup {
  // CHECK: scf.for
  // CHECK-NOT: in_turn
  // CHECK: math.exp2
  // CHECK: flash_tile.fill always %[[HIGH:.*]][%[[N:.*]]], %{{.*}}#0
  // CHECK: flash_tile.fill always %[[LOW:.*]][%[[N]]], %{{.*}}#1
  // CHECK-NOT: load_fragment
  // CHECK-DAG: flash_tile.get %[[HIGH]][%[[N]]]
  // CHECK-DAG: flash_tile.get %[[OTHER:.*]][%[[N]]]
  // CHECK: }, {
  // CHECK: scf.for
  // CHECK-NOT: math.exp2
  // CHECK: flash_tile.get %[[HIGH]]
  // CHECK: flash_tile.get %[[LOW]]
  // CHECK-COUNT-2: flash_tile.load_fragment
  // CHECK: flash_tile.fill always %[[OTHER]]
  // CHECK-NOT: flash_tile.get %[[HIGH]]
  // CHECK: flash_tile.get %[[OTHER]]
  // CHECK: gpu.return

  // What a warpgroup waits for comes behind what the other one needs for it; S of the next iteration starts behind the sums' store, for which
  // there would be no registers beside it, and the second tile's last product does not wait for the first one's.
  // STARTED-LABEL: gpu.func @gradients
  // STARTED: by_warpgroup {
  // STARTED: scf.for
  // STARTED: flash_tile.fill always %[[HIGH:.*]][
  // STARTED: flash_tile.fill always %[[LOW:.*]][
  // STARTED: flash_tile.get %[[HIGH]]
  // STARTED: flash_tile.mma_start
  // STARTED: flash_tile.get %[[OTHER:[a-z0-9]+]][
  // STARTED: flash_tile.mma_start
  // STARTED: flash_tile.mma_wait
  // STARTED: flash_tile.store add
  // STARTED: }, {
  // STARTED: scf.for
  // STARTED: flash_tile.get %[[HIGH]]
  // STARTED: flash_tile.mma_start
  // STARTED: flash_tile.load_fragment
  // STARTED: flash_tile.fill always %[[OTHER]]
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
