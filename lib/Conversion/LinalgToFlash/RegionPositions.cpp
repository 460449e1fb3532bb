//===- RegionPositions.cpp - Positions within regions -----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Writes sums of the domain's dimensions over a region's (batch, head, query,
// key): of heads that are key heads and groups, say,
//
//   d1 (key head of 2 groups)     arith.divui %head, %c2
//   d3 - start (query)            arith.subi %query, %start
//
//===----------------------------------------------------------------------===//

#include "Regions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace flash;
using namespace flash::raise;

/// The dimension from the argument that it is a part of: of heads
/// (key heads, groups), say, head / groups and head % groups.
FailureOr<Value> RegionWriter::writeDim(unsigned dim, Location loc) {
  const Domain &domain = tracer.getDomain();
  auto constantIndex = [&](int64_t value) {
    return constant(loc, builder.getIndexAttr(value));
  };
  if (roles.key == dim)
    return key;
  if (roles.query == dim) {
    if (firstQuery == LinearSum())
      return query;
    FailureOr<Value> first = writeSum(firstQuery, loc);
    if (failed(first))
      return failure();
    return Value(arith::SubIOp::create(builder, loc, query, *first));
  }
  SmallVector<unsigned> heads = roles.keyHeads;
  llvm::append_range(heads, roles.groups);
  for (auto [list, whole] : {std::pair(&roles.batch, batch), {&heads, head}}) {
    auto *place = llvm::find(*list, dim);
    if (place == list->end())
      continue;
    int64_t inner = 1;
    for (unsigned other : llvm::make_range(place + 1, list->end())) {
      if (ShapedType::isDynamic(domain.getSize(other)))
        return match.miss(loc, "a score function reads a dimension whose place "
                               "in the batch or heads is dynamic");
      inner *= domain.getSize(other);
    }
    Value value = whole;
    if (inner != 1)
      value = arith::DivUIOp::create(builder, loc, value, constantIndex(inner));
    if (place != list->begin()) {
      if (ShapedType::isDynamic(domain.getSize(dim)))
        return match.miss(loc, "a score function reads a dimension whose place "
                               "in the batch or heads is dynamic");
      value = arith::RemUIOp::create(builder, loc, value,
                                     constantIndex(domain.getSize(dim)));
    }
    return value;
  }
  return match.miss(loc,
                    "a score function reads a dimension that is not batch, "
                    "head, query or key");
}

FailureOr<Value> RegionWriter::writeIndex(AffineExpr index, Location loc) {
  if (std::optional<LinearSum> sum = LinearSum::get(index))
    return writeSum(*sum, loc);
  // Parts of a dimension: of keys that are rows and columns, say.
  auto binary = dyn_cast<AffineBinaryOpExpr>(index);
  auto divisor = binary ? dyn_cast<AffineConstantExpr>(binary.getRHS())
                        : AffineConstantExpr();
  bool isSum = binary && binary.getKind() == AffineExprKind::Add;
  if (!isSum && !divisor)
    return match.miss(loc, "a score function reads at an index that is not a "
                           "sum of dimensions");
  FailureOr<Value> left = writeIndex(binary.getLHS(), loc);
  FailureOr<Value> right = writeIndex(binary.getRHS(), loc);
  if (failed(left) || failed(right))
    return failure();
  switch (binary.getKind()) {
  case AffineExprKind::Add:
    return Value(arith::AddIOp::create(builder, loc, *left, *right));
  case AffineExprKind::Mul:
    return Value(arith::MulIOp::create(builder, loc, *left, *right));
  case AffineExprKind::FloorDiv:
    return Value(arith::DivUIOp::create(builder, loc, *left, *right));
  case AffineExprKind::Mod:
    return Value(arith::RemUIOp::create(builder, loc, *left, *right));
  default:
    return match.miss(loc, "a score function reads at an index that is not a "
                           "sum of dimensions");
  }
}

/// A number of the function around, which becomes a capture.
Value RegionWriter::writeSymbol(const Symbol &symbol, Location loc) {
  captures.insert(symbol.value);
  if (symbol.dim)
    return tensor::DimOp::create(builder, loc, symbol.value, *symbol.dim);
  Value value = symbol.value;
  if (isa<RankedTensorType>(value.getType())) {
    SmallVector<Value> at = llvm::map_to_vector(symbol.at, [&](int64_t index) {
      return constant(loc, builder.getIndexAttr(index));
    });
    value = tensor::ExtractOp::create(builder, loc, value, at);
  }
  if (value.getType().isIndex())
    return value;
  return arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                    value);
}

FailureOr<Value> RegionWriter::writeSum(const LinearSum &sum, Location loc) {
  auto constantIndex = [&](int64_t value) {
    return constant(loc, builder.getIndexAttr(value));
  };
  Value total;
  auto add = [&](Value value) {
    total = total ? arith::AddIOp::create(builder, loc, total, value) : value;
  };
  auto addTerm = [&](Value value, int64_t factor) {
    if (factor == -1 && total)
      total = arith::SubIOp::create(builder, loc, total, value);
    else if (factor == 1)
      add(value);
    else
      add(arith::MulIOp::create(builder, loc, value, constantIndex(factor)));
  };
  for (const LinearSum::Term &term : sum.terms) {
    FailureOr<Value> value = writeDim(term.dim, loc);
    if (failed(value))
      return failure();
    addTerm(*value, term.factor);
  }
  for (const LinearSum::Term &term : sum.symbols)
    addTerm(writeSymbol(tracer.getDomain().getSymbol(term.dim), loc),
            term.factor);
  if (sum.constant != 0 || !total)
    add(constantIndex(sum.constant));
  return total;
}
