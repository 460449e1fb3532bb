//===- TileProductOps.td - Matrix products -----------------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Products, at once and in flight.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_TILE_IR_TILEPRODUCTOPS_TD
#define FLASH_DIALECT_TILE_IR_TILEPRODUCTOPS_TD

include "flash/Dialect/Tile/IR/TileOpBase.td"

def FlashTile_MmaOp : FlashTile_Op<"mma", [MemoryEffects<[MemRead]>,
    OptionalTypesMatchWith<"accumulator and result have one type", "result", "acc", "$_self">]> {
  let summary = "matrix product of tiles";
  let description = [{
    `result = acc + a * b`, or `a * b` without an accumulator. `a` is M x K, an
    A operand fragment or a shared tile, or K x M with `transpose_a` (a shared
    tile only); `b` is a shared tile, K x N, or N x K with `transpose_b`. With
    groups of columns each warp reads its part of `b`. Complete when the op is:
    an asynchronous instruction is waited for.

    Example:

    ```mlir
    %s = flash_tile.mma #flash_tile.mma_sync %q, %k transpose_b
        : !flash_tile.fragment<128x64xbf16, #flash_tile.lhs<8>>, !flash_tile.shared<32x64xbf16>
        -> !flash_tile.fragment<128x32xf32, #flash_tile.acc<8>>
    %o1 = flash_tile.mma #flash_tile.wgmma %p, %v acc(%o0)
        : !flash_tile.fragment<128x32xbf16, #flash_tile.lhs<8>>, !flash_tile.shared<32x64xbf16>
        -> !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
    ```
  }];
  let arguments = (ins
    Arg<FlashTile_InstructionAttrInterface, "the matrix instruction">:$instruction,
    Arg<AnyTypeOf<[FlashTile_Fragment, FlashTile_Shared]>,
        "M x K in registers or shared memory, or K x M with transpose_a (shared memory)">:$a,
    Arg<FlashTile_Shared, "K x N in shared memory, or N x K with transpose_b">:$b,
    Arg<Optional<FlashTile_Fragment>, "M x N: what the product is added to; 0 where absent">:$acc,
    Arg<UnitAttr, "a lies as K x M">:$transpose_a,
    Arg<UnitAttr, "b lies as N x K">:$transpose_b);
  let results = (outs
    Res<FlashTile_Fragment, "M x N: acc + a * b, complete">:$result);
  let assemblyFormat = [{
    $instruction $a `,` $b (`acc` `(` $acc^ `)`)? (`transpose_a` $transpose_a^)? (`transpose_b` $transpose_b^)?
    attr-dict `:` qualified(type($a)) `,` qualified(type($b)) `->` qualified(type($result))
  }];
  let hasVerifier = 1;
}

