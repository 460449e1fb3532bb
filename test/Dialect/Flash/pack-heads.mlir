// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_80 table=none schedule=#flash.schedule<m=128,n=64,warps=4,packHeads=8>},flash-tile-attention),canonicalize,flash-verify-level{level=L1})' | FileCheck %s
// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_80 table=none schedule=#flash.schedule<m=128,n=64,warps=4,packHeads=8>},flash-tile-attention,flash-decompose-attention),canonicalize,flash-verify-level{level=L2})' | FileCheck %s --check-prefix=L2
// RUN: flash-opt %s -split-input-file --flash-cpu-pipeline='schedule=#flash.schedule<m=48,packHeads=8>' | FileCheck %s --check-prefix=CPU

// Rows of a tile are 16 positions of 8 heads, heads of a position beside each other; the LSE has heads first, so that its
// rows change places.

// CHECK-LABEL: @bshd
// CHECK-SAME: %[[Q:[a-z0-9]+]]: tensor<?x?x32x64xbf16>, %[[K:[a-z0-9]+]]:
// CHECK-DAG: %[[C8:.*]] = arith.constant 8 : index
// CHECK-DAG: %[[C16:.*]] = arith.constant 16 : index
// CHECK-DAG: %[[C15:.*]] = arith.constant 15 : index
// CHECK-DAG: %[[SQ:.*]] = tensor.dim %[[Q]], %c1
// CHECK: %[[UP:.*]] = arith.addi %[[SQ]], %[[C15]]
// CHECK: %[[BLOCKS:.*]] = arith.divui %[[UP]], %[[C16]]
// A loop over groups of heads: each has its own key head.
// CHECK: scf.forall (%[[B:.*]], %[[G:.*]], %[[I:.*]]) in (%{{.*}}, 4, %[[BLOCKS]])
// CHECK: %[[H:.*]] = arith.muli %[[G]], %[[C8]]
// CHECK: %[[FIRST:.*]] = arith.muli %[[I]], %[[C16]]
// CHECK: %[[LEFT:.*]] = arith.subi %[[SQ]], %[[FIRST]]
// CHECK: %[[COUNT:.*]] = arith.minsi %[[LEFT]], %[[C16]]
// CHECK: tensor.extract_slice %[[Q]][%[[B]], %[[FIRST]], %[[H]], 0] [1, %[[COUNT]], 8, 64] [1, 1, 1, 1] : {{.*}} to tensor<?x8x64xbf16>
// CHECK: tensor.pad
// CHECK: tensor<?x8x64xbf16> to tensor<16x8x64xbf16>
// CHECK: tensor.collapse_shape %{{.*}} {{\[}}[0, 1], [2]] : tensor<16x8x64xbf16> into tensor<128x64xbf16>
// CHECK: tensor.extract_slice %[[K]][%[[B]], %{{.*}}, %[[G]], 0]
// CHECK: flash.online_attention {{.*}} packing = #flash.packing<heads = 8>
// CHECK: %[[O:.*]] = tensor.expand_shape %{{.*}} {{\[}}[0, 1], [2]] {{.*}} : tensor<128x64xbf16> into tensor<16x8x64xbf16>
// CHECK: %[[PART:.*]] = tensor.extract_slice %[[O]][0, 0, 0] [%[[COUNT]], 8, 64]
// CHECK: %[[L:.*]] = tensor.expand_shape %{{.*}} {{\[}}[0, 1]] {{.*}} : tensor<128xf32> into tensor<16x8xf32>
// CHECK: %[[LT:.*]] = linalg.transpose ins(%[[L]] : tensor<16x8xf32>)
// CHECK: %[[LPART:.*]] = tensor.extract_slice %[[LT]][0, 0] [8, %[[COUNT]]]
// CHECK: tensor.parallel_insert_slice %[[PART]] into %{{.*}}[%[[B]], %[[FIRST]], %[[H]], 0] [1, %[[COUNT]], 8, 64]
// CHECK: tensor.parallel_insert_slice %[[LPART]] into %{{.*}}[%[[B]], %[[H]], %[[FIRST]]] [1, 8, %[[COUNT]]]

// A row's position is that of eight rows.
// L2-LABEL: @bshd
// L2: scf.forall
// L2: scf.for
// L2: scf.if
// L2: linalg.generic
// L2: %[[ROW:.*]] = linalg.index 0
// L2: %[[PLACE:.*]] = arith.divui %[[ROW]], %c8
// L2: arith.addi %[[POSITION:.*]], %[[PLACE]]

