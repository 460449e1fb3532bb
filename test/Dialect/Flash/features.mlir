// RUN: flash-opt %s | flash-opt | FileCheck %s

// Masks with operands, score functions, sinks, dropout.
// CHECK-LABEL: @features
func.func @features(%q: tensor<2x4x?x64xf32>, %k: tensor<2x2x?x64xf32>, %p: tensor<2xi32>, %qs: tensor<2x?xi32>, %ks: tensor<2x?xi32>,
                    %slopes: tensor<4xf32>, %bias: tensor<1x4x?x?xf16>, %sinks: tensor<4xf32>, %seed: i64) -> tensor<2x4x?x64xf32> {
  // CHECK: flash.attention %{{.*}}, %{{.*}}, %{{.*}} mask_operands(%{{.*}}, %{{.*}}, %{{.*}} : tensor<2xi32>, tensor<2x?xi32>, tensor<2x?xi32>)
  // CHECK-SAME: score_operands(%{{.*}}, %{{.*}} : tensor<4xf32>, tensor<1x4x?x?xf16>) sinks(%{{.*}} : tensor<4xf32>) dropout(%{{.*}}, %{{.*}})
  // CHECK-SAME: dropout_p = 1.000000e-01 : f32
  // CHECK-SAME: mask = #flash.and<#flash.or<#flash.causal, #flash.prefix>, #flash.window<left = 63, right = 0>, #flash.segments>
  // CHECK-SAME: scores = [#flash.softcap<3.000000e+01 : f64>, #flash.alibi, #flash.bias]
  %o = flash.attention %q, %k, %k mask_operands(%p, %qs, %ks : tensor<2xi32>, tensor<2x?xi32>, tensor<2x?xi32>)
      score_operands(%slopes, %bias : tensor<4xf32>, tensor<1x4x?x?xf16>) sinks(%sinks : tensor<4xf32>) dropout(%seed, %seed)
      {mask = #flash.and<#flash.or<#flash.causal, #flash.prefix>, #flash.window<left = 63, right = 0>, #flash.segments>,
       scores = [#flash.softcap<30.0>, #flash.alibi, #flash.bias], dropout_p = 0.1 : f32}
      : tensor<2x4x?x64xf32>, tensor<2x2x?x64xf32>, tensor<2x2x?x64xf32> -> tensor<2x4x?x64xf32>
  return %o : tensor<2x4x?x64xf32>
}

// CHECK-LABEL: @regions
func.func @regions(%q: tensor<2x4x?x64xf32>, %lens: tensor<2xindex>) -> tensor<2x4x?x64xf32> {
  // CHECK: captures(%{{.*}} : tensor<2xindex>) {mask = #flash.and<#flash.causal, #flash.region>} score {
  // CHECK-NEXT: ^bb0(%{{.*}}: f32, %{{.*}}: index, %{{.*}}: index, %{{.*}}: index, %{{.*}}: index, %{{.*}}: tensor<2xindex>):
  // CHECK: flash.yield %{{.*}} : f32
  // CHECK: } mask {
  // CHECK: flash.yield %{{.*}} : i1
  // CHECK: } : tensor<2x4x?x64xf32>
  %o = flash.attention %q, %q, %q captures(%lens : tensor<2xindex>) {mask = #flash.and<#flash.causal, #flash.region>} score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index, %l: tensor<2xindex>):
    %t = arith.addf %s, %s : f32
    flash.yield %t : f32
  } mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index, %l: tensor<2xindex>):
    %n = tensor.extract %l[%b] : tensor<2xindex>
    %seen = arith.cmpi slt, %j, %n : index
    flash.yield %seen : i1
  } : tensor<2x4x?x64xf32>, tensor<2x4x?x64xf32>, tensor<2x4x?x64xf32> -> tensor<2x4x?x64xf32>
  return %o : tensor<2x4x?x64xf32>
}

