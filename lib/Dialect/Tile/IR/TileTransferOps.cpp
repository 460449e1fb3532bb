//===- TileTransferOps.cpp - Operations that move tiles ---------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifiers of copies between device memory, shared memory and registers:
// places of tiles, boxes of tensor maps, stages of rings.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/IR/Tile.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace flash::tile;

/// Rows along two dimensions: not the same, not that of the columns, and whole
/// numbers of what is packed.
static LogicalResult verifyPacked(Operation *op, PackedRowsAttr packed,
                                  int64_t rows, int64_t tileRank,
                                  int64_t rowDim, int64_t rank) {
  if (!packed)
    return success();
  int64_t dim = packed.getDim();
  if (dim < 0 || dim >= rank || dim == rowDim ||
      (tileRank == 2 && dim == rank - 1))
    return op->emitOpError() << "packs rows along dimension " << dim
                             << ", which is not a second row dimension of a "
                                "place of rank "
                             << rank;
  if (packed.getSize() < 1 || rows % packed.getSize())
    return op->emitOpError() << "packs " << packed.getSize() << " of " << rows
                             << " rows along dimension " << dim;
  return success();
}

/// The place in a memref that a tile of `tileRank` dimensions is moved to or
/// from: one offset a dimension, rows along `rowDim`, contiguous columns.
static LogicalResult verifyPlace(Operation *op, MemRefType memref,
                                 Type elementType, int64_t offsets,
                                 int64_t tileRank, int64_t rowDim,
                                 uint64_t alignment) {
  if (memref.getRank() != offsets)
    return op->emitOpError()
           << "has " << offsets << " offsets for a memref of rank "
           << memref.getRank();
  if (memref.getRank() < tileRank)
    return op->emitOpError()
           << "moves a tile of rank " << tileRank
           << " to or from a memref of rank " << memref.getRank();
  if (!elementType.isIntOrFloat() ||
      elementType.getIntOrFloatBitWidth() % 8 != 0)
    return op->emitOpError()
           << "moves elements of whole bytes, not of " << elementType;
  if (memref.getElementType() != elementType)
    return op->emitOpError()
           << "moves elements of " << elementType << " to or from a memref of "
           << memref.getElementType();
  if (rowDim < 0 || rowDim >= memref.getRank() ||
      (tileRank == 2 && rowDim == memref.getRank() - 1))
    return op->emitOpError() << "row_dim " << rowDim
                             << " is not a row dimension of a memref of rank "
                             << memref.getRank();
  if (alignment != 0 && !llvm::isPowerOf2_64(alignment))
    return op->emitOpError()
           << "alignment " << alignment << " is not a power of two";
  SmallVector<int64_t> strides;
  int64_t offset = 0;
  if (failed(memref.getStridesAndOffset(strides, offset)))
    return op->emitOpError() << "needs a strided memref";
  if (tileRank == 2 && strides.back() != 1)
    return op->emitOpError()
           << "needs contiguous columns, but the last stride of the memref is "
           << (ShapedType::isDynamic(strides.back())
                   ? std::string("dynamic")
                   : std::to_string(strides.back()));
  return success();
}

/// Rows in pages: along the memref's first dimension, by a table.
template <typename TransferOp> static LogicalResult verifyPages(TransferOp op) {
  if (bool(op.getPages()) != bool(op.getSequence()))
    return op.emitOpError() << "has pages and a sequence, or neither";
  if (!op.getPages())
    return success();
  if (op.getPackedAttr())
    return op.emitOpError() << "has rows in pages, which cannot be packed";
  if (op.getRowDimension() == 0)
    return op.emitOpError()
           << "has rows in pages, and so pages, not rows, along dimension 0";
  return success();
}

/// `to_end` says of rows that are counted where they end.
template <typename OpT> static LogicalResult verifyEnd(OpT op) {
  if (op.getToEnd() && !op.getRows())
    return op.emitOpError() << "has all rows of its tile, of which none is "
                               "after the memref's end: leave out 'to_end', "
                               "or write rows(...)";
  return success();
}

