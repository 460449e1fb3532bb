//===- Domain.cpp - The dimensions of an attention --------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Index arithmetic of reshapes, on sums of dimensions whose ranges are known:
// 4 * d0 + d1 with d1 < 4, divided by 4, is d0 and d1.
//
//===----------------------------------------------------------------------===//

#include "Domain.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace flash::raise;

/// Factors of dimensions and of symbols.
using Factors = std::array<std::map<unsigned, int64_t>, 2>;

static bool addTerms(AffineExpr expr, int64_t factor, Factors &terms,
                     int64_t &constant) {
  if (auto number = dyn_cast<AffineConstantExpr>(expr)) {
    constant += factor * number.getValue();
    return true;
  }
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    terms[0][dim.getPosition()] += factor;
    return true;
  }
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr)) {
    terms[1][symbol.getPosition()] += factor;
    return true;
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return false;
  if (binary.getKind() == AffineExprKind::Add)
    return addTerms(binary.getLHS(), factor, terms, constant) &&
           addTerms(binary.getRHS(), factor, terms, constant);
  auto scale = dyn_cast<AffineConstantExpr>(binary.getRHS());
  if (binary.getKind() == AffineExprKind::Mul && scale)
    return addTerms(binary.getLHS(), factor * scale.getValue(), terms,
                    constant);
  return false;
}

static void sortTerms(LinearSum &sum) {
  using Term = LinearSum::Term;
  llvm::sort(sum.terms, [](const Term &a, const Term &b) {
    return std::pair(b.factor, a.dim) < std::pair(a.factor, b.dim);
  });
  llvm::sort(sum.symbols,
             [](const Term &a, const Term &b) { return a.dim < b.dim; });
}

std::optional<LinearSum> LinearSum::get(AffineExpr expr) {
  Factors factors;
  LinearSum sum;
  if (!addTerms(expr, 1, factors, sum.constant))
    return std::nullopt;
  for (auto [list, into] :
       {std::pair(&factors[0], &sum.terms), {&factors[1], &sum.symbols}})
    for (auto [number, factor] : *list)
      if (factor != 0)
        into->push_back({number, factor});
  sortTerms(sum);
  return sum;
}

LinearSum LinearSum::plus(const LinearSum &other, int64_t factor) const {
  LinearSum sum = *this;
  sum.constant += factor * other.constant;
  auto add = [&](SmallVectorImpl<Term> &to, ArrayRef<Term> from) {
    for (const Term &term : from) {
      auto *place = llvm::find_if(
          to, [&](const Term &mine) { return mine.dim == term.dim; });
      if (place == to.end())
        to.push_back({term.dim, factor * term.factor});
      else if ((place->factor += factor * term.factor) == 0)
        to.erase(place);
    }
  };
  add(sum.terms, other.terms);
  add(sum.symbols, other.symbols);
  sortTerms(sum);
  return sum;
}

LinearSum LinearSum::withoutDims() const {
  LinearSum sum = *this;
  sum.terms.clear();
  return sum;
}

AffineExpr LinearSum::toExpr(MLIRContext *context) const {
  AffineExpr expr = getAffineConstantExpr(constant, context);
  for (const Term &term : terms)
    expr = expr + getAffineDimExpr(term.dim, context) * term.factor;
  for (const Term &term : symbols)
    expr = expr + getAffineSymbolExpr(term.dim, context) * term.factor;
  return expr;
}

AffineExpr Domain::addSymbol(const Symbol &symbol) {
  auto *place = llvm::find_if(symbols, [&](const Symbol &other) {
    return other.value == symbol.value && other.at == symbol.at &&
           other.dim == symbol.dim;
  });
  unsigned number = place - symbols.begin();
  if (place == symbols.end())
    symbols.push_back(symbol);
  return getAffineSymbolExpr(number, context);
}

AffineExpr Domain::addLoop(int64_t size) {
  unsigned loop = numLoops++;
  AffineExpr expr = getAffineConstantExpr(0, context);
  if (size == 1)
    return expr;
  // From the outermost part to the innermost: the cuts say how far a step of
  // the part before goes.
  int64_t outer = size;
  auto addDim = [&](int64_t step) {
    int64_t part = ShapedType::isDynamic(outer) ? outer : outer / step;
    if (part != 1) {
      expr = expr + getAffineDimExpr(dims.size(), context) * step;
      dims.push_back({loop, part, step});
    }
    outer = step;
  };
  const std::set<int64_t> &cuts = splits[loop];
  for (auto cut = cuts.rbegin(); cut != cuts.rend(); ++cut)
    addDim(*cut);
  addDim(1);
  return expr;
}

/// Whether an integer is seen to be at least 0, such as an index that is
/// clamped to a tensor.
static bool isNonNegative(Value value) {
  APInt number;
  if (matchPattern(value, m_ConstantInt(&number)))
    return number.isNonNegative();
  Operation *op = value.getDefiningOp();
  if (isa_and_nonnull<tensor::DimOp>(op))
    return true;
  if (isa_and_nonnull<arith::MaxSIOp>(op))
    return llvm::any_of(op->getOperands(), isNonNegative);
  if (isa_and_nonnull<arith::SelectOp>(op))
    return llvm::all_of(op->getOperands().drop_front(), isNonNegative);
  return isa_and_nonnull<arith::MinSIOp, arith::AddIOp, arith::MulIOp,
                         arith::IndexCastOp, arith::ExtSIOp>(op) &&
         llvm::all_of(op->getOperands(), isNonNegative);
}

