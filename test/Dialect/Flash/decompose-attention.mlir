// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-decompose-attention),flash-verify-level{level=L2})' | FileCheck %s

// CHECK-DAG: #[[MD:.*]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-DAG: #[[ND:.*]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK-DAG: #[[MN:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-LABEL: @plain
// CHECK: %[[S:.*]] = linalg.matmul indexing_maps = [#[[MD]], #[[ND]], #[[MN]]] ins(%arg0, %arg1
// CHECK: %[[M:.*]] = scf.if
// CHECK: linalg.index 0
// CHECK: arith.select
// CHECK: else
// CHECK: scf.yield %[[S]]
// CHECK: %[[P:.*]], %[[MAX:.*]], %[[SUM:.*]], %[[ALPHA:.*]] = flash.online_softmax ins(%[[M]]
// CHECK-SAME: dim = 1 : i64, scale = 1.250000e-01
// CHECK: %[[A:.*]] = linalg.generic {{.*}} ins(%[[ALPHA]]
// CHECK: linalg.matmul ins(%[[P]], %arg2 {{.*}} outs(%[[A]]
func.func @plain(%q: tensor<64x128xbf16>, %k: tensor<32x128xbf16>, %v: tensor<32x96xbf16>, %acc: tensor<64x96xf32>,
    %max: tensor<64xf32>, %sum: tensor<64xf32>, %qp: index, %kp: index, %n: index) -> tensor<64x96xf32> {
  %r:3 = flash.online_attention ins(%q, %k, %v : tensor<64x128xbf16>, tensor<32x128xbf16>, tensor<32x96xbf16>)
      outs(%acc, %max, %sum : tensor<64x96xf32>, tensor<64xf32>, tensor<64xf32>) positions(%qp, %kp) keys(%n) {scale = 0.125 : f32}
  return %r#0 : tensor<64x96xf32>
}

// -----

// All keys exist and nothing is masked: no condition. Queries along the minor dimension: S^T = K Q^T, O^T += V^T P^T.
// CHECK-DAG: #[[DN:.*]] = affine_map<(d0, d1, d2) -> (d2, d1)>
// CHECK-DAG: #[[MN:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-DAG: #[[DM:.*]] = affine_map<(d0, d1, d2) -> (d2, d0)>
// CHECK-LABEL: @transposed
// CHECK: linalg.matmul ins(%arg1, %arg0
// CHECK-NOT: scf.if
// CHECK: flash.online_softmax
// CHECK-SAME: dim = 0
// CHECK: linalg.matmul indexing_maps = [#[[DM]], #[[DN]], #[[MN]]] ins(%arg2,
func.func @transposed(%q: tensor<128x48xf32>, %k: tensor<32x128xf32>, %v: tensor<32x96xf32>, %acc: tensor<96x48xf32>,
    %max: tensor<48xf32>, %sum: tensor<48xf32>, %qp: index, %kp: index) -> tensor<96x48xf32> {
  %n = arith.constant 32 : index
  %r:3 = flash.online_attention ins(%q, %k, %v : tensor<128x48xf32>, tensor<32x128xf32>, tensor<32x96xf32>)
      outs(%acc, %max, %sum : tensor<96x48xf32>, tensor<48xf32>, tensor<48xf32>) positions(%qp, %kp) keys(%n) {scale = 0.125 : f32, transposed}
  return %r#0 : tensor<96x48xf32>
}

// -----

// A scale that is not positive is applied to the scores, before the maximum is taken.
// CHECK-LABEL: @negative_scale
// CHECK: linalg.matmul
// CHECK: linalg.generic
// CHECK: arith.mulf %{{.*}}, %{{.*}} : f32
// CHECK: flash.online_softmax
// CHECK-SAME: scale = 1.000000e+00
func.func @negative_scale(%q: tensor<16x16xf32>, %acc: tensor<16x16xf32>, %max: tensor<16xf32>, %p: index) -> tensor<16x16xf32> {
  %n = arith.constant 16 : index
  %r:3 = flash.online_attention ins(%q, %q, %q : tensor<16x16xf32>, tensor<16x16xf32>, tensor<16x16xf32>)
      outs(%acc, %max, %max : tensor<16x16xf32>, tensor<16xf32>, tensor<16xf32>) positions(%p, %p) keys(%n) {scale = -0.5 : f32}
  return %r#0 : tensor<16x16xf32>
}
