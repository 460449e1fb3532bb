//===- TileAttrs.td - Attributes of the tile dialect -------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Register layouts, matrix instructions and the enumerations of the dialect.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_TILE_IR_TILEATTRS_TD
#define FLASH_DIALECT_TILE_IR_TILEATTRS_TD

include "flash/Dialect/Tile/IR/TileDialect.td"
include "flash/Dialect/Tile/IR/TileInterfaces.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

//===----------------------------------------------------------------------===//
// Layouts
//===----------------------------------------------------------------------===//

class FlashTile_Layout<string name, string attrMnemonic>
    : AttrDef<FlashTile_Dialect, name,
        [DeclareAttrInterfaceMethods<FlashTile_LayoutAttrInterface,
           ["getRank", "getElementsPerLane", "getLanePlaces", "verifyFragment"]>]> {
  let mnemonic = attrMnemonic;
  let parameters = (ins "int64_t":$warps, DefaultValuedParameter<"int64_t", "1">:$column_groups);
  let assemblyFormat = "`<` $warps (`,` `column_groups` `=` $column_groups^)? `>`";
  let builders = [AttrBuilder<(ins "int64_t":$warps, CArg<"int64_t", "1">:$columnGroups), [{
    return $_get($_ctxt, warps, columnGroups);
  }]>];
  let skipDefaultBuilders = 1;
  let genVerifyDecl = 1;
}

def FlashTile_AccLayout : FlashTile_Layout<"AccLayout", "acc"> {
  let summary = "accumulator of a matrix instruction";
  let description = [{
    Rows are dealt to W warps, 16 at a time: warp w holds rows
    `r*16*W + 16*w .. +15` for each repetition r. Within the 16 rows the
    layout is that of `mma.sync.m16n8` and of one warp of `wgmma.m64nN`: with
    `g = lane / 4` and `c = lane % 4`, for each 8 columns i a lane holds
    `d[4*i]` and `d[4*i + 1]`: row g, columns `8*i + 2*c` and the next; and
    `d[4*i + 2]` and `d[4*i + 3]`: row g + 8, the same columns.

    Eight warps of `mma.sync` and two warpgroups of `wgmma` have the same
    layout for 128 rows.

    With `column_groups = C` the warps stand in a grid: W / C of them along the
    rows, and warp w holds the columns of group `w / (W / C)`, one of C equal
    parts. A tile with too few rows for all warps is shared out like this.

    Examples: `#flash_tile.acc<8>`, `#flash_tile.acc<8, column_groups = 2>`.
  }];
}

def FlashTile_LhsLayout : FlashTile_Layout<"LhsLayout", "lhs"> {
  let summary = "first operand of a matrix instruction, 16-bit elements";
  let description = [{
    The A operand in registers, rows dealt as in `#flash_tile.acc`. For each 16
    columns k a lane holds four packed pairs: rows g and g + 8 of the pair of
    columns at `16*k + 2*c`, then rows g and g + 8 of the pair at
    `16*k + 8 + 2*c`. These are, in order, the pairs of the accumulator
    layout: converting an accumulator to this layout moves nothing between
    lanes.

    Example: `#flash_tile.lhs<8>`.
  }];
}

def FlashTile_StreamLayout : AttrDef<FlashTile_Dialect, "StreamLayout",
    [DeclareAttrInterfaceMethods<FlashTile_LayoutAttrInterface,
       ["getRank", "getElementsPerLane", "getLanePlaces", "verifyFragment"]>]> {
  let mnemonic = "stream";
  let summary = "runs of neighbouring columns, for what is read and written as it comes";
  let description = [{
    Rows are dealt as in `#flash_tile.acc`, so that a `row` vector goes with it.
    Of each `4 * run` columns, lane c of the four that share a row holds those
    from `run * c` on: a run of 16 bytes is one access to memory. A lane has the
    runs of its first row, one after the other, then those of the next row.
    16-bit elements are packed in pairs.

    No product takes or gives such a fragment. With `run = 2` lanes hold the
    columns that they hold of an accumulator, in another order.

    Example: `#flash_tile.stream<4, run = 8>`, a run being 16 bytes of bf16;
    `#flash_tile.stream<8, run = 4, column_groups = 2>`.
  }];
  let parameters = (ins "int64_t":$warps, "int64_t":$run, DefaultValuedParameter<"int64_t", "1">:$column_groups);
  let assemblyFormat = "`<` $warps `,` `run` `=` $run (`,` `column_groups` `=` $column_groups^)? `>`";
  let builders = [AttrBuilder<(ins "int64_t":$warps, "int64_t":$run, CArg<"int64_t", "1">:$columnGroups), [{
    return $_get($_ctxt, warps, run, columnGroups);
  }]>];
  let skipDefaultBuilders = 1;
  let genVerifyDecl = 1;
}

def FlashTile_RowLayout : FlashTile_Layout<"RowLayout", "row"> {
  let summary = "one value for each row";
  let description = [{
    A vector over the rows of an accumulator: each of the four lanes that share
    a row holds the row's value. A lane has two values for each repetition, rows
    g and g + 8. Groups of columns have the same values.

    Example: `#flash_tile.row<8>`.
  }];
}

