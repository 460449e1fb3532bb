//===- TileMemoryOps.td - Shared memory --------------------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Copies to and from shared memory, rings of stages, and the queue of tile
// numbers.
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
    memref has left along `row_dim`, or the whole tile: what is behind the last row
    lies outside of the memref, where the copy engine reads zeros. Without it the
    rows may end before the memref does, as those of a sequence of many.

    `row_dim` is the dimension of the memref along the rows, the last but one
    by default. With `packed` they run along a second one, too, all along which
    exist: `rows` counts along `row_dim`. The last dimension must be contiguous.
    `alignment` is what is known of the address of each row's first element, in bytes (default: the
    size of an element): 16 allows 16-byte `cp.async`, less is copied in
    smaller pieces.

    With `pages` the rows of a sequence lie in pages, along dimension 0 of the
    memref, and row j of it (the offset of `row_dim` and those behind it) is row
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

def FlashTile_RingOp : FlashTile_Op<"ring", [MemoryEffects<[MemAlloc, MemWrite]>]> {
  let summary = "a ring of stages in shared memory";
  let description = [{
    Reserves the stages and, for the kind `mbarrier`, initialises their
    barriers. Stands at the top of the kernel; `flash_tile.specialize` makes
    the barriers visible to both roles. A ring that is read `ahead` has use for a
    stage more, which `flash-tile-allocate-shared` gives where there is room.

    A ring `with` another one of as many stages has the other one's barriers: each
    of its stages is filled, by a `put` behind the other ring's, and released with
    the other one's, so that its `get` waits for nothing and stands behind a `get`
    of the other ring, and there is no `release`.

    Example:

    ```mlir
    %ring = flash_tile.ring : !flash_tile.ring<2, 128x128xbf16, mbarrier>
    %rows = flash_tile.ring with(%ring : !flash_tile.ring<2, 128x128xbf16, mbarrier>)
        : !flash_tile.ring<2, 16x128xbf16, mbarrier>
    ```
  }];
  let arguments = (ins
    Arg<OptionalAttr<I64Attr>, "place in shared memory, in bytes; set by flash-tile-allocate-shared">:$shared_offset,
    Arg<UnitAttr, "the ring has use for a stage more">:$ahead,
    Arg<Optional<FlashTile_Ring>, "the ring whose barriers this one has">:$with);
  let results = (outs
    Res<FlashTile_Ring, "the ring">:$ring);
  let builders = [OpBuilder<(ins "::mlir::Type":$ring, "::mlir::IntegerAttr":$sharedOffset), [{
    build($_builder, $_state, ring, sharedOffset, /*ahead=*/::mlir::UnitAttr(), /*with=*/::mlir::Value());
  }]>];
  let assemblyFormat = "(`with` `(` $with^ `:` qualified(type($with)) `)`)? attr-dict `:` qualified(type($ring))";
  let extraClassDeclaration = [{
    /// The rings that have this one's barriers.
    ::llvm::SmallVector<RingOp, 2> getCompanions();
  }];
  let hasVerifier = 1;
}

