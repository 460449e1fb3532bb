//===- Scalars.cpp - Values as functions of dimensions ----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Stepping through linalg ops and reshapes; comparing and evaluating scalars.
//
//===----------------------------------------------------------------------===//

#include "Conditions.h"
#include "Matchers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace flash::raise;

std::optional<Indices>
flash::raise::expandIndices(Domain &domain, ArrayRef<AffineExpr> collapsed,
                            ArrayRef<ReassociationIndices> groups,
                            RankedTensorType expandedType) {
  Indices expanded;
  for (auto [index, group] : llvm::zip(collapsed, groups)) {
    SmallVector<int64_t> sizes;
    for (int64_t dim : group)
      sizes.push_back(expandedType.getDimSize(dim));
    auto parts = domain.delinearize(index, sizes);
    if (!parts)
      return std::nullopt;
    llvm::append_range(expanded, *parts);
  }
  return expanded;
}

std::optional<Indices>
flash::raise::collapseIndices(Domain &domain, ArrayRef<AffineExpr> expanded,
                              ArrayRef<ReassociationIndices> groups,
                              RankedTensorType expandedType) {
  Indices collapsed;
  for (const ReassociationIndices &group : groups) {
    SmallVector<int64_t> sizes;
    Indices indices;
    for (int64_t dim : group) {
      sizes.push_back(expandedType.getDimSize(dim));
      indices.push_back(expanded[dim]);
    }
    auto index = domain.linearize(indices, sizes);
    if (!index)
      return std::nullopt;
    collapsed.push_back(*index);
  }
  return collapsed;
}

std::optional<Indices>
flash::raise::reshapeIndices(Domain &domain, ArrayRef<AffineExpr> at,
                             RankedTensorType from, RankedTensorType to,
                             ArrayRef<ReshapeGroup> groups) {
  Indices result;
  for (const ReshapeGroup &group : groups) {
    unsigned count = group.sourceEnd - group.sourceBegin;
    ArrayRef<AffineExpr> indices = at.slice(group.sourceBegin, count);
    ArrayRef<int64_t> sizes = from.getShape().slice(group.sourceBegin, count),
                      into = to.getShape().slice(group.targetBegin,
                                                 group.targetEnd -
                                                     group.targetBegin);
    if (sizes == into && llvm::count_if(sizes, ShapedType::isDynamic) <= 1) {
      llvm::append_range(result, indices);
      continue;
    }
    auto whole = domain.linearize(indices, sizes);
    auto parts = whole ? domain.delinearize(*whole, into) : std::nullopt;
    if (!parts)
      return std::nullopt;
    llvm::append_range(result, *parts);
  }
  return result;
}

void Tracer::assume(const Size &a, const Size &b) {
  std::pair<Size, Size> both(a, b);
  if (a != b && !llvm::is_contained(assumptions, both))
    assumptions.push_back(both);
}

std::optional<Indices> Tracer::loopsOf(linalg::LinalgOp op,
                                       unsigned resultNumber,
                                       ArrayRef<AffineExpr> at,
                                       ArrayRef<AffineExpr> reduced) {
  AffineMap map = op.getIndexingMapMatchingResult(op->getResult(resultNumber));
  Indices loops(op.getNumLoops());
  for (auto [result, index] : llvm::zip(map.getResults(), at)) {
    // An element that the op does not write is the destination's.
    auto dim = dyn_cast<AffineDimExpr>(result);
    if (!dim ? result != index
             : loops[dim.getPosition()] && loops[dim.getPosition()] != index)
      return std::nullopt;
    if (dim)
      loops[dim.getPosition()] = index;
  }
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  for (auto [loop, kind, size] :
       llvm::zip(loops, op.getIteratorTypesArray(), ranges)) {
    if (loop)
      continue;
    if (size == 1) {
      loop = getAffineConstantExpr(0, domain.getContext());
      continue;
    }
    if (kind != utils::IteratorType::reduction || reduced.empty())
      return std::nullopt;
    loop = reduced.front();
    reduced = reduced.drop_front();
  }
  return reduced.empty() ? std::optional(loops) : std::nullopt;
}

/// An element of the one part in which the index lies everywhere.
std::optional<Scalar> Tracer::stepConcat(tensor::ConcatOp op,
                                         ArrayRef<AffineExpr> at) {
  auto index = LinearSum::get(at[op.getDim()]);
  auto lowest = index ? domain.lowerBound(*index) : std::nullopt,
       highest = index ? domain.upperBound(*index) : std::nullopt;
  int64_t start = 0;
  for (Value input : op.getInputs()) {
    int64_t size =
        cast<RankedTensorType>(input.getType()).getDimSize(op.getDim());
    if (ShapedType::isDynamic(size) || !lowest || !highest)
      return std::nullopt;
    if (*lowest >= start && *highest < start + size) {
      Indices inside(at);
      inside[op.getDim()] = inside[op.getDim()] - start;
      return Scalar{input, inside};
    }
    start += size;
  }
  return std::nullopt;
}

