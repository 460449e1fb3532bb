//===- OutlineKernels.cpp - A kernel of a loop over tiles -----------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   scf.forall (%b, %h, %i) in (%nb, 32, %nq) shared_outs(%x = %empty) {...}
//   ->
//   gpu.func @f(%q, %k, %v, %o, ...) kernel {...}      // KernelBuilder, the
//   body %o = memref.alloc ; %n = arith.muli ... flash_tile.launch @kernels::@f
//   grid(%n) args(%q, %k, %v, %o, ...)
//
// Parameters are the tensors that the loop reads, then numbers, then results. A
// kernel takes memrefs of any strides; what it may rely on is said of each
// (`align`).
//
//===----------------------------------------------------------------------===//

#include "FunctionConverter.h"
#include "HoistHides.h"
#include "KernelBuilder.h"
#include "TileOrder.h"

#include "flash/Dialect/Tile/IR/KnownDivisor.h"

#include "flash/Support/DebugLog.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/LoopInvariantCodeMotionUtils.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include <numeric>

#define DEBUG_TYPE "convert-flash-to-tile"

using namespace mlir;
using namespace flash;

/// What a kernel knows of a memref: any strides, but contiguous columns.
static MemRefType parameterType(MemRefType type) {
  SmallVector<int64_t> strides(type.getRank(), ShapedType::kDynamic);
  if (!strides.empty())
    strides.back() = 1;
  return MemRefType::get(
      type.getShape(), type.getElementType(),
      StridedLayoutAttr::get(type.getContext(), ShapedType::kDynamic, strides));
}

/// What is known of where the rows of a memref of the host begin, in bytes: of
/// an argument what a call is checked for, of a slice less, where it begins
/// inside of rows.
static int64_t findAlignment(Value memref) {
  if (auto cast = memref.getDefiningOp<memref::CastOp>())
    return findAlignment(cast.getSource());
  auto type = cast<MemRefType>(memref.getType());
  int64_t bytes = std::max<int64_t>(type.getElementTypeBitWidth() / 8, 1);
  if (auto slice = memref.getDefiningOp<memref::SubViewOp>()) {
    OpFoldResult first = slice.getMixedOffsets().back();
    auto number = getConstantIntValue(first);
    return std::gcd(
        findAlignment(slice.getSource()),
        bytes * (number ? *number : getKnownDivisor(cast<Value>(first))));
  }
  if (type.getRank() == 0 || type.isDynamicDim(type.getRank() - 1))
    return bytes;
  return std::gcd<int64_t>(16, type.getShape().back() * bytes);
}

/// Moves what a loop over keys reads from tensors at the same place in each
/// iteration (a slope of the head, a length of the batch) in front of it.
static void hoistReads(scf::ForOp loop) {
  if (loop.getBody()->getOps<tensor::ExtractOp>().empty())
    return;
  moveLoopInvariantCode(
      {&loop.getRegion()},
      [&](Value value, Region *) { return loop.isDefinedOutsideOfLoop(value); },
      [](Operation *op, Region *) {
        return isPure(op) && op->getNumRegions() == 0 &&
               llvm::all_of(op->getResultTypes(), [](Type type) {
                 return type.isIntOrIndexOrFloat();
               });
      },
      [&](Operation *op, Region *) { loop.moveOutOfLoop(op); });
}

FailureOr<Value> FunctionConverter::allocateResult(scf::ForallOp op,
                                                   OpOperand &init) {
  // What another loop wrote before, for calls of other lengths.
  if (init.get().getDefiningOp<scf::ForallOp>() && init.get().hasOneUse())
    return memrefs.lookup(init.get());
  // Zeros, to which the loop adds.
  if (auto fill = init.get().getDefiningOp<linalg::FillOp>()) {
    auto empty = fill.getOutputs()[0].getDefiningOp<tensor::EmptyOp>();
    if (!empty || !matchPattern(fill.getInputs()[0], m_AnyZeroFloat()))
      return fill.emitOpError(
          "must fill a tensor.empty with zero, for a loop to add to, on a GPU");
    Value memref = memref::AllocOp::create(builder, op.getLoc(),
                                           denseType(empty.getType()),
                                           empty.getDynamicSizes());
    tile::ClearOp::create(builder, op.getLoc(), memref);
    return memref;
  }
  auto empty = init.get().getDefiningOp<tensor::EmptyOp>();
  if (!empty)
    return op.emitOpError("must write its results to tensor.empty on a GPU");
  return memref::AllocOp::create(builder, op.getLoc(),
                                 denseType(empty.getType()),
                                 empty.getDynamicSizes())
      .getResult();
}

