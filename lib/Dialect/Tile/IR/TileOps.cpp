//===- TileOps.cpp - Operations of the tile dialect -------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifiers of the ops that multiply tiles and divide the block into roles. A
// message names both sides of a disagreement. Ops that move tiles are in
// TileTransferOps.cpp, those on fragments in TileFragmentOps.cpp.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/IR/Tile.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/OpImplementation.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace flash::tile;

static ParseResult
parseHelpers(OpAsmParser &parser, ArrayAttr &names,
             SmallVectorImpl<std::unique_ptr<Region>> &helpers) {
  SmallVector<Attribute> all;
  while (succeeded(parser.parseOptionalKeyword("helper"))) {
    StringAttr name;
    helpers.push_back(std::make_unique<Region>());
    if (parser.parseAttribute(name) || parser.parseRegion(*helpers.back()))
      return failure();
    SpecializeOp::ensureTerminator(
        *helpers.back(), parser.getBuilder(),
        parser.getEncodedSourceLoc(parser.getCurrentLocation()));
    all.push_back(name);
  }
  if (!all.empty())
    names = parser.getBuilder().getArrayAttr(all);
  return success();
}

static void printHelpers(OpAsmPrinter &printer, Operation *, ArrayAttr names,
                         RegionRange helpers) {
  for (auto [i, helper] : llvm::enumerate(helpers)) {
    printer << " helper " << names[i] << ' ';
    printer.printRegion(*helper, /*printEntryBlockArgs=*/false,
                        /*printBlockTerminators=*/false);
  }
}

#define GET_OP_CLASSES
#include "flash/Dialect/Tile/IR/TileOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Matrix products
//===----------------------------------------------------------------------===//

static LogicalResult verifyProduct(Operation *op,
                                   InstructionAttrInterface instruction, Type a,
                                   bool transposeA, SharedType b,
                                   bool transposeB, FragmentType result) {
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
    if (transposeA)
      return op->emitOpError()
             << "transposes a tile in shared memory, not a fragment";
    if (result.getColumnGroups() != 1)
      return op->emitOpError() << "has a in registers, of which each warp has "
                                  "its rows alone, and groups of columns";
    m = fragment.getRows(), k = fragment.getColumns();
    elementType = fragment.getElementType();
  } else {
    auto shared = cast<SharedType>(a);
    m = shared.getRows(), k = shared.getColumns();
    if (transposeA)
      std::swap(m, k);
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
  bool isHalfStep = instruction.takesHalfStep() && isa<FragmentType>(a) &&
                    !transposeB && 2 * k == kGranularity;
  if (k % kGranularity != 0 && !isHalfStep)
    return op->emitOpError() << instruction << " contracts a multiple of "
                             << kGranularity << " columns, not " << k;
  int64_t ofWarp = result.getColumnsOfWarp();
  if (ofWarp % instruction.getNGranularity() != 0 ||
      ofWarp > instruction.getMaxN())
    return op->emitOpError()
           << instruction << " has a multiple of "
           << instruction.getNGranularity() << " columns of b, at most "
           << instruction.getMaxN() << ", not " << ofWarp;
  if (result.getRowWarps() % instruction.getWarpsPerInstruction() != 0)
    return op->emitOpError()
           << instruction << " is executed by "
           << instruction.getWarpsPerInstruction()
           << " warps together, which do not divide " << result.getRowWarps();
  // A group's columns of an N-major tile are panels, or an equal part of one.
  int64_t panel = b.getPanelColumns();
  if (result.getColumnGroups() > 1 && !transposeB && ofWarp % panel != 0 &&
      panel % ofWarp != 0)
    return op->emitOpError()
           << "deals " << n << " columns to " << result.getColumnGroups()
           << " groups, whose parts neither are panels of " << panel
           << " columns nor divide one: pad them to "
           << result.getColumnGroups() * llvm::alignTo(ofWarp, panel)
           << ", or give the kernel " << result.getRowWarps() << " warps";
  return success();
}

LogicalResult MmaOp::verify() {
  return verifyProduct(*this, getInstruction(), getA().getType(),
                       getTransposeA(), getB().getType(), getTransposeB(),
                       getResult().getType());
}

