// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-overlap-tiles)))' --split-input-file --verify-diagnostics | FileCheck %s

!s = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!p = !flash_tile.fragment<128x64xf16, #flash_tile.lhs<8>>
!rq = !flash_tile.ring<2, 128x64xf16, mbarrier>
!rk = !flash_tile.ring<2, 64x64xf16, mbarrier>
!q = !flash_tile.shared<128x64xf16>
!k = !flash_tile.shared<64x64xf16>
gpu.module @kernels {
  // CHECK-LABEL: gpu.func @kernel
  // CHECK-SAME: %[[VISITS:[a-z0-9_]+]]: index, %[[N:[a-z0-9_]+]]: index
  gpu.func @kernel(%out: memref<?x64xf32>, %visits: index, %n: index) kernel
      attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.overlap_tiles]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : f32
    %rq = flash_tile.ring : !rq
    %rk = flash_tile.ring : !rk
    %rv = flash_tile.ring : !rk
    flash_tile.specialize producer(40) {
    } consumers(232) {
      // The first tile's product, unless it has no keys.
      // CHECK: consumers
      // CHECK: %[[SOME:[a-z0-9_]+]] = arith.cmpi slt, %c0, %[[VISITS]]
      // CHECK: %[[KEYS:[a-z0-9_]+]] = arith.andi %[[SOME]]
      // CHECK: %[[Q0:[a-z0-9_]+]] = flash_tile.get %[[RQ:[a-z0-9_]+]][%c0] when %[[SOME]]
      // CHECK: %[[K0:[a-z0-9_]+]] = flash_tile.get %[[RK:[a-z0-9_]+]][%c0] when %[[KEYS]]
      // CHECK: %[[S0:[a-z0-9_]+]] = flash_tile.mma #flash_tile.wgmma %[[Q0]], %[[K0]]
      // CHECK: scf.for %[[T:[a-z0-9_]+]] = %c0 to %[[VISITS]] step %c1 iter_args(%[[I:[a-z0-9_]+]] = %c0, %[[S:[a-z0-9_]+]] = %[[S0]])
      // CHECK:   %[[NEXT:[a-z0-9_]+]] = arith.addi %[[T]], %c1
      // CHECK:   %[[MORE:[a-z0-9_]+]] = arith.cmpi slt, %[[NEXT]], %[[VISITS]]
      // CHECK:   %[[VISIBLE:[a-z0-9_]+]] = arith.andi %[[MORE]]
      // CHECK:   %[[R:[a-z0-9_]+]]:2 = scf.if
      // CHECK:     %[[P:[a-z0-9_]+]] = flash_tile.convert %[[S]]
      // CHECK:     %[[O:[a-z0-9_]+]] = flash_tile.mma_start #flash_tile.wgmma %[[P]]
      // CHECK:     %[[Q1:[a-z0-9_]+]] = flash_tile.get %[[RQ]][%[[NEXT]]] when %[[MORE]]
      // CHECK:     %[[K1:[a-z0-9_]+]] = flash_tile.get %[[RK]][%{{.*}}] when %[[VISIBLE]]
      // CHECK:     %[[S1:[a-z0-9_]+]] = flash_tile.mma_start #flash_tile.wgmma %[[Q1]], %[[K1]]
      // CHECK:     %[[W:[a-z0-9_]+]]:2 = flash_tile.mma_wait %[[O]], %[[S1]] in_flight 1
      // The tile's end, under the next one's product.
      // CHECK:     flash_tile.store %[[W]]#0
      // CHECK:     %[[END:[a-z0-9_]+]] = flash_tile.mma_wait %[[W]]#1
      // CHECK:     scf.yield %{{.*}}, %[[END]]
      // CHECK:   } else {
      // CHECK:     flash_tile.store
      // CHECK:     %[[HIDDEN:[a-z0-9_]+]] = flash_tile.mma #flash_tile.wgmma
      // CHECK:     scf.yield %[[I]], %[[HIDDEN]]
      // CHECK:   scf.yield %[[R]]#0, %[[R]]#1
      // CHECK: } {flash_tile.tiles}
      %end = scf.for %t = %c0 to %visits step %c1 iter_args(%i = %c0) -> (index) {
        %o0 = flash_tile.splat %zero : !s
        %q = flash_tile.get %rq[%t] : !rq
        %keys = arith.cmpi sgt, %n, %t : index
        %r:2 = scf.if %keys -> (!s, index) {
          %k = flash_tile.get %rk[%i] : !rk
          %s = flash_tile.mma #flash_tile.wgmma %q, %k transpose_b : !q, !k -> !s
          flash_tile.release %rk[%i] : !rk
          %p = flash_tile.convert %s : !s -> !p
          %next = arith.addi %i, %c1 : index
          %v = flash_tile.get %rv[%i] : !rk
          %o = flash_tile.mma #flash_tile.wgmma %p, %v acc(%o0) : !p, !k -> !s
          flash_tile.release %rv[%i] : !rk
          scf.yield %o, %next : !s, index
        } else {
          scf.yield %o0, %i : !s, index
        }
        flash_tile.release %rq[%t] : !rq
        flash_tile.store %r#0, %out[%t, %c0] : !s, memref<?x64xf32>
        scf.yield %r#1 : index
      } {flash_tile.tiles}
    }
    gpu.return
  }
}

