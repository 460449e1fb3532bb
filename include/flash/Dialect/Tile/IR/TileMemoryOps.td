//===- TileMemoryOps.td - Shared memory --------------------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tiles in shared memory: copies to it, what fragments read of it and write to it.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_TILE_IR_TILEMEMORYOPS_TD
#define FLASH_DIALECT_TILE_IR_TILEMEMORYOPS_TD

include "flash/Dialect/Tile/IR/TileOpBase.td"

def FlashTile_PageTable : MemRefRankOf<[I32], [2]>;

def FlashTile_LoadOp : FlashTile_TransferOp<"load", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "copies a tile of a memref to shared memory and waits for it";
  let description = [{
    Copies rows `offsets[row_dim]` on and columns `offsets[last]` on, at the
    position that the other offsets give, to a tile in shared memory that this
    op owns. All threads of the block copy, and all may read the tile
    afterwards: the op is a barrier before and after.

    Only the first `rows` rows and `cols` columns of the tile exist (all, when
    an operand is absent): the others are not read and become zero. Negative
    counts are as zero, larger ones as all. `to_end` says that `rows` is what the
    memref has left along `row_dim`, or the whole tile: what is after the last row
    lies outside of the memref, where the copy engine reads zeros. Without it the
    rows may end before the memref does, as those of a sequence of many.

    `row_dim` is the dimension of the memref along the rows, the last but one
    by default. With `packed` they run along a second one, too, all along which
    exist: `rows` counts along `row_dim`. The last dimension must be contiguous.
    `alignment` is what is known of the address of each row's first element, in bytes (default: the
    size of an element): 16 allows 16-byte `cp.async`, less is copied in
    smaller pieces.

    With `pages` the rows of a sequence lie in pages, along dimension 0 of the
    memref, and row j of it (the offset of `row_dim` and those after it) is row
    j mod P of page `pages[sequence][j / P]`, P being the memref's extent along
    `row_dim`. Numbers in the table are kept within the pages that exist. The
    offset of dimension 0 is not looked at.

    `shared_offset` is the place in shared memory, set by
    `flash-tile-allocate-shared`.

    Example:

    ```mlir
    %t = flash_tile.load %k[%b, %h, %i, %c0] rows(%n) to_end {alignment = 16 : i64}
        : memref<?x8x?x128xbf16> -> !flash_tile.shared<64x128xbf16>
    %p = flash_tile.load %k[%c0, %h, %j, %c0] rows(%n) pages(%table[%b] : memref<?x?xi32>) {alignment = 16 : i64}
        : memref<?x8x16x128xbf16> -> !flash_tile.shared<64x128xbf16>
    ```
  }];
  let arguments = (ins
    Arg<AnyStridedMemRef, "where the tile is read from">:$source,
    Arg<Variadic<Index>,
        "the place of the tile's first element, one number for each dimension of the memref or map, in elements">:$offsets,
    Arg<Optional<Index>, "rows that exist, the others being zero; all where absent">:$rows,
    Arg<UnitAttr, "rows is what the memref has left along row_dim, or the whole tile">:$to_end,
    Arg<Optional<Index>, "columns that exist, alike">:$cols,
    Arg<Optional<FlashTile_PageTable>, "sequences x pages of one: numbers of pages">:$pages,
    Arg<Optional<Index>, "the sequence: a row of pages">:$sequence,
    Arg<OptionalAttr<I64Attr>, "the dimension of the memref along the rows; the last but one where absent">:$row_dim,
    Arg<DefaultValuedAttr<I64Attr, "0">,
        "bytes that the address of each row's first element is known to be a multiple of; 0: the size of an element">:$alignment,
    Arg<OptionalAttr<I64Attr>, "place in shared memory, in bytes; set by flash-tile-allocate-shared">:$shared_offset,
    Arg<OptionalAttr<FlashTile_PackedRows>, "the second dimension that rows run along">:$packed);
  let results = (outs
    Res<FlashTile_Shared, "the tile, which this op owns">:$tile);
  let assemblyFormat = [{
    $source `[` $offsets `]` (`rows` `(` $rows^ `)`)? (`to_end` $to_end^)?
    (`cols` `(` $cols^ `)`)?
    (`pages` `(` $pages^ `[` $sequence `]` `:` type($pages) `)`)?
    attr-dict `:` type($source) `->` qualified(type($tile))
  }];
  let extraClassDeclaration = transferDeclaration # [{
    int64_t getTileRank() { return 2; }
  }];
}