LogicalResult LoadOp::verify() {
  if (failed(verifyEnd(*this)))
    return failure();
  if (failed(verifyPages(*this)))
    return failure();
  if (failed(verifyPacked(*this, getPackedAttr(), getTile().getType().getRows(),
                          getTileRank(), getRowDimension(), getTransferRank())))
    return failure();
  return verifyPlace(*this, cast<MemRefType>(getSource().getType()),
                     getTile().getType().getElementType(), getTransferRank(),
                     getTileRank(), getRowDimension(), getAlignment());
}

/// Rows in strips are whole ones of accumulators.
template <typename OpT>
static LogicalResult verifyStrips(OpT op, FragmentType type,
                                  MemRefType memref) {
  if (!op.getStrips())
    return success();
  if (type.getRank() != 2 || !isa<AccLayoutAttr>(type.getLayout()) ||
      !type.getElementType().isF32() || type.getColumns() % 8)
    return op.emitOpError() << "has strips of an acc fragment of f32 and a "
                               "multiple of 8 columns, not of "
                            << type;
  if (op.getRows() || op.getCols() || memref.getRank() < 2 ||
      op.getRowDimension() != memref.getRank() - 2 ||
      memref.getShape().back() != type.getColumns() ||
      getConstantIntValue(op.getOffsets().back()) != 0)
    return op.emitOpError()
           << "has strips of whole rows, of all " << memref.getShape().back()
           << " columns of the memref";
  return success();
}

LogicalResult FetchOp::verify() {
  FragmentType result = getResult().getType();
  Type element = result.getElementType();
  auto memref = cast<MemRefType>(getSource().getType());
  if (failed(verifyStrips(*this, result, memref)))
    return failure();
  if (!getStrips() &&
      (!isa<StreamLayoutAttr>(result.getLayout()) || !takesElement(element)))
    return emitOpError() << "reads f32, bf16 or f16 to a stream fragment, not "
                         << result;
  if (TypedAttr padding = getPaddingAttr())
    if (!isa<FloatAttr>(padding) || padding.getType() != element)
      return emitOpError() << "reads " << element << " with the padding "
                           << Attribute(padding)
                           << ", which is not a number of that type";
  return verifyPlace(*this, memref, element, getTransferRank(), getTileRank(),
                     getRowDimension(), getAlignment());
}

LogicalResult StoreOp::verify() {
  FragmentType value = getValue().getType();
  if (failed(verifyEnd(*this)) ||
      failed(verifyStrips(*this, value,
                          cast<MemRefType>(getDestination().getType()))))
    return failure();
  if (getStrips() && getPackedAttr())
    return emitOpError() << "has strips of rows along one dimension";
  bool alongColumns = isa<ColLayoutAttr>(value.getLayout());
  if (!isa<AccLayoutAttr, LhsLayoutAttr, StreamLayoutAttr, RowLayoutAttr>(
          value.getLayout()) &&
      !alongColumns)
    return emitOpError() << "stores an acc, lhs, stream, row or col fragment, "
                            "not one with the layout "
                         << value.getLayout();
  if (value.getRank() == 1 && !alongColumns && getCols())
    return emitOpError()
           << "stores a row vector, which has no columns to bound";
  if (alongColumns && (getRows() || getPackedAttr()))
    return emitOpError() << "stores a vector over columns, which has no rows "
                            "to bound or to pack";
  if (getAdd() && !value.getElementType().isF32())
    return emitOpError() << "adds elements of f32, not "
                         << value.getElementType();
  if (failed(verifyPacked(*this, getPackedAttr(), value.getRows(),
                          getTileRank(), getRowDimension(), getTransferRank())))
    return failure();
  return verifyPlace(*this, cast<MemRefType>(getDestination().getType()),
                     value.getElementType(), getTransferRank(), getTileRank(),
                     getRowDimension(), getAlignment());
}

