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

#include "ProgramBuilder.h"

#include "flash/Dialect/Flash/IR/Flash.h"
#include "flash/Target/ElementType.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace flash;
using rt::Check;
using rt::Expr;

namespace {

/// Sizes of tensors as expressions; ops that make none are left alone.
class CallBuilder : public ProgramBuilder {
public:
  explicit CallBuilder(const ProgramOptions &options)
      : ProgramBuilder(ModuleOp(), options) {}

  FailureOr<rt::Program> run(func::FuncOp function);

private:
  using Sizes = std::vector<Expr>;

  LogicalResult visit(Operation *op);
  void convertNumber(Operation *op);
  LogicalResult visit(AttentionOp op);
  LogicalResult visit(MergeOp op);
  LogicalResult visit(tensor::ExtractSliceOp op);
  LogicalResult visit(tensor::CastOp op);
  LogicalResult visit(tensor::ExpandShapeOp op);
  LogicalResult visit(tensor::CollapseShapeOp op);
  LogicalResult visit(linalg::LinalgOp op);
  LogicalResult visit(func::ReturnOp op);

  const Sizes &sizesOf(Value tensor) { return tensors[tensor]; }
  /// A size or offset, or an error for one that no call can tell.
  FailureOr<Expr> known(Operation *op, OpFoldResult value);
  /// Binds the sizes of a result, and checks those that its type says.
  LogicalResult bind(Value result, Sizes sizes);
  void check(Check::Relation relation, const Expr &lhs, const Expr &rhs,
             const Twine &message);

  llvm::DenseMap<Value, Sizes> tensors;
};

} // namespace

void CallBuilder::check(Check::Relation relation, const Expr &lhs,
                        const Expr &rhs, const Twine &message) {
  // What holds for every call is not asked.
  bool trivial =
      lhs.str() == rhs.str() && relation != Check::Relation::Divisible;
  if (relation == Check::Relation::LessEqual && lhs.isConstant(0) &&
      rhs.kind() == Expr::Kind::Dim)
    trivial = true;
  if (!trivial)
    program.checks.push_back({relation, lhs, rhs, message.str()});
}

FailureOr<Expr> CallBuilder::known(Operation *op, OpFoldResult value) {
  if (std::optional<int64_t> number = getConstantIntValue(value))
    return Expr(*number);
  auto it = indices.find(cast<Value>(value));
  if (it != indices.end())
    return it->second;
  return op->emitOpError("has a size that is not computed from sizes and "
                         "indices of the arguments");
}

LogicalResult CallBuilder::bind(Value result, Sizes sizes) {
  auto type = cast<RankedTensorType>(result.getType());
  for (auto [dim, size] : llvm::enumerate(type.getShape())) {
    if (ShapedType::isDynamic(size))
      continue;
    check(Check::Relation::Equal, sizes[dim], Expr(size),
          "the result of '" + result.getDefiningOp()->getName().getStringRef() +
              "': dimension " + Twine(dim) +
              " is {lhs}, but its type has {rhs}");
    sizes[dim] = Expr(size);
  }
  tensors[result] = std::move(sizes);
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

LogicalResult CallBuilder::visit(tensor::ExtractSliceOp op) {
  Sizes source = sizesOf(op.getSource()), result;
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (auto [dim, place] : llvm::enumerate(llvm::zip(
           op.getMixedOffsets(), op.getMixedSizes(), op.getMixedStrides()))) {
    auto [offset, size, stride] = place;
    FailureOr<Expr> begin = known(op, offset), count = known(op, size);
    if (failed(begin) || failed(count))
      return failure();
    if (!isConstantIntValue(stride, 1))
      return op.emitOpError("has strides other than 1");
    std::string what = "a slice's dimension " + std::to_string(dim);
    for (const Expr &number : {*begin, *count})
      check(Check::Relation::LessEqual, Expr(0), number,
            what + " has a negative offset or size ({rhs})");
    check(Check::Relation::LessEqual, *begin + *count, source[dim],
          what + " ends at {lhs}, but there are {rhs} elements");
    if (!dropped.test(dim))
      result.push_back(*count);
  }
  return bind(op.getResult(), std::move(result));
}

LogicalResult CallBuilder::visit(tensor::CastOp op) {
  if (!isa<RankedTensorType>(op.getSource().getType()) ||
      !isa<RankedTensorType>(op.getType()))
    return op.emitOpError("of unranked tensors is not supported");
  return bind(op.getResult(), sizesOf(op.getSource()));
}

/// `sizes` multiplied; of the dimensions of a group.
static Expr productOf(ArrayRef<int64_t> group, const std::vector<Expr> &sizes) {
  Expr product(1);
  for (int64_t dim : group)
    product = product * sizes[dim];
  return product;
}

LogicalResult CallBuilder::visit(tensor::ExpandShapeOp op) {
  Sizes source = sizesOf(op.getSrc()), result;
  for (OpFoldResult size : op.getMixedOutputShape()) {
    FailureOr<Expr> expr = known(op, size);
    if (failed(expr))
      return failure();
    result.push_back(*expr);
  }
  for (auto [dim, group] : llvm::enumerate(op.getReassociationIndices()))
    check(Check::Relation::Equal, productOf(group, result), source[dim],
          "dimension " + Twine(dim) +
              " of a reshape is {rhs}, and does not become {lhs}");
  return bind(op.getResult(), std::move(result));
}

LogicalResult CallBuilder::visit(tensor::CollapseShapeOp op) {
  Sizes source = sizesOf(op.getSrc()), result;
  for (const ReassociationIndices &group : op.getReassociationIndices())
    result.push_back(productOf(group, source));
  return bind(op.getResult(), std::move(result));
}

LogicalResult CallBuilder::visit(linalg::LinalgOp op) {
  // Each loop has as many steps by every operand that has it as a dimension.
  std::vector<std::optional<Expr>> loops(op.getNumLoops());
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<RankedTensorType>(operand.get().getType()))
      continue;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [index, size] :
         llvm::zip(map.getResults(), sizesOf(operand.get()))) {
      auto loop = dyn_cast<AffineDimExpr>(index);
      if (!loop)
        continue;
      std::optional<Expr> &steps = loops[loop.getPosition()];
      if (steps)
        check(Check::Relation::Equal, *steps, size,
              "'" + op->getName().getStringRef() + "': loop " +
                  Twine(loop.getPosition()) +
                  " has {lhs} steps by one operand, and {rhs} by operand " +
                  Twine(operand.getOperandNumber()));
      else
        steps = size;
    }
  }
  for (auto [result, init] : llvm::zip(op->getResults(), op.getDpsInits()))
    if (failed(bind(result, sizesOf(init))))
      return failure();
  return success();
}