def FlashTile_PutOp : FlashTile_TransferOp<"put", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "starts filling a stage of a ring";
  let description = [{
    Starts to copy a tile to stage `iteration % stages` and does not wait. The
    operands are those of `flash_tile.load`.

    Ring of kind `cp_async`, source a memref: all threads copy, and the copies
    are one commit group. When the condition is given and false nothing is
    copied, but the group is committed: counts of groups stay the same. The
    program sees to it that nobody reads the stage any more (`release`).

    Ring of kind `mbarrier`, source a tensor map: in the producer only. Waits
    until the stage is empty, then has the copy engine fill it; bounds are
    those of the map, so `rows` and `cols` are not allowed. To a ring that the
    blocks of a cluster share, each block copies its part of the rows to all:
    the box has as many, and the offsets are the same in all blocks. `hint` is
    for the L2 cache.

    Example:

    ```mlir
    flash_tile.put %ring[%i], %map[%b, %h, %k0, %c0]
        : !flash_tile.ring<2, 128x128xbf16, mbarrier>, !flash_tile.tensor_map<1x1x128x64xbf16>
    flash_tile.put %ring[%i], %k[%b, %h, %k0, %c0] rows(%n) if(%more) {alignment = 16 : i64}
        : !flash_tile.ring<2, 64x128xbf16, cp_async>, memref<?x8x?x128xbf16>
    ```
  }];
  let arguments = (ins
    Arg<FlashTile_Ring, "the ring that is filled">:$ring,
    Arg<Index, "counts uses of the ring: stage iteration modulo stages">:$iteration,
    Arg<AnyTypeOf<[AnyStridedMemRef, FlashTile_TensorMap]>, "a memref (cp_async) or a tensor map (mbarrier)">:$source,
    Arg<Variadic<Index>,
        "the place of the tile's first element, one number for each dimension of the memref or map, in elements">:$offsets,
    Arg<Optional<Index>, "rows that exist, the others being zero; all where absent">:$rows,
    Arg<Optional<Index>, "columns that exist, alike">:$cols,
    Arg<Optional<FlashTile_PageTable>, "sequences x pages of one: numbers of pages">:$pages,
    Arg<Optional<Index>, "the sequence: a row of pages">:$sequence,
    Arg<Optional<I1>, "whether anything is copied; true where absent">:$condition,
    Arg<OptionalAttr<FlashTile_CacheHint>, "what is to become of the lines in the L2 cache">:$hint,
    Arg<OptionalAttr<I64Attr>, "the dimension of the memref along the rows; the last but one where absent">:$row_dim,
    Arg<DefaultValuedAttr<I64Attr, "0">,
        "bytes that the address of each row's first element is known to be a multiple of; 0: the size of an element">:$alignment,
    Arg<OptionalAttr<FlashTile_PackedRows>, "the second dimension that rows run along">:$packed);
  let assemblyFormat = [{
    $ring `[` $iteration `]` `,` $source `[` $offsets `]`
    (`rows` `(` $rows^ `)`)? (`cols` `(` $cols^ `)`)?
    (`pages` `(` $pages^ `[` $sequence `]` `:` type($pages) `)`)? (`if` `(` $condition^ `)`)?
    attr-dict `:` qualified(type($ring)) `,` qualified(type($source))
  }];
  let extraClassDeclaration = transferDeclaration # [{
    int64_t getTileRank() { return 2; }
  }];
}

def FlashTile_QueueOp : FlashTile_Op<"queue", [MemoryEffects<[MemAlloc, MemWrite]>]> {
  let summary = "a queue of tile numbers in shared memory";
  let description = [{
    Reserves the queue and initialises its barriers. Stands at the top of the kernel.

    Example: `%queue = flash_tile.queue`
  }];
  let arguments = (ins
    Arg<OptionalAttr<I64Attr>, "place in shared memory, in bytes; set by flash-tile-allocate-shared">:$shared_offset);
  let results = (outs
    Res<FlashTile_Queue, "the queue">:$queue);
  let assemblyFormat = "attr-dict";
}

def FlashTile_PostOp : FlashTile_Op<"post", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "tells the consumers a tile number";
  let description = [{
    In the producer. Waits until all consumers have received what was posted two
    iterations before, then writes the number.

    Example: `flash_tile.post %queue[%i], %tile`
  }];
  let arguments = (ins
    Arg<FlashTile_Queue, "the queue">:$queue,
    Arg<Index, "counts uses of the queue">:$iteration,
    Arg<Index, "the tile number that is told">:$number);
  let assemblyFormat = "$queue `[` $iteration `]` `,` $number attr-dict";
}

def FlashTile_ReceiveOp : FlashTile_Op<"receive", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "waits for a tile number of the producer";
  let description = [{
    In consumers. Waits for what is posted in this iteration, reads it, and gives
    the place back.

    Example: `%tile = flash_tile.receive %queue[%i]`
  }];
  let arguments = (ins
    Arg<FlashTile_Queue, "the queue">:$queue,
    Arg<Index, "counts uses of the queue">:$iteration);
  let results = (outs
    Res<Index, "the tile number that was posted">:$number);
  let assemblyFormat = "$queue `[` $iteration `]` attr-dict";
}

