// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=cpu:x86-64-v3 schedule=#flash.schedule<m=64,n=32>},flash-tile-attention),canonicalize,cse,flash-verify-level{level=L1})' | FileCheck %s
// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=cpu:x86-64-v3 schedule=#flash.schedule<m=64,n=32>},flash-tile-attention,flash-decompose-attention),canonicalize,cse,flash-verify-level{level=L2})' | FileCheck %s --check-prefix=STEP
// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-choose-schedule{table=none target=sm_90a},flash-tile-attention),canonicalize,cse,flash-verify-level{level=L1})' | FileCheck %s --check-prefix=GPU

// The least and the greatest id of the block's queries are found before the loop over keys, those of its keys in each
// step. A block without a common id is hidden before it is read.
// CHECK-LABEL: @documents
// CHECK-SAME: %[[Q:[^:]*]]: tensor<2x4x?x64xf32>, %[[QIDS:[^:]*]]: tensor<2x?xi32>, %[[KIDS:[^:]*]]: tensor<2x?xi32>
// CHECK-DAG: %[[MAX:.*]] = arith.constant 2147483647 : i32
// CHECK-DAG: %[[MIN:.*]] = arith.constant -2147483648 : i32
// CHECK: scf.forall (%[[B:.*]], %{{.*}}, %{{.*}}) in
// CHECK: %[[QEXIST:.*]] = arith.minsi %{{.*}}, %c64
// CHECK: %[[QR:.*]]:2 = scf.for %[[I:.*]] = %c0 to %[[QEXIST]] step %c1 iter_args(%[[L:.*]] = %[[MAX]], %[[G:.*]] = %[[MIN]]) -> (i32, i32) {
// CHECK: %[[ID:.*]] = tensor.extract %[[QIDS]][%[[B]], %{{.*}}]
// CHECK-DAG: %[[L1:.*]] = arith.minsi %[[L]], %[[ID]] : i32
// CHECK-DAG: %[[G1:.*]] = arith.maxsi %[[G]], %[[ID]] : i32
// CHECK: scf.yield %[[L1]], %[[G1]]
// CHECK: scf.for
// CHECK-NOT: tensor.extract %[[QIDS]]
// CHECK: %[[KR:.*]]:2 = scf.for %{{.*}} = %c0 to %c32 step %c1
// CHECK: tensor.extract %[[KIDS]][%[[B]], %{{.*}}]
// CHECK-DAG: %[[BELOW:.*]] = arith.cmpi slt, %[[QR]]#1, %[[KR]]#0 : i32
// CHECK-DAG: %[[ABOVE:.*]] = arith.cmpi slt, %[[KR]]#1, %[[QR]]#0 : i32
// CHECK: %[[HIDDEN:.*]] = arith.ori %[[BELOW]], %[[ABOVE]]
// CHECK: scf.if %[[HIDDEN]]
// CHECK: } else {
// CHECK: tensor.extract_slice %[[Q]]
// CHECK: flash.online_attention
// CHECK-SAME: query_summary(%[[QR]]#0, %[[QR]]#1 : i32, i32) key_summary(%[[KR]]#0, %[[KR]]#1 : i32, i32)
// Of the ragged last block only the keys that exist are read.
// CHECK: %[[KEXIST:.*]] = arith.minsi %{{.*}}, %c32
// CHECK: scf.for %{{.*}} = %c0 to %[[KEXIST]] step %c1
// CHECK: tensor.extract %[[KIDS]]

// A block of one id has no predicate.
// STEP-LABEL: @documents
// STEP: %[[QR:.*]]:2 = scf.for
// STEP: %[[KR:.*]]:2 = scf.for
// STEP: scf.if
// STEP: } else {
// STEP: linalg.matmul
// STEP-DAG: %[[LEAST:.*]] = arith.minsi %[[QR]]#0, %[[KR]]#0 : i32
// STEP-DAG: %[[GREATEST:.*]] = arith.maxsi %[[QR]]#1, %[[KR]]#1 : i32
// STEP: %[[PARTIAL:.*]] = arith.cmpi ne, %[[LEAST]], %[[GREATEST]]
// STEP: scf.if %[[PARTIAL]]

