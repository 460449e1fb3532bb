//===- TileQueueOps.td - Which tiles a block has -----------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Numbers of tiles that a block takes as it comes, and sums that blocks hand over
// where they share a tile.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_TILE_IR_TILEQUEUEOPS_TD
#define FLASH_DIALECT_TILE_IR_TILEQUEUEOPS_TD

include "flash/Dialect/Tile/IR/TileOpBase.td"

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
    In consumers, the watcher and helpers. Waits for what is posted in this iteration,
    reads it, and gives the place back. `alone` is said of a helper, which is one thread.

    Example: `%tile = flash_tile.receive %queue[%i]`
  }];
  let arguments = (ins
    Arg<FlashTile_Queue, "the queue">:$queue,
    Arg<Index, "counts uses of the queue">:$iteration,
    Arg<UnitAttr, "one thread receives, not all of a warp">:$alone);
  let results = (outs
    Res<Index, "the tile number that was posted">:$number);
  let assemblyFormat = "$queue `[` $iteration `]` (`alone` $alone^)? attr-dict";
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

#endif // FLASH_DIALECT_TILE_IR_TILEQUEUEOPS_TD
