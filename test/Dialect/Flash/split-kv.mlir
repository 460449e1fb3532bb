// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-split-kv{parts=3}),flash-verify-level{level=L0})' | FileCheck %s

// Static length 100 in three parts: 34, 34, 32.
// CHECK-LABEL: @static
// CHECK: tensor.extract_slice %arg1[0, 0, 0, 0] [2, 4, 34, 64]
// CHECK: tensor.extract_slice %arg2[0, 0, 0, 0] [2, 4, 34, 64]
// CHECK: flash.attention %arg0, %{{.*}}, %{{.*}} {scale = 5.000000e-01 : f32} : {{.*}} -> tensor<2x4x9x64xf32>, tensor<2x4x9xf32>
// CHECK: tensor.extract_slice %arg1[0, 0, 34, 0] [2, 4, 34, 64]
// CHECK: tensor.extract_slice %arg1[0, 0, 68, 0] [2, 4, 32, 64]
// CHECK: flash.merge outputs({{.*}}) lses({{.*}}) -> tensor<2x4x9x64xbf16>
func.func @static(%q: tensor<2x4x9x64xbf16>, %k: tensor<2x4x100x64xbf16>, %v: tensor<2x4x100x64xbf16>) -> tensor<2x4x9x64xbf16> {
  %o = flash.attention %q, %k, %v {scale = 0.5 : f32} : tensor<2x4x9x64xbf16>, tensor<2x4x100x64xbf16>, tensor<2x4x100x64xbf16> -> tensor<2x4x9x64xbf16>
  return %o : tensor<2x4x9x64xbf16>
}

// -----

