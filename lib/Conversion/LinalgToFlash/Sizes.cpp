//===- Sizes.cpp - Sizes as products of unknowns ----------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A division is taken to be exact where the product says so: dividing by a size
// of 0 is undefined, and reshapes of nothing have no elements.
//
//===----------------------------------------------------------------------===//

#include "Sizes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace flash::raise;

Size Sizes::multiply(const Size &a, const Size &b) {
  // Nonsense wraps around.
  Size product{int64_t(uint64_t(a.factor) * uint64_t(b.factor)), a.symbols};
  llvm::append_range(product.symbols, b.symbols);
  llvm::sort(product.symbols);
  return product;
}

std::optional<Size> Sizes::divide(const Size &a, const Size &b) {
  if (b.factor == 0 || b.factor == -1 || a.factor % b.factor != 0)
    return std::nullopt;
  Size quotient{a.factor / b.factor, a.symbols};
  for (unsigned symbol : b.symbols) {
    auto *place = llvm::find(quotient.symbols, symbol);
    if (place == quotient.symbols.end())
      return std::nullopt;
    quotient.symbols.erase(place);
  }
  return quotient;
}

unsigned Sizes::find(unsigned symbol) const {
  while (parents[symbol] != symbol)
    symbol = parents[symbol];
  return symbol;
}

Size Sizes::canonical(const Size &size) const {
  Size result{size.factor, {}};
  for (unsigned symbol : size.symbols)
    result.symbols.push_back(find(symbol));
  llvm::sort(result.symbols);
  return result;
}

void Sizes::unite(const Size &first, const Size &second) {
  Size a = canonical(first), b = canonical(second);
  if (a == b)
    return;
  // 4 * x = 4 * y says x = y.
  for (unsigned symbol : llvm::to_vector(a.symbols))
    if (auto *place = llvm::find(b.symbols, symbol);
        place != b.symbols.end() && a.symbols.size() + b.symbols.size() > 2) {
      b.symbols.erase(place);
      a.symbols.erase(llvm::find(a.symbols, symbol));
    }
  if (a.symbols.size() == 1 && b.symbols.size() == 1 && a.factor == b.factor) {
    // The one that was there first stays.
    auto [low, high] = std::minmax(a.symbols.front(), b.symbols.front());
    parents[high] = low;
  }
}

Size Sizes::makeSymbol(Origin origin) {
  unsigned symbol = origins.size();
  origins.push_back(origin);
  parents.push_back(symbol);
  return Size{1, {symbol}};
}

bool Sizes::isNonNegative(const Size &size) const {
  return size.factor >= 0 && llvm::all_of(size.symbols, [&](unsigned symbol) {
           return origins[symbol].dim.has_value();
         });
}

Size Sizes::get(Value value) {
  auto place = known.find(value);
  if (place == known.end()) {
    Size size = compute(value);
    place = known.try_emplace(value, size).first;
  }
  return canonical(place->second);
}

Size Sizes::getDim(Value tensor, int64_t dim) {
  auto place = knownDims.find({tensor, dim});
  if (place == knownDims.end()) {
    Size size = computeDim(tensor, dim);
    place = knownDims.try_emplace({tensor, dim}, size).first;
  }
  return canonical(place->second);
}

SmallVector<Size> Sizes::getShape(Value tensor) {
  SmallVector<Size> shape;
  for (int64_t dim : llvm::seq<int64_t>(
           0, cast<RankedTensorType>(tensor.getType()).getRank()))
    shape.push_back(getDim(tensor, dim));
  return shape;
}

std::optional<bool> Sizes::getBool(Value condition) {
  APInt number;
  if (matchPattern(condition, m_ConstantInt(&number)))
    return !number.isZero();
  auto compare = condition.getDefiningOp<arith::CmpIOp>();
  if (!compare)
    return std::nullopt;
  Size lhs = get(compare.getLhs()), rhs = get(compare.getRhs());
  using Predicate = arith::CmpIPredicate;
  Predicate predicate = compare.getPredicate();
  if (lhs.isConstant() && rhs.isConstant())
    return arith::applyCmpPredicate(predicate, APInt(64, lhs.factor, true),
                                    APInt(64, rhs.factor, true));
  if (lhs == rhs)
    return predicate == Predicate::eq || predicate == Predicate::sge ||
           predicate == Predicate::sle || predicate == Predicate::uge ||
           predicate == Predicate::ule;
  // A size is not negative.
  if (isNonNegative(lhs) && rhs.isConstant() && rhs.factor <= 0) {
    if (predicate == Predicate::sge)
      return true;
    if (predicate == Predicate::slt)
      return false;
    if (rhs.factor < 0 && predicate == Predicate::eq)
      return false;
    if (rhs.factor < 0 && predicate == Predicate::ne)
      return true;
  }
  return std::nullopt;
}

