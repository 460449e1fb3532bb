//===- TileDialect.td - The GPU tile dialect ---------------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// L3, the GPU schedule: who does what, when, and where it lies. A kernel is a
// `gpu.func` whose values are tiles: fragments in registers, tiles and rings
// of tiles in shared memory. One program of tiles stands for all threads of a
// block; the lowering to L4 gives each thread its part.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_TILE_IR_TILEDIALECT_TD
#define FLASH_DIALECT_TILE_IR_TILEDIALECT_TD

include "mlir/IR/OpBase.td"

def FlashTile_Dialect : Dialect {
  let name = "flash_tile";
  let cppNamespace = "::flash::tile";
  let summary = "Tiles of one GPU thread block: fragments, shared memory, mma";
  let description = [{
    The level L3 of Flash. A kernel is a `gpu.func`, and every op of this
    dialect in it is executed by the whole thread block together (or by one of
    the two roles of a `flash_tile.specialize`); no op names a thread.

    - A *fragment* is a tile in registers. Its layout attribute says which
      lane of which warp holds which element. The layouts are those of the
      tensor-core instructions; `mma.sync` and `wgmma` share them.
    - A *shared* tile lies in shared memory in panels of 128 bytes of columns,
      `[panel][row][128 bytes]`, whose 16-byte chunks are swizzled by
      `chunk ^= row % 8`. That is TMA's 128-byte swizzle, and it makes
      `ldmatrix` free of bank conflicts, so that both families use it.
    - A *ring* is a number of such tiles (stages) that are filled ahead of
      their use, with what is needed to wait for them.

    Attributes of a kernel (`gpu.func`):

    | attribute | on | meaning |
    |---|---|---|
    | `flash_tile.kernel` | kernel, `scf.forall` | what the kernel is, `#flash_tile.kernel<...>`: warps that compute (threads of a block are 32 for each, and 128 more when the kernel has a `flash_tile.specialize`), instruction, stages, roles, cluster |
    | `flash_tile.passes` | kernel, `scf.forall` | which passes are to work on it, and what each of them alone reads: a list of `#flash_tile.overlap<...>` and its like |
    | `flash_tile.shared_bytes` | kernel | dynamic shared memory of a block, set by `flash-tile-allocate-shared` for the launch |
    | `flash_tile.parts` | kernel | which parameter is the binary logarithm of a tile's parts, set by `flash-tile-split-tiles` |
    | `flash_tile.tiles` | `scf.for` | the loop over tiles of a block that stays, made by `flash-tile-persistent` |
    | `flash_tile.masked` | `scf.for` | the loop over blocks that masks cut, beside one over whole blocks, made by `flash-tile-peel-masks` |
    | `flash_tile.tensor_map_parameters` | kernel at L4 | which parameters are tensor maps, until `flash-tile-finalize-kernels` |
    | `flash_tile.parameters` | kernel at L4 | which values of a launch are parameters, where `flash-tile-drop-parameters` has left some out |

    Others are errors.

    The layout of kernel parameters at L4: a memref of rank r is its
    descriptor, expanded (allocated pointer, aligned pointer, offset, r sizes,
    r strides, all 64-bit); `index` is 64-bit; a tensor map is 128 bytes by value, aligned
    to 64.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let extraClassDeclaration = [{
    /// The dialect's version in bytecode (BytecodeVersion.h): one more whenever
    /// what was written before is read otherwise.
    static constexpr uint64_t kBytecodeVersion = 1;
    /// Of a kernel, and of a loop that is to become one: what it is.
    static constexpr ::llvm::StringLiteral getKernelAttrName() {
      return "flash_tile.kernel";
    }
    /// And which passes are to work on it.
    static constexpr ::llvm::StringLiteral getPassesAttrName() {
      return "flash_tile.passes";
    }
    /// Kernel attribute: bytes of dynamic shared memory of a block.
    static constexpr ::llvm::StringLiteral getSharedBytesAttrName() {
      return "flash_tile.shared_bytes";
    }
    /// Attribute of the loop over the tiles of a persistent kernel's block.
    static constexpr ::llvm::StringLiteral getTilesAttrName() {
      return "flash_tile.tiles";
    }
    /// Attribute of a loop over blocks that masks cut, where whole blocks have
    /// one of their own.
    static constexpr ::llvm::StringLiteral getMaskedAttrName() {
      return "flash_tile.masked";
    }
    /// Of a kernel that may split tiles: which parameter is the binary logarithm
    /// of their parts.
    static constexpr ::llvm::StringLiteral getPartsAttrName() {
      return "flash_tile.parts";
    }
    /// L4 function attribute: which parameters are tensor maps, until
    /// `flash-tile-finalize-kernels`.
    static constexpr ::llvm::StringLiteral getTensorMapsAttrName() {
      return "flash_tile.tensor_map_parameters";
    }
    /// L4 function attribute: which of the launch's values are parameters, where
    /// `flash-tile-drop-parameters` has left some out.
    static constexpr ::llvm::StringLiteral getParametersAttrName() {
      return "flash_tile.parameters";
    }
  }];
}

#endif // FLASH_DIALECT_TILE_IR_TILEDIALECT_TD
