//===- FlashAttentionBase.td - What attentions share --------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Types of operands, and the operands and attributes that the forward and the
// backward have alike: of the whole operation, and of one step on tiles.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_IR_FLASHATTENTIONBASE
#define FLASH_DIALECT_FLASH_IR_FLASHATTENTIONBASE

include "flash/Dialect/Flash/IR/AttentionInterface.td"
include "flash/Dialect/Flash/IR/FlashOpBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Flash_Tensor4 : TensorRankOf<[F64, F32, F16, BF16], [4]>;
def Flash_KeyTensor4 : TensorRankOf<[F64, F32, F16, BF16, F8E4M3FN, F8E5M2, I8], [4]>;
def Flash_LseTensor : TensorRankOf<[F64, F32], [3]>;
def Flash_HeadTensor : TensorRankOf<[F32], [1]>;
def Flash_CountTensor : TensorRankOf<[I32], [1]>;
def Flash_PageTable : TensorRankOf<[I32], [2]>;
def Flash_Tile : TensorRankOf<[F64, F32, F16, BF16, F8E4M3FN, F8E5M2, I8], [2]>;
def Flash_AccTile : TensorRankOf<[F64, F32], [2]>;
def Flash_RowTile : TensorRankOf<[F64, F32], [1]>;
def Flash_TileScale : Attr<CPred<"::llvm::isa<::mlir::FloatAttr>($_self) && "
    "(::llvm::cast<::mlir::FloatAttr>($_self).getType().isF32() || "
    "::llvm::cast<::mlir::FloatAttr>($_self).getType().isF64())">, "a number of type f32 or f64"> {
  let storageType = "::mlir::FloatAttr";
  let returnType = "double";
  let convertFromStorage = "$_self.getValueAsDouble()";
}
def Flash_ScoreArray : TypedArrayAttrBase<ScoreAttrInterface,
    "score functions in their order, as in [#flash.softcap<30.0 : f32>, #flash.alibi]">;
def Flash_Mask : Attr<CPred<"::llvm::isa<::flash::MaskAttrInterface>($_self)">,
    "a mask, as in #flash.causal, #flash.window<left = 127, right = 0> or #flash.region; several are one by "
    "#flash.and<#flash.causal, #flash.window<left = 127, right = 0>> or #flash.or<...>"> {
  let storageType = "::flash::MaskAttrInterface";
  let returnType = "::flash::MaskAttrInterface";
  let convertFromStorage = "$_self";
}
def Flash_Float : FloatAttrBase<F32, "a float with its type, as in 0.125 : f32">;

/// After the tensors of an attention: positions, lengths, data, and how scores are made.
def Flash_AttentionOptions {
  dag arguments = (ins
    Arg<Optional<Index>,
        "position of row 0 of the query (with ragged sequences, of each one's first row); kv_offset + Sk - Sq where absent">:$q_offset,
    Arg<Optional<Index>, "position of row 0 of the key; 0 where absent">:$kv_offset,
    Arg<Optional<Flash_CountTensor>,
        "sequences + 1 rows of the query: sequence n has rows cu[n] to cu[n + 1] - 1">:$cu_seqlens_q,
    Arg<Optional<Flash_CountTensor>, "sequences + 1 rows of the key, alike">:$cu_seqlens_k,
    Arg<Optional<Flash_CountTensor>,
        "batch (or sequences): how many keys each of them has; the others are never read">:$kv_lengths,
    Arg<Optional<Flash_PageTable>,
        "batch (or sequences) x pages of one: the number of the page in key and value">:$page_table,
    Arg<Optional<Flash_HeadTensor>, "key heads: the factor of each element of 8-bit keys">:$key_scale,
    Arg<Optional<Flash_HeadTensor>, "key heads: the factor of each element of 8-bit values">:$value_scale,
    Arg<Variadic<AnyType>,
        "run-time data of the masks in the attribute mask, in the order in which those stand that take some">:$mask_operands,
    Arg<Variadic<AnyType>, "run-time data of the functions in the attribute scores, in their order">:$score_operands,
    Arg<Optional<Flash_HeadTensor>,
        "query heads: a logit that joins the sum of each row and has no value; natural units, not scaled">:$sinks,
    Arg<Optional<I64>, "seed of dropout: the key of Philox">:$seed,
    Arg<Optional<I64>, "offset of dropout: the last word of Philox's counter">:$dropout_offset,
    Arg<Variadic<AnyType>, "what the score and the mask region read, their last arguments">:$captures,
    Arg<DefaultValuedAttr<Flash_LayoutAttr, "::flash::Layout::BHSD">,
        "order of the dimensions of query, key, value and output">:$layout,
    Arg<OptionalAttr<Flash_Mask>, "which keys a query sees; all where absent">:$mask,
    Arg<OptionalAttr<Flash_ScoreArray>, "what changes a scaled score, in this order">:$scores,
    Arg<OptionalAttr<Flash_Float>, "chance that a probability is dropped, from 0 to less than 1">:$dropout_p,
    Arg<OptionalAttr<Flash_Float>, "factor of Q K^T; 1 / sqrt(dqk) where absent">:$scale,
    Arg<OptionalAttr<Flash_ScheduleAttr>,
        "tiles and how they are worked on; chosen by flash-choose-schedule where absent">:$schedule,
    Arg<OptionalAttr<Flash_SliceAttr>,
        "which of several slices of each batch's keys this attends to; all keys where absent">:$key_slice,
    Arg<UnitAttr, "whether gradients have the same bits in each run">:$deterministic);
  string format = [{
    (`q_offset` `(` $q_offset^ `)`)?
    (`kv_offset` `(` $kv_offset^ `)`)?
    (`cu_seqlens_q` `(` $cu_seqlens_q^ `:` type($cu_seqlens_q) `)`)?
    (`cu_seqlens_k` `(` $cu_seqlens_k^ `:` type($cu_seqlens_k) `)`)?
    (`kv_lengths` `(` $kv_lengths^ `:` type($kv_lengths) `)`)?
    (`page_table` `(` $page_table^ `:` type($page_table) `)`)?
    (`key_scale` `(` $key_scale^ `:` type($key_scale) `)`)?
    (`value_scale` `(` $value_scale^ `:` type($value_scale) `)`)?
    (`mask_operands` `(` $mask_operands^ `:` type($mask_operands) `)`)?
    (`score_operands` `(` $score_operands^ `:` type($score_operands) `)`)?
    (`sinks` `(` $sinks^ `:` type($sinks) `)`)?
    (`dropout` `(` $seed^ `,` $dropout_offset `)`)?
    (`captures` `(` $captures^ `:` type($captures) `)`)? attr-dict ``
  }];
}

