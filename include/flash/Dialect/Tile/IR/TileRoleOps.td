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

    Helpers are roles of one elected thread more, each in a warp of the producer's
    warpgroup and by a name: what a helper does beside the consumers is to wait for
    stages and to have them copied. The warpgroup has four warps, so that a watcher
    and helpers are three at most.

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
    } helper "writer" {
      %t = flash_tile.get %sums[%i] : ...
      flash_tile.store_tile add %t, %map[%b, %h, %q0, %c0] : ...
      flash_tile.release %sums[%i] : ...
    }
    ```
  }];
  let arguments = (ins
    Arg<I64Attr, "registers of a thread of the producer's warpgroup, a multiple of 8">:$producer_registers,
    Arg<I64Attr, "registers of a thread of the consumers, a multiple of 8">:$consumer_registers,
    Arg<OptionalAttr<StrArrayAttr>, "a name for each helper region">:$helper_names);
  let regions = (region SizedRegion<1>:$producer, MaxSizedRegion<1>:$watcher, SizedRegion<1>:$consumers,
    VariadicRegion<SizedRegion<1>>:$helpers);
  let assemblyFormat = [{
    `producer` `(` $producer_registers `)` $producer (`watcher` $watcher^)?
    `consumers` `(` $consumer_registers `)` $consumers custom<Helpers>($helper_names, $helpers) attr-dict
  }];
  let skipDefaultBuilders = 1;
  let builders = [OpBuilder<(ins "int64_t":$producerRegisters, "int64_t":$consumerRegisters,
                                 CArg<"::llvm::ArrayRef<::llvm::StringRef>", "{}">:$helpers)>];
  let extraClassDeclaration = [{
    /// How many helpers the producer's warpgroup has warps for.
    static constexpr int64_t maxHelpers = 3;
    /// The role of a name, producer and consumers included; null without one.
    ::mlir::Region *getRole(::llvm::StringRef name);
  }];
  let hasVerifier = 1;
}

def FlashTile_InTurnOp : FlashTile_Op<"in_turn", [RecursiveMemoryEffects, SingleBlockImplicitTerminator<"YieldOp">]> {
  let summary = "what one warpgroup computes, another one at each turn";
  let description = [{
    Of the consumer warpgroups number `turn % warpgroups` runs the body, alone: its
    fragments are those of four warps. A product in it is as large as the
    instruction takes it, where a part of it for each warpgroup would read the
    operand that they share more often. Without a true `when` nobody does.

    A stage that is filled in turn is full when four warps have filled it, and one
    that is released in turn is empty when four have released it: all fills of a
    ring, and all releases, are in turn or none is. No product may be in flight
    around the body.

    Example:

    ```mlir
    flash_tile.in_turn %n {
      %p = flash_tile.mma #flash_tile.wgmma %t, %k transpose_a
          : !flash_tile.shared<128x64xbf16>, !flash_tile.shared<128x128xbf16>
          -> !flash_tile.fragment<64x128xf32, #flash_tile.acc<4>>
      flash_tile.fill %sums[%n], %p : ...
    }
    ```
  }];
  let arguments = (ins
    Arg<Index, "whose turn it is: warpgroup turn modulo their number">:$turn,
    Arg<Optional<I1>, "whether anybody computes; true where absent">:$when);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$turn (`when` $when^)? $body attr-dict";
  let skipDefaultBuilders = 1;
  let builders = [OpBuilder<(ins "::mlir::Value":$turn, CArg<"::mlir::Value", "{}">:$when)>];
  let hasVerifier = 1;
}

def FlashTile_ByWarpgroupOp : FlashTile_Op<"by_warpgroup", [RecursiveMemoryEffects, SingleBlockImplicitTerminator<"YieldOp">]> {
  let summary = "what each consumer warpgroup computes";
  let description = [{
    Consumer warpgroup `i` runs region `i`. Fragments are those of the kernel's warps, of
    which a warpgroup has its part, as around the op, or those of four warps, which
    one warpgroup makes alone. A stage that is filled or released in some regions
    waits for the warps of these.

    Example: one warpgroup makes what the other one reads.

    ```mlir
    flash_tile.by_warpgroup {
      flash_tile.fill %ring[%n], %p : ...
    }, {
      %t = flash_tile.get %ring[%n] : ...
      flash_tile.release %ring[%n] : ...
    }
    ```
  }];
  let regions = (region VariadicRegion<SizedRegion<1>>:$bodies);
  let assemblyFormat = "$bodies attr-dict";
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
  let arguments = (ins
    Arg<ConfinedAttr<I64Attr, [IntPositive, IntMaxValue<1000000>]>, "how long, about">:$nanoseconds,
    Arg<OptionalAttr<ConfinedAttr<I64Attr, [IntNonNegative]>>,
        "the one computing warpgroup that is late; all where absent">:$warpgroup);
  let assemblyFormat = "$nanoseconds (`warpgroup` $warpgroup^)? attr-dict";
}

#endif // FLASH_DIALECT_TILE_IR_TILEROLEOPS_TD