// CHECK-LABEL: @ragged
func.func @ragged(%q: tensor<1x4x?x64xbf16>, %cu: tensor<?xi32>) -> tensor<1x4x?x64xbf16> {
  // CHECK: cu_seqlens_q(%{{.*}} : tensor<?xi32>) cu_seqlens_k(%{{.*}} : tensor<?xi32>)
  %o = flash.attention %q, %q, %q cu_seqlens_q(%cu : tensor<?xi32>) cu_seqlens_k(%cu : tensor<?xi32>) {mask = #flash.causal}
      : tensor<1x4x?x64xbf16>, tensor<1x4x?x64xbf16>, tensor<1x4x?x64xbf16> -> tensor<1x4x?x64xbf16>
  return %o : tensor<1x4x?x64xbf16>
}

// Pages of 16 keys in 8 bits.
// CHECK-LABEL: @paged
func.func @paged(%q: tensor<3x4x1x64xbf16>, %k: tensor<?x2x16x64xf8E4M3FN>, %table: tensor<3x?xi32>, %len: tensor<3xi32>, %ks: tensor<2xf32>)
    -> tensor<3x4x1x64xbf16> {
  // CHECK: kv_lengths(%{{.*}} : tensor<3xi32>) page_table(%{{.*}} : tensor<3x?xi32>) key_scale(%{{.*}} : tensor<2xf32>) value_scale(%{{.*}} : tensor<2xf32>)
  %o = flash.attention %q, %k, %k kv_lengths(%len : tensor<3xi32>) page_table(%table : tensor<3x?xi32>)
      key_scale(%ks : tensor<2xf32>) value_scale(%ks : tensor<2xf32>)
      : tensor<3x4x1x64xbf16>, tensor<?x2x16x64xf8E4M3FN>, tensor<?x2x16x64xf8E4M3FN> -> tensor<3x4x1x64xbf16>
  return %o : tensor<3x4x1x64xbf16>
}

// Keys and values of two types, and values alone.
// CHECK-LABEL: @narrow
func.func @narrow(%q: tensor<1x4x9x8xf16>, %k: tensor<1x2x9x8xi8>, %v: tensor<1x2x9x8xf8E5M2>, %wide: tensor<1x2x9x8xf16>, %s: tensor<2xf32>) {
  // CHECK: key_scale(%{{.*}} : tensor<2xf32>) value_scale(%{{.*}} : tensor<2xf32>) : tensor<1x4x9x8xf16>, tensor<1x2x9x8xi8>, tensor<1x2x9x8xf8E5M2>
  %o = flash.attention %q, %k, %v key_scale(%s : tensor<2xf32>) value_scale(%s : tensor<2xf32>)
      : tensor<1x4x9x8xf16>, tensor<1x2x9x8xi8>, tensor<1x2x9x8xf8E5M2> -> tensor<1x4x9x8xf16>
  // CHECK: flash.attention %{{[a-z0-9_]+}}, %{{[a-z0-9_]+}}, %{{[a-z0-9_]+}} value_scale(%{{.*}} : tensor<2xf32>) :
  %p = flash.attention %q, %wide, %v value_scale(%s : tensor<2xf32>)
      : tensor<1x4x9x8xf16>, tensor<1x2x9x8xf16>, tensor<1x2x9x8xf8E5M2> -> tensor<1x4x9x8xf16>
  return
}

// CHECK-LABEL: @f64
func.func @f64(%q: tensor<1x1x?x8xf64>) -> (tensor<1x1x?x8xf64>, tensor<1x1x?xf64>) {
  // CHECK: -> tensor<1x1x?x8xf64>, tensor<1x1x?xf64>
  %o, %l = flash.attention %q, %q, %q : tensor<1x1x?x8xf64>, tensor<1x1x?x8xf64>, tensor<1x1x?x8xf64> -> tensor<1x1x?x8xf64>, tensor<1x1x?xf64>
  return %o, %l : tensor<1x1x?x8xf64>, tensor<1x1x?xf64>
}

// CHECK-LABEL: @block_sparse
func.func @block_sparse(%q: tensor<1x4x256x64xf32>, %n: tensor<1x1x2xi32>, %l: tensor<1x1x2x?xi32>) -> tensor<1x4x256x64xf32> {
  // CHECK: mask = #flash.block_sparse<bq = 128, bk = 64, partial = #flash.causal>
  %o = flash.attention %q, %q, %q mask_operands(%n, %l, %n, %l : tensor<1x1x2xi32>, tensor<1x1x2x?xi32>, tensor<1x1x2xi32>, tensor<1x1x2x?xi32>)
      {mask = #flash.block_sparse<bq = 128, bk = 64, partial = #flash.causal>}
      : tensor<1x4x256x64xf32>, tensor<1x4x256x64xf32>, tensor<1x4x256x64xf32> -> tensor<1x4x256x64xf32>
  return %o : tensor<1x4x256x64xf32>
}

// CHECK-LABEL: @step
func.func @step(%q: tensor<4x8xf16>, %acc: tensor<4x8xf32>, %r: tensor<4xf32>, %i: index, %ids: tensor<1x4xi32>, %n: i32) -> tensor<4x8xf32> {
  // CHECK: origins(%{{.*}}, %{{.*}}) query_summary(%[[N:.*]], %[[N]] : i32, i32) key_summary(%[[N]], %[[N]] : i32, i32) mask_operands(
  %a:3 = flash.online_attention ins(%q, %q, %q : tensor<4x8xf16>, tensor<4x8xf16>, tensor<4x8xf16>)
      outs(%acc, %r, %r : tensor<4x8xf32>, tensor<4xf32>, tensor<4xf32>) positions(%i, %i) keys(%i) queries(%i) place(%i, %i) origins(%i, %i)
      query_summary(%n, %n : i32, i32) key_summary(%n, %n : i32, i32) mask_operands(%ids, %ids : tensor<1x4xi32>, tensor<1x4xi32>)
      {scale = 1.0 : f32, mask = #flash.segments}
  return %a#0 : tensor<4x8xf32>
}