def FlashTile_ClearUnseenOp : FlashTile_Op<"clear_unseen", [SingleBlock,
    MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "clears rows of a tile that no query sees, if they are not finite";
  let description = [{
    Where `when` holds: makes row j of the tile zero if the body yields false for
    each of `queries` rows i (0 times NaN is NaN, so that a probability of 0
    does not keep a value out of a product). A tile that is finite throughout,
    which all warps look at together, is left as it is. Stands after what makes
    the tile ready and before the product that reads it. `when` and the body are
    the same for all threads. The body reads values from outside; it is asked for
    rows that do not exist, too.

    In a kernel with roles `flash_tile.watch` does it, and this op does not stand.

    Example:

    ```mlir
    flash_tile.clear_unseen %v when %cut queries(%c128) : !flash_tile.shared<64x128xbf16> {
    ^bb0(%i: index, %j: index):
      %sees = arith.cmpi sle, %j, %i : index
      flash_tile.yield %sees : i1
    }
    ```
  }];
  let arguments = (ins
    Arg<FlashTile_Shared, "the tile that is looked at and changed">:$tile,
    Arg<I1, "whether anything can be hidden here">:$when,
    Arg<Index, "rows of queries that the body is asked for">:$queries);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $tile `when` $when `queries` `(` $queries `)` attr-dict `:` qualified(type($tile)) $body
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let hasCanonicalizeMethod = 1;
}

def FlashTile_LoadFragmentOp : FlashTile_Op<"load_fragment", [MemoryEffects<[MemRead]>]> {
  let summary = "loads an A operand from shared memory to registers";
  let description = [{
    Every warp loads its rows with `ldmatrix`: all columns, or the first ones.
    Used for what is multiplied many times. An acc fragment whose warps have whole
    rows lies in registers as an A operand does, and may be loaded, too.

    Example:

    ```mlir
    %a = flash_tile.load_fragment %q
        : !flash_tile.shared<128x64xbf16> -> !flash_tile.fragment<128x64xbf16, #flash_tile.lhs<8>>
    ```
  }];
  let arguments = (ins
    Arg<FlashTile_Shared, "M x K, 16-bit elements">:$tile);
  let results = (outs
    Res<FlashTile_Fragment, "the same as the A operand of a matrix instruction">:$result);
  let assemblyFormat = "$tile attr-dict `:` qualified(type($tile)) `->` qualified(type($result))";
  let hasVerifier = 1;
}

def FlashTile_StoreSharedOp : FlashTile_Op<"store_shared", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "stores a fragment to shared memory";
  let description = [{
    Writes an acc or lhs fragment of 16-bit elements to a tile in shared memory
    that this op owns, to be an operand of products: as it is or transposed, on
    either side. Computing warps write, and all may read the tile afterwards:
    the op is a barrier of theirs before and after. `shared_offset` is the
    place in shared memory, set by `flash-tile-allocate-shared`.

    Example:

    ```mlir
    %t = flash_tile.store_shared %ds
        : !flash_tile.fragment<128x64xbf16, #flash_tile.acc<8>> -> !flash_tile.shared<128x64xbf16>
    ```
  }];
  let arguments = (ins
    Arg<FlashTile_Fragment, "M x N, 16-bit elements">:$value,
    Arg<OptionalAttr<I64Attr>, "place in shared memory, in bytes; set by flash-tile-allocate-shared">:$shared_offset);
  let results = (outs
    Res<FlashTile_Shared, "the tile, which this op owns">:$tile);
  let assemblyFormat = [{
    $value attr-dict `:` qualified(type($value)) `->` qualified(type($tile))
  }];
  let hasVerifier = 1;
}

def FlashTile_ReadOp : FlashTile_Op<"read", [MemoryEffects<[MemRead]>]> {
  let summary = "reads a vector from shared memory";
  let description = [{
    The only row of a tile of f32 in shared memory, as a vector along the columns of
    matrix fragments: each lane gets the columns that it has.

    Example:

    ```mlir
    %l = flash_tile.read %t : !flash_tile.shared<1x64xf32> -> !flash_tile.fragment<64xf32, #flash_tile.col<8>>
    ```
  }];
  let arguments = (ins
    Arg<FlashTile_Shared, "1 x N of f32">:$tile);
  let results = (outs
    Res<FlashTile_Fragment, "N values, one for each column">:$result);
  let assemblyFormat = [{
    $tile attr-dict `:` qualified(type($tile)) `->` qualified(type($result))
  }];
  let hasVerifier = 1;
}

#endif // FLASH_DIALECT_TILE_IR_TILEMEMORYOPS_TD
