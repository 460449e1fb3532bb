//===- FlashOps.td - Operations of the flash dialect --------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_IR_FLASHOPS
#define FLASH_DIALECT_FLASH_IR_FLASHOPS

include "flash/Dialect/Flash/IR/FlashBase.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Flash_Op<string mnemonic, list<Trait> traits = []>
    : Op<Flash_Dialect, mnemonic, traits>;

def Flash_InputElement : AnyTypeOf<[F32, F16, BF16]>;
def Flash_Tensor4 : TensorRankOf<[F32, F16, BF16], [4]>;
def Flash_LseTensor : TensorRankOf<[F32], [3]>;
def Flash_Tile : TensorRankOf<[F32, F16, BF16], [2]>;
def Flash_AccTile : TensorRankOf<[F32], [2]>;
def Flash_RowTile : TensorRankOf<[F32], [1]>;

//===----------------------------------------------------------------------===//
// Level 0
//===----------------------------------------------------------------------===//

def Flash_AttentionOp : Flash_Op<"attention", [Pure, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "Exact attention: O = softmax(scale * Q K^T + mask) V, and its log-sum-exp";
  let description = [{
    Shapes, in layout `bhsd` (the default); in `bshd` the second and third
    dimensions are swapped:

    | | |
    |---|---|
    | query | batch x query heads x Sq x dqk |
    | key | batch x key heads x Sk x dqk |
    | value | batch x key heads x Sk x dv |
    | output | batch x query heads x Sq x dv |
    | lse (optional) | batch x query heads x Sq, f32, whatever the layout |

    The number of query heads is a multiple of the number of key heads (grouped
    queries): query head h reads key head h / (query heads / key heads). Head dims
    are static, at most 256; batch, heads and lengths may be dynamic.

    Scores, softmax and both accumulations are in f32; the probabilities are
    rounded to the value's type before they meet V. The output has the query's
    element type, or f32 (partial results, for `flash.merge`).

    Query row i stands at position `q_offset + i` and key j at `kv_offset + j`.
    `kv_offset` defaults to 0 and `q_offset` to `kv_offset + Sk - Sq`, so that the
    last query is aligned with the last key. A row that sees no key gives O = 0 and
    LSE = -inf. Lengths may be zero. `lse` is the natural logarithm of the sum of the
    exponentials of the scaled scores.

    ```mlir
    %o, %lse = flash.attention %q, %k, %v q_offset(%i) {mask = #flash.causal, scale = 0.125 : f32}
        : tensor<?x32x?x64xf16>, tensor<?x8x?x64xf16>, tensor<?x8x?x64xf16>
        -> tensor<?x32x?x64xf16>, tensor<?x32x?xf32>
    ```

    Source: Dao et al., FlashAttention (arXiv 2205.14135) and FlashAttention-2 (arXiv 2307.08691).
  }];
  let arguments = (ins
    Flash_Tensor4:$query, Flash_Tensor4:$key, Flash_Tensor4:$value,
    Optional<Index>:$q_offset, Optional<Index>:$kv_offset,
    DefaultValuedAttr<Flash_LayoutAttr, "::flash::Layout::BHSD">:$layout,
    OptionalAttr<MaskAttrInterface>:$mask,
    OptionalAttr<F32Attr>:$scale,
    OptionalAttr<Flash_ScheduleAttr>:$schedule);
  let results = (outs Flash_Tensor4:$output, Optional<Flash_LseTensor>:$lse);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`q_offset` `(` $q_offset^ `)`)?
    (`kv_offset` `(` $kv_offset^ `)`)? attr-dict
    `:` type($query) `,` type($key) `,` type($value)
    `->` type($output) (`,` type($lse)^)?
  }];
  let extraClassDeclaration = [{
    /// Which dimension of Q, K, V and O is which, by the layout.
    static constexpr int64_t kBatchDim = 0, kHeadDimDim = 3;
    int64_t getHeadsDim() { return getLayout() == Layout::BHSD ? 1 : 2; }
    int64_t getLengthDim() { return getLayout() == Layout::BHSD ? 2 : 1; }
    int64_t getQKHeadDim() { return getQuery().getType().getDimSize(kHeadDimDim); }
    int64_t getVHeadDim() { return getValue().getType().getDimSize(kHeadDimDim); }
    /// The scale, by default 1/sqrt(dqk).
    float getScaleOrDefault();
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
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
    Variadic<Flash_Tensor4>:$outputs, Variadic<Flash_LseTensor>:$lses,
    DefaultValuedAttr<Flash_LayoutAttr, "::flash::Layout::BHSD">:$layout);
  let results = (outs Flash_Tensor4:$output, Optional<Flash_LseTensor>:$lse);
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
    DestinationStyleOpInterface, AllTypesMatch<["acc", "acc_out"]>,
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
  }];
  let arguments = (ins
    Flash_Tile:$query, Flash_Tile:$key, Flash_Tile:$value,
    Flash_AccTile:$acc, Flash_RowTile:$max, Flash_RowTile:$sum,
    Index:$q_position, Index:$k_position, Index:$keys,
    F32Attr:$scale, OptionalAttr<MaskAttrInterface>:$mask, UnitAttr:$transposed);
  let results = (outs Flash_AccTile:$acc_out, Flash_RowTile:$max_out, Flash_RowTile:$sum_out);
  let assemblyFormat = [{
    `ins` `(` $query `,` $key `,` $value `:` type($query) `,` type($key) `,` type($value) `)`
    `outs` `(` $acc `,` $max `,` $sum `:` type($acc) `,` type($max) `,` type($sum) `)`
    `positions` `(` $q_position `,` $k_position `)` `keys` `(` $keys `)` attr-dict
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return ::mlir::MutableOperandRange(*this, /*start=*/3, /*length=*/3);
    }
  }];
  let hasVerifier = 1;
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
    With c = scale * log2(e), everything in f32 and the reduction along `dim`:

    ```
    max' = max(max, rowmax(scores))
    m    = max' == -inf ? 0 : max'
    p    = exp2(scores * c - m * c)                (rounded to the type of p)
    alpha = exp2(max * c - m * c)
    sum' = sum * alpha + rowsum(p before rounding)
    ```

    `scale` is positive. The contents of the destinations of p and alpha do not
    matter. `dim` is 1 for scores M x N and 0 for scores N x M. One op yields all
    four, so that the state bufferises in place.
  }];
  let arguments = (ins
    Flash_AccTile:$scores, Flash_Tile:$p_init, Flash_RowTile:$max, Flash_RowTile:$sum,
    Flash_RowTile:$alpha_init, F32Attr:$scale,
    ConfinedAttr<I64Attr, [IntNonNegative, IntMaxValue<1>]>:$dim);
  let results = (outs Flash_Tile:$p, Flash_RowTile:$max_out, Flash_RowTile:$sum_out, Flash_RowTile:$alpha);
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

#endif // FLASH_DIALECT_FLASH_IR_FLASHOPS
