//===- CallProgram.cpp - Sizes of a call, from a function at L0 -----------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a call of a function must satisfy and how large its results are, as a
// program without steps:
//
//   func.func @f(%q: tensor<?x4xf32>, %n: index) -> tensor<?x4xf32> {
//     %s = tensor.extract_slice %q[%n, 0] [8, 4] [1, 1] ...
//   ->  check index(1) + 8 <= dim(0, 0): "..."
//
// It is made at L0, where every op still says which sizes belong together, of a
// function in which flash-insert-checks has asserted what attentions ask for.
// The CPU's code has no launch plan, and is called by this one.
//
//===----------------------------------------------------------------------===//

#include "CallBuilder.h"

#include "flash/Target/ElementType.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace flash;
using rt::Check;
using rt::Expr;

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

void CallBuilder::check(Check::Relation relation, const Size &lhs,
                        const Size &rhs, const Twine &message) {
  if (!lhs || !rhs)
    return;
  // What holds for every call is not asked.
  bool trivial =
      lhs->str() == rhs->str() && relation != Check::Relation::Divisible;
  if (relation == Check::Relation::LessEqual && lhs->isConstant(0) &&
      rhs->kind() == Expr::Kind::Dim)
    trivial = true;
  if (!trivial)
    program.checks.push_back({relation, *lhs, *rhs, message.str()});
}

bool CallBuilder::isKnown(Value index) {
  return getConstantIntValue(index) || indices.contains(index);
}

CallBuilder::Size CallBuilder::known(OpFoldResult value) {
  if (std::optional<int64_t> number = getConstantIntValue(value))
    return Expr(*number);
  auto it = indices.find(cast<Value>(value));
  return it == indices.end() ? Size() : Size(it->second);
}

CallBuilder::Sizes CallBuilder::known(ArrayRef<OpFoldResult> values) {
  Sizes sizes;
  for (OpFoldResult value : values)
    sizes.push_back(known(value));
  return sizes;
}

CallBuilder::Sizes CallBuilder::sizesOf(Value tensor) {
  if (auto it = tensors.find(tensor); it != tensors.end())
    return it->second;
  Sizes sizes;
  if (auto type = dyn_cast<RankedTensorType>(tensor.getType()))
    for (int64_t size : type.getShape())
      sizes.push_back(ShapedType::isDynamic(size) ? Size() : Expr(size));
  return sizes;
}

LogicalResult CallBuilder::bind(Value value, Sizes sizes) {
  auto type = cast<RankedTensorType>(value.getType());
  Operation *definition = value.getDefiningOp();
  for (auto [dim, size] : llvm::enumerate(type.getShape())) {
    if (ShapedType::isDynamic(size))
      continue;
    if (definition)
      check(Check::Relation::Equal, sizes[dim], Expr(size),
            "the result of '" + definition->getName().getStringRef() +
                "': dimension " + Twine(dim) +
                " is {lhs}, but its type has {rhs}");
    sizes[dim] = Expr(size);
  }
  tensors[value] = std::move(sizes);
  return success();
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

LogicalResult CallBuilder::visit(AttentionOp op) {
  Sizes query = sizesOf(op.getQuery()), output = query;
  output[3] = sizesOf(op.getValue())[3];
  if (failed(bind(op.getOutput(), output)))
    return failure();
  if (!op.getLse())
    return success();
  return bind(op.getLse(),
              {query[0], query[op.getHeadsDim()], query[op.getLengthDim()]});
}

LogicalResult CallBuilder::visit(AttentionBackwardOp op) {
  for (auto [gradient, of] :
       {std::pair<Value, Value>{op.getDQuery(), op.getQuery()},
        {op.getDKey(), op.getKey()},
        {op.getDValue(), op.getValue()}})
    if (gradient && failed(bind(gradient, sizesOf(of))))
      return failure();
  if (op.getDSinks() && failed(bind(op.getDSinks(), sizesOf(op.getSinks()))))
    return failure();
  for (auto [gradient, of] :
       llvm::zip(op.getDOperands(), op.getOperandsOfGradients()))
    if (failed(bind(gradient, sizesOf(of))))
      return failure();
  return success();
}

LogicalResult CallBuilder::visit(MergeOp op) {
  bool headFirst = op.getLayout() == Layout::BHSD;
  Sizes output = sizesOf(op.getOutputs().front());
  if (failed(bind(op.getOutput(), output)))
    return failure();
  if (!op.getLse())
    return success();
  return bind(op.getLse(), {output[0], output[headFirst ? 1 : 2],
                            output[headFirst ? 2 : 1]});
}

LogicalResult CallBuilder::visit(tensor::CastOp op) {
  if (!isa<RankedTensorType>(op.getSource().getType()) ||
      !isa<RankedTensorType>(op.getType()))
    return op.emitOpError("of unranked tensors is not supported");
  return bind(op.getResult(), sizesOf(op.getSource()));
}

LogicalResult CallBuilder::visit(tensor::DimOp op) {
  std::optional<int64_t> dim = op.getConstantIndex();
  Sizes sizes = sizesOf(op.getSource());
  if (dim && *dim >= 0 && *dim < static_cast<int64_t>(sizes.size()) &&
      sizes[*dim])
    indices[op.getResult()] = *sizes[*dim];
  return success();
}

LogicalResult CallBuilder::visit(tensor::EmptyOp op) {
  Sizes sizes = known(op.getMixedSizes());
  for (const Size &size : sizes)
    check(Check::Relation::LessEqual, Expr(0), size,
          "a tensor has a negative size ({rhs})");
  return bind(op.getResult(), std::move(sizes));
}

LogicalResult CallBuilder::visit(func::ReturnOp op) {
  for (auto [index, value] : llvm::enumerate(op.getOperands())) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    rt::Result<rt::DType> element =
        convertElementType(type ? type.getElementType() : value.getType());
    if (!type || element.failed())
      return op.emitOpError("returns a value that is no tensor (result ")
             << index << ")";
    std::vector<Expr> sizes;
    for (auto [dim, size] : llvm::enumerate(sizesOf(value))) {
      if (!size)
        return op.emitOpError("returns a tensor (result ")
               << index << ") whose dimension " << dim
               << " is not computed from sizes and indices of the arguments";
      sizes.push_back(*size);
    }
    program.signature.results.push_back(rt::ResultInfo{
        "result" + std::to_string(index), *element, std::move(sizes)});
  }
  return success();
}

