//===- VisibleRows.cpp - Whether each query sees a key ----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A finite number in a mask is -inf only if no query is hidden as a whole, for
// such a query averages the values. That is known of a window of positions by
// its bounds, and of other masks if each query sees itself:
//
//   i - j >= 0 and segment[b, i] == segment[b, j], at j = i: both hold
//
// What only run time knows, such as where a chunk begins, is asserted.
//
//===----------------------------------------------------------------------===//

#include "VisibleRows.h"

#include "Conditions.h"

using namespace mlir;
using namespace flash::raise;

static std::optional<LinearSum> getCount(Tracer &tracer, const Operand &operand,
                                         unsigned dim) {
  Domain &domain = tracer.getDomain();
  int64_t size = domain.getSize(dim);
  if (!ShapedType::isDynamic(size))
    return LinearSum(size);
  for (auto [place, index] : llvm::enumerate(operand.element.at)) {
    auto only = dyn_cast<AffineDimExpr>(index);
    if (!only || only.getPosition() != dim)
      continue;
    Sizes &sizes = tracer.getSizes();
    Size whole = sizes.getDim(operand.element.value, place);
    if (whole.isConstant())
      return LinearSum(whole.factor);
    if (whole.symbols.size() != 1)
      return std::nullopt;
    Sizes::Origin origin = sizes.getOrigin(whole.symbols.front());
    return LinearSum::get(domain.addSymbol({origin.value, {}, origin.dim}) *
                          whole.factor);
  }
  return std::nullopt;
}

std::optional<LinearSum>
flash::raise::getNumQueries(Tracer &tracer, const Attention &attention) {
  if (!attention.roles.query)
    return LinearSum(1);
  return getCount(tracer, attention.query, *attention.roles.query);
}

std::optional<LinearSum> flash::raise::getNumKeys(Tracer &tracer,
                                                  const Attention &attention) {
  return getCount(tracer, attention.key, *attention.roles.key);
}

namespace {
/// Sums that have to be at least 0, where that is not certain.
class Conditions {
public:
  explicit Conditions(Domain &domain) : domain(domain) {}

  /// Fails where it does not hold, or depends on a dimension.
  LogicalResult add(const LinearSum &sum) {
    auto lowest = domain.lowerBound(sum), highest = domain.upperBound(sum);
    if (lowest && *lowest >= 0)
      return success();
    if (!sum.terms.empty() || (highest && *highest < 0))
      return failure();
    if (!llvm::is_contained(sums, sum))
      sums.push_back(sum);
    return success();
  }
  SmallVector<LinearSum> take() { return std::move(sums); }

private:
  Domain &domain;
  SmallVector<LinearSum> sums;
};
} // namespace

/// Each query i sees a key from i - left to i + right.
static LogicalResult addWindow(Tracer &tracer, const Attention &attention,
                               Conditions &conditions) {
  const Window &window = attention.window;
  if (window.right && failed(conditions.add(*window.right)))
    return failure(); // query 0
  if (!window.left)
    return success();
  auto queries = getNumQueries(tracer, attention),
       keys = getNumKeys(tracer, attention);
  return success(
      queries && keys &&
      succeeded(conditions.add(window.left->plus(*keys).plus(*queries, -1))));
}

/// Each query sees the key at its own place.
static LogicalResult addSelf(Tracer &tracer, const Attention &attention,
                             ArrayRef<Mask> masks, Conditions &conditions) {
  Domain &domain = tracer.getDomain();
  auto queries = getNumQueries(tracer, attention),
       keys = getNumKeys(tracer, attention);
  if (!attention.roles.query || !queries || !keys)
    return failure();
  auto more = domain.lowerBound(keys->plus(*queries, -1));
  if (!more || *more < 0)
    return failure();
  SmallVector<AffineExpr> dims;
  for (unsigned dim = 0; dim < domain.getNumDims(); ++dim)
    dims.push_back(getAffineDimExpr(
        dim == *attention.roles.key ? *attention.roles.query : dim,
        domain.getContext()));
  auto atSelf = [&](AffineExpr index) { return index.replaceDims(dims); };
  auto holds = [&](const Literal &literal) {
    if (literal.sum) {
      auto sum =
          LinearSum::get(atSelf(literal.sum->toExpr(domain.getContext())));
      auto lowest = sum ? domain.lowerBound(*sum) : std::nullopt;
      return lowest && *lowest >= 0;
    }
    Scalar self{literal.condition.value,
                llvm::map_to_vector(literal.condition.at, atSelf)};
    return isAlways(getClauses(tracer, self, literal.wanted));
  };
  for (const Mask &mask : masks)
    for (const Clause &clause : mask.visible) {
      if (llvm::any_of(clause, holds))
        continue;
      if (clause.size() != 1 || !clause.front().sum)
        return failure();
      auto sum = LinearSum::get(
          atSelf(clause.front().sum->toExpr(domain.getContext())));
      if (!sum || failed(conditions.add(*sum)))
        return failure();
    }
  return success();
}

std::optional<SmallVector<LinearSum>>
flash::raise::whenEachQuerySees(Tracer &tracer, const Attention &attention,
                                ArrayRef<Mask> masks, const Clauses &others) {
  Conditions conditions(tracer.getDomain());
  LogicalResult result = others.empty()
                             ? addWindow(tracer, attention, conditions)
                             : addSelf(tracer, attention, masks, conditions);
  if (failed(result))
    return std::nullopt;
  return conditions.take();
}
