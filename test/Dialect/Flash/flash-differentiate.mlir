// A function's forward and backward: what is kept, and a rule for each operation on the way. Numbers are checked by
// test/Tools/flash-run/differentiate.test.
//
// RUN: flash-opt %s --flash-differentiate | FileCheck %s
// RUN: flash-opt %s --flash-differentiate="function=plain wrt=1,2" | FileCheck %s --check-prefix=WRT
// RUN: flash-opt %s --pass-pipeline='builtin.module(flash-differentiate{function=plain wrt=[0]})' | FileCheck %s --check-prefix=ONE

// WRT: func.func @plain_backward({{.*}}) -> (tensor<?x2x?x16xf32>, tensor<?x2x?x24xf32>)
// WRT: flash.attention_backward {{.*}} -> key tensor<?x2x?x16xf32> value tensor<?x2x?x24xf32>
// WRT-NOT: func.func @split_backward
// ONE: func.func @plain_backward({{.*}}) -> tensor<?x4x?x16xf32>
// ONE: -> query tensor<?x4x?x16xf32>

// Output and log-sum-exp are kept, and nothing else.
// CHECK-LABEL: func.func @plain_forward
// CHECK: %[[O:.*]], %[[L:.*]] = flash.attention %arg0, %arg1, %arg2 {mask = #flash.causal}
// CHECK: return %[[O]], %[[O]], %[[L]]
// CHECK-LABEL: func.func @plain_backward
// CHECK-SAME: (%[[DO:.*]]: tensor<?x4x?x24xf32>, %[[Q:.*]]: tensor<?x4x?x16xf32>, %[[K:.*]]: tensor<?x2x?x16xf32>, %[[V:.*]]: tensor<?x2x?x24xf32>, %[[O:.*]]: tensor<?x4x?x24xf32>, %[[L:.*]]: tensor<?x4x?xf32>)
// CHECK: %[[DQ:.*]], %[[DK:.*]], %[[DV:.*]] = flash.attention_backward %[[Q]], %[[K]], %[[V]], %[[O]], %[[L]], %[[DO]] {mask = #flash.causal}
// CHECK: return %[[DQ]], %[[DK]], %[[DV]]

// A gradient for the log-sum-exp is one more operand.
// CHECK-LABEL: func.func @with_lse_backward
// CHECK: flash.attention_backward {{.*}} d_lse(%arg1 : tensor<1x4x40xf32>)

// CHECK-LABEL: func.func @wrt_backward
// CHECK: flash.attention_backward {{.*}} -> query tensor<1x4x40x16xf32> value tensor<1x2x56x24xf32>

// Slices are added into zeros, weights of the merge computed again.
// CHECK-LABEL: func.func @split_backward
// CHECK-COUNT-2: math.exp
// CHECK-COUNT-2: flash.attention_backward {{.*}} d_lse
// CHECK-COUNT-4: tensor.insert_slice

// CHECK-LABEL: func.func @projected_backward
// CHECK: flash.attention_backward
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "reduction", "parallel", "reduction", "parallel"]
// CHECK: linalg.generic {{.*}}iterator_types = ["reduction", "parallel", "reduction", "parallel", "parallel"]

// CHECK-LABEL: func.func @gated_backward
// CHECK: math.tanh
// CHECK: flash.attention_backward

// CHECK-LABEL: func.func @shapes_backward
// CHECK: tensor.expand_shape
// CHECK: flash.attention_backward
// CHECK: tensor.collapse_shape

