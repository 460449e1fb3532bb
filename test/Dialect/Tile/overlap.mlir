// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-overlap)))' | FileCheck %s

!s = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!o = !flash_tile.fragment<128x128xf32, #flash_tile.acc<8>>
!p = !flash_tile.fragment<128x64xf16, #flash_tile.lhs<8>>

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @kernel
  // CHECK-SAME: %[[N:[a-z0-9_]+]]: index
  gpu.func @kernel(%q: memref<?x64xf16>, %out: memref<?x128xf32>, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.overlap]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %zero = arith.constant 0.0 : f32
    %tile = flash_tile.load %q[%c0, %c0] : memref<?x64xf16> -> !flash_tile.shared<128x64xf16>
    %rk = flash_tile.ring : !flash_tile.ring<2, 64x64xf16, mbarrier>
    %rv = flash_tile.ring : !flash_tile.ring<2, 64x128xf16, mbarrier>
    %o0 = flash_tile.splat %zero : !o
    // CHECK: %[[SOME:[a-z0-9_]+]] = arith.cmpi slt, %{{.*}}, %[[N]]
    // CHECK: %[[RESULT:[a-z0-9_]+]]:2 = scf.if %[[SOME]]
    // The first iteration's first product.
    // CHECK:   flash_tile.get
    // CHECK:   flash_tile.mma #flash_tile.wgmma
    // CHECK:   %[[P0:[a-z0-9_]+]] = flash_tile.convert
    // CHECK:   %[[LOOP:[a-z0-9_]+]]:{{.*}} = scf.for {{.*}} iter_args(%[[I:[a-z0-9_]+]] = {{.*}}, %[[P:[a-z0-9_]+]] = %[[P0]]
    %r:2 = scf.for %j = %c0 to %n step %c64 iter_args(%acc = %o0, %i = %c0) -> (!o, index) {
      %k = flash_tile.get %rk[%i] : !flash_tile.ring<2, 64x64xf16, mbarrier>
      %s = flash_tile.mma #flash_tile.wgmma %tile, %k transpose_b
          : !flash_tile.shared<128x64xf16>, !flash_tile.shared<64x64xf16> -> !s
      flash_tile.release %rk[%i] : !flash_tile.ring<2, 64x64xf16, mbarrier>
      %p = flash_tile.convert %s : !s -> !p
      %half = flash_tile.map(%acc) : (!o) -> !o {
      ^bb0(%row: index, %column: index, %x: f32):
        %y = arith.addf %x, %x : f32
        flash_tile.yield %y : f32
      }
      %v = flash_tile.get %rv[%i] : !flash_tile.ring<2, 64x128xf16, mbarrier>
      %o = flash_tile.mma #flash_tile.wgmma %p, %v acc(%half) : !p, !flash_tile.shared<64x128xf16> -> !o
      flash_tile.release %rv[%i] : !flash_tile.ring<2, 64x128xf16, mbarrier>
      %next = arith.addi %i, %c1 : index
      scf.yield %o, %next : !o, index
    }
    // CHECK:     %[[K:[a-z0-9_]+]] = flash_tile.get %[[RK:[a-z0-9_]+]][%[[I]]]
    // CHECK:     %[[S:[a-z0-9_]+]] = flash_tile.mma_start #flash_tile.wgmma %{{.*}}, %[[K]] transpose_b
    // CHECK:     %[[V:[a-z0-9_]+]] = flash_tile.get
    // CHECK:     %[[O:[a-z0-9_]+]] = flash_tile.mma_start #flash_tile.wgmma %[[P]], %[[V]] acc
    // CHECK:     %[[SW:[a-z0-9_]+]]:2 = flash_tile.mma_wait %[[S]], %[[O]] in_flight 1
    // CHECK:     flash_tile.release %[[RK]]
    // The conversion would overwrite what the product in flight reads.
    // CHECK:     %[[OW:[a-z0-9_]+]] = flash_tile.mma_wait %[[SW]]#1
    // CHECK:     flash_tile.release
    // CHECK:     flash_tile.convert %[[SW]]#0
    // CHECK:     flash_tile.map(%[[OW]])
    // The last iteration's second product.
    // CHECK:   flash_tile.get
    // CHECK:   %[[LAST:[a-z0-9_]+]] = flash_tile.mma #flash_tile.wgmma %[[LOOP]]
    // CHECK:   flash_tile.release
    // CHECK:   scf.yield %[[LAST]]
    // CHECK: } else {
    flash_tile.store %r#0, %out[%c0, %c0] : !o, memref<?x128xf32>
    gpu.return
  }

  // Where an iteration follows, all rows of V exist: they are cleared behind the loop only, from a count that follows
  // from the last position.
  // CHECK-LABEL: gpu.func @lengths
  // CHECK-SAME: %[[LENGTH:[a-z0-9_]+]]: index
  gpu.func @lengths(%q: memref<?x64xf16>, %out: memref<?x128xf32>, %length: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.overlap]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %zero = arith.constant 0.0 : f32
    %tile = flash_tile.load %q[%c0, %c0] : memref<?x64xf16> -> !flash_tile.shared<128x64xf16>
    %rk = flash_tile.ring : !flash_tile.ring<2, 64x64xf16, mbarrier>
    %rv = flash_tile.ring : !flash_tile.ring<2, 64x128xf16, mbarrier>
    %o0 = flash_tile.splat %zero : !o
    // CHECK: scf.for
    // CHECK-NOT: rows(
    // CHECK: scf.yield
    // CHECK: %[[STEPS:[a-z0-9_]+]] = arith.divui
    // CHECK: %[[WHOLE:[a-z0-9_]+]] = arith.muli %[[STEPS]]
    // CHECK: %[[AT:[a-z0-9_]+]] = arith.addi %{{.*}}, %[[WHOLE]]
    // CHECK: %[[LEFT:[a-z0-9_]+]] = arith.subi %[[LENGTH]], %[[AT]]
    // CHECK: %[[ROWS:[a-z0-9_]+]] = arith.minsi %[[LEFT]]
    // CHECK: flash_tile.get %{{.*}} rows(%[[ROWS]])
    // CHECK: flash_tile.mma #flash_tile.wgmma
    %r:2 = scf.for %j = %c0 to %length step %c64 iter_args(%acc = %o0, %i = %c0) -> (!o, index) {
      %left = arith.subi %length, %j : index
      %rows = arith.minsi %left, %c64 : index
      %k = flash_tile.get %rk[%i] : !flash_tile.ring<2, 64x64xf16, mbarrier>
      %s = flash_tile.mma #flash_tile.wgmma %tile, %k transpose_b
          : !flash_tile.shared<128x64xf16>, !flash_tile.shared<64x64xf16> -> !s
      flash_tile.release %rk[%i] : !flash_tile.ring<2, 64x64xf16, mbarrier>
      %p = flash_tile.convert %s : !s -> !p
      %half = flash_tile.map(%acc) : (!o) -> !o {
      ^bb0(%row: index, %column: index, %x: f32):
        %y = arith.addf %x, %x : f32
        flash_tile.yield %y : f32
      }
      %v = flash_tile.get %rv[%i] rows(%rows) : !flash_tile.ring<2, 64x128xf16, mbarrier>
      %o = flash_tile.mma #flash_tile.wgmma %p, %v acc(%half) : !p, !flash_tile.shared<64x128xf16> -> !o
      flash_tile.release %rv[%i] : !flash_tile.ring<2, 64x128xf16, mbarrier>
      %next = arith.addi %i, %c1 : index
      scf.yield %o, %next : !o, index
    }
    flash_tile.store %r#0, %out[%c0, %c0] : !o, memref<?x128xf32>
    gpu.return
  }

  // Of counts that say less, each is passed on.
  // CHECK-LABEL: gpu.func @counts
  // CHECK: %[[LOOP:[a-z0-9_]+]]:{{.*}} = scf.for {{.*}} iter_args(
  // CHECK:   flash_tile.get %{{.*}} rows(%{{.*}})
  // CHECK: flash_tile.get %{{.*}} rows(%[[LOOP]]#
  gpu.func @counts(%q: memref<?x64xf16>, %out: memref<?x128xf32>, %n: index, %length: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.overlap]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %zero = arith.constant 0.0 : f32
    %tile = flash_tile.load %q[%c0, %c0] : memref<?x64xf16> -> !flash_tile.shared<128x64xf16>
    %rk = flash_tile.ring : !flash_tile.ring<2, 64x64xf16, mbarrier>
    %rv = flash_tile.ring : !flash_tile.ring<2, 64x128xf16, mbarrier>
    %o0 = flash_tile.splat %zero : !o
    %r:2 = scf.for %j = %c0 to %n step %c64 iter_args(%acc = %o0, %i = %c0) -> (!o, index) {
      %left = arith.subi %length, %j : index
      %rows = arith.minsi %left, %c64 : index
      %k = flash_tile.get %rk[%i] : !flash_tile.ring<2, 64x64xf16, mbarrier>
      %s = flash_tile.mma #flash_tile.wgmma %tile, %k transpose_b
          : !flash_tile.shared<128x64xf16>, !flash_tile.shared<64x64xf16> -> !s
      flash_tile.release %rk[%i] : !flash_tile.ring<2, 64x64xf16, mbarrier>
      %p = flash_tile.convert %s : !s -> !p
      %half = flash_tile.map(%acc) : (!o) -> !o {
      ^bb0(%row: index, %column: index, %x: f32):
        %y = arith.addf %x, %x : f32
        flash_tile.yield %y : f32
      }
      %v = flash_tile.get %rv[%i] rows(%rows) : !flash_tile.ring<2, 64x128xf16, mbarrier>
      %o = flash_tile.mma #flash_tile.wgmma %p, %v acc(%half) : !p, !flash_tile.shared<64x128xf16> -> !o
      flash_tile.release %rv[%i] : !flash_tile.ring<2, 64x128xf16, mbarrier>
      %next = arith.addi %i, %c1 : index
      scf.yield %o, %next : !o, index
    }
    flash_tile.store %r#0, %out[%c0, %c0] : !o, memref<?x128xf32>
    gpu.return
  }
}
