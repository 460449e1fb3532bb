// RUN: flash-opt %s | flash-opt | FileCheck %s
// RUN: flash-opt %s --inline --canonicalize | FileCheck %s --check-prefix=INLINED

// CHECK-LABEL: func.func private @sums
// CHECK: tm_tensor.scan dimension(1) inclusive(true) ins(%{{.*}} : tensor<2x8xi64>) outs(%{{.*}}, %{{.*}} : tensor<2x8xi64>, tensor<2xi64>) {
// CHECK-NEXT: ^bb0(%[[A:.*]]: i64, %[[B:.*]]: i64):
// CHECK-NEXT: %[[C:.*]] = arith.addi %[[A]], %[[B]] : i64
// CHECK-NEXT: tm_tensor.yield %[[C]] : i64
// CHECK-NEXT: } -> tensor<2x8xi64>, tensor<2xi64>
func.func private @sums(%x: tensor<2x8xi64>, %init: tensor<2x8xi64>, %start: tensor<2xi64>) -> tensor<2x8xi64> {
  %0:2 = tm_tensor.scan dimension(1) inclusive(true) ins(%x : tensor<2x8xi64>) outs(%init, %start : tensor<2x8xi64>, tensor<2xi64>) {
  ^bb0(%sum: i64, %element: i64):
    %1 = arith.addi %sum, %element : i64
    tm_tensor.yield %1 : i64
  } -> tensor<2x8xi64>, tensor<2xi64>
  return %0#0 : tensor<2x8xi64>
}

// A function that holds an op of the dialect is inlined, and an op that nobody reads is gone.
// INLINED-LABEL: func.func @calls
// INLINED-NEXT: tm_tensor.scan
// INLINED-NOT: tm_tensor.sort
// INLINED: return
func.func @calls(%x: tensor<2x8xi64>, %init: tensor<2x8xi64>, %start: tensor<2xi64>) -> tensor<2x8xi64> {
  %unused = tm_tensor.sort dimension(1) outs(%x : tensor<2x8xi64>) {
  ^bb0(%a: i64, %b: i64):
    %1 = arith.cmpi sle, %a, %b : i64
    tm_tensor.yield %1 : i1
  } -> tensor<2x8xi64>
  %0 = call @sums(%x, %init, %start) : (tensor<2x8xi64>, tensor<2x8xi64>, tensor<2xi64>) -> tensor<2x8xi64>
  return %0 : tensor<2x8xi64>
}

// CHECK-LABEL: @others
// CHECK: tm_tensor.scatter {dimension_map = array<i64: 0>} unique_indices(false) ins(%{{.*}}, %{{.*}} : tensor<4xf32>, tensor<4x1xi32>) outs(%{{.*}} : tensor<8xf32>) {
// CHECK: tm_tensor.sort dimension(0) outs(%{{.*}} : tensor<8xf32>) {
// CHECK: tm_tensor.topk dimension(1) ins(%{{.*}}, %{{.*}} : tensor<2x8xf32>, tensor<2x8xi32>) outs(%{{.*}}, %{{.*}} : tensor<2x3xf32>, tensor<2x3xi32>) {
// CHECK: tm_tensor.attention ins(%{{.*}}, %{{.*}}, %{{.*}} : tensor<2x8x4xf32>, tensor<2x8x4xf32>, tensor<2x8x4xf32>) outs(%{{.*}} : tensor<2x8x4xf32>) -> tensor<2x8x4xf32>
func.func @others(%u: tensor<4xf32>, %i: tensor<4x1xi32>, %x: tensor<8xf32>, %y: tensor<2x8xf32>, %n: tensor<2x8xi32>, %v: tensor<2x3xf32>,
                  %p: tensor<2x3xi32>, %q: tensor<2x8x4xf32>)
    -> (tensor<8xf32>, tensor<8xf32>, tensor<2x3xf32>, tensor<2x3xi32>, tensor<2x8x4xf32>) {
  %0 = tm_tensor.scatter {dimension_map = array<i64: 0>} unique_indices(false) ins(%u, %i : tensor<4xf32>, tensor<4x1xi32>) outs(%x : tensor<8xf32>) {
  ^bb0(%new: f32, %old: f32):
    tm_tensor.yield %new : f32
  } -> tensor<8xf32>
  %1 = tm_tensor.sort dimension(0) outs(%x : tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %4 = arith.cmpf olt, %a, %b : f32
    tm_tensor.yield %4 : i1
  } -> tensor<8xf32>
  %2:2 = tm_tensor.topk dimension(1) ins(%y, %n : tensor<2x8xf32>, tensor<2x8xi32>) outs(%v, %p : tensor<2x3xf32>, tensor<2x3xi32>) {
  ^bb0(%next: f32, %taken: f32):
    %4 = arith.cmpf ogt, %next, %taken : f32
    tm_tensor.yield %4 : i1
  } -> tensor<2x3xf32>, tensor<2x3xi32>
  %3 = tm_tensor.attention ins(%q, %q, %q : tensor<2x8x4xf32>, tensor<2x8x4xf32>, tensor<2x8x4xf32>) outs(%q : tensor<2x8x4xf32>) -> tensor<2x8x4xf32>
  return %0, %1, %2#0, %2#1, %3 : tensor<8xf32>, tensor<8xf32>, tensor<2x3xf32>, tensor<2x3xi32>, tensor<2x8x4xf32>
}
