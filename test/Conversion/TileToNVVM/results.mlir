// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(convert-flash-tile-to-nvvm,canonicalize,cse))' | FileCheck %s

!o = !flash_tile.fragment<64x64xbf16, #flash_tile.acc<4>>
!s = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
!t = !flash_tile.shared<64x64xbf16>
gpu.module @kernels {
  // The lanes of a quad deal their pairs of 32 columns, so that each has 16 bytes in one piece: four exchanges for four words, twice
  // for each of two rows.
  // CHECK-LABEL: gpu.func @pieces
  // CHECK-COUNT-8: nvvm.shfl.sync bfly
  // CHECK-NOT: nvvm.shfl.sync bfly
  // CHECK-COUNT-2: llvm.store {{.*}} : vector<4xi32>
  // CHECK-COUNT-8: nvvm.shfl.sync bfly
  // CHECK-COUNT-2: llvm.store {{.*}} : vector<4xi32>
  // CHECK-NOT: llvm.store
  gpu.func @pieces(%m: memref<?x64xbf16>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %z = arith.constant 0.0 : bf16
    %ones = flash_tile.splat %z : !o
    %t = flash_tile.store_shared %ones {shared_offset = 0 : i64} : !o -> !t
    %s = flash_tile.mma #flash_tile.wgmma %t, %t transpose_b : !t, !t -> !s
    %o = flash_tile.convert %s : !s -> !o
    %c0 = arith.constant 0 : index
    flash_tile.store %o, %m[%c0, %c0] {alignment = 16 : i64} : !o, memref<?x64xbf16>
    gpu.return
  }

  // Of 40 columns the second 32 have one piece, which the quad's first lane has.
  // CHECK-LABEL: gpu.func @some
  // CHECK: llvm.store {{.*}} : vector<4xi32>
  // CHECK: %[[COLUMN:.*]] = arith.addi %{{.*}}, %c32{{.*}} : i32
  // CHECK: %[[IS:.*]] = arith.cmpi slt, %[[COLUMN]], %c40{{.*}} : i32
  // CHECK: scf.if %[[IS]] {
  // CHECK: llvm.store {{.*}} : vector<4xi32>
  gpu.func @some(%m: memref<?x40xbf16>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %z = arith.constant 0.0 : bf16
    %ones = flash_tile.splat %z : !o
    %t = flash_tile.store_shared %ones {shared_offset = 0 : i64} : !o -> !t
    %s = flash_tile.mma #flash_tile.wgmma %t, %t transpose_b : !t, !t -> !s
    %o = flash_tile.convert %s : !s -> !o
    %c0 = arith.constant 0 : index
    %c40 = arith.constant 40 : index
    flash_tile.store %o, %m[%c0, %c0] cols(%c40) {alignment = 16 : i64} : !o, memref<?x40xbf16>
    gpu.return
  }

  // Sums: two lanes deal two blocks of 8 columns, and four numbers are added at a time.
  // CHECK-LABEL: gpu.func @sums
  // CHECK-COUNT-8: nvvm.shfl.sync bfly
  // CHECK-NOT: nvvm.shfl.sync bfly
  // CHECK-COUNT-4: red.global.add.v4.f32
  // CHECK-COUNT-8: nvvm.shfl.sync bfly
  // CHECK-COUNT-4: red.global.add.v4.f32
  // CHECK-NOT: red.global.add
  gpu.func @sums(%m: memref<?x64xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %z = arith.constant 0.0 : bf16
    %ones = flash_tile.splat %z : !o
    %t = flash_tile.store_shared %ones {shared_offset = 0 : i64} : !o -> !t
    %s = flash_tile.mma #flash_tile.wgmma %t, %t transpose_b : !t, !t -> !s
    flash_tile.store add %s, %m[%c0, %c0] {alignment = 16 : i64} : !s, memref<?x64xf32>
    gpu.return
  }

  // Rows of 8 bytes, and kernels without wgmma: pairs.
  // CHECK-LABEL: gpu.func @pairs
  // CHECK-NOT: nvvm.shfl.sync bfly
  // CHECK: llvm.store {{.*}} : vector<2xbf16>
  gpu.func @pairs(%m: memref<?x64xbf16, strided<[?, 1]>>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %z = arith.constant 0.0 : bf16
    %ones = flash_tile.splat %z : !o
    %t = flash_tile.store_shared %ones {shared_offset = 0 : i64} : !o -> !t
    %s = flash_tile.mma #flash_tile.wgmma %t, %t transpose_b : !t, !t -> !s
    %o = flash_tile.convert %s : !s -> !o
    %c0 = arith.constant 0 : index
    flash_tile.store %o, %m[%c0, %c0] {alignment = 8 : i64} : !o, memref<?x64xbf16, strided<[?, 1]>>
    gpu.return
  }
  // CHECK-LABEL: gpu.func @earlier
  // CHECK-NOT: nvvm.shfl.sync bfly
  // CHECK: llvm.store {{.*}} : vector<2xbf16>
  gpu.func @earlier(%o: !o, %m: memref<?x64xbf16>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    flash_tile.store %o, %m[%c0, %c0] {alignment = 16 : i64} : !o, memref<?x64xbf16>
    gpu.return
  }

  // With a condition the tile is written, and lane 0 starts the copy where it holds.
  // A place that is free is not waited for.
  // CHECK-LABEL: gpu.func @conditional
  // CHECK-SAME: %[[WHEN:[a-z0-9]+]]: i1
  // CHECK-NOT: cp.async.bulk.wait_group
  // CHECK: stmatrix
  // CHECK: %[[STARTS:.*]] = arith.andi %{{.*}}, %[[WHEN]] : i1
  // CHECK: scf.if %[[STARTS]] {
  // CHECK: cp.async.bulk.tensor.2d.global
  // CHECK: cp.async.bulk.wait_group.read 0
  // CHECK: nvvm.barrier
  gpu.func @conditional(%map: !flash_tile.tensor_map<16x64xbf16>, %i: index, %when: i1) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %z = arith.constant 0.0 : bf16
    %ones = flash_tile.splat %z : !o
    %t = flash_tile.store_shared %ones {shared_offset = 0 : i64} : !o -> !t
    %s = flash_tile.mma #flash_tile.wgmma %t, %t transpose_b : !t, !t -> !s
    %o = flash_tile.convert %s : !s -> !o
    flash_tile.store_async %o, %map[%i, %i] when %when {free, shared_offset = 0 : i64} : !o, !flash_tile.tensor_map<16x64xbf16>
    flash_tile.store_wait {barrier}
    gpu.return
  }
}