/// An element of a slice is one of the source. That Q, K or V is read whole is
/// known of static sizes alone.
std::optional<Scalar> Tracer::stepSlice(tensor::ExtractSliceOp op,
                                        ArrayRef<AffineExpr> at) {
  RankedTensorType type = op.getType();
  if (isa<FloatType>(type.getElementType()) && !type.hasStaticShape())
    return std::nullopt;
  auto toExpr = [&](OpFoldResult value) -> std::optional<AffineExpr> {
    if (auto constant = getConstantIntValue(value))
      return getAffineConstantExpr(*constant, domain.getContext());
    return matchIndex(*this, {cast<Value>(value), {}});
  };
  llvm::SmallBitVector dropped = op.getDroppedDims();
  Indices source;
  size_t next = 0;
  for (auto [dim, offset] : llvm::enumerate(op.getMixedOffsets())) {
    auto start = toExpr(offset);
    auto step = getConstantIntValue(op.getMixedStrides()[dim]);
    if (!start || !step)
      return std::nullopt;
    source.push_back(dropped[dim] ? *start : *start + at[next++] * *step);
  }
  return Scalar{op.getSource(), source};
}

std::optional<Scalar> Tracer::stepElement(const Scalar &scalar) {
  Operation *def = scalar.getDefiningOp();
  if (!def)
    return std::nullopt;
  if (auto op = dyn_cast<tensor::ExpandShapeOp>(def)) {
    if (auto at =
            collapseIndices(domain, scalar.at, op.getReassociationIndices(),
                            op.getResultType()))
      return Scalar{op.getSrc(), *at};
    return std::nullopt;
  }
  if (auto op = dyn_cast<tensor::CollapseShapeOp>(def)) {
    if (auto at = expandIndices(domain, scalar.at, op.getReassociationIndices(),
                                op.getSrcType()))
      return Scalar{op.getSrc(), *at};
    return std::nullopt;
  }
  if (auto op = dyn_cast<tensor::CastOp>(def)) {
    if (isa<RankedTensorType>(op.getSource().getType()))
      return Scalar{op.getSource(), scalar.at};
    return std::nullopt;
  }
  if (auto op = dyn_cast<tensor::ReshapeOp>(def)) {
    auto groups = matchReshape(sizes.getShape(op.getResult()),
                               sizes.getShape(op.getSource()));
    auto source = dyn_cast<RankedTensorType>(op.getSource().getType());
    if (!groups || !source)
      return std::nullopt;
    if (auto at = reshapeIndices(domain, scalar.at,
                                 cast<RankedTensorType>(op.getType()), source,
                                 *groups))
      return Scalar{op.getSource(), *at};
    return std::nullopt;
  }
  if (auto op = dyn_cast<tensor::ConcatOp>(def))
    return stepConcat(op, scalar.at);
  if (auto op = dyn_cast<tensor::ExtractSliceOp>(def); op && seesSlices)
    return stepSlice(op, scalar.at);
  auto op = dyn_cast<linalg::LinalgOp>(def);
  if (!op || !op.hasPureTensorSemantics() ||
      op.getNumLoops() != op.getNumParallelLoops())
    return std::nullopt;
  unsigned number = cast<OpResult>(scalar.value).getResultNumber();
  auto loops = loopsOf(op, number, scalar.at, /*reduced=*/{});
  if (!loops)
    return std::nullopt;
  return Scalar{op.getBlock()->getTerminator()->getOperand(number), *loops};
}

std::optional<Scalar> Tracer::stepBody(const Scalar &scalar) {
  if (auto arg = dyn_cast<BlockArgument>(scalar.value)) {
    auto op = dyn_cast<linalg::LinalgOp>(arg.getOwner()->getParentOp());
    if (!op)
      return std::nullopt;
    OpOperand *operand = op.getMatchingOpOperand(arg);
    // An accumulator is the destination's element in the first step only.
    if (op.getNumReductionLoops() != 0 && op.isDpsInit(operand))
      return std::nullopt;
    if (!isa<RankedTensorType>(operand->get().getType()))
      return Scalar{operand->get(), {}};
    Indices at;
    for (AffineExpr result : op.getMatchingIndexingMap(operand).getResults())
      at.push_back(result.replaceDims(scalar.at));
    return Scalar{operand->get(), at};
  }
  // A concatenation as JAX writes it: scf.if(i < n) of elements of two tensors.
  if (auto branch = scalar.value.getDefiningOp<scf::IfOp>();
      branch && branch->getNumResults() == 1) {
    auto holds = decide(*this, {branch.getCondition(), scalar.at});
    if (!holds)
      return std::nullopt;
    Region &region = *holds ? branch.getThenRegion() : branch.getElseRegion();
    return Scalar{region.front().getTerminator()->getOperand(0), scalar.at};
  }
  if (auto extract = scalar.value.getDefiningOp<tensor::ExtractOp>()) {
    Indices at;
    for (Value index : extract.getIndices()) {
      auto expr = matchIndex(*this, {index, scalar.at});
      if (!expr)
        return std::nullopt;
      at.push_back(*expr);
    }
    return Scalar{extract.getTensor(), at};
  }
  return std::nullopt;
}

