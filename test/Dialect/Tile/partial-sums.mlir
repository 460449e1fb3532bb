// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-partial-sums)))' --split-input-file | FileCheck %s

!acc = !flash_tile.fragment<64x32xf32, #flash_tile.acc<4>>
!row = !flash_tile.fragment<64xf32, #flash_tile.row<4>>

// The sum lives in the loop only: lanes keep their own part of it.

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @in_loop
  gpu.func @in_loop(%out: memref<?x64x32xf32>, %rows: memref<?x64xf32>, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>, flash_tile.passes = [#flash_tile.partial_sums]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : f32
    %ninf = arith.constant 0xFF800000 : f32
    %s = flash_tile.splat %zero : !acc
    %max0 = flash_tile.splat %ninf : !row
    %sum0 = flash_tile.splat %zero : !row
    // CHECK: %[[INIT:[a-z0-9_]+]] = flash_tile.splat {{.*}} : !flash_tile.fragment<64xf32, #flash_tile.row_partial<4>>
    // CHECK: %[[LOOP:[a-z0-9_]+]]:2 = scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}, %[[SUM:[a-z0-9_]+]] = %[[INIT]])
    %l:2 = scf.for %i = %c0 to %n step %c1 iter_args(%max = %max0, %sum = %sum0) -> (!row, !row) {
      // CHECK: flash_tile.online_softmax %{{.*}}, %{{.*}}, %[[SUM]] {{.*}}, !flash_tile.fragment<64xf32, #flash_tile.row_partial<4>>
      %e, %max1, %sum1, %alpha = flash_tile.online_softmax %s, %max, %sum {scale = 0.5 : f32} : !acc, !row, !row
      flash_tile.store %e, %out[%i, %c0, %c0] : !acc, memref<?x64x32xf32>
      scf.yield %max1, %sum1 : !row, !row
    }
    // CHECK: %[[JOINED:[a-z0-9_]+]] = flash_tile.all_reduce add %[[LOOP]]#1
    // CHECK: flash_tile.store %[[JOINED]]
    flash_tile.store %l#1, %rows[%c0, %c0] : !row, memref<?x64xf32>
    gpu.return
  }
}

// -----

!acc = !flash_tile.fragment<64x32xf32, #flash_tile.acc<4>>
!row = !flash_tile.fragment<64xf32, #flash_tile.row<4>>

// Elsewhere the sum is that of the whole row.

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @alone
  // CHECK-NOT: row_partial
  // CHECK: gpu.return
  gpu.func @alone(%rows: memref<?x64xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>, flash_tile.passes = [#flash_tile.partial_sums]} {
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %s = flash_tile.splat %zero : !acc
    %r = flash_tile.splat %zero : !row
    %e, %max1, %sum1, %alpha = flash_tile.online_softmax %s, %r, %r {scale = 0.5 : f32} : !acc, !row, !row
    flash_tile.store %sum1, %rows[%c0, %c0] : !row, memref<?x64xf32>
    flash_tile.store %max1, %rows[%c0, %c0] : !row, memref<?x64xf32>
    gpu.return
  }
}
