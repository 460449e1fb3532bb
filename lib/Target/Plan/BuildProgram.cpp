//===- BuildProgram.cpp - From host function to launch plan ---------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Interprets the host function symbolically: an index is an expression over the
// dimensions of the arguments, a memref a buffer with an offset, sizes and
// strides.
//
//   %n = arith.ceildivsi %sq, %c128 ; %o = memref.alloc(%b, %sq)
//   flash_tile.launch @kernels::@f grid(%n) args(%q, %o)
//   ->  launch @f grid (ceildiv(dim(0, 2), 128), 1, 1) pointer #0 ... pointer
//   #1 ...
//
// The plan is data, so that a compiled function runs without MLIR.
//
//===----------------------------------------------------------------------===//

#include "flash/Target/BuildProgram.h"

#include "flash/Dialect/Tile/IR/Tile.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace flash;
using rt::Expr;

namespace {
/// A memref of the host: where it is, in elements of its buffer.
struct View {
  int buffer = 0;
  Expr offset;
  std::vector<Expr> sizes, strides;
};

class ProgramBuilder {
public:
  ProgramBuilder(ModuleOp module, const ProgramOptions &options)
      : module(module), options(options) {}

  FailureOr<rt::Program> run(func::FuncOp function);

private:
  LogicalResult convert(Operation *op);
  LogicalResult convertArithmetic(Operation *op);
  LogicalResult convertAssert(cf::AssertOp op);
  LogicalResult convertLaunch(tile::LaunchOp op);
  LogicalResult convertReturn(func::ReturnOp op);
  LogicalResult setKernel(tile::LaunchOp op, rt::Launch &launch);
  void addParams(Value argument, std::vector<rt::Param> &params);
  rt::TensorMapParam tensorMap(tile::TensorMapOp op);

  View dense(int buffer, std::vector<Expr> sizes);
  FailureOr<rt::DType> dtype(Location loc, Type type);
  Expr index(Value value);
  Expr index(OpFoldResult value);
  FailureOr<Expr> affine(Location loc, AffineExpr expr, ValueRange operands,
                         unsigned numDims);

  ModuleOp module;
  const ProgramOptions &options;
  rt::Program program;
  DenseMap<Value, Expr> indices;
  DenseMap<Value, View> views;
};
} // namespace

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

FailureOr<rt::DType> ProgramBuilder::dtype(Location loc, Type type) {
  if (type.isF32())
    return rt::DType::F32;
  if (type.isF16())
    return rt::DType::F16;
  if (type.isBF16())
    return rt::DType::BF16;
  return emitError(loc) << "a launch plan has no tensors of " << type;
}

Expr ProgramBuilder::index(Value value) {
  if (auto known = getConstantIntValue(getAsOpFoldResult(value)))
    return Expr(*known);
  return indices.lookup(value);
}

Expr ProgramBuilder::index(OpFoldResult value) {
  if (auto known = getConstantIntValue(value))
    return Expr(*known);
  return index(cast<Value>(value));
}

View ProgramBuilder::dense(int buffer, std::vector<Expr> sizes) {
  View view{buffer, Expr(0), sizes, sizes};
  Expr stride(1);
  for (size_t i = sizes.size(); i-- > 0;) {
    view.strides[i] = stride;
    stride = stride * sizes[i];
  }
  return view;
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

FailureOr<Expr> ProgramBuilder::affine(Location loc, AffineExpr expr,
                                       ValueRange operands, unsigned numDims) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return Expr(constant.getValue());
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return index(operands[dim.getPosition()]);
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return index(operands[numDims + symbol.getPosition()]);
  auto binary = cast<AffineBinaryOpExpr>(expr);
  FailureOr<Expr> lhs = affine(loc, binary.getLHS(), operands, numDims);
  FailureOr<Expr> rhs = affine(loc, binary.getRHS(), operands, numDims);
  if (failed(lhs) || failed(rhs))
    return failure();
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return *lhs + *rhs;
  case AffineExprKind::Mul:
    return *lhs * *rhs;
  case AffineExprKind::FloorDiv:
    return Expr::floorDiv(*lhs, *rhs);
  case AffineExprKind::CeilDiv:
    return Expr::ceilDiv(*lhs, *rhs);
  case AffineExprKind::Mod:
    return Expr::mod(*lhs, *rhs);
  default:
    return emitError(loc) << "a launch plan has no such affine expression";
  }
}

