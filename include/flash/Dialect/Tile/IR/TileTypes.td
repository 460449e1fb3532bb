//===- TileTypes.td - Types of the tile dialect ------------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Fragments (registers), tiles and rings of tiles in shared memory, results in
// flight and TMA tensor maps. A type says everything that the lowering has to
// know about a value.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_TILE_IR_TILETYPES_TD
#define FLASH_DIALECT_TILE_IR_TILETYPES_TD

include "flash/Dialect/Tile/IR/TileAttrs.td"
include "mlir/IR/AttrTypeBase.td"

class FlashTile_Type<string name, string typeMnemonic>
    : TypeDef<FlashTile_Dialect, name> {
  let mnemonic = typeMnemonic;
  let genVerifyDecl = 1;
}

def FlashTile_Fragment : FlashTile_Type<"Fragment", "fragment"> {
  let summary = "a tile in registers, distributed over the computing warps";
  let description = [{
    Values of a static shape, held by the lanes of W warps as the layout says.
    At L4: a vector of the elements that one lane holds; 16-bit floats of
    rank two are packed in pairs into i32.

    Example:

    ```mlir
    !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
    !flash_tile.fragment<128x64xbf16, #flash_tile.lhs<8>>
    !flash_tile.fragment<128x64xbf16, #flash_tile.stream<8, run = 8>>
    !flash_tile.fragment<128xf32, #flash_tile.row<8>>
    ```
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape, "::mlir::Type":$elementType,
                        "::flash::tile::LayoutAttrInterface":$layout);
  let hasCustomAssemblyFormat = 1;
  let builders = [TypeBuilderWithInferredContext<(ins "::llvm::ArrayRef<int64_t>":$shape,
      "::mlir::Type":$elementType, "::flash::tile::LayoutAttrInterface":$layout), [{
    return $_get(elementType.getContext(), shape, elementType, layout);
  }]>];
  let skipDefaultBuilders = 1;
  let extraClassDeclaration = [{
    int64_t getRank() const { return getShape().size(); }
    int64_t getRows() const { return getShape()[0]; }
    /// Columns; 1 for a row vector.
    int64_t getColumns() const { return getRank() > 1 ? getShape()[1] : 1; }
    int64_t getWarps() const { return getLayout().getWarps(); }
    int64_t getColumnGroups() const { return getLayout().getColumnGroups(); }
    /// Warps along the rows.
    int64_t getRowWarps() const { return getWarps() / getColumnGroups(); }
    /// Columns that a warp holds.
    int64_t getColumnsOfWarp() const { return getColumns() / getColumnGroups(); }
    /// How many times the warps together step down the rows.
    int64_t getRepetitions() const { return getRows() / (16 * getRowWarps()); }
    int64_t getElementsPerLane() const {
      return getLayout().getElementsPerLane(getShape());
    }
    ::llvm::SmallVector<LanePlace> getLanePlaces() const {
      return getLayout().getLanePlaces(getShape());
    }
  }];
}

def FlashTile_Shared : FlashTile_Type<"Shared", "shared"> {
  let summary = "a tile in shared memory";
  let description = [{
    R rows of C columns in panels of 128 bytes of columns: panel p holds
    columns `p * 128 / sizeof(T)` on, as `[row][128 bytes]`, and the 16-byte
    chunks of a row are swizzled by `chunk ^= row % 8`; a tile of one row lies
    as it is. The last panel may be
    used in part. Its address is a multiple of 1024. At L4: the 32-bit shared
    address.

    Example: `!flash_tile.shared<128x128xbf16>` (two panels, 32 KiB).
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$columns, "::mlir::Type":$elementType);
  let hasCustomAssemblyFormat = 1;
  let builders = [TypeBuilderWithInferredContext<(ins "int64_t":$rows, "int64_t":$columns,
      "::mlir::Type":$elementType), [{
    return $_get(elementType.getContext(), rows, columns, elementType);
  }]>];
  let skipDefaultBuilders = 1;
  let extraClassDeclaration = [{
    /// Columns of one panel of 128 bytes.
    int64_t getPanelColumns() const;
    int64_t getPanels() const;
    int64_t getPanelBytes() const { return getRows() * 128; }
    int64_t getSizeInBytes() const { return getPanels() * getPanelBytes(); }
  }];
}

def FlashTile_Ring : FlashTile_Type<"Ring", "ring"> {
  let summary = "stages of shared memory with their synchronisation";
  let description = [{
    A number of tiles of one shape, filled in turn: iteration i uses stage
    `i % stages`. The kind says who fills a stage and how a reader waits:

    - `cp_async`: all threads of the block copy with `cp.async`, one commit
      group for each `put`; a `get` waits for a number of groups and is a
      barrier of the block.
    - `mbarrier`: one thread of the producer issues TMA copies; each stage has
      a full and an empty barrier. `put` waits for empty, `get` for full,
      `release` arrives on empty.

    A ring of kind `mbarrier` may be shared by the blocks of a cluster, whose
    producers fill it with the same tiles: each copies a part of the rows to all
    of them, and a stage is empty when the consumers of all have released it.

    Of a ring that is `watched` a stage is full when the watcher of the block says
    so (`flash_tile.watch`), after the copies have landed; for these it has one
    more barrier a stage.

    At L4: the 32-bit shared address of the first stage; the barriers follow
    the last stage, or lie `barriers` bytes after the first one, where
    `flash-tile-allocate-shared` puts those of all rings in one place.

    Examples: `!flash_tile.ring<2, 128x128xbf16, mbarrier>`,
    `!flash_tile.ring<2, 128x128xbf16, mbarrier, cluster 2>`,
    `!flash_tile.ring<2, 128x128xbf16, mbarrier, watched>`.
  }];
  let parameters = (ins "int64_t":$stages, "::flash::tile::SharedType":$tile,
                        "::flash::tile::RingKind":$kind, "int64_t":$cluster, "bool":$watched,
                        "int64_t":$barriers);
  let hasCustomAssemblyFormat = 1;
  let builders = [TypeBuilderWithInferredContext<(ins "int64_t":$stages,
      "::flash::tile::SharedType":$tile, "::flash::tile::RingKind":$kind,
      CArg<"int64_t", "1">:$cluster, CArg<"bool", "false">:$watched,
      CArg<"int64_t", "0">:$barriers), [{
    return $_get(tile.getContext(), stages, tile, kind, cluster, watched, barriers);
  }]>];
  let skipDefaultBuilders = 1;
  let extraClassDeclaration = [{
    /// Byte offset of the full barrier of stage 0; the empty barriers follow the full ones, and those of
    /// copies that have landed the empty ones.
    int64_t getBarrierOffset() const { return getBarriers() ? getBarriers() : getStageBytes(); }
    /// Bytes of all stages, and of all barriers.
    int64_t getStageBytes() const { return getStages() * getTile().getSizeInBytes(); }
    int64_t getBarrierBytes() const {
      return getKind() == ::flash::tile::RingKind::MBarrier ? (getWatched() ? 24 : 16) * getStages() : 0;
    }
    /// Stages, and barriers that follow them.
    int64_t getSizeInBytes() const { return getStageBytes() + (getBarriers() ? 0 : getBarrierBytes()); }
    /// The same ring with so many stages, shared by so many blocks, or with its barriers so far after its first stage.
    RingType withStages(int64_t stages) const { return get(stages, getTile(), getKind(), getCluster(), getWatched()); }
    RingType withCluster(int64_t cluster) const { return get(getStages(), getTile(), getKind(), cluster, getWatched()); }
    RingType withBarriers(int64_t barriers) const {
      return get(getStages(), getTile(), getKind(), getCluster(), getWatched(), barriers);
    }
    /// Rows that one block of the cluster copies.
    int64_t getRowsOfBlock() const { return getTile().getRows() / getCluster(); }
  }];
}

def FlashTile_Pending : FlashTile_Type<"Pending", "pending"> {
  let summary = "an accumulator that a matrix instruction may still write";
  let description = [{
    The result of `flash_tile.mma_start`. Only `flash_tile.mma_wait` reads it:
    any other use of registers in flight is undefined, so that the type has no
    other op.

    Example: `!flash_tile.pending<!flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>>`.
  }];
  let parameters = (ins "::flash::tile::FragmentType":$accumulator);
  let assemblyFormat = "`<` qualified($accumulator) `>`";
  let builders = [TypeBuilderWithInferredContext<(ins "::flash::tile::FragmentType":$accumulator), [{
    return $_get(accumulator.getContext(), accumulator);
  }]>];
  let skipDefaultBuilders = 1;
}

def FlashTile_Queue : FlashTile_Type<"Queue", "queue"> {
  let summary = "tile numbers on their way from the producer to the consumers";
  let description = [{
    Two numbers in shared memory, each with a full and an empty barrier. The
    producer posts, all consumers receive. At L4: a 32-bit shared address.
  }];
  let extraClassDeclaration = [{
    static constexpr int64_t stages = 2;
    /// Full barriers stand after the numbers, empty ones after those.
    static constexpr int64_t barrierOffset = 8 * stages;
    static constexpr int64_t sizeInBytes = barrierOffset + 16 * stages;
  }];
}

def FlashTile_TensorMap : FlashTile_Type<"TensorMap", "tensor_map"> {
  let summary = "a TMA descriptor of a tensor in device memory";
  let description = [{
    Describes a memref to the copy engine, 128 bytes made by the runtime. The
    shape is the box that one copy moves, in the order of the memref's
    dimensions; the last one is a panel of 128 bytes. Swizzle is 128 bytes
    (none of a box of one row), and what lies out of bounds is read as zero. The map has the memref's sizes and
    strides; dimensions in reverse, as the driver wants them.

    At L4: a pointer to a kernel parameter, by value and aligned to 64.

    Example: `!flash_tile.tensor_map<1x1x128x64xbf16>`, for a memref of batch,
    head, position and column: 128 positions by 64 columns a copy.
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$box, "::mlir::Type":$elementType);
  let hasCustomAssemblyFormat = 1;
  let builders = [TypeBuilderWithInferredContext<(ins "::llvm::ArrayRef<int64_t>":$box,
      "::mlir::Type":$elementType), [{
    return $_get(elementType.getContext(), box, elementType);
  }]>];
  let skipDefaultBuilders = 1;
  let extraClassDeclaration = [{
    int64_t getRank() const { return getBox().size(); }
  }];
}

#endif // FLASH_DIALECT_TILE_IR_TILETYPES_TD