std::optional<Scalar> Tracer::step(const Scalar &scalar) {
  std::optional<Scalar> next =
      scalar.isElement() ? stepElement(scalar) : stepBody(scalar);
  if (next && scalar.isElement())
    visited.insert(scalar.getDefiningOp());
  return next;
}

Scalar Tracer::trace(Scalar scalar) {
  while (auto next = step(scalar))
    scalar = *next;
  return scalar;
}

Scalar Tracer::operand(const Scalar &scalar, unsigned index) {
  return trace({scalar.getDefiningOp()->getOperand(index), scalar.at});
}

Scalar Tracer::traceCasts(Scalar scalar) {
  scalar = trace(scalar);
  while (!scalar.isElement() && isa_and_nonnull<arith::ExtFOp, arith::TruncFOp>(
                                    scalar.getDefiningOp()))
    scalar = operand(scalar, 0);
  return scalar;
}

std::optional<double> Tracer::getNumber(const Scalar &start) {
  Scalar scalar = traceCasts(start);
  if (scalar.getOp<arith::SIToFPOp>() || scalar.getOp<arith::UIToFPOp>()) {
    APInt integer;
    Scalar in = operand(scalar, 0);
    if (!matchPattern(in.value, m_ConstantInt(&integer)) ||
        integer.getSignificantBits() > 32)
      return std::nullopt;
    return scalar.getOp<arith::SIToFPOp>() ? double(integer.getSExtValue())
                                           : double(integer.getZExtValue());
  }
  Attribute attr;
  if (!matchPattern(scalar.value, m_Constant(&attr)))
    return std::nullopt;
  if (auto elements = dyn_cast<DenseElementsAttr>(attr)) {
    if (!elements.isSplat())
      return std::nullopt;
    attr = elements.getSplatValue<Attribute>();
  }
  if (auto number = dyn_cast<FloatAttr>(attr)) {
    APFloat value = number.getValue();
    bool lost;
    value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lost);
    return value.convertToDouble();
  }
  return std::nullopt;
}

bool Tracer::same(const Scalar &first, const Scalar &second) {
  Scalar a = traceCasts(first), b = traceCasts(second);
  if (a.value == b.value && a.at == b.at)
    return true;
  if (std::optional<double> number = getNumber(a))
    return number == getNumber(b);
  Operation *opA = a.getDefiningOp(), *opB = b.getDefiningOp();
  if (a.isElement() || b.isElement() || !opA || !opB ||
      opA->getName() != opB->getName() || opA->getNumRegions() != 0 ||
      opA->getNumOperands() != opB->getNumOperands())
    return false;
  if (auto index = dyn_cast<linalg::IndexOp>(opA))
    return a.at[index.getDim()] == b.at[cast<linalg::IndexOp>(opB).getDim()];
  // Comparisons carry their predicate, constants their value; fast-math flags
  // are permissions.
  for (StringRef name : {"predicate", "value"})
    if (opA->getAttr(name) != opB->getAttr(name))
      return false;
  for (unsigned i = 0; i < opA->getNumOperands(); ++i)
    if (!same({opA->getOperand(i), a.at}, {opB->getOperand(i), b.at}))
      return false;
  return true;
}

std::optional<Reduction> Tracer::matchReduction(const Scalar &element,
                                                AffineExpr reduced,
                                                std::optional<int64_t> size) {
  if (!element.isElement())
    return std::nullopt;
  auto op = element.value.getDefiningOp<linalg::LinalgOp>();
  if (!op || !op.hasPureTensorSemantics() || op.getNumReductionLoops() != 1)
    return std::nullopt;
  if (auto dim = dyn_cast<AffineDimExpr>(reduced); dim && !size)
    size = domain.getSize(dim.getPosition());
  for (auto [kind, range] :
       llvm::zip(op.getIteratorTypesArray(), op.getStaticLoopRanges()))
    if (kind == utils::IteratorType::reduction && size &&
        !ShapedType::isDynamic(range) && !ShapedType::isDynamic(*size) &&
        range != *size)
      return std::nullopt;
  unsigned number = cast<OpResult>(element.value).getResultNumber();
  auto loops = loopsOf(op, number, element.at, {reduced});
  if (!loops)
    return std::nullopt;
  Value accumulator = op.getMatchingBlockArgument(op.getDpsInitOperand(number));
  Operation *combiner =
      op.getBlock()->getTerminator()->getOperand(number).getDefiningOp();
  if (!combiner || combiner->getNumOperands() != 2)
    return std::nullopt;
  for (unsigned i = 0; i < 2; ++i) {
    if (combiner->getOperand(i) != accumulator)
      continue;
    visited.insert(op);
    OpOperand *init = op.getDpsInitOperand(number);
    Indices initAt;
    for (AffineExpr result : op.getMatchingIndexingMap(init).getResults())
      initAt.push_back(result.replaceDims(*loops));
    return Reduction{op, combiner, trace({combiner->getOperand(1 - i), *loops}),
                     trace({init->get(), initAt})};
  }
  return std::nullopt;
}
