//===- Tile.h - The GPU tile dialect ----------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_TILE_IR_TILE_H
#define FLASH_DIALECT_TILE_IR_TILE_H

#include "flash/Dialect/Utils/KnownAttributes.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Attributes.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "flash/Dialect/Tile/IR/TileDialect.h.inc"
#include "flash/Dialect/Tile/IR/TileEnums.h.inc"

namespace flash::tile {

/// Where an element that a lane holds lies, counted from the lane's first row
/// and column.
struct LanePlace {
  int64_t row, column;
};

} // namespace flash::tile

#include "flash/Dialect/Tile/IR/TileInterfaces.h.inc"

#define GET_ATTRDEF_CLASSES
#include "flash/Dialect/Tile/IR/TileAttrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "flash/Dialect/Tile/IR/TileTypes.h.inc"

#define GET_OP_CLASSES
#include "flash/Dialect/Tile/IR/TileOps.h.inc"

namespace flash::tile {

/// What the kernel (or a loop that is to become one) is; null where nothing
/// says it.
KernelAttr getKernelAttr(mlir::Operation *kernel);

/// The number of computing warps of the kernel around an op, 0 outside of one.
int64_t getKernelWarps(mlir::Operation *op);

/// The attribute by which a kernel (or a loop that is to become one) asks for a
/// pass; null if it does not.
template <typename Attr> Attr getPassAttr(mlir::Operation *kernel) {
  auto passes = kernel->getAttrOfType<mlir::ArrayAttr>(
      FlashTileDialect::getPassesAttrName());
  if (passes)
    for (mlir::Attribute pass : passes)
      if (auto attr = llvm::dyn_cast<Attr>(pass))
        return attr;
  return {};
}

/// Reduces a fragment of rank two to complete values of each row or column, as
/// the layout of `result` (row or col) says.
mlir::Value createReduction(mlir::OpBuilder &builder, mlir::Location loc,
                            FragmentType result, ReduceKind kind,
                            mlir::Value source);

/// The number of blocks of a cluster of the kernel, 1 where it has none.
int64_t getKernelCluster(mlir::Operation *kernel);

} // namespace flash::tile

#endif // FLASH_DIALECT_TILE_IR_TILE_H
