// RUN: flash-opt %s --resolve-ranked-shaped-type-result-dims -canonicalize | FileCheck %s

// CHECK-LABEL: @unused_lse
// CHECK: flash.attention {{.*}} -> tensor<1x2x5x16xf32>{{$}}
func.func @unused_lse(%q: tensor<1x2x5x16xf32>) -> tensor<1x2x5x16xf32> {
  %o, %l = flash.attention %q, %q, %q : tensor<1x2x5x16xf32>, tensor<1x2x5x16xf32>, tensor<1x2x5x16xf32> -> tensor<1x2x5x16xf32>, tensor<1x2x5xf32>
  return %o : tensor<1x2x5x16xf32>
}

// Casts that forget sizes are read through, and the result's shape becomes known.
// CHECK-LABEL: @casts
// CHECK: %[[O:.*]] = flash.attention %arg0, %arg0, %arg0 {{.*}} -> tensor<1x2x5x16xf32>
// CHECK: tensor.cast %[[O]] : tensor<1x2x5x16xf32> to tensor<?x2x?x16xf32>
func.func @casts(%q: tensor<1x2x5x16xf32>) -> tensor<?x2x?x16xf32> {
  %c = tensor.cast %q : tensor<1x2x5x16xf32> to tensor<?x2x?x16xf32>
  %o = flash.attention %c, %c, %c : tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32> -> tensor<?x2x?x16xf32>
  return %o : tensor<?x2x?x16xf32>
}

// CHECK-LABEL: @dims
// CHECK-NOT: flash.attention
// CHECK: tensor.dim %arg0
func.func @dims(%q: tensor<1x2x?x16xf32>) -> index {
  %c2 = arith.constant 2 : index
  %o = flash.attention %q, %q, %q : tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32> -> tensor<1x2x?x16xf32>
  %d = tensor.dim %o, %c2 : tensor<1x2x?x16xf32>
  return %d : index
}

// CHECK-LABEL: @single_merge
// CHECK-NEXT: return %arg0, %arg1
func.func @single_merge(%o: tensor<1x2x5x16xf32>, %l: tensor<1x2x5xf32>) -> (tensor<1x2x5x16xf32>, tensor<1x2x5xf32>) {
  %a, %b = flash.merge outputs(%o : tensor<1x2x5x16xf32>) lses(%l : tensor<1x2x5xf32>) -> tensor<1x2x5x16xf32>, tensor<1x2x5xf32>
  return %a, %b : tensor<1x2x5x16xf32>, tensor<1x2x5xf32>
}
