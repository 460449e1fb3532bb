//===- TileRingOps.td - Rings of stages --------------------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rings of stages in shared memory: who fills one, who watches copies land, who
// waits for one and gives it back.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_TILE_IR_TILERINGOPS_TD
#define FLASH_DIALECT_TILE_IR_TILERINGOPS_TD

include "flash/Dialect/Tile/IR/TileMemoryOps.td"

def FlashTile_RingOp : FlashTile_Op<"ring", [MemoryEffects<[MemAlloc, MemWrite]>]> {
  let summary = "a ring of stages in shared memory";
  let description = [{
    Reserves the stages and, for the kind `mbarrier`, initialises their
    barriers. Stands at the top of the kernel; `flash_tile.specialize` makes
    the barriers visible to both roles. A ring that is read `ahead` has use for a
    stage more, which `flash-tile-allocate-shared` gives where there is room.

    A ring `with` another one of as many stages has the other one's barriers: each
    of its stages is filled, by a `put` after the other ring's, and released with
    the other one's, so that its `get` waits for nothing and stands after a `get`
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
    after. They become zero. Each warpgroup writes the zeros itself, and is at a
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

def FlashTile_FillOp : FlashTile_Op<"fill", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "fills a stage of a ring from registers";
  let description = [{
    Waits until stage `iteration % stages` of a ring of kind `mbarrier` is empty,
    and writes an acc or lhs fragment of 16-bit elements there, as
    `flash_tile.store_shared` does, or sums of f32. A warpgroup that fills in turn
    (`flash_tile.in_turn`) a stage that others fill, too, first waits until the one
    before has filled it: it does not see each phase of the stage's barriers, and two
    phases further a barrier's parity is the same. With `always` the same warps fill
    the ring each time, and need not. With `strips` sums of f32 lie in the tile as
    `flash_tile.store` with `strips` has them in memory. Each computing warp writes its
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
    Arg<FlashTile_Fragment, "M x N, as the ring's tiles">:$value,
    Arg<UnitAttr, "these warps fill the ring each time">:$always,
    Arg<UnitAttr, "the tile has rows as accumulators hold them, 16 at a time">:$strips);
  let assemblyFormat = [{
    (`always` $always^)? $ring `[` $iteration `]` `,` $value (`strips` $strips^)? attr-dict `:` qualified(type($ring)) `,` qualified(type($value))
  }];
  let hasVerifier = 1;
}

#endif // FLASH_DIALECT_TILE_IR_TILERINGOPS_TD
