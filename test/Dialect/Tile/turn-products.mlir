// RUN: flash-opt %s --split-input-file --flash-tile-turn-products | FileCheck %s

!k = !flash_tile.shared<128x64xbf16>
!q = !flash_tile.shared<64x64xbf16>
!rk = !flash_tile.ring<1, 128x64xbf16, mbarrier>
!rq = !flash_tile.ring<2, 64x64xbf16, mbarrier>
!s = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!p = !flash_tile.fragment<128x64xbf16, #flash_tile.lhs<8>>
!sum = !flash_tile.fragment<64x64xf32, #flash_tile.acc<8, column_groups = 2>>
!out = memref<?x64xf32, strided<[64, 1]>>

// What is only added to memory, of which each warpgroup would have a part of the columns, is made whole by one of them, an
// iteration late; the first iteration has no turn, and the last one's stands behind the loop. The helper walks the same
// places.
gpu.module @kernels {
  // CHECK-LABEL: gpu.func @gradient
  // CHECK-DAG: %[[RING:.*]] = flash_tile.ring : !flash_tile.ring<2, 128x64xbf16, mbarrier>
  // CHECK-DAG: %[[SUMS:.*]] = flash_tile.ring : !flash_tile.ring<1, 64x64xf32, mbarrier>
  // CHECK: flash_tile.specialize producer(40)
  // CHECK: consumers(232)
  // CHECK: %[[LOOP:.*]]:2 = scf.for %[[AT:.*]] = %[[BEGIN:.*]] to %[[END:.*]] step %{{.*}} iter_args(%{{.*}}, %[[N:.*]] = %{{.*}})
  // CHECK: flash_tile.fill %[[RING]][%[[N]]], %{{.*}}
  // CHECK-NOT: flash_tile.store
  // CHECK: %[[BEFORE:.*]] = arith.subi %[[N]], %{{.*}}
  // CHECK: %[[SOME:.*]] = arith.cmpi sgt, %[[AT]], %[[BEGIN]]
  // CHECK: flash_tile.in_turn %[[N]] when %[[SOME]] {
  // CHECK: %[[T:.*]] = flash_tile.get %[[RING]][%[[BEFORE]]]
  // CHECK: %[[P:.*]] = flash_tile.mma #flash_tile.wgmma %[[T]], %{{.*}} transpose_a {{.*}} -> !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
  // CHECK: flash_tile.release %[[RING]][%[[BEFORE]]]
  // CHECK: flash_tile.fill %[[SUMS]][%[[BEFORE]]], %[[P]]
  // CHECK: scf.yield
  // CHECK: %[[ANY:.*]] = arith.cmpi sgt, %[[END]], %[[BEGIN]]
  // CHECK: flash_tile.in_turn %[[LOOP]]#1 when %[[ANY]]
  // CHECK: helper "writer" {
  // CHECK: scf.for %[[I:.*]] = {{.*}} iter_args(%[[M:.*]] = %{{.*}})
  // CHECK: %[[ROW:.*]] = arith.muli %[[I]]
  // CHECK: %[[TILE:.*]] = flash_tile.get %[[SUMS]][%[[M]]]
  // CHECK: flash_tile.store_tile add %[[TILE]], %{{.*}}[%[[ROW]], %{{.*}}] : !flash_tile.shared<64x64xf32>, !flash_tile.tensor_map<64x32xf32>
  // CHECK: flash_tile.release %[[SUMS]][%[[M]]]
  gpu.func @gradient(%n: index, %out: !out) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.start_products, #flash_tile.store_tma]} {
    %rk = flash_tile.ring : !rk
    %rq = flash_tile.ring : !rq
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    flash_tile.specialize producer(40) {
    } consumers(232) {
      %k = flash_tile.get %rk[%c0] : !rk
      %zero = arith.constant 0.0 : f32
      %a0 = flash_tile.splat %zero : !s
      scf.for %i = %c0 to %n step %c1 iter_args(%acc = %a0) -> (!s) {
        %q = flash_tile.get %rq[%i] : !rq
        %s = flash_tile.mma #flash_tile.wgmma %k, %q transpose_b : !k, !q -> !s
        %p16 = flash_tile.convert %s : !s -> !p
        %a1 = flash_tile.mma #flash_tile.wgmma %p16, %q acc(%acc) : !p, !q -> !s
        %t = flash_tile.store_shared %p16 : !p -> !k
        %d = flash_tile.mma #flash_tile.wgmma %t, %k transpose_a : !k, !k -> !sum
        %row = arith.muli %i, %c64 : index
        flash_tile.store add %d, %out[%row, %c0] {alignment = 16 : i64} : !sum, !out
        flash_tile.release %rq[%i] : !rq
        scf.yield %a1 : !s
      }
    }
    gpu.return
  }
}

