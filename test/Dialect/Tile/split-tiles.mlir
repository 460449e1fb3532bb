// RUN: flash-opt %s --pass-pipeline='builtin.module(flash-tile-split-tiles{cores=100})' --split-input-file --verify-diagnostics | FileCheck %s
// RUN: flash-opt %s --pass-pipeline='builtin.module(flash-tile-split-tiles{cores=100},flash-tile-persistent{cores=100})' --split-input-file -o - 2>/dev/null | FileCheck %s --check-prefix=ROUNDS

!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
!scores = !flash_tile.fragment<64x32xf32, #flash_tile.acc<4>>
!row = !flash_tile.fragment<64xf32, #flash_tile.row<4>>

module attributes {gpu.container_module} {
  // The rest of the tiles, as many parts as there are cores for and 4 blocks of keys each.
  // CHECK-LABEL: func.func @host
  // CHECK-SAME: %[[K:[a-z0-9]+]]: memref<?x64xbf16>, %[[OUT:[a-z0-9]+]]: memref<?x64xf32>, %[[N:[a-z0-9]+]]: index
  // CHECK: %[[REST:[a-z0-9_]+]] = arith.remui %[[N]], %{{.*}}
  // CHECK: %[[WHOLE:[a-z0-9_]+]] = arith.subi %[[N]], %[[REST]]
  // CHECK: %[[KEYS:[a-z0-9_]+]] = memref.dim %[[K]], %{{.*}}
  // CHECK: %[[BLOCKS:[a-z0-9_]+]] = arith.ceildivui %[[KEYS]], %{{.*}}
  // CHECK: %[[LONG:[a-z0-9_]+]] = arith.divui %[[BLOCKS]], %{{.*}}
  // CHECK: %[[SOME:[a-z0-9_]+]] = arith.maxui %[[REST]], %{{.*}}
  // CHECK: %[[FREE:[a-z0-9_]+]] = arith.divui %{{.*}}, %[[SOME]]
  // CHECK: %[[BOTH:[a-z0-9_]+]] = arith.minui %[[LONG]], %[[FREE]]
  // CHECK: %[[MOST:[a-z0-9_]+]] = arith.minui %[[BOTH]], %c8
  // CHECK: %[[TWO:[a-z0-9_]+]] = arith.divui %[[MOST]], %c2
  // CHECK: arith.divui %[[MOST]], %c4
  // CHECK: arith.divui %[[MOST]], %c8
  // CHECK: %[[LOG:[a-z0-9_]+]] = arith.addi
  // CHECK: %[[PARTS:[a-z0-9_]+]] = arith.addi
  // CHECK: %[[MORE:[a-z0-9_]+]] = arith.muli %[[REST]], %[[PARTS]]
  // CHECK: %[[GRID:[a-z0-9_]+]] = arith.addi %[[WHOLE]], %[[MORE]]
  // CHECK: %[[STATE:[a-z0-9_]+]] = memref.alloc(%{{.*}}) : memref<?x4608xf32>
  // CHECK: %[[TURNS:[a-z0-9_]+]] = memref.alloc() : memref<100x4xi32>
  // CHECK: flash_tile.launch @kernels::@full grid(%[[GRID]]) args(%[[K]], %[[OUT]], %[[WHOLE]], %[[LOG]], %[[STATE]], %[[TURNS]] :
  // ROUNDS: flash_tile.launch @kernels::@full
  func.func @host(%k: memref<?x64xbf16>, %out: memref<?x64xf32>, %n: index) {
    flash_tile.launch @kernels::@full grid(%n) args(%k, %out : memref<?x64xbf16>, memref<?x64xf32>)
    return
  }
  gpu.module @kernels {
    // CHECK-LABEL: gpu.func @full
    // CHECK-SAME: %[[KEYS:[a-z0-9]+]]: memref<?x64xbf16>, %[[OUT:[a-z0-9]+]]: memref<?x64xf32>, %[[WHOLE:[a-z0-9]+]]: index, %[[LOG:[a-z0-9]+]]: index, %[[STATE:[a-z0-9]+]]: memref<?x4608xf32>, %[[TURNS:[a-z0-9]+]]: memref<100x4xi32>)
    gpu.func @full(%k: memref<?x64xbf16>, %out: memref<?x64xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4, roles = <producer_registers = 40, consumer_registers = 232>>, flash_tile.passes = [#flash_tile.split_tiles, #flash_tile.persistent]} {
      %zero = arith.constant 0.0 : f32
      %none = arith.constant 0xFF800000 : f32
      %c0 = arith.constant 0 : index
      %c32 = arith.constant 32 : index
      %c64 = arith.constant 64 : index
      %size = memref.dim %k, %c0 : memref<?x64xbf16>
      // CHECK: %[[ID:[a-z0-9_]+]] = gpu.block_id x
      // CHECK: %[[BEHIND:[a-z0-9_]+]] = arith.subi %[[ID]], %[[WHOLE]]
      // CHECK: %[[SPLIT:[a-z0-9_]+]] = arith.cmpi sge, %[[BEHIND]]
      // CHECK: %[[UNIT:[a-z0-9_]+]] = arith.select %[[SPLIT]], %[[BEHIND]]
      // CHECK: %[[MINE:[a-z0-9_]+]] = arith.select %[[SPLIT]], %[[LOG]]
      // CHECK: %[[SLOT:[a-z0-9_]+]] = arith.shrui %[[UNIT]], %[[LOG]]
      // CHECK: %[[BASE:[a-z0-9_]+]] = arith.shli %[[SLOT]], %[[LOG]]
      // CHECK: %[[PART:[a-z0-9_]+]] = arith.subi %[[UNIT]], %[[BASE]]
      // CHECK: %[[AFTER:[a-z0-9_]+]] = arith.addi %[[WHOLE]], %[[SLOT]]
      // CHECK: %[[TILE:[a-z0-9_]+]] = arith.select %[[SPLIT]], %[[AFTER]], %[[ID]]
      // CHECK: arith.muli %[[TILE]]
      %id = gpu.block_id x
      %row = arith.muli %id, %c64 : index
      %o0 = flash_tile.splat %zero : !acc
      %m0 = flash_tile.splat %none : !row
      %l0 = flash_tile.splat %zero : !row
      // CHECK: %[[LAST:[a-z0-9_]+]] = arith.minsi
      // CHECK: %[[LOOP:[a-z0-9_]+]]:3 = scf.for %{{.*}} = %{{.*}} to %[[LAST]] step
      %r:3 = scf.for %j = %c0 to %size step %c32 iter_args(%o = %o0, %m = %m0, %l = %l0) -> (!acc, !row, !row) {
        %tile = flash_tile.load %k[%j, %c0] : memref<?x64xbf16> -> !flash_tile.shared<32x64xbf16>
        %s = flash_tile.splat %zero : !scores
        %e, %m1, %l1, %alpha = flash_tile.online_softmax %s, %m, %l {scale = 0.5 : f32} : !scores, !row, !row
        %o1 = flash_tile.map(%alpha, %o) : (!row, !acc) -> !acc {
        ^bb0(%i: index, %c: index, %x: f32, %y: f32):
          %z = arith.mulf %x, %y : f32
          flash_tile.yield %z : f32
        }
        scf.yield %o1, %m1, %l1 : !acc, !row, !row
      }
      // Which part it is, is computed again.
      // CHECK: flash_tile.again %[[ID]]
      // CHECK: %[[SLOT:[a-z0-9_]+]] = arith.shrui
      // CHECK: %[[PART:[a-z0-9_]+]] = arith.subi
      // CHECK: %[[COUNT:[a-z0-9_]+]] = arith.shli
      // CHECK: %[[FOLLOWS:[a-z0-9_]+]] = arith.cmpi sgt, %[[PART]]
      // CHECK: %[[ALL:[a-z0-9_]+]]:3 = scf.if %[[FOLLOWS]]
      // CHECK:   %[[BEFORE:[a-z0-9_]+]]:3 = flash_tile.take_over %[[STATE]], %[[TURNS]][%[[SLOT]]] part %[[PART]]
      // CHECK:   %[[F:[a-z0-9_]+]]:3 = flash_tile.map(%[[BEFORE]]#1, %[[LOOP]]#1)
      // CHECK:     arith.maxnumf
      // CHECK:   %[[O:[a-z0-9_]+]] = flash_tile.map(%[[BEFORE]]#0, %[[LOOP]]#0, %[[F]]#1, %[[F]]#2)
      // CHECK:   %[[L:[a-z0-9_]+]] = flash_tile.map(%[[BEFORE]]#2, %[[LOOP]]#2, %[[F]]#1, %[[F]]#2)
      // CHECK:   scf.yield %[[O]], %[[F]]#0, %[[L]]
      // CHECK: } else {
      // CHECK:   scf.yield %[[LOOP]]#0, %[[LOOP]]#1, %[[LOOP]]#2
      // CHECK: %[[NEXT:[a-z0-9_]+]] = arith.addi %[[PART]]
      // CHECK: %[[ENDS:[a-z0-9_]+]] = arith.cmpi eq, %[[NEXT]], %[[COUNT]]
      // CHECK: scf.if %[[ENDS]]
      // CHECK:   flash_tile.store %[[ALL]]#0, %[[OUT]]
      // CHECK: } else {
      // CHECK:   flash_tile.hand_over %[[ALL]]#0, %[[ALL]]#1, %[[ALL]]#2 to %[[STATE]], %[[TURNS]][%[[SLOT]]] part %[[NEXT]]
      // The last rounds of a persistent kernel do not go back: parts wait for blocks of lower numbers.
      // ROUNDS: %[[GRID:[a-z0-9_]+]] = gpu.grid_dim x
      // ROUNDS: arith.muli %{{.*}}, %[[GRID]]
      // ROUNDS: arith.cmpi ule
      // ROUNDS: arith.andi
      // ROUNDS: scf.for
      // ROUNDS:   flash_tile.take_over
      flash_tile.store %r#0, %out[%row, %c0] : !acc, memref<?x64xf32>
      gpu.return
    }
  }
}

// -----

// Tiles end at the diagonal: only a grid that does not fill the device is split.

!row = !flash_tile.fragment<64xf32, #flash_tile.row<4>>
!scores = !flash_tile.fragment<64x32xf32, #flash_tile.acc<4>>

module attributes {gpu.container_module} {
  // CHECK-LABEL: func.func @uneven
  // CHECK: %[[WHOLE:[a-z0-9_]+]] = arith.subi
  // CHECK: %[[MOST:[a-z0-9_]+]] = arith.minui %{{.*}}, %c4
  // CHECK: %[[ONE:[a-z0-9_]+]] = arith.addi %[[WHOLE]]
  // CHECK: %[[SMALL:[a-z0-9_]+]] = arith.divui %[[MOST]], %[[ONE]]
  // CHECK: arith.divui %[[SMALL]], %c2
  func.func @uneven(%k: memref<?x64xbf16>, %out: memref<?xf32>, %n: index) {
    flash_tile.launch @kernels::@causal grid(%n) args(%k, %out : memref<?x64xbf16>, memref<?xf32>)
    return
  }
  gpu.module @kernels {
    // CHECK-LABEL: gpu.func @causal
    // CHECK: flash_tile.take_over
    gpu.func @causal(%k: memref<?x64xbf16>, %out: memref<?xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>, flash_tile.passes = [#flash_tile.split_tiles<parts = 4>]} {
      %zero = arith.constant 0.0 : f32
      %none = arith.constant 0xFF800000 : f32
      %c0 = arith.constant 0 : index
      %c32 = arith.constant 32 : index
      %c64 = arith.constant 64 : index
      %id = gpu.block_id x
      %row = arith.muli %id, %c64 : index
      %m0 = flash_tile.splat %none : !row
      %l0 = flash_tile.splat %zero : !row
      %r:2 = scf.for %j = %c0 to %row step %c32 iter_args(%m = %m0, %l = %l0) -> (!row, !row) {
        %tile = flash_tile.load %k[%j, %c0] : memref<?x64xbf16> -> !flash_tile.shared<32x64xbf16>
        %s = flash_tile.splat %zero : !scores
        %e, %m1, %l1, %alpha = flash_tile.online_softmax %s, %m, %l {scale = 0.5 : f32} : !scores, !row, !row
        scf.yield %m1, %l1 : !row, !row
      }
      flash_tile.store %r#0, %out[%row] : !row, memref<?xf32>
      gpu.return
    }
    // What is seen before the loop, as a sink, is part 0's.
    // CHECK-LABEL: gpu.func @sink
    // CHECK: %[[SINK:[a-z0-9_]+]] = flash_tile.splat
    // CHECK: %[[FIRST:[a-z0-9_]+]] = arith.cmpi eq
    // CHECK: scf.if %[[FIRST]]
    // CHECK-NEXT: scf.yield %[[SINK]]
    // CHECK: flash_tile.splat %{{.*}} : !flash_tile.fragment<64xf32, #flash_tile.row<4>>
    // CHECK: scf.for
    // CHECK: take_over
    gpu.func @sink(%k: memref<?x64xbf16>, %out: memref<?xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>, flash_tile.passes = [#flash_tile.split_tiles<parts = 4>]} {
      %one = arith.constant 1.0 : f32
      %c0 = arith.constant 0 : index
      %c32 = arith.constant 32 : index
      %c64 = arith.constant 64 : index
      %id = gpu.block_id x
      %row = arith.muli %id, %c64 : index
      %m0 = flash_tile.splat %one : !row
      %l0 = flash_tile.splat %one : !row
      %r:2 = scf.for %j = %c0 to %row step %c32 iter_args(%m = %m0, %l = %l0) -> (!row, !row) {
        %tile = flash_tile.load %k[%j, %c0] : memref<?x64xbf16> -> !flash_tile.shared<32x64xbf16>
        %s = flash_tile.splat %one : !scores
        %e, %m1, %l1, %alpha = flash_tile.online_softmax %s, %m, %l {scale = 0.5 : f32} : !scores, !row, !row
        scf.yield %m1, %l1 : !row, !row
      }
      flash_tile.store %r#0, %out[%row] : !row, memref<?xf32>
      gpu.return
    }
  }
}

// -----

module attributes {gpu.container_module} {
  gpu.module @kernels {
    // expected-remark @below {{flash-tile-split-tiles leaves 'two' as it is: it has no one block id along x}}
    gpu.func @two(%out: memref<?x?xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>, flash_tile.passes = [#flash_tile.split_tiles<parts = 4>]} {
      %zero = arith.constant 0.0 : f32
      %x = gpu.block_id x
      %y = gpu.block_id y
      memref.store %zero, %out[%x, %y] : memref<?x?xf32>
      gpu.return
    }
    // expected-remark @below {{flash-tile-split-tiles leaves 'none' as it is: it has not one softmax}}
    gpu.func @none(%out: memref<?xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>, flash_tile.passes = [#flash_tile.split_tiles<parts = 4>]} {
      %zero = arith.constant 0.0 : f32
      %x = gpu.block_id x
      memref.store %zero, %out[%x] : memref<?xf32>
      gpu.return
    }
  }
}
