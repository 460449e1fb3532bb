//===- TileKernelAttrs.td - What a kernel is, and its passes -*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The schedule of a kernel by its readers: what everybody reads is one
// attribute; what one pass alone reads is that pass's own, and all of those
// stand in one list.
//
//   gpu.func @k(...) attributes {
//     flash_tile.kernel = #flash_tile.kernel<warps = 8, instruction =
//         #flash_tile.wgmma, stages = 2, roles = <...>>,
//     flash_tile.passes = [#flash_tile.partial_sums, #flash_tile.overlap]}
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_TILE_IR_TILEKERNELATTRS_TD
#define FLASH_DIALECT_TILE_IR_TILEKERNELATTRS_TD

include "flash/Dialect/Tile/IR/TileDialect.td"
include "flash/Dialect/Tile/IR/TileInterfaces.td"
include "mlir/IR/AttrTypeBase.td"

def FlashTile_Roles : AttrDef<FlashTile_Dialect, "Roles"> {
  let mnemonic = "roles";
  let summary = "One warpgroup copies, the others compute";
  let description = [{
    A kernel that `flash-tile-specialize` is to split: a thread of one more warpgroup
    makes the copies, by the tensor memory accelerator. Registers are those of a
    thread: multiples of 8 from 24 to 256.

    ```mlir
    #flash_tile.roles<producer_registers = 40, consumer_registers = 232>
    ```
  }];
  let parameters = (ins "int64_t":$producer_registers, "int64_t":$consumer_registers);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def FlashTile_Kernel : AttrDef<FlashTile_Dialect, "Kernel"> {
  let mnemonic = "kernel";
  let summary = "What a kernel is: warps, instruction, stages and roles";
  let description = [{
    On an `scf.forall` that is to become a kernel, and on the `gpu.func` that it
    became, as `flash_tile.kernel`. There the number of warps is known; on a loop
    without one, it follows from the tiles.

    ```mlir
    #flash_tile.kernel<warps = 8, instruction = #flash_tile.wgmma, stages = 2,
                       roles = <producer_registers = 40, consumer_registers = 232>>
    ```
  }];
  let parameters = (ins
    DefaultValuedParameter<"int64_t", "0", "warps that compute: the W of every layout in the kernel">:$warps,
    OptionalParameter<"::mlir::Attribute", "matrix instruction; mma_sync if there is none">:$instruction,
    DefaultValuedParameter<"int64_t", "0", "stages of the rings of what a loop loads (0, 1: loads stay)">:$stages,
    DefaultValuedParameter<"int64_t", "0", "stages of the rings of what is loaded once a tile, in kernels with several tiles a block (0: one)">:$outer_stages,
    DefaultValuedParameter<"int64_t", "0", "blocks of a cluster (0, 1: none)">:$cluster,
    OptionalParameter<"::flash::tile::RolesAttr", "warps that copy and warps that compute">:$roles);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The same with another number of warps, or of blocks of a cluster.
    ::flash::tile::KernelAttr withWarps(int64_t warps) const;
    ::flash::tile::KernelAttr withCluster(int64_t cluster) const;
  }];
}

//===----------------------------------------------------------------------===//
// What one pass alone reads
//===----------------------------------------------------------------------===//

/// The wish for a pass, in the list `flash_tile.passes`.
class FlashTile_Pass<string name, string attrMnemonic, string pass>
    : AttrDef<FlashTile_Dialect, name, [FlashTile_PassAttrInterface]> {
  let mnemonic = attrMnemonic;
  let extraClassDeclaration = "static ::llvm::StringRef getPass() { return \"" # pass # "\"; }\n";
}

/// One with parameters, all of which have defaults.
class FlashTile_PassWith<string name, string attrMnemonic, string pass, dag params>
    : FlashTile_Pass<name, attrMnemonic, pass> {
  let parameters = params;
  let assemblyFormat = "(`<` struct(params)^ `>`)?";
}

def FlashTile_Order : FlashTile_PassWith<"Order", "order", "convert-flash-to-tile", (ins
    DefaultValuedParameter<"int64_t", "0">:$turns, DefaultValuedParameter<"int64_t", "0">:$tiles)> {
  let summary = "In which order blocks take the points of a loop";
  let description = [{
    Up to `turns` points of the outer dimensions take turns, the last of the innermost
    dimension first; more go one after the other. With `tiles`, as many take turns as
    have together so many points, then the next ones; if each has fewer points than that
    is of them, one goes after the other. Without either, the innermost dimension is the
    fastest.

    ```mlir
    #flash_tile.order<turns = 32>
    #flash_tile.order<tiles = 512>
    ```
  }];
}

