//===- TileStreamOps.td - Reading as it comes --------------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From device memory straight to registers, in a kernel that only looks at
// each element once.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_TILE_IR_TILESTREAMOPS_TD
#define FLASH_DIALECT_TILE_IR_TILESTREAMOPS_TD

include "flash/Dialect/Tile/IR/TileOpBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"

def FlashTile_FetchOp : FlashTile_TransferOp<"fetch", [MemoryEffects<[MemRead]>]> {
  let summary = "reads a tile of a memref to registers";
  let description = [{
    Each lane reads the runs that it holds of a `stream` fragment, of elements of
    16 or 32 bits: rows `offsets[row_dim]` on and columns `offsets[last]` on, at
    the position that the other offsets give. A run is read in pieces of
    `alignment` bytes, 16 at most, and all reads of the tile are on their way
    before the first is waited for.

    Only the first `rows` rows and `cols` columns of the tile exist (all, when an
    operand is absent): the others are not read and become `padding` (default:
    zero). Negative counts are as zero, larger ones as all. `row_dim` and
    `alignment` are as of `flash_tile.load`; the last dimension must be
    contiguous.

    With `strips` the memref lies as `flash_tile.store` with `strips` leaves it, and the
    result is an acc fragment of f32.

    Example:

    ```mlir
    %o = flash_tile.fetch %out[%b, %h, %i, %c0] rows(%n) {alignment = 16 : i64}
        : memref<?x16x?x128xbf16> -> !flash_tile.fragment<64x128xbf16, #flash_tile.stream<4, run = 8>>
    ```
  }];
  let arguments = (ins
    Arg<AnyStridedMemRef, "where the tile is read from">:$source,
    Arg<Variadic<Index>,
        "the place of the tile's first element, one number for each dimension of the memref or map, in elements">:$offsets,
    Arg<Optional<Index>, "rows that exist, the others being zero; all where absent">:$rows,
    Arg<Optional<Index>, "columns that exist, alike">:$cols,
    Arg<OptionalAttr<I64Attr>, "the dimension of the memref along the rows; the last but one where absent">:$row_dim,
    Arg<DefaultValuedAttr<I64Attr, "0">,
        "bytes that the address of each row's first element is known to be a multiple of; 0: the size of an element">:$alignment,
    Arg<OptionalAttr<TypedAttrInterface>, "what does not exist becomes; zero where absent">:$padding,
    Arg<UnitAttr, "the memref has rows as accumulators hold them, 16 at a time">:$strips);
  let results = (outs
    Res<FlashTile_Fragment, "the tile, in runs of neighbouring columns">:$result);
  let assemblyFormat = [{
    $source `[` $offsets `]` (`rows` `(` $rows^ `)`)? (`cols` `(` $cols^ `)`)?
    (`strips` $strips^)? attr-dict `:` type($source) `->` qualified(type($result))
  }];
  let extraClassDeclaration = transferDeclaration # [{
    int64_t getTileRank() { return 2; }
    /// Whether elements of the type can be fetched.
    static bool takesElement(::mlir::Type type) {
      return type.isF32() || type.isF16() || type.isBF16();
    }
  }];
}

#endif // FLASH_DIALECT_TILE_IR_TILESTREAMOPS_TD
