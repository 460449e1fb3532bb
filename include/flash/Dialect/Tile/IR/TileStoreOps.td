//===- TileStoreOps.td - Results in device memory ----------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From registers or shared memory to device memory.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_TILE_IR_TILESTOREOPS_TD
#define FLASH_DIALECT_TILE_IR_TILESTOREOPS_TD

include "flash/Dialect/Tile/IR/TileOpBase.td"

def FlashTile_StoreOp : FlashTile_TransferOp<"store", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "stores a fragment to a memref";
  let description = [{
    Stores the first `rows` rows and `cols` columns (all, when absent) of an
    accumulator or row fragment. A row fragment is a vector along `row_dim`,
    the last dimension by default; of a matrix fragment it is the last but
    one. A col fragment is a vector along the last dimension, and `cols` bounds
    it. `to_end` and `packed` are as of `flash_tile.load`. Neighbouring columns are stored
    together where `alignment` (bytes, of each row's first element) allows: pairs
    of an accumulator, runs of a stream fragment, up to 16 bytes.

    With `add` elements of f32 are added to those in memory, each as one atomic
    operation: in which order blocks add is not known.

    With `strips` each 16 rows of the memref, from a multiple of 16 on, lie as a warp has
    them in an accumulator: for every 8 columns, the four elements of each of 32 lanes. A
    warp then stores or adds 512 bytes at a time, and whoever reads the memref reads
    it so (`flash_tile.fetch`). An acc fragment of f32, all columns of the memref.

    Example:

    ```mlir
    flash_tile.store %o, %out[%b, %h, %i, %c0] rows(%n) to_end {alignment = 16 : i64}
        : !flash_tile.fragment<128x128xbf16, #flash_tile.acc<8>>, memref<?x32x?x128xbf16>
    flash_tile.store %lse, %stat[%b, %h, %i] rows(%n)
        : !flash_tile.fragment<128xf32, #flash_tile.row<8>>, memref<?x32x?xf32>
    ```
  }];
  let arguments = (ins
    Arg<FlashTile_Fragment, "what is stored">:$value,
    Arg<AnyStridedMemRef, "where the tile is written to">:$destination,
    Arg<Variadic<Index>,
        "the place of the tile's first element, one number for each dimension of the memref or map, in elements">:$offsets,
    Arg<Optional<Index>, "rows that are stored; all where absent">:$rows,
    Arg<UnitAttr, "rows is what the memref has left along row_dim, or the whole tile">:$to_end,
    Arg<Optional<Index>, "columns that are stored; all where absent">:$cols,
    Arg<OptionalAttr<I64Attr>,
        "the dimension of the memref along the rows; of a row fragment the last, of others the last but one where absent">:$row_dim,
    Arg<DefaultValuedAttr<I64Attr, "0">,
        "bytes that the address of each row's first element is known to be a multiple of; 0: the size of an element">:$alignment,
    Arg<OptionalAttr<FlashTile_PackedRows>, "the second dimension that rows run along">:$packed,
    Arg<UnitAttr, "elements of f32 are added to those in memory">:$add,
    Arg<UnitAttr, "the memref has rows as accumulators hold them, 16 at a time">:$strips);
  let assemblyFormat = [{
    (`add` $add^)? $value `,` $destination `[` $offsets `]` (`rows` `(` $rows^ `)`)? (`to_end` $to_end^)?
    (`cols` `(` $cols^ `)`)? (`strips` $strips^)?
    attr-dict `:` qualified(type($value)) `,` type($destination)
  }];
  let extraClassDeclaration = transferDeclaration # [{
    int64_t getTileRank() { return getValue().getType().getRank(); }
  }];
}

