//===- Indices.cpp - Integers as sums of dimensions -------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Follows positions through what frontends do to them:
//
//   linalg.index, constants 0, 1, 2, ..., casts, sums       d0 + 3
//   select(x < 0, x + n, x)                                 x, if x >= 0
//   an element of concat(x[0] - 1, x)                       the sum that both
//                                                           parts are
//   a running sum (tm_tensor.scan) of one constant          c * (d0 + 1)
//   an integer of the function, tensor.dim                  a symbol
//
//===----------------------------------------------------------------------===//

#include "Conditions.h"
#include "Matchers.h"
#include "Sizes.h"
#include "Tables.h"

#include "flash/Dialect/TMTensor/IR/TMTensor.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace flash::raise;

namespace {
class IndexMatcher {
public:
  explicit IndexMatcher(Tracer &tracer)
      : tracer(tracer), domain(tracer.getDomain()) {}

  std::optional<AffineExpr> match(Scalar scalar);

private:
  std::optional<AffineExpr> operand(const Scalar &scalar, unsigned index) {
    return match(tracer.operand(scalar, index));
  }
  std::optional<AffineExpr> matchElement(const Scalar &scalar);
  std::optional<AffineExpr> matchProgression(const Scalar &scalar);
  std::optional<AffineExpr> matchConcat(tensor::ConcatOp op,
                                        ArrayRef<AffineExpr> at);
  std::optional<AffineExpr> matchScan(flash::tm_tensor::ScanOp op,
                                      ArrayRef<AffineExpr> at);
  std::optional<AffineExpr> matchSelect(const Scalar &scalar);
  std::optional<AffineExpr> matchArithmetic(const Scalar &scalar);
  std::optional<AffineExpr> matchApply(const Scalar &scalar);
  std::optional<AffineExpr> matchSymbol(Value value);
  AffineExpr fromSize(const Size &size);
  AffineExpr constant(int64_t value) {
    return getAffineConstantExpr(value, domain.getContext());
  }

  Tracer &tracer;
  Domain &domain;
};
} // namespace

/// start + step * i, if the constant is that along its only long dimension.
std::optional<AffineExpr> IndexMatcher::matchProgression(const Scalar &scalar) {
  auto numbers = ConstantNumbers::get(scalar.value);
  if (!numbers)
    return std::nullopt;
  std::optional<AffineExpr> index;
  int64_t size = 1;
  for (auto [expr, length] :
       llvm::zip(scalar.at, numbers->getType().getShape())) {
    if (length != 1 && index)
      return std::nullopt;
    if (length != 1) {
      index = expr;
      size = length;
    }
  }
  if (size < 2)
    return size == 1 ? std::optional(constant(int64_t((*numbers)[0])))
                     : std::nullopt;
  auto start = int64_t((*numbers)[0]);
  int64_t step = int64_t((*numbers)[1]) - start;
  for (int64_t i = 0; i < size; ++i)
    if ((*numbers)[i] != double(start + i * step))
      return std::nullopt;
  return *index * step + start;
}

/// The sum that all parts are, each where it stands. A part of one element says
/// what the others' sum has to be there.
std::optional<AffineExpr> IndexMatcher::matchConcat(tensor::ConcatOp op,
                                                    ArrayRef<AffineExpr> at) {
  uint64_t dim = op.getDim();
  AffineExpr along = at[dim];
  auto place = LinearSum::get(along);
  if (!place)
    return std::nullopt;
  auto lowest = domain.lowerBound(*place), highest = domain.upperBound(*place);
  struct Part {
    AffineExpr value;
    int64_t start;
    bool isSingle;
  };
  SmallVector<Part> parts;
  int64_t start = 0;
  for (Value input : op.getInputs()) {
    int64_t size = cast<RankedTensorType>(input.getType()).getDimSize(dim);
    bool isLast = input == op.getInputs().back();
    if (ShapedType::isDynamic(size) && !isLast)
      return std::nullopt;
    bool isRead =
        (ShapedType::isDynamic(size) || !lowest || *lowest < start + size) &&
        (!highest || *highest >= start);
    if (isRead && size != 0) {
      Indices inside(at);
      inside[dim] = size == 1 ? constant(0) : along - start;
      auto value = match({input, inside});
      if (!value)
        return std::nullopt;
      parts.push_back({*value, start, size == 1});
    }
    start += ShapedType::isDynamic(size) ? 0 : size;
  }
  if (parts.empty())
    return std::nullopt;
  const auto *model =
      llvm::find_if(parts, [](const Part &part) { return !part.isSingle; });
  if (model == parts.end())
    model = parts.begin();
  for (const Part &part : parts) {
    if (part.value == model->value)
      continue;
    // The model's sum at the one place: the dimension there is start - rest.
    auto sum = LinearSum::get(model->value), own = LinearSum::get(part.value);
    if (!part.isSingle || !sum || !own || place->terms.size() != 1 ||
        place->terms.front().factor != 1)
      return std::nullopt;
    unsigned varying = place->terms.front().dim;
    AffineExpr there = LinearSum(part.start)
                           .plus(place->withoutDims(), -1)
                           .toExpr(domain.getContext());
    SmallVector<AffineExpr> dims;
    for (unsigned i = 0; i < domain.getNumDims(); ++i)
      dims.push_back(getAffineDimExpr(i, domain.getContext()));
    dims[varying] = there;
    auto moved = LinearSum::get(model->value.replaceDims(dims));
    if (!moved || !(*moved == *own))
      return std::nullopt;
  }
  return model->value;
}

