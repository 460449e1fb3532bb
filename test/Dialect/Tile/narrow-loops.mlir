// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-narrow-loops)))' | FileCheck %s

// Loops of kernels with many products count in 32 bits, and what they carry of indices has as many.
gpu.module @kernels {
  // CHECK-LABEL: gpu.func @narrow
  // CHECK-SAME: %[[N:[a-z0-9]*]]: index, %[[OUT:[a-z0-9]*]]: memref
  // CHECK: %[[N32:.*]] = arith.index_castui %[[N]] : index to i32
  // CHECK: %[[TILES:.*]]:2 = scf.for %[[T:.*]] = %{{.*}} to %[[N32]] step %{{.*}} iter_args(%[[M:.*]] = %{{.*}}, %[[X:.*]] = %{{.*}}) -> (i32, f32) : i32 {
  // CHECK: arith.index_castui %[[T]] : i32 to index
  // CHECK: scf.for {{.*}} : i32 {
  // CHECK: memref.store
  // CHECK: scf.yield %{{.*}}, %[[X]] : i32, f32
  // CHECK: } {flash_tile.tiles}
  // CHECK: %[[COUNT:.*]] = arith.index_castui %[[TILES]]#0 : i32 to index
  // CHECK: memref.store %[[TILES]]#1, %[[OUT]][%[[COUNT]]]
  gpu.func @narrow(%n: index, %out: memref<?xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.start_products]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %x = arith.constant 1.0 : f32
    %count, %y = scf.for %t = %c0 to %n step %c1 iter_args(%m = %c0, %z = %x) -> (index, f32) {
      scf.for %i = %t to %n step %c1 {
        memref.store %z, %out[%i] : memref<?xf32>
      }
      %next = arith.addi %m, %t : index
      scf.yield %next, %z : index, f32
    } {flash_tile.tiles}
    memref.store %y, %out[%count] : memref<?xf32>
    gpu.return
  }

  // What begins below 0, or has more bits, stays.
  // CHECK-LABEL: gpu.func @wide
  // CHECK-NOT: : i32 {
  // CHECK: gpu.return
  gpu.func @wide(%n: index, %out: memref<?xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.start_products]} {
    %below = arith.constant -4 : index
    %much = arith.constant 4294967296 : index
    %c1 = arith.constant 1 : index
    %x = arith.constant 1.0 : f32
    scf.for %t = %below to %n step %c1 {
      memref.store %x, %out[%c1] : memref<?xf32>
    }
    scf.for %t = %c1 to %much step %c1 {
      memref.store %x, %out[%t] : memref<?xf32>
    }
    gpu.return
  }

  // CHECK-LABEL: gpu.func @other
  // CHECK: scf.for %{{.*}} = %{{.*}} to %{{.*}} step %{{.*}} {
  gpu.func @other(%n: index, %out: memref<?xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %x = arith.constant 1.0 : f32
    scf.for %t = %c0 to %n step %c1 {
      memref.store %x, %out[%t] : memref<?xf32>
    }
    gpu.return
  }
}
