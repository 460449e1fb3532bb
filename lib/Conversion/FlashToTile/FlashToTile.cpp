//===- FlashToTile.cpp - Parallel loops over tiles to GPU kernels ---------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Splits a function at L2 into kernels and what is left for the host:
//
//   %o = scf.forall (%b, %h, %i) in (%nb, 32, %nq) shared_outs(%x = %empty)
//   {...}
//   ->
//   %o = memref.alloc(%nb, %sq) : memref<?x32x?x128xbf16>
//   %n = arith.muli ...                      // one block a point, %i fastest
//   flash_tile.launch @kernels::@f grid(%n) args(%q, %k, %v, %o, ...)
//
// Tensors become memrefs on both sides. It runs at the fork of the levels,
// before anything is vectorised: what tiles turn into depends on who reads
// them.
//
//===----------------------------------------------------------------------===//

#include "HoistHides.h"
#include "KernelBuilder.h"
#include "TileOrder.h"

#include "flash/Conversion/FlashToTile/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Transforms/LoopInvariantCodeMotionUtils.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

namespace flash {
#define GEN_PASS_DEF_CONVERTFLASHTOTILE
#include "flash/Conversion/FlashToTile/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

static constexpr StringLiteral kKernelsName = "kernels";

/// The memref that holds a tensor of the host: dense.
static MemRefType denseType(Type tensor) {
  auto type = cast<RankedTensorType>(tensor);
  return MemRefType::get(type.getShape(), type.getElementType());
}

/// What a kernel knows of a memref: any strides, but contiguous columns.
static MemRefType parameterType(MemRefType type) {
  SmallVector<int64_t> strides(type.getRank(), ShapedType::kDynamic);
  if (!strides.empty())
    strides.back() = 1;
  return MemRefType::get(
      type.getShape(), type.getElementType(),
      StridedLayoutAttr::get(type.getContext(), ShapedType::kDynamic, strides));
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

namespace {
/// Turns one function into host code; kernels go to `kernels`.
class FunctionConverter {
public:
  FunctionConverter(func::FuncOp function, gpu::GPUModuleOp kernels,
                    SymbolTable &symbols, bool hideUnseen)
      : function(function), kernels(kernels), symbols(symbols),
        hideUnseen(hideUnseen), builder(function.getContext()) {}

  FailureOr<int64_t> run();

private:
  LogicalResult convert(Operation *op);
  LogicalResult outline(scf::ForallOp op);
  LogicalResult makeBody(scf::ForallOp op, gpu::GPUFuncOp kernel,
                         ArrayRef<Value> captures, int64_t warps);
  FailureOr<Value> allocateResult(scf::ForallOp op, OpOperand &init);
  memref::GlobalOp globalOf(arith::ConstantOp constant);

  func::FuncOp function;
  gpu::GPUModuleOp kernels;
  SymbolTable &symbols;
  bool hideUnseen;
  OpBuilder builder;
  /// Tensors of the function to memrefs.
  DenseMap<Value, Value> memrefs;
  /// Constant tensors to what holds them beside the kernels.
  DenseMap<Value, memref::GlobalOp> globals;
  SmallVector<Operation *> converted;
  int64_t numKernels = 0;
};
} // namespace

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
                                          int64_t warps) {
  OpBuilder::InsertionGuard guard(builder);
  Location loc = op.getLoc();
  builder.setInsertionPointToStart(&kernel.getBody().front());
  tile::InstructionAttrInterface instruction =
      tile::MmaSyncAttr::get(builder.getContext());
  if (Attribute asked = tile::getKernelAttr(kernel).getInstruction())
    instruction = cast<tile::InstructionAttrInterface>(asked);

  bool hasProducer = static_cast<bool>(tile::getKernelAttr(kernel).getRoles());
  KernelBuilder body(builder, warps, instruction,
                     /*stageVectors=*/hasProducer);
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
      findTile(builder, op, order ? order.getTurns() : 0,
               tile::getKernelCluster(kernel), bound);
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

/// Whether a number is read from a tensor, in device memory, or made of one
/// that is.
static bool isRead(Value value) {
  Operation *op = value.getDefiningOp();
  if (isa_and_nonnull<tensor::ExtractOp>(op))
    return true;
  return isa_and_nonnull<arith::ArithDialect, math::MathDialect,
                         affine::AffineDialect>(
             op ? op->getDialect() : nullptr) &&
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
              return isa<tensor::ExtractSliceOp, ReadPagesOp>(user) &&
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
  if (failed(makeBody(op, kernel, captures, attr.getWarps())))
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

LogicalResult FunctionConverter::convert(Operation *op) {
  builder.setInsertionPoint(op);
  Location loc = op->getLoc();
  auto isTensor = llvm::IsaPred<TensorType>;
  bool ours =
      llvm::TypeSwitch<Operation *, bool>(op)
          .Case<scf::ForallOp, tensor::EmptyOp, linalg::FillOp,
                tensor::ExtractSliceOp, tensor::CastOp, tensor::DimOp,
                cf::AssertOp, func::ReturnOp, arith::ConstantOp>(
              [](auto) { return true; })
          .Case([](tensor::ExtractOp) { return true; })
          .Default([&](Operation *op) {
            return isa_and_nonnull<arith::ArithDialect, affine::AffineDialect,
                                   math::MathDialect>(op->getDialect()) &&
                   op->getNumRegions() == 0 &&
                   !llvm::any_of(op->getOperandTypes(), isTensor) &&
                   !llvm::any_of(op->getResultTypes(), isTensor);
          });
  if (!ours) {
    InFlightDiagnostic error =
        op->emitError("on a GPU, a function may hold attention and what "
                      "belongs to it, but not '")
        << op->getName() << "', which is not supported there yet";
    if (isa<linalg::LinalgOp>(op))
      error
          << "; do it to the caller's tensors before or after the call, or, if "
             "it is done to scores, in a `score` region";
    return error;
  }

  if (isa<scf::ForallOp, cf::AssertOp>(op) &&
      llvm::any_of(op->getOperands(), isRead))
    return op->emitError("on a GPU, what the host decides cannot be read from "
                         "a tensor: make the number an argument of the "
                         "function (of an assertion by flash-raise: "
                         "finite-minima-hide asserts nothing)");
  if (auto forall = dyn_cast<scf::ForallOp>(op)) {
    if (failed(outline(forall)))
      return failure();
  } else if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    Value source = dim.getSource();
    if (auto empty = source.getDefiningOp<tensor::EmptyOp>()) {
      auto index = dim.getConstantIndex();
      if (!index)
        return op->emitOpError("needs a constant dimension on a GPU");
      dim.replaceAllUsesWith(getValueOrCreateConstantIndexOp(
          builder, loc, empty.getMixedSizes()[*index]));
    } else {
      dim.replaceAllUsesWith(memref::DimOp::create(builder, loc,
                                                   memrefs.lookup(source),
                                                   dim.getIndex())
                                 .getResult());
    }
  } else if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    Value source = memrefs.lookup(slice.getSource());
    if (!source || !slice.hasUnitStride())
      return op->emitOpError("must be a slice of an argument or a result, with "
                             "unit strides, on a GPU");
    MemRefType type = memref::SubViewOp::inferRankReducedResultType(
        slice.getType().getShape(), cast<MemRefType>(source.getType()),
        slice.getMixedOffsets(), slice.getMixedSizes(),
        slice.getMixedStrides());
    memrefs[slice.getResult()] = memref::SubViewOp::create(
        builder, loc, type, source, slice.getMixedOffsets(),
        slice.getMixedSizes(), slice.getMixedStrides());
  } else if (auto cast = dyn_cast<tensor::CastOp>(op)) {
    Value source = memrefs.lookup(cast.getSource());
    auto type = dyn_cast<RankedTensorType>(cast.getType());
    if (!source || !type)
      return op->emitOpError(
          "must cast what a kernel computed, or an argument, "
          "on a GPU");
    auto layout = mlir::cast<MemRefType>(source.getType()).getLayout();
    memrefs[cast.getResult()] = memref::CastOp::create(
        builder, loc,
        MemRefType::get(type.getShape(), type.getElementType(), layout),
        source);
  } else if (auto ret = dyn_cast<func::ReturnOp>(op)) {
    SmallVector<Value> values;
    for (Value value : ret.getOperands()) {
      if (isTensor(value.getType()) &&
          (isa<BlockArgument>(value) || !memrefs.contains(value)))
        return op->emitOpError("returns a tensor that no kernel computes");
      values.push_back(isTensor(value.getType()) ? memrefs.lookup(value)
                                                 : value);
    }
    func::ReturnOp::create(builder, loc, values);
  } else if (!isa<tensor::EmptyOp, linalg::FillOp, tensor::ExtractOp>(op) &&
             !(isa<arith::ConstantOp>(op) &&
               isTensor(op->getResult(0).getType()))) {
    // Index arithmetic stays as it is; of other numbers the kernel has its own.
    if (op->getNumResults() != 1 || !isPure(op))
      return success();
    Value number = op->getResult(0);
    if (!isRead(number) &&
        (!number.use_empty() || number.getType().isIndex()))
      return success();
  }
  converted.push_back(op);
  return success();
}

FailureOr<int64_t> FunctionConverter::run() {
  if (!function.getBody().hasOneBlock())
    return function.emitError("on a GPU, a function must be one block");
  Block &entry = function.getBody().front();
  unsigned numArguments = entry.getNumArguments();
  SmallVector<Type> inputs;
  for (unsigned i = 0; i < numArguments; ++i) {
    BlockArgument argument = entry.getArgument(i);
    Type type = argument.getType();
    if (isa<RankedTensorType>(type)) {
      Type element = getElementTypeOrSelf(type);
      if (!element.isF32() && !element.isF16() && !element.isBF16() &&
          !element.isSignlessInteger(1) && !element.isSignlessInteger(8) &&
          !element.isSignlessInteger(32) && !element.isSignlessInteger(64))
        return emitError(argument.getLoc(), "tensors of ")
               << element
               << " are not supported on a GPU yet; f16, bf16, f32, i1, i8, "
                  "i32 "
                  "and i64 are (and --target=cpu has more)";
      type = denseType(type);
      memrefs[argument] = entry.addArgument(type, argument.getLoc());
    } else if (type.isIndex() || type.isF32()) {
      Value fresh = entry.addArgument(type, argument.getLoc());
      argument.replaceAllUsesWith(fresh);
    } else if (type.isInteger(64)) {
      OpBuilder first = OpBuilder::atBlockBegin(&entry);
      Value fresh = entry.addArgument(first.getIndexType(), argument.getLoc());
      argument.replaceAllUsesWith(
          arith::IndexCastOp::create(first, argument.getLoc(), type, fresh));
      type = first.getIndexType();
    } else {
      return function.emitError("on a GPU, arguments are ranked tensors, "
                                "index, i64 and f32 values, but argument ")
             << i << " is " << type;
    }
    inputs.push_back(type);
  }
  for (Operation &op : llvm::make_early_inc_range(entry))
    if (failed(convert(&op)))
      return failure();
  for (Operation *op : llvm::reverse(converted))
    op->erase();
  entry.eraseArguments(0, numArguments);
  function.setType(builder.getFunctionType(
      inputs, TypeRange(entry.getTerminator()->getOperandTypes())));
  return numKernels;
}

namespace {
struct ConvertFlashToTilePass
    : flash::impl::ConvertFlashToTileBase<ConvertFlashToTilePass> {
  using ConvertFlashToTileBase::ConvertFlashToTileBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<func::FuncOp> functions;
    for (auto function : module.getOps<func::FuncOp>())
      if (!function.isExternal())
        functions.push_back(function);
    if (functions.empty())
      return;
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    auto kernels =
        gpu::GPUModuleOp::create(builder, module.getLoc(), kKernelsName);
    SymbolTable(module).insert(kernels);
    module->setAttr(gpu::GPUDialect::getContainerModuleAttrName(),
                    builder.getUnitAttr());
    SymbolTable symbols(kernels);
    for (func::FuncOp function : functions) {
      FailureOr<int64_t> count =
          FunctionConverter(function, kernels, symbols, hideUnseen).run();
      if (failed(count))
        return signalPassFailure();
      numKernels += *count;
    }
  }
};
} // namespace