// CPU-LABEL: llvm.func @bshd
func.func @bshd(%q: tensor<?x?x32x64xbf16>, %k: tensor<?x?x4x64xbf16>, %v: tensor<?x?x4x64xbf16>) -> (tensor<?x?x32x64xbf16>, tensor<?x32x?xf32>) {
  %o, %l = flash.attention %q, %k, %v {mask = #flash.causal, layout = #flash.layout<bshd>} : tensor<?x?x32x64xbf16>, tensor<?x?x4x64xbf16>, tensor<?x?x4x64xbf16> -> tensor<?x?x32x64xbf16>, tensor<?x32x?xf32>
  return %o, %l : tensor<?x?x32x64xbf16>, tensor<?x32x?xf32>
}

// -----

// Heads one after the other, a part of those that share keys; a row's head is what its slope is read at.

// CHECK-LABEL: @bhsd
// CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
// CHECK: scf.forall (%[[B:.*]], %[[G:.*]], %[[I:.*]]) in (%{{.*}}, 4, %{{.*}})
// CHECK: %[[H:.*]] = arith.muli %[[G]], %c8
// CHECK: %[[HK:.*]] = arith.divui %[[G]], %[[C2]]
// CHECK: tensor.extract_slice %arg0[%[[B]], %[[H]], %{{.*}}, 0] [1, 8, %{{.*}}, 64] [1, 1, 1, 1] : {{.*}} to tensor<8x?x64xbf16>
// CHECK: tensor<8x?x64xbf16> to tensor<8x16x64xbf16>
// CHECK: tensor.extract_slice %arg1[%[[B]], %[[HK]],
// CHECK: flash.online_attention {{.*}} packing = #flash.packing<heads = 8, headsOuter = true>
// CHECK-NOT: linalg.transpose

// L2-LABEL: @bhsd
// L2: scf.forall
// L2: %[[HEAD:.*]] = arith.muli %{{.*}}, %c8
// L2: linalg.generic
// L2: %[[ROW:.*]] = linalg.index 0
// L2: %[[OWN:.*]] = arith.divui %[[ROW]], %c16
// L2: %[[PLACE:.*]] = arith.remui %[[ROW]], %c16
// L2: %[[H:.*]] = arith.addi %[[HEAD]], %[[OWN]]
// L2: arith.addi %{{.*}}, %[[PLACE]]
// L2: tensor.extract %{{.*}}[%[[H]]] : tensor<32xf32>

// CPU-LABEL: llvm.func @bhsd
func.func @bhsd(%q: tensor<?x32x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>, %a: tensor<32xf32>) -> (tensor<?x32x?x64xbf16>, tensor<?x32x?xf32>) {
  %o, %l = flash.attention %q, %k, %v score_operands(%a : tensor<32xf32>) {scores = [#flash.alibi], mask = #flash.causal} : tensor<?x32x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x32x?x64xbf16>, tensor<?x32x?xf32>
  return %o, %l : tensor<?x32x?x64xbf16>, tensor<?x32x?xf32>
}

// -----

// Each row has the sink of its own head.

// CHECK-LABEL: @sinks
// CHECK: scf.forall
// CHECK: %[[HEAD:.*]] = arith.muli %{{.*}}, %c8
// CHECK-NOT: tensor.extract %
// CHECK: flash.online_attention
// CHECK: linalg.generic
// CHECK: %[[ROW:.*]] = linalg.index 0
// CHECK: %[[OWN:.*]] = arith.divui %[[ROW]], %c16
// CHECK: %[[H:.*]] = arith.addi %[[HEAD]], %[[OWN]]
// CHECK: tensor.extract %arg3[%[[H]]] : tensor<16xf32>

// L2-LABEL: @sinks
// CPU-LABEL: llvm.func @sinks
func.func @sinks(%q: tensor<2x16x?x64xf16>, %k: tensor<2x2x?x64xf16>, %v: tensor<2x2x?x64xf16>, %s: tensor<16xf32>) -> tensor<2x16x?x64xf16> {
  %o = flash.attention %q, %k, %v sinks(%s : tensor<16xf32>) : tensor<2x16x?x64xf16>, tensor<2x2x?x64xf16>, tensor<2x2x?x64xf16> -> tensor<2x16x?x64xf16>
  return %o : tensor<2x16x?x64xf16>
}
