// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_80 schedule=#flash.schedule<m=64,n=32,warps=4>},flash-tile-attention),flash-verify-level{level=L1})' | FileCheck %s
// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=cpu:x86-64-v3 schedule=#flash.schedule<n=32>},flash-tile-attention),flash-verify-level{level=L1})' | FileCheck %s --check-prefix=CPU
// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_80 schedule=#flash.schedule<m=64,n=32,warps=4,reverseKeys=true>},flash-tile-attention),flash-verify-level{level=L1})' | FileCheck %s --check-prefix=BACK
// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=cpu:x86-64-v3 schedule=#flash.schedule<n=32,reverseKeys=true>},flash-tile-attention),flash-verify-level{level=L1})' | FileCheck %s --check-prefix=CPUBACK

// CHECK-LABEL: @causal
// CHECK-DAG: %[[SQ:.*]] = tensor.dim %arg0
// CHECK-DAG: %[[SK:.*]] = tensor.dim %arg1
// CHECK: scf.forall (%[[B:.*]], %[[H:.*]], %[[I:.*]]) in
// The key head of a query head.
// CHECK: %[[HK:.*]] = arith.divui %[[H]], %{{.*}}
// CHECK: tensor.extract_slice %arg0[%[[B]], %[[H]], %{{.*}}, 0]
// CHECK: tensor.pad
// CHECK: tensor<?x128xbf16> to tensor<64x128xbf16>
// The mask bounds the loop, clamped to the keys that exist.
// CHECK: arith.maxsi
// CHECK: %[[END:.*]] = arith.minsi %{{.*}}, %[[SK]]
// CHECK: scf.for %{{.*}} = %{{.*}} to %[[END]] step
// CHECK: tensor.extract_slice %arg1[%[[B]], %[[HK]], %{{.*}}, 0]
// CHECK: tensor.extract_slice %arg2[%[[B]], %[[HK]], %{{.*}}, 0]
// CHECK: flash.online_attention ins(%{{.*}} : tensor<64x128xbf16>, tensor<32x128xbf16>, tensor<32x128xbf16>)
// CHECK-SAME: mask = #flash.causal
// CHECK: scf.forall.in_parallel
// CHECK: tensor.parallel_insert_slice
// CHECK: tensor.parallel_insert_slice
// CHECK: flash.tiling = #flash.tiling<

// The CPU's form: the query tile transposed, whole blocks read in place, the ragged one in a loop of its own.
// CPU-LABEL: @causal
// CPU: linalg.transpose
// CPU: scf.for
// CPU-NOT: tensor.pad
// CPU: flash.online_attention ins(%{{.*}} : tensor<128x48xbf16>, tensor<32x128xbf16>, tensor<32x128xbf16>)
// CPU-SAME: transposed
// CPU: scf.for
// CPU: tensor.pad
// CPU: flash.online_attention

// Backward: from the last block of the range, which begins at a multiple of the block, to the first.
// BACK-LABEL: @causal
// BACK: %[[SK:.*]] = tensor.dim %arg1
// BACK: %[[END:.*]] = arith.minsi %{{.*}}, %[[SK]]
// BACK: %[[BEFORE:.*]] = arith.subi %[[END]], %c1
// BACK: %[[BEHIND:.*]] = arith.maxsi %[[BEFORE]], %c0
// BACK: %[[BLOCKS:.*]] = arith.divui %[[BEHIND]], %c32
// BACK: %[[LAST:.*]] = arith.muli %[[BLOCKS]], %c32
// BACK: scf.for %[[J:.*]] = %{{.*}} to %[[END]] step
// BACK-NEXT: %[[K0:.*]] = arith.subi %[[LAST]], %[[J]]
// BACK-NEXT: %[[LEFT:.*]] = arith.subi %[[SK]], %[[K0]]
// BACK: tensor.extract_slice %arg1[%{{.*}}, %{{.*}}, %[[K0]], 0]
// BACK: flash.online_attention