/// A constant of the kernels' module: kernels read its elements there, and the
/// host passes nothing.
memref::GlobalOp FunctionConverter::globalOf(arith::ConstantOp constant) {
  memref::GlobalOp &global = globals[constant.getResult()];
  if (global)
    return global;
  OpBuilder inKernels = OpBuilder::atBlockBegin(kernels.getBody());
  global = memref::GlobalOp::create(
      inKernels, constant.getLoc(), "constant",
      inKernels.getStringAttr("private"), denseType(constant.getType()),
      constant.getValue(), /*constant=*/true,
      /*alignment=*/inKernels.getI64IntegerAttr(16));
  symbols.insert(global);
  return global;
}

LogicalResult FunctionConverter::makeBody(scf::ForallOp op,
                                          gpu::GPUFuncOp kernel,
                                          ArrayRef<Value> captures,
                                          ArrayRef<Value> arguments,
                                          int64_t warps) {
  OpBuilder::InsertionGuard guard(builder);
  Location loc = op.getLoc();
  builder.setInsertionPointToStart(&kernel.getBody().front());
  tile::InstructionAttrInterface instruction =
      tile::MmaSyncAttr::get(builder.getContext());
  if (Attribute asked = tile::getKernelAttr(kernel).getInstruction())
    instruction = cast<tile::InstructionAttrInterface>(asked);
  LDBG() << "'" << kernel.getName() << "': " << warps << " warps, products by "
         << instruction;

  bool hasProducer = static_cast<bool>(tile::getKernelAttr(kernel).getRoles());
  KernelBuilder body(builder, warps, instruction,
                     /*stageVectors=*/hasProducer);
  for (auto [parameter, argument] : llvm::zip(kernel.getArguments(), arguments))
    if (isa<MemRefType>(argument.getType()))
      body.align(parameter, findAlignment(argument));
  IRMapping known;
  for (auto [capture, argument] : llvm::zip(
           captures, kernel.getArguments().drop_back(op->getNumResults()))) {
    body.map(capture, argument);
    known.map(capture, argument);
  }
  for (auto [out, argument] :
       llvm::zip(op.getRegionOutArgs(),
                 kernel.getArguments().take_back(op->getNumResults())))
    body.map(out, argument);
  SetVector<Value> above;
  getUsedValuesDefinedAbove(op.getRegion(), above);
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  auto bound = [&](OpFoldResult value) {
    auto number = getConstantIntValue(value);
    return number ? constant(*number) : known.lookup(cast<Value>(value));
  };
  auto copy = [&](Value value, Value made) {
    body.map(value, made);
    known.map(value, made);
  };
  for (Value operand : op->getOperands())
    above.insert(operand);
  for (Value value : above) {
    Operation *definition = value.getDefiningOp();
    if (!definition || known.contains(value))
      continue;
    auto constant = dyn_cast<arith::ConstantOp>(definition);
    if (constant && isa<RankedTensorType>(value.getType())) {
      memref::GlobalOp global = globalOf(constant);
      Value all = memref::GetGlobalOp::create(builder, loc, global.getType(),
                                              global.getSymName());
      copy(value, memref::CastOp::create(builder, loc,
                                         parameterType(global.getType()), all));
    } else if (definition->hasTrait<OpTrait::ConstantLike>()) {
      copy(value, builder.clone(*definition)->getResult(0));
    } else if (auto dim = dyn_cast<memref::DimOp>(definition)) {
      const Value *tensor = llvm::find_if(captures, [&](Value capture) {
        return memrefs.lookup(capture) == dim.getSource();
      });
      if (tensor != captures.end())
        copy(value, memref::DimOp::create(builder, loc, known.lookup(*tensor),
                                          *dim.getConstantIndex()));
    }
  }

  auto order = tile::getPassAttr<tile::OrderAttr>(op);
  SmallVector<Value> position =
      findTile(builder, op, order, tile::getKernelCluster(kernel), bound);
  for (auto [from, to] : llvm::zip(op.getInductionVars(), position))
    body.map(from, to);
  if (failed(body.convertBody(*op.getBody())))
    return failure();
  gpu::ReturnOp::create(builder, loc);
  return success();
}