// -----

// In a persistent kernel iterations are counted on, and the helper goes through the tiles.
!k = !flash_tile.shared<128x64xbf16>
!q = !flash_tile.shared<64x64xbf16>
!rk = !flash_tile.ring<1, 128x64xbf16, mbarrier>
!rq = !flash_tile.ring<2, 64x64xbf16, mbarrier>
!s = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!p = !flash_tile.fragment<128x64xbf16, #flash_tile.lhs<8>>
!sum = !flash_tile.fragment<64x64xf32, #flash_tile.acc<8, column_groups = 2>>
!out = memref<?x64xf32, strided<[64, 1]>>
gpu.module @kernels {
  // CHECK-LABEL: gpu.func @tiles
  // CHECK: %[[RING:.*]] = flash_tile.ring : !flash_tile.ring<2, 128x64xbf16, mbarrier>
  // CHECK: %[[SUMS:.*]] = flash_tile.ring : !flash_tile.ring<1, 64x64xf32, mbarrier>
  // CHECK: consumers(232)
  // CHECK: scf.for %{{.*}} iter_args(%[[FIRST:.*]] = %{{.*}}) -> (index)
  // CHECK: %[[LOOP:.*]]:2 = scf.for %[[AT:.*]] = {{.*}} iter_args(%{{.*}}, %[[N:.*]] = %[[FIRST]])
  // CHECK: flash_tile.fill %[[RING]][%[[N]]]
  // CHECK: flash_tile.in_turn %[[N]] when
  // CHECK: flash_tile.in_turn %[[LOOP]]#1 when
  // CHECK: scf.yield %[[LOOP]]#1
  // CHECK: helper "writer" {
  // CHECK: scf.for %[[T:.*]] = {{.*}} iter_args(%[[M0:.*]] = %{{.*}})
  // CHECK: %[[END:.*]] = arith.addi %[[T]]
  // CHECK: %[[STORES:.*]] = scf.for %{{.*}} = %{{.*}} to %[[END]] step %{{.*}} iter_args(%[[M:.*]] = %[[M0]])
  // CHECK: flash_tile.get %[[SUMS]][%[[M]]]
  // CHECK: flash_tile.store_tile add
  // CHECK: scf.yield %[[STORES]]
  gpu.func @tiles(%tiles: index, %out: !out) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.start_products, #flash_tile.store_tma]} {
    %rk = flash_tile.ring : !rk
    %rq = flash_tile.ring : !rq
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    flash_tile.specialize producer(40) {
    } consumers(232) {
      %zero = arith.constant 0.0 : f32
      %a0 = flash_tile.splat %zero : !s
      scf.for %t = %c0 to %tiles step %c1 iter_args(%before = %c0) -> (index) {
        %n = arith.addi %t, %c1 : index
        %k = flash_tile.get %rk[%t] : !rk
        %sum, %count = scf.for %i = %c0 to %n step %c1 iter_args(%acc = %a0, %j = %before) -> (!s, index) {
          %q = flash_tile.get %rq[%j] : !rq
          %s = flash_tile.mma #flash_tile.wgmma %k, %q transpose_b : !k, !q -> !s
          %p16 = flash_tile.convert %s : !s -> !p
          %a1 = flash_tile.mma #flash_tile.wgmma %p16, %q acc(%acc) : !p, !q -> !s
          %x = flash_tile.store_shared %p16 : !p -> !k
          %d = flash_tile.mma #flash_tile.wgmma %x, %k transpose_a : !k, !k -> !sum
          %row = arith.muli %i, %c64 : index
          flash_tile.store add %d, %out[%row, %c0] {alignment = 16 : i64} : !sum, !out
          flash_tile.release %rq[%j] : !rq
          %next = arith.addi %j, %c1 : index
          scf.yield %a1, %next : !s, index
        }
        flash_tile.release %rk[%t] : !rk
        scf.yield %count : index
      } {flash_tile.tiles}
    }
    gpu.return
  }
}
