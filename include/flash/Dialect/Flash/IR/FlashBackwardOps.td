//===- FlashBackwardOps.td - Gradients of attention ---------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The backward of attention at level 0, the decision of what it recomputes, and
// one step of it at level 1.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_IR_FLASHBACKWARDOPS
#define FLASH_DIALECT_FLASH_IR_FLASHBACKWARDOPS

include "flash/Dialect/Flash/IR/FlashAttentionBase.td"

def Flash_OuterLoop : I32EnumAttr<"OuterLoop", "which loop of a backward is outside", [
    I32EnumAttrCase<"Keys", 0, "keys">, I32EnumAttrCase<"Queries", 1, "queries">,
    I32EnumAttrCase<"Both", 2, "both">, I32EnumAttrCase<"Each", 3, "each">]> {
  let cppNamespace = "::flash";
  let genSpecializedAttr = 0;
}

def Flash_GradientSum : I32EnumAttr<"GradientSum", "how blocks add up the gradient of the loop inside", [
    I32EnumAttrCase<"Added", 0, "added">, I32EnumAttrCase<"Owned", 1, "owned">]> {
  let cppNamespace = "::flash";
  let genSpecializedAttr = 0;
}

def Flash_StatisticsForm : I32EnumAttr<"StatisticsForm", "how a step takes the statistics of queries", [
    I32EnumAttrCase<"Operands", 0, "operands">, I32EnumAttrCase<"Product", 1, "product">]> {
  let cppNamespace = "::flash";
  let genSpecializedAttr = 0;
}

def Flash_RecomputeAttr : Flash_Attr<"Recompute", "recompute"> {
  let summary = "What a backward recomputes, in which loops, and how it adds up gradients";
  let description = [{
    Chosen by `flash-schedule-recompute`; put it on a `flash.attention_backward` to
    override. All forms keep O and LSE alone and compute S and P = exp(S - LSE)
    again, block by block.

    | `outer` | products | what is outside |
    |---|---|---|
    | `keys` | 5 | blocks of keys; each step adds a block to dQ |
    | `queries` | 3 | blocks of queries; dQ alone |
    | `both` | 7 | two loops, keys outside for dK and dV, queries outside for dQ; no sum has an order that changes |
    | `each` | 8 | as `both`, with a loop for dK and one for dV: for head dims of which registers hold one gradient alone |

    `sum` says, for `keys`, who adds to dQ: `added`, all blocks of keys at the same
    time, in any order; `owned`, one that walks all keys of a key head, in order.

    `statistics` says, for `keys`, how LSE and delta of a query meet its scores:
    `operands`, as vectors that are subtracted from tiles of S and dP; `product`, as
    16 columns more of the products that make the tiles. A statistic is the sum of
    three numbers of 8 bits' precision each, so that ones times these three, added up
    in f32, is what was to be subtracted. Matrix units have time for it where loads
    and subtractions of 32 bits do not. LSE stays an operand where functions of scores
    stand between the product and the exponential.

    ```mlir
    #flash.recompute<outer = keys, sum = added>
    #flash.recompute<outer = keys, sum = added, statistics = product>
    ```
  }];
  let parameters = (ins
    DefaultValuedParameter<"::flash::OuterLoop", "::flash::OuterLoop::Keys", "the loop outside">:$outer,
    DefaultValuedParameter<"::flash::GradientSum", "::flash::GradientSum::Added", "how dQ is added up">:$sum,
    DefaultValuedParameter<"::flash::StatisticsForm", "::flash::StatisticsForm::Operands", "how LSE and delta meet the scores">:$statistics);
  // Prints what is a default, too: a decision is there to be read.
  let hasCustomAssemblyFormat = 1;
}