/// Strips are whole rows of a memref.
template <typename OpT>
static LogicalResult verifyMemoryOfStrips(OpT op, Type element,
                                          int64_t columns) {
  auto memref = cast<MemRefType>(op.getDestination().getType());
  if (!element.isF32() || columns % 8 || !memref.getElementType().isF32() ||
      memref.getRank() < 2 ||
      static_cast<int64_t>(op.getOffsets().size()) != memref.getRank() ||
      memref.getShape().back() != columns)
    return op.emitOpError()
           << "without a tensor map stores f32 in strips, of all columns of "
              "the memref and a multiple of 8, not "
           << columns << " columns of " << element << " to " << memref;
  return success();
}

LogicalResult StoreAsyncOp::verify() {
  FragmentType value = getValue().getType();
  TensorMapType map = getMap();
  if (!map)
    return verifyMemoryOfStrips(*this, value.getElementType(),
                                value.getColumns());
  if (!isa<AccLayoutAttr, LhsLayoutAttr>(value.getLayout()) ||
      !(value.getElementType().isF32() ||
        value.getElementType().getIntOrFloatBitWidth() == 16))
    return emitOpError()
           << "stores an acc fragment of 16-bit elements or f32, not " << value;
  if (getAdd() && !value.getElementType().isF32())
    return emitOpError() << "adds elements of f32, not "
                         << value.getElementType();
  if (value.getColumnGroups() > 1 &&
      (getColumns() || value.getColumnsOfWarp() % getTile().getPanelColumns()))
    return emitOpError() << "stores groups of columns as a whole, each a "
                            "multiple of "
                         << getTile().getPanelColumns() << ", not " << value;
  if (value.getElementType() != map.getElementType())
    return emitOpError() << "stores " << value.getElementType()
                         << " by a map of " << map.getElementType();
  if (static_cast<int64_t>(getOffsets().size()) != map.getRank())
    return emitOpError() << "has " << getOffsets().size()
                         << " offsets for a box of rank " << map.getRank();
  if (bool(getPackedAttr()) != bool(getRowDimAttr()))
    return emitOpError() << "has one of row_dim and packed, which belong "
                            "together";
  if (getPackedAttr() &&
      failed(verifyPacked(*this, getPackedAttr(), value.getRows(), 2,
                          *getRowDim(), map.getRank())))
    return failure();
  int64_t panel = getTile().getPanelColumns();
  if (getColumns() &&
      (*getColumns() % panel || int64_t(*getColumns()) > value.getColumns()))
    return emitOpError() << "stores " << *getColumns() << " of "
                         << value.getColumns()
                         << " columns at a time, which are not whole panels of "
                         << panel;
  int64_t rows = getBoxRows();
  if (map.getBox().back() != panel ||
      (rows != 16 && (rows != 8 || !getPackedAttr())))
    return emitOpError() << "needs a box of 16 rows and " << panel
                         << " columns, not that of " << map;
  return success();
}

/// A box is one panel of what this block copies of the tile: rows along
/// `rowDim`, a panel of columns.
static LogicalResult verifyBox(PutOp op, TensorMapType map, RingType ring) {
  SharedType tile = ring.getTile();
  if (map.getRank() != op.getTransferRank())
    return op.emitOpError()
           << "has " << op.getTransferRank()
           << " offsets for a tensor map of rank " << map.getRank();
  if (map.getElementType() != tile.getElementType())
    return op.emitOpError() << "moves elements of " << tile.getElementType()
                            << " from a tensor map of " << map.getElementType();
  int64_t rowDim = op.getRowDimension();
  if (rowDim < 0 || rowDim >= map.getRank() - 1)
    return op.emitOpError()
           << "row_dim " << rowDim
           << " is not a row dimension of a tensor map of rank "
           << map.getRank();
  PackedRowsAttr packed = op.getPackedAttr();
  if (failed(
          verifyPacked(op, packed, tile.getRows(), 2, rowDim, map.getRank())))
    return failure();
  // A box has its dimensions in memory's order.
  if (packed && (packed.getOuter() != (packed.getDim() < rowDim) ||
                 ring.getCluster() > 1))
    return op.emitOpError() << "needs packed rows in the order of the map's "
                               "dimensions, in a ring of one block";
  for (int64_t dim = 0; dim < map.getRank() - 1; ++dim) {
    int64_t expected = dim == rowDim ? ring.getRowsOfBlock() : 1;
    if (packed)
      expected = dim == rowDim            ? packed.getOthers(tile.getRows())
                 : dim == packed.getDim() ? packed.getSize()
                                          : 1;
    if (map.getBox()[dim] != expected)
      return op.emitOpError()
             << "needs a box of " << expected << " in dimension " << dim
             << ", but the tensor map has " << map.getBox()[dim];
  }
  return success();
}