def FlashTile_RowPartialLayout : FlashTile_Layout<"RowPartialLayout", "row_partial"> {
  let summary = "one value for each row and each lane of its quad";
  let description = [{
    As `#flash_tile.row`, but each of the four lanes that share a row holds a
    partial result of its own: a reduction over the columns that the lane
    holds. `flash_tile.all_reduce` makes a `row` of it. A sum kept like this in
    a loop needs no shuffle until after the loop.

    Example: `#flash_tile.row_partial<8>`.
  }];
}

def FlashTile_ColLayout : FlashTile_Layout<"ColLayout", "col"> {
  let summary = "one value for each column";
  let description = [{
    A vector over the columns of an accumulator: each of the eight lanes that
    share a column holds the column's value, in all warps of its group. For each
    8 columns i a lane has two values, of columns `8*i + 2*c` and the next.

    Example: `#flash_tile.col<8>`.
  }];
}

def FlashTile_ColPartialLayout : FlashTile_Layout<"ColPartialLayout", "col_partial"> {
  let summary = "one value for each column, each lane that shares it and each warp";
  let description = [{
    As `#flash_tile.col`, but each lane holds a partial result of its own: a
    reduction over the rows that the lane holds. `flash_tile.all_reduce` makes a
    `col` of it.

    Example: `#flash_tile.col_partial<8>`.
  }];
}

//===----------------------------------------------------------------------===//
// Matrix instructions
//===----------------------------------------------------------------------===//

class FlashTile_Instruction<string name, string attrMnemonic, list<string> methods = []>
    : AttrDef<FlashTile_Dialect, name,
        [DeclareAttrInterfaceMethods<FlashTile_InstructionAttrInterface, methods>]> {
  let mnemonic = attrMnemonic;
}

def FlashTile_MmaSync : FlashTile_Instruction<"MmaSync", "mma_sync", ["getWarpProduct"]> {
  let summary = "mma.sync.m16n8k16";
  let description = [{
    The tensor-core instruction of one warp (sm_80 and later). A and B come
    from registers: the lowering loads B, and A if it is a shared tile, with
    `ldmatrix`. Synchronous.
  }];
}

def FlashTile_Wgmma : FlashTile_Instruction<"Wgmma", "wgmma", ["takesHalfStep"]> {
  let summary = "wgmma.mma_async.m64nNk16";
  let description = [{
    The tensor-core instruction of a warpgroup, four warps (sm_90a). B comes
    from shared memory, A from shared memory or from registers. Asynchronous:
    `flash_tile.mma` waits for it, `flash_tile.mma_start` does not.
  }];
}

//===----------------------------------------------------------------------===//
// Places in device memory
//===----------------------------------------------------------------------===//

def FlashTile_PackedRows : AttrDef<FlashTile_Dialect, "PackedRows"> {
  let mnemonic = "packed_rows";
  let summary = "rows of a tile along two dimensions of a memref";
  let description = [{
    Rows run along `row_dim` of a transfer and, `size` of them, along `dim`: row r
    of M is

    ```
    r / size       along row_dim,  r % size       along dim
    r % (M / size) along row_dim,  r / (M / size) along dim   with outer
    ```

    Example: `#flash_tile.packed_rows<dim = 2, size = 8>`, 8 heads at each of the
    positions that `row_dim` counts.
  }];
  let parameters = (ins "int64_t":$dim, "int64_t":$size,
    DefaultValuedParameter<"bool", "false">:$outer);
  let assemblyFormat = "`<` struct(params) `>`";
  let extraClassDeclaration = [{
    /// Of a tile of `rows` rows: how many lie along the other dimension, and how
    /// many neighbours along the one that is inside.
    int64_t getOthers(int64_t rows) const { return rows / getSize(); }
    int64_t getInside(int64_t rows) const {
      return getOuter() ? getOthers(rows) : getSize();
    }
  }];
}

//===----------------------------------------------------------------------===//
// Enumerations
//===----------------------------------------------------------------------===//

def FlashTile_ReduceKind : I32EnumAttr<"ReduceKind",
    "how values are joined: max and min ignore NaN, maximum and minimum keep it", [
    I32EnumAttrCase<"Max", 0, "max">, I32EnumAttrCase<"Add", 1, "add">,
    I32EnumAttrCase<"Min", 2, "min">, I32EnumAttrCase<"Mul", 3, "mul">,
    I32EnumAttrCase<"Maximum", 4, "maximum">, I32EnumAttrCase<"Minimum", 5, "minimum">]> {
  let cppNamespace = "::flash::tile";
}

def FlashTile_CacheHint : I32EnumAttr<"CacheHint", "what is to become of lines in the L2 cache", [
    I32EnumAttrCase<"EvictFirst", 0, "evict_first">, I32EnumAttrCase<"EvictLast", 1, "evict_last">]> {
  let cppNamespace = "::flash::tile";
}

def FlashTile_RingKind : I32EnumAttr<"RingKind", "how a ring is filled and awaited", [
    I32EnumAttrCase<"CpAsync", 0, "cp_async">,
    I32EnumAttrCase<"MBarrier", 1, "mbarrier">]> {
  let cppNamespace = "::flash::tile";
}

#endif // FLASH_DIALECT_TILE_IR_TILEATTRS_TD
