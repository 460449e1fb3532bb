// RUN: flash-opt %s --pass-pipeline='builtin.module(flash-tile-persistent{cores=100})' --split-input-file --verify-diagnostics | FileCheck %s

module attributes {gpu.container_module} {
  gpu.module @kernels {
    // CHECK-LABEL: gpu.func @kernel
    // CHECK-SAME: (%[[OUT:[a-z0-9]+]]: memref<?x?x64xf32>, %[[NH:[a-z0-9]+]]: index, %[[TILES:[a-z0-9]+]]: index)
    gpu.func @kernel(%out: memref<?x?x64xf32>, %nh: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4, roles = <producer_registers = 40, consumer_registers = 232>>, flash_tile.passes = [#flash_tile.persistent]} {
      %zero = arith.constant 0.0 : f32
      %c0 = arith.constant 0 : index
      // CHECK: %[[ID:[a-z0-9_]+]] = gpu.block_id x
      %id = gpu.block_id x
      // CHECK: %[[GRID:[a-z0-9_]+]] = gpu.grid_dim x
      // CHECK: %[[LAST:[a-z0-9_]+]] = arith.subi %[[GRID]]
      // CHECK: %[[MIRROR:[a-z0-9_]+]] = arith.subi %[[LAST]], %[[ID]]
      // CHECK: %[[ROUNDS:[a-z0-9_]+]] = arith.divui %[[TILES]], %[[GRID]]
      // CHECK: %[[REST:[a-z0-9_]+]] = arith.remui %[[TILES]], %[[GRID]]
      // CHECK: %[[PLACE:[a-z0-9_]+]] = arith.select %{{.*}}, %[[MIRROR]], %[[ID]]
      // CHECK: %[[MORE:[a-z0-9_]+]] = arith.cmpi ult, %[[PLACE]], %[[REST]]
      // CHECK: %[[VISITS:[a-z0-9_]+]] = arith.select %[[MORE]], %{{.*}}, %[[ROUNDS]]
      // CHECK: scf.for %[[T:[a-z0-9_]+]] = %{{.*}} to %[[VISITS]]
      // CHECK:   %[[BASE:[a-z0-9_]+]] = arith.muli %[[T]], %[[GRID]]
      // CHECK:   %[[HERE:[a-z0-9_]+]] = arith.select %{{.*}}, %[[MIRROR]], %[[ID]]
      // CHECK:   %[[TILE:[a-z0-9_]+]] = arith.addi %[[BASE]], %[[HERE]]
      // CHECK:   %[[HEAD:[a-z0-9_]+]] = arith.remui %[[TILE]], %[[NH]]
      %head = arith.remui %id, %nh : index
      %s = flash_tile.splat %zero : !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
      // CHECK:   flash_tile.store %{{.*}}, %[[OUT]][%[[HEAD]]
      flash_tile.store %s, %out[%head, %c0, %c0] : !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>, memref<?x?x64xf32>
      // CHECK: } {flash_tile.tiles}
      gpu.return
    }
  }
  // CHECK-LABEL: func.func @host
  // CHECK-SAME: %[[N:[a-z0-9]+]]: index
  func.func @host(%out: memref<?x?x64xf32>, %n: index) {
    // CHECK: %[[MOST:[a-z0-9_]+]] = arith.constant 100 : index
    // CHECK: %[[ROUNDS:[a-z0-9_]+]] = arith.ceildivui %[[N]], %[[MOST]]
    // CHECK: %[[SOME:[a-z0-9_]+]] = arith.maxui %[[ROUNDS]], %{{.*}}
    // CHECK: %[[BLOCKS:[a-z0-9_]+]] = arith.ceildivui %[[N]], %[[SOME]]
    // CHECK: flash_tile.launch @kernels::@kernel grid(%[[BLOCKS]]) args(%{{.*}}, %{{.*}}, %[[N]] :
    flash_tile.launch @kernels::@kernel grid(%n) args(%out, %n : memref<?x?x64xf32>, index)
    return
  }
}

// -----

module attributes {gpu.container_module} {
  gpu.module @kernels {
    // CHECK-LABEL: gpu.func @two
    // CHECK-NOT: scf.for
    // expected-remark @below {{leaves 'two' as it is: it has no one block id along x}}
    gpu.func @two(%out: memref<?x64xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4, roles = <producer_registers = 40, consumer_registers = 232>>, flash_tile.passes = [#flash_tile.persistent]} {
      %zero = arith.constant 0.0 : f32
      %x = gpu.block_id x
      %y = gpu.block_id y
      %i = arith.addi %x, %y : index
      %s = flash_tile.splat %zero : !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
      flash_tile.store %s, %out[%i, %x] : !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>, memref<?x64xf32>
      gpu.return
    }
  }
}

// -----

// The blocks of a cluster count as one: so many tiles, and a grid of whole clusters.

module attributes {gpu.container_module} {
  gpu.module @kernels {
    // CHECK-LABEL: gpu.func @clusters
    // CHECK-SAME: %[[BLOCKS:[a-z0-9]+]]: index) kernel
    gpu.func @clusters(%out: memref<?x?x64xf32>, %nh: index) kernel
        attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4, cluster = 3, roles = <producer_registers = 40, consumer_registers = 232>>, flash_tile.passes = [#flash_tile.persistent]} {
      %zero = arith.constant 0.0 : f32
      %c0 = arith.constant 0 : index
      // CHECK: %[[ID:[a-z0-9_]+]] = gpu.cluster_id x
      %id = gpu.cluster_id x
      %rank = gpu.cluster_block_id x
      // CHECK: %[[DIM:[a-z0-9_]+]] = gpu.grid_dim x
      // CHECK: %[[GRID:[a-z0-9_]+]] = arith.divui %[[DIM]], %c3
      // CHECK: %[[TILES:[a-z0-9_]+]] = arith.divui %[[BLOCKS]], %c3
      // CHECK: arith.divui %[[TILES]], %[[GRID]]
      // CHECK: scf.for
      %s = flash_tile.splat %zero : !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
      flash_tile.store %s, %out[%id, %rank, %c0] : !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>, memref<?x?x64xf32>
      gpu.return
    }
  }
  // CHECK-LABEL: func.func @host
  func.func @host(%out: memref<?x?x64xf32>, %n: index) {
    // CHECK: %[[MOST:[a-z0-9_]+]] = arith.constant 99 : index
    // CHECK: arith.minsi %{{.*}}, %[[MOST]]
    flash_tile.launch @kernels::@clusters grid(%n) args(%out, %n : memref<?x?x64xf32>, index)
    return
  }
}
