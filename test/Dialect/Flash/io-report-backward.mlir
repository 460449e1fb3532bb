!q = tensor<2x4x300x64xbf16>
!k = tensor<2x2x300x64xbf16>
!l = tensor<2x4x300xf32>
func.func @owned(%q: !q, %k: !k, %v: !k, %o: !q, %l: !l, %do: !q) -> (!q, !k, !k) {
  %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do
      {mask = #flash.causal, recompute = #flash.recompute<outer = keys, sum = owned>, schedule = #flash.schedule<m = 128, n = 128>}
      : !q, !k, !k, !q, !l, !q -> query !q key !k value !k
  return %dq, %dk, %dv : !q, !k, !k
}
