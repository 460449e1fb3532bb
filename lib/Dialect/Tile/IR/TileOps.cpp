//===- TileOps.cpp - Operations of the tile dialect -------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifiers of the ops that move tiles, multiply them and divide the block into
// roles. A message names both sides of a disagreement. Ops on fragments are in
// TileFragmentOps.cpp.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/IR/Tile.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/OpImplementation.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace flash::tile;

#define GET_OP_CLASSES
#include "flash/Dialect/Tile/IR/TileOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Transfers
//===----------------------------------------------------------------------===//

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

LogicalResult LoadOp::verify() {
  return verifyPlace(*this, cast<MemRefType>(getSource().getType()),
                     getTile().getType().getElementType(), getTransferRank(),
                     getTileRank(), getRowDimension(), getAlignment());
}

LogicalResult StoreOp::verify() {
  FragmentType value = getValue().getType();
  if (!isa<AccLayoutAttr, RowLayoutAttr>(value.getLayout()))
    return emitOpError()
           << "stores an acc or row fragment, not one with the layout "
           << value.getLayout();
  if (value.getRank() == 1 && getCols())
    return emitOpError()
           << "stores a row vector, which has no columns to bound";
  return verifyPlace(*this, cast<MemRefType>(getDestination().getType()),
                     value.getElementType(), getTransferRank(), getTileRank(),
                     getRowDimension(), getAlignment());
}

