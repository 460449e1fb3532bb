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
    Arg<Optional<Index>, "position of the first query">:$q_offset,
    Arg<Optional<Index>, "position of the first key">:$kv_offset,
    Arg<Optional<Flash_CountTensor>, "where each sequence's queries begin, and the end">:$cu_seqlens_q,
    Arg<Optional<Flash_CountTensor>, "where each sequence's keys begin, and the end">:$cu_seqlens_k,
    Arg<Optional<Flash_CountTensor>, "how many keys each batch (or sequence) has">:$kv_lengths,
    Arg<Optional<Flash_PageTable>, "pages of each batch (or sequence)">:$page_table,
    Arg<Optional<Flash_HeadTensor>, "factor of each key head's keys">:$key_scale,
    Arg<Optional<Flash_HeadTensor>, "factor of each key head's values">:$value_scale,
    Arg<Variadic<AnyType>, "run-time data of the mask">:$mask_operands,
    Arg<Variadic<AnyType>, "run-time data of the score functions">:$score_operands,
    Arg<Optional<Flash_HeadTensor>, "a logit for each query head">:$sinks,
    Arg<Optional<I64>, "of dropout">:$seed, Arg<Optional<I64>, "of dropout">:$dropout_offset,
    Arg<Variadic<AnyType>, "what the regions read">:$captures,
    DefaultValuedAttr<Flash_LayoutAttr, "::flash::Layout::BHSD">:$layout,
    OptionalAttr<Flash_Mask>:$mask,
    OptionalAttr<Flash_ScoreArray>:$scores,
    OptionalAttr<Flash_Float>:$dropout_p,
    OptionalAttr<Flash_Float>:$scale,
    OptionalAttr<Flash_ScheduleAttr>:$schedule,
    OptionalAttr<Flash_SliceAttr>:$key_slice);
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
    Index:$q_position, Index:$k_position, Index:$keys,
    Optional<Index>:$queries, Optional<Index>:$batch, Optional<Index>:$head,
    Optional<Index>:$q_origin, Optional<Index>:$k_origin, Optional<I1>:$listed_full,
    Variadic<AnySignlessIntegerOrIndex>:$query_summary, Variadic<AnySignlessIntegerOrIndex>:$key_summary,
    Optional<F32>:$key_scale,
    Variadic<AnyType>:$mask_operands, Variadic<AnyType>:$score_operands,
    Optional<I64>:$seed, Optional<I64>:$dropout_offset, Variadic<AnyType>:$captures,
    Flash_TileScale:$scale, OptionalAttr<MaskAttrInterface>:$mask,
    OptionalAttr<Flash_ScoreArray>:$scores, OptionalAttr<F32Attr>:$dropout_p, UnitAttr:$transposed,
    UnitAttr:$clamp_reads,     OptionalAttr<Flash_PackingAttr>:$packing);
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
