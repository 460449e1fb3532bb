// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_80},flash-tile-attention,flash-decompose-attention),convert-flash-to-tile,canonicalize,cse)' | FileCheck %s
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_80},flash-tile-attention,flash-decompose-attention),convert-flash-to-tile,canonicalize,cse,gpu.module(gpu.func(flash-tile-prefetch)))' | FileCheck %s --check-prefix=RING

// A tile of keys in small pages is loaded through the table, and fetched ahead as any other.
// CHECK: gpu.func @paged
// CHECK: scf.for %[[J:[a-z0-9]+]] =
// CHECK: flash_tile.load %{{.*}}[%{{.*}}, %{{.*}}, %[[J]], %{{.*}}] rows(%{{.*}}) pages(%[[TABLE:[a-z0-9]+]][%[[N:[a-z0-9]+]]] : memref<?x?xi32{{.*}}>) {alignment = 16 : i64} : memref<?x2x16x64xbf16{{.*}}> -> !flash_tile.shared<
// CHECK: flash_tile.load {{.*}} pages(%[[TABLE]][%[[N]]]

// RING: scf.for
// RING: flash_tile.put {{.*}} pages(%{{.*}}[%{{.*}}] : memref<?x?xi32{{.*}}>) if(
// RING: flash_tile.put {{.*}} pages(%{{.*}}[%{{.*}}] : memref<?x?xi32{{.*}}>) if(
func.func @paged(%q: tensor<?x8x?x64xbf16>, %k: tensor<?x2x16x64xbf16>, %n: tensor<?xi32>, %t: tensor<?x?xi32>) -> tensor<?x8x?x64xbf16> {
  %o = flash.attention %q, %k, %k kv_lengths(%n : tensor<?xi32>) page_table(%t : tensor<?x?xi32>) : tensor<?x8x?x64xbf16>, tensor<?x2x16x64xbf16>, tensor<?x2x16x64xbf16> -> tensor<?x8x?x64xbf16>
  return %o : tensor<?x8x?x64xbf16>
}
