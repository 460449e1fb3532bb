// A chain of element-wise ops around attentions is a loop over tiles; what is none says so.
// RUN: flash-opt %s -split-input-file -verify-diagnostics --pass-pipeline='builtin.module(func.func(flash-simplify-around,flash-tile-elementwise),canonicalize,cse)' | FileCheck %s

!t = tensor<2x8x?x64xf16>
#id = affine_map<(a, b, c, d) -> (a, b, c, d)>

// A tensor by tiles, a vector by elements, and one op of two.
// CHECK-LABEL: @chain
//  CHECK-SAME: (%[[X:.*]]: tensor<2x8x?x64xf16>, %[[W:.*]]: tensor<64xf16>, %[[C:.*]]: tensor<?x64xf16>)
//       CHECK: scf.forall (%[[B:.*]], %[[H:.*]], %[[I:.*]]) in (2, 8, %{{.*}})
//   CHECK-DAG:   %[[T:.*]] = tensor.extract_slice %[[X]][%[[B]], %[[H]], %{{.*}}, {{.*}}] [1, 1, %{{.*}}, 64]
//   CHECK-DAG:   tensor.extract_slice %[[C]][%{{.*}}, {{.*}}] [%{{.*}}, 64]
//       CHECK:   linalg.generic
//       CHECK:     tensor.extract %[[W]]
//       CHECK:     math.tanh
//   CHECK-NOT:   linalg.generic
//       CHECK:   tensor.parallel_insert_slice
func.func @chain(%x: !t, %w: tensor<64xf16>, %c: tensor<?x64xf16>) -> !t {
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c2 : !t
  %e = tensor.empty(%n) : !t
  %y = linalg.generic {indexing_maps = [#id, affine_map<(a, b, c, d) -> (d)>, affine_map<(a, b, c, d) -> (c, d)>, #id],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x, %w, %c : !t, tensor<64xf16>, tensor<?x64xf16>) outs(%e : !t) {
  ^bb0(%a: f16, %b: f16, %d: f16, %o: f16):
    %p = arith.mulf %a, %b : f16
    %s = arith.addf %p, %d : f16
    linalg.yield %s : f16
  } -> !t
  %z = math.tanh %y : !t
  return %z : !t
}

// -----

// Rows alone; 160 columns in two tiles of 80.
// CHECK-LABEL: @shapes
//       CHECK: scf.forall (%{{.*}}) in (2)
//       CHECK:   tensor<128xf32>
//       CHECK: scf.forall (%{{.*}}, %{{.*}}) in (4, 2)
//       CHECK:   tensor<64x80xf16>
func.func @shapes(%x: tensor<256xf32>, %y: tensor<256x160xf16>) -> (tensor<256xf32>, tensor<256x160xf16>) {
  %r = math.exp %x : tensor<256xf32>
  %s = arith.addf %y, %y : tensor<256x160xf16>
  return %r, %s : tensor<256xf32>, tensor<256x160xf16>
}

// -----

func.func @reduces(%x: tensor<4x64xf32>, %e: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{'linalg.generic' around an attention is a kernel on a GPU where it is element-wise, but here it reduces; do it to the caller's tensors before or after the call, or, if it is done to scores, in a `score` region}}
  %r = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x64xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %o : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// -----

func.func @integers(%x: tensor<4x64xi32>) -> tensor<4x64xi32> {
  // expected-error @below {{but here its result is not f32, f16 or bf16}}
  %r = arith.addi %x, %x : tensor<4x64xi32>
  return %r : tensor<4x64xi32>
}

// -----

func.func @columns(%x: tensor<4x?xf32>) -> tensor<4x?xf32> {
  // expected-error @below {{but here its last dimension is not known}}
  %r = math.exp %x : tensor<4x?xf32>
  return %r : tensor<4x?xf32>
}
