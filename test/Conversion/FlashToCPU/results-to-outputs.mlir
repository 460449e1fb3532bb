// RUN: flash-opt %s --split-input-file --verify-diagnostics --flash-results-to-outputs | FileCheck %s

// CHECK-LABEL: func @two(
// CHECK-SAME: %[[A:.+]]: tensor<?x4xf32> {bufferization.buffer_layout = strided<[?, 1]>, bufferization.writable = false}, %[[I:.+]]: index
// CHECK-SAME: %[[O0:.+]]: memref<?x4xf32, strided<[?, 1]>>, %[[O1:.+]]: memref<2xf32>)
// CHECK-SAME: llvm.emit_c_interface
// CHECK: %[[B:.+]] = tensor.empty
// CHECK: bufferization.materialize_in_destination %[[A]] in restrict writable %[[O0]]
// CHECK: bufferization.materialize_in_destination %[[B]] in restrict writable %[[O1]]
// CHECK: return{{$}}
func.func @two(%a: tensor<?x4xf32>, %i: index) -> (tensor<?x4xf32>, tensor<2xf32>) {
  %b = tensor.empty() : tensor<2xf32>
  return %a, %b : tensor<?x4xf32>, tensor<2xf32>
}

// CHECK: func private @callee(%{{.+}}: tensor<2xf32>) -> tensor<2xf32>
func.func private @callee(%a: tensor<2xf32>) -> tensor<2xf32> {
  return %a : tensor<2xf32>
}

// -----

// expected-error @+1 {{returns 'index'; an entry point returns ranked tensors}}
func.func @scalar(%i: index) -> index {
  return %i : index
}

// -----

// expected-error @+1 {{is public and called; an entry point cannot be}}
func.func @called(%a: tensor<2xf32>) -> tensor<2xf32> {
  return %a : tensor<2xf32>
}
func.func private @caller(%a: tensor<2xf32>) -> tensor<2xf32> {
  %r = func.call @called(%a) : (tensor<2xf32>) -> tensor<2xf32>
  return %r : tensor<2xf32>
}

// -----

// expected-error @+1 {{has more than one block; a kernel has one}}
func.func @blocks(%a: tensor<2xf32>) -> tensor<2xf32> {
  cf.br ^bb1
^bb1:
  return %a : tensor<2xf32>
}