Size Sizes::computeAffine(AffineExpr expr, ValueRange operands,
                          unsigned numDims, Value whole) {
  auto recurse = [&](AffineExpr part) {
    return computeAffine(part, operands, numDims, Value());
  };
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return Size{constant.getValue(), {}};
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return get(operands[dim.getPosition()]);
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return get(operands[numDims + symbol.getPosition()]);
  auto binary = cast<AffineBinaryOpExpr>(expr);
  Size lhs = recurse(binary.getLHS()), rhs = recurse(binary.getRHS());
  if (binary.getKind() == AffineExprKind::Mul)
    return multiply(lhs, rhs);
  if (binary.getKind() == AffineExprKind::Add && lhs.isConstant() &&
      rhs.isConstant())
    return Size{int64_t(uint64_t(lhs.factor) + uint64_t(rhs.factor)), {}};
  if (binary.getKind() == AffineExprKind::FloorDiv ||
      binary.getKind() == AffineExprKind::CeilDiv)
    if (auto quotient = divide(lhs, rhs))
      return *quotient;
  return makeSymbol({whole, std::nullopt});
}

Size Sizes::compute(Value value) {
  APInt number;
  if (matchPattern(value, m_ConstantInt(&number)) &&
      number.getSignificantBits() <= 64)
    return Size{number.getSExtValue(), {}};
  Operation *def = value.getDefiningOp();
  if (!def)
    return makeSymbol({value, std::nullopt});
  if (auto dim = dyn_cast<tensor::DimOp>(def))
    if (auto index = dim.getConstantIndex();
        index && isa<RankedTensorType>(dim.getSource().getType()))
      return getDim(dim.getSource(), *index);
  if (isa<arith::IndexCastOp, arith::IndexCastUIOp, arith::ExtSIOp,
          arith::TruncIOp>(def))
    return get(def->getOperand(0));
  if (isa<arith::ExtUIOp>(def)) {
    Value in = def->getOperand(0);
    if (!in.getType().isInteger(1))
      return get(in);
    if (auto holds = getBool(in))
      return Size{*holds, {}};
  }
  if (isa<arith::MulIOp>(def))
    return multiply(get(def->getOperand(0)), get(def->getOperand(1)));
  if (isa<arith::DivSIOp, arith::DivUIOp, arith::FloorDivSIOp,
          arith::CeilDivSIOp>(def))
    if (auto quotient =
            divide(get(def->getOperand(0)), get(def->getOperand(1))))
      return *quotient;
  if (auto select = dyn_cast<arith::SelectOp>(def)) {
    if (auto holds = getBool(select.getCondition()))
      return get(*holds ? select.getTrueValue() : select.getFalseValue());
    Size yes = get(select.getTrueValue()), no = get(select.getFalseValue());
    if (yes == no)
      return yes;
  }
  if (auto apply = dyn_cast<affine::AffineApplyOp>(def))
    return computeAffine(apply.getAffineMap().getResult(0),
                         apply.getMapOperands(),
                         apply.getAffineMap().getNumDims(), value);
  if (isa<arith::AddIOp, arith::SubIOp, arith::MaxSIOp, arith::MinSIOp>(def)) {
    Size lhs = get(def->getOperand(0)), rhs = get(def->getOperand(1));
    if (lhs.isConstant() && rhs.isConstant()) {
      bool larger = lhs.factor > rhs.factor;
      if (isa<arith::AddIOp>(def))
        return Size{int64_t(uint64_t(lhs.factor) + uint64_t(rhs.factor)), {}};
      if (isa<arith::SubIOp>(def))
        return Size{int64_t(uint64_t(lhs.factor) - uint64_t(rhs.factor)), {}};
      return isa<arith::MaxSIOp>(def) == larger ? lhs : rhs;
    }
    if (isa<arith::AddIOp, arith::SubIOp>(def) && rhs == Size{0, {}})
      return lhs;
    if (isa<arith::AddIOp>(def) && lhs == Size{0, {}})
      return rhs;
    // The same sum of the same is the same unknown.
    std::vector<int64_t> key{int64_t(reinterpret_cast<intptr_t>(
                                 def->getName().getAsOpaquePointer())),
                             lhs.factor, int64_t(lhs.symbols.size())};
    llvm::append_range(key, lhs.symbols);
    key.push_back(rhs.factor);
    llvm::append_range(key, rhs.symbols);
    auto place = opaque.find(key);
    if (place != opaque.end())
      return place->second;
    return opaque[key] = makeSymbol({value, std::nullopt});
  }
  return makeSymbol({value, std::nullopt});
}

