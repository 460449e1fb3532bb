//===- ScalarBodyBuilder.cpp - Arithmetic of a region, as steps -----------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %x = arith.addf %a, %b   ->   slot x = slot a + slot b, rounded
//
// With slopes, a second step finds the derivative of each result.
//
//===----------------------------------------------------------------------===//

#include "ScalarBodyBuilder.h"
#include "ScalarSlopes.h"

#include "flash/Dialect/Flash/IR/Flash.h"
#include "flash/Runtime/Float16.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace flash;
using namespace flash::reference;
using rt::Status;

double flash::reference::roundTo(Type type, double x) {
  if (type.isF32())
    return static_cast<float>(x);
  if (type.isF16())
    return rt::f16ToFloat(rt::floatToF16(static_cast<float>(x)));
  if (type.isBF16())
    return rt::bf16ToFloat(rt::floatToBf16(static_cast<float>(x)));
  return x;
}

static bool compareReals(arith::CmpFPredicate predicate, double a, double b) {
  APFloat x(a), y(b);
  return arith::applyCmpPredicate(predicate, x, y);
}

void ScalarBody::Builder::bind(Value value, const RuntimeValue &known) {
  if (auto *tensor = std::get_if<Tensor>(&known))
    tensors[value] = *tensor;
  else if (auto *real = std::get_if<double>(&known))
    body.initial[slot(value)].real = *real;
  else
    body.initial[slot(value)].integer = std::get<int64_t>(known);
}

Status ScalarBody::Builder::addAll(Block &block) {
  for (Operation &op : block.without_terminator())
    if (!add(&op) || !addSlopes(&op))
      return Status::error(
          "'" + (unknown ? unknown : &op)->getName().getStringRef().str() +
          (withoutSlope ? "' has no slope that the reference knows"
                        : "' is not an operation that the reference can run "
                          "in a region"));
  for (Value value : block.getTerminator()->getOperands())
    body.results.push_back(slot(value));
  return Status::success();
}

bool ScalarBody::Builder::addSlopes(Operation *op) {
  auto isFloat = [](Value value) { return isa<FloatType>(value.getType()); };
  // What is copied has its slope with it, and of integers there are none.
  if (!slopes || isa<arith::SelectOp, scf::IfOp, scf::ForOp>(op) ||
      llvm::none_of(op->getOperands(), isFloat) ||
      llvm::none_of(op->getResults(), isFloat))
    return true;
  SmallVector<int64_t> in;
  for (Value operand : op->getOperands())
    in.push_back(slot(operand));
  for (OpResult result : op->getResults()) {
    SlopeFunction function = slopeFunction(result);
    if (!function) {
      unknown = op;
      withoutSlope = true;
      return false;
    }
    body.steps.push_back([=, type = result.getType(), to = slot(result),
                          rounds = rounds](Slot *s) {
      SlopeInput x;
      for (auto [n, from] : llvm::enumerate(in)) {
        x.value[n] = s[from].real;
        x.slope[n] = s[from].slope;
        x.integer[n] = s[from].integer;
      }
      double slope = function(x, s[to].real);
      s[to].slope = rounds ? roundTo(type, slope) : slope;
    });
  }
  return true;
}

