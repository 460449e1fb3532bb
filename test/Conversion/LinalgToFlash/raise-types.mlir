// RUN: flash-opt %s --flash-raise --canonicalize --split-input-file | FileCheck %s

// Operands of several types, and biases that are not one of batch, heads, queries and keys.

// Q and K are widened to the type of V, which is not rounded.
// CHECK-LABEL: @different_types
// CHECK-COUNT-2: arith.extf
// CHECK: flash.attention {{.*}} : tensor<2x1x4x8xf32>, tensor<2x1x6x8xf32>, tensor<2x1x6x8xf32> -> tensor<2x1x4x8xf32>
#a = affine_map<(b, i, d, j) -> (b, i, j)>
#b = affine_map<(b, i, d, j) -> (b, j, d)>
#c = affine_map<(b, i, d, j) -> (b, i, d)>
func.func @different_types(%q: tensor<2x4x8xf16>, %kt: tensor<2x8x6xf16>, %v: tensor<2x6x8xf32>) -> tensor<2x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf16>, tensor<2x8x6xf16>) outs(%z : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%s : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %eo = tensor.empty() : tensor<2x4x8xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<2x4x6xf32>, tensor<2x6x8xf32>) outs(%zo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  return %o : tensor<2x4x8xf32>
}

// -----

// The contraction rounds K: that is done before.
// CHECK-LABEL: @wide_key_first
// CHECK: arith.truncf {{.*}} : f64 to f32
// CHECK: flash.attention {{.*}} : tensor<2x1x4x8xf32>, tensor<2x1x6x8xf32>, tensor<2x1x6x8xf32> -> tensor<2x1x4x8xf32>
// The key stands before the query: the remark tells them apart.
#k = affine_map<(b, i, j, d) -> (b, j, d)>
#q = affine_map<(b, i, j, d) -> (b, i, d)>
#s = affine_map<(b, i, j, d) -> (b, i, j)>
func.func @wide_key_first(%q: tensor<2x4x8xf32>, %k: tensor<2x6x8xf64>, %v: tensor<2x6x8xf32>) -> tensor<2x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %s = linalg.contract indexing_maps = [#k, #q, #s] ins(%k, %q : tensor<2x6x8xf64>, tensor<2x4x8xf32>) outs(%z : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%s : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %eo = tensor.empty() : tensor<2x4x8xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<2x4x6xf32>, tensor<2x6x8xf32>) outs(%zo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  return %o : tensor<2x4x8xf32>
}

// -----

// CHECK-LABEL: @narrow_output
// CHECK: arith.truncf {{.*}} : f32 to f16
// CHECK: flash.attention {{.*}} -> tensor<2x1x4x8xf32>
// CHECK: arith.truncf {{.*}} : f32 to f16
#a = affine_map<(b, i, d, j) -> (b, i, j)>
#b = affine_map<(b, i, d, j) -> (b, j, d)>
#c = affine_map<(b, i, d, j) -> (b, i, d)>
func.func @narrow_output(%q: tensor<2x4x8xf32>, %kt: tensor<2x8x6xf32>, %v: tensor<2x6x8xf32>) -> tensor<2x4x8xf16> {
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : f16
  %e = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf32>, tensor<2x8x6xf32>) outs(%z : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%s : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %eo = tensor.empty() : tensor<2x4x8xf16>
  %zo = linalg.fill ins(%zero16 : f16) outs(%eo : tensor<2x4x8xf16>) -> tensor<2x4x8xf16>
  %o = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%p, %v : tensor<2x4x6xf32>, tensor<2x6x8xf32>) outs(%zo : tensor<2x4x8xf16>) {
  ^bb0(%x: f32, %y: f32, %acc: f16):
    %x16 = arith.truncf %x : f32 to f16
    %y16 = arith.truncf %y : f32 to f16
    %0 = arith.mulf %x16, %y16 : f16
    %1 = arith.addf %acc, %0 : f16
    linalg.yield %1 : f16
  } -> tensor<2x4x8xf16>
  return %o : tensor<2x4x8xf16>
}

// -----