def FlashTile_MmaStartOp : FlashTile_Op<"mma_start", [MemoryEffects<[MemRead, MemWrite]>, AttrSizedOperandSegments,
    OptionalTypesMatchWith<"what is continued has the type of the result", "result", "onto", "$_self">,
    OptionalTypesMatchWith<"accumulator has the type of the result in flight", "result", "acc",
      "::llvm::cast<::flash::tile::PendingType>($_self).getAccumulator()">]> {
  let summary = "starts a matrix product";
  let description = [{
    As `flash_tile.mma` with an asynchronous instruction, without waiting: one
    group of instructions is issued and committed. Between the start and the
    wait nothing may touch the accumulator or overwrite the operands. It is not
    allowed under a condition while another product is in flight, and a product
    in flight across a loop's back edge costs registers: assemblers serialise
    what they cannot follow.

    With `onto` the product is added to one in flight, which nobody else waits for:
    the instructions of both run in order, a group each.

    With `head` the first columns of `a` are read from registers, which takes
    half of what a read from shared memory takes of its bandwidth.

    Example:

    ```mlir
    %p = flash_tile.mma_start #flash_tile.wgmma %q, %k transpose_b
        : !flash_tile.shared<128x64xbf16>, !flash_tile.shared<128x64xbf16>
        -> !flash_tile.pending<!flash_tile.fragment<128x128xf32, #flash_tile.acc<8>>>
    ```
  }];
  let arguments = (ins
    Arg<FlashTile_InstructionAttrInterface, "the matrix instruction">:$instruction,
    Arg<AnyTypeOf<[FlashTile_Fragment, FlashTile_Shared]>,
        "M x K in registers or shared memory, or K x M with transpose_a (shared memory)">:$a,
    Arg<FlashTile_Shared, "K x N in shared memory, or N x K with transpose_b">:$b,
    Arg<Optional<FlashTile_Fragment>, "M x N: what the product is added to; 0 where absent">:$acc,
    Arg<UnitAttr, "a lies as K x M">:$transpose_a,
    Arg<UnitAttr, "b lies as N x K">:$transpose_b,
    Arg<Optional<FlashTile_Pending>, "a product in flight that this one is added to">:$onto,
    Arg<Optional<FlashTile_Fragment>, "the first columns of a (shared memory, as it lies), as an A operand">:$head);
  let results = (outs
    Res<FlashTile_Pending, "M x N: acc + a * b, in flight until a mma_wait has passed it through">:$result);
  let builders = [OpBuilder<(ins "::mlir::Type":$result,
      "::flash::tile::InstructionAttrInterface":$instruction, "::mlir::Value":$a, "::mlir::Value":$b,
      "::mlir::Value":$acc, "::mlir::UnitAttr":$transpose_a, "::mlir::UnitAttr":$transpose_b), [{
    build($_builder, $_state, result, instruction, a, b, acc, transpose_a, transpose_b, /*onto=*/::mlir::Value());
  }]>, OpBuilder<(ins "::mlir::Type":$result,
      "::flash::tile::InstructionAttrInterface":$instruction, "::mlir::Value":$a, "::mlir::Value":$b,
      "::mlir::Value":$acc, "::mlir::UnitAttr":$transpose_a, "::mlir::UnitAttr":$transpose_b,
      "::mlir::Value":$onto), [{
    build($_builder, $_state, result, instruction, a, b, acc, transpose_a, transpose_b, onto, /*head=*/::mlir::Value());
  }]>];
  let assemblyFormat = [{
    $instruction $a `,` $b (`acc` `(` $acc^ `)`)? (`onto` `(` $onto^ `)`)?
    (`head` `(` $head^ `:` qualified(type($head)) `)`)?
    (`transpose_a` $transpose_a^)? (`transpose_b` $transpose_b^)?
    attr-dict `:` qualified(type($a)) `,` qualified(type($b)) `->` qualified(type($result))
  }];
  let hasVerifier = 1;
}

def FlashTile_MmaWaitOp : FlashTile_Op<"mma_wait", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "waits for matrix products";
  let description = [{
    Waits until at most `in_flight` of the groups started last are unfinished,
    and passes its operands through, in order: a result of accumulator type is
    complete, one of pending type is still in flight. A value has to come
    through a wait to be read, which is what keeps reads after it. At most
    `in_flight` results are pending.

    Example:

    ```mlir
    %s, %o1 = flash_tile.mma_wait %s0, %o0 in_flight 1
        : !flash_tile.pending<!acc_s>, !flash_tile.pending<!acc_o> -> !acc_s, !flash_tile.pending<!acc_o>
    ```
  }];
  let arguments = (ins
    Arg<Variadic<FlashTile_Pending>, "results in flight, in the order in which they were started">:$pending,
    Arg<DefaultValuedAttr<ConfinedAttr<I64Attr, [IntNonNegative]>, "0">, "groups that may stay unfinished">:$in_flight);
  let results = (outs
    Res<Variadic<AnyTypeOf<[FlashTile_Fragment, FlashTile_Pending]>>,
        "the same values, complete where they are fragments">:$results);
  let assemblyFormat = [{
    $pending (`in_flight` $in_flight^)? attr-dict
    `:` qualified(type($pending)) `->` qualified(type($results))
  }];
  let hasVerifier = 1;
}

#endif // FLASH_DIALECT_TILE_IR_TILEPRODUCTOPS_TD
