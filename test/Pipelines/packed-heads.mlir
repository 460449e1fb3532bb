// RUN: flash-opt %s --mlir-disable-threading --flash-gpu-pipeline='target=sm_90a schedule-table=none' --mlir-print-ir-after=flash-tile-store-tma -o /dev/null 2>&1 | FileCheck %s
// RUN: flash-opt %s --mlir-disable-threading --flash-gpu-pipeline='target=sm_80 schedule-table=none' --mlir-print-ir-after=flash-tile-prefetch -o /dev/null 2>&1 | FileCheck %s --check-prefix=SM80

// Query heads that share a tile, up to the copies of L3: boxes of positions and heads, in memory's order.

// A warp's 16 rows are 2 positions of 8 heads.
// CHECK: func.func @bshd
// CHECK-DAG: flash_tile.tensor_map %{{.*}} -> !flash_tile.tensor_map<1x16x8x64xbf16>
// CHECK-DAG: flash_tile.tensor_map %{{.*}} -> !flash_tile.tensor_map<1x2x8x64xbf16>
// The grid has a block for each group of heads, not for each head.
// CHECK: func.func @bhsd
// CHECK-DAG: flash_tile.tensor_map %{{.*}} -> !flash_tile.tensor_map<1x8x16x64xbf16>
// CHECK-DAG: flash_tile.tensor_map %{{.*}} -> !flash_tile.tensor_map<1x1x16x64xbf16>
// 192 rows: 24 positions, boxes of 8 rows.
// CHECK: func.func @three
// CHECK-DAG: flash_tile.tensor_map %{{.*}} -> !flash_tile.tensor_map<1x8x24x64xf16>
// CHECK-DAG: flash_tile.tensor_map %{{.*}} -> !flash_tile.tensor_map<1x1x8x64xf16>

// CHECK-LABEL: gpu.func @bshd
// CHECK: flash_tile.specialize
// CHECK: flash_tile.put %{{.*}} {packed = #flash_tile.packed_rows<dim = 2, size = 8>, row_dim = 1 : i64} : {{.*}}, !flash_tile.tensor_map<1x16x8x64xbf16>
// CHECK: flash_tile.store_async %{{.*}} {packed = #flash_tile.packed_rows<dim = 2, size = 8>, row_dim = 1 : i64} : {{.*}}, !flash_tile.tensor_map<1x2x8x64xbf16>
// CHECK: flash_tile.store %{{.*}} rows(%{{.*}}) to_end {alignment = 4 : i64, packed = #flash_tile.packed_rows<dim = 1, size = 8>}
// CHECK-LABEL: gpu.func @bhsd
// CHECK: flash_tile.put %{{.*}} {packed = #flash_tile.packed_rows<dim = 1, size = 8, outer = true>} : {{.*}}, !flash_tile.tensor_map<1x8x16x64xbf16>
// CHECK: flash_tile.store_async %{{.*}} {packed = #flash_tile.packed_rows<dim = 1, size = 8, outer = true>, row_dim = 2 : i64} : {{.*}}, !flash_tile.tensor_map<1x1x16x64xbf16>
// CHECK-LABEL: gpu.func @three
// CHECK: flash_tile.store_async %{{.*}} row_dim = 2 : i64} : {{.*}}, !flash_tile.tensor_map<1x1x8x64xf16>

// SM80-LABEL: gpu.func @bshd
// SM80: flash_tile.put %{{.*}} rows(%{{.*}}) {alignment = 16 : i64, packed = #flash_tile.packed_rows<dim = 2, size = 8>, row_dim = 1 : i64} : {{.*}}, memref<?x?x32x128xbf16
// SM80: flash_tile.store %{{.*}} rows(%{{.*}}) to_end {alignment = 16 : i64, packed = #flash_tile.packed_rows<dim = 2, size = 8>, row_dim = 1 : i64}
func.func @bshd(%q: tensor<?x?x32x128xbf16>, %k: tensor<?x?x4x128xbf16>) -> (tensor<?x?x32x128xbf16>, tensor<?x32x?xf32>) {
  %o, %l = flash.attention %q, %k, %k {layout = #flash.layout<bshd>, mask = #flash.causal, schedule = #flash.schedule<packHeads = 8>} : tensor<?x?x32x128xbf16>, tensor<?x?x4x128xbf16>, tensor<?x?x4x128xbf16> -> tensor<?x?x32x128xbf16>, tensor<?x32x?xf32>
  return %o, %l : tensor<?x?x32x128xbf16>, tensor<?x32x?xf32>
}
func.func @bhsd(%q: tensor<?x32x?x128xbf16>, %k: tensor<?x4x?x128xbf16>) -> tensor<?x32x?x128xbf16> {
  %o = flash.attention %q, %k, %k {mask = #flash.causal, schedule = #flash.schedule<packHeads = 8>} : tensor<?x32x?x128xbf16>, tensor<?x4x?x128xbf16>, tensor<?x4x?x128xbf16> -> tensor<?x32x?x128xbf16>
  return %o : tensor<?x32x?x128xbf16>
}
// SM80-LABEL: gpu.func @three
func.func @three(%q: tensor<?x16x?x64xf16>, %k: tensor<?x2x?x64xf16>) -> tensor<?x16x?x64xf16> {
  %o = flash.attention %q, %k, %k {schedule = #flash.schedule<packHeads = 8>} : tensor<?x16x?x64xf16>, tensor<?x2x?x64xf16>, tensor<?x2x?x64xf16> -> tensor<?x16x?x64xf16>
  return %o : tensor<?x16x?x64xf16>
}
