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
  let summary = "Gradients of attention for its queries, keys and values";
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

    The other operands, attributes and regions are those of `flash.attention`.

    ```mlir
    %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %lse, %do {mask = #flash.causal}
        : tensor<1x8x?x64xbf16>, tensor<1x2x?x64xbf16>, tensor<1x2x?x64xbf16>,
          tensor<1x8x?x64xbf16>, tensor<1x8x?xf32>, tensor<1x8x?x64xbf16>
        -> query tensor<1x8x?x64xbf16> key tensor<1x2x?x64xbf16> value tensor<1x2x?x64xbf16>
    ```

    Source: Dao, FlashAttention-2 (arXiv 2307.08691), algorithm 2.
  }];
  let arguments = !con((ins
    Arg<Flash_Tensor4, "Q">:$query, Arg<Flash_KeyTensor4, "K">:$key, Arg<Flash_KeyTensor4, "V">:$value,
    Arg<Flash_Tensor4, "O">:$output, Arg<Flash_LseTensor, "log-sum-exp of each row">:$lse,
    Arg<Flash_Tensor4, "gradient for O">:$d_output,
    Arg<Optional<Flash_LseTensor>, "gradient for the log-sum-exp">:$d_lse),
    Flash_AttentionOptions.arguments,
    (ins OptionalAttr<Flash_RecomputeAttr>:$recompute));
  let results = (outs Optional<Flash_Tensor4>:$d_query, Optional<Flash_KeyTensor4>:$d_key,
    Optional<Flash_KeyTensor4>:$d_value);
  let regions = (region AnyRegion:$scoreBody, AnyRegion:$maskBody);
  let assemblyFormat = !strconcat([{
    $query `,` $key `,` $value `,` $output `,` $lse `,` $d_output (`d_lse` `(` $d_lse^ `:` type($d_lse) `)`)?
  }], Flash_AttentionOptions.format, [{
    custom<Bodies>($scoreBody, $maskBody)
    `:` type($query) `,` type($key) `,` type($value) `,` type($output) `,` type($lse) `,` type($d_output)
    `->` (`query` type($d_query)^)? (`key` type($d_key)^)? (`value` type($d_value)^)?
  }]);
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
  }];
  let arguments = !con((ins
    Flash_Tile:$query, Flash_Tile:$key, Flash_Tile:$value, Flash_Tile:$d_output,
    Flash_StatisticTile:$lse, Flash_StatisticTile:$delta,
    Optional<Flash_Tile>:$query_t, Optional<Flash_Tile>:$d_output_t,
    Optional<Flash_Tile>:$key_t, Optional<Flash_Tile>:$value_t,
    Optional<Flash_AccTile>:$d_query_in, Optional<Flash_AccTile>:$d_key_in, Optional<Flash_AccTile>:$d_value_in),
    Flash_StepOptions.arguments);
  let results = (outs Optional<Flash_AccTile>:$d_query, Optional<Flash_AccTile>:$d_key,
    Optional<Flash_AccTile>:$d_value);
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
