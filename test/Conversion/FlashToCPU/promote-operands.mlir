// RUN: flash-opt %s --split-input-file --flash-promote-operands --canonicalize | FileCheck %s

// CHECK-LABEL: func @matmul(
// CHECK-SAME: %[[A:.+]]: tensor<64x32xbf16>, %[[B:.+]]: tensor<32x96xf32>
// CHECK: %[[E:.+]] = tensor.empty() : tensor<64x32xf32>
// CHECK: %[[W:.+]] = linalg.generic {{.*}} ins(%[[A]] : tensor<64x32xbf16>) outs(%[[E]] : tensor<64x32xf32>)
// CHECK: arith.extf
// CHECK: linalg.generic {{.*}} ins(%[[W]], %[[B]] : tensor<64x32xf32>, tensor<32x96xf32>)
// CHECK-NOT: arith.extf
// CHECK: arith.mulf
// CHECK: arith.addf
func.func @matmul(%a: tensor<64x32xbf16>, %b: tensor<32x96xf32>, %c: tensor<64x96xf32>) -> tensor<64x96xf32> {
  %r = linalg.matmul ins(%a, %b : tensor<64x32xbf16>, tensor<32x96xf32>) outs(%c : tensor<64x96xf32>) -> tensor<64x96xf32>
  return %r : tensor<64x96xf32>
}

// -----

// What was rounded to f16 and kept in f32 is read from there.

#id = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-LABEL: func @just_rounded(
// CHECK: %[[P:.+]] = linalg.generic
// CHECK: arith.truncf
// CHECK: arith.extf
// CHECK: linalg.yield
// CHECK: linalg.generic {{.*}} ins(%[[P]], %{{.+}} : tensor<64x32xf32>, tensor<32x96xf32>)
func.func @just_rounded(%p: tensor<64x32xf32>, %b: tensor<32x96xf32>, %c: tensor<64x96xf32>) -> tensor<64x96xf32> {
  %e = tensor.empty() : tensor<64x32xf16>
  %rounded = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]} outs(%p : tensor<64x32xf32>) {
  ^bb0(%x: f32):
    %t = arith.truncf %x : f32 to f16
    %w = arith.extf %t : f16 to f32
    linalg.yield %w : f32
  } -> tensor<64x32xf32>
  %narrow = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%rounded : tensor<64x32xf32>) outs(%e : tensor<64x32xf16>) {
  ^bb0(%x: f32, %y: f16):
    %t = arith.truncf %x : f32 to f16
    linalg.yield %t : f16
  } -> tensor<64x32xf16>
  %r = linalg.matmul ins(%narrow, %b : tensor<64x32xf16>, tensor<32x96xf32>) outs(%c : tensor<64x96xf32>) -> tensor<64x96xf32>
  return %r : tensor<64x96xf32>
}

// -----

// Not rounded before: the truncation loses something and has to stay.

#id = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-LABEL: func @not_rounded(
// CHECK: arith.truncf
// CHECK: linalg.generic
// CHECK: arith.extf
// CHECK: linalg.generic
func.func @not_rounded(%p: tensor<64x32xf32>, %b: tensor<32x96xf32>, %c: tensor<64x96xf32>) -> tensor<64x96xf32> {
  %e = tensor.empty() : tensor<64x32xf16>
  %narrow = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%p : tensor<64x32xf32>) outs(%e : tensor<64x32xf16>) {
  ^bb0(%x: f32, %y: f16):
    %t = arith.truncf %x : f32 to f16
    linalg.yield %t : f16
  } -> tensor<64x32xf16>
  %r = linalg.matmul ins(%narrow, %b : tensor<64x32xf16>, tensor<32x96xf32>) outs(%c : tensor<64x96xf32>) -> tensor<64x96xf32>
  return %r : tensor<64x96xf32>
}

// -----

// An element-wise op on narrow values is no contraction.

#id = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-LABEL: func @elementwise(
// CHECK-NOT: arith.extf
func.func @elementwise(%a: tensor<64x32xbf16>, %b: tensor<64x32xbf16>) -> tensor<64x32xbf16> {
  %e = tensor.empty() : tensor<64x32xbf16>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%a, %b : tensor<64x32xbf16>, tensor<64x32xbf16>) outs(%e : tensor<64x32xbf16>) {
  ^bb0(%x: bf16, %y: bf16, %z: bf16):
    %t = arith.addf %x, %y : bf16
    linalg.yield %t : bf16
  } -> tensor<64x32xbf16>
  return %r : tensor<64x32xbf16>
}