/// The first columns of a product's A, which is in shared memory otherwise.
static LogicalResult verifyHead(MmaStartOp op) {
  FragmentType head = op.getHead().getType(),
               result = op.getResult().getType().getAccumulator();
  auto a = dyn_cast<SharedType>(op.getA().getType());
  if (!a || op.getTransposeA())
    return op.emitOpError() << "has the first columns of a in registers where "
                               "a is a tile in shared memory, not transposed";
  int64_t granularity = op.getInstruction().getKGranularity(a.getElementType());
  if (!isa<LhsLayoutAttr>(head.getLayout()) ||
      head.getElementType() != a.getElementType() ||
      head.getRows() != a.getRows() || head.getColumns() >= a.getColumns() ||
      (granularity && head.getColumns() % granularity) ||
      head.getWarps() != result.getWarps() || result.getColumnGroups() != 1)
    return op.emitOpError()
           << "cannot read the first columns of " << a << " from " << head;
  return success();
}

LogicalResult MmaStartOp::verify() {
  if (!getInstruction().isAsynchronous())
    return emitOpError() << "needs an asynchronous instruction, not "
                         << getInstruction();
  if (getAcc() && getOnto())
    return emitOpError() << "adds to an accumulator or onto a product in "
                            "flight, not both";
  if (getHead() && failed(verifyHead(*this)))
    return failure();
  return verifyProduct(*this, getInstruction(), getA().getType(),
                       getTransposeA(), getB().getType(), getTransposeB(),
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
                         int64_t producerRegisters, int64_t consumerRegisters,
                         ArrayRef<StringRef> helpers) {
  state.addAttribute(getProducerRegistersAttrName(state.name),
                     builder.getI64IntegerAttr(producerRegisters));
  state.addAttribute(getConsumerRegistersAttrName(state.name),
                     builder.getI64IntegerAttr(consumerRegisters));
  if (!helpers.empty())
    state.addAttribute(getHelperNamesAttrName(state.name),
                       builder.getStrArrayAttr(helpers));
  ensureTerminator(*state.addRegion(), builder, state.location);
  // No watcher.
  state.addRegion();
  for (size_t i = 0; i < 1 + helpers.size(); ++i)
    ensureTerminator(*state.addRegion(), builder, state.location);
}

Region *SpecializeOp::getRole(StringRef name) {
  if (name == "producer")
    return &getProducer();
  if (name == "watcher" && !getWatcher().empty())
    return &getWatcher();
  if (name == "consumers")
    return &getConsumers();
  if (ArrayAttr names = getHelperNamesAttr())
    for (auto [other, region] :
         llvm::zip_equal(names.getAsValueRange<StringAttr>(), getHelpers()))
      if (other == name)
        return &region;
  return nullptr;
}

LogicalResult SpecializeOp::verify() {
  int64_t producer = getProducerRegisters();
  int64_t consumer = getConsumerRegisters();
  for (int64_t registers : {producer, consumer})
    if (registers < 24 || registers > 256 || registers % 8 != 0)
      return emitOpError() << "gives a role " << registers
                           << " registers, not a multiple of 8 from 24 to 256";
  size_t names = getHelperNamesAttr() ? getHelperNamesAttr().size() : 0;
  int64_t room = maxHelpers - !getWatcher().empty();
  if (names != getHelpers().size() || int64_t(names) > room)
    return emitOpError() << "has " << getHelpers().size() << " helpers and "
                         << names << " names of helpers; "
                         << (room < maxHelpers ? "beside a watcher " : "")
                         << "there are at most " << room
                         << ", each with a name";
  auto kernel = dyn_cast<gpu::GPUFuncOp>((*this)->getParentOp());
  int64_t warps = getKernelWarps(*this);
  if (!kernel || warps == 0)
    return emitOpError() << "stands at the top level of a gpu.func with '"
                         << FlashTileDialect::getKernelAttrName() << "'";
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

void InTurnOp::build(OpBuilder &builder, OperationState &state, Value turn,
                     Value when) {
  state.addOperands(turn);
  if (when)
    state.addOperands(when);
  ensureTerminator(*state.addRegion(), builder, state.location);
}

LogicalResult InTurnOp::verify() {
  if (failed(verifyTurn(*this)))
    return failure();
  if (getBody()
          .walk([](InTurnOp) { return WalkResult::interrupt(); })
          .wasInterrupted())
    return emitOpError() << "has a turn within its body";
  return success();
}

LogicalResult ByWarpgroupOp::verify() {
  if (failed(verifyTurn(*this)))
    return failure();
  int64_t warpgroups = getKernelWarps(*this) / 4;
  if (static_cast<int64_t>(getBodies().size()) != warpgroups)
    return emitOpError() << "has " << getBodies().size()
                         << " regions in a kernel whose consumers are "
                         << warpgroups << " warpgroups";
  if ((*this)->getParentOfType<ByWarpgroupOp>() ||
      (*this)->getParentOfType<InTurnOp>())
    return emitOpError() << "stands in what one warpgroup does";
  return success();
}

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
