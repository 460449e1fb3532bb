// flash.attention_backward and flash.backward_step as they are written: each gradient optional, the options those of
// flash.attention.
//
// RUN: flash-opt %s | flash-opt | FileCheck %s
// RUN: flash-opt %s --mlir-print-op-generic | flash-opt | FileCheck %s
// RUN: flash-opt %s --canonicalize | FileCheck %s --check-prefix=CANON

!q = tensor<1x8x?x64xbf16>
!k = tensor<1x2x?x64xbf16>
!v = tensor<1x2x?x32xbf16>
!o = tensor<1x8x?x32xbf16>
!l = tensor<1x8x?xf32>

// CHECK-LABEL: func.func @all
// CHECK: %{{.*}}, %{{.*}}, %{{.*}} = flash.attention_backward %arg0, %arg1, %arg2, %arg3, %arg4, %arg5 d_lse(%arg6 : tensor<1x8x?xf32>) q_offset(%arg7) {mask = #flash.causal, recompute = #flash.recompute<outer = both, sum = owned>}
// CHECK-SAME: : tensor<1x8x?x64xbf16>, tensor<1x2x?x64xbf16>, tensor<1x2x?x32xbf16>, tensor<1x8x?x32xbf16>, tensor<1x8x?xf32>, tensor<1x8x?x32xbf16>
// CHECK-SAME: -> query tensor<1x8x?x64xbf16> key tensor<1x2x?x64xbf16> value tensor<1x2x?x32xbf16>
func.func @all(%q: !q, %k: !k, %v: !v, %o: !o, %l: !l, %do: !o, %dl: !l, %i: index) -> (!q, !k, !v) {
  %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do d_lse(%dl : !l) q_offset(%i)
      {mask = #flash.causal, recompute = #flash.recompute<outer = both, sum = owned>}
      : !q, !k, !v, !o, !l, !o -> query !q key !k value !v
  return %dq, %dk, %dv : !q, !k, !v
}

// A gradient that nobody uses is not computed.
// CHECK-LABEL: func.func @one
// CANON-LABEL: func.func @one
// CANON: %[[DK:.*]] = flash.attention_backward {{.*}} -> key tensor<1x2x?x64xbf16>
// CANON-NEXT: return %[[DK]]
func.func @one(%q: !q, %k: !k, %v: !v, %o: !o, %l: !l, %do: !o) -> !k {
  %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do : !q, !k, !v, !o, !l, !o -> query !q key !k value !v
  return %dk : !k
}

// CHECK-LABEL: func.func @regions
// CHECK: flash.attention_backward {{.*}} captures(%arg6 : tensor<8xf32>) score {
// CHECK: } mask {
// CHECK: -> value tensor<1x2x?x32xbf16>
func.func @regions(%q: !q, %k: !k, %v: !v, %o: !o, %l: !l, %do: !o, %c: tensor<8xf32>) -> !v {
  %dv = flash.attention_backward %q, %k, %v, %o, %l, %do captures(%c : tensor<8xf32>) score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index, %t: tensor<8xf32>):
    %x = tensor.extract %t[%h] : tensor<8xf32>
    %y = arith.mulf %s, %x : f32
    flash.yield %y : f32
  } mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index, %t: tensor<8xf32>):
    %x = arith.cmpi ule, %j, %i : index
    flash.yield %x : i1
  } : !q, !k, !v, !o, !l, !o -> value !v
  return %dv : !v
}

// CHECK-LABEL: func.func @step
// CHECK: flash.backward_step ins(%arg0, %arg1, %arg2, %arg3, %arg4, %arg5 : {{.*}}) d_query(%arg6 : tensor<32x16xf32>) d_value(%arg7 : tensor<64x16xf32>) positions(%arg8, %arg8) keys(%arg8) queries(%arg8) {mask = #flash.causal, scale = 2.500000e-01 : f32, transposed} -> query tensor<32x16xf32> value tensor<64x16xf32>
func.func @step(%q: tensor<32x16xf32>, %k: tensor<64x16xf32>, %v: tensor<64x16xf32>, %do: tensor<32x16xf32>,
    %l: tensor<32xf32>, %d: tensor<32xf32>, %dq: tensor<32x16xf32>, %dv: tensor<64x16xf32>, %i: index)
    -> (tensor<32x16xf32>, tensor<64x16xf32>) {
  %r:2 = flash.backward_step ins(%q, %k, %v, %do, %l, %d
        : tensor<32x16xf32>, tensor<64x16xf32>, tensor<64x16xf32>, tensor<32x16xf32>, tensor<32xf32>, tensor<32xf32>)
      d_query(%dq : tensor<32x16xf32>) d_value(%dv : tensor<64x16xf32>)
      positions(%i, %i) keys(%i) queries(%i) {scale = 0.25 : f32, mask = #flash.causal, transposed}
      -> query tensor<32x16xf32> value tensor<64x16xf32>
  return %r#0, %r#1 : tensor<32x16xf32>, tensor<64x16xf32>
}

// Gradients of sinks and of what scores read; one that nobody uses takes its number along.
// CHECK-LABEL: func.func @operands
// CHECK: flash.attention_backward {{.*}} score_operands(%arg6, %arg7 : tensor<8xf32>, tensor<1x8x1x?xf32>) sinks(%arg6 : tensor<8xf32>) {deterministic, operands_with_gradient = array<i64: 0, 1>, scores = [#flash.alibi, #flash.bias]}
// CHECK-SAME: -> sinks tensor<8xf32> operands tensor<8xf32>, tensor<1x8x1x?xf32>
// CANON-LABEL: func.func @operands
// CANON: flash.attention_backward {{.*}} {deterministic, operands_with_gradient = array<i64: 1>, {{.*}} -> sinks tensor<8xf32> operands tensor<1x8x1x?xf32>
func.func @operands(%q: !q, %k: !k, %v: !v, %o: !o, %l: !l, %do: !o, %a: tensor<8xf32>, %w: tensor<1x8x1x?xf32>) -> (tensor<8xf32>, tensor<1x8x1x?xf32>) {
  %ds, %da, %dw = flash.attention_backward %q, %k, %v, %o, %l, %do score_operands(%a, %w : tensor<8xf32>, tensor<1x8x1x?xf32>) sinks(%a : tensor<8xf32>)
      {deterministic, scores = [#flash.alibi, #flash.bias], operands_with_gradient = array<i64: 0, 1>}
      : !q, !k, !v, !o, !l, !o -> sinks tensor<8xf32> operands tensor<8xf32>, tensor<1x8x1x?xf32>
  return %ds, %dw : tensor<8xf32>, tensor<1x8x1x?xf32>
}

// CHECK-LABEL: func.func @scores
// CHECK: flash.backward_step {{.*}} -> scores tensor<64x32xf32> d_scores tensor<64x32xf32>
func.func @scores(%q: tensor<32x16xf32>, %k: tensor<64x16xf32>, %l: tensor<32xf32>, %i: index) -> tensor<64x32xf32> {
  %r:2 = flash.backward_step ins(%q, %k, %k, %q, %l, %l
        : tensor<32x16xf32>, tensor<64x16xf32>, tensor<64x16xf32>, tensor<32x16xf32>, tensor<32xf32>, tensor<32xf32>)
      positions(%i, %i) keys(%i) {scale = 0.25 : f32, transposed} -> scores tensor<64x32xf32> d_scores tensor<64x32xf32>
  return %r#1 : tensor<64x32xf32>
}
