// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-delay-products)))' | FileCheck %s

!k = !flash_tile.shared<128x64xbf16>
!q = !flash_tile.shared<64x64xbf16>
!rk = !flash_tile.ring<1, 128x64xbf16, mbarrier>
!rq = !flash_tile.ring<2, 64x64xbf16, mbarrier>
!s = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!p = !flash_tile.fragment<128x64xbf16, #flash_tile.lhs<8>>
!sum = !flash_tile.fragment<64x64xf32, #flash_tile.acc<8, column_groups = 2>>
!map = !flash_tile.tensor_map<16x32xf32>

gpu.module @kernels {
  // The product of the iteration before is made from the ring's stage, beside those of this one, and leaves to its place;
  // the first one is of zeros, and is not stored.
  // CHECK-LABEL: gpu.func @gradient
  // CHECK-SAME: %[[MAP:[a-z0-9]*]]: !flash_tile.tensor_map
  // CHECK: %[[RING:.*]] = flash_tile.ring : !flash_tile.ring<2, 128x64xbf16, mbarrier>
  // CHECK: flash_tile.fill %[[RING]][%{{.*}}], %{{.*}}
  // CHECK: %[[LOOP:.*]]:4 = scf.for %[[I:.*]] = {{.*}} iter_args(%{{.*}}, %[[N:.*]] = %{{.*}}, %[[ROW:.*]] = %{{.*}}, %[[COLUMN:.*]] = %{{.*}})
  // CHECK: %[[BEFORE:.*]] = arith.subi %[[N]]
  // CHECK: %[[SOME:.*]] = arith.cmpi sgt, %[[I]], %{{.*}}
  // CHECK: %[[T:.*]] = flash_tile.get %[[RING]][%[[BEFORE]]]
  // CHECK: %[[D:.*]] = flash_tile.mma #flash_tile.wgmma %[[T]], %{{.*}} transpose_a
  // CHECK: flash_tile.release %[[RING]][%[[BEFORE]]]
  // CHECK: flash_tile.store_async add %[[D]], %[[MAP]][%[[ROW]], %[[COLUMN]]] when %[[SOME]]
  // CHECK: flash_tile.fill %[[RING]][%[[N]]], %{{.*}}
  // CHECK: scf.yield
  // CHECK: scf.if
  // CHECK: flash_tile.store_async add %{{.*}}, %[[MAP]][%[[LOOP]]#2, %[[LOOP]]#3]
  gpu.func @gradient(%map: !map, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.start_products]} {
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
        flash_tile.store_async add %d, %map[%row, %c0] : !sum, !map
        flash_tile.release %rq[%i] : !rq
        scf.yield %a1 : !s
      }
    }
    gpu.return
  }

  // Without the attribute the loop stays.
  // CHECK-LABEL: gpu.func @other
  // CHECK-NOT: flash_tile.fill
  // CHECK: flash_tile.store_shared
  gpu.func @other(%map: !map, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %rk = flash_tile.ring : !rk
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : bf16
    flash_tile.specialize producer(40) {
    } consumers(232) {
      %k = flash_tile.get %rk[%c0] : !rk
      %p = flash_tile.splat %zero : !p
      scf.for %i = %c0 to %n step %c1 {
        %t = flash_tile.store_shared %p : !p -> !k
        %d = flash_tile.mma #flash_tile.wgmma %t, %k transpose_a : !k, !k -> !sum
        flash_tile.store_async add %d, %map[%i, %c0] : !sum, !map
      }
    }
    gpu.return
  }

  // Stages are counted on from tile to tile. A tile without iterations gives its zeros back. A stage that nobody reads behind the
  // loop is given back where it ends.
  // CHECK-LABEL: gpu.func @tiles
  // CHECK: %[[RING:.*]] = flash_tile.ring : !flash_tile.ring<2, 128x64xbf16, mbarrier>
  // CHECK: scf.for {{.*}} iter_args(%{{.*}}, %[[FIRST:.*]] = %{{.*}}) -> (index, index)
  // CHECK: flash_tile.fill %[[RING]][%[[FIRST]]]
  // CHECK: %[[SECOND:.*]] = arith.addi %[[FIRST]]
  // CHECK: %[[LOOP:.*]]:5 = scf.for {{.*}} iter_args(%{{.*}}, %{{.*}}, %{{.*}} = %[[SECOND]],
  // CHECK: scf.yield
  // CHECK: flash_tile.release %[[V:.*]][%{{.*}}] : !flash_tile.ring<1, 64x64xbf16, mbarrier>
  // CHECK: %[[LAST:.*]] = arith.subi %[[LOOP]]#2
  // CHECK: scf.if
  // CHECK: flash_tile.store_async add
  // CHECK: } else {
  // CHECK-NEXT: flash_tile.get %[[RING]][%[[LAST]]]
  // CHECK-NEXT: flash_tile.release %[[RING]][%[[LAST]]]
  // CHECK: flash_tile.release %{{.*}} : !flash_tile.ring<1, 128x64xbf16, mbarrier>
  // CHECK-NEXT: scf.yield %[[LOOP]]#1, %[[LOOP]]#2
  gpu.func @tiles(%map: !map, %n: index, %tiles: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.start_products]} {
    %rk = flash_tile.ring : !rk
    %rv = flash_tile.ring : !flash_tile.ring<1, 64x64xbf16, mbarrier>
    %rq = flash_tile.ring : !rq
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    flash_tile.specialize producer(40) {
    } consumers(232) {
      %zero = arith.constant 0.0 : f32
      %a0 = flash_tile.splat %zero : !s
      scf.for %t = %c0 to %tiles step %c1 iter_args(%before = %c0) -> (index) {
        %k = flash_tile.get %rk[%t] : !rk
        %v = flash_tile.get %rv[%t] : !flash_tile.ring<1, 64x64xbf16, mbarrier>
        %sum, %count = scf.for %i = %c0 to %n step %c1 iter_args(%acc = %a0, %j = %before) -> (!s, index) {
          %q = flash_tile.get %rq[%j] : !rq
          %s = flash_tile.mma #flash_tile.wgmma %k, %q transpose_b : !k, !q -> !s
          %p16 = flash_tile.convert %s : !s -> !p
          %a1 = flash_tile.mma #flash_tile.wgmma %p16, %v acc(%acc) : !p, !q -> !s
          %x = flash_tile.store_shared %p16 : !p -> !k
          %d = flash_tile.mma #flash_tile.wgmma %x, %k transpose_a : !k, !k -> !sum
          %row = arith.muli %i, %c64 : index
          flash_tile.store_async add %d, %map[%row, %c0] : !sum, !map
          flash_tile.release %rq[%j] : !rq
          %next = arith.addi %j, %c1 : index
          scf.yield %a1, %next : !s, index
        }
        flash_tile.release %rk[%t] : !rk
        flash_tile.release %rv[%t] : !flash_tile.ring<1, 64x64xbf16, mbarrier>
        scf.yield %count : index
      } {flash_tile.tiles}
    }
    gpu.return
  }
}
