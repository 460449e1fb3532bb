// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=cpu:x86-64-v3 schedule=#flash.schedule<m=64,n=32>},flash-tile-attention),canonicalize,cse,flash-verify-level{level=L1})' | FileCheck %s
// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=cpu:x86-64-v3 schedule=#flash.schedule<m=64,n=32>},flash-tile-attention,flash-decompose-attention),canonicalize,cse,flash-verify-level{level=L2})' | FileCheck %s --check-prefix=STEP
// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-choose-schedule{table=none target=sm_90a},flash-tile-attention),canonicalize,cse,flash-verify-level{level=L1})' | FileCheck %s --check-prefix=GPU

// In an `or` lists do not bound the loop: each block is looked up in the full ones, then in the partial ones (2, 1, and 0
// for none), and left out where neither they nor the window show it.
// CHECK-LABEL: @window_or_blocks
// CHECK-SAME: %{{[^:]*}}: tensor<1x4x?x64xf32>, %[[PN:[^:]*]]: tensor<1x1x?xi32>, %[[PL:[^:]*]]: tensor<1x1x?x?xi32>, %[[FN:[^:]*]]: tensor<1x1x?xi32>, %[[FL:[^:]*]]: tensor<1x1x?x?xi32>
// CHECK: scf.forall
// CHECK: %[[ROW:.*]] = arith.divui %{{.*}}, %c64
// CHECK: scf.for %[[K0:.*]] = %c0 to %{{.*}} step %c32
// CHECK: %[[BLOCK:.*]] = arith.divui %[[K0]], %c64
// CHECK: tensor.extract %[[FN]][%c0, %c0, %[[ROW]]]
// CHECK: %[[FULL:.*]] = scf.for %[[N:.*]] = %c0 to %{{.*}} step %c1 iter_args(%[[FOUND:.*]] = %false) -> (i1) {
// CHECK: tensor.extract %[[FL]][%c0, %c0, %[[ROW]], %[[N]]]
// CHECK: %[[SAME:.*]] = arith.cmpi eq, %{{.*}}, %[[BLOCK]]
// CHECK: arith.ori %[[FOUND]], %[[SAME]]
// CHECK: tensor.extract %[[PN]]
// CHECK: %[[PARTIAL:.*]] = scf.for
// CHECK: tensor.extract %[[PL]]
// CHECK: %[[ONE:.*]] = arith.select %[[PARTIAL]], %c1, %c0
// CHECK: %[[WHAT:.*]] = arith.select %[[FULL]], %c2, %[[ONE]]
// CHECK: %[[NONE:.*]] = arith.cmpi eq, %[[WHAT]], %c0
// CHECK: %[[HIDDEN:.*]] = arith.andi %{{.*}}, %[[NONE]]
// CHECK: scf.if %[[HIDDEN]]
// CHECK: } else {
// CHECK: flash.online_attention {{.*}} query_summary(%[[ROW]] : index) key_summary(%[[WHAT]] : index)

// Elements ask what was found for their block.
// STEP-LABEL: @window_or_blocks
// STEP: %[[WHAT:.*]] = arith.select %{{.*}}, %c2, %{{.*}}
// STEP: %[[NONE:.*]] = arith.cmpi eq, %[[WHAT]], %c0
// STEP: %[[LISTED:.*]] = arith.cmpi ne, %[[WHAT]], %c0
// STEP: linalg.generic
// STEP: arith.ori %{{.*}}, %[[LISTED]]

