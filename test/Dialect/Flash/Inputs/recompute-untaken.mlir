!t = tensor<1x4x64x64xbf16>
!n = tensor<1x4x64x64xi8>
!l = tensor<1x4x64xf32>
func.func @narrow(%t: !t, %n: !n, %l: !l, %s: tensor<4xf32>) -> !t {
  %r = flash.attention_backward %t, %n, %n, %t, %l, %t key_scale(%s : tensor<4xf32>) value_scale(%s : tensor<4xf32>) : !t, !n, !n, !t, !l, !t -> query !t
  return %r : !t
}
// -----
!t = tensor<1x4x64x64xbf16>
!l = tensor<1x4x64xf32>
func.func @queries(%t: !t, %l: !l) -> !t {
  %r = flash.attention_backward %t, %t, %t, %t, %l, %t {recompute = #flash.recompute<outer = queries>} : !t, !t, !t, !t, !l, !t -> key !t
  return %r : !t
}
// -----
!t = tensor<1x4x64x64xbf16>
!l = tensor<1x4x64xf32>
func.func @product(%t: !t, %l: !l) -> (!t, !t) {
  %r:2 = flash.attention_backward %t, %t, %t, %t, %l, %t {recompute = #flash.recompute<outer = both, statistics = product>} : !t, !t, !t, !t, !l, !t -> query !t key !t
  return %r#0, %r#1 : !t, !t
}
// -----
!t = tensor<1x4x64x64xbf16>
!l = tensor<1x4x64xf32>
func.func @added(%t: !t, %l: !l) -> (!t, !t) {
  %r:2 = flash.attention_backward %t, %t, %t, %t, %l, %t {recompute = #flash.recompute<outer = keys, sum = added>} : !t, !t, !t, !t, !l, !t -> query !t key !t
  return %r#0, %r#1 : !t, !t
}
