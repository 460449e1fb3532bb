!t = tensor<1x4x64x64xbf16>
!l = tensor<1x4x64xf32>
func.func @sinks(%t: !t, %l: !l, %s: tensor<4xf32>) -> !t {
  %r = flash.attention_backward %t, %t, %t, %t, %l, %t sinks(%s : tensor<4xf32>) : !t, !t, !t, !t, !l, !t -> query !t
  return %r : !t
}
// -----
!t = tensor<1x4x64x64xbf16>
!l = tensor<1x4x64xf32>
func.func @dropout(%t: !t, %l: !l, %s: i64) -> !t {
  %r = flash.attention_backward %t, %t, %t, %t, %l, %t dropout(%s, %s) {dropout_p = 0.5 : f32} : !t, !t, !t, !t, !l, !t -> query !t
  return %r : !t
}
// -----
!t = tensor<1x4x64x64xbf16>
!l = tensor<1x4x64xf32>
func.func @lengths(%t: !t, %l: !l, %s: tensor<1xi32>) -> !t {
  %r = flash.attention_backward %t, %t, %t, %t, %l, %t kv_lengths(%s : tensor<1xi32>) : !t, !t, !t, !t, !l, !t -> query !t
  return %r : !t
}
// -----
!t = tensor<1x4x64x64xbf16>
!l = tensor<1x4x64xf32>
func.func @lists(%t: !t, %l: !l, %n: tensor<1x1x1xi32>, %i: tensor<1x1x1x1xi32>) -> !t {
  %r = flash.attention_backward %t, %t, %t, %t, %l, %t mask_operands(%n, %i, %n, %i : tensor<1x1x1xi32>, tensor<1x1x1x1xi32>, tensor<1x1x1xi32>, tensor<1x1x1x1xi32>)
      {mask = #flash.block_sparse<bq = 64, bk = 64>} : !t, !t, !t, !t, !l, !t -> query !t
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
