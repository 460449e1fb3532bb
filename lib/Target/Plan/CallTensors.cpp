//===- CallTensors.cpp - Sizes of tensors around attention ----------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Slices, reshapes, linalg and loops of a function at L0: the sizes of what
// they make, and what a call must satisfy for them.
//
//   %c = tensor.concat dim(1) %a, %b     ->  dim(0, 1) + dim(1, 1)
//   scf.for ... iter_args(%t = %init)    ->  those of %init, where an iteration
//                                            yields no others
//
//===----------------------------------------------------------------------===//

#include "CallBuilder.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace flash;
using rt::Check;
using rt::Expr;

using Size = std::optional<Expr>;
using Sizes = std::vector<Size>;

static Size add(const Size &a, const Size &b) {
  return a && b ? Size(*a + *b) : Size();
}

/// `sizes` multiplied; of the dimensions of a group.
static Size productOf(ArrayRef<int64_t> group, const Sizes &sizes) {
  Expr product(1);
  for (int64_t dim : group) {
    if (!sizes[dim])
      return {};
    product = product * *sizes[dim];
  }
  return product;
}

/// What two have in common: a size that differs is not known.
static Sizes intersect(Sizes a, const Sizes &b) {
  for (auto [mine, other] : llvm::zip(a, b))
    if (!mine || !other || mine->str() != other->str())
      mine.reset();
  return a;
}

static bool isSame(const Sizes &a, const Sizes &b) {
  return llvm::all_of(llvm::zip(a, b), [](auto pair) {
    auto [x, y] = pair;
    return x.has_value() == y.has_value() && (!x || x->str() == y->str());
  });
}

//===----------------------------------------------------------------------===//
// Slices
//===----------------------------------------------------------------------===//

/// Elements from the first to the last of a slice, both counted.
static std::optional<Expr> spanOf(const std::optional<Expr> &size,
                                  const std::optional<Expr> &stride) {
  if (!size || !stride)
    return std::nullopt;
  if (stride->isConstant(1))
    return size;
  Expr all = (*size - Expr(1)) * *stride + Expr(1);
  return Expr::max(all, Expr(0));
}

void CallBuilder::checkSlice(const Sizes &whole, const Sizes &offsets,
                             const Sizes &strides, const Sizes &sizes) {
  for (size_t dim = 0; dim < whole.size(); ++dim) {
    std::string what = "a slice's dimension " + std::to_string(dim);
    for (const Size &number : {offsets[dim], sizes[dim]})
      check(Check::Relation::LessEqual, Expr(0), number,
            what + " has a negative offset or size ({rhs})");
    check(Check::Relation::LessEqual,
          add(offsets[dim], spanOf(sizes[dim], strides[dim])), whole[dim],
          what + " ends at {lhs}, but there are {rhs} elements");
  }
}

LogicalResult CallBuilder::visit(tensor::ExtractSliceOp op) {
  Sizes sizes = known(op.getMixedSizes()), result;
  checkSlice(sizesOf(op.getSource()), known(op.getMixedOffsets()),
             known(op.getMixedStrides()), sizes);
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (auto [dim, size] : llvm::enumerate(sizes))
    if (!dropped.test(dim))
      result.push_back(size);
  return bind(op.getResult(), std::move(result));
}

LogicalResult CallBuilder::visit(tensor::InsertSliceOp op) {
  Sizes dest = sizesOf(op.getDest());
  checkSlice(dest, known(op.getMixedOffsets()), known(op.getMixedStrides()),
             known(op.getMixedSizes()));
  return bind(op.getResult(), std::move(dest));
}