def Flash_AttentionBackwardOp : Flash_Op<"attention_backward", [Pure, AttrSizedOperandSegments, AttrSizedResultSegments,
    IsolatedFromAbove, SingleBlock, AttentionOpInterface,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "Gradients of attention for its queries, keys, values and other floats";
  let description = [{
    From the operands of a `flash.attention`, its results `output` and `lse`, and the
    gradient of a loss for them, `d_output` and (optional) `d_lse`, the gradients for
    query, key and value, each of its operand's type, and each optional: one that is
    not there costs nothing.

    | | |
    |---|---|
    | output, d_output | batch x query heads x Sq x dv, in `layout` |
    | lse, d_lse | batch x query heads x Sq, f32 (f64 for f64), whatever the layout |

    With S the scores after scale, score functions and mask, and everything in the
    accumulation type (f32; f64 for f64 inputs):

    ```
    P     = exp(S - lse)
    delta = rowsum(d_output * output) - d_lse
    dS    = P * (d_output V^T - delta) * score'(scale * Q K^T)
    dQ = scale * dS K      dK = scale * dS^T Q      dV = P^T d_output
    ```

    P and dS are rounded to the query's type before they meet d_output, K and Q. With
    grouped queries the gradients of a key head are summed over its query heads. Rows
    that see no key (lse = -inf) have the gradient 0 and give none. `d_output` has the
    query's element type; `output` may have f32, as of partial results.

    The other operands, attributes and regions are those of `flash.attention`. That
    of `sinks` is the sum over all rows of exp(sink - lse) * -delta. A gradient for floats that score functions or regions read (a bias, slopes,
    captures) is a result of its own: `operands_with_gradient` numbers those that
    have one, counting through `score_operands` and then `captures`. It has its
    operand's type, and the sum over all scores that read an element: broadcast
    dimensions are summed. Scores are met in one order, so that the sums have the
    same bits in each run.

    `deterministic`: all gradients have the same bits in each run; the extra memory
    still grows with the length alone. Without it blocks may add to dQ in any order
    (`#flash.recompute`, `sum = added`).

    ```mlir
    %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %lse, %do {mask = #flash.causal}
        : tensor<1x8x?x64xbf16>, tensor<1x2x?x64xbf16>, tensor<1x2x?x64xbf16>,
          tensor<1x8x?x64xbf16>, tensor<1x8x?xf32>, tensor<1x8x?x64xbf16>
        -> query tensor<1x8x?x64xbf16> key tensor<1x2x?x64xbf16> value tensor<1x2x?x64xbf16>
    %dslopes = flash.attention_backward %q, %k, %v, %o, %lse, %do score_operands(%slopes : tensor<8xf32>)
        {scores = [#flash.alibi], operands_with_gradient = array<i64: 0>}
        : tensor<1x8x?x64xbf16>, tensor<1x2x?x64xbf16>, tensor<1x2x?x64xbf16>,
          tensor<1x8x?x64xbf16>, tensor<1x8x?xf32>, tensor<1x8x?x64xbf16>
        -> operands tensor<8xf32>
    ```

    Source: Dao, FlashAttention-2 (arXiv 2307.08691), algorithm 2.
  }];
  let arguments = !con((ins
    Arg<Flash_Tensor4, "Q: batch x query heads x Sq x dqk, in `layout`">:$query,
    Arg<Flash_KeyTensor4, "K: batch x key heads x Sk x dqk">:$key,
    Arg<Flash_KeyTensor4, "V: batch x key heads x Sk x dv">:$value,
    Arg<Flash_Tensor4, "O, the result of the forward: batch x query heads x Sq x dv">:$output,
    Arg<Flash_LseTensor,
        "natural logarithm of each row's sum of exponentials, from the forward: batch x query heads x Sq">:$lse,
    Arg<Flash_Tensor4, "gradient of the loss for O: batch x query heads x Sq x dv">:$d_output,
    Arg<Optional<Flash_LseTensor>, "gradient of the loss for lse: batch x query heads x Sq; 0 where absent">:$d_lse),
    Flash_AttentionOptions.arguments,
    (ins
    Arg<OptionalAttr<Flash_RecomputeAttr>,
        "what the backward computes again, and how gradients are added up; chosen by flash-schedule-recompute where absent">:$recompute,
    Arg<OptionalAttr<DenseI64ArrayAttr>,
        "numbers of the score_operands, and after them the captures, of which d_operands are the gradients">:$operands_with_gradient));
  let results = (outs
    Res<Optional<Flash_Tensor4>, "gradient for Q, of its type">:$d_query,
    Res<Optional<Flash_KeyTensor4>, "gradient for K, of its type">:$d_key,
    Res<Optional<Flash_KeyTensor4>, "gradient for V, of its type">:$d_value,
    Res<Optional<Flash_HeadTensor>, "gradient for the sinks">:$d_sinks,
    Res<Variadic<AnyRankedTensor>, "gradients for floats that scores read, each of its operand's type">:$d_operands);
  let regions = (region AnyRegion:$scoreBody, AnyRegion:$maskBody);
  let assemblyFormat = !strconcat([{
    $query `,` $key `,` $value `,` $output `,` $lse `,` $d_output (`d_lse` `(` $d_lse^ `:` type($d_lse) `)`)?
  }], Flash_AttentionOptions.format, [{
    custom<Bodies>($scoreBody, $maskBody)
    `:` type($query) `,` type($key) `,` type($value) `,` type($output) `,` type($lse) `,` type($d_output)
    `->` (`query` type($d_query)^)? (`key` type($d_key)^)? (`value` type($d_value)^)?
      (`sinks` type($d_sinks)^)? (`operands` type($d_operands)^)?
  }]);
  let extraClassDeclaration = [{
    /// The floats that score functions and regions may read, as
    /// `operands_with_gradient` numbers them.
    ::llvm::SmallVector<::mlir::Value> getReadOperands();
    /// Whether what it recomputes, which is decided, gives the same bits in each
    /// run.
    bool hasFixedOrder();
    /// The operand that each of `d_operands` is the gradient of.
    ::llvm::SmallVector<::mlir::Value> getOperandsOfGradients();
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let hasCanonicalizer = 1;
}

//===----------------------------------------------------------------------===//
// Level 1
//===----------------------------------------------------------------------===//

/// One number of each row, or rows of numbers that are added up.
def Flash_StatisticTile : AnyTypeOf<[Flash_RowTile, TensorRankOf<[BF16], [2]>]>;

def Flash_BackwardStepOp : Flash_Op<"backward_step", [Pure, AttrSizedOperandSegments, AttrSizedResultSegments,
    IsolatedFromAbove, SingleBlock]> {
  let summary = "One tile step of the backward of attention";
  let description = [{
    Takes a tile of M queries with their part of d_output, and a block of N keys and
    values, computes their scores again, and adds to those of the gradients that it
    is given: dQ (M x dqk), dK (N x dqk), dV (N x dv), in the accumulation type and
    without the factor `scale`.

    | operand | shape | |
    |---|---|---|
    | query, key, value, d_output | M x dqk, N x dqk, N x dv, M x dv | tiles, padded with 0 |
    | lse | M | log-sum-exp in units of log 2; +inf where a row sees no key or is padding |
    | delta | M | rowsum(d_output * output) - d_lse |
    | lse, delta | 16 x M, bf16 | instead: rows whose sum is -LSE / scale, or -delta; what scores and their gradients begin with |
    | query_t, d_output_t, key_t, value_t | dqk x M, dv x M, dqk x N, dv x N | transposed copies for the products that contract head dims, where a target reads them faster |

    `transposed`: scores are computed as keys x queries. Positions, place, origins
    and the other operands are those of `flash.online_attention`.

    Two more results serve gradients of what score functions read: `scores`, the
    products Q K^T before all that happens to them, and `d_scores`, the gradient for
    what the score functions make of them: P * (dP - delta), 0 where a query does not
    see a key, or there is none. Both have the form of scores.
  }];
  let arguments = !con((ins
    Arg<Flash_Tile, "queries: M x dqk, padded with 0">:$query,
    Arg<Flash_Tile, "keys: N x dqk, padded with 0">:$key,
    Arg<Flash_Tile, "values: N x dv, padded with 0">:$value,
    Arg<Flash_Tile, "gradient for O: M x dv, padded with 0">:$d_output,
    Arg<Flash_StatisticTile,
        "M: log-sum-exp in units of log 2, +inf where a row sees no key or is padding; or 16 x M, rows whose sum is -LSE / scale">:$lse,
    Arg<Flash_StatisticTile, "M: rowsum(d_output * output) - d_lse; or 16 x M, rows whose sum is -delta">:$delta,
    Arg<Optional<Flash_Tile>, "dqk x M: a transposed copy of query">:$query_t,
    Arg<Optional<Flash_Tile>, "dv x M: a transposed copy of d_output">:$d_output_t,
    Arg<Optional<Flash_Tile>, "dqk x N: a transposed copy of key">:$key_t,
    Arg<Optional<Flash_Tile>, "dv x N: a transposed copy of value">:$value_t,
    Arg<Optional<Flash_AccTile>, "M x dqk: what the step's dQ / scale is added to">:$d_query_in,
    Arg<Optional<Flash_AccTile>, "N x dqk: what its dK / scale is added to">:$d_key_in,
    Arg<Optional<Flash_AccTile>, "N x dv: what its dV is added to">:$d_value_in),
    Flash_StepOptions.arguments);
  let results = (outs
    Res<Optional<Flash_AccTile>, "d_query_in with the step's part">:$d_query,
    Res<Optional<Flash_AccTile>, "d_key_in with the step's part">:$d_key,
    Res<Optional<Flash_AccTile>, "d_value_in with the step's part">:$d_value,
    Res<Optional<Flash_AccTile>, "products Q K^T, before what happens to scores">:$scores_out,
    Res<Optional<Flash_AccTile>, "gradient for what score functions make of them">:$d_scores);
  let regions = (region AnyRegion:$scoreBody, AnyRegion:$maskBody);
  let assemblyFormat = !strconcat([{
    `ins` `(` $query `,` $key `,` $value `,` $d_output `,` $lse `,` $delta `:`
      type($query) `,` type($key) `,` type($value) `,` type($d_output) `,` type($lse) `,` type($delta) `)`
    (`query_t` `(` $query_t^ `:` type($query_t) `)`)? (`d_output_t` `(` $d_output_t^ `:` type($d_output_t) `)`)?
    (`key_t` `(` $key_t^ `:` type($key_t) `)`)? (`value_t` `(` $value_t^ `:` type($value_t) `)`)?
    (`d_query` `(` $d_query_in^ `:` type($d_query_in) `)`)? (`d_key` `(` $d_key_in^ `:` type($d_key_in) `)`)?
    (`d_value` `(` $d_value_in^ `:` type($d_value_in) `)`)?
  }], Flash_StepOptions.format, [{
    `->` (`query` type($d_query)^)? (`key` type($d_key)^)? (`value` type($d_value)^)?
      (`scores` type($scores_out)^)? (`d_scores` type($d_scores)^)?
  }]);
  let extraClassDeclaration = [{
    /// What the interfaces of masks and score functions are given.
    ::flash::TilePlace getPlace(::mlir::ValueRange operands, ::mlir::Region &body);
    /// The type of scores and sums.
    ::mlir::Type getAccumulatorType();
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

#endif // FLASH_DIALECT_FLASH_IR_FLASHBACKWARDOPS