LogicalResult ProgramBuilder::convertArithmetic(Operation *op) {
  auto set = [&](const Expr &value) {
    indices[op->getResult(0)] = value;
    return success();
  };
  // Sizes are not negative, hence signed and unsigned forms agree.
  if (op->getNumOperands() == 2 && op->getNumResults() == 1 &&
      op->getResult(0).getType().isIndex() &&
      isa<arith::ArithDialect>(op->getDialect())) {
    Expr a = index(op->getOperand(0)), b = index(op->getOperand(1));
    std::optional<Expr> value =
        llvm::TypeSwitch<Operation *, std::optional<Expr>>(op)
            .Case([&](arith::AddIOp) { return a + b; })
            .Case([&](arith::SubIOp) { return a - b; })
            .Case([&](arith::MulIOp) { return a * b; })
            .Case<arith::DivUIOp, arith::DivSIOp, arith::FloorDivSIOp>(
                [&](auto) { return Expr::floorDiv(a, b); })
            .Case<arith::CeilDivSIOp, arith::CeilDivUIOp>(
                [&](auto) { return Expr::ceilDiv(a, b); })
            .Case<arith::RemUIOp, arith::RemSIOp>(
                [&](auto) { return Expr::mod(a, b); })
            .Case<arith::MinSIOp, arith::MinUIOp>(
                [&](auto) { return Expr::min(a, b); })
            .Case<arith::MaxSIOp, arith::MaxUIOp>(
                [&](auto) { return Expr::max(a, b); })
            .Default([](Operation *) { return std::nullopt; });
    if (value)
      return set(*value);
  }
  auto evaluate = [&](AffineMap map, auto combine) -> LogicalResult {
    std::optional<Expr> result;
    for (AffineExpr expr : map.getResults()) {
      FailureOr<Expr> value =
          affine(op->getLoc(), expr, op->getOperands(), map.getNumDims());
      if (failed(value))
        return failure();
      result = result ? combine(*result, *value) : *value;
    }
    return set(*result);
  };
  if (auto apply = dyn_cast<affine::AffineApplyOp>(op))
    return evaluate(apply.getAffineMap(), [](Expr a, Expr) { return a; });
  if (auto min = dyn_cast<affine::AffineMinOp>(op))
    return evaluate(min.getAffineMap(),
                    [](Expr a, Expr b) { return Expr::min(a, b); });
  if (auto max = dyn_cast<affine::AffineMaxOp>(op))
    return evaluate(max.getAffineMap(),
                    [](Expr a, Expr b) { return Expr::max(a, b); });
  // Nobody needs a value of another kind: comparisons are read by assertions.
  if (op->use_empty() || isa<arith::CmpIOp>(op))
    return success();
  return op->emitOpError("cannot be part of a launch plan");
}