std::optional<int64_t> Domain::bound(const LinearSum &sum, bool upper) const {
  int64_t value = sum.constant;
  for (const LinearSum::Term &term : sum.symbols)
    // A size is not negative; of others it may be seen.
    if ((term.factor > 0) == upper ||
        (!symbols[term.dim].dim && (!symbols[term.dim].at.empty() ||
                                    !isNonNegative(symbols[term.dim].value))))
      return std::nullopt;
  for (const LinearSum::Term &term : sum.terms) {
    if ((term.factor > 0) != upper)
      continue; // its bound is at 0
    if (ShapedType::isDynamic(dims[term.dim].size))
      return std::nullopt;
    value += term.factor * (dims[term.dim].size - 1);
  }
  return value;
}

std::optional<int64_t> Domain::lowerBound(const LinearSum &sum) const {
  return bound(sum, /*upper=*/false);
}

std::optional<int64_t> Domain::upperBound(const LinearSum &sum) const {
  return bound(sum, /*upper=*/true);
}

/// Whether an index is of dimensions alone that are not to be split.
bool Domain::isOfWhole(AffineExpr index) const {
  bool isOfWhole = true, any = false;
  index.walk([&](AffineExpr part) {
    isOfWhole &= !isa<AffineSymbolExpr>(part);
    if (auto dim = dyn_cast<AffineDimExpr>(part)) {
      any = true;
      isOfWhole &= whole.count(dim.getPosition()) != 0;
    }
  });
  return any && isOfWhole;
}

std::optional<std::pair<AffineExpr, AffineExpr>>
Domain::divide(AffineExpr index, int64_t divisor) {
  if (isOfWhole(index))
    return std::pair(index.floorDiv(divisor), index % divisor);
  std::optional<LinearSum> sum = LinearSum::get(index);
  if (!sum || sum->constant != 0 || !sum->symbols.empty())
    return std::nullopt;
  LinearSum quotient, remainder;
  for (LinearSum::Term term : sum->terms) {
    if (term.factor < 0)
      return std::nullopt;
    if (term.factor % divisor == 0) {
      quotient.terms.push_back({term.dim, term.factor / divisor});
      continue;
    }
    const Dim &dim = dims[term.dim];
    bool fits = !ShapedType::isDynamic(dim.size) &&
                term.factor * (dim.size - 1) < divisor;
    if (!fits) {
      // The dimension straddles the boundary: cut it there.
      if (divisor % term.factor != 0 || whole.count(term.dim))
        return std::nullopt;
      int64_t inner = divisor / term.factor;
      if (!ShapedType::isDynamic(dim.size) && dim.size % inner != 0)
        return std::nullopt;
      splits[dim.loop].insert(dim.step * inner);
      restart = true;
      return std::nullopt;
    }
    remainder.terms.push_back(term);
  }
  std::optional<int64_t> largest = upperBound(remainder);
  if (!largest || *largest >= divisor)
    return std::nullopt;
  return std::pair(quotient.toExpr(context), remainder.toExpr(context));
}

std::optional<AffineExpr> Domain::linearize(ArrayRef<AffineExpr> indices,
                                            ArrayRef<int64_t> sizes) const {
  AffineExpr index = getAffineConstantExpr(0, context);
  for (auto [expr, size] : llvm::zip(indices, sizes)) {
    if (size == 1)
      continue;
    if (index == getAffineConstantExpr(0, context)) {
      // Nothing but units, or index 0, stands before.
      index = expr;
      continue;
    }
    if (ShapedType::isDynamic(size))
      return std::nullopt;
    // x floordiv n and x mod n make x.
    auto rest = dyn_cast<AffineBinaryOpExpr>(expr);
    if (rest && rest.getKind() == AffineExprKind::Mod &&
        rest.getRHS() == getAffineConstantExpr(size, context) &&
        rest.getLHS().floorDiv(size) == index)
      index = rest.getLHS();
    else
      index = index * size + expr;
  }
  return index;
}

std::optional<SmallVector<AffineExpr>>
Domain::delinearize(AffineExpr index, ArrayRef<int64_t> sizes) {
  SmallVector<AffineExpr> indices(sizes.size(),
                                  getAffineConstantExpr(0, context));
  // The outermost size that is not 1 takes what is left.
  auto outermost = llvm::find_if(sizes, [](int64_t s) { return s != 1; });
  if (outermost == sizes.end())
    return indices;
  for (int64_t i = int64_t(sizes.size()) - 1; i > outermost - sizes.begin();
       --i) {
    if (sizes[i] == 1)
      continue;
    if (ShapedType::isDynamic(sizes[i]))
      return std::nullopt;
    auto parts = divide(index, sizes[i]);
    if (!parts)
      return std::nullopt;
    index = parts->first;
    indices[i] = parts->second;
  }
  indices[outermost - sizes.begin()] = index;
  return indices;
}
