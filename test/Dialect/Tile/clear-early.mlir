// RUN: flash-opt %s --flash-tile-clear-early | FileCheck %s

module attributes {gpu.container_module} {
  // CHECK-LABEL: func.func @sums
  // CHECK: %[[SUMS:.*]] = memref.alloc(%{{.*}}) : memref<?x128xf32>
  // CHECK-NEXT: flash_tile.launch @kernels::@before grid(%{{.*}}) args(%arg0, %[[SUMS]] :
  // CHECK-NOT: flash_tile.clear
  // CHECK: flash_tile.launch @kernels::@adds
  func.func @sums(%m: memref<?x128xf32>, %n: index) -> memref<?x128xf32> {
    flash_tile.launch @kernels::@before grid(%n) args(%m : memref<?x128xf32>)
    %rows = arith.addi %n, %n : index
    %sums = memref.alloc(%rows) : memref<?x128xf32>
    flash_tile.clear %sums : memref<?x128xf32>
    flash_tile.launch @kernels::@adds grid(%n) args(%sums : memref<?x128xf32>)
    return %sums : memref<?x128xf32>
  }

  // Nothing is launched before; rows of no whole pieces.
  // CHECK-LABEL: func.func @stays
  // CHECK-COUNT-2: flash_tile.clear
  func.func @stays(%n: index) -> (memref<?x128xf32>, memref<?x3xf32>) {
    %sums = memref.alloc(%n) : memref<?x128xf32>
    flash_tile.clear %sums : memref<?x128xf32>
    flash_tile.launch @kernels::@adds2 grid(%n) args(%sums : memref<?x128xf32>)
    %odd = memref.alloc(%n) : memref<?x3xf32>
    flash_tile.clear %odd : memref<?x3xf32>
    return %sums, %odd : memref<?x128xf32>, memref<?x3xf32>
  }

  gpu.module @kernels {
    // CHECK: gpu.func @before(%{{.*}}: memref<?x128xf32>, %[[OWN:.*]]: memref<?x128xf32>)
    // CHECK-NEXT: flash_tile.clear_share %[[OWN]] : memref<?x128xf32>
    gpu.func @before(%m: memref<?x128xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
      gpu.return
    }
    // CHECK: gpu.func @adds(
    // CHECK-NOT: clear_share
    gpu.func @adds(%m: memref<?x128xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
      gpu.return
    }
    gpu.func @adds2(%m: memref<?x128xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
      gpu.return
    }
  }
}
