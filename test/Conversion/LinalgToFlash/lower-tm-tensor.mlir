// RUN: flash-opt %s --flash-lower-tm-tensor | FileCheck %s
// RUN: flash-opt %s --flash-lower-tm-tensor | mlir-opt --one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" \
// RUN:   --convert-linalg-to-loops --convert-scf-to-cf --expand-strided-metadata --lower-affine --convert-to-llvm --reconcile-unrealized-casts \
// RUN:   | mlir-runner -e main -entry-point-result=void -shared-libs=%llvm_libs/libmlir_runner_utils.so,%llvm_libs/libmlir_c_runner_utils.so | FileCheck %s --check-prefix=VALUES

// CHECK-LABEL: @inclusive
// CHECK-NOT: tm_tensor
// CHECK: scf.for
// CHECK: scf.for
// CHECK: scf.if
func.func @inclusive(%x: tensor<2x4xi64>) -> (tensor<2x4xi64>, tensor<2xi64>) {
  %c0 = arith.constant dense<0> : tensor<2x4xi64>
  %s0 = arith.constant dense<0> : tensor<2xi64>
  %0:2 = tm_tensor.scan dimension(1) inclusive(true) ins(%x : tensor<2x4xi64>) outs(%c0, %s0 : tensor<2x4xi64>, tensor<2xi64>) {
  ^bb0(%sum: i64, %element: i64):
    %1 = arith.addi %sum, %element : i64
    tm_tensor.yield %1 : i64
  } -> tensor<2x4xi64>, tensor<2xi64>
  return %0#0, %0#1 : tensor<2x4xi64>, tensor<2xi64>
}
func.func @exclusive(%x: tensor<2x4xi64>) -> (tensor<2x4xi64>, tensor<4xi64>) {
  %c0 = arith.constant dense<0> : tensor<2x4xi64>
  %s0 = arith.constant dense<10> : tensor<4xi64>
  %0:2 = tm_tensor.scan dimension(0) inclusive(false) ins(%x : tensor<2x4xi64>) outs(%c0, %s0 : tensor<2x4xi64>, tensor<4xi64>) {
  ^bb0(%sum: i64, %element: i64):
    %1 = arith.addi %sum, %element : i64
    tm_tensor.yield %1 : i64
  } -> tensor<2x4xi64>, tensor<4xi64>
  return %0#0, %0#1 : tensor<2x4xi64>, tensor<4xi64>
}

// VALUES: 1, 3, 6, 10
// VALUES-NEXT: 5, 11, 18, 26
// VALUES: 10, 26
// VALUES: 10, 10, 10, 10
// VALUES-NEXT: 11, 12, 13, 14
func.func private @printMemrefI64(memref<*xi64>) attributes {llvm.emit_c_interface}
func.func @main() {
  %x = arith.constant dense<[[1, 2, 3, 4], [5, 6, 7, 8]]> : tensor<2x4xi64>
  %0:2 = call @inclusive(%x) : (tensor<2x4xi64>) -> (tensor<2x4xi64>, tensor<2xi64>)
  %1:2 = call @exclusive(%x) : (tensor<2x4xi64>) -> (tensor<2x4xi64>, tensor<4xi64>)
  %a = bufferization.to_buffer %0#0 : tensor<2x4xi64> to memref<2x4xi64>
  %b = memref.cast %a : memref<2x4xi64> to memref<*xi64>
  call @printMemrefI64(%b) : (memref<*xi64>) -> ()
  %c = bufferization.to_buffer %0#1 : tensor<2xi64> to memref<2xi64>
  %d = memref.cast %c : memref<2xi64> to memref<*xi64>
  call @printMemrefI64(%d) : (memref<*xi64>) -> ()
  %e = bufferization.to_buffer %1#0 : tensor<2x4xi64> to memref<2x4xi64>
  %f = memref.cast %e : memref<2x4xi64> to memref<*xi64>
  call @printMemrefI64(%f) : (memref<*xi64>) -> ()
  return
}
