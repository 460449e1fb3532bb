//===- KernelBuilder.cpp - The body of a loop over tiles, as a kernel -----===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Control flow, and how tiles get from device memory into a kernel and back:
//
//   %s = tensor.extract_slice %k[%b, %h, %j, 0] [1, 1, %n, 64] [1, 1, 1, 1]
//   %p = tensor.pad %s low[0, 0] high[%m, 0] {zero}   // multiplied
//   ->  %t = flash_tile.load %k[%b, %h, %j, %c0] rows(%n)
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"
#include "RowEnds.h"

#include "flash/Dialect/Tile/IR/KnownDivisor.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"
#include <numeric>

using namespace mlir;
using namespace flash;

int64_t flash::defaultWarps(scf::ForallOp op) {
  int64_t warps = 8;
  op.walk([&](tensor::ParallelInsertSliceOp insert) {
    Value source = insert.getSource();
    if (auto slice = source.getDefiningOp<tensor::ExtractSliceOp>())
      source = slice.getSource();
    if (auto transpose = source.getDefiningOp<linalg::TransposeOp>())
      source = transpose.getInput();
    if (auto view = source.getDefiningOp<tensor::ExpandShapeOp>())
      source = view.getSrc();
    int64_t rows = cast<RankedTensorType>(source.getType()).getDimSize(0);
    while (warps > 1 && rows % (16 * warps))
      warps /= 2;
  });
  return warps;
}