// -----

!s = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!p = !flash_tile.fragment<128x64xf16, #flash_tile.lhs<8>>
!rq = !flash_tile.ring<1, 128x64xf16, mbarrier>
!rk = !flash_tile.ring<2, 64x64xf16, mbarrier>
!q = !flash_tile.shared<128x64xf16>
!k = !flash_tile.shared<64x64xf16>
gpu.module @kernels {
  // CHECK-LABEL: gpu.func @one_stage
  // expected-remark @below {{flash-tile-overlap-tiles leaves 'one_stage' as it is: queries have one stage}}
  gpu.func @one_stage(%out: memref<?x64xf32>, %visits: index, %n: index) kernel
      attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.overlap_tiles]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : f32
    %rq = flash_tile.ring : !rq
    %rk = flash_tile.ring : !rk
    flash_tile.specialize producer(40) {
    } consumers(232) {
      %end = scf.for %t = %c0 to %visits step %c1 iter_args(%i = %c0) -> (index) {
        %o0 = flash_tile.splat %zero : !s
        %q = flash_tile.get %rq[%t] : !rq
        %keys = arith.cmpi sgt, %n, %t : index
        %r:2 = scf.if %keys -> (!s, index) {
          %k = flash_tile.get %rk[%i] : !rk
          %s = flash_tile.mma #flash_tile.wgmma %q, %k transpose_b : !q, !k -> !s
          %p = flash_tile.convert %s : !s -> !p
          %v = flash_tile.get %rk[%i] : !rk
          %o = flash_tile.mma #flash_tile.wgmma %p, %v acc(%o0) : !p, !k -> !s
          scf.yield %o, %i : !s, index
        } else {
          scf.yield %o0, %i : !s, index
        }
        flash_tile.store %r#0, %out[%t, %c0] : !s, memref<?x64xf32>
        scf.yield %r#1 : index
      } {flash_tile.tiles}
    }
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @dynamic
  // expected-remark @below {{flash-tile-overlap-tiles leaves 'dynamic' as it is: which tile is the next is not known before it is taken}}
  gpu.func @dynamic(%out: memref<?xindex>, %visits: index, %counter: memref<1xi64>) kernel
      attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.overlap_tiles]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    flash_tile.specialize producer(40) {
    } consumers(232) {
      scf.for %t = %c0 to %visits step %c1 {
        %tile = flash_tile.tile_of %t of %visits counter(%counter : memref<1xi64>)
        memref.store %tile, %out[%t] : memref<?xindex>
      } {flash_tile.tiles}
    }
    gpu.return
  }
}