LogicalResult CallBuilder::visit(AddSliceOp op) {
  Sizes dest = sizesOf(op.getDest());
  checkSlice(dest, known(op.getMixedOffsets()), known(op.getMixedStrides()),
             known(op.getMixedSizes()));
  return bind(op.getResult(), std::move(dest));
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

LogicalResult CallBuilder::visit(tensor::ExpandShapeOp op) {
  Sizes source = sizesOf(op.getSrc()), result = known(op.getMixedOutputShape());
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

LogicalResult CallBuilder::visit(tensor::ReshapeOp op) {
  auto type = dyn_cast<RankedTensorType>(op.getType());
  if (!type)
    return op.emitOpError("to an unranked tensor is not supported");
  Sizes result(type.getRank()), source = sizesOf(op.getSource());
  DenseIntElementsAttr constant;
  if (auto parts = op.getShape().getDefiningOp<tensor::FromElementsOp>())
    for (auto [size, element] : llvm::zip_equal(result, parts.getElements()))
      size = known(element);
  else if (matchPattern(op.getShape(), m_Constant(&constant)))
    for (auto [size, element] :
         llvm::zip_equal(result, constant.getValues<APInt>()))
      size = Expr(element.getSExtValue());
  auto all = [](const Sizes &sizes) {
    return llvm::to_vector(llvm::seq<int64_t>(0, sizes.size()));
  };
  check(Check::Relation::Equal, productOf(all(source), source),
        productOf(all(result), result),
        "a reshape has {lhs} elements, and makes {rhs}");
  return bind(op.getResult(), std::move(result));
}

LogicalResult CallBuilder::visit(tensor::ConcatOp op) {
  size_t along = op.getDim();
  Sizes result = sizesOf(op.getInputs().front());
  for (Value input : op.getInputs().drop_front()) {
    for (auto [dim, size] : llvm::enumerate(sizesOf(input)))
      if (dim == along)
        result[dim] = add(result[dim], size);
      else
        check(Check::Relation::Equal, size, result[dim],
              "parts of a concatenation have {lhs} and {rhs} elements in "
              "dimension " +
                  Twine(dim));
  }
  return bind(op.getResult(), std::move(result));
}

LogicalResult CallBuilder::visit(tensor::PadOp op) {
  Sizes result = sizesOf(op.getSource());
  for (auto [size, low, high] : llvm::zip_equal(
           result, known(op.getMixedLowPad()), known(op.getMixedHighPad())))
    size = add(add(low, size), high);
  return bind(op.getResult(), std::move(result));
}

LogicalResult CallBuilder::bindDynamic(Value result, ValueRange sizes) {
  Sizes all = sizesOf(result);
  for (Size &size : all)
    if (!size) {
      size = known(sizes.front());
      sizes = sizes.drop_front();
    }
  return bind(result, std::move(all));
}

LogicalResult CallBuilder::visit(linalg::LinalgOp op) {
  // Each loop has as many steps by every operand that has it as a dimension.
  std::vector<Size> loops(op.getNumLoops());
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<RankedTensorType>(operand.get().getType()))
      continue;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [index, size] :
         llvm::zip(map.getResults(), sizesOf(operand.get()))) {
      auto loop = dyn_cast<AffineDimExpr>(index);
      if (!loop)
        continue;
      Size &steps = loops[loop.getPosition()];
      check(Check::Relation::Equal, steps, size,
            "'" + op->getName().getStringRef() + "': loop " +
                Twine(loop.getPosition()) +
                " has {lhs} steps by one operand, and {rhs} by operand " +
                Twine(operand.getOperandNumber()));
      if (!steps)
        steps = size;
    }
  }
  for (auto [result, init] : llvm::zip(op->getResults(), op.getDpsInits()))
    if (failed(bind(result, sizesOf(init))))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Loops and branches
//===----------------------------------------------------------------------===//

LogicalResult CallBuilder::visit(scf::ForOp op) {
  std::vector<Sizes> carried;
  for (Value init : op.getInitArgs())
    carried.push_back(sizesOf(init));
  // Until no iteration changes what is known: a size is lost once at most.
  for (bool changed = true; changed;) {
    changed = false;
    size_t numChecks = program.checks.size();
    for (auto [argument, sizes] : llvm::zip(op.getRegionIterArgs(), carried))
      if (isa<RankedTensorType>(argument.getType()))
        tensors[argument] = sizes;
    if (failed(visitBlock(*op.getBody())))
      return failure();
    for (auto [yielded, sizes] : llvm::zip(op.getYieldedValues(), carried)) {
      Sizes both = intersect(sizes, sizesOf(yielded));
      changed |= !isSame(both, sizes);
      sizes = std::move(both);
    }
    if (changed)
      program.checks.erase(program.checks.begin() + numChecks,
                           program.checks.end());
  }
  for (auto [result, sizes] : llvm::zip(op.getResults(), carried))
    if (isa<RankedTensorType>(result.getType()) && failed(bind(result, sizes)))
      return failure();
  return success();
}

LogicalResult CallBuilder::visit(scf::ForallOp op) {
  for (auto [argument, init] :
       llvm::zip(op.getRegionIterArgs(), op.getOutputs()))
    tensors[argument] = sizesOf(init);
  if (failed(visitBlock(*op.getBody())))
    return failure();
  for (auto [result, init] : llvm::zip(op.getResults(), op.getOutputs()))
    if (failed(bind(result, sizesOf(init))))
      return failure();
  return success();
}

LogicalResult CallBuilder::visit(scf::IfOp op) {
  // What one branch needs is not asked of calls that take the other.
  size_t numChecks = program.checks.size();
  for (Region &region : op->getRegions())
    if (!region.empty() && failed(visitBlock(region.front())))
      return failure();
  program.checks.erase(program.checks.begin() + numChecks,
                       program.checks.end());
  for (auto [number, result] : llvm::enumerate(op.getResults())) {
    if (!isa<RankedTensorType>(result.getType()))
      continue;
    Sizes sizes = intersect(sizesOf(op.thenYield().getOperand(number)),
                            sizesOf(op.elseYield().getOperand(number)));
    if (failed(bind(result, std::move(sizes))))
      return failure();
  }
  return success();
}
