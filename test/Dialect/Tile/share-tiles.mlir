// RUN: flash-opt %s --flash-tile-share-tiles --split-input-file --verify-diagnostics | FileCheck %s

!shared = !flash_tile.ring<2, 128x64xbf16, mbarrier>
!map = !flash_tile.tensor_map<1x128x64xbf16>

module {
  // The box of the tile that both blocks copy is halved, that of the queries' not.
  // CHECK-LABEL: func.func @host
  // CHECK: %[[MQ:[a-z0-9_]+]] = flash_tile.tensor_map %{{.*}} -> !flash_tile.tensor_map<1x128x64xbf16>
  // CHECK: %[[MK:[a-z0-9_]+]] = flash_tile.tensor_map %{{.*}} -> !flash_tile.tensor_map<1x64x64xbf16>
  // CHECK: flash_tile.launch @kernels::@kernel {{.*}} args(%{{.*}}, %[[MQ]], %[[MK]]
  func.func @host(%q: memref<?x?x64xbf16>, %k: memref<?x?x64xbf16>, %n: index) {
    %mq = flash_tile.tensor_map %q : memref<?x?x64xbf16> -> !map
    %mk = flash_tile.tensor_map %k : memref<?x?x64xbf16> -> !map
    flash_tile.launch @kernels::@kernel grid(%n) args(%n, %mq, %mk : index, !map, !map)
    return
  }
  gpu.module @kernels {
    // CHECK: gpu.func @kernel(%{{.*}}: index, %{{.*}}: !flash_tile.tensor_map<1x128x64xbf16>, %[[MAPK:[a-z0-9_]+]]: !flash_tile.tensor_map<1x64x64xbf16>)
    gpu.func @kernel(%n: index, %mq: !map, %mk: !map) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8, cluster = 2>} {
      // CHECK: %[[RQ:[a-z0-9_]+]] = flash_tile.ring : !flash_tile.ring<2, 128x64xbf16, mbarrier>
      // CHECK: %[[RK:[a-z0-9_]+]] = flash_tile.ring : !flash_tile.ring<2, 128x64xbf16, mbarrier, cluster 2>
      %rq = flash_tile.ring : !shared
      %rk = flash_tile.ring : !shared
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c128 = arith.constant 128 : index
      %id = gpu.cluster_id x
      %rank = gpu.cluster_block_id x
      flash_tile.specialize producer(40) {
        %first = arith.muli %rank, %c128 : index
        // CHECK: flash_tile.put %[[RQ]]{{.*}}, !flash_tile.tensor_map<1x128x64xbf16>
        flash_tile.put %rq[%c0], %mq[%id, %first, %c0] : !shared, !map
        scf.for %j = %c0 to %n step %c128 iter_args(%i = %c0) -> (index) {
          // CHECK: flash_tile.put %[[RK]][%{{.*}}], %[[MAPK]]{{.*}} : !flash_tile.ring<2, 128x64xbf16, mbarrier, cluster 2>, !flash_tile.tensor_map<1x64x64xbf16>
          flash_tile.put %rk[%i], %mk[%id, %j, %c0] : !shared, !map
          %next = arith.addi %i, %c1 : index
          scf.yield %next : index
        }
      } consumers(232) {
        // CHECK: flash_tile.release %[[RK]][%{{.*}}] : !flash_tile.ring<2, 128x64xbf16, mbarrier, cluster 2>
        flash_tile.release %rk[%c0] : !shared
      }
      gpu.return
    }
  }
}

// -----

// Loops that are longer in one block than in the other, and conditions that hold in one alone: nothing is shared.

!own = !flash_tile.ring<2, 128x64xbf16, mbarrier>
!map = !flash_tile.tensor_map<1x128x64xbf16>

module {
  gpu.module @kernels {
    // CHECK-LABEL: gpu.func @uneven
    // CHECK-NOT: cluster 2>
    // expected-remark @below {{flash-tile-share-tiles leaves 'uneven' as it is: the blocks of a cluster have no tiles in common}}
    gpu.func @uneven(%n: index, %mk: !map, %mv: !map) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8, cluster = 2>} {
      %rk = flash_tile.ring : !own
      %rv = flash_tile.ring : !own
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c128 = arith.constant 128 : index
      %rank = gpu.cluster_block_id x
      %last = arith.muli %rank, %c128 : index
      flash_tile.specialize producer(40) {
        %count = scf.for %j = %c0 to %last step %c128 iter_args(%i = %c0) -> (index) {
          flash_tile.put %rk[%i], %mk[%c0, %j, %c0] : !own, !map
          %next = arith.addi %i, %c1 : index
          scf.yield %next : index
        }
        // What the loop counted differs, too.
        flash_tile.put %rv[%count], %mv[%c0, %c0, %c0] : !own, !map
        %first = arith.cmpi eq, %rank, %c0 : index
        scf.if %first {
          flash_tile.put %rv[%c0], %mv[%c0, %c0, %c0] : !own, !map
        }
      } consumers(232) {
      }
      gpu.return
    }
  }
}
