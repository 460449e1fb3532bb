// RUN: flash-opt %s -split-input-file -verify-diagnostics

func.func @lse_element(%q: tensor<1x1x4x8xf64>, %k: tensor<1x1x4x8xf64>) {
  // expected-error @below {{lse has element type 'f32', but must have 'f64'}}
  %o, %l = flash.attention %q, %k, %k    : tensor<1x1x4x8xf64>, tensor<1x1x4x8xf64>, tensor<1x1x4x8xf64> -> tensor<1x1x4x8xf64>, tensor<1x1x4xf32>
  return
}

// -----

func.func @cu_k_alone(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf32>, %c: tensor<3xi32>) {
  // expected-error @below {{has cu_seqlens_k, but no cu_seqlens_q}}
  %o = flash.attention %q, %k, %k cu_seqlens_k(%c : tensor<3xi32>)   : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @ragged_batch(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf32>, %c: tensor<3xi32>) {
  // expected-error @below {{batch of query (dimension 0) is 2, but must be 1 for ragged sequences}}
  %o = flash.attention %q, %k, %k cu_seqlens_q(%c : tensor<3xi32>) cu_seqlens_k(%c : tensor<3xi32>)   : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @no_sequences(%q: tensor<1x4x6x8xf32>, %k: tensor<1x4x6x8xf32>, %c: tensor<0xi32>) {
  // expected-error @below {{cu_seqlens_q has 0 entries (dimension 0), but needs at least 2}}
  %o = flash.attention %q, %k, %k cu_seqlens_q(%c : tensor<0xi32>) cu_seqlens_k(%c : tensor<0xi32>)   : tensor<1x4x6x8xf32>, tensor<1x4x6x8xf32>, tensor<1x4x6x8xf32> -> tensor<1x4x6x8xf32>
  return
}

// -----

func.func @cu_q_alone(%q: tensor<1x4x6x8xf32>, %k: tensor<1x4x6x8xf32>, %c: tensor<3xi32>) {
  // expected-error @below {{has cu_seqlens_q, but no cu_seqlens_k}}
  %o = flash.attention %q, %k, %k cu_seqlens_q(%c : tensor<3xi32>)   : tensor<1x4x6x8xf32>, tensor<1x4x6x8xf32>, tensor<1x4x6x8xf32> -> tensor<1x4x6x8xf32>
  return
}

// -----

func.func @sequences(%q: tensor<1x4x6x8xf32>, %k: tensor<1x4x6x8xf32>, %c: tensor<3xi32>, %d: tensor<4xi32>) {
  // expected-error @below {{number of sequences differs: cu_seqlens_q has 3 (dimension 0), cu_seqlens_k has 4 (dimension 0)}}
  %o = flash.attention %q, %k, %k cu_seqlens_q(%c : tensor<3xi32>) cu_seqlens_k(%d : tensor<4xi32>)   : tensor<1x4x6x8xf32>, tensor<1x4x6x8xf32>, tensor<1x4x6x8xf32> -> tensor<1x4x6x8xf32>
  return
}

// -----

func.func @paged_cu_k(%q: tensor<1x4x6x8xf32>, %k: tensor<1x4x6x8xf32>, %c: tensor<3xi32>, %t: tensor<2x?xi32>, %n: tensor<2xi32>) {
  // expected-error @below {{has cu_seqlens_k, but paged keys have kv_lengths}}
  %o = flash.attention %q, %k, %k cu_seqlens_q(%c : tensor<3xi32>) cu_seqlens_k(%c : tensor<3xi32>) kv_lengths(%n : tensor<2xi32>) page_table(%t : tensor<2x?xi32>)   : tensor<1x4x6x8xf32>, tensor<1x4x6x8xf32>, tensor<1x4x6x8xf32> -> tensor<1x4x6x8xf32>
  return
}

// -----

func.func @lengths(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf32>, %n: tensor<3xi32>) {
  // expected-error @below {{kv_lengths has 3 entries (dimension 0), but there are 2 batches}}
  %o = flash.attention %q, %k, %k kv_lengths(%n : tensor<3xi32>)   : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @lengths_of_sequences(%q: tensor<1x4x6x8xf32>, %k: tensor<1x4x6x8xf32>, %c: tensor<3xi32>, %n: tensor<4xi32>) {
  // expected-error @below {{kv_lengths has 4 entries (dimension 0), but there are 2 sequences}}
  %o = flash.attention %q, %k, %k cu_seqlens_q(%c : tensor<3xi32>) cu_seqlens_k(%c : tensor<3xi32>) kv_lengths(%n : tensor<4xi32>)   : tensor<1x4x6x8xf32>, tensor<1x4x6x8xf32>, tensor<1x4x6x8xf32> -> tensor<1x4x6x8xf32>
  return
}

// -----

func.func @table(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf32>, %n: tensor<2xi32>, %t: tensor<3x?xi32>) {
  // expected-error @below {{page_table has 3 entries (dimension 0), but there are 2 batches}}
  %o = flash.attention %q, %k, %k kv_lengths(%n : tensor<2xi32>) page_table(%t : tensor<3x?xi32>)   : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @table_alone(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf32>, %t: tensor<2x?xi32>) {
  // expected-error @below {{has a page_table, but no kv_lengths}}
  %o = flash.attention %q, %k, %k page_table(%t : tensor<2x?xi32>)   : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @page_size(%q: tensor<2x4x6x8xf32>, %k: tensor<5x4x0x8xf32>, %n: tensor<2xi32>, %t: tensor<2x?xi32>) {
  // expected-error @below {{page size of key (dimension 2) is 0, but must be at least 1}}
  %o = flash.attention %q, %k, %k kv_lengths(%n : tensor<2xi32>) page_table(%t : tensor<2x?xi32>)   : tensor<2x4x6x8xf32>, tensor<5x4x0x8xf32>, tensor<5x4x0x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @no_scale(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf8E4M3FN>) {
  // expected-error @below {{has no key_scale, but keys of type 'f8E4M3FN' need it}}
  %o = flash.attention %q, %k, %k    : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf8E4M3FN>, tensor<2x4x6x8xf8E4M3FN> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @scale_of_f32(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{has value_scale, but values of type 'f32' take none}}
  %o = flash.attention %q, %k, %k value_scale(%s : tensor<4xf32>)   : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @scale_heads(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xi8>, %a: tensor<4xf32>, %s: tensor<2xf32>) {
  // expected-error @below {{number of heads differs: key has 4 (dimension 1), value_scale has 2 (dimension 0)}}
  %o = flash.attention %q, %k, %k key_scale(%a : tensor<4xf32>) value_scale(%s : tensor<2xf32>)   : tensor<2x4x6x8xf32>, tensor<2x4x6x8xi8>, tensor<2x4x6x8xi8> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @mask_operands(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf32>) {
  // expected-error @below {{mask takes 1 mask_operands, but there are 0}}
  %o = flash.attention %q, %k, %k  {mask = #flash.and<#flash.causal, #flash.prefix>}  : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @prefix_batch(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf32>, %p: tensor<3xi32>) {
  // expected-error @below {{batch differs: operand 'prefix lengths' has 3 (dimension 0), the attention has 2}}
  %o = flash.attention %q, %k, %k mask_operands(%p : tensor<3xi32>) {mask = #flash.prefix}  : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @prefix_type(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf32>, %p: tensor<2xf32>) {
  // expected-error @below {{operand 'prefix lengths' is 'tensor<2xf32>', but must be a tensor of rank 1 of i32}}
  %o = flash.attention %q, %k, %k mask_operands(%p : tensor<2xf32>) {mask = #flash.prefix}  : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @segments_length(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf32>, %a: tensor<2x6xi32>, %b: tensor<2x7xi32>) {
  // expected-error @below {{number of keys differs: operand 'segments of keys' has 7 (dimension 1), the attention has 6}}
  %o = flash.attention %q, %k, %k mask_operands(%a, %b : tensor<2x6xi32>, tensor<2x7xi32>) {mask = #flash.segments}  : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @block_rows(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf32>, %n: tensor<1x1x2xi32>, %l: tensor<1x1x2x9xi32>, %m: tensor<1x1x3xi32>) {
  // expected-error @below {{number of blocks of queries differs: operand 'number of full blocks' has 3 (dimension 2), the attention has 2}}
  %o = flash.attention %q, %k, %k mask_operands(%n, %l, %m, %l : tensor<1x1x2xi32>, tensor<1x1x2x9xi32>, tensor<1x1x3xi32>, tensor<1x1x2x9xi32>) {mask = #flash.block_sparse<bq = 4, bk = 2>}  : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @no_region(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf32>) {
  // expected-error @below {{mask has #flash.region, but there is no mask region}}
  %o = flash.attention %q, %k, %k  {mask = #flash.or<#flash.causal, #flash.region>}  : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @unused_region(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf32>) {
  // expected-error @below {{has a mask region, which #flash.causal must hold once as #flash.region, but holds 0 times}}
  %o = flash.attention %q, %k, %k  {mask = #flash.causal} mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %s = arith.cmpi sle, %j, %i : index
    flash.yield %s : i1
  } : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @captures(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf32>, %c: f32) {
  // expected-error @below {{has 1 captures, but no region that could read them}}
  %o = flash.attention %q, %k, %k captures(%c : f32)   : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @region_arguments(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf32>, %c: f32) {
  // expected-error @below {{mask region has 4 arguments, but must have 5 (batch, head, two positions and 1 captures)}}
  %o = flash.attention %q, %k, %k captures(%c : f32)  mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %s = arith.cmpi sle, %j, %i : index
    flash.yield %s : i1
  } : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @region_argument(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf32>) {
  // expected-error @below {{argument 0 of the score region has type 'f64', but must have 'f32'}}
  %o = flash.attention %q, %k, %k   score {
  ^bb0(%s: f64, %b: index, %h: index, %i: index, %j: index):
    flash.yield %s : f64
  } : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @score_operands(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{scores take 2 score_operands, but there are 1}}
  %o = flash.attention %q, %k, %k score_operands(%s : tensor<4xf32>) {scores = [#flash.alibi, #flash.bias]}  : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @slopes(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf32>, %s: tensor<3xf32>) {
  // expected-error @below {{number of heads differs: operand 'slopes' has 3 (dimension 0), the attention has 4}}
  %o = flash.attention %q, %k, %k score_operands(%s : tensor<3xf32>) {scores = [#flash.alibi]}  : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @bias(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf32>, %s: tensor<1x1x6x5xf32>) {
  // expected-error @below {{number of keys differs: operand 'bias' has 5 (dimension 3), the attention has 6}}
  %o = flash.attention %q, %k, %k score_operands(%s : tensor<1x1x6x5xf32>) {scores = [#flash.bias]}  : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @no_score_region(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf32>) {
  // expected-error @below {{score has #flash.region, but there is no score region}}
  %o = flash.attention %q, %k, %k  {scores = [#flash.region]}  : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @sinks(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf32>, %s: tensor<5xf32>) {
  // expected-error @below {{number of heads differs: query has 4 (dimension 1), sinks has 5 (dimension 0)}}
  %o = flash.attention %q, %k, %k sinks(%s : tensor<5xf32>)   : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @dropout_operands(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf32>) {
  // expected-error @below {{has dropout_p, but no dropout operands (seed and offset)}}
  %o = flash.attention %q, %k, %k  {dropout_p = 0.5 : f32}  : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @dropout_p(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf32>, %s: i64) {
  // expected-error @below {{has dropout operands, but no dropout_p}}
  %o = flash.attention %q, %k, %k dropout(%s, %s)   : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @dropout_range(%q: tensor<2x4x6x8xf32>, %k: tensor<2x4x6x8xf32>, %s: i64) {
  // expected-error @below {{dropout_p is 1.000000e+00, but must be at least 0 and less than 1}}
  %o = flash.attention %q, %k, %k dropout(%s, %s) {dropout_p = 1.0 : f32}  : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @yield(%q: tensor<2x4x6x8xf32>) {
  %o = flash.attention %q, %q, %q mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %c = arith.constant 0.0 : f32
    // expected-error @below {{yields 'f32' from the mask region, but must yield 'i1'}}
    flash.yield %c : f32
  } : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @region_end(%q: tensor<2x4x6x8xf32>) {
  // expected-error @below {{mask region must end in flash.yield}}
  %o = flash.attention %q, %q, %q mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    llvm.unreachable
  } : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32> -> tensor<2x4x6x8xf32>
  return
}

// -----

// expected-error @below {{window has left = -2, but must have at least 0 (or -1, no bound)}}
func.func private @attribute() attributes {a = #flash.window<left = -2>}

// -----

// expected-error @below {{block_sparse has bq = 0, but must have at least 1}}
func.func private @attribute() attributes {a = #flash.block_sparse<bq = 0, bk = 4>}

// -----

// expected-error @below {{softcap is 0.000000e+00, but must be positive and finite}}
func.func private @attribute() attributes {a = #flash.softcap<0.0>}

// -----

func.func @step_operands(%q: tensor<4x8xf16>, %acc: tensor<4x8xf32>, %r: tensor<4xf32>, %i: index) {
  // expected-error @below {{mask takes 1 mask_operands, but there are 0}}
  %a:3 = flash.online_attention ins(%q, %q, %q : tensor<4x8xf16>, tensor<4x8xf16>, tensor<4x8xf16>)
      outs(%acc, %r, %r : tensor<4x8xf32>, tensor<4xf32>, tensor<4xf32>) positions(%i, %i) keys(%i) {scale = 1.0 : f32, mask = #flash.prefix}
  return
}

// -----

func.func @step_summary(%q: tensor<4x8xf16>, %acc: tensor<4x8xf32>, %r: tensor<4xf32>, %i: index, %ids: tensor<1x4xi32>, %n: i32) {
  // expected-error @below {{mask sums up rows by 2 values, but there are 2 of queries and 1 of keys}}
  %a:3 = flash.online_attention ins(%q, %q, %q : tensor<4x8xf16>, tensor<4x8xf16>, tensor<4x8xf16>)
      outs(%acc, %r, %r : tensor<4x8xf32>, tensor<4xf32>, tensor<4xf32>) positions(%i, %i) keys(%i) queries(%i) place(%i, %i) origins(%i, %i)
      query_summary(%n, %n : i32, i32) key_summary(%n : i32) mask_operands(%ids, %ids : tensor<1x4xi32>, tensor<1x4xi32>)
      {scale = 1.0 : f32, mask = #flash.and<#flash.causal, #flash.segments>}
  return
}

// -----

func.func @step_needless_summary(%q: tensor<4x8xf16>, %acc: tensor<4x8xf32>, %r: tensor<4xf32>, %i: index, %n: i32) {
  // expected-error @below {{mask sums up rows by 0 values, but there are 1 of queries and 1 of keys}}
  %a:3 = flash.online_attention ins(%q, %q, %q : tensor<4x8xf16>, tensor<4x8xf16>, tensor<4x8xf16>)
      outs(%acc, %r, %r : tensor<4x8xf32>, tensor<4xf32>, tensor<4xf32>) positions(%i, %i) keys(%i)
      query_summary(%n : i32) key_summary(%n : i32) {scale = 1.0 : f32, mask = #flash.causal}
  return
}

// -----

func.func @step_place(%q: tensor<4x8xf16>, %acc: tensor<4x8xf32>, %r: tensor<4xf32>, %i: index, %p: tensor<1xi32>) {
  // expected-error @below {{masks with operands, regions, scores and dropout need queries, place and origins}}
  %a:3 = flash.online_attention ins(%q, %q, %q : tensor<4x8xf16>, tensor<4x8xf16>, tensor<4x8xf16>)
      outs(%acc, %r, %r : tensor<4x8xf32>, tensor<4xf32>, tensor<4xf32>) positions(%i, %i) keys(%i)
      mask_operands(%p : tensor<1xi32>) {scale = 1.0 : f32, mask = #flash.prefix}
  return
}

// -----

func.func @keys_have_no_factor(%q: tensor<1x1x4x8xf32>, %k: tensor<1x1x4x8xi8>, %s: tensor<1xf32>) {
  // expected-error @below {{has no key_scale, but keys of type 'i8' need it}}
  %o = flash.attention %q, %k, %q value_scale(%s : tensor<1xf32>) : tensor<1x1x4x8xf32>, tensor<1x1x4x8xi8>, tensor<1x1x4x8xf32> -> tensor<1x1x4x8xf32>
  return
}

// -----

func.func @values_take_no_factor(%q: tensor<1x1x4x8xf32>, %k: tensor<1x1x4x8xi8>, %s: tensor<1xf32>) {
  // expected-error @below {{has value_scale, but values of type 'f32' take none}}
  %o = flash.attention %q, %k, %q key_scale(%s : tensor<1xf32>) value_scale(%s : tensor<1xf32>) : tensor<1x1x4x8xf32>, tensor<1x1x4x8xi8>, tensor<1x1x4x8xf32> -> tensor<1x1x4x8xf32>
  return
}

// -----

func.func @values_have_no_factor(%q: tensor<1x1x4x8xf32>, %v: tensor<1x1x4x8xf8E5M2>) {
  // expected-error @below {{has no value_scale, but values of type 'f8E5M2' need it}}
  %o = flash.attention %q, %q, %v : tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4x8xf8E5M2> -> tensor<1x1x4x8xf32>
  return
}

// -----

func.func @keys_of_a_third_type(%q: tensor<1x1x4x8xf32>, %k: tensor<1x1x4x8xf16>, %v: tensor<1x1x4x8xi8>, %s: tensor<1xf32>) {
  // expected-error @below {{element types differ: query has 'f32', key has 'f16'}}
  %o = flash.attention %q, %k, %v value_scale(%s : tensor<1xf32>) : tensor<1x1x4x8xf32>, tensor<1x1x4x8xf16>, tensor<1x1x4x8xi8> -> tensor<1x1x4x8xf32>
  return
}

// -----

// Lists are those of sequences; how many blocks of queries one has is data.
func.func @ragged_blocks(%q: tensor<1x4x6x8xf32>, %cu: tensor<3xi32>, %n: tensor<3x1x5xi32>, %l: tensor<3x1x5x9xi32>) {
  // expected-error @below {{batch differs: operand 'number of partial blocks' has 3 (dimension 0), the attention has 2}}
  %o = flash.attention %q, %q, %q cu_seqlens_q(%cu : tensor<3xi32>) cu_seqlens_k(%cu : tensor<3xi32>)
      mask_operands(%n, %l, %n, %l : tensor<3x1x5xi32>, tensor<3x1x5x9xi32>, tensor<3x1x5xi32>, tensor<3x1x5x9xi32>) {mask = #flash.block_sparse<bq = 4, bk = 2>}
      : tensor<1x4x6x8xf32>, tensor<1x4x6x8xf32>, tensor<1x4x6x8xf32> -> tensor<1x4x6x8xf32>
  return
}

// -----

func.func @needless_key_scale(%q: tensor<4x8xf16>, %v: tensor<4x8xi8>, %acc: tensor<4x8xf32>, %m: tensor<4xf32>, %i: index, %f: f32) {
  // expected-error @below {{has key_scale, but keys of type 'f16' take none}}
  %a:3 = flash.online_attention ins(%q, %q, %v : tensor<4x8xf16>, tensor<4x8xf16>, tensor<4x8xi8>)
    outs(%acc, %m, %m : tensor<4x8xf32>, tensor<4xf32>, tensor<4xf32>) positions(%i, %i) keys(%i) key_scale(%f) {scale = 1.0 : f32}
  return
}

// -----

func.func @no_key_scale(%q: tensor<4x8xf16>, %k: tensor<4x8xi8>, %acc: tensor<4x8xf32>, %m: tensor<4xf32>, %i: index) {
  // expected-error @below {{has no key_scale, but keys of type 'i8' need it}}
  %a:3 = flash.online_attention ins(%q, %k, %k : tensor<4x8xf16>, tensor<4x8xi8>, tensor<4x8xi8>)
    outs(%acc, %m, %m : tensor<4x8xf32>, tensor<4xf32>, tensor<4xf32>) positions(%i, %i) keys(%i) {scale = 1.0 : f32}
  return
}

// -----

func.func @slice_number(%q: tensor<1x4x7x8xf16>) -> tensor<1x4x7x8xf16> {
  // expected-error @below {{slice has part = 3 of 3, but parts are numbered from 0 to of - 1}}
  %o = flash.attention %q, %q, %q {key_slice = #flash.slice<part = 3, of = 3>} : tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16> -> tensor<1x4x7x8xf16>
  return %o : tensor<1x4x7x8xf16>
}

// -----

func.func @slice_unit(%q: tensor<1x4x7x8xf16>) -> tensor<1x4x7x8xf16> {
  // expected-error @below {{slice has unit = 0, but must have from 1 to 16777216}}
  %o = flash.attention %q, %q, %q {key_slice = #flash.slice<part = 0, of = 3, unit = 0>} : tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16> -> tensor<1x4x7x8xf16>
  return %o : tensor<1x4x7x8xf16>
}

// -----

func.func @slice_of_blocks(%q: tensor<1x4x7x8xf16>, %n: tensor<1x1x2xi32>, %l: tensor<1x1x2x9xi32>) -> tensor<1x4x7x8xf16> {
  // expected-error @below {{key_slice has unit = 12, which is no multiple of the mask's blocks of 8 keys}}
  %o = flash.attention %q, %q, %q mask_operands(%n, %l, %n, %l : tensor<1x1x2xi32>, tensor<1x1x2x9xi32>, tensor<1x1x2xi32>, tensor<1x1x2x9xi32>)
      {mask = #flash.block_sparse<bq = 6, bk = 8>, key_slice = #flash.slice<part = 0, of = 2, unit = 12>}
      : tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16> -> tensor<1x4x7x8xf16>
  return %o : tensor<1x4x7x8xf16>
}

// -----

func.func @slice_far_out(%q: tensor<1x4x7x8xf16>) -> tensor<1x4x7x8xf16> {
  // expected-error @below {{slice has of = 9223372036854775807, but must have from 1 to 16777216}}
  %o = flash.attention %q, %q, %q {key_slice = #flash.slice<part = 0, of = 9223372036854775807>} : tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16> -> tensor<1x4x7x8xf16>
  return %o : tensor<1x4x7x8xf16>
}

// -----

func.func @pages_columns(%k: tensor<?x2x16x64xbf16>, %t: tensor<?x?xi32>, %n: index) -> tensor<48x32xbf16> {
  // expected-error @below {{reads rows of 64 elements to a tile of 32 columns}}
  %tile = flash.read_pages %k[%n] page_table(%t[%n]) first(%n) : tensor<?x2x16x64xbf16>, tensor<?x?xi32> -> tensor<48x32xbf16>
  return %tile : tensor<48x32xbf16>
}

// -----

func.func @pages_shape(%k: tensor<?x2x16x64xbf16>, %t: tensor<?x?xi32>, %n: index) -> tensor<?x64xbf16> {
  // expected-error @below {{reads a tile with a static shape, of rows whose length is known, not 'tensor<?x64xbf16>' from 'tensor<?x2x16x64xbf16>'}}
  %tile = flash.read_pages %k[%n] page_table(%t[%n]) first(%n) : tensor<?x2x16x64xbf16>, tensor<?x?xi32> -> tensor<?x64xbf16>
  return %tile : tensor<?x64xbf16>
}

// -----

func.func @mask_without_queries(%q: tensor<4x8xf16>, %acc: tensor<4x8xf32>, %r: tensor<4xf32>, %i: index) {
  // expected-error @below {{mask needs queries}}
  %a:3 = flash.online_attention ins(%q, %q, %q : tensor<4x8xf16>, tensor<4x8xf16>, tensor<4x8xf16>)
      outs(%acc, %r, %r : tensor<4x8xf32>, tensor<4xf32>, tensor<4xf32>) positions(%i, %i) keys(%i) {scale = 1.0 : f32, mask = #flash.causal}
  return
}

// -----

func.func @hide_dynamic(%v: tensor<?x8xf16>, %c: i1, %n: index) {
  // expected-error @below {{tiles must be static, but values is 'tensor<?x8xf16>'}}
  %w = flash.hide_unseen %v when %c queries(%n) : tensor<?x8xf16> {
  ^bb0(%i: index, %j: index):
    flash.yield %c : i1
  }
  return
}

// -----

func.func @hide_arguments(%v: tensor<4x8xf16>, %c: i1, %n: index) {
  // expected-error @below {{body must take two arguments of type index, a query's row and a key's}}
  %w = flash.hide_unseen %v when %c queries(%n) : tensor<4x8xf16> {
  ^bb0(%i: index):
    flash.yield %c : i1
  }
  return
}

// -----

func.func @hide_yield(%v: tensor<4x8xf16>, %c: i1, %f: f32, %n: index) {
  // expected-error @below {{body must yield an i1}}
  %w = flash.hide_unseen %v when %c queries(%n) : tensor<4x8xf16> {
  ^bb0(%i: index, %j: index):
    flash.yield %f : f32
  }
  return
}
