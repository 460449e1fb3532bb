//===- TilePTXOps.td - Instructions as text ----------------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What L4 has beside the llvm and nvvm dialects.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_TILE_IR_TILEPTXOPS_TD
#define FLASH_DIALECT_TILE_IR_TILEPTXOPS_TD

include "flash/Dialect/Tile/IR/TileOpBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def FlashTile_InlinePtxOp : FlashTile_Op<"inline_ptx",
    [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "PTX with several results (L4)";
  let description = [{
    What `llvm.inline_asm` is, for several results: there they are one struct,
    and each is taken out by an op of its own; a product of 64 x 128 has 64, and
    so has each wait for it. The translation to LLVM IR makes the struct.

    Results are `$0`, `$1`, ... of the text, operands follow. `constraints` are
    LLVM's, results first (`=f,=f,r,0,1`: two floats, which are the second and
    third operand before). With `has_side_effects` it may read and write memory
    and stays where it is; without, it is what its operands make.

    Example:

    ```mlir
    %a, %b = flash_tile.inline_ptx "wgmma.wait_group.sync.aligned 0;", "=f,=f,0,1,~{memory}" %x, %y
        {has_side_effects} : (f32, f32) -> (f32, f32)
    ```
  }];
  let arguments = (ins
    Arg<StrAttr, "the instructions, with `$0`, `$1`, ... for results and then operands">:$text,
    Arg<StrAttr, "LLVM's constraints, one for each result and operand, then what is overwritten beside them">:$constraints,
    Arg<Variadic<AnyType>, "registers that it reads">:$operands,
    Arg<UnitAttr, "it reads or writes memory, or is for all threads together: it stays where it is">:$has_side_effects
  );
  let results = (outs Res<Variadic<AnyType>, "registers that it writes, at least two">:$results);
  let assemblyFormat = [{
    $text `,` $constraints $operands attr-dict `:` functional-type($operands, $results)
  }];
  let hasVerifier = 1;
}

#endif // FLASH_DIALECT_TILE_IR_TILEPTXOPS_TD
