//===- TileOps.td - Operations of the tile dialect ---------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// All operations: by what they work on, and the launch in the host function.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_TILE_IR_TILEOPS_TD
#define FLASH_DIALECT_TILE_IR_TILEOPS_TD

include "flash/Dialect/Tile/IR/TileKernelAttrs.td"
include "flash/Dialect/Tile/IR/TileMemoryOps.td"
include "flash/Dialect/Tile/IR/TileRingOps.td"
include "flash/Dialect/Tile/IR/TileQueueOps.td"
include "flash/Dialect/Tile/IR/TileStoreOps.td"
include "flash/Dialect/Tile/IR/TileProductOps.td"
include "flash/Dialect/Tile/IR/TileFragmentOps.td"
include "flash/Dialect/Tile/IR/TileRoleOps.td"
include "flash/Dialect/Tile/IR/TileStreamOps.td"
include "flash/Dialect/Tile/IR/TilePTXOps.td"

//===----------------------------------------------------------------------===//
// Host
//===----------------------------------------------------------------------===//

def FlashTile_TensorMapOp : FlashTile_Op<"tensor_map", [Pure]> {
  let summary = "a TMA descriptor of a memref (host)";
  let description = [{
    In the host function, an argument for a launch: the runtime encodes the
    descriptor from the memref's address, sizes and strides.

    Example:

    ```mlir
    %m = flash_tile.tensor_map %k : memref<?x8x?x128xbf16> -> !flash_tile.tensor_map<1x1x128x64xbf16>
    ```
  }];
  let arguments = (ins
    Arg<AnyStridedMemRef, "the memref that is described">:$source);
  let results = (outs
    Res<FlashTile_TensorMap, "its descriptor, whose type says the box of one copy">:$map);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` qualified(type($map))";
  let hasVerifier = 1;
}

def FlashTile_ClearOp : FlashTile_Op<"clear", [MemoryEffects<[MemWrite]>]> {
  let summary = "makes a memref zero (host)";
  let description = [{
    In the host function: later launches see zeros, to which their kernels add.
    The memref is one that the function allocates, as a whole.

    Example: `flash_tile.clear %dq : memref<?x128xf32>`
  }];
  let arguments = (ins
    Arg<AnyStridedMemRef, "what becomes zero, whole">:$memref);
  let assemblyFormat = "$memref attr-dict `:` type($memref)";
}

def FlashTile_LaunchOp : FlashTile_Op<"launch", [AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "launches a kernel (host)";
  let description = [{
    Runs a kernel on a grid of one to three dimensions. Threads and shared
    memory of a block are the kernel's own attributes.

    Example:

    ```mlir
    flash_tile.launch @kernels::@attention grid(%blocks, %heads, %batch)
        args(%q, %k, %v, %o : memref<?x32x?x128xbf16>, ...)
    ```
  }];
  let arguments = (ins
    Arg<SymbolRefAttr, "the kernel: @module::@function">:$kernel,
    Arg<Variadic<Index>, "blocks along x, y and z">:$grid,
    Arg<Variadic<AnyType>, "the kernel's arguments">:$args);
  let assemblyFormat = [{
    $kernel `grid` `(` $grid `)` (`args` `(` $args^ `:` qualified(type($args)) `)`)? attr-dict
  }];
  let hasVerifier = 1;
}

#endif // FLASH_DIALECT_TILE_IR_TILEOPS_TD