static bool isInProducer(Operation *op) {
  auto specialize = op->getParentOfType<SpecializeOp>();
  return specialize &&
         specialize.getProducer().isAncestor(op->getParentRegion());
}

static bool isInWatcher(Operation *op) {
  auto specialize = op->getParentOfType<SpecializeOp>();
  return specialize &&
         specialize.getWatcher().isAncestor(op->getParentRegion());
}

LogicalResult PutOp::verify() {
  RingType ring = getRing().getType();
  if (ring.getKind() == RingKind::MBarrier) {
    auto map = dyn_cast<TensorMapType>(getSource().getType());
    if (!map)
      return emitOpError() << "fills a ring of kind mbarrier from a tensor "
                              "map, not from "
                           << getSource().getType();
    if (getRows() || getCols() || getPages() || getCondition())
      return emitOpError()
             << "from a tensor map has no rows, cols, pages or condition";
    if (!isInProducer(*this))
      return emitOpError() << "to a ring of kind mbarrier belongs in the "
                              "producer of a flash_tile.specialize";
    return verifyBox(*this, map, ring);
  }
  auto memref = dyn_cast<MemRefType>(getSource().getType());
  if (!memref)
    return emitOpError()
           << "fills a ring of kind cp_async from a memref, not from "
           << getSource().getType();
  if (isInProducer(*this))
    return emitOpError() << "to a ring of kind cp_async is done by all "
                            "computing warps, not by a producer";
  if (failed(verifyPages(*this)) ||
      failed(verifyPacked(*this, getPackedAttr(), ring.getTile().getRows(),
                          getTileRank(), getRowDimension(), getTransferRank())))
    return failure();
  return verifyPlace(*this, memref, ring.getTile().getElementType(),
                     getTransferRank(), getTileRank(), getRowDimension(),
                     getAlignment());
}

LogicalResult PrefetchOp::verify() {
  if (!isInProducer(*this))
    return emitOpError() << "is for a producer";
  int64_t rank = getSource().getType().getBox().size();
  if (static_cast<int64_t>(getOffsets().size()) != rank)
    return emitOpError() << "has " << getOffsets().size()
                         << " offsets for a map of rank " << rank;
  return success();
}

LogicalResult GetOp::verify() {
  if (isInProducer(*this))
    return emitOpError() << "is not for a producer";
  if (isInWatcher(*this))
    return emitOpError() << "is not for a watcher, which waits by "
                         << WatchOp::getOperationName();
  if (getRing().getType().getKind() == RingKind::MBarrier && getInFlight() != 0)
    return emitOpError() << "of a ring of kind mbarrier has no in_flight";
  if (getRing().getType().getKind() != RingKind::MBarrier && getWhen())
    return emitOpError() << "of a ring of kind cp_async waits in any case: "
                            "'when' is for rings of kind mbarrier";
  if (!getRows())
    return success();
  if (getRing().getType().getKind() != RingKind::MBarrier)
    return emitOpError() << "of a ring of kind cp_async has no 'rows': its put "
                            "fills the others with zeros";
  if (getWhen())
    return emitOpError() << "has both 'when' and 'rows'";
  return success();
}

