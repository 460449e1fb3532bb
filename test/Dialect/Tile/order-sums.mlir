// RUN: flash-opt %s --flash-tile-order-sums | FileCheck %s

!half = !flash_tile.fragment<64x64xf32, #flash_tile.acc<8, column_groups = 2>>
!run = !flash_tile.fragment<64x64xf32, #flash_tile.stream<4, run = 4>>
!run16 = !flash_tile.fragment<64x64xbf16, #flash_tile.stream<4, run = 4>>
!sums = memref<?x64xf32, strided<[?, 1], offset: ?>>

module attributes {gpu.container_module} {
  // What one kernel adds to and the next one rounds is nobody else's. What is returned stays in rows.
  func.func @sums(%n: index, %out: memref<?x64xbf16>) -> memref<?x64xf32> {
    %sums = memref.alloc(%n) : memref<?x64xf32>
    flash_tile.clear %sums : memref<?x64xf32>
    %c = memref.cast %sums : memref<?x64xf32> to !sums
    flash_tile.launch @kernels::@adds grid(%n) args(%c : !sums)
    flash_tile.launch @kernels::@rounds grid(%n) args(%c, %out : !sums, memref<?x64xbf16>)
    %others = memref.alloc(%n) : memref<?x64xf32>
    flash_tile.clear %others : memref<?x64xf32>
    %d = memref.cast %others : memref<?x64xf32> to !sums
    flash_tile.launch @kernels::@adds_result grid(%n) args(%d : !sums)
    %odd = memref.alloc(%n) : memref<?x64xf32>
    %e = memref.cast %odd : memref<?x64xf32> to !sums
    flash_tile.launch @kernels::@adds_anywhere grid(%n) args(%e, %n : !sums, index)
    flash_tile.launch @kernels::@rounds_again grid(%n) args(%e, %out : !sums, memref<?x64xbf16>)
    return %others : memref<?x64xf32>
  }

  gpu.module @kernels {
    // CHECK-LABEL: gpu.func @adds(
    // CHECK: flash_tile.store add %{{.*}}, %{{.*}}[%{{.*}}, %c0] strips {alignment = 16 : i64}
    gpu.func @adds(%m: !sums) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8, instruction = #flash_tile.wgmma>} {
      %c0 = arith.constant 0 : index
      %c64 = arith.constant 64 : index
      %id = gpu.block_id x
      %row = arith.muli %id, %c64 : index
      %zero = arith.constant 0.0 : f32
      %x = flash_tile.splat %zero : !half
      flash_tile.store add %x, %m[%row, %c0] {alignment = 16 : i64} : !half, !sums
      gpu.return
    }

    // All that is made of it has accumulators' layout.
    // CHECK-LABEL: gpu.func @rounds(
    // CHECK: %[[X:.*]] = flash_tile.fetch %{{.*}}[%{{.*}}, %c0] strips {alignment = 16 : i64} : {{.*}} -> !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
    // CHECK: %[[Y:.*]] = flash_tile.map(%[[X]]) : (!flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>) -> !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
    // CHECK: flash_tile.convert %[[Y]] : {{.*}} -> !flash_tile.fragment<64x64xbf16, #flash_tile.acc<4>>
    gpu.func @rounds(%m: !sums, %out: memref<?x64xbf16>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
      %c0 = arith.constant 0 : index
      %c64 = arith.constant 64 : index
      %id = gpu.block_id x
      %row = arith.muli %id, %c64 : index
      %x = flash_tile.fetch %m[%row, %c0] {alignment = 16 : i64} : !sums -> !run
      %y = flash_tile.map(%x) : (!run) -> !run {
      ^bb0(%i: index, %j: index, %v: f32):
        %w = arith.addf %v, %v : f32
        flash_tile.yield %w : f32
      }
      %z = flash_tile.convert %y : !run -> !run16
      flash_tile.store %z, %out[%row, %c0] : !run16, memref<?x64xbf16>
      gpu.return
    }

    // CHECK-LABEL: gpu.func @adds_result(
    // CHECK-NOT: strips
    gpu.func @adds_result(%m: !sums) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8, instruction = #flash_tile.wgmma>} {
      %c0 = arith.constant 0 : index
      %zero = arith.constant 0.0 : f32
      %x = flash_tile.splat %zero : !half
      flash_tile.store add %x, %m[%c0, %c0] {alignment = 16 : i64} : !half, !sums
      gpu.return
    }

    // Rows that begin anywhere are no strips.
    // CHECK-LABEL: gpu.func @adds_anywhere(
    // CHECK-NOT: strips
    gpu.func @adds_anywhere(%m: !sums, %row: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8, instruction = #flash_tile.wgmma>} {
      %c0 = arith.constant 0 : index
      %zero = arith.constant 0.0 : f32
      %x = flash_tile.splat %zero : !half
      flash_tile.store add %x, %m[%row, %c0] {alignment = 16 : i64} : !half, !sums
      gpu.return
    }
    // CHECK-LABEL: gpu.func @rounds_again(
    // CHECK-NOT: strips
    gpu.func @rounds_again(%m: !sums, %out: memref<?x64xbf16>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
      %c0 = arith.constant 0 : index
      %x = flash_tile.fetch %m[%c0, %c0] {alignment = 16 : i64} : !sums -> !run
      %z = flash_tile.convert %x : !run -> !run16
      flash_tile.store %z, %out[%c0, %c0] : !run16, memref<?x64xbf16>
      gpu.return
    }
  }
}