// Where many threads have a block, every block is loaded and gets the predicate.
// GPU-LABEL: @documents
// GPU-NOT: arith.constant 2147483647
// GPU: scf.for
// GPU-NOT: scf.if
// GPU: flash.online_attention
// GPU-NOT: query_summary
// GPU: return
func.func @documents(%q: tensor<2x4x?x64xf32>, %qids: tensor<2x?xi32>, %kids: tensor<2x?xi32>) -> tensor<2x4x?x64xf32> {
  %o = flash.attention %q, %q, %q mask_operands(%qids, %kids : tensor<2x?xi32>, tensor<2x?xi32>) {mask = #flash.segments}
      : tensor<2x4x?x64xf32>, tensor<2x4x?x64xf32>, tensor<2x4x?x64xf32> -> tensor<2x4x?x64xf32>
  return %o : tensor<2x4x?x64xf32>
}

// -----

// Parts get their own ids: the causal mask bounds the loop, both parts hide what is met, and both have to be full.
// CHECK-LABEL: @parts
// CHECK-SAME: %[[A:[^:]*]]: tensor<2x64xi32>, %[[B:[^:]*]]: tensor<2x64xi32>
// CHECK: scf.forall
// CHECK: %[[QA:.*]]:2 = scf.for
// CHECK: tensor.extract %[[A]]
// CHECK: %[[QB:.*]]:2 = scf.for
// CHECK: tensor.extract %[[B]]
// CHECK: scf.for
// CHECK: %[[KA:.*]]:2 = scf.for
// CHECK: tensor.extract %[[A]]
// CHECK: %[[KB:.*]]:2 = scf.for
// CHECK: tensor.extract %[[B]]
// CHECK: scf.if
// CHECK: flash.online_attention
// CHECK-SAME: query_summary(%[[QA]]#0, %[[QA]]#1, %[[QB]]#0, %[[QB]]#1 : i32, i32, i32, i32)
// CHECK-SAME: key_summary(%[[KA]]#0, %[[KA]]#1, %[[KB]]#0, %[[KB]]#1 : i32, i32, i32, i32)
// CHECK-SAME: mask = #flash.and<#flash.segments, #flash.causal, #flash.segments>
func.func @parts(%q: tensor<2x4x64x64xf32>, %a: tensor<2x64xi32>, %b: tensor<2x64xi32>) -> tensor<2x4x64x64xf32> {
  %o = flash.attention %q, %q, %q mask_operands(%a, %a, %b, %b : tensor<2x64xi32>, tensor<2x64xi32>, tensor<2x64xi32>, tensor<2x64xi32>)
      {mask = #flash.and<#flash.segments, #flash.causal, #flash.segments>}
      : tensor<2x4x64x64xf32>, tensor<2x4x64x64xf32>, tensor<2x4x64x64xf32> -> tensor<2x4x64x64xf32>
  return %o : tensor<2x4x64x64xf32>
}

// -----

// Inside the blocks of a list the mask that it leaves is asked; full blocks have nothing to sum up.
// CHECK-LABEL: @listed
// CHECK-SAME: %[[S:[^:,]*]]: tensor<1x?xi32>)
// CHECK: scf.forall
// CHECK: tensor.extract %[[S]]
// CHECK: tensor.extract %[[S]]
// CHECK: flash.online_attention
// CHECK-SAME: query_summary({{.*}}mask = #flash.segments
// CHECK-NOT: tensor.extract %[[S]]
// CHECK: flash.online_attention
// CHECK-NOT: query_summary
// CHECK: return
func.func @listed(%q: tensor<1x1x?x64xf32>, %n: tensor<1x1x?xi32>, %l: tensor<1x1x?x?xi32>, %s: tensor<1x?xi32>) -> tensor<1x1x?x64xf32> {
  %o = flash.attention %q, %q, %q mask_operands(%n, %l, %n, %l, %s, %s : tensor<1x1x?xi32>, tensor<1x1x?x?xi32>, tensor<1x1x?xi32>, tensor<1x1x?x?xi32>, tensor<1x?xi32>, tensor<1x?xi32>)
      {mask = #flash.block_sparse<bq = 128, bk = 128, partial = #flash.segments>}
      : tensor<1x1x?x64xf32>, tensor<1x1x?x64xf32>, tensor<1x1x?x64xf32> -> tensor<1x1x?x64xf32>
  return %o : tensor<1x1x?x64xf32>
}