/// Whether a fragment can be written to a tile that is an operand of products.
static LogicalResult verifyOperandTile(Operation *op, FragmentType value,
                                       SharedType tile) {
  if (!isa<AccLayoutAttr, LhsLayoutAttr>(value.getLayout()) ||
      !isa<FloatType>(value.getElementType()) ||
      value.getElementType().getIntOrFloatBitWidth() != 16)
    return op->emitOpError()
           << "stores an acc or lhs fragment of 16-bit floats, not " << value;
  if (value.getRows() != tile.getRows() ||
      value.getColumns() != tile.getColumns() ||
      value.getElementType() != tile.getElementType())
    return op->emitOpError() << "stores " << value << " to " << tile;
  return success();
}

LogicalResult StoreSharedOp::verify() {
  return verifyOperandTile(*this, getValue().getType(), getTile().getType());
}

LogicalResult ReadOp::verify() {
  SharedType tile = getTile().getType();
  FragmentType result = getResult().getType();
  if (tile.getRows() != 1 || !tile.getElementType().isF32() ||
      !isa<ColLayoutAttr>(result.getLayout()) ||
      result.getElementType() != tile.getElementType() ||
      result.getShape().back() != tile.getColumns())
    return emitOpError() << "reads a row of f32 as a vector along columns, not "
                         << tile << " as " << result;
  return success();
}

LogicalResult FillOp::verify() {
  RingType ring = getRing().getType();
  if (ring.getKind() != RingKind::MBarrier)
    return emitOpError() << "fills a ring of kind mbarrier, not " << ring;
  if (isInProducer(*this))
    return emitOpError() << "is not for a producer, whose warps have no "
                            "fragments: use flash_tile.put";
  FragmentType value = getValue().getType();
  if (value.getElementType().isF32() && isa<AccLayoutAttr>(value.getLayout())) {
    SharedType tile = ring.getTile();
    if (ArrayRef<int64_t>{tile.getRows(), tile.getColumns()} !=
            value.getShape() ||
        !tile.getElementType().isF32())
      return emitOpError() << "fills stages of " << tile << " with " << value;
    return success();
  }
  return verifyOperandTile(*this, getValue().getType(), ring.getTile());
}

LogicalResult RingOp::verify() {
  if (!getWith())
    return success();
  RingType own = getRing().getType(), other = getWith().getType();
  auto leader = getWith().getDefiningOp<RingOp>();
  if (!leader || leader.getWith())
    return emitOpError() << "has the barriers of a ring that has none of its "
                            "own";
  if (own.getStages() != other.getStages() ||
      own.getKind() != RingKind::MBarrier ||
      other.getKind() != RingKind::MBarrier || own.getCluster() != 1 ||
      other.getCluster() != 1)
    return emitOpError() << "shares barriers as " << own << " with " << other
                         << ": both are of kind mbarrier, of one block, and "
                            "have as many stages";
  if (own.getWatched())
    return emitOpError() << "is watched: that is the part of the ring that has "
                            "the barriers";
  for (Operation *user : getRing().getUsers())
    if (isa<ReleaseOp, FillOp>(user))
      return emitOpError() << "is filled by flash_tile.put and released with "
                              "the other ring";
  return success();
}

SmallVector<RingOp, 2> RingOp::getCompanions() {
  SmallVector<RingOp, 2> companions;
  for (Operation *user : getRing().getUsers())
    if (auto ring = dyn_cast<RingOp>(user))
      companions.push_back(ring);
  return companions;
}

