// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-expand-sums))' | FileCheck %s

// CHECK-LABEL: func.func @add
// CHECK: %[[OLD:.*]] = tensor.extract_slice %arg1[%arg2, 0] [64, 128] [1, 1]
// CHECK: %[[SUM:.*]] = linalg.add ins(%[[OLD]], %arg0 : {{.*}}) outs(%[[OLD]] : {{.*}})
// CHECK: %[[NEW:.*]] = tensor.insert_slice %[[SUM]] into %arg1[%arg2, 0] [64, 128] [1, 1]
// CHECK: return %[[NEW]]
func.func @add(%t: tensor<64x128xf32>, %d: tensor<512x128xf32>, %i: index) -> tensor<512x128xf32> {
  %r = flash.add_slice %t into %d[%i, 0] [64, 128] [1, 1] : tensor<64x128xf32> into tensor<512x128xf32>
  return %r : tensor<512x128xf32>
}