// The ragged block comes first.
// CPUBACK-LABEL: @causal
// CPUBACK: scf.for
// CPUBACK: tensor.pad
// CPUBACK: flash.online_attention
// CPUBACK: scf.for
// CPUBACK-NEXT: arith.subi
// CPUBACK-NOT: tensor.pad
// CPUBACK: flash.online_attention
func.func @causal(%q: tensor<?x32x?x128xbf16>, %k: tensor<?x8x?x128xbf16>, %v: tensor<?x8x?x128xbf16>)
    -> (tensor<?x32x?x128xbf16>, tensor<?x32x?xf32>) {
  %o, %lse = flash.attention %q, %k, %v {mask = #flash.causal}
      : tensor<?x32x?x128xbf16>, tensor<?x8x?x128xbf16>, tensor<?x8x?x128xbf16>
      -> tensor<?x32x?x128xbf16>, tensor<?x32x?xf32>
  return %o, %lse : tensor<?x32x?x128xbf16>, tensor<?x32x?xf32>
}

// -----

// Static lengths that the block divides need no padding of keys; in bshd the length comes second. Odd head dims are padded.
// CHECK-LABEL: @bshd
// CHECK: scf.for
// CHECK: tensor.extract_slice %arg1[%{{.*}}, %{{.*}}, %{{.*}}, 0] [1, 32, 1, 59]
// CHECK: tensor.pad
// CHECK: tensor<32x59xf16> to tensor<32x64xf16>
// CHECK-NOT: scf.for %
func.func @bshd(%q: tensor<2x70x4x59xf16>, %k: tensor<2x64x4x59xf16>, %v: tensor<2x64x4x64xf16>) -> tensor<2x70x4x64xf16> {
  %o = flash.attention %q, %k, %v {layout = #flash.layout<bshd>}
      : tensor<2x70x4x59xf16>, tensor<2x64x4x59xf16>, tensor<2x64x4x64xf16> -> tensor<2x70x4x64xf16>
  return %o : tensor<2x70x4x64xf16>
}

// -----

// Ragged sequences: as many blocks as rows have, one for each bound and one more; a block finds its sequence by bisection.
// Rows in no sequence, before the first and behind the last, have no keys and are not read.
// CHECK-LABEL: @ragged
// Without rows there is no block.
// CHECK: %[[SOME:.*]] = arith.minsi %{{.*}}, %{{.*}} : index
// CHECK: %[[BOUNDS:.*]] = tensor.dim %arg3
// CHECK: scf.forall (%{{.*}}, %{{.*}}, %[[BLOCK:.*]]) in (%[[SOME]], 4, %{{.*}})
// CHECK: math.ctlz
// CHECK: %[[FOUND:.*]]:3 = scf.for {{.*}} : i32
// CHECK:   tensor.extract %arg3
// CHECK:   arith.select
// CHECK: %[[PLACE:.*]] = arith.index_cast %[[FOUND]]#0
// CHECK: %[[SEQUENCE:.*]] = arith.andi
// CHECK: %[[READ:.*]] = arith.select %[[SEQUENCE]], %[[EXISTING:.*]], %{{.*}} : index
// CHECK: tensor.extract_slice %arg0[%{{.*}}, %{{.*}}, %{{.*}}, 0] [1, 1, %[[READ]], 64]
// CHECK: scf.for
// CHECK: flash.online_attention
// CHECK: tensor.extract_slice %{{.*}}[0, 0] [%[[EXISTING]], 64]
// CHECK: tensor.parallel_insert_slice
func.func @ragged(%q: tensor<1x4x?x64xbf16>, %k: tensor<1x4x?x64xbf16>, %v: tensor<1x4x?x64xbf16>, %cq: tensor<?xi32>, %ck: tensor<?xi32>)
    -> tensor<1x4x?x64xbf16> {
  %o = flash.attention %q, %k, %v cu_seqlens_q(%cq : tensor<?xi32>) cu_seqlens_k(%ck : tensor<?xi32>)
      : tensor<1x4x?x64xbf16>, tensor<1x4x?x64xbf16>, tensor<1x4x?x64xbf16> -> tensor<1x4x?x64xbf16>
  return %o : tensor<1x4x?x64xbf16>
}

// -----

// CHECK-LABEL: @merge
// CHECK: scf.forall
// CHECK-COUNT-2: tensor.extract_slice
// CHECK: math.exp
// CHECK: math.exp
// CHECK: math.log
// CHECK: tensor.parallel_insert_slice
func.func @merge(%o0: tensor<1x4x?x64xf32>, %l0: tensor<1x4x?xf32>, %o1: tensor<1x4x?x64xf32>, %l1: tensor<1x4x?xf32>) -> tensor<1x4x?x64xbf16> {
  %o = flash.merge outputs(%o0, %o1 : tensor<1x4x?x64xf32>, tensor<1x4x?x64xf32>)
      lses(%l0, %l1 : tensor<1x4x?xf32>, tensor<1x4x?xf32>) -> tensor<1x4x?x64xbf16>
  return %o : tensor<1x4x?x64xbf16>
}
