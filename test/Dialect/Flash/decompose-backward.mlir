// A step of a backward becomes contractions, scores and their derivative, mask, probabilities (L1 to L2).
//
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-decompose-attention),canonicalize,cse)' | FileCheck %s

// CHECK-DAG: #[[MD:.*]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-DAG: #[[ND:.*]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK-DAG: #[[KM:.*]] = affine_map<(d0, d1, d2) -> (d2, d0)>
// CHECK-DAG: #[[KN:.*]] = affine_map<(d0, d1, d2) -> (d2, d1)>
// CHECK-DAG: #[[TILE:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[ROW:.*]] = affine_map<(d0, d1) -> (d0)>
// CHECK-DAG: #[[COL:.*]] = affine_map<(d0, d1) -> (d1)>

!q = tensor<32x16xf16>
!k = tensor<64x16xf16>
!qt = tensor<16x32xf16>
!kt = tensor<16x64xf16>
!r = tensor<32xf32>
!dq = tensor<32x16xf32>
!dk = tensor<64x16xf32>

// Queries times keys. S and dP are products that need nothing of each other; the mask stands in a condition; keys and values that no query sees are
// taken out of dP and dQ; P and dS come from one map,
// in f16; dV and dK contract the rows, dQ the columns.
// CHECK-LABEL: func.func @rows
// CHECK-SAME: (%[[Q:.*]]: tensor<32x16xf16>, %[[K:.*]]: tensor<64x16xf16>, %[[V:.*]]: tensor<64x16xf16>, %[[DO:.*]]: tensor<32x16xf16>, %[[LSE:.*]]: tensor<32xf32>, %[[DELTA:.*]]: tensor<32xf32>, %[[DQ:.*]]: tensor<32x16xf32>, %[[DK:.*]]: tensor<64x16xf32>, %[[DV:.*]]: tensor<64x16xf32>, %[[I:.*]]: index, %[[J:.*]]: index, %[[N:.*]]: index, %{{.*}}: index)
// CHECK-DAG: %[[FACTOR:.*]] = arith.constant 0.360673755 : f32
// CHECK-DAG: %[[NONE:.*]] = arith.constant 0xFF800000 : f32
// CHECK: %[[S:.*]] = linalg.matmul indexing_maps = [#[[MD]], #[[ND]], {{.*}}] ins(%[[Q]], %[[K]] :
// CHECK: %[[CUT:.*]] = arith.cmpi sgt, %{{.*}}, %[[I]]
// CHECK: %[[HIDES:.*]] = arith.andi %[[CUT]], %{{.*}} : i1
// CHECK: %[[SEENV:.*]] = flash.hide_unseen %[[V]] when %[[HIDES]] queries(%c32)
// CHECK: %[[DP:.*]] = linalg.matmul indexing_maps = [#[[MD]], #[[ND]], {{.*}}] ins(%[[DO]], %[[SEENV]] :
// CHECK: %[[RAGGED:.*]] = arith.cmpi slt, %[[N]], %c64
// CHECK: %[[PARTIAL:.*]] = arith.ori %[[RAGGED]], %[[CUT]]
// CHECK: %[[SM:.*]] = scf.if %[[PARTIAL]]
// CHECK: arith.select %{{.*}}, %{{.*}}, %[[NONE]]
// CHECK: } else {
// CHECK-NEXT: scf.yield %[[S]]
// CHECK: %[[PDS:.*]]:2 = linalg.generic {indexing_maps = [#[[TILE]], #[[TILE]], #[[ROW]], #[[ROW]], #[[TILE]], #[[TILE]]], {{.*}} ins(%[[SM]], %[[DP]], %[[LSE]], %[[DELTA]] :
// CHECK-NEXT: ^bb0(%[[s:.*]]: f32, %[[dp:.*]]: f32, %[[lse:.*]]: f32, %[[delta:.*]]: f32,
// CHECK-NEXT: %[[SCALED:.*]] = arith.mulf %[[s]], %[[FACTOR]]
// CHECK-NEXT: %[[X:.*]] = arith.subf %[[SCALED]], %[[lse]]
// CHECK-NEXT: %[[P:.*]] = math.exp2 %[[X]]
// CHECK-NEXT: %[[Y:.*]] = arith.subf %[[dp]], %[[delta]]
// CHECK-NEXT: %[[DS:.*]] = arith.mulf %[[P]], %[[Y]]
// CHECK-NEXT: %[[DSR:.*]] = arith.truncf %[[DS]] : f32 to f16
// CHECK-NEXT: %[[PR:.*]] = arith.truncf %[[P]] : f32 to f16
// CHECK-NEXT: linalg.yield %[[PR]], %[[DSR]]
// CHECK: linalg.matmul indexing_maps = [#[[KM]], #[[KN]], {{.*}}] ins(%[[PDS]]#0, %[[DO]] : {{.*}} outs(%[[DV]] :
// CHECK: linalg.matmul indexing_maps = [#[[KM]], #[[KN]], {{.*}}] ins(%[[PDS]]#1, %[[Q]] : {{.*}} outs(%[[DK]] :
// CHECK: %[[SEENK:.*]] = flash.hide_unseen %[[K]] when %[[HIDES]] queries(%c32)
// CHECK: linalg.matmul ins(%[[PDS]]#1, %[[SEENK]] : {{.*}} outs(%[[DQ]] :
func.func @rows(%q: !q, %k: !k, %v: !k, %do: !q, %l: !r, %d: !r, %dq: !dq, %dk: !dk, %dv: !dk, %i: index, %j: index, %n: index, %m: index) -> (!dq, !dk, !dk) {
  %r:3 = flash.backward_step ins(%q, %k, %v, %do, %l, %d : !q, !k, !k, !q, !r, !r) d_query(%dq : !dq) d_key(%dk : !dk) d_value(%dv : !dk) positions(%i, %j) keys(%n) queries(%m) {mask = #flash.causal, scale = 0.25 : f32} -> query !dq key !dk value !dk
  return %r#0, %r#1, %r#2 : !dq, !dk, !dk
}

// Keys times queries, which are read from transposed copies; what a row has lies along columns.
// CHECK-LABEL: func.func @columns
// CHECK-SAME: (%[[Q:.*]]: tensor<32x16xf16>, %[[K:.*]]: tensor<64x16xf16>, %[[V:.*]]: tensor<64x16xf16>, %[[DO:.*]]: tensor<32x16xf16>, %[[LSE:.*]]: tensor<32xf32>, %[[DELTA:.*]]: tensor<32xf32>, %[[QT:.*]]: tensor<16x32xf16>, %[[DOT:.*]]: tensor<16x32xf16>,
// CHECK: linalg.matmul ins(%[[K]], %[[QT]] : {{.*}} -> tensor<64x32xf32>
// CHECK: linalg.matmul ins(%[[V]], %[[DOT]] : {{.*}} -> tensor<64x32xf32>
// CHECK: %[[PDS:.*]]:2 = linalg.generic {indexing_maps = [#[[TILE]], #[[TILE]], #[[COL]], #[[COL]], #[[TILE]], #[[TILE]]]
// CHECK: linalg.matmul ins(%[[PDS]]#0, %[[DO]] :
// CHECK: linalg.matmul ins(%[[PDS]]#1, %[[Q]] :
// CHECK: linalg.matmul indexing_maps = [#[[KM]], #[[KN]], {{.*}}] ins(%[[PDS]]#1, %[[K]] :
func.func @columns(%q: !q, %k: !k, %v: !k, %do: !q, %l: !r, %d: !r, %qt: !qt, %dot: !qt, %dq: !dq, %dk: !dk, %dv: !dk, %i: index, %j: index, %n: index) -> (!dq, !dk, !dk) {
  %r:3 = flash.backward_step ins(%q, %k, %v, %do, %l, %d : !q, !k, !k, !q, !r, !r) query_t(%qt : !qt) d_output_t(%dot : !qt) d_query(%dq : !dq) d_key(%dk : !dk) d_value(%dv : !dk) positions(%i, %j) keys(%n) {scale = 0.25 : f32, transposed} -> query !dq key !dk value !dk
  return %r#0, %r#1, %r#2 : !dq, !dk, !dk
}

// dV alone needs no dP and no dS, and all keys exist: two products, one map.
// CHECK-LABEL: func.func @value
// CHECK-COUNT-1: linalg.matmul
// CHECK-NOT: linalg.matmul
// CHECK-NOT: scf.if
// CHECK: linalg.generic
// CHECK: math.exp2
// CHECK: linalg.matmul
// CHECK-NOT: linalg
func.func @value(%q: !q, %k: !k, %v: !k, %do: !q, %l: !r, %d: !r, %dv: !dk, %i: index, %j: index) -> !dk {
  %n = arith.constant 64 : index
  %r = flash.backward_step ins(%q, %k, %v, %do, %l, %d : !q, !k, !k, !q, !r, !r) d_value(%dv : !dk) positions(%i, %j) keys(%n) {scale = 0.25 : f32} -> value !dk
  return %r : !dk
}

// dQ alone: three products. A scale that is not positive is applied to the scores before.
// CHECK-LABEL: func.func @query
// CHECK-DAG: arith.constant -2.500000e-01 : f32
// CHECK-DAG: %[[LOG:.*]] = arith.constant 1.44269502 : f32
// CHECK-COUNT-2: linalg.matmul
// CHECK: arith.mulf %{{.*}}, %[[LOG]]
// CHECK: linalg.generic
// CHECK: linalg.yield %{{.*}} : f16
// CHECK: linalg.matmul
// CHECK-NOT: linalg.matmul
func.func @query(%q: !q, %k: !k, %v: !k, %do: !q, %l: !r, %d: !r, %dq: !dq, %i: index, %j: index, %n: index) -> !dq {
  %r = flash.backward_step ins(%q, %k, %v, %do, %l, %d : !q, !k, !k, !q, !r, !r) d_query(%dq : !dq) positions(%i, %j) keys(%n) {scale = -0.25 : f32} -> query !dq
  return %r : !dq
}

// The derivative of a softcap is 1 - tanh^2, of the tanh that the score has; dS is multiplied by it.
// CHECK-LABEL: func.func @softcap
// CHECK: %[[BOTH:.*]]:2 = linalg.generic
// CHECK: %[[T:.*]] = math.tanh
// CHECK-NEXT: %[[TT:.*]] = arith.mulf %[[T]], %[[T]]
// CHECK-NEXT: %[[D:.*]] = arith.subf %{{.*}}, %[[TT]]
// CHECK-NEXT: %[[S:.*]] = arith.mulf %[[T]]
// CHECK-NEXT: linalg.yield %[[S]], %[[D]]
// CHECK-NOT: math.tanh
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %[[BOTH]]#1 :
// CHECK: %[[P:.*]] = math.exp2
// CHECK: %[[DS:.*]] = arith.mulf %[[P]]
// CHECK-NEXT: %[[DSD:.*]] = arith.mulf %[[DS]], %{{.*}}
// CHECK-NEXT: arith.truncf %[[DSD]]
func.func @softcap(%q: !q, %k: !k, %v: !k, %do: !q, %l: !r, %d: !r, %dk: !dk, %i: index, %j: index, %n: index, %m: index, %b: index, %h: index) -> !dk {
  %r = flash.backward_step ins(%q, %k, %v, %do, %l, %d : !q, !k, !k, !q, !r, !r) d_key(%dk : !dk) positions(%i, %j) keys(%n) queries(%m) place(%b, %h) origins(%i, %j) {scores = [#flash.softcap<4.0>], scale = 0.25 : f32} -> key !dk
  return %r : !dk
}

// That of ALiBi is 1, and nothing is multiplied.
// CHECK-LABEL: func.func @alibi
// CHECK: linalg.yield %{{.*}} : f32
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : tensor<32x64xf32>, tensor<32x64xf32>, tensor<32xf32>, tensor<32xf32>)
// CHECK: %[[P:.*]] = math.exp2
// CHECK-NEXT: arith.subf
// CHECK-NEXT: %[[DS:.*]] = arith.mulf %[[P]]
// CHECK-NEXT: arith.truncf %[[DS]]
func.func @alibi(%q: !q, %k: !k, %v: !k, %do: !q, %l: !r, %d: !r, %dk: !dk, %a: tensor<?xf32>, %i: index, %j: index, %n: index, %m: index, %b: index, %h: index) -> !dk {
  %r = flash.backward_step ins(%q, %k, %v, %do, %l, %d : !q, !k, !k, !q, !r, !r) d_key(%dk : !dk) positions(%i, %j) keys(%n) queries(%m) place(%b, %h) origins(%i, %j) score_operands(%a : tensor<?xf32>) {scores = [#flash.alibi], scale = 0.25 : f32} -> key !dk
  return %r : !dk
}

// A derivative that may be infinite: where the probability is 0 (a hidden key, a row that is padding) there is no gradient, and a row that
// sees no key or is padding has the probability 0 whatever its scores are.
// CHECK-LABEL: func.func @unbounded
// CHECK-DAG: %[[INF:.*]] = arith.constant 0x7F800000 : f32
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK: math.sqrt
// CHECK: arith.divf
// CHECK: %[[E:.*]] = math.exp2
// CHECK: %[[UNSEEING:.*]] = arith.cmpf oeq, %{{.*}}, %[[INF]]
// CHECK: %[[P:.*]] = arith.select %[[UNSEEING]], %[[ZERO]], %[[E]]
// CHECK: arith.mulf %[[P]]
// CHECK: %[[D:.*]] = arith.mulf
// CHECK: %[[NOTHING:.*]] = arith.cmpf oeq, %[[P]], %[[ZERO]]
// CHECK: %[[DS:.*]] = arith.select %[[NOTHING]], %[[ZERO]], %[[D]]
// CHECK: arith.truncf %[[DS]]
func.func @unbounded(%q: !q, %k: !k, %v: !k, %do: !q, %l: !r, %d: !r, %dk: !dk, %i: index, %j: index, %n: index, %m: index, %b: index, %h: index) -> !dk {
  %r = flash.backward_step ins(%q, %k, %v, %do, %l, %d : !q, !k, !k, !q, !r, !r) d_key(%dk : !dk) positions(%i, %j) keys(%n) queries(%m) place(%b, %h) origins(%i, %j) {scores = [#flash.region], scale = 0.25 : f32} score {
  ^bb0(%s: f32, %bb: index, %hh: index, %x: index, %y: index):
    %r = math.sqrt %s : f32
    flash.yield %r : f32
  } -> key !dk
  return %r : !dk
}

// Statistics as products: ones times their rows are what S and dP begin with, and nothing is subtracted.
// CHECK-LABEL: func.func @product
// CHECK-SAME: (%[[Q:.*]]: tensor<32x16xf16>, %[[K:.*]]: tensor<64x16xf16>, %[[V:.*]]: tensor<64x16xf16>, %[[DO:.*]]: tensor<32x16xf16>, %[[LSE:.*]]: tensor<16x32xbf16>, %[[DELTA:.*]]: tensor<16x32xbf16>,
// CHECK: %[[ONES:.*]] = linalg.fill ins(%{{.*}} : bf16) {{.*}} -> tensor<64x16xbf16>
// CHECK: %[[L:.*]] = linalg.matmul ins(%[[ONES]], %[[LSE]] : {{.*}} -> tensor<64x32xf32>
// CHECK: linalg.matmul indexing_maps = [#[[MD]], #[[ND]], {{.*}}] ins(%[[K]], %[[Q]] : {{.*}} outs(%[[L]] :
// CHECK: %[[D:.*]] = linalg.matmul ins(%[[ONES]], %[[DELTA]] :
// CHECK: linalg.matmul indexing_maps = [#[[MD]], #[[ND]], {{.*}}] ins(%[[V]], %[[DO]] : {{.*}} outs(%[[D]] :
// CHECK-NOT: arith.subf
func.func @product(%q: !q, %k: !k, %v: !k, %do: !q, %l: tensor<16x32xbf16>, %d: tensor<16x32xbf16>, %dk: !dk, %dv: !dk, %i: index, %j: index, %n: index) -> (!dk, !dk) {
  %r:2 = flash.backward_step ins(%q, %k, %v, %do, %l, %d : !q, !k, !k, !q, tensor<16x32xbf16>, tensor<16x32xbf16>) d_key(%dk : !dk) d_value(%dv : !dk) positions(%i, %j) keys(%n) {scale = 0.25 : f32, transposed} -> key !dk value !dk
  return %r#0, %r#1 : !dk, !dk
}

// Dropout: P meets dO with 0 where it was dropped; dP is 0 there, and 1 / (1 - p) times as much where it was kept. Delta is not touched.
// CHECK-LABEL: func.func @dropout
// CHECK-DAG: %[[KEPT:.*]] = arith.constant 1.250000e+00 : f32
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[DP:.*]], %{{.*}}, %{{.*}} :
// CHECK: ^bb0(%{{.*}}: f32, %[[dp:.*]]: f32, %{{.*}}: f32, %[[delta:.*]]: f32,
// CHECK: %[[P:.*]] = math.exp2
// CHECK: arith.muli %{{.*}}, %c3528531795_i64
// CHECK: %[[IS:.*]] = arith.cmpi uge
// CHECK: %[[MORE:.*]] = arith.mulf %[[dp]], %[[KEPT]]
// CHECK: %[[D:.*]] = arith.select %[[IS]], %[[MORE]]
// CHECK: %[[Y:.*]] = arith.subf %[[D]], %[[delta]]
// CHECK: arith.mulf %[[P]], %[[Y]]
// CHECK: arith.select %[[IS]], %[[P]]
func.func @dropout(%q: !q, %k: !k, %v: !k, %do: !q, %l: !r, %d: !r, %dq: !dq, %dv: !dk, %i: index, %seed: i64) -> (!dq, !dk) {
  %r:2 = flash.backward_step ins(%q, %k, %v, %do, %l, %d : !q, !k, !k, !q, !r, !r) d_query(%dq : !dq) d_value(%dv : !dk)
      positions(%i, %i) keys(%i) queries(%i) place(%i, %i) origins(%i, %i) dropout(%seed, %seed) {scale = 0.25 : f32, dropout_p = 0.2 : f32} -> query !dq value !dk
  return %r#0, %r#1 : !dq, !dk
}

// What score functions read needs S, before they meet it, and the gradient for what they make: 0 where there is no probability.
// CHECK-LABEL: func.func @scores
// CHECK: %[[S:.*]] = linalg.matmul
// CHECK: %[[DP:.*]] = linalg.matmul
// CHECK: %[[CAPPED:.*]] = linalg.generic {{.*}} ins(%[[S]] :
// CHECK: math.tanh
// CHECK: %[[DS:.*]] = linalg.generic
// CHECK: %[[P:.*]] = arith.select
// CHECK: %[[X:.*]] = arith.mulf %[[P]]
// CHECK: %[[NONE:.*]] = arith.cmpf oeq, %[[P]]
// CHECK: arith.select %[[NONE]], %{{.*}}, %[[X]]
// CHECK-NOT: linalg.matmul
// CHECK: return %[[S]], %[[DS]]
func.func @scores(%q: !q, %k: !k, %v: !k, %do: !q, %l: !r, %d: !r, %i: index) -> (tensor<32x64xf32>, tensor<32x64xf32>) {
  %n = arith.constant 64 : index
  %r:2 = flash.backward_step ins(%q, %k, %v, %do, %l, %d : !q, !k, !k, !q, !r, !r)
      positions(%i, %i) keys(%n) queries(%i) place(%i, %i) origins(%i, %i) {scale = 0.25 : f32, scores = [#flash.softcap<3.0 : f32>]} -> scores tensor<32x64xf32> d_scores tensor<32x64xf32>
  return %r#0, %r#1 : tensor<32x64xf32>, tensor<32x64xf32>
}
