// Whose rows a backward has, and the loops for gradients of other floats (L0 to L1).
//
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-schedule-recompute{target=cpu:x86-64-v3},flash-choose-schedule{target=cpu:x86-64-v3},flash-tile-attention),canonicalize,cse)' | FileCheck %s

!q = tensor<2x4x90x64xf32>
!k = tensor<2x2x90x64xf32>
!l = tensor<2x4x90xf32>
!rq = tensor<1x4x?x64xbf16>
!rk = tensor<1x2x?x64xbf16>
!rl = tensor<1x4x?xf32>
!n = tensor<1x1x?xi32>
!list = tensor<1x1x?x?xi32>


// Keys behind a batch's have gradients of 0 from the start on, and are not met; positions follow from how many there are.
// CHECK-LABEL: func.func @lengths
// CHECK: scf.forall
// CHECK: %[[ZERO:.*]] = linalg.fill {{.*}} -> tensor<2x2x90x64xf32>
// CHECK: scf.forall (%[[B:.*]], %{{.*}}) in (2, 2) shared_outs(%{{.*}} = %[[ZERO]], %{{.*}} = %[[ZERO]])
// CHECK: tensor.extract %arg3[%[[B]]] : tensor<2xi32>
// CHECK: %[[LENGTH:.*]] = arith.minsi %{{.*}}, %c90
// CHECK: %[[OFFSET:.*]] = arith.subi %[[LENGTH]], %c90
// CHECK: scf.for %[[J:.*]] = %c0 to %[[LENGTH]] step %c48
// CHECK: arith.subi %[[J]], %[[OFFSET]]
// CHECK: flash.backward_step
// CHECK: scf.forall
func.func @lengths(%q: !q, %k: !k, %l: !l, %n: tensor<2xi32>) -> (!q, !k, !k) {
  %r:3 = flash.attention_backward %q, %k, %k, %q, %l, %q kv_lengths(%n : tensor<2xi32>) {mask = #flash.causal} : !q, !k, !k, !q, !l, !q -> query !q key !k value !k
  return %r#0, %r#1, %r#2 : !q, !k, !k
}

// Blocks of what rows have, and of the sums for queries, are numbered by bisection; an iteration with products has a sequence.
// CHECK-LABEL: func.func @ragged
// CHECK: scf.forall (%{{.*}}, %{{.*}}, %[[T:.*]]) in (%{{.*}}, 4, %{{.*}})
// CHECK: scf.for {{.*}} -> (i32, i32, i32)
// CHECK: tensor.extract %arg3[
// CHECK: tensor.parallel_insert_slice {{.*}}[%{{.*}}, %{{.*}}, %[[T]], 0] [1, 1, 1, 48]
// CHECK: scf.forall (%[[N:.*]], %{{.*}}) in (4, 2)
// CHECK: %[[PLACE:.*]] = arith.addi %[[N]], %c1
// CHECK: tensor.extract %arg3[
// CHECK: tensor.extract %arg4[
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (tensor<2x?x64xf32>, tensor<?x64xbf16>)
// CHECK: flash.backward_step
// CHECK: scf.forall
// CHECK: scf.for {{.*}} -> (i32, i32, i32)
func.func @ragged(%q: !rq, %k: !rk, %l: !rl, %cq: tensor<5xi32>, %ck: tensor<5xi32>) -> (!rq, !rk) {
  %r:2 = flash.attention_backward %q, %k, %k, %q, %l, %q cu_seqlens_q(%cq : tensor<5xi32>) cu_seqlens_k(%ck : tensor<5xi32>) : !rq, !rk, !rk, !rq, !rl, !rq -> query !rq value !rk
  return %r#0, %r#1 : !rq, !rk
}

// Tiles are cut off at the ends of listed blocks, and counted; the list of a tile's queries is looked through for its keys.
// CHECK-LABEL: func.func @lists
// CHECK: scf.forall (%{{.*}}, %{{.*}}, %{{.*}}) in (2, 4, 5)
// CHECK: scf.forall
// CHECK: scf.for %{{.*}} = %c0 to %c3 step %c1
// CHECK: scf.for %{{.*}} = %c0 to %c10 step %c1
// CHECK: arith.divui %{{.*}}, %c20
// CHECK: arith.divui %{{.*}}, %c36
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %false) -> (i1)
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %false) -> (i1)
// CHECK: scf.if
// CHECK: flash.backward_step {{.*}} query_summary(%{{.*}} : index) key_summary(%{{.*}} : index)
func.func @lists(%q: !q, %k: !k, %l: !l, %pn: !n, %p: !list, %fn: !n, %f: !list) -> !k {
  %r = flash.attention_backward %q, %k, %k, %q, %l, %q mask_operands(%pn, %p, %fn, %f : !n, !list, !n, !list) {mask = #flash.block_sparse<bq = 20, bk = 36>} : !q, !k, !k, !q, !l, !q -> value !k
  return %r : !k
}

// A head's slope is an iteration's own; batches are gone through in it. A score without a gradient is left out.
// CHECK-LABEL: func.func @slopes
// CHECK: scf.forall
// CHECK: scf.forall (%[[H:.*]]) in (4)
// CHECK: tensor.extract_slice %{{.*}}[%[[H]]] [1] [1] : tensor<4xf64> to tensor<1xf64>
// CHECK: scf.for %{{.*}} = %c0 to %c2 step %c1
// CHECK: %[[S:.*]], %[[DS:.*]] = flash.backward_step {{.*}} -> scores tensor<48x48xf32> d_scores tensor<48x48xf32>
// CHECK: %[[G:.*]] = tensor.extract %[[DS]]
// CHECK: %[[ANY:.*]] = arith.cmpf une, %[[G]]
// CHECK: scf.if %[[ANY]]
// CHECK: %[[D:.*]] = arith.sitofp
// CHECK: %[[X:.*]] = arith.mulf %[[D]], %[[G]]
// CHECK: %[[Y:.*]] = arith.negf %[[X]]
// CHECK: %[[OLD:.*]] = tensor.extract %[[SUM:.*]][%c0] : tensor<1xf64>
// CHECK: %[[TERM:.*]] = arith.extf %[[Y]] : f32 to f64
// CHECK: %[[NEW:.*]] = arith.addf %[[OLD]], %[[TERM]]
// CHECK: tensor.insert %[[NEW]] into %[[SUM]][%c0]
// CHECK: tensor.parallel_insert_slice %{{.*}} into %{{.*}}[%[[H]]] [1] [1]
func.func @slopes(%q: !q, %k: !k, %l: !l, %a: tensor<4xf32>) -> tensor<4xf32> {
  %r = flash.attention_backward %q, %k, %k, %q, %l, %q score_operands(%a : tensor<4xf32>) {scores = [#flash.alibi], operands_with_gradient = array<i64: 0>} : !q, !k, !k, !q, !l, !q -> operands tensor<4xf32>
  return %r : tensor<4xf32>
}

// A bias that batches and heads share is summed over both, in f64, and rounded once.
// CHECK-LABEL: func.func @shared
// CHECK: scf.for %{{.*}} = %c0 to %c2 step %c1 {{.*}} -> (tensor<1x1x90x90xf64>)
// CHECK: scf.for %{{.*}} = %c0 to %c4 step %c1
// CHECK: tensor.insert %{{.*}} into %{{.*}}[%c0, %c0, %{{.*}}, %{{.*}}] : tensor<1x1x90x90xf64>
// CHECK: linalg.generic
// CHECK: arith.truncf
func.func @shared(%q: !q, %k: !k, %l: !l, %a: tensor<1x1x90x90xbf16>) -> tensor<1x1x90x90xbf16> {
  %r = flash.attention_backward %q, %k, %k, %q, %l, %q score_operands(%a : tensor<1x1x90x90xbf16>) {scores = [#flash.bias], operands_with_gradient = array<i64: 0>} : !q, !k, !k, !q, !l, !q -> operands tensor<1x1x90x90xbf16>
  return %r : tensor<1x1x90x90xbf16>
}

// Of a sink no score is computed.
// CHECK-LABEL: func.func @sinks
// CHECK-NOT: flash.backward_step
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel", "reduction"]
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "reduction", "reduction"]
// CHECK: math.exp
// CHECK: arith.subf %{{.*}}, %{{.*}}
// CHECK-NOT: scf.forall
func.func @sinks(%q: !q, %k: !k, %l: !l, %a: tensor<4xf32>) -> tensor<4xf32> {
  %r = flash.attention_backward %q, %k, %k, %q, %l, %q sinks(%a : tensor<4xf32>) : !q, !k, !k, !q, !l, !q -> sinks tensor<4xf32>
  return %r : tensor<4xf32>
}

// Pages are copied to rows of each batch; gradients are added to the pages, one batch after the other.
// CHECK-LABEL: func.func @pages
// CHECK: linalg.generic
// CHECK: arith.divui %{{.*}}, %c32
// CHECK: tensor.extract %arg3[
// CHECK: tensor.extract %arg1[
// CHECK: flash.backward_step
// CHECK: scf.for %[[B:.*]] = %c0 to %c2 step %c1
// CHECK: scf.for %[[P:.*]] = %c0 to %c3 step %c1
// CHECK: tensor.extract %arg3[%[[B]], %[[P]]]
// CHECK: arith.addf
// CHECK: tensor.insert_slice
func.func @pages(%q: !q, %k: tensor<7x2x32x64xf32>, %l: !l, %t: tensor<2x3xi32>, %n: tensor<2xi32>) -> tensor<7x2x32x64xf32> {
  %r = flash.attention_backward %q, %k, %k, %q, %l, %q kv_lengths(%n : tensor<2xi32>) page_table(%t : tensor<2x3xi32>) : !q, tensor<7x2x32x64xf32>, tensor<7x2x32x64xf32>, !q, !l, !q -> value tensor<7x2x32x64xf32>
  return %r : tensor<7x2x32x64xf32>
}