bool ScalarBody::Builder::add(Operation *op) {
  if (auto index = dyn_cast<linalg::IndexOp>(op)) {
    slots[index.getResult()] = body.firstIndex + int64_t(index.getDim());
    return true;
  }
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    Slot &value = body.initial[slot(constant)];
    if (auto integer = dyn_cast<IntegerAttr>(constant.getValue()))
      value.integer =
          wrap(widthOf(integer.getType()), integer.getValue().getZExtValue());
    else if (auto real = dyn_cast<FloatAttr>(constant.getValue()))
      value.real = real.getValueAsDouble();
    else
      return false;
    return true;
  }
  SmallVector<int64_t> in;
  for (Value operand : op->getOperands())
    in.push_back(tensors.contains(operand) ? -1 : slot(operand));
  if (IntegerFunction function = integerFunction(op)) {
    unsigned width = widthOf(op->getOperand(0).getType());
    addInteger(op, [=, a = in[0], b = in[1]](const Slot *s) {
      return function(s[a].integer, s[b].integer, width);
    });
    return true;
  }
  if (RealFunction function = realFunction(op)) {
    addReal(op, [=, a = in[0], b = in[1]](const Slot *s) {
      return function(s[a].real, s[b].real);
    });
    return true;
  }
  if (Unary function = unaryFunction(op)) {
    addReal(op, [=, a = in[0]](const Slot *s) { return function(s[a].real); });
    return true;
  }
  if (addFloat(op, in))
    return true;
  if (auto fma = dyn_cast<math::FmaOp>(op)) {
    addReal(op, [=, a = in[0], b = in[1], c = in[2]](const Slot *s) {
      return std::fma(s[a].real, s[b].real, s[c].real);
    });
    return true;
  }
  if (auto compare = dyn_cast<arith::CmpIOp>(op)) {
    unsigned width = widthOf(compare.getLhs().getType());
    auto predicate = compare.getPredicate();
    addInteger(op, [=, a = in[0], b = in[1]](const Slot *s) -> int64_t {
      APInt x(width, bits(width, s[a].integer)),
          y(width, bits(width, s[b].integer));
      return arith::applyCmpPredicate(predicate, x, y);
    });
    return true;
  }
  if (auto compare = dyn_cast<arith::CmpFOp>(op)) {
    auto predicate = compare.getPredicate();
    addInteger(op, [=, a = in[0], b = in[1]](const Slot *s) -> int64_t {
      return compareReals(predicate, s[a].real, s[b].real);
    });
    return true;
  }
  if (isa<arith::SelectOp>(op)) {
    int64_t to = slot(op->getResult(0));
    body.steps.push_back([=, c = in[0], a = in[1], b = in[2]](Slot *s) {
      s[to] = s[c].integer ? s[a] : s[b];
    });
    return true;
  }
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case([&](tensor::ExtractOp extract) { return addExtract(extract); })
      .Case([&](scf::IfOp branch) { return addIf(branch); })
      .Case([&](scf::ForOp loop) { return addFor(loop); })
      .Case([&](arith::BitcastOp cast) { return addBitcast(cast); })
      .Case<affine::AffineApplyOp, affine::AffineMinOp, affine::AffineMaxOp>(
          [&](auto affine) { return addAffine(op, affine.getMap(), in); })
      .Case([&](tensor::DimOp dim) {
        auto known = tensors.find(dim.getSource());
        if (known == tensors.end())
          return false;
        std::vector<int64_t> shape = known->second.shape;
        addInteger(op, [=, a = in[1]](const Slot *s) -> int64_t {
          int64_t n = s[a].integer;
          return n >= 0 && n < int64_t(shape.size()) ? shape[n] : 0;
        });
        return true;
      })
      .Default([&](Operation *) { return addConversion(op); });
}

/// Functions of floats that are not of one or two floats alone.
bool ScalarBody::Builder::addFloat(Operation *op, ArrayRef<int64_t> in) {
  if (Question question = questionFunction(op)) {
    addInteger(op, [=, a = in[0]](const Slot *s) -> int64_t {
      return question(s[a].real);
    });
    return true;
  }
  if (BitFunction function = bitFunction(op)) {
    unsigned width = widthOf(op->getOperand(0).getType());
    addInteger(op, [=, a = in[0]](const Slot *s) {
      return function(bits(width, s[a].integer), width);
    });
    return true;
  }
  if (isa<math::ClampFOp>(op)) {
    addReal(op, [=, x = in[0], low = in[1], high = in[2]](const Slot *s) {
      return std::isnan(s[x].real)
                 ? s[x].real
                 : std::min(std::max(s[x].real, s[low].real), s[high].real);
    });
    return true;
  }
  if (isa<math::FPowIOp>(op)) {
    addReal(op, [=, a = in[0], n = in[1]](const Slot *s) {
      return std::pow(s[a].real, static_cast<double>(s[n].integer));
    });
    return true;
  }
  if (auto both = dyn_cast<math::SincosOp>(op)) {
    int64_t sin = slot(both.getSin()), cos = slot(both.getCos());
    body.steps.push_back([=, a = in[0]](Slot *s) {
      double x = s[a].real;
      s[sin].real = std::sin(x), s[cos].real = std::cos(x);
    });
    return true;
  }
  return false;
}

/// The same bits as another type of as many.
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

bool ScalarBody::Builder::addAffine(Operation *op, AffineMap map,
                                    ArrayRef<int64_t> in) {
  SmallVector<int64_t> dims(in.take_front(map.getNumDims())),
      symbols(in.drop_front(map.getNumDims()));
  bool largest = isa<affine::AffineMaxOp>(op);
  addInteger(op, [=](const Slot *s) {
    int64_t value = evaluate(map.getResult(0), s, dims, symbols);
    for (AffineExpr expr : map.getResults().drop_front()) {
      int64_t other = evaluate(expr, s, dims, symbols);
      value = largest ? std::max(value, other) : std::min(value, other);
    }
    return value;
  });
  return true;
}

bool ScalarBody::Builder::addExtract(tensor::ExtractOp op) {
  auto known = tensors.find(op.getTensor());
  if (known == tensors.end())
    return false;
  Tensor tensor = known->second;
  SmallVector<int64_t> in;
  for (Value index : op.getIndices())
    in.push_back(slot(index));
  int64_t to = slot(op.getResult());
  const ScalarBody *owner = &body;
  body.steps.push_back([=](Slot *s) {
    int64_t flat = 0;
    for (auto [dim, size] : llvm::enumerate(tensor.shape)) {
      int64_t index = s[in[dim]].integer;
      if (index < 0 || index >= size) {
        owner->fail("a capture is read at " + std::to_string(index) +
                    " of dimension " + std::to_string(dim) + ", which has " +
                    std::to_string(size));
        s[to] = {};
        return;
      }
      flat = flat * size + index;
    }
    s[to] = read(*tensor.array, flat);
  });
  return true;
}
