// Each score function, sinks, dropout and 8-bit keys, as docs/Scores.md explains them.
//
//   flash-opt examples/scores.mlir --pass-pipeline='builtin.module(func.func(
//     flash-choose-schedule{target=cpu:x86-64-v3},flash-tile-attention,flash-decompose-attention),canonicalize,cse)'
//   flash-run examples/scores.mlir --entry=softcap --check --target=cpu

!q = tensor<?x8x?x64xf32>
!k = tensor<?x2x?x64xf32>

func.func @softcap(%q: !q, %k: !k, %v: !k) -> !q {
  // docs: begin softcap
  %o = flash.attention %q, %k, %v {scores = [#flash.softcap<30.0>], mask = #flash.causal} : !q, !k, !k -> !q
  // docs: end softcap
  return %o : !q
}

func.func @alibi(%q: !q, %k: !k, %v: !k, %slopes: tensor<8xf32>) -> !q {
  // docs: begin alibi
  %o = flash.attention %q, %k, %v score_operands(%slopes : tensor<8xf32>)
      {scores = [#flash.alibi], mask = #flash.causal} : !q, !k, !k -> !q
  // docs: end alibi
  return %o : !q
}

func.func @bias(%q: !q, %k: !k, %v: !k, %bias: tensor<1x8x?x?xf32>) -> !q {
  // docs: begin bias
  %o = flash.attention %q, %k, %v score_operands(%bias : tensor<1x8x?x?xf32>) {scores = [#flash.bias]} : !q, !k, !k -> !q
  // docs: end bias
  return %o : !q
}

func.func @region(%q: !q, %k: !k, %v: !k, %decay: tensor<8xf32>) -> !q {
  // docs: begin region
  %o = flash.attention %q, %k, %v captures(%decay : tensor<8xf32>) score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index, %d: tensor<8xf32>):
    %rate = tensor.extract %d[%h] : tensor<8xf32>
    %distance = arith.subi %i, %j : index
    %n = arith.index_cast %distance : index to i32
    %x = arith.sitofp %n : i32 to f32
    %damped = arith.mulf %rate, %x : f32
    %t = math.tanh %damped : f32
    %r = arith.subf %s, %t : f32
    flash.yield %r : f32
  } : !q, !k, !k -> !q
  // docs: end region
  return %o : !q
}

func.func @sinks(%q: !q, %k: !k, %v: !k, %sinks: tensor<8xf32>) -> !q {
  // docs: begin sinks
  %o = flash.attention %q, %k, %v sinks(%sinks : tensor<8xf32>) {mask = #flash.window<left = 127, right = 0>} : !q, !k, !k -> !q
  // docs: end sinks
  return %o : !q
}

func.func @dropout(%q: !q, %k: !k, %v: !k, %seed: index, %offset: index) -> !q {
  %s = arith.index_cast %seed : index to i64
  %n = arith.index_cast %offset : index to i64
  // docs: begin dropout
  %o = flash.attention %q, %k, %v dropout(%s, %n) {dropout_p = 0.1 : f32} : !q, !k, !k -> !q
  // docs: end dropout
  return %o : !q
}

func.func @narrow(%q: !q, %k: tensor<?x2x?x64xf8E4M3FN>, %v: tensor<?x2x?x64xf8E4M3FN>, %ks: tensor<2xf32>, %vs: tensor<2xf32>) -> !q {
  // docs: begin narrow
  %o = flash.attention %q, %k, %v key_scale(%ks : tensor<2xf32>) value_scale(%vs : tensor<2xf32>)
      : !q, tensor<?x2x?x64xf8E4M3FN>, tensor<?x2x?x64xf8E4M3FN> -> !q
  // docs: end narrow
  return %o : !q
}

func.func @slice(%q: !q, %k: !k, %v: !k, %lengths: tensor<?xi32>) -> !q {
  // docs: begin slice
  %o0, %l0 = flash.attention %q, %k, %v kv_lengths(%lengths : tensor<?xi32>)
      {mask = #flash.causal, key_slice = #flash.slice<part = 0, of = 2>} : !q, !k, !k -> !q, tensor<?x8x?xf32>
  %o1, %l1 = flash.attention %q, %k, %v kv_lengths(%lengths : tensor<?xi32>)
      {mask = #flash.causal, key_slice = #flash.slice<part = 1, of = 2>} : !q, !k, !k -> !q, tensor<?x8x?xf32>
  %o = flash.merge outputs(%o0, %o1 : !q, !q) lses(%l0, %l1 : tensor<?x8x?xf32>, tensor<?x8x?xf32>) -> !q
  // docs: end slice
  return %o : !q
}