Value KernelBuilder::constant(Location loc, int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

Value KernelBuilder::scalar(Location loc, OpFoldResult value) {
  if (auto known = getConstantIntValue(value))
    return constant(loc, *known);
  return scalars.lookup(cast<Value>(value));
}

LogicalResult KernelBuilder::convertBody(Block &body) {
  if (failed(layouts.analyze(body)))
    return failure();
  if (auto end = dyn_cast<scf::InParallelOp>(body.getTerminator()))
    sums = findSums(end);
  return convertBlock(body);
}

//===----------------------------------------------------------------------===//
// Where a tile lies
//===----------------------------------------------------------------------===//

/// Whether a contraction reads `tensor`.
static bool isMultiplied(Value tensor) {
  return llvm::any_of(tensor.getUses(), [&](OpOperand &use) {
    if (auto hide = dyn_cast<HideUnseenOp>(use.getOwner()))
      return isMultiplied(hide.getResult());
    auto op = dyn_cast<linalg::LinalgOp>(use.getOwner());
    return op && linalg::isaContractionOpInterface(op) && !op.isDpsInit(&use);
  });
}

FailureOr<tile::FragmentType>
KernelBuilder::fragmentType(Value tensor, std::optional<VectorPlace> place) {
  auto type = dyn_cast<RankedTensorType>(tensor.getType());
  if (!type || !type.hasStaticShape() || type.getRank() < 1 ||
      type.getRank() > 2)
    return emitError(tensor.getLoc())
           << "a GPU kernel works on tiles of rank 1 or 2 with a static shape, "
              "but this value has type "
           << tensor.getType();
  MLIRContext *context = builder.getContext();
  Type element = type.getElementType();
  tile::LayoutAttrInterface layout;
  auto isLeft = [&](OpOperand &use) { return isLeftFragment(use); };
  if (type.getRank() == 1)
    layout = place.value_or(layouts.getPlace(tensor)).getLayout(context, warps);
  else if (element.isF32() || llvm::none_of(tensor.getUses(), isLeft))
    layout = layouts.getMatrixLayout(context, type.getDimSize(0));
  else
    layout = tile::LhsLayoutAttr::get(context, warps);
  auto error = [&] { return emitError(tensor.getLoc()); };
  return tile::FragmentType::getChecked(error, type.getShape(), element,
                                        layout);
}

/// Whether a vector along columns can go through shared memory: all of it
/// exists, in whole panels of f32.
bool KernelBuilder::canStage(const DeviceTile &source,
                             tile::FragmentType type) {
  int64_t rank = cast<MemRefType>(source.memref.getType()).getRank();
  return isa<tile::ColLayoutAttr>(type.getLayout()) &&
         type.getElementType().isF32() && type.getShape().back() % 32 == 0 &&
         rank > 1 && source.dims.back() == rank - 1 && !source.sizes.back() &&
         alignment(source) >= 16;
}

bool KernelBuilder::isFetched(Value tensor) {
  auto it = deviceTiles.find(tensor);
  if (it == deviceTiles.end() || !layouts.isStreamed())
    return false;
  const DeviceTile &tile = it->second;
  auto type = cast<MemRefType>(tile.memref.getType());
  return tile.dims.size() == 2 && !tile.packed && !tile.pages &&
         tile.dims[1] == type.getRank() - 1 &&
         tile::FetchOp::takesElement(type.getElementType());
}

FailureOr<Value> KernelBuilder::loadFragment(Operation *user, Value tensor,
                                             tile::FragmentType type) {
  const DeviceTile source = deviceTiles.find(tensor)->second;
  if (isFetched(tensor))
    return tile::FetchOp::create(
               builder, user->getLoc(), type, source.memref, source.offsets,
               source.sizes[0], source.sizes[1],
               getRowDimAttr(builder, source.memref, 2, source.dims[0]),
               builder.getI64IntegerAttr(alignment(source)), source.padding,
               /*strips=*/UnitAttr())
        .getResult();
  if (type.getRank() == 2 && !type.getElementType().isF32())
    return user->emitOpError("reads a tile of ")
           << type.getElementType()
           << " from device memory, which is only supported element by element";
  if (source.packed)
    return user->emitOpError("reads rows of several heads element by element, "
                             "which is not supported on a GPU");
  if (stageVectors && canStage(source, type) &&
      user->getParentOfType<scf::ForOp>()) {
    // A producer brings it; a panel of one row is as it lies in memory.
    auto shared =
        tile::SharedType::get(1, type.getShape().back(), type.getElementType());
    Value row = tile::LoadOp::create(
        builder, user->getLoc(), shared, source.memref, source.offsets,
        /*rows=*/Value(), /*to_end=*/UnitAttr(), /*cols=*/Value(),
        /*pages=*/Value(),
        /*sequence=*/Value(), /*row_dim=*/IntegerAttr(),
        builder.getI64IntegerAttr(alignment(source)),
        /*shared_offset=*/IntegerAttr(), /*packed=*/tile::PackedRowsAttr());
    return tile::ReadOp::create(builder, user->getLoc(), type, row).getResult();
  }
  return tile::MapOp::create(
             builder, user->getLoc(), TypeRange(type), ValueRange(),
             [&](OpBuilder &nested, Location nestedLoc, ValueRange args) {
               Value value = readElement(nested, nestedLoc, source,
                                         args.take_front(type.getRank()));
               tile::YieldOp::create(nested, nestedLoc, value);
             })
      .getResult(0);
}

FailureOr<Value> KernelBuilder::fragment(Operation *user, Value tensor,
                                         std::optional<VectorPlace> place) {
  Location loc = user->getLoc();
  if (Value value = tiles.lookup(tensor))
    if (isa<tile::FragmentType>(value.getType()))
      return value;
  FailureOr<tile::FragmentType> type = fragmentType(tensor, place);
  if (failed(type) || !*type)
    return failure();
  if (Value value = vectors.lookup({tensor, type->getLayout()}))
    return value;
  if (auto fill = tensor.getDefiningOp<linalg::FillOp>())
    return tile::SplatOp::create(builder, loc, *type,
                                 scalars.lookup(fill.getInputs()[0]))
        .getResult();
  if (tensor.getDefiningOp<tensor::EmptyOp>()) {
    Value zero = arith::ConstantOp::create(
        builder, loc, builder.getZeroAttr(type->getElementType()));
    return tile::SplatOp::create(builder, loc, *type, zero).getResult();
  }
  if (!deviceTiles.contains(tensor))
    return user->emitOpError("reads a value that is not a tile of the kernel");
  return loadFragment(user, tensor, *type);
}

Value KernelBuilder::readElement(OpBuilder &nested, Location loc,
                                 const DeviceTile &tile, ValueRange position) {
  SmallVector<Value> indices(tile.offsets);
  Value inside;
  for (auto [i, dim] : llvm::enumerate(tile.dims)) {
    indices[dim] =
        nested.createOrFold<arith::AddIOp>(loc, indices[dim], position[i]);
    if (!tile.sizes[i])
      continue;
    Value less = arith::CmpIOp::create(nested, loc, arith::CmpIPredicate::slt,
                                       position[i], tile.sizes[i]);
    inside = inside ? arith::AndIOp::create(nested, loc, inside, less) : less;
  }
  if (!inside)
    return memref::LoadOp::create(nested, loc, tile.memref, indices);
  Type element = cast<MemRefType>(tile.memref.getType()).getElementType();
  TypedAttr padding = tile.padding
                          ? tile.padding
                          : cast<TypedAttr>(nested.getZeroAttr(element));
  auto guarded = scf::IfOp::create(
      nested, loc, inside,
      [&](OpBuilder &b, Location l) {
        scf::YieldOp::create(
            b, l,
            memref::LoadOp::create(b, l, tile.memref, indices).getResult());
      },
      [&](OpBuilder &b, Location l) {
        scf::YieldOp::create(
            b, l, arith::ConstantOp::create(b, l, padding).getResult());
      });
  return guarded.getResult(0);
}

int64_t KernelBuilder::alignment(const DeviceTile &tile) {
  // Rows start at multiples of the last dimension: what is static of it counts.
  auto type = cast<MemRefType>(tile.memref.getType());
  int64_t bytes = type.getElementTypeBitWidth() / 8;
  int64_t last = type.getShape().back();
  if (ShapedType::isDynamic(last))
    return bytes;
  int64_t elements = std::gcd(last, getKnownDivisor(tile.offsets.back()));
  auto known = alignments.find(tile.memref);
  return std::gcd<int64_t>(elements * bytes,
                           known == alignments.end() ? 16 : known->second);
}

/// Whether a loop stands between an op and a reader in its block. A lane has a
/// quarter of a vector along columns: over a loop that does not read it that is
/// too much to keep in registers.
static bool hasLoopBefore(Operation *op, Operation *reader) {
  if (op->getBlock() != reader->getBlock())
    return false;
  for (Operation *next = op->getNextNode(); next && next != reader;
       next = next->getNextNode())
    if (isa<scf::ForOp>(next))
      return true;
  return false;
}

LogicalResult KernelBuilder::load(Operation *op, Value tensor) {
  if (isMultiplied(tensor))
    return loadMultiplied(op, tensor);
  bool isMatrix = cast<RankedTensorType>(tensor.getType()).getRank() != 1;
  if (isMatrix && !isFetched(tensor))
    return success();
  // Here, so that other work stands between the load and its first use.
  for (OpOperand &use : tensor.getUses()) {
    auto step = dyn_cast<linalg::LinalgOp>(use.getOwner());
    std::optional<VectorPlace> place;
    if (step && !isMatrix)
      place = layouts.getPlace(step, step.getMatchingIndexingMap(&use));
    if (!step || (!isMatrix && !place) ||
        (step.isDpsInit(&use) && !step.payloadUsesValueFromOperand(&use)))
      continue;
    if (place && place->alongColumns && hasLoopBefore(op, step))
      continue;
    FailureOr<tile::FragmentType> type = fragmentType(tensor, place);
    if (failed(type) || !*type)
      return failure();
    Value &vector = vectors[{tensor, type->getLayout()}];
    if (vector)
      continue;
    FailureOr<Value> loaded = loadFragment(op, tensor, *type);
    if (failed(loaded))
      return failure();
    vector = *loaded;
  }
  return success();
}

LogicalResult KernelBuilder::loadMultiplied(Operation *op, Value tensor) {
  const DeviceTile &source = deviceTiles.find(tensor)->second;
  auto type = cast<RankedTensorType>(tensor.getType());
  int64_t rank = cast<MemRefType>(source.memref.getType()).getRank();
  if (type.getRank() != 2 || source.dims[1] != rank - 1)
    return op->emitOpError("is multiplied, but its columns do not run along "
                           "the last dimension of the tensor in memory");
  if (source.padding && !matchPattern(source.padding, m_AnyZeroFloat()))
    return op->emitOpError("is multiplied, but padded with a value that is "
                           "not zero");
  if (!type.getElementType().isF16() && !type.getElementType().isBF16())
    return op->emitError("matrix products of ")
           << type.getElementType()
           << " are not supported on a GPU yet; f16 and bf16 are";
  auto shared = tile::SharedType::getChecked(
      [&] { return op->emitError(); }, type.getDimSize(0), type.getDimSize(1),
      type.getElementType());
  if (!shared)
    return failure();
  tiles[tensor] = tile::LoadOp::create(
      builder, op->getLoc(), shared, source.memref, source.offsets,
      source.sizes[0], toEnd(source, type.getDimSize(0)), source.sizes[1],
      source.pages, source.sequence,
      getRowDimAttr(builder, source.memref, 2, source.dims[0]),
      builder.getI64IntegerAttr(alignment(source)),
      /*shared_offset=*/IntegerAttr(), source.packed);
  return success();
}

UnitAttr KernelBuilder::toEnd(const DeviceTile &tile, int64_t rows) {
  int64_t dim = tile.dims[0];
  if (!tile.sizes[0])
    return {};
  bool ends = endsWithMemref(tile.sizes[0], tile.offsets[dim], tile.memref, dim,
                             tile.packed ? tile.packed.getOthers(rows) : rows);
  return ends ? builder.getUnitAttr() : UnitAttr();
}

//===----------------------------------------------------------------------===//
// Slices
//===----------------------------------------------------------------------===//

LogicalResult KernelBuilder::convertSlice(tensor::ExtractSliceOp op) {
  Value memref = scalars.lookupOrNull(op.getSource());
  if (!memref) {
    // The part of a tile that exists: looked at by the insertion.
    if (tiles.contains(op.getSource()) &&
        llvm::all_of(op->getUsers(),
                     llvm::IsaPred<tensor::ParallelInsertSliceOp, AddSliceOp,
                                   ParallelAddSliceOp>))
      return success();
    return op.emitOpError("of a tile is only supported where the slice is "
                          "inserted into a result");
  }
  if (!op.hasUnitStride())
    return op.emitOpError("needs unit strides on a GPU");
  Location loc = op.getLoc();
  DeviceTile tile;
  tile.memref = memref;
  for (OpFoldResult offset : op.getMixedOffsets())
    tile.offsets.push_back(scalar(loc, offset));
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (auto [dim, size] : llvm::enumerate(op.getMixedSizes())) {
    if (dropped.test(dim))
      continue;
    tile.dims.push_back(dim);
    tile.sizes.push_back(getConstantIntValue(size) ? Value()
                                                   : scalar(loc, size));
  }
  tile.shape.assign(op.getType().getShape().begin(),
                    op.getType().getShape().end());
  deviceTiles[op.getResult()] = tile;
  return op.getType().hasStaticShape() ? load(op, op.getResult()) : success();
}

LogicalResult KernelBuilder::convertPad(tensor::PadOp op) {
  auto it = deviceTiles.find(op.getSource());
  if (it == deviceTiles.end())
    return op.emitOpError("is only supported on a slice of device memory");
  if (llvm::any_of(op.getMixedLowPad(), [](OpFoldResult low) {
        return getConstantIntValue(low) != 0;
      }))
    return op.emitOpError("may pad only at the end on a GPU");
  DeviceTile tile = it->second;
  Attribute padding;
  Value paddingValue = op.getConstantPaddingValue();
  if (!paddingValue || !matchPattern(paddingValue, m_Constant(&padding)))
    return op.emitOpError("needs a constant padding value on a GPU");
  tile.padding = cast<TypedAttr>(padding);
  for (auto [i, size] : llvm::enumerate(op.getType().getShape())) {
    if (!tile.sizes[i] && tile.shape[i] != size)
      tile.sizes[i] = constant(op.getLoc(), tile.shape[i]);
    tile.shape[i] = size;
  }
  deviceTiles[op.getResult()] = tile;
  return load(op, op.getResult());
}

/// Keys in pages: only multiplied, and so only loaded as a whole.
LogicalResult KernelBuilder::convertPages(ReadPagesOp op) {
  Value memref = scalars.lookupOrNull(op.getSource()),
        table = scalars.lookupOrNull(op.getPageTable());
  if (!memref || !table || !isMultiplied(op.getTile()))
    return op.emitOpError("needs pages and their table in device memory, and a "
                          "product that reads the tile, on a GPU");
  Location loc = op.getLoc();
  int64_t rowDim = op.getLengthDim();
  DeviceTile tile;
  tile.memref = memref;
  tile.offsets.assign(4, constant(loc, 0));
  tile.offsets[op.getHeadsDim()] = scalars.lookup(op.getHead());
  tile.offsets[rowDim] = scalars.lookup(op.getFirst());
  tile.dims = {rowDim, 3};
  tile.shape.assign(op.getTile().getType().getShape().begin(),
                    op.getTile().getType().getShape().end());
  int64_t columns = op.getSource().getType().getDimSize(3);
  tile.sizes = {op.getRows() ? scalars.lookup(op.getRows()) : Value(),
                columns == tile.shape[1] ? Value() : constant(loc, columns)};
  tile.pages = table;
  tile.sequence = scalars.lookup(op.getBatch());
  deviceTiles[op.getTile()] = tile;
  return load(op, op.getTile());
}

//===----------------------------------------------------------------------===//
// Rows of several heads
//===----------------------------------------------------------------------===//

std::optional<FoldedRows> FoldedRows::get(MLIRContext *context, RowDim outer,
                                          RowDim inner) {
  if (outer.exists && inner.exists)
    return std::nullopt;
  bool outerIsPacked = static_cast<bool>(inner.exists);
  const RowDim &rows = outerIsPacked ? inner : outer,
               &packed = outerIsPacked ? outer : inner;
  return FoldedRows{rows, tile::PackedRowsAttr::get(
                              context, packed.dim, packed.size, outerIsPacked)};
}

/// Positions and heads of a tile of device memory, as its rows.
LogicalResult KernelBuilder::convertCollapse(tensor::CollapseShapeOp op) {
  auto it = deviceTiles.find(op.getSrc());
  if (it == deviceTiles.end() || op.getSrcType().getRank() != 3 ||
      op.getType().getRank() != 2 ||
      op.getReassociationIndices().front().size() != 2)
    return op.emitOpError("is only supported on the rows of a slice of device "
                          "memory");
  DeviceTile tile = it->second;
  auto folded = FoldedRows::get(op.getContext(),
                                {tile.dims[0], tile.shape[0], tile.sizes[0]},
                                {tile.dims[1], tile.shape[1], tile.sizes[1]});
  if (!folded)
    return op.emitOpError("joins two dimensions that are both cut off");
  tile.packed = folded->packed;
  tile.dims = {folded->rows.dim, tile.dims[2]};
  tile.sizes = {folded->rows.exists, tile.sizes[2]};
  tile.shape.assign(op.getType().getShape().begin(),
                    op.getType().getShape().end());
  deviceTiles[op.getResult()] = tile;
  return load(op, op.getResult());
}

/// Rows of a computed tile as positions and heads, or these in the other order:
/// the same fragment, for the insertion to look at.
LogicalResult KernelBuilder::convertRowView(Operation *op, Value tile) {
  bool inserted = llvm::all_of(
      op->getUsers(),
      llvm::IsaPred<tensor::ExtractSliceOp, tensor::ParallelInsertSliceOp,
                    linalg::TransposeOp>);
  if (!inserted || (isa<linalg::TransposeOp>(op) &&
                    !tile.getDefiningOp<tensor::ExpandShapeOp>()))
    return op->emitOpError("is only supported on the rows of a tile that is "
                           "inserted into a result");
  FailureOr<Value> value = fragment(op, tile);
  if (failed(value))
    return failure();
  tiles[op->getResult(0)] = *value;
  return success();
}