std::optional<AffineExpr> IndexMatcher::matchScan(flash::tm_tensor::ScanOp op,
                                                  ArrayRef<AffineExpr> at) {
  Block &body = op.getRegion().front();
  auto sum = body.getTerminator()->getOperand(0).getDefiningOp<arith::AddIOp>();
  if (!sum || !llvm::is_contained(sum->getOperands(), body.getArgument(0)) ||
      !llvm::is_contained(sum->getOperands(), body.getArgument(1)))
    return std::nullopt;
  auto element = match({op.getInputs().front(), Indices(at)});
  auto each =
      element ? dyn_cast<AffineConstantExpr>(*element) : AffineConstantExpr();
  if (!each)
    return std::nullopt;
  AffineExpr along = at[op.getDimension()];
  if (op.getInclusive())
    return (along + 1) * each.getValue();
  Indices outside(at);
  outside.erase(outside.begin() + op.getDimension());
  auto start = match({op.getOutputs().back(), outside});
  if (!start)
    return std::nullopt;
  return *start + along * each.getValue();
}

AffineExpr IndexMatcher::fromSize(const Size &size) {
  if (size.isConstant())
    return constant(size.factor);
  Sizes::Origin origin = tracer.getSizes().getOrigin(size.symbols.front());
  return domain.addSymbol({origin.value, {}, origin.dim}) * size.factor;
}

/// An integer outside of linalg.
std::optional<AffineExpr> IndexMatcher::matchSymbol(Value value) {
  if (value.getParentRegion()->getParentOfType<linalg::LinalgOp>() &&
      !isa_and_nonnull<tensor::DimOp>(value.getDefiningOp()))
    return std::nullopt;
  Size size = tracer.getSizes().get(value);
  if (size.symbols.size() <= 1)
    return fromSize(size);
  return domain.addSymbol({value, {}});
}

std::optional<AffineExpr> IndexMatcher::matchElement(const Scalar &scalar) {
  if (!isa<IntegerType, IndexType>(scalar.getElementType()))
    return std::nullopt;
  if (auto progression = matchProgression(scalar))
    return progression;
  if (auto concat = scalar.value.getDefiningOp<tensor::ConcatOp>()) {
    tracer.visited.insert(concat);
    return matchConcat(concat, scalar.at);
  }
  if (auto scan = scalar.value.getDefiningOp<flash::tm_tensor::ScanOp>();
      scan && scalar.value == scan.getResults().front()) {
    tracer.visited.insert(scan);
    return matchScan(scan, scalar.at);
  }
  SmallVector<int64_t> at;
  for (AffineExpr index : scalar.at) {
    auto number = dyn_cast<AffineConstantExpr>(index);
    if (!number)
      return std::nullopt;
    at.push_back(number.getValue());
  }
  return domain.addSymbol({scalar.value, at});
}

