// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(convert-flash-tile-to-nvvm,canonicalize,cse))' | FileCheck %s

!half = !flash_tile.fragment<64x128xf32, #flash_tile.acc<8, column_groups = 2>>
!whole = !flash_tile.fragment<64x128xf32, #flash_tile.acc<4>>

gpu.module @kernels {
  // A warp's strip begins where its first row does; a group of columns lies half a strip further, 4096 bytes; each lane has 16 bytes of 8 columns,
  // which are 512. No lane deals with another.
  // CHECK-LABEL: gpu.func @add
  // CHECK-DAG: %[[THREAD:.*]] = nvvm.read.ptx.sreg.tid.x
  // CHECK-DAG: %[[LANE:.*]] = arith.andi %[[THREAD]], %c31_i32
  // CHECK-DAG: %[[ROWS:.*]] = arith.remui %[[WARP:.*]], %c4_i32
  // CHECK-DAG: %[[GROUP:.*]] = arith.divui %[[WARP]], %c4_i32
  // CHECK-DAG: %[[OF_LANE:.*]] = arith.shli %[[LANE]], %c4_i32
  // CHECK-DAG: %[[OF_GROUP:.*]] = arith.muli %[[GROUP]], %c4096_i32
  // CHECK-DAG: arith.addi %[[OF_LANE]], %[[OF_GROUP]]
  // CHECK-DAG: arith.shli %[[ROWS]], %c4_i32
  // CHECK-NOT: shfl.sync bfly
  // CHECK: red.global.add.v4.f32
  // CHECK: arith.addi %{{.*}}, %c512_i64
  // CHECK: red.global.add.v4.f32
  // CHECK-COUNT-6: red.global.add.v4.f32
  // CHECK-NOT: red.global.add
  // CHECK: gpu.return
  gpu.func @add(%m: memref<256x128xf32>, %x: f32, %row: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    %v = flash_tile.splat %x : !half
    flash_tile.store add %v, %m[%row, %c0] strips {alignment = 16 : i64} : !half, memref<256x128xf32>
    gpu.return
  }

  // The same places are read; what is rounded leaves in pieces of 16 bytes, which four lanes deal.
  // CHECK-LABEL: gpu.func @round
  // CHECK-COUNT-16: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
  // CHECK-NOT: llvm.load
  // CHECK: shfl.sync bfly
  // CHECK: llvm.store %{{.*}} : vector<4xi32>
  gpu.func @round(%m: memref<256x128xf32>, %out: memref<256x128xbf16>, %row: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %v = flash_tile.fetch %m[%row, %c0] strips {alignment = 16 : i64} : memref<256x128xf32> -> !whole
    %r = flash_tile.convert %v : !whole -> !flash_tile.fragment<64x128xbf16, #flash_tile.acc<4>>
    flash_tile.store %r, %out[%row, %c0] {alignment = 16 : i64} : !flash_tile.fragment<64x128xbf16, #flash_tile.acc<4>>, memref<256x128xbf16>
    gpu.return
  }
}
