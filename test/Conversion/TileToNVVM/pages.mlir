// RUN: flash-opt %s --convert-flash-tile-to-nvvm --cse | FileCheck %s

// Rows in pages: each thread looks up those that it copies, none behind the last one that exists.

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @load
  // CHECK-SAME: %[[M:[a-z0-9]+]]: memref<?x8x16x64xbf16>, %[[TABLE:[a-z0-9]+]]: memref<?x?xi32>, %[[B:[a-z0-9]+]]: index
  // CHECK: scf.for
  // CHECK: %[[LAST:.*]] = arith.subi %{{.*}}, %c1_i32 : i32
  // CHECK: %[[ROW:.*]] = arith.minsi %{{.*}}, %[[LAST]] : i32
  // CHECK: %[[SUM:.*]] = arith.addi %{{.*}}, %[[ROW]] : i32
  // CHECK: %[[KEY:.*]] = arith.maxsi %[[SUM]], %{{.*}} : i32
  // CHECK: %[[PLACE:.*]] = arith.divui %[[KEY]], %c16_i32 : i32
  // CHECK: %[[AT:.*]] = arith.index_cast %[[PLACE]] : i32 to index
  // CHECK: %[[NUMBER:.*]] = memref.load %[[TABLE]][%[[B]], %[[AT]]]
  // CHECK: arith.minsi %[[NUMBER]]
  // CHECK: "cp.async.cg.shared.global [$0], [$1], 16, $2;"
  gpu.func @load(%m: memref<?x8x16x64xbf16>, %table: memref<?x?xi32>, %b: index, %h: index, %j: index, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %t = flash_tile.load %m[%c0, %h, %j, %c0] rows(%n) pages(%table[%b] : memref<?x?xi32>) {alignment = 16 : i64, shared_offset = 0 : i64} : memref<?x8x16x64xbf16> -> !flash_tile.shared<64x64xbf16>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @put
  // CHECK: arith.divui %{{.*}}, %{{.*}} : i32
  // CHECK: memref.load
  // CHECK: cp.async.cg
  // CHECK: cp.async.commit_group
  gpu.func @put(%m: memref<?x?x8x64xbf16>, %table: memref<?x?xi32>, %b: index, %h: index, %j: index, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %ring = flash_tile.ring {shared_offset = 0 : i64} : !flash_tile.ring<2, 64x64xbf16, cp_async>
    flash_tile.put %ring[%c0], %m[%c0, %j, %h, %c0] rows(%n) pages(%table[%b] : memref<?x?xi32>) {alignment = 16 : i64, row_dim = 1 : i64} : !flash_tile.ring<2, 64x64xbf16, cp_async>, memref<?x?x8x64xbf16>
    gpu.return
  }
}