/// The loop of which a value is the index.
static std::optional<std::pair<linalg::LinalgOp, unsigned>>
getLoop(Value value) {
  while (isa_and_nonnull<arith::IndexCastOp>(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  auto index = value.getDefiningOp<linalg::IndexOp>();
  if (!index)
    return std::nullopt;
  return std::pair(cast<linalg::LinalgOp>(index->getParentOp()),
                   unsigned(index.getDim()));
}

/// select(size == 1, 0, i): a dimension is read whole, or is broadcast where
/// its size is 1. It is taken to be read whole, which `assume` has to hold for.
static bool isRead(Tracer &tracer, arith::SelectOp select) {
  auto compare = select.getCondition().getDefiningOp<arith::CmpIOp>();
  if (!compare || compare.getPredicate() != arith::CmpIPredicate::eq ||
      !matchPattern(select.getTrueValue(), m_Zero()) ||
      !matchPattern(compare.getRhs(), m_One()))
    return false;
  auto loop = getLoop(select.getFalseValue());
  if (!loop)
    return false;
  Sizes &sizes = tracer.getSizes();
  Size read = sizes.get(compare.getLhs());
  for (OpOperand &init : loop->first.getDpsInitsMutable())
    for (auto [dim, expr] : llvm::enumerate(
             loop->first.getMatchingIndexingMap(&init).getResults()))
      if (expr == getAffineDimExpr(loop->second, expr.getContext())) {
        tracer.assume(read, sizes.getDim(init.get(), dim));
        return true;
      }
  return false;
}

std::optional<AffineExpr> IndexMatcher::matchSelect(const Scalar &scalar) {
  auto select = scalar.getOp<arith::SelectOp>();
  if (isRead(tracer, select))
    return operand(scalar, 2);
  if (auto holds = decide(tracer, tracer.operand(scalar, 0)))
    return operand(scalar, *holds ? 1 : 2);
  auto yes = operand(scalar, 1), no = operand(scalar, 2);
  return yes && no && *yes == *no ? yes : std::nullopt;
}

std::optional<AffineExpr> IndexMatcher::matchArithmetic(const Scalar &scalar) {
  Operation *def = scalar.getDefiningOp();
  auto lhs = operand(scalar, 0), rhs = operand(scalar, 1);
  if (!lhs || !rhs)
    return std::nullopt;
  if (isa<arith::AddIOp, arith::AddFOp>(def))
    return *lhs + *rhs;
  if (isa<arith::SubIOp, arith::SubFOp>(def))
    return *lhs - *rhs;
  auto left = LinearSum::get(*lhs), right = LinearSum::get(*rhs);
  if (isa<arith::MulIOp, arith::MulFOp>(def)) {
    if (!lhs->isSymbolicOrConstant() && !rhs->isSymbolicOrConstant())
      return std::nullopt;
    return *lhs * *rhs;
  }
  if (!left || !right)
    return std::nullopt;
  LinearSum difference = left->plus(*right, -1);
  auto lowest = domain.lowerBound(difference),
       highest = domain.upperBound(difference);
  if (isa<arith::MaxSIOp, arith::MinSIOp>(def)) {
    bool isMax = isa<arith::MaxSIOp>(def);
    if (lowest && *lowest >= 0)
      return isMax ? lhs : rhs;
    if (highest && *highest <= 0)
      return isMax ? rhs : lhs;
    return std::nullopt;
  }
  // What is divided lies below the divisor.
  auto least = domain.lowerBound(*left);
  if (!least || *least < 0 || !highest || *highest >= 0)
    return std::nullopt;
  return isa<arith::RemSIOp, arith::RemUIOp>(def) ? lhs
                                                  : std::optional(constant(0));
}

std::optional<AffineExpr> IndexMatcher::matchApply(const Scalar &scalar) {
  auto apply = scalar.getOp<affine::AffineApplyOp>();
  SmallVector<AffineExpr> operands;
  for (unsigned i = 0; i < apply->getNumOperands(); ++i) {
    auto value = operand(scalar, i);
    if (!value)
      return std::nullopt;
    operands.push_back(*value);
  }
  AffineMap map = apply.getAffineMap();
  ArrayRef<AffineExpr> all = operands;
  AffineExpr result = map.getResult(0).replaceDimsAndSymbols(
      all.take_front(map.getNumDims()), all.drop_front(map.getNumDims()));
  return LinearSum::get(result) ? std::optional(result) : std::nullopt;
}

std::optional<AffineExpr> IndexMatcher::match(Scalar scalar) {
  scalar = tracer.trace(scalar);
  // Positions are far from the ends of 32-bit integers, not of smaller ones.
  auto integer = dyn_cast<IntegerType>(scalar.getElementType());
  if (integer && integer.getWidth() < 32)
    return std::nullopt;
  APInt number;
  if (matchPattern(scalar.value, m_ConstantInt(&number)) &&
      number.getSignificantBits() <= 64)
    return constant(number.getSExtValue());
  if (isa<FloatType>(scalar.getElementType()))
    if (auto real = tracer.getNumber(scalar);
        real && std::abs(*real) < 1e9 && *real == std::floor(*real))
      return constant(int64_t(*real));
  if (scalar.isElement())
    return matchElement(scalar);
  Operation *def = scalar.getDefiningOp();
  if (auto index = scalar.getOp<linalg::IndexOp>())
    return scalar.at[index.getDim()];
  if (isa_and_nonnull<arith::ExtUIOp>(def) &&
      def->getOperand(0).getType().isInteger(1)) {
    auto holds = decide(tracer, tracer.operand(scalar, 0));
    return holds ? std::optional(constant(*holds)) : std::nullopt;
  }
  if (isa_and_nonnull<arith::IndexCastOp, arith::IndexCastUIOp, arith::ExtSIOp,
                      arith::ExtUIOp, arith::TruncIOp, arith::SIToFPOp,
                      arith::FPToSIOp, arith::ExtFOp, math::FloorOp,
                      math::CeilOp>(def))
    return operand(scalar, 0);
  if (isa_and_nonnull<arith::SelectOp>(def))
    if (auto result = matchSelect(scalar))
      return result;
  if (isa_and_nonnull<affine::AffineApplyOp>(def))
    if (auto result = matchApply(scalar))
      return result;
  if (isa_and_nonnull<arith::AddIOp, arith::SubIOp, arith::MulIOp,
                      arith::AddFOp, arith::SubFOp, arith::MulFOp,
                      arith::MaxSIOp, arith::MinSIOp, arith::RemSIOp,
                      arith::RemUIOp, arith::DivSIOp, arith::DivUIOp,
                      arith::FloorDivSIOp>(def))
    if (auto result = matchArithmetic(scalar))
      return result;
  return isa<FloatType>(scalar.getElementType()) ? std::nullopt
                                                 : matchSymbol(scalar.value);
}

std::optional<AffineExpr> flash::raise::matchIndex(Tracer &tracer,
                                                   Scalar scalar) {
  return IndexMatcher(tracer).match(scalar);
}