/// `assert a == b` and `assert a mod b == 0`.
LogicalResult ProgramBuilder::convertAssert(cf::AssertOp op) {
  auto compare = op.getArg().getDefiningOp<arith::CmpIOp>();
  if (matchPattern(op.getArg(), m_One()))
    return success();
  using Relation = rt::Check::Relation;
  if (!compare || (compare.getPredicate() != arith::CmpIPredicate::eq &&
                   compare.getPredicate() != arith::CmpIPredicate::sle))
    return op.emitOpError("must compare two sizes (eq, sle) in a launch plan");
  rt::Check check{Relation::Equal, index(compare.getLhs()),
                  index(compare.getRhs()), op.getMsg().str()};
  if (compare.getPredicate() == arith::CmpIPredicate::sle)
    check.relation = Relation::LessEqual;
  else if (auto rest = compare.getLhs().getDefiningOp<arith::RemUIOp>();
           rest && matchPattern(compare.getRhs(), m_Zero()))
    check = rt::Check{Relation::Divisible, index(rest.getLhs()),
                      index(rest.getRhs()), op.getMsg().str()};
  program.checks.push_back(std::move(check));
  return success();
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

LogicalResult ProgramBuilder::setKernel(tile::LaunchOp op, rt::Launch &launch) {
  Operation *kernel = SymbolTable::lookupNearestSymbolFrom(op, op.getKernel());
  if (!kernel)
    return op.emitOpError("launches a kernel that is not there any more: build "
                          "the plan before kernels are serialised");
  launch.kernel = op.getKernel().getLeafReference().str();
  if (auto shared = kernel->getAttrOfType<IntegerAttr>(
          tile::FlashTileDialect::getSharedBytesAttrName()))
    launch.dynamicSharedBytes = shared.getInt();
  if (auto threads = kernel->getAttrOfType<DenseI32ArrayAttr>(
          NVVM::NVVMDialect::getReqntidAttrName())) {
    launch.block[0] = threads[0];
    return success();
  }
  auto warps = kernel->getAttrOfType<IntegerAttr>(
      tile::FlashTileDialect::getWarpsAttrName());
  if (!warps)
    return op.emitOpError(
        "launches a kernel with an unknown number of threads");
  bool specialized =
      kernel->walk([](tile::SpecializeOp) { return WalkResult::interrupt(); })
          .wasInterrupted();
  launch.block[0] = 32 * warps.getInt() + (specialized ? 128 : 0);
  return success();
}

rt::TensorMapParam ProgramBuilder::tensorMap(tile::TensorMapOp op) {
  const View &view = views[op.getSource()];
  tile::TensorMapType type = op.getMap().getType();
  int64_t bytes = type.getElementType().getIntOrFloatBitWidth() / 8;
  rt::TensorMapParam param;
  param.buffer = view.buffer;
  param.byteOffset = view.offset * bytes;
  param.dtype = *dtype(op.getLoc(), type.getElementType());
  // The hardware counts dimensions from the innermost.
  for (size_t i = view.sizes.size(); i-- > 0;) {
    param.dims.push_back(view.sizes[i]);
    if (i + 1 < view.sizes.size())
      param.byteStrides.push_back(view.strides[i] * bytes);
    param.box.push_back(static_cast<uint32_t>(type.getBox()[i]));
  }
  return param;
}

/// A memref is its descriptor: two pointers, offset, sizes, strides.
void ProgramBuilder::addParams(Value argument, std::vector<rt::Param> &params) {
  if (auto map = argument.getDefiningOp<tile::TensorMapOp>()) {
    params.push_back(tensorMap(map));
    return;
  }
  auto type = dyn_cast<MemRefType>(argument.getType());
  if (!type) {
    params.push_back(rt::Int64Param{index(argument)});
    return;
  }
  const View &view = views[argument];
  rt::PointerParam pointer{view.buffer,
                           view.offset * (type.getElementTypeBitWidth() / 8)};
  params.push_back(pointer);
  params.push_back(pointer);
  params.push_back(rt::Int64Param{Expr(0)});
  for (const Expr &size : view.sizes)
    params.push_back(rt::Int64Param{size});
  for (const Expr &stride : view.strides)
    params.push_back(rt::Int64Param{stride});
}

LogicalResult ProgramBuilder::convertLaunch(tile::LaunchOp op) {
  rt::Launch launch;
  if (failed(setKernel(op, launch)))
    return failure();
  for (auto [i, size] : llvm::enumerate(op.getGrid()))
    launch.grid[i] = index(size);
  for (Value argument : op.getArgs())
    addParams(argument, launch.params);
  program.steps.push_back(std::move(launch));
  return success();
}

LogicalResult ProgramBuilder::convertReturn(func::ReturnOp op) {
  for (auto [i, value] : llvm::enumerate(op.getOperands())) {
    Operation *definition = value.getDefiningOp();
    while (auto cast = dyn_cast_or_null<memref::CastOp>(definition))
      definition = cast.getSource().getDefiningOp();
    if (!isa_and_nonnull<memref::AllocOp>(definition))
      return op.emitOpError(
                 "must return what kernels of this function computed "
                 "(result ")
             << i << " is not)";
    const View &view = views[definition->getResult(0)];
    rt::Buffer &buffer = program.buffers[view.buffer];
    if (buffer.kind != rt::Buffer::Kind::Temporary)
      return op.emitOpError("returns the same value twice");
    buffer = rt::Buffer::result(static_cast<int>(i));
    FailureOr<rt::DType> type =
        dtype(op.getLoc(), cast<MemRefType>(value.getType()).getElementType());
    if (failed(type))
      return failure();
    program.signature.results.push_back(
        rt::ResultInfo{"result" + std::to_string(i), *type, view.sizes});
  }
  return success();
}

//===----------------------------------------------------------------------===//
// The function
//===----------------------------------------------------------------------===//

LogicalResult ProgramBuilder::convert(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](arith::ConstantOp) { return success(); })
      .Case([&](cf::AssertOp op) { return convertAssert(op); })
      .Case([&](tile::LaunchOp op) { return convertLaunch(op); })
      .Case([&](tile::TensorMapOp) { return success(); })
      .Case([&](func::ReturnOp op) { return convertReturn(op); })
      .Case([&](memref::CastOp op) {
        views[op.getResult()] = View(views[op.getSource()]);
        return success();
      })
      .Case([&](memref::DimOp op) -> LogicalResult {
        auto dim = op.getConstantIndex();
        if (!dim)
          return op.emitOpError("needs a constant dimension in a launch plan");
        indices[op.getResult()] = views[op.getSource()].sizes[*dim];
        return success();
      })
      .Case([&](memref::AllocOp op) {
        std::vector<Expr> sizes;
        for (OpFoldResult size : op.getMixedSizes())
          sizes.push_back(index(size));
        Expr bytes(op.getType().getElementTypeBitWidth() / 8);
        for (const Expr &size : sizes)
          bytes = bytes * size;
        int buffer = static_cast<int>(program.buffers.size());
        program.buffers.push_back(
            rt::Buffer::temporary("temporary" + std::to_string(buffer), bytes));
        views[op.getResult()] = dense(buffer, std::move(sizes));
        return success();
      })
      .Case([&](memref::SubViewOp op) {
        View source = views[op.getSource()], view = source;
        view.sizes.clear();
        view.strides.clear();
        llvm::SmallBitVector dropped = op.getDroppedDims();
        SmallVector<OpFoldResult> offsets = op.getMixedOffsets(),
                                  sizes = op.getMixedSizes(),
                                  strides = op.getMixedStrides();
        for (size_t i = 0; i < offsets.size(); ++i) {
          view.offset = view.offset + index(offsets[i]) * source.strides[i];
          if (dropped.test(i))
            continue;
          view.sizes.push_back(index(sizes[i]));
          view.strides.push_back(source.strides[i] * index(strides[i]));
        }
        views[op.getResult()] = view;
        return success();
      })
      .Default([&](Operation *op) -> LogicalResult {
        if (isa_and_nonnull<arith::ArithDialect, affine::AffineDialect>(
                op->getDialect()))
          return convertArithmetic(op);
        return op->emitOpError("cannot be part of a launch plan");
      });
}

