// Attentions whose gradients need more than queries, keys and values: flash-run --differentiate --check compares each with float64.

!q = tensor<2x4x?x32xf32>
!k = tensor<2x2x?x32xf32>
!rq = tensor<1x4x?x32xf32>
!rk = tensor<1x2x?x32xf32>
!d = tensor<2x4x40x16xf64>
!dk = tensor<2x2x40x16xf64>
!n = tensor<1x1x?xi32>
!list = tensor<1x1x?x?xi32>

func.func @lengths(%q: !q, %k: !k, %v: !k, %n: tensor<2xi32>) -> !q {
  %o = flash.attention %q, %k, %v kv_lengths(%n : tensor<2xi32>) {mask = #flash.causal} : !q, !k, !k -> !q
  return %o : !q
}
func.func @ragged(%q: !rq, %k: !rk, %v: !rk, %cq: tensor<4xi32>, %ck: tensor<4xi32>) -> !rq {
  %o = flash.attention %q, %k, %v cu_seqlens_q(%cq : tensor<4xi32>) cu_seqlens_k(%ck : tensor<4xi32>) {mask = #flash.causal} : !rq, !rk, !rk -> !rq
  return %o : !rq
}
// Blocks that tiles do not divide.
func.func @lists(%q: !q, %k: !k, %v: !k, %pn: !n, %p: !list, %fn: !n, %f: !list) -> !q {
  %o = flash.attention %q, %k, %v mask_operands(%pn, %p, %fn, %f : !n, !list, !n, !list)
      {mask = #flash.block_sparse<bq = 20, bk = 36, partial = #flash.causal>} : !q, !k, !k -> !q
  return %o : !q
}
func.func @documents(%q: !q, %k: !k, %v: !k, %a: tensor<2x?xi32>, %b: tensor<2x?xi32>) -> !q {
  %o = flash.attention %q, %k, %v mask_operands(%a, %b : tensor<2x?xi32>, tensor<2x?xi32>) {mask = #flash.and<#flash.causal, #flash.segments>} : !q, !k, !k -> !q
  return %o : !q
}
func.func @dropout(%q: !q, %k: !k, %v: !k, %seed: i64, %offset: i64) -> !q {
  %o = flash.attention %q, %k, %v dropout(%seed, %offset) {dropout_p = 0.2 : f32} : !q, !k, !k -> !q
  return %o : !q
}
func.func @slice(%q: !q, %k: !k, %v: !k) -> !q {
  %o = flash.attention %q, %k, %v {mask = #flash.causal, key_slice = #flash.slice<part = 1, of = 3, unit = 16>} : !q, !k, !k -> !q
  return %o : !q
}
func.func @sinks(%q: !q, %k: !k, %v: !k, %s: tensor<4xf32>) -> !q {
  %o = flash.attention %q, %k, %v sinks(%s : tensor<4xf32>) {mask = #flash.causal} : !q, !k, !k -> !q
  return %o : !q
}
// Slopes have a head's sum, and a bias that of its broadcast batch and rows.
func.func @operands(%q: !q, %k: !k, %v: !k, %a: tensor<4xf32>, %w: tensor<1x4x1x?xf32>) -> !q {
  %o = flash.attention %q, %k, %v score_operands(%a, %w : tensor<4xf32>, tensor<1x4x1x?xf32>)
      {scores = [#flash.alibi, #flash.bias, #flash.softcap<5.0 : f32>]} : !q, !k, !k -> !q
  return %o : !q
}
// What a region reads at indices that it computes, in a branch, too; one table is of all heads.
func.func @captures(%q: !q, %k: !k, %v: !k, %t: tensor<8xf32>, %u: tensor<4xf32>) -> !q {
  %o = flash.attention %q, %k, %v captures(%t, %u : tensor<8xf32>, tensor<4xf32>) {mask = #flash.causal} score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index, %tt: tensor<8xf32>, %uu: tensor<4xf32>):
    %c8 = arith.constant 8 : index
    %d = arith.subi %i, %j : index
    %near = arith.cmpi ult, %d, %c8 : index
    %y = tensor.extract %uu[%h] : tensor<4xf32>
    %z = math.exp %y : f32
    %m = arith.mulf %s, %z : f32
    %r = scf.if %near -> (f32) {
      %x = tensor.extract %tt[%d] : tensor<8xf32>
      %w = arith.addf %m, %x : f32
      scf.yield %w : f32
    } else {
      scf.yield %m : f32
    }
    flash.yield %r : f32
  } : !q, !k, !k -> !q
  return %o : !q
}
// One gradient is asked for: nothing else is computed.
func.func @slopes(%q: !q, %k: !k, %v: !k, %a: tensor<4xf32>) -> !q attributes {wrt = [3]} {
  %o = flash.attention %q, %k, %v score_operands(%a : tensor<4xf32>) {scores = [#flash.alibi]} : !q, !k, !k -> !q
  return %o : !q
}
func.func @wide(%q: !d, %k: !dk, %v: !dk, %s: tensor<4xf32>, %w: tensor<2x1x40x40xf64>) -> !d {
  %o = flash.attention %q, %k, %v score_operands(%w : tensor<2x1x40x40xf64>) sinks(%s : tensor<4xf32>) {scores = [#flash.bias]} : !d, !dk, !dk -> !d
  return %o : !d
}
func.func @deterministic(%q: !q, %k: !k, %v: !k) -> !q {
  %o = flash.attention %q, %k, %v {deterministic} : !q, !k, !k -> !q
  return %o : !q
}

// A batch of 0: an operand without elements beside one that has some.
!e = tensor<0x1x3x8xf32>
func.func @empty(%q: !e, %k: !e, %v: !e, %a: tensor<0x1xf32>, %w: tensor<1x1x3x3xf32>) -> !e {
  %o = flash.attention %q, %k, %v score_operands(%a, %w : tensor<0x1xf32>, tensor<1x1x3x3xf32>)
      {scores = [#flash.alibi, #flash.bias]} : !e, !e, !e -> !e
  return %o : !e
}
