//===- FlashOps.td - Operations of the flash dialect --------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_IR_FLASHOPS
#define FLASH_DIALECT_FLASH_IR_FLASHOPS

include "flash/Dialect/Flash/IR/FlashAttentionBase.td"
include "flash/Dialect/Flash/IR/FlashBackwardOps.td"
include "flash/Dialect/Flash/IR/FlashSliceOps.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"

//===----------------------------------------------------------------------===//
// Level 0
//===----------------------------------------------------------------------===//

def Flash_AttentionOp : Flash_Op<"attention", [Pure, AttrSizedOperandSegments, IsolatedFromAbove, SingleBlock,
    AttentionOpInterface,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "Exact attention: O = softmax(score(scale * Q K^T), masked) V, and its log-sum-exp";
  let description = [{
    Shapes, in layout `bhsd` (the default); in `bshd` the second and third
    dimensions are swapped:

    | | |
    |---|---|
    | query | batch x query heads x Sq x dqk |
    | key | batch x key heads x Sk x dqk |
    | value | batch x key heads x Sk x dv |
    | output | batch x query heads x Sq x dv |
    | lse (optional) | batch x query heads x Sq, f32 (f64 for f64), whatever the layout |

    The number of query heads is a multiple of the number of key heads (grouped
    queries): query head h reads key head h / (query heads / key heads). Head dims
    are static, at most 4096 (256 on a GPU); batch, heads and lengths may be dynamic.

    Scores, softmax and both accumulations are in f32 (f64 for f64 inputs); the
    probabilities are rounded to the query's type before they meet V. The output
    has the query's element type, or f32 (partial results, for `flash.merge`).

    Query row i stands at position `q_offset + i` and key j at `kv_offset + j`.
    `kv_offset` defaults to 0 and `q_offset` to `kv_offset + Sk - Sq`, so that the
    last query is aligned with the last key. A row that sees no key gives O = 0 and
    LSE = -inf. Lengths may be zero. `lse` is the natural logarithm of the sum of the
    exponentials of the scores that reach softmax (before dropout).

    ```mlir
    %o, %lse = flash.attention %q, %k, %v q_offset(%i) {mask = #flash.causal, scale = 0.125 : f32}
        : tensor<?x32x?x64xf16>, tensor<?x8x?x64xf16>, tensor<?x8x?x64xf16>
        -> tensor<?x32x?x64xf16>, tensor<?x32x?xf32>
    ```

    What happens to a score, in this order: scale; score functions in the order of
    `scores`; mask; sink; softmax; dropout.

    **Masks.** `mask` is an attribute, composed with `#flash.and` and `#flash.or`;
    its run-time data are `mask_operands`, in the order in which the masks that
    take them stand. `#flash.region` is the `mask` region, and the mask itself if
    `mask` is not given. The region says whether the query at position %i sees the key
    at position %j, in batch %b and query head %h; after these come the
    `captures`, to be indexed inside. Positions equal rows where the offsets are 0.

    ```mlir
    %o = flash.attention %q, %k, %v mask_operands(%qs, %ks : tensor<?x?xi32>, tensor<?x?xi32>)
        captures(%len : tensor<?xindex>) {mask = #flash.and<#flash.segments, #flash.region>}
        mask {
      ^bb0(%b: index, %h: index, %i: index, %j: index, %lens: tensor<?xindex>):
        %n = tensor.extract %lens[%b] : tensor<?xindex>
        %seen = arith.cmpi slt, %j, %n : index
        flash.yield %seen : i1
      } : tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32> -> tensor<?x4x?x64xf32>
    ```

    **Scores.** `scores` lists `#flash.softcap`, `#flash.alibi`, `#flash.bias` and
    `#flash.region` in the order in which they apply, with `score_operands` for
    them. The `score` region takes the score before the arguments of a `mask`
    region, and yields one of the same type. Both regions have all captures. A
    capture may be read at any position that exists; others are never asked for.

    **Sinks.** `sinks` holds a logit for each query head: exp(sink) joins the sum of
    the row, and so LSE, but has no value. Neither scale nor score functions meet it.
    A row that sees no key gives O = 0, and its sink as LSE.

    **Dropout.** With `dropout_p`, each probability is dropped with chance p, after
    normalisation, and those kept are divided by 1 - p; LSE does not see it. Which
    are dropped follows from (seed, offset) and (batch, head, query position,
    key position) alone: Philox 4x32-10, whatever the tiling and the target. With
    query position q and key position k, the counter is (k / 2, q / 2, 65536 *
    batch + head, offset), the key (seed, seed / 2^32 xor offset / 2^32), each
    modulo 2^32 and divisions rounding down; of the four words the one with number
    k mod 2 + 2 (q mod 2) is the element's, which is dropped if that is less than
    p * 2^32. `batch` is the sequence of ragged ones.

    **Ragged sequences.** With `cu_seqlens_q` and `cu_seqlens_k` the batch is 1 and
    sequences lie one after another along the length: sequence n has rows
    `cu[n]` to `cu[n + 1]`, and is an attention of its own with its own positions.
    Where operands have a batch (prefixes, lengths, a region's %b), n is it;
    those that belong to rows (segments, biases) have batch 1 and are packed alike.
    Rows in no sequence give O = 0 and LSE = -inf. There is at least one sequence.

    **Paged keys and values.** With `page_table` (batch x pages of a sequence), key
    is pages x key heads x page size x dqk (`bshd`: pages x page size x key heads x
    dqk), value alike; key j of batch n is row j mod page size of the page
    `page_table[n][j / page size]`. `kv_lengths` says how many keys each batch
    has, paged or not; the others are never read.

    **A slice of the keys.** With `key_slice` each batch (or sequence) attends to
    one of several slices of the keys that it has, whatever says how many those
    are; positions stay those of all keys, and so do `q_offset`'s default, rows of
    operands and numbers of key blocks. `flash.merge` joins the slices.

    **8-bit keys and values** (f8E4M3FN, f8E5M2, i8; both, of one type or of two, or
    one of them): each element is multiplied by `key_scale` or `value_scale` of its
    key head, which is there exactly where it has 8 bits.

    **Deterministic.** A forward has the same bits in each run; `deterministic` asks
    the same of its gradients, and `flash-differentiate` passes it on to
    `flash.attention_backward`.

    Source: Dao et al., FlashAttention (arXiv 2205.14135) and FlashAttention-2 (arXiv 2307.08691).
  }];
  let arguments = !con((ins
    Arg<Flash_Tensor4, "Q: batch x query heads x Sq x dqk, in `layout`">:$query,
    Arg<Flash_KeyTensor4, "K: batch x key heads x Sk x dqk (paged: pages x key heads x page size x dqk)">:$key,
    Arg<Flash_KeyTensor4, "V: batch x key heads x Sk x dv (paged alike)">:$value),
    Flash_AttentionOptions.arguments);
  let results = (outs
    Res<Flash_Tensor4, "O: batch x query heads x Sq x dv, in `layout`">:$output,
    Res<Optional<Flash_LseTensor>,
        "natural logarithm of each row's sum of exponentials, before dropout: batch x query heads x Sq, whatever the layout">:$lse);
  let regions = (region AnyRegion:$scoreBody, AnyRegion:$maskBody);
  let assemblyFormat = !strconcat("$query `,` $key `,` $value ", Flash_AttentionOptions.format, [{
    custom<Bodies>($scoreBody, $maskBody)
    `:` type($query) `,` type($key) `,` type($value)
    `->` type($output) (`,` type($lse)^)?
  }]);
  let extraClassDeclaration = [{
    /// A copy with other result types.
    ::flash::AttentionOp cloneWithTypes(::mlir::OpBuilder &builder, ::mlir::TypeRange types);
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let hasCanonicalizer = 1;
}

def Flash_YieldOp : Flash_Op<"yield", [Pure, Terminator,
    ParentOneOf<["AttentionOp", "AttentionBackwardOp", "OnlineAttentionOp", "BackwardStepOp", "HideUnseenOp"]>]> {
  let summary = "Ends a score or mask region";
  let description = [{
    Yields the new score (of the type of the score that the region got), or
    whether the key is visible (i1).
  }];
  let arguments = (ins
    Arg<AnyTypeOf<[F64, F32, I1]>, "the new score, or whether the key is visible">:$value);
  let assemblyFormat = "$value attr-dict `:` type($value)";
}

def Flash_MergeOp : Flash_Op<"merge", [Pure, SameVariadicOperandSize,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "Joins attentions of the same queries over disjoint keys";
  let description = [{
    Each part is an output (in layout `layout`) with its log-sum-exp (batch x heads
    x length). The result is what one attention over all the keys would give:
    `lse = log(sum_i exp(lse_i))`, `o = sum_i exp(lse_i - lse) o_i`, in f32, rounded
    to the output's element type. A row that no part has keys for gives O = 0 and
    LSE = -inf.

    ```mlir
    %o, %lse = flash.merge outputs(%o0, %o1 : tensor<1x4x9x64xf32>, tensor<1x4x9x64xf32>)
        lses(%l0, %l1 : tensor<1x4x9xf32>, tensor<1x4x9xf32>)
        -> tensor<1x4x9x64xbf16>, tensor<1x4x9xf32>
    ```
  }];
  let arguments = (ins
    Arg<Variadic<Flash_Tensor4>, "the parts' outputs: batch x heads x length x dv, in `layout`">:$outputs,
    Arg<Variadic<Flash_LseTensor>, "the parts' log-sum-exps (natural): batch x heads x length">:$lses,
    Arg<DefaultValuedAttr<Flash_LayoutAttr, "::flash::Layout::BHSD">,
        "order of the dimensions of the outputs">:$layout,
    Arg<OptionalAttr<Flash_ScheduleAttr>, "tiles and how they are worked on">:$schedule);
  let results = (outs
    Res<Flash_Tensor4, "what one attention over all keys gives">:$output,
    Res<Optional<Flash_LseTensor>, "and its log-sum-exp">:$lse);
  let assemblyFormat = [{
    `outputs` `(` $outputs `:` type($outputs) `)` `lses` `(` $lses `:` type($lses) `)` attr-dict
    `->` type($output) (`,` type($lse)^)?
  }];
  let hasVerifier = 1;
  let hasFolder = 0;
  let hasCanonicalizer = 1;
}

//===----------------------------------------------------------------------===//
// Level 1
//===----------------------------------------------------------------------===//

def Flash_OnlineAttentionOp : Flash_Op<"online_attention", [Pure,
    AttrSizedOperandSegments, IsolatedFromAbove, SingleBlock, DestinationStyleOpInterface, AllTypesMatch<["acc", "acc_out"]>,
    AllTypesMatch<["max", "max_out"]>, AllTypesMatch<["sum", "sum_out"]>,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "One tile step of attention that carries its unnormalised state";
  let description = [{
    Takes a query tile and one block of keys and values, and updates the state
    (acc, max, sum): the unnormalised output, the running maximum of the scores
    before scaling, and the running sum of the exponentials.

    Plain form: query M x dqk, key N x dqk, value N x dv, acc M x dv, max and sum M.
    `transposed` form: query dqk x M, acc dv x M, the others alike.

    `positions(%q, %k)` are the positions of the tile's first query row and first
    key; `keys(%n)` says how many of the block's keys exist (the others are padding
    and hidden; at least the block's size when all do).

    `queries(%n)` says how many of the tile's queries exist; masks and score
    functions need it. What those of them that look at more than positions need
    besides: `place(%b, %h)`, batch and query head, and `origins(%q,
    %k)`, the positions of row 0 of tensors that belong to queries and to keys.
    With `clamp_reads`, scores that do not exist ask for the data of the last one
    that does, as vectors can; without, they ask for none.
    With `packing`, rows are queries of several heads, as it says: `place` has the
    first of them, and `queries` counts the positions that exist.
    `listed_full(%i)` says, in a loop over all the blocks that lists name, whether
    the list names this one as fully visible. `query_summary(...)` and
    `key_summary(...)` are what the mask's data say of the rows that exist
    (`buildSummary` of its interface), where that was asked. `key_scale(%s)` is the factor of 8-bit keys. The other operands and the
    regions are those of `flash.attention`.
  }];
  let arguments = !con((ins
    Arg<Flash_Tile, "queries: M x dqk, transposed dqk x M">:$query,
    Arg<Flash_Tile, "a block of keys: N x dqk">:$key,
    Arg<Flash_Tile, "a block of values: N x dv">:$value,
    Arg<Flash_AccTile, "unnormalised output so far: M x dv, transposed dv x M">:$acc,
    Arg<Flash_RowTile, "M: running maximum of the scores before scaling; -inf at first">:$max,
    Arg<Flash_RowTile, "M: running sum of the exponentials">:$sum),
    Flash_StepOptions.arguments);
  let results = (outs
    Res<Flash_AccTile, "acc after this block">:$acc_out,
    Res<Flash_RowTile, "max after this block">:$max_out,
    Res<Flash_RowTile, "sum after this block">:$sum_out);
  let regions = (region AnyRegion:$scoreBody, AnyRegion:$maskBody);
  let assemblyFormat = !strconcat([{
    `ins` `(` $query `,` $key `,` $value `:` type($query) `,` type($key) `,` type($value) `)`
    `outs` `(` $acc `,` $max `,` $sum `:` type($acc) `,` type($max) `,` type($sum) `)`
  }], Flash_StepOptions.format);
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return ::mlir::MutableOperandRange(*this, /*start=*/3, /*length=*/3);
    }
    /// What the interfaces of masks and score functions are given.
    ::flash::TilePlace getPlace(::mlir::ValueRange operands, ::mlir::Region &body);
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Level 2
//===----------------------------------------------------------------------===//

def Flash_OnlineSoftmaxOp : Flash_Op<"online_softmax", [Pure,
    DestinationStyleOpInterface, AllTypesMatch<["p_init", "p"]>,
    AllTypesMatch<["max", "max_out"]>, AllTypesMatch<["sum", "sum_out"]>,
    AllTypesMatch<["alpha_init", "alpha"]>,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "Running softmax over one block of scores";
  let description = [{
    With c = scale * log2(e), everything in the type of the scores (f32 or f64) and
    the reduction along `dim`:

    ```
    max' = max(max, rowmax(scores))
    m    = max' == -inf ? 0 : max'
    p    = exp2((scores - m) * c)                  (rounded to the type of p)
    alpha = exp2((max - m) * c)
    sum' = sum * alpha + rowsum(p before rounding)
    ```

    `scale` is positive. The contents of the destinations of p and alpha do not
    matter. `dim` is 1 for scores M x N and 0 for scores N x M. One op yields all
    four, so that the state bufferises in place.
  }];
  let arguments = (ins
    Arg<Flash_AccTile, "M x N (dim 1) or N x M (dim 0), before scaling">:$scores,
    Arg<Flash_Tile, "where p goes; its contents do not matter">:$p_init,
    Arg<Flash_RowTile, "M: running maximum of the scores before scaling">:$max,
    Arg<Flash_RowTile, "M: running sum of the exponentials">:$sum,
    Arg<Flash_RowTile, "where alpha goes; its contents do not matter">:$alpha_init,
    Arg<F32Attr, "factor of the scores, positive">:$scale,
    Arg<ConfinedAttr<I64Attr, [IntNonNegative, IntMaxValue<1>]>,
        "the dimension of the scores that is reduced: their keys">:$dim);
  let results = (outs
    Res<Flash_Tile, "exponentials of the scores, rounded to its type">:$p,
    Res<Flash_RowTile, "max after this block">:$max_out,
    Res<Flash_RowTile, "sum after this block">:$sum_out,
    Res<Flash_RowTile, "M: the factor that takes what was accumulated before to the new maximum">:$alpha);
  let assemblyFormat = [{
    `ins` `(` $scores `:` type($scores) `)`
    `outs` `(` $p_init `,` $max `,` $sum `,` $alpha_init `:`
           type($p_init) `,` type($max) `,` type($sum) `,` type($alpha_init) `)` attr-dict
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return ::mlir::MutableOperandRange(*this, /*start=*/1, /*length=*/4);
    }
  }];
  let hasVerifier = 1;
}

def Flash_HideUnseenOp : Flash_Op<"hide_unseen", [RecursiveMemoryEffects, SingleBlock,
    AllTypesMatch<["values", "result"]>]> {
  let summary = "Values of which those that no query sees are zero";
  let description = [{
    The tile of keys or values (N x d), in which, where `when` holds, row j is zero
    if the body yields false for each of `queries` rows i. A hidden key has
    probability 0, but 0 times a value that is NaN or infinite is NaN. Rows that
    are finite may stay as they are.

    The body gets i and j within the tiles. It may read tensors from outside, and
    is asked for padding, too: it answers for rows that do not exist as for one
    that does.

    Example:

    ```mlir
    %w = flash.hide_unseen %v when %cut queries(%c128) : tensor<64x128xf32> {
    ^bb0(%i: index, %j: index):
      %q = arith.addi %i, %q0 : index
      %k = arith.addi %j, %k0 : index
      %sees = arith.cmpi sle, %k, %q : index
      flash.yield %sees : i1
    }
    ```
  }];
  let arguments = (ins
    Arg<Flash_Tile, "a block of values: N x dv">:$values,
    Arg<I1, "whether anything can be hidden here">:$when,
    Arg<Index, "rows of queries that the body is asked for">:$queries);
  let results = (outs
    Res<Flash_Tile, "the values, those that no query sees zero">:$result);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$values `when` $when `queries` `(` $queries `)` attr-dict `:` type($result) $body";
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

def Flash_ReadPagesOp : Flash_Op<"read_pages", [Pure,
    AllElementTypesMatch<["source", "tile"]>]> {
  let summary = "A tile of keys or values that lies in pages";
  let description = [{
    Row r of the tile (n x d), for r < `rows`, is key j = `first` + r of sequence
    `batch`: row `j mod page size` of page `page_table[batch][j / page size]`, at
    `head`. Numbers in the table are kept within the pages that exist. Other rows
    (all exist where `rows` is not given), and columns beyond those of `source`,
    are zero.

    A tile that never crosses a page is a slice, and none of these.

    Example:

    ```mlir
    %t = flash.read_pages %k[%h] page_table(%table[%b]) first(%k0) rows(%n)
        : tensor<?x2x16x64xbf16>, tensor<?x?xi32> -> tensor<128x64xbf16>
    ```
  }];
  let arguments = (ins
    Arg<Flash_KeyTensor4, "keys or values in pages: pages x key heads x page size x d, in `layout`">:$source,
    Arg<Index, "key head">:$head,
    Arg<Flash_PageTable, "sequences x pages of one: numbers of pages">:$page_table,
    Arg<Index, "the sequence: a row of page_table">:$batch,
    Arg<Index, "key of the sequence that is row 0 of the tile">:$first,
    Arg<Optional<Index>, "how many rows of the tile exist; all where absent">:$rows,
    Arg<DefaultValuedAttr<Flash_LayoutAttr, "::flash::Layout::BHSD">, "order of the dimensions of source">:$layout);
  let results = (outs
    Res<Flash_Tile, "n x d: the rows, zero where there are none">:$tile);
  let assemblyFormat = [{
    $source `[` $head `]` `page_table` `(` $page_table `[` $batch `]` `)` `first` `(` $first `)`
    (`rows` `(` $rows^ `)`)? attr-dict
    `:` type($source) `,` type($page_table) `->` type($tile)
  }];
  let extraClassDeclaration = [{
    int64_t getLengthDim() { return getLayout() == ::flash::Layout::BHSD ? 2 : 1; }
    int64_t getHeadsDim() { return 3 - getLengthDim(); }
  }];
  let hasVerifier = 1;
}

#endif // FLASH_DIALECT_FLASH_IR_FLASHOPS