FailureOr<rt::Program> ProgramBuilder::run(func::FuncOp function) {
  program.signature.name = function.getName().str();
  for (BlockArgument argument : function.getArguments()) {
    int number = static_cast<int>(argument.getArgNumber());
    auto given = function.getArgAttrOfType<StringAttr>(number, "flash.name");
    std::string name = given ? given.str() : "arg" + std::to_string(number);
    auto type = dyn_cast<MemRefType>(argument.getType());
    if (!type) {
      if (!argument.getType().isIndex())
        return function.emitError("a launch plan has no arguments of ")
               << argument.getType();
      program.signature.arguments.push_back(rt::ArgumentInfo::index(name));
      indices[argument] = Expr::scalar(number);
      continue;
    }
    FailureOr<rt::DType> element =
        dtype(function.getLoc(), type.getElementType());
    if (failed(element))
      return failure();
    std::vector<std::optional<Expr>> dims;
    std::vector<Expr> sizes;
    for (auto [i, size] : llvm::enumerate(type.getShape())) {
      bool dynamic = ShapedType::isDynamic(size);
      sizes.push_back(dynamic ? Expr::dim(number, static_cast<int>(i))
                              : Expr(size));
      dims.push_back(dynamic ? std::nullopt : std::optional<Expr>(Expr(size)));
    }
    program.signature.arguments.push_back(
        rt::ArgumentInfo::tensor(name, *element, std::move(dims)));
    views[argument] = dense(static_cast<int>(program.buffers.size()), sizes);
    program.buffers.push_back(rt::Buffer::argument(number));
  }
  for (Operation &op : function.getBody().front())
    if (failed(convert(&op)))
      return failure();
  program.modules.push_back(
      rt::ModuleImage{program.signature.name, options.target, options.image});
  if (rt::Status status = program.verify(); status.failed())
    return function.emitError() << status.message();
  return program;
}

FailureOr<rt::Program> flash::buildProgram(ModuleOp module,
                                           const ProgramOptions &options) {
  SmallVector<func::FuncOp> functions;
  for (auto function : module.getOps<func::FuncOp>())
    if (!function.isExternal() &&
        (options.entry.empty() || function.getName() == options.entry))
      functions.push_back(function);
  if (functions.empty())
    return module.emitError(
        options.entry.empty() ? std::string("there is no function to run")
                              : "there is no function '" + options.entry + "'");
  if (functions.size() > 1)
    return module.emitError("there are several functions: name one of them");
  func::FuncOp function = functions.front();
  if (!function.getBody().hasOneBlock())
    return function.emitError("a launch plan is made of one block");
  return ProgramBuilder(module, options).run(function);
}
