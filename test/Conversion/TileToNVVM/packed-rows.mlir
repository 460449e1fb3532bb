// RUN: flash-opt %s --pass-pipeline="builtin.module(gpu.module(convert-flash-tile-to-nvvm,canonicalize,cse))" | FileCheck %s

// Rows along two dimensions of a memref.

!row = !flash_tile.fragment<64xf32, #flash_tile.row<4>>
!acc = !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>

gpu.module @kernels {
  // 16 positions of 4 heads, heads inside: row r is position r / 4, which is what exists or not, of head r % 4.
  // CHECK-LABEL: gpu.func @load
  // CHECK: %[[ROW:.*]] = arith.divui %{{.*}}, %{{.*}} : i32
  // CHECK: %[[POSITION:.*]] = arith.divui %[[ROW]], %c4_i32 : i32
  // CHECK: %[[HEAD:.*]] = arith.remui %[[ROW]], %c4_i32 : i32
  // CHECK: %[[P64:.*]] = arith.extui %[[POSITION]] : i32 to i64
  // CHECK: arith.addi %{{.*}}, %[[P64]] : i64
  // CHECK: %[[H64:.*]] = arith.extui %[[HEAD]] : i32 to i64
  // CHECK: arith.addi %{{.*}}, %[[H64]] : i64
  // CHECK: arith.cmpi slt, %[[POSITION]], %{{.*}} : i32
  // CHECK: cp.async.cg.shared.global [$0], [$1], 16, $2;
  gpu.func @load(%m: memref<?x?x8x64xbf16>, %i: index, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %t = flash_tile.load %m[%i, %i, %i, %c0] rows(%n) {row_dim = 1 : i64, alignment = 16 : i64, shared_offset = 0 : i64, packed = #flash_tile.packed_rows<dim = 2, size = 4>} : memref<?x?x8x64xbf16> -> !flash_tile.shared<64x64xbf16>
    gpu.return
  }

  // Heads outside: 16 neighbours are one head's.
  // CHECK-LABEL: gpu.func @store
  // CHECK: %[[POSITION:.*]] = arith.remui %{{.*}}, %c16_i32 : i32
  // CHECK: arith.cmpi slt, %[[POSITION]], %{{.*}} : i32
  // CHECK: scf.if
  // CHECK: llvm.store
  gpu.func @store(%v: !row, %m: memref<?x8x?xf32>, %i: index, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    flash_tile.store %v, %m[%i, %i, %i] rows(%n) {packed = #flash_tile.packed_rows<dim = 1, size = 4, outer = true>} : !row, memref<?x8x?xf32>
    gpu.return
  }

  // Of the box of 16 rows, 4 positions of 4 heads, the first position is 4 a warp; the head stays.
  // CHECK-LABEL: gpu.func @store_async
  // CHECK: "cp.async.bulk.tensor.4d.global.shared::cta.bulk_group [$0, {$1, $2, $3, $4}], [$5];"
  // CHECK-NOT: cp.async.bulk.tensor
  // CHECK: cp.async.bulk.commit_group
  gpu.func @store_async(%v: !acc, %m: !flash_tile.tensor_map<1x4x4x64xf16>, %i: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    flash_tile.store_async %v, %m[%i, %i, %i, %c0] {row_dim = 1 : i64, shared_offset = 0 : i64, packed = #flash_tile.packed_rows<dim = 2, size = 4>} : !acc, !flash_tile.tensor_map<1x4x4x64xf16>
    gpu.return
  }

  // Boxes of 8 rows: two of them a warp.
  // CHECK-LABEL: gpu.func @store_halves
  // CHECK-COUNT-2: cp.async.bulk.tensor.4d.global
  // CHECK-NOT: cp.async.bulk.tensor
  // CHECK: cp.async.bulk.commit_group
  gpu.func @store_halves(%v: !acc, %m: !flash_tile.tensor_map<1x1x8x64xf16>, %i: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    flash_tile.store_async %v, %m[%i, %i, %i, %c0] {row_dim = 2 : i64, shared_offset = 0 : i64, packed = #flash_tile.packed_rows<dim = 1, size = 8, outer = true>} : !acc, !flash_tile.tensor_map<1x1x8x64xf16>
    gpu.return
  }

  // Rows g and g + 8 of 16: heads inside, the next position; heads outside, the position 8 further of the same head.
  // CHECK-LABEL: gpu.func @quotients
  // CHECK: %[[ROW:.*]] = arith.addi %{{.*}}, %{{.*}} : i32
  // CHECK: %[[POSITION:.*]] = arith.divui %[[ROW]], %c8_i32 : i32
  // CHECK: %[[HEAD:.*]] = arith.remui %[[ROW]], %c8_i32 : i32
  // CHECK: %[[D:.*]] = arith.sitofp
  // CHECK-NOT: {{divui|remui}}
  // CHECK: arith.addf %[[D]], %cst : f32
  // CHECK-NOT: {{divui|remui}}
  // CHECK: gpu.return
  gpu.func @quotients(%v: !row, %m: memref<64xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %r = flash_tile.map(%v) : (!row) -> !row {
    ^bb0(%i: index, %x: f32):
      %c8 = arith.constant 8 : index
      %c100 = arith.constant 100 : index
      %q = arith.divui %i, %c8 : index
      %h = arith.remui %i, %c8 : index
      %wide = arith.muli %h, %c100 : index
      %sum = arith.addi %q, %wide : index
      %n = arith.index_cast %sum : index to i64
      %f = arith.sitofp %n : i64 to f32
      %y = arith.addf %x, %f : f32
      flash_tile.yield %y : f32
    }
    flash_tile.store %r, %m[%c0] : !row, memref<64xf32>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @remainders
  // CHECK: %[[ROW:.*]] = arith.addi %{{.*}}, %{{.*}} : i32
  // CHECK: %[[POSITION:.*]] = arith.remui %[[ROW]], %c16_i32 : i32
  // CHECK-NOT: remui
  // CHECK: arith.addi %[[POSITION]], %c8_i32 : i32
  // CHECK: gpu.return
  gpu.func @remainders(%v: !row, %m: memref<64xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %r = flash_tile.map(%v) : (!row) -> !row {
    ^bb0(%i: index, %x: f32):
      %c16 = arith.constant 16 : index
      %q = arith.remui %i, %c16 : index
      %n = arith.index_cast %q : index to i32
      %f = arith.sitofp %n : i32 to f32
      %y = arith.addf %x, %f : f32
      flash_tile.yield %y : f32
    }
    flash_tile.store %r, %m[%c0] : !row, memref<64xf32>
    gpu.return
  }
}
