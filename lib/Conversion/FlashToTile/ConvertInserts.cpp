//===- ConvertInserts.cpp - What a kernel writes --------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   tensor.parallel_insert_slice %t into %o[...]  ->  flash_tile.store %t,
//   %o[...] flash.add_slice %t into %sum[...]             ->  flash_tile.store
//   add ...
//
// A sum over iterations that begins with zeros, and is added to a result in the
// end, has no place of its own: what a step adds to it is added to the result.
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace flash;

IntegerAttr flash::getRowDimAttr(OpBuilder &builder, Value memref, int64_t rank,
                                 int64_t dim) {
  int64_t usual = cast<MemRefType>(memref.getType()).getRank() - rank;
  return dim == usual ? IntegerAttr() : builder.getI64IntegerAttr(dim);
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

/// Collects the tensors from which `sum` is made by adding slices; fails where
/// something else makes or reads one of them.
static LogicalResult traceSum(Value sum, llvm::DenseSet<Value> &parts) {
  if (auto fill = sum.getDefiningOp<linalg::FillOp>())
    return success(matchPattern(fill.getInputs()[0], m_AnyZeroFloat()));
  if (!parts.insert(sum).second)
    return success();
  if (!sum.hasOneUse())
    return failure();
  if (auto add = sum.getDefiningOp<AddSliceOp>())
    return traceSum(add.getDest(), parts);
  if (auto branch = sum.getDefiningOp<scf::IfOp>()) {
    unsigned number = cast<OpResult>(sum).getResultNumber();
    for (Block *block : {branch.thenBlock(), branch.elseBlock()})
      if (failed(traceSum(block->getTerminator()->getOperand(number), parts)))
        return failure();
    return success();
  }
  auto loop = sum.getDefiningOp<scf::ForOp>();
  if (auto argument = dyn_cast<BlockArgument>(sum))
    loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
  if (!loop || sum == loop.getInductionVar())
    return failure();
  BlockArgument argument = dyn_cast<BlockArgument>(sum);
  if (!argument)
    argument = loop.getTiedLoopRegionIterArg(cast<OpResult>(sum));
  if (failed(traceSum(loop.getTiedLoopYieldedValue(argument)->get(), parts)))
    return failure();
  return traceSum(loop.getTiedLoopInit(argument)->get(), parts);
}

llvm::DenseMap<Value, SumTarget> flash::findSums(scf::InParallelOp end) {
  llvm::DenseMap<Value, SumTarget> sums;
  for (Operation &op : *end.getBody()) {
    auto add = dyn_cast<ParallelAddSliceOp>(op);
    if (!add)
      continue;
    llvm::DenseSet<Value> parts;
    bool isSum = succeeded(traceSum(add.getSource(), parts)) &&
                 llvm::any_of(parts, [](Value part) {
                   return part.getDefiningOp<AddSliceOp>();
                 });
    if (!isSum)
      continue;
    SumTarget target{add, {}};
    llvm::SmallBitVector dropped = add.getDroppedDims();
    for (int64_t dim = 0, rank = add.getDestType().getRank(); dim < rank; ++dim)
      if (!dropped.test(dim))
        target.dims.push_back(dim);
    for (Value part : parts)
      sums[part] = target;
  }
  return sums;
}

LogicalResult KernelBuilder::convertAdd(AddSliceOp op) {
  auto it = sums.find(op.getResult());
  if (it == sums.end())
    return op.emitOpError("must begin with zeros and end in one "
                          "flash.parallel_add_slice on a GPU");
  const SumTarget &target = it->second;
  Location loc = op.getLoc();
  // The slice of the sum, in the slice of the result.
  SmallVector<Value> offsets;
  ParallelAddSliceOp end = target.end;
  for (OpFoldResult offset : end.getMixedOffsets()) {
    Value value = isa<Attribute>(offset)
                      ? scalar(loc, offset)
                      : scalars.lookupOrNull(cast<Value>(offset));
    if (!value)
      return op.emitOpError("is added to a slice whose place is computed "
                            "after it");
    offsets.push_back(value);
  }
  for (auto [dim, offset] : llvm::zip(target.dims, op.getMixedOffsets()))
    offsets[dim] = builder.createOrFold<arith::AddIOp>(loc, offsets[dim],
                                                       scalar(loc, offset));
  SmallVector<int64_t> dims;
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (auto [i, dim] : llvm::enumerate(target.dims))
    if (!dropped.test(i))
      dims.push_back(dim);
  return storeTile(op, op.getSource(), scalars.lookup(end.getDest()), offsets,
                   dims, /*add=*/true);
}

//===----------------------------------------------------------------------===//
// Stores
//===----------------------------------------------------------------------===//

/// Where `op`, at the end of the loop, writes to its result.
template <typename OpT> static SmallVector<int64_t> getWrittenDims(OpT op) {
  SmallVector<int64_t> dims;
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (int64_t dim = 0, rank = op.getDestType().getRank(); dim < rank; ++dim)
    if (!dropped.test(dim))
      dims.push_back(dim);
  return dims;
}

LogicalResult KernelBuilder::convertParallelAdd(ParallelAddSliceOp op) {
  if (sums.contains(op.getSource()))
    return success();
  Value memref = scalars.lookupOrNull(op.getDest());
  if (!memref)
    return op.emitOpError("must add to a result of the loop");
  SmallVector<Value> offsets;
  for (OpFoldResult offset : op.getMixedOffsets())
    offsets.push_back(scalar(op.getLoc(), offset));
  return storeTile(op, op.getSource(), memref, offsets, getWrittenDims(op),
                   /*add=*/true);
}

LogicalResult KernelBuilder::convertInsert(tensor::ParallelInsertSliceOp op) {
  Value memref = scalars.lookupOrNull(op.getDest());
  if (!memref || !op.hasUnitStride())
    return op.emitOpError("must insert into a result of the loop, with unit "
                          "strides");
  SmallVector<Value> offsets;
  for (OpFoldResult offset : op.getMixedOffsets())
    offsets.push_back(scalar(op.getLoc(), offset));
  return storeTile(op, op.getSource(), memref, offsets, getWrittenDims(op),
                   /*add=*/false);
}

LogicalResult KernelBuilder::storeTile(Operation *op, Value source,
                                       Value memref, SmallVector<Value> offsets,
                                       SmallVector<int64_t> dims, bool add) {
  Location loc = op->getLoc();
  auto sourceType = cast<RankedTensorType>(source.getType());
  SmallVector<Value> sizes(sourceType.getRank());
  if (auto slice = source.getDefiningOp<tensor::ExtractSliceOp>();
      slice && !deviceTiles.contains(source)) {
    source = slice.getSource();
    auto whole = cast<RankedTensorType>(source.getType());
    if (whole.getRank() != sourceType.getRank() || !slice.hasUnitStride() ||
        llvm::any_of(slice.getMixedOffsets(), [](OpFoldResult offset) {
          return getConstantIntValue(offset) != 0;
        }))
      return slice.emitOpError(
          "must be the first rows and columns of the tile");
    for (auto [i, size] : llvm::enumerate(slice.getMixedSizes()))
      if (getConstantIntValue(size) != whole.getDimSize(i))
        sizes[i] = scalar(loc, size);
  }
  FailureOr<Value> value = fragment(op, source);
  if (failed(value))
    return failure();
  DeviceTile tile;
  tile.memref = memref;
  tile.offsets = std::move(offsets);
  tile.dims = std::move(dims);
  int64_t rank = cast<tile::FragmentType>(value->getType()).getRank();
  if (static_cast<int64_t>(tile.dims.size()) == rank + 1) {
    // Rows of the tile are two dimensions of its view, the inner one last
    // unless they change places.
    ArrayRef<int64_t> shape =
        cast<RankedTensorType>(source.getType()).getShape();
    RowDim outer{tile.dims[0], shape[0], sizes[0]},
        inner{tile.dims[1], shape[1], sizes[1]};
    if (source.getDefiningOp<linalg::TransposeOp>())
      std::swap(outer, inner);
    auto folded = FoldedRows::get(builder.getContext(), outer, inner);
    if (!folded)
      return op->emitOpError(
          "stores a part of the rows of several heads that is "
          "a part of both dimensions");
    tile.packed = folded->packed;
    tile.dims.erase(tile.dims.begin());
    sizes.erase(sizes.begin());
    tile.dims[0] = folded->rows.dim;
    sizes[0] = folded->rows.exists;
  }
  if (rank == 2 &&
      tile.dims[1] + 1 != static_cast<int64_t>(tile.offsets.size()))
    return op->emitOpError("inserts a tile whose columns do not run along the "
                           "last dimension");
  auto type = cast<tile::FragmentType>(value->getType());
  bool alongColumns = isa<tile::ColLayoutAttr>(type.getLayout());
  Value rows = alongColumns ? Value() : sizes[0];
  Value columns = alongColumns ? sizes[0] : rank == 2 ? sizes[1] : Value();
  tile.sizes = {rows};
  tile::StoreOp::create(builder, loc, *value, memref, tile.offsets, rows,
                        toEnd(tile, type.getRows()), columns,
                        getRowDimAttr(builder, memref, rank, tile.dims[0]),
                        builder.getI64IntegerAttr(alignment(tile)), tile.packed,
                        add ? builder.getUnitAttr() : UnitAttr());
  return success();
}