LogicalResult CallBuilder::visit(func::ReturnOp op) {
  for (auto [index, value] : llvm::enumerate(op.getOperands())) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    rt::Result<rt::DType> element =
        convertElementType(type ? type.getElementType() : value.getType());
    if (!type || element.failed())
      return op.emitOpError("returns a value that is no tensor (result ")
             << index << ")";
    program.signature.results.push_back(rt::ResultInfo{
        "result" + std::to_string(index), *element, sizesOf(value)});
  }
  return success();
}

/// Binds what arithmetic on sizes gives. Of other numbers nothing is known: who
/// needs one as a size says so.
void CallBuilder::convertNumber(Operation *op) {
  if (op->getNumResults() != 1)
    return;
  for (Value operand : op->getOperands())
    if (operand.getType().isIndex() && !getConstantIntValue(operand) &&
        !indices.contains(operand))
      return;
  if (auto cast = dyn_cast<arith::IndexCastOp>(op)) {
    auto source = indices.find(cast.getIn());
    if (source != indices.end() && cast.getType().isInteger(64))
      indices[cast.getOut()] = Expr(source->second);
    return;
  }
  ScopedDiagnosticHandler silent(op->getContext(), [](Diagnostic &) {});
  if (op->getResult(0).getType().isIndex())
    (void)convertArithmetic(op);
}

LogicalResult CallBuilder::visit(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<AttentionOp, MergeOp, tensor::ExtractSliceOp, tensor::CastOp,
            tensor::ExpandShapeOp, tensor::CollapseShapeOp, linalg::LinalgOp,
            func::ReturnOp>([&](auto known) { return visit(known); })
      .Case([&](cf::AssertOp op) {
        // What is asserted of data is left to the code.
        return truth(op.getArg()) ? convertAssert(op) : success();
      })
      .Case([&](tensor::DimOp op) -> LogicalResult {
        std::optional<int64_t> dim = op.getConstantIndex();
        if (!dim)
          return op.emitOpError("needs a constant dimension");
        indices[op.getResult()] = sizesOf(op.getSource())[*dim];
        return success();
      })
      .Case([&](tensor::EmptyOp op) -> LogicalResult {
        Sizes sizes;
        for (OpFoldResult size : op.getMixedSizes()) {
          FailureOr<Expr> expr = known(op, size);
          if (failed(expr))
            return failure();
          check(Check::Relation::LessEqual, Expr(0), *expr,
                "a tensor has a negative size ({rhs})");
          sizes.push_back(*expr);
        }
        return bind(op.getResult(), std::move(sizes));
      })
      // A number, of which no size is made.
      .Case([](tensor::ExtractOp) { return success(); })
      .Case([&](arith::ConstantOp op) {
        if (auto type = dyn_cast<RankedTensorType>(op.getType()))
          tensors[op.getResult()] =
              Sizes(type.getShape().begin(), type.getShape().end());
        return success();
      })
      .Default([&](Operation *op) -> LogicalResult {
        if (isa_and_nonnull<arith::ArithDialect, affine::AffineDialect>(
                op->getDialect())) {
          convertNumber(op);
          return success();
        }
        return op->emitOpError("cannot be called: the sizes of its results are "
                               "not known from those of its operands");
      });
}

FailureOr<rt::Program> CallBuilder::run(func::FuncOp function) {
  program.signature.name = function.getName().str();
  if (!function.getBody().hasOneBlock())
    return function.emitError("a body of one block is needed");
  for (BlockArgument argument : function.getArguments()) {
    if (failed(addArgument(function, argument)))
      return failure();
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