LogicalResult StoreAsyncOp::verify() {
  FragmentType value = getValue().getType();
  TensorMapType map = getDestination().getType();
  if (!isa<AccLayoutAttr>(value.getLayout()) ||
      value.getElementType().getIntOrFloatBitWidth() != 16)
    return emitOpError() << "stores an acc fragment of 16-bit elements, not "
                         << value;
  if (value.getElementType() != map.getElementType())
    return emitOpError() << "stores " << value.getElementType()
                         << " by a map of " << map.getElementType();
  if (static_cast<int64_t>(getOffsets().size()) != map.getRank())
    return emitOpError() << "has " << getOffsets().size()
                         << " offsets for a box of rank " << map.getRank();
  int64_t elements = 1;
  for (int64_t size : map.getBox())
    elements *= size;
  int64_t panel = getTile().getPanelColumns();
  if (getColumns() &&
      (*getColumns() % panel || int64_t(*getColumns()) > value.getColumns()))
    return emitOpError() << "stores " << *getColumns() << " of "
                         << value.getColumns()
                         << " columns at a time, which are not whole panels of "
                         << panel;
  if (map.getBox().back() != panel || elements != 16 * panel)
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
  for (int64_t dim = 0; dim < map.getRank() - 1; ++dim) {
    int64_t expected = dim == rowDim ? ring.getRowsOfBlock() : 1;
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

LogicalResult PutOp::verify() {
  RingType ring = getRing().getType();
  if (ring.getKind() == RingKind::MBarrier) {
    auto map = dyn_cast<TensorMapType>(getSource().getType());
    if (!map)
      return emitOpError() << "fills a ring of kind mbarrier from a tensor "
                              "map, not from "
                           << getSource().getType();
    if (getRows() || getCols() || getCondition())
      return emitOpError()
             << "from a tensor map has no rows, cols or condition";
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

LogicalResult LoadFragmentOp::verify() {
  SharedType tile = getTile().getType();
  FragmentType result = getResult().getType();
  if (!isa<LhsLayoutAttr>(result.getLayout()))
    return emitOpError() << "gives an A operand (lhs), not one with the layout "
                         << result.getLayout();
  if (result.getRows() != tile.getRows() ||
      result.getColumns() != tile.getColumns() ||
      result.getElementType() != tile.getElementType())
    return emitOpError() << "loads " << result << " from " << tile;
  return success();
}

//===----------------------------------------------------------------------===//
// Matrix products
//===----------------------------------------------------------------------===//

static LogicalResult verifyProduct(Operation *op,
                                   InstructionAttrInterface instruction, Type a,
                                   SharedType b, bool transposeB,
                                   FragmentType result) {
  if (!isa<AccLayoutAttr>(result.getLayout()) ||
      !result.getElementType().isF32())
    return op->emitOpError()
           << "accumulates in an acc fragment of f32, not in " << result;
  int64_t m = 0, k = 0;
  Type elementType;
  if (auto fragment = dyn_cast<FragmentType>(a)) {
    if (!isa<LhsLayoutAttr>(fragment.getLayout()))
      return op->emitOpError()
             << "takes a in the layout lhs, not " << fragment.getLayout();
    if (fragment.getWarps() != result.getWarps())
      return op->emitOpError()
             << "has a on " << fragment.getWarps()
             << " warps and its result on " << result.getWarps();
    m = fragment.getRows(), k = fragment.getColumns();
    elementType = fragment.getElementType();
  } else {
    auto shared = cast<SharedType>(a);
    m = shared.getRows(), k = shared.getColumns();
    elementType = shared.getElementType();
  }
  if (elementType != b.getElementType())
    return op->emitOpError()
           << "multiplies " << elementType << " by " << b.getElementType();
  int64_t bK = transposeB ? b.getColumns() : b.getRows();
  int64_t n = transposeB ? b.getRows() : b.getColumns();
  if (k != bK)
    return op->emitOpError()
           << "contracts " << k << " columns of a with " << bK << " of b";
  if (m != result.getRows() || n != result.getColumns())
    return op->emitOpError() << "gives " << m << "x" << n << ", not "
                             << result.getRows() << "x" << result.getColumns();
  int64_t kGranularity = instruction.getKGranularity(elementType);
  if (kGranularity == 0)
    return op->emitOpError()
           << instruction << " has no form for elements of " << elementType;
  if (k % kGranularity != 0)
    return op->emitOpError() << instruction << " contracts a multiple of "
                             << kGranularity << " columns, not " << k;
  if (n % instruction.getNGranularity() != 0 || n > instruction.getMaxN())
    return op->emitOpError()
           << instruction << " has a multiple of "
           << instruction.getNGranularity() << " columns of b, at most "
           << instruction.getMaxN() << ", not " << n;
  if (result.getWarps() % instruction.getWarpsPerInstruction() != 0)
    return op->emitOpError()
           << instruction << " is executed by "
           << instruction.getWarpsPerInstruction()
           << " warps together, which do not divide " << result.getWarps();
  return success();
}

LogicalResult MmaOp::verify() {
  return verifyProduct(*this, getInstruction(), getA().getType(),
                       getB().getType(), getTransposeB(),
                       getResult().getType());
}

LogicalResult MmaStartOp::verify() {
  if (!getInstruction().isAsynchronous())
    return emitOpError() << "needs an asynchronous instruction, not "
                         << getInstruction();
  return verifyProduct(*this, getInstruction(), getA().getType(),
                       getB().getType(), getTransposeB(),
                       getResult().getType().getAccumulator());
}

LogicalResult MmaWaitOp::verify() {
  if (getNumOperands() != getNumResults())
    return emitOpError() << "has " << getNumOperands() << " operands and "
                         << getNumResults() << " results";
  uint64_t pending = 0;
  for (auto [operand, result] : llvm::zip(getPending(), getResults())) {
    auto type = cast<PendingType>(operand.getType());
    if (result.getType() == type)
      ++pending;
    else if (result.getType() != type.getAccumulator())
      return emitOpError() << "passes " << type << " on as "
                           << result.getType();
  }
  if (pending > getInFlight())
    return emitOpError() << "leaves " << pending
                         << " results pending with in_flight " << getInFlight();
  return success();
}

//===----------------------------------------------------------------------===//
// Roles
//===----------------------------------------------------------------------===//

void SpecializeOp::build(OpBuilder &builder, OperationState &state,
                         int64_t producerRegisters, int64_t consumerRegisters) {
  state.addAttribute(getProducerRegistersAttrName(state.name),
                     builder.getI64IntegerAttr(producerRegisters));
  state.addAttribute(getConsumerRegistersAttrName(state.name),
                     builder.getI64IntegerAttr(consumerRegisters));
  ensureTerminator(*state.addRegion(), builder, state.location);
  ensureTerminator(*state.addRegion(), builder, state.location);
}

LogicalResult SpecializeOp::verify() {
  int64_t producer = getProducerRegisters();
  int64_t consumer = getConsumerRegisters();
  for (int64_t registers : {producer, consumer})
    if (registers < 24 || registers > 256 || registers % 8 != 0)
      return emitOpError() << "gives a role " << registers
                           << " registers, not a multiple of 8 from 24 to 256";
  auto kernel = dyn_cast<gpu::GPUFuncOp>((*this)->getParentOp());
  int64_t warps = getKernelWarps(*this);
  if (!kernel || warps == 0)
    return emitOpError() << "stands at the top level of a gpu.func with '"
                         << FlashTileDialect::getWarpsAttrName() << "'";
  if (warps % 4 != 0)
    return emitOpError() << "has consumers of whole warpgroups, but the kernel "
                            "has "
                         << warps << " warps";
  // The register file has 65536; a launch rounds a thread's share down to a
  // multiple of 8, and setmaxnreg blocks for ever when the roles want more.
  int64_t groups = warps / 4 + 1;
  int64_t share = std::min<int64_t>(65536 / (128 * groups) / 8 * 8, 255);
  int64_t wanted = producer + (groups - 1) * consumer;
  if (wanted > groups * share)
    return emitOpError()
           << "gives its " << groups << " warpgroups " << wanted
           << " registers in all, but the kernel is launched with "
           << groups * share;
  return success();
}

static LogicalResult verifyTurn(Operation *op) {
  auto roles = op->getParentOfType<SpecializeOp>();
  if (!roles || !roles.getConsumers().isAncestor(op->getParentRegion()))
    return op->emitOpError() << "stands in the consumers of a specialised "
                                "kernel";
  return success();
}

LogicalResult TakeTurnOp::verify() { return verifyTurn(*this); }
LogicalResult PassTurnOp::verify() { return verifyTurn(*this); }

//===----------------------------------------------------------------------===//
// Host
//===----------------------------------------------------------------------===//

LogicalResult TensorMapOp::verify() {
  auto source = cast<MemRefType>(getSource().getType());
  TensorMapType map = getMap().getType();
  if (source.getRank() != map.getRank())
    return emitOpError() << "describes a memref of rank " << source.getRank()
                         << " by a box of rank " << map.getRank();
  if (source.getElementType() != map.getElementType())
    return emitOpError() << "describes a memref of " << source.getElementType()
                         << " by a map of " << map.getElementType();
  return success();
}

LogicalResult LaunchOp::verify() {
  if (getGrid().empty() || getGrid().size() > 3)
    return emitOpError() << "has a grid of 1 to 3 dimensions, not "
                         << getGrid().size();
  return success();
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  auto kernel = symbolTable.lookupNearestSymbolFrom<gpu::GPUFuncOp>(
      *this, getKernelAttr());
  // Once a kernel has become instructions, its name is all that is left of it.
  if (!kernel)
    return symbolTable.lookupNearestSymbolFrom(*this, getKernelAttr())
               ? success()
               : emitOpError() << "launches " << getKernelAttr()
                               << ", which does not exist";
  if (TypeRange(kernel.getArgumentTypes()) != TypeRange(getArgs()))
    return emitOpError() << "passes arguments of other types than "
                         << getKernelAttr() << " takes";
  return success();
}