Size Sizes::computeDim(Value tensor, int64_t dim) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.isDynamicDim(dim))
    return Size{type.getDimSize(dim), {}};
  Operation *def = tensor.getDefiningOp();
  auto fromMixed = [&](OpFoldResult size) {
    if (auto constant = getConstantIntValue(size))
      return Size{*constant, {}};
    return get(cast<Value>(size));
  };
  if (auto op = dyn_cast_or_null<tensor::EmptyOp>(def))
    return fromMixed(op.getMixedSizes()[dim]);
  if (auto op = dyn_cast_or_null<tensor::CastOp>(def);
      op && isa<RankedTensorType>(op.getSource().getType()))
    return getDim(op.getSource(), dim);
  if (auto op = dyn_cast_or_null<tensor::ExpandShapeOp>(def))
    return fromMixed(op.getMixedOutputShape()[dim]);
  if (auto op = dyn_cast_or_null<tensor::CollapseShapeOp>(def)) {
    Size product;
    ReassociationIndices group = op.getReassociationIndices()[dim];
    for (int64_t inner : group)
      product = multiply(product, getDim(op.getSrc(), inner));
    return product;
  }
  if (auto op = dyn_cast_or_null<tensor::ExtractSliceOp>(def);
      op && op.getType().getRank() == op.getSourceType().getRank())
    return fromMixed(op.getMixedSizes()[dim]);
  if (auto op = dyn_cast_or_null<tensor::ReshapeOp>(def))
    if (auto shape = op.getShape().getDefiningOp<tensor::FromElementsOp>())
      return get(shape.getElements()[dim]);
  if (auto op = dyn_cast_or_null<DestinationStyleOpInterface>(def))
    return getDim(
        op.getDpsInitOperand(cast<OpResult>(tensor).getResultNumber())->get(),
        dim);
  return makeSymbol({tensor, dim});
}

void Sizes::readFacts(Operation *op) {
  if (auto assertion = dyn_cast<cf::AssertOp>(op)) {
    auto compare = assertion.getArg().getDefiningOp<arith::CmpIOp>();
    if (compare && compare.getPredicate() == arith::CmpIPredicate::eq)
      unite(get(compare.getLhs()), get(compare.getRhs()));
    return;
  }
  if (auto reshape = dyn_cast<tensor::ReshapeOp>(op);
      reshape && isa<RankedTensorType>(reshape.getSource().getType()) &&
      isa<RankedTensorType>(reshape.getType())) {
    // As many elements before as after.
    auto count = [&](Value tensor) {
      Size product;
      for (const Size &size : getShape(tensor))
        product = multiply(product, size);
      return product;
    };
    unite(count(reshape.getSource()), count(reshape.getResult()));
    return;
  }
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp || !linalgOp.hasPureTensorSemantics())
    return;
  // Operands along one loop have one size.
  SmallVector<std::optional<Size>> loops(linalgOp.getNumLoops());
  for (OpOperand &operand : op->getOpOperands()) {
    auto type = dyn_cast<RankedTensorType>(operand.get().getType());
    if (!type)
      continue;
    for (auto [dim, expr] : llvm::enumerate(
             linalgOp.getMatchingIndexingMap(&operand).getResults())) {
      auto loop = dyn_cast<AffineDimExpr>(expr);
      if (!loop)
        continue;
      Size size = getDim(operand.get(), dim);
      std::optional<Size> &seen = loops[loop.getPosition()];
      if (seen)
        unite(*seen, size);
      else
        seen = size;
    }
  }
}

Sizes::Sizes(Operation *root) {
  root->walk([&](Operation *op) { readFacts(op); });
}

Value Sizes::materialize(OpBuilder &builder, Location loc,
                         const Size &size) const {
  Value product;
  if (size.factor != 1 || size.isConstant())
    product = arith::ConstantIndexOp::create(builder, loc, size.factor);
  for (unsigned symbol : size.symbols) {
    const Origin &origin = origins[symbol];
    Value value = origin.value;
    if (origin.dim)
      value = tensor::DimOp::create(builder, loc, value, *origin.dim);
    else if (!value.getType().isIndex())
      value = arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                         value);
    product = product
                  ? Value(arith::MulIOp::create(builder, loc, product, value))
                  : value;
  }
  return product;
}

std::optional<SmallVector<ReshapeGroup>>
flash::raise::matchReshape(ArrayRef<Size> source, ArrayRef<Size> target) {
  SmallVector<ReshapeGroup> groups;
  unsigned i = 0, j = 0;
  while (i < source.size() && j < target.size()) {
    ReshapeGroup group{i, i, j, j};
    Size left = source[i++], right = target[j++];
    while (left != right) {
      // The one that divides the other goes on.
      bool leftIsPart = Sizes::divide(right, left).has_value();
      if (leftIsPart && i < source.size())
        left = Sizes::multiply(left, source[i++]);
      else if (!leftIsPart && Sizes::divide(left, right) && j < target.size())
        right = Sizes::multiply(right, target[j++]);
      else
        return std::nullopt;
    }
    group.sourceEnd = i;
    group.targetEnd = j;
    groups.push_back(group);
  }
  // What is left over can only be of size 1.
  Size one;
  auto isOne = [&](const Size &size) { return size == one; };
  if (groups.empty() || !llvm::all_of(source.drop_front(i), isOne) ||
      !llvm::all_of(target.drop_front(j), isOne))
    return std::nullopt;
  groups.back().sourceEnd = source.size();
  groups.back().targetEnd = target.size();
  return groups;
}