// Where many threads have a block, each looks it up.
// GPU-LABEL: @window_or_blocks
// GPU: scf.if
// GPU: flash.online_attention {{.*}} key_summary(
func.func @window_or_blocks(%q: tensor<1x4x?x64xf32>, %pn: tensor<1x1x?xi32>, %pl: tensor<1x1x?x?xi32>, %fn: tensor<1x1x?xi32>, %fl: tensor<1x1x?x?xi32>) -> tensor<1x4x?x64xf32> {
  %o = flash.attention %q, %q, %q mask_operands(%pn, %pl, %fn, %fl : tensor<1x1x?xi32>, tensor<1x1x?x?xi32>, tensor<1x1x?xi32>, tensor<1x1x?x?xi32>)
      {mask = #flash.or<#flash.window<left = 255, right = 0>, #flash.block_sparse<bq = 64, bk = 64>>}
      : tensor<1x4x?x64xf32>, tensor<1x4x?x64xf32>, tensor<1x4x?x64xf32> -> tensor<1x4x?x64xf32>
  return %o : tensor<1x4x?x64xf32>
}

// -----

// The first of two lists is walked, in tiles that cross no block of either: 16 keys divide 96 and 80. The other one is
// looked up.
// CHECK-LABEL: @two
// CHECK: %[[STEPS:.*]] = arith.muli %{{.*}}, %c6 : index
// CHECK: scf.for %[[N:.*]] = %c0 to %[[STEPS]] step %c1
// CHECK: %[[ENTRY:.*]] = arith.divui %[[N]], %c6 : index
// CHECK: tensor.extract {{.*}}, %[[ENTRY]]]
// CHECK: arith.muli %{{.*}}, %c96
// CHECK: arith.muli %{{.*}}, %c16
// CHECK: %[[KEYS:.*]] = arith.minsi %{{.*}}, %c16
// CHECK: arith.divui %{{.*}}, %c80
// CHECK: scf.for
// CHECK: scf.if
// CHECK: flash.online_attention {{.*}} keys(%[[KEYS]])
// CHECK-SAME: mask = #flash.and<#flash.block_sparse<bq = 64, bk = 80, partial = #flash.causal>>
func.func @two(%q: tensor<1x4x?x64xf32>, %n: tensor<1x1x?xi32>, %l: tensor<1x1x?x?xi32>) -> tensor<1x4x?x64xf32> {
  %o = flash.attention %q, %q, %q mask_operands(%n, %l, %n, %l, %n, %l, %n, %l : tensor<1x1x?xi32>, tensor<1x1x?x?xi32>, tensor<1x1x?xi32>, tensor<1x1x?x?xi32>, tensor<1x1x?xi32>, tensor<1x1x?x?xi32>, tensor<1x1x?xi32>, tensor<1x1x?x?xi32>)
      {mask = #flash.and<#flash.block_sparse<bq = 64, bk = 96>, #flash.block_sparse<bq = 64, bk = 80, partial = #flash.causal>>}
      : tensor<1x4x?x64xf32>, tensor<1x4x?x64xf32>, tensor<1x4x?x64xf32> -> tensor<1x4x?x64xf32>
  return %o : tensor<1x4x?x64xf32>
}

// -----

// Tiles that do not divide the blocks walk the range block by block, too: 40 keys are a step of 32 and one of 8.
// CHECK-LABEL: @range
// CHECK: %[[END:.*]] = arith.divui %{{.*}}, %c40
// CHECK: %[[BLOCKS:.*]] = arith.maxsi %[[END]], %c0
// CHECK: %[[STEPS:.*]] = arith.muli %[[BLOCKS]], %c2
// CHECK: scf.for %[[N:.*]] = %c0 to %[[STEPS]] step %c1
// CHECK: %[[NUMBER:.*]] = arith.divui %[[N]], %c2
// CHECK: arith.muli %[[NUMBER]], %c40
// CHECK: arith.minsi %{{.*}}, %c32
// CHECK: flash.online_attention
func.func @range(%q: tensor<1x4x?x64xf32>, %n: tensor<1x1x?xi32>, %l: tensor<1x1x?x?xi32>) -> tensor<1x4x?x64xf32> {
  %o = flash.attention %q, %q, %q mask_operands(%n, %l, %n, %l : tensor<1x1x?xi32>, tensor<1x1x?x?xi32>, tensor<1x1x?xi32>, tensor<1x1x?x?xi32>)
      {mask = #flash.or<#flash.window<right = 0>, #flash.block_sparse<bq = 64, bk = 40>>}
      : tensor<1x4x?x64xf32>, tensor<1x4x?x64xf32>, tensor<1x4x?x64xf32> -> tensor<1x4x?x64xf32>
  return %o : tensor<1x4x?x64xf32>
}

// -----

// Blocks of a ragged sequence are counted from its own first row: tiles of 64 in blocks of 100 queries, two each, are
// numbered from row * 2 / 100 on. A block of queries for which there is no entry sees nothing.
// CHECK-LABEL: @ragged
// CHECK: %[[TWICE:.*]] = arith.muli %{{.*}}, %c2
// CHECK: arith.divui %[[TWICE]], %c100
// CHECK: scf.forall
// CHECK: %[[ENTRIES:.*]] = arith.minsi %dim{{.*}}, %dim
// CHECK: %[[EXISTS:.*]] = arith.cmpi slt, %[[ROW:[0-9]+]], %[[ENTRIES]]
// CHECK: %[[LAST:.*]] = arith.addi %[[ENTRIES]], %c-1
// CHECK: %[[AT:.*]] = arith.minsi %[[ROW]], %[[LAST]]
// CHECK: tensor.extract %{{.*}}[%{{.*}}, %c0, %[[AT]]]
// CHECK: arith.select %[[EXISTS]], %{{.*}}, %c0
// CHECK: flash.online_attention
func.func @ragged(%q: tensor<1x4x?x64xf32>, %cu: tensor<?xi32>, %n: tensor<?x1x?xi32>, %l: tensor<?x1x?x?xi32>) -> tensor<1x4x?x64xf32> {
  %o = flash.attention %q, %q, %q cu_seqlens_q(%cu : tensor<?xi32>) cu_seqlens_k(%cu : tensor<?xi32>) mask_operands(%n, %l, %n, %l : tensor<?x1x?xi32>, tensor<?x1x?x?xi32>, tensor<?x1x?xi32>, tensor<?x1x?x?xi32>)
      {mask = #flash.block_sparse<bq = 100, bk = 64>}
      : tensor<1x4x?x64xf32>, tensor<1x4x?x64xf32>, tensor<1x4x?x64xf32> -> tensor<1x4x?x64xf32>
  return %o : tensor<1x4x?x64xf32>
}
