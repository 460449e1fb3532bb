// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-decompose-attention),canonicalize,flash-verify-level{level=L2})' | FileCheck %s

// Run-time data are read where queries and keys exist: of a tile that is not whole, padding is not asked.
// CHECK-LABEL: @segments
// CHECK-SAME: %[[KEYS:[^:]*]]: index, %[[QUERIES:[^:]*]]: index, %[[B:[^:]*]]: index, %{{.*}}: index, %[[QIDS:[^:]*]]: tensor<2x?xi32>, %[[KIDS:[^:]*]]: tensor<2x?xi32>
// CHECK-DAG: arith.cmpi sgt, %[[QUERIES]], %c63
// CHECK-DAG: arith.cmpi sgt, %[[KEYS]], %c31
// CHECK: %[[WHOLE:.*]] = arith.andi
// CHECK: scf.if %[[WHOLE]]
// CHECK: linalg.generic
// CHECK-NOT: scf.if
// CHECK: %[[X:.*]] = tensor.extract %[[QIDS]][%[[B]], %{{.*}}]
// CHECK: %[[Y:.*]] = tensor.extract %[[KIDS]][%[[B]], %{{.*}}]
// CHECK: arith.cmpi eq, %[[X]], %[[Y]] : i32
// CHECK: linalg.generic
// CHECK: %[[I:.*]] = linalg.index 0
// CHECK: %[[J:.*]] = linalg.index 1
// CHECK-DAG: %[[ROW:.*]] = arith.cmpi slt, %[[I]], %[[QUERIES]]
// CHECK-DAG: %[[COLUMN:.*]] = arith.cmpi slt, %[[J]], %[[KEYS]]
// CHECK: %[[EXISTS:.*]] = arith.andi %[[ROW]], %[[COLUMN]]
// CHECK: scf.if %[[EXISTS]]
// CHECK-NEXT: tensor.extract %[[QIDS]]
// CHECK-NEXT: tensor.extract %[[KIDS]]
// CHECK: flash.online_softmax
func.func @segments(%keys: index, %queries: index, %b: index, %h: index, %qids: tensor<2x?xi32>, %kids: tensor<2x?xi32>, %p: index,
                    %q: tensor<64x32xf32>, %k: tensor<32x32xf32>, %acc: tensor<64x32xf32>, %r: tensor<64xf32>) -> tensor<64x32xf32> {
  %a:3 = flash.online_attention ins(%q, %k, %k : tensor<64x32xf32>, tensor<32x32xf32>, tensor<32x32xf32>)
      outs(%acc, %r, %r : tensor<64x32xf32>, tensor<64xf32>, tensor<64xf32>) positions(%p, %p) keys(%keys)
      queries(%queries) place(%b, %h) origins(%p, %p) mask_operands(%qids, %kids : tensor<2x?xi32>, tensor<2x?xi32>) {scale = 1.0 : f32, mask = #flash.segments}
  return %a#0 : tensor<64x32xf32>
}

// -----

// What is alike for all elements, here the prefix of the batch, is read before them.
// CHECK-LABEL: @prefix
// CHECK-SAME: %[[LENGTHS:[^:]*]]: tensor<2xi32>
// CHECK: scf.if
// CHECK: tensor.extract %[[LENGTHS]]
// CHECK: linalg.generic
// CHECK-NOT: tensor.extract
// CHECK: linalg.yield
func.func @prefix(%b: index, %h: index, %lengths: tensor<2xi32>, %p: index, %queries: index,
                  %q: tensor<64x32xf32>, %k: tensor<32x32xf32>, %acc: tensor<64x32xf32>, %r: tensor<64xf32>) -> tensor<64x32xf32> {
  %keys = arith.constant 32 : index
  %a:3 = flash.online_attention ins(%q, %k, %k : tensor<64x32xf32>, tensor<32x32xf32>, tensor<32x32xf32>)
      outs(%acc, %r, %r : tensor<64x32xf32>, tensor<64xf32>, tensor<64xf32>) positions(%p, %p) keys(%keys)
      queries(%queries) place(%b, %h) origins(%p, %p) mask_operands(%lengths : tensor<2xi32>) {scale = 1.0 : f32, mask = #flash.prefix}
  return %a#0 : tensor<64x32xf32>
}

// -----

// Score functions work on scaled scores, in their order; softmax then has nothing to scale.
// CHECK-LABEL: @scores
// CHECK-SAME: %[[SLOPES:[^:]*]]: tensor<4xf32>
// CHECK: tensor.extract %[[SLOPES]]
// CHECK: linalg.generic
// CHECK: arith.mulf
// CHECK: arith.subf
// CHECK: %[[TWICE:.*]] = arith.addf
// CHECK: linalg.yield %[[TWICE]]
// CHECK: flash.online_softmax
// CHECK-SAME: scale = 1.000000e+00
func.func @scores(%b: index, %h: index, %slopes: tensor<4xf32>, %p: index, %queries: index,
                  %q: tensor<64x32xf32>, %k: tensor<32x32xf32>, %acc: tensor<64x32xf32>, %r: tensor<64xf32>) -> tensor<64x32xf32> {
  %keys = arith.constant 32 : index
  %a:3 = flash.online_attention ins(%q, %k, %k : tensor<64x32xf32>, tensor<32x32xf32>, tensor<32x32xf32>)
      outs(%acc, %r, %r : tensor<64x32xf32>, tensor<64xf32>, tensor<64xf32>) positions(%p, %p) keys(%keys)
      queries(%queries) place(%b, %h) origins(%p, %p) score_operands(%slopes : tensor<4xf32>) {scale = 0.5 : f32, scores = [#flash.alibi, #flash.region]} score {
    ^bb0(%s: f32, %rb: index, %rh: index, %ri: index, %rj: index):
      %t = arith.addf %s, %s : f32
      flash.yield %t : f32
    }
  return %a#0 : tensor<64x32xf32>
}

// -----

// Where keys behind the query's position are hidden, ALiBi's distance needs no absolute value; where some are seen, it does.

// CHECK-LABEL: func @alibi_before_the_diagonal
// CHECK-NOT: arith.maxsi
// CHECK: arith.sitofp
// CHECK-LABEL: func @alibi_around_it
// CHECK: arith.maxsi
// CHECK: arith.sitofp
func.func @alibi_before_the_diagonal(%q: tensor<4x8xf32>, %k: tensor<16x8xf32>, %acc: tensor<4x8xf32>, %m: tensor<4xf32>, %i: index, %a: tensor<4xf32>) -> tensor<4x8xf32> {
  %n = arith.constant 16 : index
  %r:3 = flash.online_attention ins(%q, %k, %k : tensor<4x8xf32>, tensor<16x8xf32>, tensor<16x8xf32>)
    outs(%acc, %m, %m : tensor<4x8xf32>, tensor<4xf32>, tensor<4xf32>) positions(%i, %i) keys(%n)
    queries(%i) place(%i, %i) origins(%i, %i) score_operands(%a : tensor<4xf32>)
    {scale = 0.125 : f32, scores = [#flash.alibi], mask = #flash.and<#flash.causal, #flash.window<left = 99>>}
  return %r#0 : tensor<4x8xf32>
}
func.func @alibi_around_it(%q: tensor<4x8xf32>, %k: tensor<16x8xf32>, %acc: tensor<4x8xf32>, %m: tensor<4xf32>, %i: index, %a: tensor<4xf32>) -> tensor<4x8xf32> {
  %n = arith.constant 16 : index
  %r:3 = flash.online_attention ins(%q, %k, %k : tensor<4x8xf32>, tensor<16x8xf32>, tensor<16x8xf32>)
    outs(%acc, %m, %m : tensor<4x8xf32>, tensor<4xf32>, tensor<4xf32>) positions(%i, %i) keys(%n)
    queries(%i) place(%i, %i) origins(%i, %i) score_operands(%a : tensor<4xf32>)
    {scale = 0.125 : f32, scores = [#flash.alibi], mask = #flash.or<#flash.causal, #flash.window<left = 99>>}
  return %r#0 : tensor<4x8xf32>
}

// -----

// Softcap is a scalar body on scaled scores: cap * tanh(s / cap).

// CHECK-LABEL: func @softcap(
// CHECK-DAG: %[[SCALE:.+]] = arith.constant 1.250000e-01 : f32
// CHECK-DAG: %[[CAP:.+]] = arith.constant 3.000000e+01 : f32
// CHECK-DAG: %[[INVERSE:.+]] = arith.constant 0.0333333351 : f32
// CHECK: linalg.matmul
// CHECK: linalg.generic
// CHECK: %[[S:.+]] = arith.mulf %{{.+}}, %[[SCALE]]
// CHECK: %[[X:.+]] = arith.mulf %[[S]], %[[INVERSE]]
// CHECK: %[[T:.+]] = math.tanh %[[X]]
// CHECK: arith.mulf %[[T]], %[[CAP]]
// CHECK-NOT: linalg.generic
// CHECK: flash.online_softmax {{.*}} {dim = 1 : i64, scale = 1.000000e+00 : f32}
func.func @softcap(%q: tensor<4x8xf32>, %k: tensor<16x8xf32>, %acc: tensor<4x8xf32>, %m: tensor<4xf32>, %l: tensor<4xf32>, %i: index) -> tensor<4x8xf32> {
  %n = arith.constant 16 : index
  %r:3 = flash.online_attention ins(%q, %k, %k : tensor<4x8xf32>, tensor<16x8xf32>, tensor<16x8xf32>)
    outs(%acc, %m, %l : tensor<4x8xf32>, tensor<4xf32>, tensor<4xf32>) positions(%i, %i) keys(%n)
    queries(%i) place(%i, %i) origins(%i, %i) {scale = 0.125 : f32, scores = [#flash.softcap<30.0>]}
  return %r#0 : tensor<4x8xf32>
}

// -----

// A bias is read at rows, where they exist, and at 0 where it has one for all.
// CHECK-LABEL: @bias
// CHECK: linalg.generic
// CHECK: %[[J:.*]] = linalg.index 1
// CHECK: %[[AT:.*]] = arith.select %{{.*}}, %c0, %{{.*}} : index
// CHECK: %[[B:.*]] = tensor.extract %{{.*}}[%c0, %arg4, %c0, %[[AT]]] : tensor<1x4x1x?xf16>
// CHECK: %[[WIDE:.*]] = arith.extf %[[B]]
// CHECK: arith.addf %{{.*}}, %[[WIDE]]
func.func @bias(%p: index, %n: index, %queries: index, %b: index, %h: index, %q: tensor<8x16xf32>, %k: tensor<8x16xf32>, %bias: tensor<1x4x1x?xf16>,
    %a: tensor<8x16xf32>, %m: tensor<8xf32>, %s: tensor<8xf32>) -> tensor<8x16xf32> {
  %r:3 = flash.online_attention ins(%q, %k, %k : tensor<8x16xf32>, tensor<8x16xf32>, tensor<8x16xf32>)
      outs(%a, %m, %s : tensor<8x16xf32>, tensor<8xf32>, tensor<8xf32>) positions(%p, %p) keys(%n)
      queries(%queries) place(%b, %h) origins(%p, %p) score_operands(%bias : tensor<1x4x1x?xf16>) {scale = 0.5 : f32, scores = [#flash.bias]}
  return %r#0 : tensor<8x16xf32>
}

// -----

// Dropout: P with 0 for what is dropped; the sum is of all. What depends on seed and place alone stands before.

// CHECK-LABEL: func @dropout(
// CHECK: %[[P:.+]], %{{.+}}, %{{.+}}, %{{.+}} = flash.online_softmax
// CHECK: arith.shli %{{.+}}, %c16
// CHECK: linalg.generic {{.*}} ins(%[[P]] : tensor<4x16xf16>)
// CHECK: %[[FIRST:.+]] = arith.muli %{{.+}}, %{{.+}} : i64
// CHECK: %[[KEPT:.+]] = arith.cmpi uge, %{{.+}}, %c1073741824_i32 : i32
// CHECK: arith.select %[[KEPT]], %{{.+}}, %{{.+}} : f16
// CHECK: linalg.matmul
func.func @dropout(%q: tensor<4x8xf16>, %k: tensor<16x8xf16>, %acc: tensor<4x8xf32>, %m: tensor<4xf32>, %l: tensor<4xf32>, %i: index, %s: i64) -> tensor<4x8xf32> {
  %n = arith.constant 16 : index
  %r:3 = flash.online_attention ins(%q, %k, %k : tensor<4x8xf16>, tensor<16x8xf16>, tensor<16x8xf16>)
    outs(%acc, %m, %l : tensor<4x8xf32>, tensor<4xf32>, tensor<4xf32>) positions(%i, %i) keys(%n)
    queries(%i) place(%i, %i) origins(%i, %i) dropout(%s, %s) {scale = 0.125 : f32, dropout_p = 0.25 : f32}
  return %r#0 : tensor<4x8xf32>
}

// -----

// 8-bit keys and values become the queries' type; the keys' factor joins the scale.

// CHECK-LABEL: func @narrow(
// CHECK-SAME: %[[FACTOR:[^:]*]]: f32
// CHECK: %[[K:.+]] = linalg.generic {{.*}} ins(%{{.+}} : tensor<16x8xi8>)
// CHECK: arith.sitofp %{{.+}} : i8 to f16
// CHECK: linalg.matmul {{.*}} tensor<16x8xf16>
// CHECK: %[[SCALE:.+]] = arith.mulf %[[FACTOR]], %{{.+}} : f32
// CHECK: linalg.generic
// CHECK: arith.mulf %{{.+}}, %[[SCALE]]
// CHECK: flash.online_softmax {{.*}} scale = 1.000000e+00 : f32}
func.func @narrow(%q: tensor<4x8xf16>, %k: tensor<16x8xi8>, %acc: tensor<4x8xf32>, %m: tensor<4xf32>, %l: tensor<4xf32>, %i: index, %f: f32) -> tensor<4x8xf32> {
  %n = arith.constant 16 : index
  %r:3 = flash.online_attention ins(%q, %k, %k : tensor<4x8xf16>, tensor<16x8xi8>, tensor<16x8xi8>)
    outs(%acc, %m, %l : tensor<4x8xf32>, tensor<4xf32>, tensor<4xf32>) positions(%i, %i) keys(%n)
    key_scale(%f) {scale = 0.125 : f32}
  return %r#0 : tensor<4x8xf32>
}
