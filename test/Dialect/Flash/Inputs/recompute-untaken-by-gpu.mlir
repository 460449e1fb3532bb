!t = tensor<1x4x64x64xbf16>
!l = tensor<1x4x64xf32>
func.func @slopes(%t: !t, %l: !l, %s: tensor<4xf32>) -> tensor<4xf32> {
  %r = flash.attention_backward %t, %t, %t, %t, %l, %t score_operands(%s : tensor<4xf32>) {scores = [#flash.alibi], operands_with_gradient = array<i64: 0>} : !t, !t, !t, !t, !l, !t -> operands tensor<4xf32>
  return %r : tensor<4xf32>
}
// -----
!t = tensor<1x4x64x64xbf16>
!l = tensor<1x4x64xf32>
func.func @sinks(%t: !t, %l: !l, %s: tensor<4xf32>) -> tensor<4xf32> {
  %r = flash.attention_backward %t, %t, %t, %t, %l, %t sinks(%s : tensor<4xf32>) : !t, !t, !t, !t, !l, !t -> sinks tensor<4xf32>
  return %r : tensor<4xf32>
}
// -----
!t = tensor<1x4x64x64xbf16>
!l = tensor<1x4x64xf32>
func.func @slice(%t: !t, %l: !l) -> !t {
  %r = flash.attention_backward %t, %t, %t, %t, %l, %t {key_slice = #flash.slice<part = 1, of = 2, unit = 16>} : !t, !t, !t, !t, !l, !t -> query !t
  return %r : !t
}
// -----
!t = tensor<1x4x64x64xbf16>
!p = tensor<8x4x16x64xbf16>
!l = tensor<1x4x64xf32>
func.func @pages(%t: !t, %p: !p, %l: !l, %s: tensor<1x4xi32>, %n: tensor<1xi32>) -> !t {
  %r = flash.attention_backward %t, %p, %p, %t, %l, %t kv_lengths(%n : tensor<1xi32>) page_table(%s : tensor<1x4xi32>) : !t, !p, !p, !t, !l, !t -> query !t
  return %r : !t
}
// -----
!t = tensor<1x4x64x64xbf16>
!l = tensor<1x4x64xf32>
func.func @order(%t: !t, %l: !l) -> (!t, !t) {
  %r:2 = flash.attention_backward %t, %t, %t, %t, %l, %t {deterministic, recompute = #flash.recompute<outer = keys, sum = added>} : !t, !t, !t, !t, !l, !t -> query !t key !t
  return %r#0, %r#1 : !t, !t
}