def FlashTile_SplitTiles : FlashTile_PassWith<"SplitTiles", "split_tiles", "flash-tile-split-tiles", (ins
    DefaultValuedParameter<"int64_t", "8">:$parts)> {
  let summary = "Up to `parts` blocks share a tile of the last round";
  let description = "Example: `#flash_tile.split_tiles<parts = 4>`.";
}

def FlashTile_Persistent : FlashTile_PassWith<"Persistent", "persistent", "flash-tile-persistent", (ins
    DefaultValuedParameter<"bool", "false">:$unlike, DefaultValuedParameter<"bool", "false">:$dynamic)> {
  let summary = "As many blocks as the target has cores, each with several tiles";
  let description = [{
    Tiles are `unlike` where some take longer than others: then the grid is as large
    as the device. With `dynamic`, blocks take the next tile when they are done with
    one.

    Example: `#flash_tile.persistent<dynamic = true>`.
  }];
}

def FlashTile_PartialSums : FlashTile_Pass<"PartialSums", "partial_sums", "flash-tile-partial-sums"> {
  let summary = "Threads keep sums of their own columns, joined once after the loop";
  let description = "Example: `#flash_tile.partial_sums`.";
}

def FlashTile_KeepOperands : FlashTile_Pass<"KeepOperands", "keep_operands", "flash-tile-keep-operands"> {
  let summary = "First operands that a loop does not change stay in registers";
  let description = "Example: `#flash_tile.keep_operands`.";
}

def FlashTile_StoreTma : FlashTile_PassWith<"StoreTma", "store_tma", "flash-tile-store-tma", (ins
    DefaultValuedParameter<"int64_t", "0">:$columns)> {
  let summary = "Results go through shared memory, `columns` of them at a time (0: all)";
  let description = "Example: `#flash_tile.store_tma<columns = 64>`.";
}

def FlashTile_Overlap : FlashTile_PassWith<"Overlap", "overlap", "flash-tile-overlap", (ins
    DefaultValuedParameter<"bool", "false">:$delay_puts)> {
  let summary = "The first product of an iteration starts before the second of the one before";
  let description = [{
    With `delay_puts`, the producer fills rings in the order in which such products
    read them.

    Example: `#flash_tile.overlap<delay_puts = true>`.
  }];
}

def FlashTile_StartProducts : FlashTile_Pass<"StartProducts", "start_products", "flash-tile-start-products"> {
  let summary = "Products of loops with more than two run beside other work";
  let description = "Example: `#flash_tile.start_products`.";
}

def FlashTile_PrefetchTiles : FlashTile_PassWith<"PrefetchTiles", "prefetch_tiles", "flash-tile-prefetch-tiles", (ins
    DefaultValuedParameter<"int64_t", "4">:$blocks)> {
  let summary = "So many steps of the next tile are brought into the L2 cache";
  let description = "Example: `#flash_tile.prefetch_tiles<blocks = 8>`.";
}

def FlashTile_PeelMasks : FlashTile_PassWith<"PeelMasks", "peel_masks", "flash-tile-peel-masks", (ins
    DefaultValuedParameter<"bool", "false">:$first, DefaultValuedParameter<"bool", "false">:$one_more)> {
  let summary = "A loop over whole blocks, then one over blocks that masks cut";
  let description = [{
    With `first`, blocks that masks cut may come first; with `one_more`, one whole
    block goes with these.

    Example: `#flash_tile.peel_masks<first = true, one_more = true>`.
  }];
}

def FlashTile_OverlapTiles : FlashTile_Pass<"OverlapTiles", "overlap_tiles", "flash-tile-overlap-tiles"> {
  let summary = "The next tile's first product runs beside the end of a tile";
  let description = "Example: `#flash_tile.overlap_tiles`.";
}

def FlashTile_PingPong : FlashTile_Pass<"PingPong", "ping_pong", "flash-tile-ping-pong"> {
  let summary = "Consumer warpgroups take turns to issue their products";
  let description = "Example: `#flash_tile.ping_pong`.";
}

def FlashTile_LazySoftmax : FlashTile_PassWith<"LazySoftmax", "lazy_softmax", "flash-tile-lazy-softmax", (ins
    DefaultValuedParameter<"bool", "false">:$early_check, DefaultValuedParameter<"bool", "false">:$cut_exact)> {
  let summary = "The first block's maximum stays the reference while row sums are in range";
  let description = [{
    With `early_check`, whether a step is out of range is found out before the wait
    for the product in flight; with `cut_exact`, loops over blocks that masks cut keep
    the running maximum.

    Example: `#flash_tile.lazy_softmax<early_check = true>`.
  }];
}

#endif // FLASH_DIALECT_TILE_IR_TILEKERNELATTRS_TD