def FlashTile_StoreAsyncOp : FlashTile_Op<"store_async",
    [AttrSizedOperandSegments, MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "starts storing a fragment through shared memory";
  let description = [{
    Each warp waits until its last `store_async` has left the op's tile in shared
    memory, writes its rows of the fragment there, and has the copy engine store
    them; it does not wait for that. Rows and columns outside of the tensor are not
    written. The box of the map is 16 rows of a panel. With `packed`, as of
    `flash_tile.load`, `row_dim` is given, and a box of both dimensions is 16 or 8
    rows, from a multiple of that on.

    With `columns`, a multiple of those of a panel, the op's tile has only so many,
    and the fragment goes through it a part at a time.

    With `add` the copy engine adds elements of f32 to those in memory. A memref in place
    of a map has `strips` as of `flash_tile.store`, all of whose rows there are: a warp's
    16 rows are one piece. With
    `barrier` all computing warps wait for each other after their own wait: the
    tile's place was another tile's. With `free` nothing that is being stored lies in
    the op's place, and warps do not wait for their own stores. With `when` the tile is
    written, and stored where that is true: a branch around the op would end what is in
    flight.

    `flash_tile.store_wait` stands after the last one: a block may not end before
    its shared memory has been read. `shared_offset` is the place in shared memory,
    set by `flash-tile-allocate-shared`.

    Example:

    ```mlir
    flash_tile.store_async %o, %map[%b, %h, %i, %c0]
        : !flash_tile.fragment<128x128xbf16, #flash_tile.acc<8>>, !flash_tile.tensor_map<1x1x16x64xbf16>
    ```
  }];
  let arguments = (ins
    Arg<FlashTile_Fragment, "what is stored">:$value,
    Arg<AnyTypeOf<[FlashTile_TensorMap, AnyStridedMemRef]>,
        "the tensor map, whose box is 16 (packed: or 8) rows of a panel, or a memref whose rows lie in strips">:$destination,
    Arg<Variadic<Index>,
        "the place of the tile's first element, one number for each dimension of the memref or map, in elements">:$offsets,
    Arg<Optional<I1>, "whether to store; true where absent">:$when,
    Arg<OptionalAttr<ConfinedAttr<I64Attr, [IntPositive]>>,
        "columns that the op's tile has; all where absent">:$columns,
    Arg<OptionalAttr<FlashTile_CacheHint>, "what is to become of the lines in the L2 cache">:$hint,
    Arg<OptionalAttr<I64Attr>, "place in shared memory, in bytes; set by flash-tile-allocate-shared">:$shared_offset,
    Arg<OptionalAttr<I64Attr>, "the dimension of the memref along the rows; the last but one where absent">:$row_dim,
    Arg<OptionalAttr<FlashTile_PackedRows>, "the second dimension that rows run along">:$packed,
    Arg<UnitAttr, "elements of f32 are added to those in memory">:$add,
    Arg<UnitAttr, "all computing warps wait for each other before the tile is written">:$barrier,
    Arg<UnitAttr, "no store before this one is read from the op's place">:$free);
  let assemblyFormat = [{
    (`add` $add^)? $value `,` $destination `[` $offsets `]` (`when` $when^)?
    (`columns` $columns^)? attr-dict `:` qualified(type($value)) `,` qualified(type($destination))
  }];
  let extraClassDeclaration = [{
    /// What the op owns in shared memory.
    SharedType getTile() {
      FragmentType type = getValue().getType();
      return SharedType::get(type.getRows(), getColumns().value_or(type.getColumns()),
                             type.getElementType());
    }
    /// Rows of a box: 16, or 8 of packed rows.
    int64_t getBoxRows() {
      int64_t rows = 1;
      for (int64_t size : getMap().getBox().drop_back())
        rows *= size;
      return rows;
    }
    /// The type of the tensor map; null where the destination is a memref.
    TensorMapType getMap() {
      return ::llvm::dyn_cast<TensorMapType>(getDestination().getType());
    }
    /// The memref's dimension along the rows of strips.
    int64_t getRowDimension() { return getOffsets().size() - 2; }
  }];
  let hasVerifier = 1;
}

def FlashTile_StoreTileOp : FlashTile_Op<"store_tile", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "has a tile of shared memory stored";
  let description = [{
    In a role of one thread: the copy engine stores a tile, a panel at a time, and
    the thread waits until it has read it, so that the stage may be released. Rows and
    columns outside of the tensor are not written. The box of the map is a panel. With
    `add` elements of f32 are added to those in memory. A memref in place of a map has
    `strips`, as of `flash_tile.store`, and so has the tile (`flash_tile.fill`): it is one
    piece.

    Example:

    ```mlir
    flash_tile.store_tile add %t, %map[%b, %h, %q0, %c0]
        : !flash_tile.shared<64x128xf32>, !flash_tile.tensor_map<1x1x64x32xf32>
    ```
  }];
  let arguments = (ins
    Arg<FlashTile_Shared, "the tile that is stored">:$tile,
    Arg<AnyTypeOf<[FlashTile_TensorMap, AnyStridedMemRef]>,
        "the tensor map, whose box is a panel of the tile, or a memref whose rows lie in strips">:$destination,
    Arg<Variadic<Index>,
        "the place of the tile's first element, one number for each dimension of the memref or map, in elements">:$offsets,
    Arg<OptionalAttr<FlashTile_CacheHint>, "what is to become of the lines in the L2 cache">:$hint,
    Arg<UnitAttr, "elements of f32 are added to those in memory">:$add);
  let assemblyFormat = [{
    (`add` $add^)? $tile `,` $destination `[` $offsets `]` attr-dict
    `:` qualified(type($tile)) `,` qualified(type($destination))
  }];
  let extraClassDeclaration = [{
    /// The type of the tensor map; null where the destination is a memref.
    TensorMapType getMap() {
      return ::llvm::dyn_cast<TensorMapType>(getDestination().getType());
    }
    /// The memref's dimension along the rows of strips.
    int64_t getRowDimension() { return getOffsets().size() - 2; }
  }];
  let hasVerifier = 1;
}

def FlashTile_StoreWaitOp : FlashTile_Op<"store_wait", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "waits until asynchronous stores have read shared memory";
  let description = [{
    For those of the executing warps; with `barrier`, for those of all computing warps,
    which all come here. What they store is visible when the kernel has ended.

    Example: `flash_tile.store_wait`
  }];
  let arguments = (ins
    Arg<UnitAttr, "all computing warps wait for each other, too">:$barrier);
  let assemblyFormat = "attr-dict";
}

def FlashTile_ClearShareOp : FlashTile_Op<"clear_share", [MemoryEffects<[MemWrite]>]> {
  let summary = "makes a block's share of a memref zero (kernel)";
  let description = [{
    The blocks of a grid of one dimension together make a whole memref zero, each a
    part of it, for kernels that are launched later. The memref is contiguous, and its
    rows have a multiple of 16 bytes.

    Example: `flash_tile.clear_share %sums : memref<?x128xf32>`
  }];
  let arguments = (ins
    Arg<AnyStridedMemRef, "what becomes zero, whole">:$memref);
  let assemblyFormat = "$memref attr-dict `:` type($memref)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Whether a memref is contiguous, in rows of whole pieces of 16 bytes.
    static bool takes(::mlir::MemRefType type);
  }];
}

#endif // FLASH_DIALECT_TILE_IR_TILESTOREOPS_TD
