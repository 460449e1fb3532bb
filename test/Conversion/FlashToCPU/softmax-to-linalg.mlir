// RUN: flash-opt %s --split-input-file --flash-softmax-to-linalg | FileCheck %s

// Queries along the lanes: the keys, dimension 0, are reduced. P is written over
// the scores.

// CHECK-DAG: #[[$TILE:.+]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[$ROW:.+]] = affine_map<(d0, d1) -> (d1)>
// CHECK-LABEL: func @transposed(
// CHECK-SAME: %[[S:.+]]: tensor<64x96xf32>, %[[MAX:.+]]: tensor<96xf32>, %[[SUM:.+]]: tensor<96xf32>)
// CHECK: %[[OLD:.+]] = linalg.generic {{.*}} ins(%[[MAX]] : tensor<96xf32>)
// CHECK: %[[M1:.+]] = linalg.generic {indexing_maps = [#[[$TILE]], #[[$ROW]]], iterator_types = ["reduction", "parallel"]} ins(%[[S]] : tensor<64x96xf32>) outs(%[[MAX]] : tensor<96xf32>)
// CHECK: arith.cmpf ogt
// CHECK: %[[ALPHA:.+]] = linalg.generic {{.*}} ins(%[[M1]] : tensor<96xf32>) outs(%[[OLD]] : tensor<96xf32>)
// CHECK: %[[SA:.+]] = linalg.generic {{.*}} ins(%[[ALPHA]] : tensor<96xf32>) outs(%[[SUM]] : tensor<96xf32>)
// CHECK: %[[P:.+]]:2 = linalg.generic {indexing_maps = [#[[$ROW]], #[[$TILE]], #[[$ROW]]], iterator_types = ["reduction", "parallel"]} ins(%[[M1]] : tensor<96xf32>) outs(%[[S]], %[[SA]] : tensor<64x96xf32>, tensor<96xf32>)
// CHECK: arith.cmpf oeq
// CHECK: %[[D:.+]] = arith.subf
// CHECK: %[[C:.+]] = arith.constant 0.180336878 : f32
// CHECK: arith.mulf %[[D]], %[[C]]
// CHECK: math.exp2
// CHECK: arith.addf
// CHECK: return %[[P]]#0, %[[M1]], %[[P]]#1, %[[ALPHA]]
func.func @transposed(%s: tensor<64x96xf32>, %max: tensor<96xf32>, %sum: tensor<96xf32>)
    -> (tensor<64x96xf32>, tensor<96xf32>, tensor<96xf32>, tensor<96xf32>) {
  %p0 = tensor.empty() : tensor<64x96xf32>
  %a0 = tensor.empty() : tensor<96xf32>
  %p, %m, %l, %a = flash.online_softmax ins(%s : tensor<64x96xf32>)
      outs(%p0, %max, %sum, %a0 : tensor<64x96xf32>, tensor<96xf32>, tensor<96xf32>, tensor<96xf32>)
      {scale = 0.125 : f32, dim = 0 : i64}
  return %p, %m, %l, %a : tensor<64x96xf32>, tensor<96xf32>, tensor<96xf32>, tensor<96xf32>
}

// -----

// The scores are read again: P has a place of its own.

// CHECK-LABEL: func @scores_kept(
// CHECK-SAME: %[[S:.+]]: tensor<96x64xf32>
// CHECK: %[[P0:.+]] = tensor.empty() : tensor<96x64xf32>
// CHECK: iterator_types = ["parallel", "reduction"]} ins(%[[S]], %{{.+}} : tensor<96x64xf32>, tensor<96xf32>) outs(%[[P0]], %{{.+}} : tensor<96x64xf32>, tensor<96xf32>)
func.func @scores_kept(%s: tensor<96x64xf32>, %max: tensor<96xf32>, %sum: tensor<96xf32>)
    -> (tensor<96x64xf32>, tensor<96x64xf32>) {
  %p0 = tensor.empty() : tensor<96x64xf32>
  %a0 = tensor.empty() : tensor<96xf32>
  %p, %m, %l, %a = flash.online_softmax ins(%s : tensor<96x64xf32>)
      outs(%p0, %max, %sum, %a0 : tensor<96x64xf32>, tensor<96xf32>, tensor<96xf32>, tensor<96xf32>)
      {scale = 0.125 : f32, dim = 1 : i64}
  return %p, %s : tensor<96x64xf32>, tensor<96x64xf32>
}

// -----

// A 16-bit P: the sum takes it before rounding; rounded, it stays in f32 until an
// exact truncation.

// CHECK-LABEL: func @narrow(
// CHECK: %[[P:.+]] = math.exp2
// CHECK-DAG: arith.addf %{{.+}}, %[[P]]
// CHECK-DAG: %[[R:.+]] = arith.truncf %[[P]] : f32 to bf16
// CHECK: %[[W:.+]] = arith.extf %[[R]] : bf16 to f32
// CHECK: linalg.yield %[[W]], %{{.+}} : f32, f32
// CHECK: arith.truncf
func.func @narrow(%s: tensor<64x96xf32>, %max: tensor<96xf32>, %sum: tensor<96xf32>) -> tensor<64x96xbf16> {
  %p0 = tensor.empty() : tensor<64x96xbf16>
  %a0 = tensor.empty() : tensor<96xf32>
  %p, %m, %l, %a = flash.online_softmax ins(%s : tensor<64x96xf32>)
      outs(%p0, %max, %sum, %a0 : tensor<64x96xbf16>, tensor<96xf32>, tensor<96xf32>, tensor<96xf32>)
      {scale = 0.125 : f32, dim = 0 : i64}
  return %p : tensor<64x96xbf16>
}
