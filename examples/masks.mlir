// Each mask, as docs/Masks.md explains it.
//
//   flash-opt examples/masks.mlir --pass-pipeline='builtin.module(func.func(
//     flash-choose-schedule{target=cpu:x86-64-v3},flash-tile-attention,flash-decompose-attention),canonicalize,cse)'
//   flash-run examples/masks.mlir --entry=window --check

!q = tensor<?x8x?x64xf32>
!k = tensor<?x2x?x64xf32>

func.func @window(%q: !q, %k: !k, %v: !k) -> !q {
  // docs: begin window
  %o = flash.attention %q, %k, %v {mask = #flash.window<left = 255, right = 0>} : !q, !k, !k -> !q
  // docs: end window
  return %o : !q
}

func.func @prefix_lm(%q: !q, %k: !k, %v: !k, %prefixes: tensor<?xi32>) -> !q {
  // docs: begin prefix
  %o = flash.attention %q, %k, %v mask_operands(%prefixes : tensor<?xi32>)
      {mask = #flash.or<#flash.causal, #flash.prefix>} : !q, !k, !k -> !q
  // docs: end prefix
  return %o : !q
}

func.func @documents(%q: !q, %k: !k, %v: !k, %qdoc: tensor<?x?xi32>, %kdoc: tensor<?x?xi32>) -> !q {
  // docs: begin segments
  %o = flash.attention %q, %k, %v mask_operands(%qdoc, %kdoc : tensor<?x?xi32>, tensor<?x?xi32>)
      {mask = #flash.and<#flash.causal, #flash.segments>} : !q, !k, !k -> !q
  // docs: end segments
  return %o : !q
}

func.func @region(%q: !q, %k: !k, %v: !k, %widths: tensor<8xi32>) -> !q {
  // docs: begin region
  %o = flash.attention %q, %k, %v captures(%widths : tensor<8xi32>) {mask = #flash.and<#flash.causal, #flash.region>} mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index, %w: tensor<8xi32>):
    %distance = arith.subi %i, %j : index
    %width = tensor.extract %w[%h] : tensor<8xi32>
    %reach = arith.index_cast %width : i32 to index
    %seen = arith.cmpi slt, %distance, %reach : index
    flash.yield %seen : i1
  } : !q, !k, !k -> !q
  // docs: end region
  return %o : !q
}

func.func @block_sparse(%q: !q, %k: !k, %v: !k, %partial_count: tensor<1x8x?xi32>, %partial: tensor<1x8x?x?xi32>,
                        %full_count: tensor<1x8x?xi32>, %full: tensor<1x8x?x?xi32>) -> !q {
  // docs: begin block_sparse
  %o = flash.attention %q, %k, %v
      mask_operands(%partial_count, %partial, %full_count, %full
                    : tensor<1x8x?xi32>, tensor<1x8x?x?xi32>, tensor<1x8x?xi32>, tensor<1x8x?x?xi32>)
      {mask = #flash.block_sparse<bq = 128, bk = 128, partial = #flash.causal>} : !q, !k, !k -> !q
  // docs: end block_sparse
  return %o : !q
}

func.func @window_or_blocks(%q: !q, %k: !k, %v: !k, %partial_count: tensor<1x1x?xi32>, %partial: tensor<1x1x?x?xi32>,
                            %full_count: tensor<1x1x?xi32>, %full: tensor<1x1x?x?xi32>) -> !q {
  // docs: begin window_or_blocks
  // A window, and blocks of keys that lie elsewhere (Longformer's global ones, BigBird's random ones).
  %o = flash.attention %q, %k, %v
      mask_operands(%partial_count, %partial, %full_count, %full
                    : tensor<1x1x?xi32>, tensor<1x1x?x?xi32>, tensor<1x1x?xi32>, tensor<1x1x?x?xi32>)
      {mask = #flash.and<#flash.causal, #flash.or<#flash.window<left = 255>, #flash.block_sparse<bq = 64, bk = 64>>>}
      : !q, !k, !k -> !q
  // docs: end window_or_blocks
  return %o : !q
}

func.func @ragged(%q: tensor<1x8x?x64xf32>, %k: tensor<1x2x?x64xf32>, %v: tensor<1x2x?x64xf32>, %cq: tensor<?xi32>, %ck: tensor<?xi32>)
    -> tensor<1x8x?x64xf32> {
  // docs: begin ragged
  %o = flash.attention %q, %k, %v cu_seqlens_q(%cq : tensor<?xi32>) cu_seqlens_k(%ck : tensor<?xi32>) {mask = #flash.causal}
      : tensor<1x8x?x64xf32>, tensor<1x2x?x64xf32>, tensor<1x2x?x64xf32> -> tensor<1x8x?x64xf32>
  // docs: end ragged
  return %o : tensor<1x8x?x64xf32>
}

func.func @paged(%q: !q, %k: tensor<?x2x16x64xf32>, %v: tensor<?x2x16x64xf32>, %lengths: tensor<?xi32>, %table: tensor<?x?xi32>) -> !q {
  // docs: begin paged
  %o = flash.attention %q, %k, %v kv_lengths(%lengths : tensor<?xi32>) page_table(%table : tensor<?x?xi32>) {mask = #flash.causal}
      : !q, tensor<?x2x16x64xf32>, tensor<?x2x16x64xf32> -> !q
  // docs: end paged
  return %o : !q
}
