//===- ScalarTensors.cpp - Tensors and affine maps in regions ---*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a region reads: elements of captures, of constants, and of tensors that
// it makes of numbers.
//
//===----------------------------------------------------------------------===//

#include "ScalarBuilder.h"

using namespace mlir;
using namespace flash;
using namespace flash::reference;

/// What an affine expression is, of numbers in slots.
static int64_t evaluate(AffineExpr expr, const ScalarBody::Slot *s,
                        ArrayRef<int64_t> dims, ArrayRef<int64_t> symbols) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return s[dims[dim.getPosition()]].integer;
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return s[symbols[symbol.getPosition()]].integer;
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return constant.getValue();
  auto binary = cast<AffineBinaryOpExpr>(expr);
  int64_t a = evaluate(binary.getLHS(), s, dims, symbols),
          b = evaluate(binary.getRHS(), s, dims, symbols);
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return a + b;
  case AffineExprKind::Mul:
    return a * b;
  case AffineExprKind::Mod:
    return b > 0 ? ((a % b) + b) % b : 0;
  case AffineExprKind::FloorDiv:
    return b == 0 ? 0 : a / b - (a % b != 0 && (a < 0) != (b < 0));
  default:
    return b == 0 ? 0 : a / b + (a % b != 0 && (a < 0) == (b < 0));
  }
}

ScalarBody::Builder::AffineStep
ScalarBody::Builder::affineStep(AffineMap map, ArrayRef<int64_t> in,
                                bool largest) {
  SmallVector<int64_t> dims(in.take_front(map.getNumDims())),
      symbols(in.drop_front(map.getNumDims()));
  return [=](const Slot *s) {
    int64_t value = evaluate(map.getResult(0), s, dims, symbols);
    for (AffineExpr expr : map.getResults().drop_front()) {
      int64_t other = evaluate(expr, s, dims, symbols);
      value = largest ? std::max(value, other) : std::min(value, other);
    }
    return value;
  };
}

bool ScalarBody::Builder::addAffine(Operation *op, AffineMap map,
                                    ArrayRef<int64_t> in) {
  addInteger(op, affineStep(map, in, isa<affine::AffineMaxOp>(op)));
  return true;
}

bool ScalarBody::Builder::addDense(arith::ConstantOp op) {
  auto elements = dyn_cast<DenseElementsAttr>(op.getValue());
  auto type = dyn_cast<RankedTensorType>(op.getType());
  if (!elements || !type)
    return false;
  rt::Result<rt::Array> array = toArray(elements);
  rt::Result<rt::DType> element = convertElementType(type.getElementType());
  if (array.failed() || element.failed())
    return false;
  tensors[op] = {*element, type.getShape().vec(),
                 std::make_shared<rt::Array>(std::move(*array))};
  return true;
}

bool ScalarBody::Builder::addMade(tensor::FromElementsOp op) {
  SmallVector<int64_t> &elements = made[op];
  for (Value element : op.getElements())
    elements.push_back(slot(element));
  return true;
}

bool ScalarBody::Builder::addExtract(tensor::ExtractOp op) {
  Tensor tensor;
  SmallVector<int64_t> elements;
  if (auto numbers = made.find(op.getTensor()); numbers != made.end()) {
    elements = numbers->second;
    tensor.shape =
        cast<RankedTensorType>(op.getTensor().getType()).getShape().vec();
  } else if (auto known = tensors.find(op.getTensor());
             known != tensors.end()) {
    tensor = known->second;
  } else {
    return false;
  }
  SmallVector<int64_t> in;
  for (Value index : op.getIndices())
    in.push_back(slot(index));
  int64_t to = slot(op.getResult());
  const ScalarBody *owner = &body;
  std::string what =
      isa<BlockArgument>(op.getTensor()) ? "a capture" : "a tensor";
  std::optional<int64_t> number;
  if (auto known = numbers.find(op.getTensor()); known != numbers.end())
    number = known->second;
  body.steps.push_back([=](Slot *s) {
    int64_t flat = 0;
    for (auto [dim, size] : llvm::enumerate(tensor.shape)) {
      int64_t index = s[in[dim]].integer;
      if (index < 0 || index >= size) {
        owner->fail(what + " is read at " + std::to_string(index) +
                    " of dimension " + std::to_string(dim) + ", which has " +
                    std::to_string(size));
        s[to] = {};
        return;
      }
      flat = flat * size + index;
    }
    s[to] = elements.empty() ? read(*tensor.array, flat) : s[elements[flat]];
    if (!number || !reads)
      return;
    reads->all.emplace_back(*number, flat);
    if (reads->wrt == std::pair(*number, flat))
      s[to].slope = 1;
  });
  return true;
}
