//===- TensorMaps.cpp - Kernels with tensor maps --------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See TensorMaps.h.
//
//===----------------------------------------------------------------------===//

#include "TensorMaps.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace flash::tile;

LaunchMap flash::tile::findLaunches(ModuleOp module) {
  LaunchMap launches;
  SymbolTableCollection symbols;
  module.walk([&](LaunchOp launch) {
    if (Operation *kernel =
            symbols.lookupNearestSymbolFrom(launch, launch.getKernelAttr()))
      launches[kernel].push_back(launch);
  });
  return launches;
}

template <typename TransferOp>
StringRef flash::tile::reasonAgainstTma(TransferOp op, Value memref) {
  auto argument = dyn_cast<BlockArgument>(memref);
  if (!argument || !isa<gpu::GPUFuncOp>(argument.getOwner()->getParentOp()))
    return "its tensor is not a parameter of the kernel";
  if (op.getAlignment() < 16)
    return "rows are not known to be aligned to 16 bytes";
  auto type = cast<MemRefType>(memref.getType());
  if (type.getRank() > 5)
    return "the tensor has more than 5 dimensions";
  PackedRowsAttr packed = op.getPackedAttr();
  if (packed && packed.getOuter() != (packed.getDim() < op.getRowDimension()))
    return "its rows are not in memory's order";
  if (op.getCols()) {
    auto columns = getConstantIntValue(getAsOpFoldResult(op.getCols()));
    auto column =
        getConstantIntValue(getAsOpFoldResult(op.getOffsets().back()));
    if (!columns || !column || *column + *columns != type.getShape().back())
      return "its columns are not cut off at the tensor's end";
  }
  return "";
}

template StringRef flash::tile::reasonAgainstTma(LoadOp, Value);
template StringRef flash::tile::reasonAgainstTma(StoreOp, Value);

std::optional<BoxRows> flash::tile::findBox(int64_t rowDim,
                                            PackedRowsAttr packed,
                                            int64_t tileRows, int64_t count) {
  if (!packed)
    return BoxRows{rowDim, count};
  int64_t inside = std::min(packed.getInside(tileRows), count);
  if (packed.getInside(tileRows) % inside || count % inside)
    return std::nullopt;
  BoxRows box{rowDim, count / inside, packed.getDim(), inside};
  if (packed.getOuter())
    std::swap(box.count, box.packedCount);
  return box;
}

Value TensorMaps::get(Location loc, Value memref, BoxRows rows,
                      int64_t columns) {
  auto source = cast<BlockArgument>(memref);
  auto memrefType = cast<MemRefType>(memref.getType());
  SmallVector<int64_t> box(memrefType.getRank(), 1);
  box[rows.dim] = rows.count;
  if (rows.packedDim >= 0)
    box[rows.packedDim] = rows.packedCount;
  box.back() = columns;
  auto type = TensorMapType::get(box, memrefType.getElementType());
  Value &map = maps[{source, type}];
  if (map)
    return map;
  map = kernel.getBody().addArgument(type, loc);
  kernel.setFunctionType(FunctionType::get(
      kernel.getContext(), kernel.getBody().getArgumentTypes(), {}));
  for (LaunchOp launch : launches) {
    OpBuilder builder(launch);
    Value argument =
        TensorMapOp::create(builder, launch.getLoc(), type,
                            launch.getArgs()[source.getArgNumber()]);
    launch.getArgsMutable().append(argument);
  }
  return map;
}