func.func @plain(%q: tensor<?x4x?x16xf32>, %k: tensor<?x2x?x16xf32>, %v: tensor<?x2x?x24xf32>) -> tensor<?x4x?x24xf32> {
  %o = flash.attention %q, %k, %v {mask = #flash.causal} : tensor<?x4x?x16xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x24xf32> -> tensor<?x4x?x24xf32>
  return %o : tensor<?x4x?x24xf32>
}
func.func @with_lse(%q: tensor<1x4x40x16xf32>, %k: tensor<1x2x56x16xf32>, %v: tensor<1x2x56x24xf32>) -> (tensor<1x4x40x24xf32>, tensor<1x4x40xf32>) {
  %o, %l = flash.attention %q, %k, %v {mask = #flash.causal} : tensor<1x4x40x16xf32>, tensor<1x2x56x16xf32>, tensor<1x2x56x24xf32> -> tensor<1x4x40x24xf32>, tensor<1x4x40xf32>
  return %o, %l : tensor<1x4x40x24xf32>, tensor<1x4x40xf32>
}
func.func @wrt(%q: tensor<1x4x40x16xf32>, %k: tensor<1x2x56x16xf32>, %v: tensor<1x2x56x24xf32>) -> tensor<1x4x40x24xf32> attributes {wrt = [0, 2]} {
  %o = flash.attention %q, %k, %v : tensor<1x4x40x16xf32>, tensor<1x2x56x16xf32>, tensor<1x2x56x24xf32> -> tensor<1x4x40x24xf32>
  return %o : tensor<1x4x40x24xf32>
}
func.func @split(%q: tensor<1x4x40x16xf32>, %k: tensor<1x2x56x16xf32>, %v: tensor<1x2x56x24xf32>) -> tensor<1x4x40x24xf32> {
  %k0 = tensor.extract_slice %k[0, 0, 0, 0] [1, 2, 24, 16] [1, 1, 1, 1] : tensor<1x2x56x16xf32> to tensor<1x2x24x16xf32>
  %k1 = tensor.extract_slice %k[0, 0, 24, 0] [1, 2, 32, 16] [1, 1, 1, 1] : tensor<1x2x56x16xf32> to tensor<1x2x32x16xf32>
  %v0 = tensor.extract_slice %v[0, 0, 0, 0] [1, 2, 24, 24] [1, 1, 1, 1] : tensor<1x2x56x24xf32> to tensor<1x2x24x24xf32>
  %v1 = tensor.extract_slice %v[0, 0, 24, 0] [1, 2, 32, 24] [1, 1, 1, 1] : tensor<1x2x56x24xf32> to tensor<1x2x32x24xf32>
  %c16 = arith.constant 16 : index
  %c24 = arith.constant 24 : index
  %o0, %l0 = flash.attention %q, %k0, %v0 q_offset(%c16) {mask = #flash.causal} : tensor<1x4x40x16xf32>, tensor<1x2x24x16xf32>, tensor<1x2x24x24xf32> -> tensor<1x4x40x24xf32>, tensor<1x4x40xf32>
  %o1, %l1 = flash.attention %q, %k1, %v1 q_offset(%c16) kv_offset(%c24) {mask = #flash.causal} : tensor<1x4x40x16xf32>, tensor<1x2x32x16xf32>, tensor<1x2x32x24xf32> -> tensor<1x4x40x24xf32>, tensor<1x4x40xf32>
  %o = flash.merge outputs(%o0, %o1 : tensor<1x4x40x24xf32>, tensor<1x4x40x24xf32>) lses(%l0, %l1 : tensor<1x4x40xf32>, tensor<1x4x40xf32>) -> tensor<1x4x40x24xf32>
  return %o : tensor<1x4x40x24xf32>
}
#x = affine_map<(b, h, s, d, e) -> (b, s, e)>
#w = affine_map<(b, h, s, d, e) -> (h, e, d)>
#y = affine_map<(b, h, s, d, e) -> (b, h, s, d)>
func.func @projected(%x: tensor<2x40x32xf32>, %wq: tensor<4x32x16xf32>, %k: tensor<2x4x40x16xf32>, %v: tensor<2x4x40x24xf32>) -> tensor<2x4x40x24xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x4x40x16xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<2x4x40x16xf32>) -> tensor<2x4x40x16xf32>
  %q = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
    ins(%x, %wq : tensor<2x40x32xf32>, tensor<4x32x16xf32>) outs(%f : tensor<2x4x40x16xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %c, %m : f32
    linalg.yield %s : f32
  } -> tensor<2x4x40x16xf32>
  %o = flash.attention %q, %k, %v {mask = #flash.causal} : tensor<2x4x40x16xf32>, tensor<2x4x40x16xf32>, tensor<2x4x40x24xf32> -> tensor<2x4x40x24xf32>
  return %o : tensor<2x4x40x24xf32>
}
#id = affine_map<(b, h, s, d) -> (b, h, s, d)>
func.func @gated(%q: tensor<1x4x40x16xf32>, %k: tensor<1x4x56x16xf32>, %v: tensor<1x4x56x16xf32>, %g: tensor<1x4x40x16xf32>) -> tensor<1x4x40x16xf32> {
  %o = flash.attention %q, %k, %v : tensor<1x4x40x16xf32>, tensor<1x4x56x16xf32>, tensor<1x4x56x16xf32> -> tensor<1x4x40x16xf32>
  %e = tensor.empty() : tensor<1x4x40x16xf32>
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
    ins(%o, %g : tensor<1x4x40x16xf32>, tensor<1x4x40x16xf32>) outs(%e : tensor<1x4x40x16xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %t = math.tanh %b : f32
    %m = arith.mulf %a, %t : f32
    linalg.yield %m : f32
  } -> tensor<1x4x40x16xf32>
  return %y : tensor<1x4x40x16xf32>
}
func.func @shapes(%q: tensor<1x40x64xf32>, %k: tensor<1x4x56x16xf32>, %v: tensor<1x4x56x16xf32>) -> tensor<1x40x64xf32> {
  %q4 = tensor.expand_shape %q [[0], [1], [2, 3]] output_shape [1, 40, 4, 16] : tensor<1x40x64xf32> into tensor<1x40x4x16xf32>
  %e = tensor.empty() : tensor<1x4x40x16xf32>
  %qt = linalg.transpose ins(%q4 : tensor<1x40x4x16xf32>) outs(%e : tensor<1x4x40x16xf32>) permutation = [0, 2, 1, 3]
  %o = flash.attention %qt, %k, %v {scores = [#flash.softcap<3.0 : f32>]} : tensor<1x4x40x16xf32>, tensor<1x4x56x16xf32>, tensor<1x4x56x16xf32> -> tensor<1x4x40x16xf32>
  %e2 = tensor.empty() : tensor<1x40x4x16xf32>
  %ot = linalg.transpose ins(%o : tensor<1x4x40x16xf32>) outs(%e2 : tensor<1x40x4x16xf32>) permutation = [0, 2, 1, 3]
  %y = tensor.collapse_shape %ot [[0], [1], [2, 3]] : tensor<1x40x4x16xf32> into tensor<1x40x64xf32>
  return %y : tensor<1x40x64xf32>
}
func.func @bf16(%q: tensor<1x4x40x16xbf16>, %k: tensor<1x4x56x16xbf16>, %v: tensor<1x4x56x16xbf16>) -> tensor<1x4x40x16xbf16> {
  %o = flash.attention %q, %k, %v {mask = #flash.causal} : tensor<1x4x40x16xbf16>, tensor<1x4x56x16xbf16>, tensor<1x4x56x16xbf16> -> tensor<1x4x40x16xbf16>
  return %o : tensor<1x4x40x16xbf16>
}
