// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-dynamic-order)))' | FileCheck %s
// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-dynamic-order{counted=false})))' | FileCheck %s --check-prefix=FIXED

// FIXED-NOT: scf.while
// FIXED-NOT: tile_of

!ring = !flash_tile.ring<2, 64x64xf16, mbarrier>
!map = !flash_tile.tensor_map<64x64xf16>

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @kernel
  // CHECK-SAME: %[[TILES:[a-z0-9_]+]]: index, %[[COUNTER:[a-z0-9_]+]]: memref<1xi64>)
  gpu.func @kernel(%map: !map, %visits: index, %tiles: index, %counter: memref<1xi64>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %r = flash_tile.ring : !ring
    // CHECK: %[[QUEUE:[a-z0-9_]+]] = flash_tile.queue
    // CHECK: flash_tile.specialize producer(40)
    flash_tile.specialize producer(40) {
      // Every block begins with the tile of its number.
      // CHECK: %[[ID:[a-z0-9_]+]] = gpu.block_id x
      // CHECK: scf.while (%[[T:[a-z0-9_]+]] = %c0, %[[TILE:[a-z0-9_]+]] = %[[ID]], %[[I:[a-z0-9_]+]] = %c0)
      // CHECK:   flash_tile.post %[[QUEUE]][%[[T]]], %[[TILE]]
      // CHECK:   %[[SOME:[a-z0-9_]+]] = arith.cmpi slt, %[[TILE]], %[[TILES]]
      // CHECK:   scf.condition(%[[SOME]]) %[[T]], %[[TILE]], %[[I]]
      // CHECK: ^bb0(%[[T1:[a-z0-9_]+]]: index, %[[TILE1:[a-z0-9_]+]]: index, %[[I1:[a-z0-9_]+]]: index)
      // CHECK:   %[[NEXT_T:[a-z0-9_]+]] = arith.addi %[[T1]], %c1
      // CHECK:   flash_tile.put %{{.*}}[%[[I1]]], %{{.*}}[%[[TILE1]], %c0]
      // The next tile is taken when everything of this one is on its way.
      // CHECK:   %[[NEXT:[a-z0-9_]+]] = flash_tile.next_tile %[[COUNTER]] of %[[TILES]] : memref<1xi64>
      // CHECK:   scf.yield %[[NEXT_T]], %[[NEXT]], %{{.*}}
      %end = scf.for %t = %c0 to %visits step %c1 iter_args(%i = %c0) -> (index) {
        %tile = flash_tile.tile_of %t of %tiles counter(%counter : memref<1xi64>)
        flash_tile.put %r[%i], %map[%tile, %c0] : !ring, !map
        %i1 = arith.addi %i, %c1 : index
        scf.yield %i1 : index
      }
    } consumers(232) {
      // CHECK: consumers(232)
      // CHECK: scf.while (%[[T:[a-z0-9_]+]] = %c0, %[[I:[a-z0-9_]+]] = %c0)
      // CHECK:   %[[TILE:[a-z0-9_]+]] = flash_tile.receive %[[QUEUE]][%[[T]]]
      // CHECK:   %[[SOME:[a-z0-9_]+]] = arith.cmpi slt, %[[TILE]], %[[TILES]]
      // CHECK:   scf.condition(%[[SOME]]) %[[T]], %[[TILE]], %[[I]]
      // CHECK:   flash_tile.get
      // CHECK-NOT: next_tile
      %end = scf.for %t = %c0 to %visits step %c1 iter_args(%i = %c0) -> (index) {
        %tile = flash_tile.tile_of %t of %tiles counter(%counter : memref<1xi64>)
        %k = flash_tile.get %r[%i] : !ring
        flash_tile.release %r[%i] : !ring
        %i1 = arith.addi %i, %tile : index
        scf.yield %i1 : index
      }
    }
    gpu.return
  }

  // Each warpgroup's own code receives numbers, and a helper does, as one thread.
  // CHECK-LABEL: gpu.func @parts
  // CHECK: flash_tile.specialize producer(24)
  // CHECK: flash_tile.post
  // CHECK: by_warpgroup {
  // CHECK: flash_tile.receive %{{[a-z0-9_]+}}[%{{[a-z0-9_]+}}]{{$}}
  // CHECK: }, {
  // CHECK: flash_tile.receive %{{[a-z0-9_]+}}[%{{[a-z0-9_]+}}]{{$}}
  // CHECK: helper "writer"
  // CHECK: flash_tile.receive %{{[a-z0-9_]+}}[%{{[a-z0-9_]+}}] alone
  gpu.func @parts(%map: !map, %visits: index, %tiles: index, %counter: memref<1xi64>, %out: memref<?xindex>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    flash_tile.specialize producer(24) {
      scf.for %t = %c0 to %visits step %c1 {
        %tile = flash_tile.tile_of %t of %tiles counter(%counter : memref<1xi64>)
        memref.store %tile, %out[%t] : memref<?xindex>
      }
    } consumers(240) {
      flash_tile.by_warpgroup {
        scf.for %t = %c0 to %visits step %c1 {
          %tile = flash_tile.tile_of %t of %tiles counter(%counter : memref<1xi64>)
          memref.store %tile, %out[%c0] : memref<?xindex>
        }
      }, {
        scf.for %t = %c0 to %visits step %c1 {
          %tile = flash_tile.tile_of %t of %tiles counter(%counter : memref<1xi64>)
          memref.store %tile, %out[%c1] : memref<?xindex>
        }
      }
    } helper "writer" {
      scf.for %t = %c0 to %visits step %c1 {
        %tile = flash_tile.tile_of %t of %tiles counter(%counter : memref<1xi64>)
        memref.store %tile, %out[%tile] : memref<?xindex>
      }
    }
    gpu.return
  }

  // Where a role does not work through tiles, nobody asks.
  // CHECK-LABEL: gpu.func @other
  // CHECK-NOT: flash_tile.queue
  // CHECK-NOT: scf.while
  gpu.func @other(%visits: index, %tiles: index, %counter: memref<1xi64>, %out: memref<?xindex>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    flash_tile.specialize producer(24) {
      scf.for %t = %c0 to %visits step %c1 {
        %tile = flash_tile.tile_of %t of %tiles counter(%counter : memref<1xi64>)
        memref.store %tile, %out[%t] : memref<?xindex>
      }
    } consumers(240) {
      scf.for %t = %c0 to %visits step %c1 {
        %tile = flash_tile.tile_of %t of %tiles counter(%counter : memref<1xi64>)
        memref.store %tile, %out[%c0] : memref<?xindex>
      }
    } helper "writer" {
      memref.store %c0, %out[%c1] : memref<?xindex>
    }
    gpu.return
  }

  // Without roles the order stays as it was.
  // CHECK-LABEL: gpu.func @together
  gpu.func @together(%out: memref<?xindex>, %visits: index, %tiles: index, %counter: memref<1xi64>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    // CHECK: scf.for %[[T:[a-z0-9_]+]] =
    scf.for %t = %c0 to %visits step %c1 {
      // CHECK-NOT: tile_of
      // CHECK: memref.store %[[T]], %{{.*}}[%[[T]]]
      %tile = flash_tile.tile_of %t of %tiles counter(%counter : memref<1xi64>)
      memref.store %tile, %out[%t] : memref<?xindex>
    }
    gpu.return
  }
}