static bool isSize(Type type) { return type.isIndex() || type.isInteger(64); }

/// Arithmetic of i64, which sizes are cast to.
static std::optional<Expr> combine(Operation *op, const Expr &a,
                                   const Expr &b) {
  return llvm::TypeSwitch<Operation *, std::optional<Expr>>(op)
      .Case([&](arith::AddIOp) { return a + b; })
      .Case([&](arith::SubIOp) { return a - b; })
      .Case([&](arith::MulIOp) { return a * b; })
      .Case([&](arith::FloorDivSIOp) { return Expr::floorDiv(a, b); })
      .Case([&](arith::CeilDivSIOp) { return Expr::ceilDiv(a, b); })
      .Case([&](arith::MinSIOp) { return Expr::min(a, b); })
      .Case([&](arith::MaxSIOp) { return Expr::max(a, b); })
      .Default([](Operation *) { return std::nullopt; });
}

/// Binds what arithmetic on sizes gives. Of other numbers nothing is known.
void CallBuilder::convertNumber(Operation *op) {
  if (op->getNumResults() != 1 || !isSize(op->getResult(0).getType()))
    return;
  for (Value operand : op->getOperands())
    if (isSize(operand.getType()) && !isKnown(operand))
      return;
  Value result = op->getResult(0);
  if (auto cast = dyn_cast<arith::IndexCastOp>(op)) {
    if (isSize(cast.getIn().getType()))
      indices[result] = Expr(index(cast.getIn()));
    return;
  }
  if (result.getType().isInteger(64)) {
    std::optional<Expr> value;
    if (op->getNumOperands() == 2 && isSize(op->getOperand(0).getType()))
      value = combine(op, index(op->getOperand(0)), index(op->getOperand(1)));
    if (value)
      indices[result] = *value;
    return;
  }
  // A choice is made by what is compared.
  if (auto select = dyn_cast<arith::SelectOp>(op))
    if (auto compare = select.getCondition().getDefiningOp<arith::CmpIOp>())
      for (Value side : compare.getOperands())
        if (side.getType().isIndex() && !isKnown(side))
          return;
  ScopedDiagnosticHandler silent(op->getContext(), [](Diagnostic &) {});
  (void)convertArithmetic(op);
}

LogicalResult CallBuilder::visit(Operation *op) {
  // Of an earlier turn of a loop.
  for (Value result : op->getResults()) {
    indices.erase(result);
    tensors.erase(result);
  }
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<AttentionOp, AttentionBackwardOp, MergeOp, tensor::ExtractSliceOp,
            tensor::InsertSliceOp, AddSliceOp, tensor::EmptyOp, tensor::DimOp,
            tensor::CastOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp,
            tensor::ReshapeOp, tensor::ConcatOp, tensor::PadOp,
            linalg::LinalgOp, scf::ForOp, scf::ForallOp, scf::IfOp,
            func::ReturnOp>([&](auto known) { return visit(known); })
      .Case([&](tensor::SplatOp op) {
        return bindDynamic(op.getResult(), op.getDynamicSizes());
      })
      .Case([&](tensor::GenerateOp op) {
        return bindDynamic(op.getResult(), op.getDynamicExtents());
      })
      .Case([&](tensor::InsertOp op) {
        return bind(op.getResult(), sizesOf(op.getDest()));
      })
      .Case([&](cf::AssertOp op) {
        // What is asserted of data is left to the code.
        return truth(op.getArg()) ? convertAssert(op) : success();
      })
      .Default([&](Operation *op) -> LogicalResult {
        if (isa_and_nonnull<arith::ArithDialect, affine::AffineDialect>(
                op->getDialect()))
          convertNumber(op);
        // Tensors have the sizes that their types say; a return that needs
        // others reports it.
        return success();
      });
}

LogicalResult CallBuilder::visitBlock(Block &block) {
  for (Operation &op : block.without_terminator())
    if (failed(visit(&op)))
      return failure();
  return success();
}

FailureOr<rt::Program> CallBuilder::run(func::FuncOp function) {
  program.signature.name = function.getName().str();
  if (!function.getBody().hasOneBlock())
    return function.emitError("a body of one block is needed");
  for (BlockArgument argument : function.getArguments()) {
    if (failed(addArgument(function, argument)))
      return failure();
    if (argument.getType().isInteger(64))
      indices[argument] =
          Expr::scalar(static_cast<int>(argument.getArgNumber()));
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type)
      continue;
    Sizes sizes;
    for (auto [dim, size] : llvm::enumerate(type.getShape()))
      sizes.push_back(
          ShapedType::isDynamic(size)
              ? Expr::dim(static_cast<int>(argument.getArgNumber()), dim)
              : Expr(size));
    tensors[argument] = std::move(sizes);
  }
  for (Operation &op : function.getBody().front())
    if (failed(visit(&op)))
      return failure();
  if (rt::Status status = program.verify(); status.failed())
    return function.emitError() << status.message();
  return program;
}

FailureOr<rt::Program> flash::buildCallProgram(func::FuncOp function) {
  ProgramOptions options;
  return CallBuilder(options).run(function);
}