// CHECK-LABEL: @bias_of_groups
// CHECK: flash.attention {{.*}} captures(%{{.*}} : tensor<2x6xf32>) {scale = 1.000000e+00 : f32, scores = [#flash.region]} score {
// CHECK-NEXT: ^bb0(%[[S:.*]]: f32, %{{.*}}: index, %[[H:.*]]: index, %{{.*}}: index, %[[J:.*]]: index, %[[BIAS:.*]]: tensor<2x6xf32>):
// CHECK: %[[G:.*]] = arith.remui %[[H]],
// CHECK: %[[B:.*]] = tensor.extract %[[BIAS]][%[[G]], %[[J]]]
// CHECK: arith.addf %[[S]], %[[B]]
// A bias for each group of heads, but not for each head.
#bias = affine_map<(b, h, g, i, j) -> (g, j)>
#id = affine_map<(b, h, g, i, j) -> (b, h, g, i, j)>
#q = affine_map<(b, h, g, i, j, d) -> (b, h, g, i, d)>
#k = affine_map<(b, h, g, i, j, d) -> (b, h, j, d)>
#s = affine_map<(b, h, g, i, j, d) -> (b, h, g, i, j)>
#p = affine_map<(b, h, g, i, d, j) -> (b, h, g, i, j)>
#v = affine_map<(b, h, g, i, d, j) -> (b, h, j, d)>
#o = affine_map<(b, h, g, i, d, j) -> (b, h, g, i, d)>
func.func @bias_of_groups(%q: tensor<2x3x2x7x8xf32>, %k: tensor<2x3x6x8xf32>, %v: tensor<2x3x6x8xf32>, %bias: tensor<2x6xf32>) -> tensor<2x3x2x7x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x3x2x7x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x3x2x7x6xf32>) -> tensor<2x3x2x7x6xf32>
  %s = linalg.contract indexing_maps = [#q, #k, #s] ins(%q, %k : tensor<2x3x2x7x8xf32>, tensor<2x3x6x8xf32>) outs(%z : tensor<2x3x2x7x6xf32>) -> tensor<2x3x2x7x6xf32>
  %m = linalg.generic {indexing_maps = [#id, #bias, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %bias : tensor<2x3x2x7x6xf32>, tensor<2x6xf32>) outs(%e : tensor<2x3x2x7x6xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %0 = arith.addf %x, %y : f32
    linalg.yield %0 : f32
  } -> tensor<2x3x2x7x6xf32>
  %p = linalg.softmax dimension(4) ins(%m : tensor<2x3x2x7x6xf32>) outs(%e : tensor<2x3x2x7x6xf32>) -> tensor<2x3x2x7x6xf32>
  %eo = tensor.empty() : tensor<2x3x2x7x8xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x3x2x7x8xf32>) -> tensor<2x3x2x7x8xf32>
  %o = linalg.contract indexing_maps = [#p, #v, #o] ins(%p, %v : tensor<2x3x2x7x6xf32>, tensor<2x3x6x8xf32>) outs(%zo : tensor<2x3x2x7x8xf32>) -> tensor<2x3x2x7x8xf32>
  return %o : tensor<2x3x2x7x8xf32>
}

// -----

// CHECK-LABEL: @bias_of_blocks
// CHECK: flash.attention {{.*}} captures(%{{.*}} : tensor<3xf32>) {scale = 1.000000e+00 : f32, scores = [#flash.region]} score {
// CHECK-NEXT: ^bb0(%[[S:.*]]: f32, %{{.*}}: index, %{{.*}}: index, %{{.*}}: index, %[[J:.*]]: index, %[[BIAS:.*]]: tensor<3xf32>):
// CHECK: %[[BLOCK:.*]] = arith.divui %[[J]],
// CHECK: %[[B:.*]] = tensor.extract %[[BIAS]][%[[BLOCK]]]
// CHECK: arith.addf %[[S]], %[[B]]
// A bias for each block of two keys.
#id = affine_map<(b, i, j) -> (b, i, j)>
#block = affine_map<(b, i, j) -> (j floordiv 2)>
func.func @bias_of_blocks(%q: tensor<2x4x8xf32>, %kt: tensor<2x8x6xf32>, %v: tensor<2x6x8xf32>, %t: tensor<3xf32>) -> tensor<2x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf32>, tensor<2x8x6xf32>) outs(%z : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %m = linalg.generic {indexing_maps = [#id, #block, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s, %t : tensor<2x4x6xf32>, tensor<3xf32>) outs(%e : tensor<2x4x6xf32>) {
  ^bb0(%x: f32, %y: f32, %out: f32):
    %0 = arith.addf %x, %y : f32
    linalg.yield %0 : f32
  } -> tensor<2x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%m : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %eo = tensor.empty() : tensor<2x4x8xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<2x4x6xf32>, tensor<2x6x8xf32>) outs(%zo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  return %o : tensor<2x4x8xf32>
}