// A mask looks at positions: the parts keep the default alignment of the whole through explicit offsets.
// CHECK-LABEL: @causal
// CHECK: flash.attention {{.*}} q_offset(%[[Q:.*]]) kv_offset(%{{.*}}) {{{.*}}mask = #flash.causal}
// CHECK: flash.attention {{.*}} q_offset(%[[Q]]) kv_offset(%{{.*}}) {{{.*}}mask = #flash.causal}
// CHECK: flash.attention {{.*}} q_offset(%[[Q]]) kv_offset(%{{.*}}) {{{.*}}mask = #flash.causal}
// CHECK: flash.merge
func.func @causal(%q: tensor<2x?x4x64xf32>, %k: tensor<2x?x4x64xf32>, %v: tensor<2x?x4x64xf32>) -> (tensor<2x?x4x64xf32>, tensor<2x4x?xf32>) {
  %o, %l = flash.attention %q, %k, %v {mask = #flash.causal, layout = #flash.layout<bshd>} : tensor<2x?x4x64xf32>, tensor<2x?x4x64xf32>, tensor<2x?x4x64xf32> -> tensor<2x?x4x64xf32>, tensor<2x4x?xf32>
  return %o, %l : tensor<2x?x4x64xf32>, tensor<2x4x?xf32>
}

// -----

// Fewer keys than parts: what would have none is left out.
// CHECK-LABEL: @two_keys
// CHECK: tensor.extract_slice %arg1[0, 0, 0, 0] [1, 1, 1, 8]
// CHECK: tensor.extract_slice %arg1[0, 0, 1, 0] [1, 1, 1, 8]
// CHECK-NOT: extract_slice %arg1
// CHECK: flash.merge
func.func @two_keys(%q: tensor<1x1x4x8xf32>, %k: tensor<1x1x2x8xf32>, %v: tensor<1x1x2x8xf32>) -> tensor<1x1x4x8xf32> {
  %o = flash.attention %q, %k, %v : tensor<1x1x4x8xf32>, tensor<1x1x2x8xf32>, tensor<1x1x2x8xf32> -> tensor<1x1x4x8xf32>
  return %o : tensor<1x1x4x8xf32>
}

// -----

// CHECK-LABEL: @no_keys
// CHECK-NEXT: flash.attention %arg0, %arg1, %arg2 :
// CHECK-NEXT: return
func.func @no_keys(%q: tensor<1x1x4x8xf32>, %k: tensor<1x1x0x8xf32>, %v: tensor<1x1x0x8xf32>) -> tensor<1x1x4x8xf32> {
  %o = flash.attention %q, %k, %v : tensor<1x1x4x8xf32>, tensor<1x1x0x8xf32>, tensor<1x1x0x8xf32> -> tensor<1x1x4x8xf32>
  return %o : tensor<1x1x4x8xf32>
}

// -----

// What belongs to keys is sliced with them, a bias of 1 for all keys is not; a sink joins the sum of the first part alone.
// CHECK-LABEL: @operands
// CHECK-SAME: %[[QS:[^:]*]]: tensor<2x9xi32>, %[[KS:[^:]*]]: tensor<2x100xi32>, %[[BIAS:[^:]*]]: tensor<1x1x9x100xf32>, %[[ROW:[^:]*]]: tensor<1x1x9x1xf32>, %[[SINKS:[^:]*]]: tensor<4xf32>
// CHECK: %[[KS0:.*]] = tensor.extract_slice %[[KS]][0, 0] [2, 34]
// CHECK: %[[BIAS0:.*]] = tensor.extract_slice %[[BIAS]][0, 0, 0, 0] [1, 1, 9, 34]
// CHECK: flash.attention {{.*}} mask_operands(%[[QS]], %[[KS0]] : {{.*}}) score_operands(%[[BIAS0]], %[[ROW]] : {{.*}}) sinks(%[[SINKS]]
// CHECK: %[[KS1:.*]] = tensor.extract_slice %[[KS]][0, 34] [2, 34]
// CHECK: flash.attention {{.*}} mask_operands(%[[QS]], %[[KS1]]
// CHECK-NOT: sinks
// CHECK: tensor.extract_slice %[[BIAS]][0, 0, 0, 68] [1, 1, 9, 32]
func.func @operands(%q: tensor<2x4x9x64xf32>, %k: tensor<2x4x100x64xf32>, %qs: tensor<2x9xi32>, %ks: tensor<2x100xi32>,
                    %bias: tensor<1x1x9x100xf32>, %row: tensor<1x1x9x1xf32>, %sinks: tensor<4xf32>) -> tensor<2x4x9x64xf32> {
  %o = flash.attention %q, %k, %k mask_operands(%qs, %ks : tensor<2x9xi32>, tensor<2x100xi32>)
      score_operands(%bias, %row : tensor<1x1x9x100xf32>, tensor<1x1x9x1xf32>) sinks(%sinks : tensor<4xf32>)
      {mask = #flash.segments, scores = [#flash.bias, #flash.bias]}
      : tensor<2x4x9x64xf32>, tensor<2x4x100x64xf32>, tensor<2x4x100x64xf32> -> tensor<2x4x9x64xf32>
  return %o : tensor<2x4x9x64xf32>
}

// -----

// A bias whose size along the keys only a call knows may be 1 there.
// CHECK-LABEL: @bias_at_run_time
// CHECK: %[[SIZE:.*]] = tensor.dim %arg2, %{{.*}}
// CHECK: %[[ONE:.*]] = arith.cmpi eq, %[[SIZE]], %{{.*}}
// CHECK: %[[START:.*]] = arith.select %[[ONE]], %{{.*}}, %{{.*}}
// CHECK: %[[COUNT:.*]] = arith.select %[[ONE]], %{{.*}}, %{{.*}}
// CHECK: tensor.extract_slice %arg2[0, 0, 0, %[[START]]] [1, 1, 9, %[[COUNT]]]
func.func @bias_at_run_time(%q: tensor<2x4x9x64xf32>, %k: tensor<2x4x?x64xf32>, %bias: tensor<1x1x9x?xf32>) -> tensor<2x4x9x64xf32> {
  %o = flash.attention %q, %k, %k score_operands(%bias : tensor<1x1x9x?xf32>) {scores = [#flash.bias]}
      : tensor<2x4x9x64xf32>, tensor<2x4x?x64xf32>, tensor<2x4x?x64xf32> -> tensor<2x4x9x64xf32>
  return %o : tensor<2x4x9x64xf32>
}

// -----

// Where batches have different keys, parts take slices of those that each has.
// CHECK-LABEL: @lengths
// CHECK-NOT: extract_slice
// CHECK: flash.attention %arg0, %arg1, %arg1 kv_lengths(%arg2 : tensor<?xi32>) {key_slice = #flash.slice<part = 0, of = 3>, mask = #flash.causal} : {{.*}} -> tensor<?x4x?x64xf32>, tensor<?x4x?xf32>
// CHECK: flash.attention %arg0, %arg1, %arg1 kv_lengths(%arg2 : tensor<?xi32>) {key_slice = #flash.slice<part = 1, of = 3>, mask = #flash.causal}
// CHECK: flash.attention %arg0, %arg1, %arg1 kv_lengths(%arg2 : tensor<?xi32>) {key_slice = #flash.slice<part = 2, of = 3>, mask = #flash.causal}
// CHECK: flash.merge
func.func @lengths(%q: tensor<?x4x?x64xf16>, %k: tensor<?x4x?x64xf16>, %n: tensor<?xi32>) -> tensor<?x4x?x64xf16> {
  %o = flash.attention %q, %k, %k kv_lengths(%n : tensor<?xi32>) {mask = #flash.causal}
      : tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16> -> tensor<?x4x?x64xf16>
  return %o : tensor<?x4x?x64xf16>
}

// -----

// CHECK-LABEL: @ragged
// CHECK: flash.attention {{.*}} cu_seqlens_q({{.*}}) cu_seqlens_k({{.*}}) {key_slice = #flash.slice<part = 1, of = 3>}
func.func @ragged(%q: tensor<1x4x?x64xf32>, %k: tensor<1x4x?x64xf32>, %c: tensor<?xi32>) -> tensor<1x4x?x64xf32> {
  %o = flash.attention %q, %k, %k cu_seqlens_q(%c : tensor<?xi32>) cu_seqlens_k(%c : tensor<?xi32>)
      : tensor<1x4x?x64xf32>, tensor<1x4x?x64xf32>, tensor<1x4x?x64xf32> -> tensor<1x4x?x64xf32>
  return %o : tensor<1x4x?x64xf32>
}

// -----

// Slices hold whole pages, so that tiles do not cross them.
// CHECK-LABEL: @paged
// CHECK: flash.attention {{.*}} page_table({{.*}}) {key_slice = #flash.slice<part = 2, of = 3, unit = 16>}
func.func @paged(%q: tensor<2x4x1x64xf32>, %k: tensor<?x4x16x64xf32>, %n: tensor<2xi32>, %t: tensor<2x?xi32>) -> tensor<2x4x1x64xf32> {
  %o = flash.attention %q, %k, %k kv_lengths(%n : tensor<2xi32>) page_table(%t : tensor<2x?xi32>)
      : tensor<2x4x1x64xf32>, tensor<?x4x16x64xf32>, tensor<?x4x16x64xf32> -> tensor<2x4x1x64xf32>
  return %o : tensor<2x4x1x64xf32>
}

// -----

// And whole blocks of lists, which number those of all keys.
// CHECK-LABEL: @lists
// CHECK: flash.attention {{.*}} {key_slice = #flash.slice<part = 0, of = 3, unit = 32>, mask = #flash.block_sparse<bq = 64, bk = 32>}
func.func @lists(%q: tensor<1x4x?x64xf32>, %k: tensor<1x4x?x64xf32>, %c: tensor<1x1x?xi32>, %l: tensor<1x1x?x?xi32>) -> tensor<1x4x?x64xf32> {
  %o = flash.attention %q, %k, %k mask_operands(%c, %l, %c, %l : tensor<1x1x?xi32>, tensor<1x1x?x?xi32>, tensor<1x1x?xi32>, tensor<1x1x?x?xi32>)
      {mask = #flash.block_sparse<bq = 64, bk = 32>}
      : tensor<1x4x?x64xf32>, tensor<1x4x?x64xf32>, tensor<1x4x?x64xf32> -> tensor<1x4x?x64xf32>
  return %o : tensor<1x4x?x64xf32>
}

// -----

// Slices of nothing are not legal, and there is nothing to split.
// CHECK-LABEL: @no_batch
// CHECK-NEXT: flash.attention %arg0, %arg1, %arg1 :
// CHECK-NEXT: return
func.func @no_batch(%q: tensor<0x4x?x64xf16>, %k: tensor<0x4x74x64xf16>) -> tensor<0x4x?x64xf16> {
  %o = flash.attention %q, %k, %k : tensor<0x4x?x64xf16>, tensor<0x4x74x64xf16>, tensor<0x4x74x64xf16> -> tensor<0x4x?x64xf16>
  return %o : tensor<0x4x?x64xf16>
}