/// Blocks of a cluster, for kernels that can share tiles. The last one of a row
/// may have no queries; where all tiles are known to be whole, nothing would
/// keep it from storing some.
static int64_t clusterOf(scf::ForallOp op, tile::KernelAttr attr) {
  int64_t cluster = std::max<int64_t>(attr.getCluster(), 1);
  if (!attr.getRoles() || !op.isNormalized())
    return 1;
  std::optional<int64_t> count =
      getConstantIntValue(op.getMixedUpperBound().back());
  return count && *count % cluster ? 1 : cluster;
}

bool flash::isRead(Value value) {
  Operation *op = value.getDefiningOp();
  if (isa_and_nonnull<tensor::ExtractOp>(op))
    return true;
  return isa_and_nonnull<arith::ArithDialect, math::MathDialect,
                         affine::AffineDialect>(op ? op->getDialect()
                                                   : nullptr) &&
         llvm::any_of(op->getOperands(), isRead);
}

/// What a launch does not pass: numbers that are computed, or read from a
/// tensor (a seed or a position in device memory). The host has launches and
/// sizes.
static bool isOfKernel(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || op->hasTrait<OpTrait::ConstantLike>() ||
      isa<TensorType>(value.getType()) || op->getNumRegions() != 0)
    return false;
  return isRead(value) ||
         (!value.getType().isIndex() &&
          isa_and_nonnull<arith::ArithDialect, math::MathDialect>(
              op->getDialect()));
}

/// Moves such numbers into the loop: launches pass indices, tensors and
/// floating-point arguments.
static void sinkNumbers(scf::ForallOp op) {
  bool sunk = true;
  while (sunk) {
    sunk = false;
    SetVector<Value> above;
    getUsedValuesDefinedAbove(op.getRegion(), above);
    // What these are made of comes before them, in the next turn.
    OpBuilder builder = OpBuilder::atBlockBegin(op.getBody());
    for (Value value : above) {
      if (!isOfKernel(value))
        continue;
      Value inside = builder.clone(*value.getDefiningOp())->getResult(0);
      value.replaceUsesWithIf(inside, [&](OpOperand &use) {
        return op->isProperAncestor(use.getOwner());
      });
      sunk = true;
    }
  }
}

