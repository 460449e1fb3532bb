// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-lower-softmax)))' | FileCheck %s

!acc = !flash_tile.fragment<64x32xf32, #flash_tile.acc<4>>
!row = !flash_tile.fragment<64xf32, #flash_tile.row<4>>
!partial = !flash_tile.fragment<64xf32, #flash_tile.row_partial<4>>

gpu.module @kernels {
  // Nothing comes before the first block: sums are its own, and the factor is zero.
  // CHECK-LABEL: gpu.func @first
  gpu.func @first(%s: f32, %out: memref<?x64xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %ninf = arith.constant 0xFF800000 : f32
    %scores = flash_tile.splat %s : !acc
    %max = flash_tile.splat %ninf : !row
    %sum = flash_tile.splat %zero : !row
    // CHECK: %[[T:[a-z0-9_]+]] = flash_tile.reduce add
    // CHECK: %[[ZERO:[a-z0-9_]+]] = flash_tile.splat
    %e, %max1, %sum1, %alpha = flash_tile.online_softmax %scores, %max, %sum {scale = 0.5 : f32} : !acc, !row, !row
    // CHECK: flash_tile.store %[[T]]
    flash_tile.store %sum1, %out[%c0, %c0] : !row, memref<?x64xf32>
    // CHECK: flash_tile.store %[[ZERO]]
    flash_tile.store %alpha, %out[%c0, %c0] : !row, memref<?x64xf32>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @kernel
  gpu.func @kernel(%out: memref<?x64x32xf32>, %rows: memref<?x64xf32>, %before: f32) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %s = flash_tile.splat %zero : !acc
    // CHECK: %[[MAX:[a-z0-9_]+]] = flash_tile.splat {{.*}} : !flash_tile.fragment<64xf32, #flash_tile.row<4>>
    %max = flash_tile.splat %before : !row
    // CHECK: %[[SUM:[a-z0-9_]+]] = flash_tile.splat {{.*}} : !flash_tile.fragment<64xf32, #flash_tile.row_partial<4>>
    %sum = flash_tile.splat %zero : !partial
    // CHECK: %[[BLOCK:[a-z0-9_]+]] = flash_tile.reduce max %[[S:[a-z0-9_]+]] :
    // CHECK: %[[STATE:[a-z0-9_]+]]:3 = flash_tile.map(%[[MAX]], %[[BLOCK]])
    // CHECK:   arith.maxnumf
    // CHECK:   arith.cmpf oeq
    // CHECK:   math.exp2
    // CHECK: %[[E:[a-z0-9_]+]] = flash_tile.map(%[[S]], %[[STATE]]#1)
    // CHECK:   math.fma
    // CHECK-NEXT:   math.exp2
    // CHECK: %[[T:[a-z0-9_]+]] = flash_tile.reduce add %[[E]] {{.*}} -> !flash_tile.fragment<64xf32, #flash_tile.row_partial<4>>
    // CHECK: %[[SUM1:[a-z0-9_]+]] = flash_tile.map(%[[SUM]], %[[STATE]]#2, %[[T]])
    %e, %max1, %sum1, %alpha = flash_tile.online_softmax %s, %max, %sum {scale = 0.5 : f32} : !acc, !row, !partial
    // CHECK: flash_tile.store %[[E]]
    flash_tile.store %e, %out[%c0, %c0, %c0] : !acc, memref<?x64x32xf32>
    // CHECK: flash_tile.store %[[STATE]]#0
    flash_tile.store %max1, %rows[%c0, %c0] : !row, memref<?x64xf32>
    // CHECK: flash_tile.all_reduce add %[[SUM1]]
    %joined = flash_tile.all_reduce add %sum1 : !partial -> !row
    flash_tile.store %joined, %rows[%c0, %c0] : !row, memref<?x64xf32>
    gpu.return
  }
}
