// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-prefetch-tiles)))' --split-input-file --verify-diagnostics | FileCheck %s

!rq = !flash_tile.ring<2, 128x128xf16, mbarrier>
!rk = !flash_tile.ring<2, 64x128xf16, mbarrier>
!mq = !flash_tile.tensor_map<128x64xf16>
!mk = !flash_tile.tensor_map<64x64xf16>
gpu.module @kernels {
  // CHECK-LABEL: gpu.func @kernel
  // CHECK-SAME: %[[MQ:[a-z0-9_]+]]: !flash_tile.tensor_map<128x64xf16>, %[[MK:[a-z0-9_]+]]: !flash_tile.tensor_map<64x64xf16>, %[[VISITS:[a-z0-9_]+]]: index
  gpu.func @kernel(%mq: !mq, %mk: !mk, %visits: index, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.prefetch_tiles<blocks = 8>]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %c128 = arith.constant 128 : index
    %q = flash_tile.ring : !rq
    %k = flash_tile.ring : !rk
    flash_tile.specialize producer(40) {
      // CHECK: scf.for %[[T:[a-z0-9_]+]] =
      // CHECK:   %[[NEXT:[a-z0-9_]+]] = arith.addi %[[T]], %c1
      // CHECK:   %[[MORE:[a-z0-9_]+]] = arith.cmpi slt, %[[NEXT]], %[[VISITS]]
      // CHECK:   scf.if %[[MORE]] {
      // CHECK:     %[[ROW:[a-z0-9_]+]] = arith.muli %[[NEXT]], %c128
      // CHECK:     flash_tile.prefetch %[[MQ]][%[[ROW]], %c0] : !flash_tile.tensor_map<128x64xf16> as !flash_tile.shared<128x128xf16>
      // Every fourth block of keys, the first by the number of the thread block.
      // CHECK:     %[[ID:[a-z0-9_]+]] = gpu.block_id x
      // CHECK:     %[[SHARE:[a-z0-9_]+]] = arith.remui %[[ID]], %c4
      // CHECK:     scf.for %[[J:[a-z0-9_]+]] =
      // CHECK:       flash_tile.prefetch %[[MK]][%[[J]], %c0]
      // CHECK:   flash_tile.put %{{.*}}[%[[T]]], %[[MQ]]
      // CHECK:   scf.for
      // CHECK:     flash_tile.put
      %end = scf.for %t = %c0 to %visits step %c1 iter_args(%i = %c0) -> (index) {
        %row = arith.muli %t, %c128 : index
        flash_tile.put %q[%t], %mq[%row, %c0] : !rq, !mq
        %last = scf.for %j = %c0 to %n step %c64 iter_args(%c = %i) -> (index) {
          flash_tile.put %k[%c], %mk[%j, %c0] : !rk, !mk
          %c1n = arith.addi %c, %c1 : index
          scf.yield %c1n : index
        }
        scf.yield %last : index
      }
    } consumers(232) {
    }
    gpu.return
  }
}

// -----

!rq = !flash_tile.ring<2, 128x128xf16, mbarrier>
!mq = !flash_tile.tensor_map<128x64xf16>
gpu.module @kernels {
  // CHECK-LABEL: gpu.func @no_loop
  // CHECK-NOT: flash_tile.prefetch %
  // expected-remark @below {{flash-tile-prefetch-tiles leaves 'no_loop' as it is: where the next tile's operands lie is known in the tile only}}
  gpu.func @no_loop(%mq: !mq, %visits: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.prefetch_tiles<blocks = 8>]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %q = flash_tile.ring : !rq
    flash_tile.specialize producer(40) {
      scf.for %t = %c0 to %visits step %c1 {
        flash_tile.put %q[%t], %mq[%t, %c0] : !rq, !mq
      }
    } consumers(232) {
    }
    gpu.return
  }
}

// -----

!rq = !flash_tile.ring<2, 128x128xf16, mbarrier>
!mq = !flash_tile.tensor_map<128x64xf16>
gpu.module @kernels {
  // CHECK-LABEL: gpu.func @dynamic
  // CHECK-NOT: flash_tile.prefetch %
  // expected-remark @below {{flash-tile-prefetch-tiles leaves 'dynamic' as it is: where the next tile's operands lie is known in the tile only}}
  gpu.func @dynamic(%mq: !mq, %visits: index, %n: index, %counter: memref<1xi64>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.prefetch_tiles<blocks = 8>]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %q = flash_tile.ring : !rq
    flash_tile.specialize producer(40) {
      scf.for %t = %c0 to %visits step %c1 {
        %tile = flash_tile.tile_of %t of %n counter(%counter : memref<1xi64>)
        scf.for %j = %c0 to %n step %c1 {
          flash_tile.put %q[%j], %mq[%tile, %c0] : !rq, !mq
        }
      }
    } consumers(232) {
    }
    gpu.return
  }
}