def FlashTile_NextTileOp : FlashTile_Op<"next_tile", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "takes a tile that no block has taken yet";
  let description = [{
    In the producer, once for each tile that the block has. Every block has one at
    launch, that of its own number; further ones are counted in device memory. The
    result is not below `tiles` where none is left.

    The counter's upper half says that it is one: memory that holds anything else
    becomes a counter at 0 when it is first asked, so that nobody clears it before a
    launch. Who counts last puts 0 back, for the next launch.

    Example: `%next = flash_tile.next_tile %counter of %tiles : memref<1xi64>`
  }];
  let arguments = (ins
    Arg<AnyStridedMemRef, "one i64 in device memory">:$counter,
    Arg<Index, "how many tiles there are">:$tiles);
  let results = (outs
    Res<Index, "the tile's number; not below tiles where none is left">:$tile);
  let assemblyFormat = "$counter `of` $tiles attr-dict `:` type($counter)";
}

def FlashTile_TileOfOp : FlashTile_Op<"tile_of", [Pure]> {
  let summary = "the tile of this turn of a persistent block";
  let description = [{
    Is `number`, the tile that a fixed order gives the block in this turn, unless
    `flash-tile-dynamic-order` makes the loop over tiles ask the counter.

    Example: `%tile = flash_tile.tile_of %number of %tiles counter(%counter : memref<1xi64>)`
  }];
  let arguments = (ins
    Arg<Index, "the tile in a fixed order">:$number,
    Arg<Index, "how many tiles there are">:$tiles,
    Arg<AnyStridedMemRef, "one i64 in device memory, for an order that is dynamic">:$counter);
  let results = (outs
    Res<Index, "the tile's number">:$tile);
  let assemblyFormat = [{
    $number `of` $tiles `counter` `(` $counter `:` type($counter) `)` attr-dict
  }];
}

def FlashTile_PrefetchOp : FlashTile_Op<"prefetch", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "asks for a tile to be brought into the L2 cache";
  let description = [{
    In the producer. A hint: nothing waits for it, and what lies outside of the
    tensor is not fetched. `tile` is what a `put` of the same place would fill.

    Example:

    ```mlir
    flash_tile.prefetch %map[%b, %h, %k0, %c0] : !flash_tile.tensor_map<1x1x128x64xbf16> as !flash_tile.shared<128x128xbf16>
    ```
  }];
  let arguments = (ins
    Arg<FlashTile_TensorMap, "the tensor map">:$source,
    Arg<Variadic<Index>,
        "the place of the tile's first element, one number for each dimension of the memref or map, in elements">:$offsets,
    Arg<TypeAttr, "type of the tile that a put of the same place would fill">:$tile);
  let assemblyFormat = [{
    $source `[` $offsets `]` attr-dict `:` qualified(type($source)) `as` $tile
  }];
  let hasVerifier = 1;
}

def FlashTile_GetOp : FlashTile_Op<"get", [AttrSizedOperandSegments,
    MemoryEffects<[MemRead, MemWrite]>,
    TypesMatchWith<"tile has the type of the ring's tiles", "ring", "tile",
      "::llvm::cast<::flash::tile::RingType>($_self).getTile()">]> {
  let summary = "waits for a stage of a ring and gives its tile";
  let description = [{
    Waits until stage `iteration % stages` is filled for this iteration. The
    tile may be read until the stage is released.

    Ring of kind `cp_async`: waits until at most `in_flight` of the latest
    commit groups (puts of all rings) are unfinished, and is a barrier of all
    computing warps. Ring of kind `mbarrier`: waits for the stage's barrier;
    `in_flight` is not allowed. With `when`, does not wait where that is false:
    what the tile holds then is not known.

    With `rows`, only the first `rows` rows of the tile exist: the copy engine
    knows no end but the tensor's, and has filled the others with what lies
    behind. They become zero. Each warpgroup writes the zeros itself, and is at a
    barrier of its own where there are any to write: all threads of a warpgroup
    have the same count. Negative counts are as zero, larger ones as all. For
    rings of kind `mbarrier`, and not together with `when`.

    Example:

    ```mlir
    %k = flash_tile.get %ring[%i] in_flight 1 : !flash_tile.ring<2, 64x128xbf16, cp_async>
    %v = flash_tile.get %ring[%i] rows(%n) : !flash_tile.ring<2, 64x128xbf16, mbarrier>
    ```
  }];
  let arguments = (ins
    Arg<FlashTile_Ring, "the ring that is read">:$ring,
    Arg<Index, "counts uses of the ring: stage iteration modulo stages">:$iteration,
    Arg<DefaultValuedAttr<ConfinedAttr<I64Attr, [IntNonNegative]>, "0">,
        "commit groups that may stay unfinished (cp_async)">:$in_flight,
    Arg<Optional<I1>, "whether to wait; true where absent">:$when,
    Arg<Optional<Index>, "rows that exist, the others being made zero; all where absent">:$rows);
  let results = (outs
    Res<FlashTile_Shared, "the stage's tile, until it is released">:$tile);
  let assemblyFormat = [{
    $ring `[` $iteration `]` (`in_flight` $in_flight^)? (`when` $when^)?
    (`rows` `(` $rows^ `)`)? attr-dict `:` qualified(type($ring))
  }];
  let hasVerifier = 1;
}

