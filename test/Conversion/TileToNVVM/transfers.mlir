// RUN: flash-opt %s --pass-pipeline="builtin.module(gpu.module(convert-flash-tile-to-nvvm,canonicalize,cse))" | FileCheck %s

!f = !flash_tile.fragment<64x16xf32, #flash_tile.acc<4>>
!h = !flash_tile.fragment<64x16xbf16, #flash_tile.acc<4>>

gpu.module @kernels {
  // CHECK: llvm.mlir.global external @flash_shared() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>

  // 64 rows of 8 pieces by 128 threads: 4 copies each, two at a time; rows that do not exist
  // are zero.
  // CHECK-LABEL: gpu.func @load
  // CHECK: nvvm.barrier id = %{{.*}} number_of_threads = %{{.*}}
  // CHECK-COUNT-2: "cp.async.cg.shared.global [$0], [$1], 16, $2;", "r,l,r,~{memory}"
  // CHECK-NOT: cp.async.cg
  // CHECK: cp.async.wait_all
  // CHECK-NOT: fence.proxy
  // CHECK: nvvm.barrier
  // CHECK: ldmatrix.sync.aligned.m8n8.x4.shared.b16
  gpu.func @load(%m: memref<?x64xbf16>, %i: index, %n: index, %o: memref<64x16xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %t = flash_tile.load %m[%i, %c0] rows(%n) {alignment = 16 : i64, shared_offset = 0 : i64} : memref<?x64xbf16> -> !flash_tile.shared<64x64xbf16>
    %a = flash_tile.load_fragment %t : !flash_tile.shared<64x64xbf16> -> !flash_tile.fragment<64x64xbf16, #flash_tile.lhs<4>>
    %b = flash_tile.load %m[%i, %c0] {alignment = 16 : i64, shared_offset = 8192 : i64} : memref<?x64xbf16> -> !flash_tile.shared<16x64xbf16>
    %r = flash_tile.mma #flash_tile.mma_sync %a, %b transpose_b : !flash_tile.fragment<64x64xbf16, #flash_tile.lhs<4>>, !flash_tile.shared<16x64xbf16> -> !f
    flash_tile.store %r, %o[%c0, %c0] {alignment = 8 : i64} : !f, memref<64x16xf32>
    gpu.return
  }

  // All rows exist: no sizes. 4-byte alignment copies 4 bytes at a time, and a
  // loop stays a loop.
  // CHECK-LABEL: gpu.func @load_aligned_4
  // CHECK: scf.for
  // CHECK-COUNT-2: "cp.async.ca.shared.global [$0], [$1], 4;", "r,l,~{memory}"
  gpu.func @load_aligned_4(%m: memref<?x66xbf16>, %i: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 1>} {
    %c0 = arith.constant 0 : index
    %t = flash_tile.load %m[%i, %c0] {alignment = 4 : i64, shared_offset = 0 : i64} : memref<?x66xbf16> -> !flash_tile.shared<64x64xbf16>
    gpu.return
  }

  // 59 columns: rows are aligned to an element only. Columns 59 to 63 are zero.
  // CHECK-LABEL: gpu.func @load_odd
  // CHECK: %[[BYTES:.*]] = arith.constant 118 : i32
  // CHECK: arith.subi %[[BYTES]],
  // CHECK: @p ld.global.b16 v, [$1];\0Ast.shared.b16 [$0], v;
  gpu.func @load_odd(%m: memref<?x59xbf16>, %i: index, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %c59 = arith.constant 59 : index
    %t = flash_tile.load %m[%i, %c0] rows(%n) cols(%c59) {shared_offset = 0 : i64} : memref<?x59xbf16> -> !flash_tile.shared<16x64xbf16>
    gpu.return
  }

  // 80 columns are 10 pieces a row, which do not divide the threads.
  // CHECK-LABEL: gpu.func @load_ragged
  // CHECK-COUNT-1: cp.async.cg
  // CHECK: scf.if
  // CHECK: cp.async.cg
  // CHECK-NOT: cp.async.cg
  // CHECK: gpu.return
  gpu.func @load_ragged(%m: memref<?x80xbf16>, %i: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %t = flash_tile.load %m[%i, %c0] {alignment = 16 : i64, shared_offset = 0 : i64} : memref<?x80xbf16> -> !flash_tile.shared<16x80xbf16>
    gpu.return
  }

  // A row dimension before the last but one: batch, position, head, column.
  // CHECK-LABEL: gpu.func @load_bshd
  // CHECK: %[[ROW:.*]] = arith.constant 1024 : i64
  // CHECK: memref.extract_aligned_pointer_as_index
  // CHECK: arith.muli %{{.*}}, %[[ROW]] : i64
  // CHECK: cp.async.cg
  gpu.func @load_bshd(%m: memref<?x?x8x64xbf16>, %i: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %t = flash_tile.load %m[%c0, %i, %c0, %c0] {row_dim = 1 : i64, alignment = 16 : i64, shared_offset = 0 : i64} : memref<?x?x8x64xbf16> -> !flash_tile.shared<16x64xbf16>
    gpu.return
  }

  // Pairs at once where they are aligned, else element by element; an odd
  // bound is checked for each.
  // CHECK-LABEL: gpu.func @store
  // CHECK: scf.if
  // CHECK: llvm.store %{{.*}} : vector<2xbf16>, !llvm.ptr<1>
  // CHECK: scf.if
  // CHECK: llvm.store %{{.*}} : vector<2xbf16>, !llvm.ptr<1>
  // CHECK: llvm.store %{{.*}} : bf16, !llvm.ptr<1>
  gpu.func @store(%x: f32, %m: memref<?x16xbf16>, %o: memref<?x13xbf16>, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %c13 = arith.constant 13 : index
    %f = flash_tile.splat %x : !f
    %h = flash_tile.convert %f : !f -> !h
    flash_tile.store %h, %m[%c0, %c0] rows(%n) {alignment = 16 : i64} : !h, memref<?x16xbf16>
    flash_tile.store %h, %o[%c0, %c0] cols(%c13) : !h, memref<?x13xbf16>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @ring
  // CHECK-COUNT-2: cp.async.cg
  // CHECK: cp.async.commit_group;
  // CHECK: scf.if
  // CHECK: arith.remui
  // CHECK-COUNT-2: cp.async.cg
  // CHECK: cp.async.commit_group;
  // CHECK: cp.async.wait_group 1;
  // CHECK: nvvm.barrier
  // CHECK: nvvm.barrier
  gpu.func @ring(%m: memref<?x64xbf16>, %i: index, %more: i1) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %r = flash_tile.ring {shared_offset = 0 : i64} : !flash_tile.ring<3, 64x64xbf16, cp_async>
    flash_tile.put %r[%c0], %m[%i, %c0] {alignment = 16 : i64} : !flash_tile.ring<3, 64x64xbf16, cp_async>, memref<?x64xbf16>
    flash_tile.put %r[%i], %m[%i, %c0] if(%more) {alignment = 16 : i64} : !flash_tile.ring<3, 64x64xbf16, cp_async>, memref<?x64xbf16>
    %t = flash_tile.get %r[%c0] in_flight 1 : !flash_tile.ring<3, 64x64xbf16, cp_async>
    flash_tile.release %r[%c0] : !flash_tile.ring<3, 64x64xbf16, cp_async>
    gpu.return
  }

  // A block's share of 512 pieces of 16 bytes for each of the rows that a call has; each thread its own.
  // CHECK-LABEL: gpu.func @share
  // CHECK-DAG: %[[PIECES:.*]] = arith.constant 512 : i64
  // CHECK-DAG: %[[THREADS:.*]] = arith.constant 128 : i64
  // CHECK: %[[ALL:.*]] = arith.muli %{{.*}}, %[[PIECES]] : i64
  // CHECK: arith.ceildivui %[[ALL]]
  // CHECK: scf.for %{{.*}} = %{{.*}} to %{{.*}} step %[[THREADS]]
  // CHECK: st.global.v4.b32 [$0], {$1, $1, $1, $1};
  gpu.func @share(%m: memref<?x16x128xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    flash_tile.clear_share %m : memref<?x16x128xf32>
    gpu.return
  }
}
