//===- TileOpBase.td - What ops of tiles share -------------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The base of all ops, and that of transfers.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_TILE_IR_TILEOPBASE_TD
#define FLASH_DIALECT_TILE_IR_TILEOPBASE_TD

include "flash/Dialect/Tile/IR/TileTypes.td"
include "flash/Dialect/Utils/KnownAttributes.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"

class FlashTile_Op<string mnemonic, list<Trait> traits = []>
    : Op<FlashTile_Dialect, mnemonic, !listconcat(traits, [KnownAttributes])>;

/// What all transfers between device memory and tiles share: a place in a
/// strided memref (or tensor map) and how much of the tile exists.
class FlashTile_TransferOp<string mnemonic, list<Trait> traits = []>
    : FlashTile_Op<mnemonic, !listconcat([AttrSizedOperandSegments], traits)> {
  let hasVerifier = 1;
  code transferDeclaration = [{
    /// The dimension of the memref that the rows of the tile run along.
    int64_t getRowDimension() {
      if (auto dim = getRowDim())
        return *dim;
      return getTransferRank() - std::min<int64_t>(getTileRank(), getTransferRank());
    }
    int64_t getTransferRank() { return getOffsets().size(); }
  }];
}

#endif // FLASH_DIALECT_TILE_IR_TILEOPBASE_TD