def FlashTile_ClearUnseenOp : FlashTile_Op<"clear_unseen", [SingleBlock,
    MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "clears rows of a tile that no query sees, if they are not finite";
  let description = [{
    Where `when` holds: makes row j of the tile zero if the body yields false for
    each of `queries` rows i (0 times NaN is NaN, so that a probability of 0
    does not keep a value out of a product). A tile that is finite throughout,
    which all warps look at together, is left as it is. Stands behind what makes
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

def FlashTile_WatchOp : FlashTile_Op<"watch", [SingleBlock,
    MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "looks at a stage of a ring before its readers do";
  let description = [{
    In the watcher. Waits until the copies to stage `iteration % stages` of a ring
    that is `watched` have landed, makes rows zero as `flash_tile.clear_unseen`
    does, and says that the stage is full. A warp that has nothing else to do does
    it for all consumers while they work on stages before: their code has no part
    in it, and where `when` is false nobody looks at the tile.

    Each iteration that is put is watched, in order.

    Example:

    ```mlir
    flash_tile.watch %ring[%i] when %cut queries(%c128) : !flash_tile.ring<2, 64x128xbf16, mbarrier, watched> {
    ^bb0(%q: index, %k: index):
      %sees = arith.cmpi sle, %k, %q : index
      flash_tile.yield %sees : i1
    }
    ```
  }];
  let arguments = (ins
    Arg<FlashTile_Ring, "the ring that is watched">:$ring,
    Arg<Index, "counts uses of the ring: stage iteration modulo stages">:$iteration,
    Arg<I1, "whether anything can be hidden here">:$when,
    Arg<Index, "rows of queries that the body is asked for">:$queries);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $ring `[` $iteration `]` `when` $when `queries` `(` $queries `)` attr-dict `:` qualified(type($ring)) $body
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

def FlashTile_ReleaseOp : FlashTile_Op<"release", [MemoryEffects<[MemWrite]>]> {
  let summary = "gives a stage of a ring back";
  let description = [{
    Says that this role no longer reads the stage. Everything that reads the
    tile must be complete: a matrix instruction in flight must be waited for.

    Ring of kind `mbarrier`: one lane of each warp arrives on the stage's empty
    barrier. Ring of kind `cp_async`: a barrier of the computing warps. There
    it may be left out where any `get` (which is a barrier, too) stands between
    the last use of the stage and the `put` that fills it again.

    Example: `flash_tile.release %ring[%i] : !flash_tile.ring<2, 64x128xbf16, cp_async>`
  }];
  let arguments = (ins
    Arg<FlashTile_Ring, "the ring whose stage is given back">:$ring,
    Arg<Index, "counts uses of the ring: stage iteration modulo stages">:$iteration);
  let assemblyFormat = "$ring `[` $iteration `]` attr-dict `:` qualified(type($ring))";
}

def FlashTile_LoadFragmentOp : FlashTile_Op<"load_fragment", [MemoryEffects<[MemRead]>]> {
  let summary = "loads an A operand from shared memory to registers";
  let description = [{
    Every warp loads its rows with `ldmatrix`. Used for a query tile that is
    multiplied many times.

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

def FlashTile_FillOp : FlashTile_Op<"fill", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "fills a stage of a ring from registers";
  let description = [{
    Waits until stage `iteration % stages` of a ring of kind `mbarrier` is empty,
    and writes an acc or lhs fragment of 16-bit elements there, as
    `flash_tile.store_shared` does, or sums of f32. Each computing warp writes its
    rows and says so: who waits for the stage (`flash_tile.get`) waits for all of
    them, and nobody else waits. All fills of a ring are of this kind; who reads a
    stage releases it, the computing warps or a helper.

    Example:

    ```mlir
    flash_tile.fill %ring[%i], %ds
        : !flash_tile.ring<2, 128x64xbf16, mbarrier>, !flash_tile.fragment<128x64xbf16, #flash_tile.lhs<8>>
    ```
  }];
  let arguments = (ins
    Arg<FlashTile_Ring, "the ring that is filled, of kind mbarrier">:$ring,
    Arg<Index, "counts uses of the ring: stage iteration modulo stages">:$iteration,
    Arg<FlashTile_Fragment, "M x N, as the ring's tiles">:$value);
  let assemblyFormat = [{
    $ring `[` $iteration `]` `,` $value attr-dict `:` qualified(type($ring)) `,` qualified(type($value))
  }];
  let hasVerifier = 1;
}

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
    Arg<UnitAttr, "elements of f32 are added to those in memory">:$add);
  let assemblyFormat = [{
    (`add` $add^)? $value `,` $destination `[` $offsets `]` (`rows` `(` $rows^ `)`)? (`to_end` $to_end^)?
    (`cols` `(` $cols^ `)`)?
    attr-dict `:` qualified(type($value)) `,` type($destination)
  }];
  let extraClassDeclaration = transferDeclaration # [{
    int64_t getTileRank() { return getValue().getType().getRank(); }
  }];
}

def FlashTile_StoreAsyncOp : FlashTile_Op<"store_async", [MemoryEffects<[MemRead, MemWrite]>]> {
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

    With `add` the copy engine adds elements of f32 to those in memory. With
    `barrier` all computing warps wait for each other behind their own wait: the
    tile's place was another tile's.

    `flash_tile.store_wait` stands behind the last one: a block may not end before
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
    Arg<FlashTile_TensorMap, "the tensor map, whose box is 16 (packed: or 8) rows of a panel">:$destination,
    Arg<Variadic<Index>,
        "the place of the tile's first element, one number for each dimension of the memref or map, in elements">:$offsets,
    Arg<OptionalAttr<ConfinedAttr<I64Attr, [IntPositive]>>,
        "columns that the op's tile has; all where absent">:$columns,
    Arg<OptionalAttr<FlashTile_CacheHint>, "what is to become of the lines in the L2 cache">:$hint,
    Arg<OptionalAttr<I64Attr>, "place in shared memory, in bytes; set by flash-tile-allocate-shared">:$shared_offset,
    Arg<OptionalAttr<I64Attr>, "the dimension of the memref along the rows; the last but one where absent">:$row_dim,
    Arg<OptionalAttr<FlashTile_PackedRows>, "the second dimension that rows run along">:$packed,
    Arg<UnitAttr, "elements of f32 are added to those in memory">:$add,
    Arg<UnitAttr, "all computing warps wait for each other before the tile is written">:$barrier);
  let assemblyFormat = [{
    (`add` $add^)? $value `,` $destination `[` $offsets `]` (`columns` $columns^)? attr-dict
    `:` qualified(type($value)) `,` qualified(type($destination))
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
      for (int64_t size : getDestination().getType().getBox().drop_back())
        rows *= size;
      return rows;
    }
  }];
  let hasVerifier = 1;
}

