//===- TileRoleOps.td - Roles of a block -------------------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A producer and consumers, their turns and delays.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_TILE_IR_TILEROLEOPS_TD
#define FLASH_DIALECT_TILE_IR_TILEROLEOPS_TD

include "flash/Dialect/Tile/IR/TileOpBase.td"

def FlashTile_SpecializeOp : FlashTile_Op<"specialize", [RecursiveMemoryEffects,
    SingleBlockImplicitTerminator<"YieldOp">]> {
  let summary = "a producer and consumers, each with code and registers of its own";
  let description = [{
    The computing warps (W / 4 warpgroups) run `consumers`; one elected thread
    of one more warpgroup runs `producer`. The numbers are the registers a
    thread of each role gets (`setmaxnreg`): multiples of 8 whose sum over the
    warpgroups fits what the kernel is launched with.

    The producer has no fragments and no `get`; the consumers no `put` to a
    ring of kind `mbarrier`. All see the values defined before. Stands at the
    top level of the kernel, once.

    Another warp of the producer's warpgroup runs `watcher`, where there is one,
    with as many registers: it looks at stages of watched rings between the
    copies and the consumers (`flash_tile.watch`).

    Example:

    ```mlir
    flash_tile.specialize producer(40) {
      flash_tile.put %ring[%i], %map[%b, %h, %k0, %c0] : ...
    } watcher {
      flash_tile.watch %ring[%i] when %cut queries(%c128) : ... { ... }
    } consumers(232) {
      %k = flash_tile.get %ring[%i] : ...
      ...
      flash_tile.release %ring[%i] : ...
    }
    ```
  }];
  let arguments = (ins I64Attr:$producer_registers, I64Attr:$consumer_registers);
  let regions = (region SizedRegion<1>:$producer, MaxSizedRegion<1>:$watcher, SizedRegion<1>:$consumers);
  let assemblyFormat = [{
    `producer` `(` $producer_registers `)` $producer (`watcher` $watcher^)?
    `consumers` `(` $consumer_registers `)` $consumers attr-dict
  }];
  let skipDefaultBuilders = 1;
  let builders = [OpBuilder<(ins "int64_t":$producerRegisters, "int64_t":$consumerRegisters)>];
  let hasVerifier = 1;
}

def FlashTile_TakeTurnOp : FlashTile_Op<"take_turn", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "waits for this warpgroup's turn";
  let description = [{
    The consumer warpgroups have the turn one after the other, the first one
    first. A role takes and passes its turn equally often.

    Example: `flash_tile.take_turn`
  }];
  let assemblyFormat = "attr-dict";
  let hasVerifier = 1;
}

def FlashTile_PassTurnOp : FlashTile_Op<"pass_turn", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "gives the turn to the next warpgroup";
  let description = [{
    Does not wait.

    Example: `flash_tile.pass_turn`
  }];
  let assemblyFormat = "attr-dict";
  let hasVerifier = 1;
}

def FlashTile_DelayOp : FlashTile_Op<"delay", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "makes whoever runs it late";
  let description = [{
    Sleeps for about `nanoseconds`; with `warpgroup`, only that one of the
    computing warpgroups does. Nothing may depend on how long a role takes:
    `flash-tile-delay-role` puts delays into one role at a time, and the results
    must stay the same.

    Example: `flash_tile.delay 2000 warpgroup 1`
  }];
  let arguments = (ins ConfinedAttr<I64Attr, [IntPositive, IntMaxValue<1000000>]>:$nanoseconds,
                       OptionalAttr<ConfinedAttr<I64Attr, [IntNonNegative]>>:$warpgroup);
  let assemblyFormat = "$nanoseconds (`warpgroup` $warpgroup^)? attr-dict";
}

#endif // FLASH_DIALECT_TILE_IR_TILEROLEOPS_TD