/// After the tiles of a step: the same for one block of queries and keys.
def Flash_StepOptions {
  dag arguments = (ins
    Arg<Index, "position of the tile's first query">:$q_position,
    Arg<Index, "position of the block's first key">:$k_position,
    Arg<Index, "how many of the block's keys exist; the others are padding and hidden">:$keys,
    Arg<Optional<Index>,
        "how many of the tile's queries exist (with packing, of its positions); all where absent">:$queries,
    Arg<Optional<Index>, "batch (or sequence) of the tile">:$batch,
    Arg<Optional<Index>, "query head of the tile (with packing, the first of them)">:$head,
    Arg<Optional<Index>, "position of row 0 of tensors that belong to queries">:$q_origin,
    Arg<Optional<Index>, "position of row 0 of tensors that belong to keys">:$k_origin,
    Arg<Optional<I1>, "whether the list that names this block names it as fully visible">:$listed_full,
    Arg<Variadic<AnySignlessIntegerOrIndex>,
        "what the mask's data say of the tile's queries (`buildSummary` of its interface)">:$query_summary,
    Arg<Variadic<AnySignlessIntegerOrIndex>, "what the mask's data say of the block's keys, alike">:$key_summary,
    Arg<Optional<F32>, "factor of each element of 8-bit keys">:$key_scale,
    Arg<Variadic<AnyType>, "run-time data of the mask, as of `flash.attention`">:$mask_operands,
    Arg<Variadic<AnyType>, "run-time data of the score functions, as of `flash.attention`">:$score_operands,
    Arg<Optional<I64>, "seed of dropout">:$seed,
    Arg<Optional<I64>, "offset of dropout">:$dropout_offset,
    Arg<Variadic<AnyType>, "what the regions read, their last arguments">:$captures,
    Arg<Flash_TileScale, "factor of Q K^T">:$scale,
    Arg<OptionalAttr<MaskAttrInterface>, "which keys a query sees; all where absent">:$mask,
    Arg<OptionalAttr<Flash_ScoreArray>, "what changes a scaled score, in this order">:$scores,
    Arg<OptionalAttr<F32Attr>, "chance that a probability is dropped">:$dropout_p,
    Arg<UnitAttr, "scores are computed as keys x queries">:$transposed,
    Arg<UnitAttr, "scores that do not exist ask for the data of the last one that does">:$clamp_reads,
    Arg<OptionalAttr<Flash_PackingAttr>, "which heads' queries the rows are, where a tile has several">:$packing);
  string format = [{
    `positions` `(` $q_position `,` $k_position `)` `keys` `(` $keys `)`
    (`queries` `(` $queries^ `)`)? (`place` `(` $batch^ `,` $head `)`)?
    (`origins` `(` $q_origin^ `,` $k_origin `)`)? (`listed_full` `(` $listed_full^ `)`)?
    (`query_summary` `(` $query_summary^ `:` type($query_summary) `)`)?
    (`key_summary` `(` $key_summary^ `:` type($key_summary) `)`)?
    (`key_scale` `(` $key_scale^ `)`)?
    (`mask_operands` `(` $mask_operands^ `:` type($mask_operands) `)`)?
    (`score_operands` `(` $score_operands^ `:` type($score_operands) `)`)?
    (`dropout` `(` $seed^ `,` $dropout_offset `)`)?
    (`captures` `(` $captures^ `:` type($captures) `)`)? attr-dict
    (`score` $scoreBody^)? (`mask` $maskBody^)?
  }];
}

#endif // FLASH_DIALECT_FLASH_IR_FLASHATTENTIONBASE
