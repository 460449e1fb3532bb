// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a schedule=#flash.schedule<cluster=2>},flash-tile-attention,flash-decompose-attention),convert-flash-to-tile,canonicalize,cse)' | FileCheck %s

// The blocks of a cluster have neighbouring tiles of one head; a grid is whole clusters.

// CHECK-LABEL: func.func @dynamic
// CHECK: %[[PAIRS:.*]] = arith.ceildivsi %{{.*}}, %c2
// CHECK: %[[EVEN:.*]] = arith.muli %[[PAIRS]], %c2
// CHECK: arith.muli %{{.*}}, %[[EVEN]]
func.func @dynamic(%q: tensor<?x?x?x128xbf16>, %k: tensor<?x?x?x128xbf16>, %v: tensor<?x?x?x128xbf16>) -> tensor<?x?x?x128xbf16> {
  %o = flash.attention %q, %k, %v : tensor<?x?x?x128xbf16>, tensor<?x?x?x128xbf16>, tensor<?x?x?x128xbf16> -> tensor<?x?x?x128xbf16>
  return %o : tensor<?x?x?x128xbf16>
}

// With three tiles of whole rows, a fourth block would store rows that are not there.
func.func @odd(%q: tensor<1x2x384x128xbf16>, %k: tensor<1x2x256x128xbf16>, %v: tensor<1x2x256x128xbf16>) -> tensor<1x2x384x128xbf16> {
  %o = flash.attention %q, %k, %v : tensor<1x2x384x128xbf16>, tensor<1x2x256x128xbf16>, tensor<1x2x256x128xbf16> -> tensor<1x2x384x128xbf16>
  return %o : tensor<1x2x384x128xbf16>
}

// CHECK: gpu.func @dynamic{{.*}} #flash_tile.kernel<{{.*}}cluster = 2
// CHECK: %[[ID:.*]] = gpu.cluster_id x
// CHECK: arith.ceildivui
// CHECK: %[[RANK:.*]] = gpu.cluster_block_id x
// CHECK: arith.addi %{{.*}}, %[[RANK]]
// CHECK: gpu.func @odd
// CHECK-NOT: cluster = 
// CHECK: gpu.block_id x
