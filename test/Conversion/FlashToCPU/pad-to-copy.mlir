// RUN: flash-opt %s --flash-pad-to-copy | FileCheck %s

// CHECK-LABEL: func @pad(
// CHECK-SAME: %[[T:.+]]: tensor<?x128xf32>
// CHECK: %[[E:.+]] = tensor.empty() : tensor<64x128xf32>
// CHECK: %[[Z:.+]] = arith.constant 0.0
// CHECK: %[[F:.+]] = linalg.fill ins(%[[Z]] : f32) outs(%[[E]] : tensor<64x128xf32>)
// CHECK: tensor.insert_slice %[[T]] into %[[F]]
// CHECK-NOT: tensor.pad
func.func @pad(%t: tensor<?x128xf32>, %h: index) -> tensor<64x128xf32> {
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %t low[0, 0] high[%h, 0] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<?x128xf32> to tensor<64x128xf32>
  return %p : tensor<64x128xf32>
}
