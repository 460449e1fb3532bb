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
  // CHECK-DAG: arith.shli %[[LANE]], %c4_i32
  // CHECK-DAG: %[[OF_GROUP:.*]] = arith.muli %[[GROUP]], %c4096_i32
  // CHECK-DAG: %[[OF_ROWS:.*]] = arith.muli %[[ROWS]], %c8192_i32
  // CHECK-DAG: arith.addi %[[OF_ROWS]], %[[OF_GROUP]]
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

  // Through shared memory: a warp's 16 rows of 128 columns are 8192 bytes in one piece.
  // CHECK-LABEL: gpu.func @through
  // CHECK-COUNT-16: st.shared.v4.f32
  // CHECK-NOT: st.shared
  // CHECK: fence.proxy.async
  // CHECK: cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [$0], [$1], $2;{{.*}} %c8192_i32
  // CHECK-NOT: cp.reduce
  // CHECK: cp.async.bulk.commit_group
  gpu.func @through(%m: memref<256x128xf32>, %x: f32, %row: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %v = flash_tile.splat %x : !whole
    flash_tile.store_async add %v, %m[%row, %c0] {shared_offset = 0 : i64} : !whole, memref<256x128xf32>
    flash_tile.store_wait
    gpu.return
  }

  // A helper has the whole tile of 64 rows added, which warps have filled in strips.
  // CHECK-LABEL: gpu.func @helper
  // CHECK-COUNT-16: st.shared.v4.f32
  // CHECK-NOT: st.shared
  // CHECK: cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [$0], [$1], $2;{{.*}} %c32768_i32
  // CHECK-NOT: cp.reduce
  gpu.func @helper(%m: memref<256x128xf32>, %x: f32, %row: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    %sums = flash_tile.ring {shared_offset = 0 : i64} : !flash_tile.ring<1, 64x128xf32, mbarrier>
    flash_tile.specialize producer(40) {
    } consumers(232) {
      flash_tile.in_turn %c0 {
        %v = flash_tile.splat %x : !whole
        flash_tile.fill %sums[%c0], %v strips : !flash_tile.ring<1, 64x128xf32, mbarrier>, !whole
      }
    } helper "writer" {
      %t = flash_tile.get %sums[%c0] : !flash_tile.ring<1, 64x128xf32, mbarrier>
      flash_tile.store_tile add %t, %m[%row, %c0] : !flash_tile.shared<64x128xf32>, memref<256x128xf32>
      flash_tile.release %sums[%c0] : !flash_tile.ring<1, 64x128xf32, mbarrier>
    }
    gpu.return
  }
}
