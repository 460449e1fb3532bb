//===- RowTerms.cpp - What is subtracted from a row of scores -------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Takes exponents apart.
//
//===----------------------------------------------------------------------===//

#include "RowTerms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace flash::raise;

bool flash::raise::dependsOn(ArrayRef<AffineExpr> at, AffineExpr key) {
  bool depends = false;
  key.walk([&](AffineExpr part) {
    if (auto dim = dyn_cast<AffineDimExpr>(part))
      depends |= llvm::any_of(at, [&](AffineExpr index) {
        return index.isFunctionOfDim(dim.getPosition());
      });
  });
  return depends;
}

/// Whether a scalar is the same for all keys.
bool flash::raise::isOfRow(Tracer &tracer, Scalar scalar, AffineExpr key) {
  scalar = tracer.trace(scalar);
  if (scalar.isElement())
    return !dependsOn(scalar.at, key);
  Operation *def = scalar.getDefiningOp();
  if (!def || !isa_and_nonnull<linalg::LinalgOp>(def->getParentOp()))
    return true;
  return def->getNumRegions() == 0 && !isa<linalg::IndexOp>(def) &&
         llvm::all_of(def->getOperands(), [&](Value operand) {
           return isOfRow(tracer, {operand, scalar.at}, key);
         });
}

/// The terms of a sum.
void flash::raise::addTerms(Tracer &tracer, Scalar scalar,
                            SmallVectorImpl<Scalar> &terms) {
  scalar = tracer.traceCasts(scalar);
  if (!scalar.getOp<arith::AddFOp>()) {
    terms.push_back(scalar);
    return;
  }
  addTerms(tracer, tracer.operand(scalar, 0), terms);
  addTerms(tracer, tracer.operand(scalar, 1), terms);
}

/// (s - m) - log(l), s - (log(l) + m), s + -(log(l) + m)
Exponent flash::raise::getExponent(Tracer &tracer, Scalar argument,
                                   AffineExpr key) {
  Exponent exponent;
  while (true) {
    argument = tracer.traceCasts(argument);
    bool isSub = bool(argument.getOp<arith::SubFOp>());
    if (!isSub && !argument.getOp<arith::AddFOp>())
      break;
    Scalar term = tracer.traceCasts(tracer.operand(argument, 1));
    if (!isSub) {
      if (!term.getOp<arith::NegFOp>())
        break;
      term = tracer.operand(term, 0);
    }
    if (!isOfRow(tracer, term, key))
      break;
    addTerms(tracer, term, exponent.less);
    argument = tracer.operand(argument, 0);
  }
  exponent.scores = argument;
  return exponent;
}

/// Reads a term of the row to its ends, reductions over the keys among it.
void flash::raise::readAll(Tracer &tracer, Scalar scalar, AffineExpr key,
                           std::optional<int64_t> size) {
  scalar = tracer.trace(scalar);
  if (scalar.isElement()) {
    if (auto reduction = tracer.matchReduction(scalar, key, size))
      readAll(tracer, reduction->operand, key, size);
    return;
  }
  Operation *def = scalar.getDefiningOp();
  if (!def || !isa_and_nonnull<linalg::LinalgOp>(def->getParentOp()))
    return;
  for (Value operand : def->getOperands())
    readAll(tracer, {operand, scalar.at}, key, size);
}

bool flash::raise::areSame(Tracer &tracer, ArrayRef<Scalar> a,
                           ArrayRef<Scalar> b) {
  SmallVector<Scalar> rest(a);
  for (const Scalar &term : b) {
    auto *place = llvm::find_if(
        rest, [&](const Scalar &other) { return tracer.same(other, term); });
    if (place == rest.end())
      return false;
    rest.erase(place);
  }
  return rest.empty();
}

std::optional<Scalar> flash::raise::findLogOfSum(Tracer &tracer,
                                                 const Exponent &exponent,
                                                 AffineExpr key,
                                                 std::optional<int64_t> size) {
  for (auto [i, term] : llvm::enumerate(exponent.less)) {
    if (!term.getOp<math::LogOp>())
      continue;
    Scalar sum = tracer.traceCasts(tracer.operand(term, 0));
    if (sum.getOp<math::AbsFOp>())
      sum = tracer.traceCasts(tracer.operand(sum, 0));
    auto reduction = tracer.matchReduction(sum, key, size);
    if (!reduction || !isa<arith::AddFOp>(reduction->combiner) ||
        tracer.getNumber(reduction->init) != 0.0)
      continue;
    Scalar exponential = tracer.traceCasts(reduction->operand);
    if (!exponential.getOp<math::ExpOp>())
      continue;
    Exponent inner = getExponent(tracer, tracer.operand(exponential, 0), key);
    SmallVector<Scalar> rest(exponent.less);
    rest.erase(rest.begin() + i);
    if (areSame(tracer, rest, inner.less) &&
        tracer.same(inner.scores, exponent.scores))
      return sum;
    return std::nullopt;
  }
  return std::nullopt;
}