def FlashTile_StoreTileOp : FlashTile_Op<"store_tile", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "has a tile of shared memory stored";
  let description = [{
    In a role of one thread: the copy engine stores a tile, a panel at a time, and
    the thread waits until it has read it, so that the stage may be released. Rows and
    columns outside of the tensor are not written. The box of the map is a panel. With
    `add` elements of f32 are added to those in memory.

    Example:

    ```mlir
    flash_tile.store_tile add %t, %map[%b, %h, %q0, %c0]
        : !flash_tile.shared<64x128xf32>, !flash_tile.tensor_map<1x1x64x32xf32>
    ```
  }];
  let arguments = (ins
    Arg<FlashTile_Shared, "the tile that is stored">:$tile,
    Arg<FlashTile_TensorMap, "the tensor map, whose box is a panel of the tile">:$destination,
    Arg<Variadic<Index>,
        "the place of the tile's first element, one number for each dimension of the memref or map, in elements">:$offsets,
    Arg<OptionalAttr<FlashTile_CacheHint>, "what is to become of the lines in the L2 cache">:$hint,
    Arg<UnitAttr, "elements of f32 are added to those in memory">:$add);
  let assemblyFormat = [{
    (`add` $add^)? $tile `,` $destination `[` $offsets `]` attr-dict
    `:` qualified(type($tile)) `,` qualified(type($destination))
  }];
  let hasVerifier = 1;
}