LogicalResult FunctionConverter::outline(scf::ForallOp op) {
  Location loc = op.getLoc();
  if (op->hasAttr(FlashDialect::getScheduleAttrName()))
    return op.emitError() << "has '" << FlashDialect::getScheduleAttrName()
                          << "': run flash-split-schedule before";
  if (!hideUnseen)
    op.walk([](HideUnseenOp hide) {
      hide.replaceAllUsesWith(hide.getValues());
      hide.erase();
    });
  simplifyReads(op);
  op.walk([](scf::ForOp loop) { hoistReads(loop); });
  if (failed(hoistHides(op)))
    return failure();
  normalizeSteps(op);
  sinkNumbers(op);
  // Captures in order of use: tensors, then scalars; constants are copied.
  SetVector<Value> above;
  getUsedValuesDefinedAbove(op.getRegion(), above);
  for (Value operand : op->getOperands())
    if (operand.getType().isIndex())
      above.insert(operand);
  SmallVector<Value> captures, scalarCaptures, arguments;
  for (Value value : above) {
    if (isa<RankedTensorType>(value.getType())) {
      if (value.getDefiningOp<arith::ConstantOp>()) {
        if (llvm::any_of(value.getUsers(), [&](Operation *user) {
              auto pages = dyn_cast<ReadPagesOp>(user);
              return (isa<tensor::ExtractSliceOp>(user) ||
                      (pages && pages.getSource() == value)) &&
                     op->isAncestor(user);
            }))
          return op.emitOpError(
              "has a constant as query, key or value, which a "
              "GPU reads from tensors of the caller: make it "
              "an argument of the function");
        continue;
      }
      Value memref = memrefs.lookup(value);
      if (!memref)
        return op.emitOpError("reads a tensor that is neither an argument, a "
                              "slice of one nor a result of another loop");
      captures.push_back(value);
      arguments.push_back(memref);
    } else if (!value.getDefiningOp() ||
               !value.getDefiningOp()->hasTrait<OpTrait::ConstantLike>()) {
      scalarCaptures.push_back(value);
    }
  }
  // A kernel asks its own parameters for their sizes.
  llvm::erase_if(scalarCaptures, [&](Value value) {
    auto dim = value.getDefiningOp<memref::DimOp>();
    return dim && dim.getConstantIndex() &&
           llvm::is_contained(arguments, dim.getSource());
  });
  llvm::append_range(captures, scalarCaptures);
  llvm::append_range(arguments, scalarCaptures);
  for (OpOperand &init : op.getOutputsMutable()) {
    FailureOr<Value> result = allocateResult(op, init);
    if (failed(result))
      return failure();
    arguments.push_back(*result);
    memrefs[op.getTiedOpResult(&init)] = *result;
  }
  SmallVector<Type> types;
  for (Value &argument : arguments) {
    if (auto type = dyn_cast<MemRefType>(argument.getType()))
      argument =
          memref::CastOp::create(builder, loc, parameterType(type), argument);
    types.push_back(argument.getType());
  }

  tile::KernelAttr attr = tile::getKernelAttr(op);
  if (!attr)
    attr = tile::KernelAttr::get(builder.getContext(), 0, Attribute(), 0, 0, 0,
                                 tile::RolesAttr());
  if (!attr.getWarps())
    attr = attr.withWarps(defaultWarps(op));
  int64_t cluster = clusterOf(op, attr);
  attr = attr.withCluster(cluster > 1 ? cluster : 0);
  // PTX identifiers have letters, digits and underscores.
  std::string name;
  for (char c : function.getName())
    name += llvm::isAlnum(c) ? c : '_';
  OpBuilder kernelBuilder(builder.getContext());
  auto kernel = gpu::GPUFuncOp::create(kernelBuilder, loc, name,
                                       builder.getFunctionType(types, {}));
  kernel->setAttr(gpu::GPUDialect::getKernelFuncAttrName(),
                  builder.getUnitAttr());
  kernel->setAttr(tile::FlashTileDialect::getKernelAttrName(), attr);
  StringRef passes = tile::FlashTileDialect::getPassesAttrName();
  if (Attribute asked = op->getAttr(passes))
    kernel->setAttr(passes, asked);
  symbols.insert(kernel);
  if (failed(makeBody(op, kernel, captures, arguments, attr.getWarps())))
    return failure();

  SmallVector<Value> counts;
  for (auto [lower, upper, step] :
       llvm::zip(op.getLowerBound(builder), op.getUpperBound(builder),
                 op.getStep(builder))) {
    Value count = upper;
    if (!op.isNormalized())
      count = arith::CeilDivSIOp::create(
          builder, loc, builder.createOrFold<arith::SubIOp>(loc, upper, lower),
          step);
    counts.push_back(count);
  }
  if (cluster > 1) {
    Value size = arith::ConstantIndexOp::create(builder, loc, cluster);
    counts.back() = arith::MulIOp::create(
        builder, loc,
        arith::CeilDivSIOp::create(builder, loc, counts.back(), size), size);
  }
  Value blocks = counts.front();
  for (Value count : ArrayRef(counts).drop_front())
    blocks = builder.createOrFold<arith::MulIOp>(loc, blocks, count);
  auto symbol = SymbolRefAttr::get(
      kernels.getSymNameAttr(), {FlatSymbolRefAttr::get(kernel.getNameAttr())});
  tile::LaunchOp::create(builder, loc, symbol, blocks, arguments);
  ++numKernels;
  return success();
}