LogicalResult StoreTileOp::verify() {
  auto roles = (*this)->getParentOfType<SpecializeOp>();
  if (!roles || roles.getConsumers().isAncestor((*this)->getParentRegion()))
    return emitOpError() << "stands in a role of one thread of a "
                            "flash_tile.specialize; computing warps have "
                            "flash_tile.store_async";
  SharedType tile = getTile().getType();
  TensorMapType map = getMap();
  if (!map)
    return verifyMemoryOfStrips(*this, tile.getElementType(),
                                tile.getColumns());
  if (map.getElementType() != tile.getElementType())
    return emitOpError() << "stores " << tile << " by a map of "
                         << map.getElementType();
  if (getAdd() && !tile.getElementType().isF32())
    return emitOpError() << "adds elements of f32, not of "
                         << tile.getElementType();
  if (int64_t(getOffsets().size()) != map.getRank())
    return emitOpError() << "has " << getOffsets().size()
                         << " offsets for a tensor of rank " << map.getRank();
  int64_t rows = 1;
  for (int64_t size : map.getBox().drop_back())
    rows *= size;
  if (rows != tile.getRows() || map.getBox().back() != tile.getPanelColumns())
    return emitOpError() << "needs a box of " << tile.getRows() << " rows of "
                         << tile.getPanelColumns() << " columns, but has "
                         << map;
  return success();
}

/// Of a body that says whether a query's row sees a row of the tile.
static LogicalResult verifySees(Operation *op, Region &body) {
  Block &block = body.front();
  if (block.getNumArguments() != 2 ||
      !llvm::all_of(block.getArgumentTypes(), llvm::IsaPred<IndexType>))
    return op->emitOpError()
           << "has a body that does not take two arguments of type index, a "
              "query's row and a row of the tile";
  auto yield = dyn_cast<YieldOp>(block.getTerminator());
  if (!yield || yield.getNumOperands() != 1 ||
      !yield.getValues()[0].getType().isInteger(1))
    return op->emitOpError() << "has a body that does not yield an i1";
  return success();
}

LogicalResult ClearUnseenOp::verify() {
  if ((*this)->getParentOfType<SpecializeOp>())
    return emitOpError() << "is for kernels without roles: in the watcher, use "
                         << WatchOp::getOperationName();
  return success();
}

LogicalResult ClearUnseenOp::verifyRegions() {
  return verifySees(*this, getBody());
}

LogicalResult ClearUnseenOp::canonicalize(ClearUnseenOp op,
                                          PatternRewriter &rewriter) {
  if (!matchPattern(op.getWhen(), m_Zero()))
    return rewriter.notifyMatchFailure(op, "may have rows to clear");
  rewriter.eraseOp(op);
  return success();
}

LogicalResult WatchOp::verify() {
  auto roles = (*this)->getParentOfType<SpecializeOp>();
  if (!roles || !roles.getWatcher().isAncestor((*this)->getParentRegion()))
    return emitOpError() << "belongs in the watcher of a flash_tile.specialize";
  if (!getRing().getType().getWatched())
    return emitOpError() << "is for a ring that is watched, as in "
                            "!flash_tile.ring<2, 64x64xf16, mbarrier, "
                            "watched>, not "
                         << getRing().getType();
  return success();
}

LogicalResult WatchOp::verifyRegions() { return verifySees(*this, getBody()); }

LogicalResult LoadFragmentOp::verify() {
  SharedType tile = getTile().getType();
  FragmentType result = getResult().getType();
  // A fragment of sums lies in registers as an A operand does.
  auto sums = dyn_cast<AccLayoutAttr>(result.getLayout());
  if (!isa<LhsLayoutAttr>(result.getLayout()) &&
      !(sums && sums.getColumnGroups() == 1))
    return emitOpError()
           << "gives an A operand (lhs), or a fragment with whole "
              "rows in each warp, not one with the layout "
           << result.getLayout();
  if (result.getRows() != tile.getRows() ||
      result.getColumns() > tile.getColumns() ||
      result.getElementType() != tile.getElementType())
    return emitOpError() << "loads " << result << " from " << tile;
  return success();
}

bool ClearShareOp::takes(MemRefType type) {
  return type.getLayout().isIdentity() && type.getRank() &&
         !type.isDynamicDim(type.getRank() - 1) &&
         type.getShape().back() * type.getElementTypeBitWidth() % 128 == 0;
}

LogicalResult ClearShareOp::verify() {
  auto type = cast<MemRefType>(getMemref().getType());
  if (!takes(type))
    return emitOpError() << "clears a contiguous memref whose rows have a "
                            "multiple of 16 bytes, not "
                         << type;
  return success();
}