def FlashTile_StoreWaitOp : FlashTile_Op<"store_wait", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "waits until asynchronous stores have read shared memory";
  let description = [{
    For those of the executing warps. What they store is visible when the kernel
    has ended.

    Example: `flash_tile.store_wait`
  }];
  let assemblyFormat = "attr-dict";
}

def FlashTile_AgainOp : FlashTile_Op<"again", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "a value whose origin is forgotten";
  let description = [{
    Is `value`. What follows from it is computed again, and not kept in registers
    since it was computed before: while a loop runs that has none to spare.

    Example: `%number1 = flash_tile.again %number`
  }];
  let arguments = (ins
    Arg<Index, "the value">:$value);
  let results = (outs
    Res<Index, "the same, of unknown origin">:$result);
  let assemblyFormat = "$value attr-dict";
}

def FlashTile_HandOverOp : FlashTile_Op<"hand_over", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "passes fragments on to the block that has the next part of a tile";
  let description = [{
    Each warp writes what its lanes hold to slot `slot` of `state`, then says in
    `turns` that it is the turn of part `part`, whose warp of the same number waits
    for it (`flash_tile.take_over`). `state` has a row of 32-bit elements a slot:
    those of the fragments, one after the other, for all computing threads.

    Example:

    ```mlir
    flash_tile.hand_over %o, %m to %state, %turns[%slot] part %next
        : !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>, !flash_tile.fragment<128xf32, #flash_tile.row<8>>
        -> memref<?x8704xf32>, memref<132x8xi32>
    ```
  }];
  let arguments = (ins
    Arg<Variadic<FlashTile_Fragment>, "what is passed on">:$values,
    Arg<AnyStridedMemRef, "slots x 32-bit elements: what all threads pass on, a row a slot">:$state,
    Arg<AnyStridedMemRef, "slots x warps: whose turn it is">:$turns,
    Arg<Index, "the row of state and of turns">:$slot,
    Arg<Index, "the part that is next">:$part);
  let assemblyFormat = [{
    $values `to` $state `,` $turns `[` $slot `]` `part` $part attr-dict
    `:` qualified(type($values)) `->` type($state) `,` type($turns)
  }];
  let extraClassDeclaration = [{
    /// 32-bit elements that one thread holds of fragments.
    static int64_t countElements(::mlir::TypeRange fragments);
  }];
  let hasVerifier = 1;
}

def FlashTile_TakeOverOp : FlashTile_Op<"take_over", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "waits for the fragments of the part of a tile before this one";
  let description = [{
    Each warp waits until it is the turn of part `part` (from 1 on) of the slot, and
    reads what `flash_tile.hand_over` wrote. Then it is nobody's turn: a turn is
    written with a mark, so that `turns` may hold anything when the launch begins.

    The block that hands over must be sure to run: it has a lower number, or took
    the part before.

    Example:

    ```mlir
    %o, %m = flash_tile.take_over %state, %turns[%slot] part %part : memref<?x8704xf32>, memref<132x8xi32>
        -> !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>, !flash_tile.fragment<128xf32, #flash_tile.row<8>>
    ```
  }];
  let arguments = (ins
    Arg<AnyStridedMemRef, "slots x 32-bit elements: what was passed on, a row a slot">:$state,
    Arg<AnyStridedMemRef, "slots x warps: whose turn it is">:$turns,
    Arg<Index, "the row of state and of turns">:$slot,
    Arg<Index, "this part's number, from 1 on">:$part);
  let results = (outs
    Res<Variadic<FlashTile_Fragment>, "what was passed on">:$values);
  let assemblyFormat = [{
    $state `,` $turns `[` $slot `]` `part` $part attr-dict
    `:` type($state) `,` type($turns) `->` qualified(type($values))
  }];
  let hasVerifier = 1;
}

#endif // FLASH_DIALECT_TILE_IR_TILEMEMORYOPS_TD
