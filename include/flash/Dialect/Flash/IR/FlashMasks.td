//===- FlashMasks.td - The masks ----------------------------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_IR_FLASHMASKS
#define FLASH_DIALECT_FLASH_IR_FLASHMASKS

include "flash/Dialect/Flash/IR/FlashBase.td"
include "flash/Dialect/Flash/IR/MaskInterface.td"
include "flash/Dialect/Flash/IR/ScoreInterface.td"

class Flash_MaskAttr<string name, string attrMnemonic, list<string> methods>
    : Flash_Attr<name, attrMnemonic, [DeclareAttrInterfaceMethods<MaskAttrInterface, methods>]>;

def Flash_CausalAttr : Flash_MaskAttr<"Causal", "causal", ["buildVisibleQueries", "buildIsHidden", "fillsVisibleKeys", "hidesLaterKeys"]> {
  let summary = "A query sees the keys at its own position and before";
  let description = [{
    The query at position q sees the key at position k when k <= q. With the
    default offsets the last query sees the last key (bottom-right alignment).
  }];
}

def Flash_WindowAttr : Flash_MaskAttr<"Window", "window", ["buildVisibleQueries", "buildIsHidden", "fillsVisibleKeys", "hidesLaterKeys"]> {
  let summary = "A query sees a window of keys around its own position";
  let description = [{
    The query at position q sees the key at position k when q - left <= k <= q +
    right. A side that is not given has no bound; `#flash.window<right = 0>` is
    `#flash.causal`.

    ```mlir
    #flash.window<left = 127, right = 0>
    ```
  }];
  let parameters = (ins
    DefaultValuedParameter<"int64_t", "-1", "keys before the query's position (-1: all)">:$left,
    DefaultValuedParameter<"int64_t", "-1", "keys after the query's position (-1: all)">:$right);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def Flash_PrefixAttr : Flash_MaskAttr<"Prefix", "prefix",
    ["buildIsHidden", "fillsVisibleKeys", "getMaskOperandKinds"]> {
  let summary = "Every query sees the keys of a prefix";
  let description = [{
    One mask operand: the prefix's length for each batch, `tensor<Bxi32>`. The
    key at position k is visible when k is less than it. A prefix language model
    has `#flash.or<#flash.causal, #flash.prefix>`.
  }];
}

def Flash_SegmentsAttr : Flash_MaskAttr<"Segments", "segments",
    ["buildIsHidden", "getSummarySize", "buildSummary", "getMaskOperandKinds"]> {
  let summary = "A query sees the keys of its own segment (document)";
  let description = [{
    Two mask operands: the segment of each query, `tensor<BxSqxi32>`, and of each
    key, `tensor<BxSkxi32>`. Visible when they are equal. A block is hidden where the
    ranges of its ids are disjoint, and full where all of them are one.
  }];
}

def Flash_BlockSparseAttr : Flash_MaskAttr<"BlockSparse", "block_sparse",
    ["buildIsHidden", "hasHoles", "getSummarySize", "buildSummary", "needsSummary",
     "buildKeyBlocks", "getBlockSizes", "getMaskOperandKinds"]> {
  let summary = "Blocks of queries see the blocks of keys that a list names";
  let description = [{
    Scores are cut into blocks of `bq` queries and `bk` keys, counted from row 0.
    Four mask operands of i32 say, for each block of queries, which blocks of keys
    it sees in part and which fully:

    | operand | type |
    |---|---|
    | number of partial blocks | tensor<B x H x QB> |
    | partial blocks | tensor<B x H x QB x KB> |
    | number of full blocks | tensor<B x H x QB> |
    | full blocks | tensor<B x H x QB x KB> |

    QB = ceil(Sq / bq); B and H may be 1, for all batches or heads. A block
    stands in at most one of the lists, once. An element of a full block is
    visible; one of a partial block where the mask `partial` sees it (everywhere
    if there is none), whose own operands follow the four.

    Of ragged sequences (`cu_seqlens_q`) B is the number of sequences, blocks are
    counted from the first query and key of each, and QB is as large as the
    longest one needs: a block of queries for which there is no entry sees no key.

    Alone or in `#flash.and` the lists are walked. In `#flash.or`, in `partial`, or
    as the second of an `#flash.and`, each block that is met is looked up in them.

    ```mlir
    #flash.block_sparse<bq = 128, bk = 128, partial = #flash.causal>
    ```
  }];
  let parameters = (ins
    "int64_t":$bq, "int64_t":$bk,
    OptionalParameter<"::flash::MaskAttrInterface", "decides inside partial blocks">:$partial);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

class Flash_CompositeMaskAttr<string name, string attrMnemonic, list<string> more = []> : Flash_MaskAttr<name, attrMnemonic,
    ["buildVisibleQueries", "buildIsHidden", "hasHoles", "getSummarySize", "buildSummary", "needsSummary",
     "hidesLaterKeys", "getBlockSizes", "getMaskOperandKinds"] # more> {
  let parameters = (ins ArrayRefParameter<"::flash::MaskAttrInterface">:$masks);
  let assemblyFormat = "`<` custom<Masks>($masks) `>`";
  let genVerifyDecl = 1;
}

def Flash_AndAttr : Flash_CompositeMaskAttr<"And", "and", ["buildKeyBlocks", "fillsVisibleKeys"]> {
  let summary = "A key is visible if all of several masks show it";
  let description = [{
    The mask operands of the parts follow one another.

    ```mlir
    #flash.and<#flash.causal, #flash.segments>
    ```
  }];
}

def Flash_OrAttr : Flash_CompositeMaskAttr<"Or", "or"> {
  let summary = "A key is visible if any of several masks shows it";
  let description = [{
    The mask operands of the parts follow one another.

    ```mlir
    #flash.or<#flash.window<left = 63, right = 0>, #flash.prefix>
    ```
  }];
}

//===----------------------------------------------------------------------===//
// Score functions
//===----------------------------------------------------------------------===//

class Flash_ScoreAttr<string name, string attrMnemonic, list<string> methods>
    : Flash_Attr<name, attrMnemonic, [DeclareAttrInterfaceMethods<ScoreAttrInterface, methods>]>;

def Flash_SoftcapAttr : Flash_ScoreAttr<"Softcap", "softcap", []> {
  let summary = "Keeps scores within a cap: s becomes cap * tanh(s / cap)";
  let parameters = (ins "::mlir::FloatAttr":$cap);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def Flash_AlibiAttr : Flash_ScoreAttr<"Alibi", "alibi", ["getScoreOperandKinds"]> {
  let summary = "A penalty that grows with distance: s becomes s - slope * |q - k|";
  let description = [{
    One score operand: the slopes, `tensor<Hxf32>` or `tensor<BxHxf32>`. q and k
    are positions. (Press et al., arXiv 2108.12409.)
  }];
}

def Flash_BiasAttr : Flash_ScoreAttr<"Bias", "bias", ["getScoreOperandKinds"]> {
  let summary = "Adds a tensor: s becomes s + bias[b, h, i, j]";
  let description = [{
    One score operand of rank 4, batch x heads x queries x keys, each of which may
    be 1, for all; of f32, f16, bf16 or f64. Indexed by rows, not by positions. A
    bias of -inf hides a key.
  }];
}

def Flash_RegionAttr : Flash_Attr<"Region", "region",
    [DeclareAttrInterfaceMethods<MaskAttrInterface, ["buildVisibleQueries", "buildIsHidden", "hasHoles"]>,
     DeclareAttrInterfaceMethods<ScoreAttrInterface, []>]> {
  let summary = "The attention's own region, as a mask or a score function";
  let description = [{
    Stands for the `mask` region in a mask, for the `score` region in `scores`.
    For a mask region an interval analysis of the body answers for blocks: index
    and i1 arithmetic, comparisons and select are followed, and captures read at
    batch and head. What else the body does makes a block partial. Comparisons
    are solved for the key, or for the query where a loop over queries asks, and
    give that loop its bounds.
  }];
}

#endif // FLASH_DIALECT_FLASH_IR_FLASHMASKS
