//===- ScalarBody.cpp - Runs score and mask regions -------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   ^bb0(%b, %h, %i, %j, %t: tensor<4xf32>):      slots 0 to 3
//     %n = tensor.extract %t[%h]                  slot 5 = t[slot 1]
//
// Integers wrap at their width. In Float64 arithmetic no float is rounded; in
// Unfused, each is to its type.
//
//===----------------------------------------------------------------------===//

#include "ScalarBody.h"
#include "ScalarOps.h"

#include "flash/Dialect/Flash/IR/Flash.h"
#include "flash/Runtime/Float16.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace flash;
using namespace flash::reference;
using rt::DType;
using rt::Result;
using rt::Status;

/// Rounds a float to its type.
static double roundTo(Type type, double x) {
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

/// Makes the steps of a body.
struct ScalarBody::Builder {
  Builder(ScalarBody &body, bool rounds) : body(body), rounds(rounds) {}

  int64_t slot(Value value) {
    auto [it, isNew] = slots.try_emplace(value, body.initial.size());
    if (isNew)
      body.initial.emplace_back();
    return it->second;
  }
  /// A step whose float result is rounded to the result's type.
  void addReal(Operation *op, std::function<double(const Slot *)> compute) {
    int64_t to = slot(op->getResult(0));
    Type type = op->getResult(0).getType();
    body.steps.push_back([=, rounds = rounds](Slot *s) {
      double value = compute(s);
      s[to].real = rounds ? roundTo(type, value) : value;
    });
  }
  void addInteger(Operation *op, std::function<int64_t(const Slot *)> compute) {
    int64_t to = slot(op->getResult(0));
    unsigned width = widthOf(op->getResult(0).getType());
    body.steps.push_back(
        [=](Slot *s) { s[to].integer = wrap(width, compute(s)); });
  }
  /// What a value from outside of the region is.
  void bind(Value value, const RuntimeValue &known);
  /// All ops of the block; an error names one that is not known.
  Status addAll(Block &block);
  bool add(Operation *op);
  bool addConversion(Operation *op);
  bool addExtract(tensor::ExtractOp op);

  ScalarBody &body;
  bool rounds;
  llvm::DenseMap<Value, int64_t> slots;
  llvm::DenseMap<Value, Tensor> tensors;
};

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
    if (!add(&op))
      return Status::error("'" + op.getName().getStringRef().str() +
                           "' is not an operation that the reference can run "
                           "in a region");
  for (Value value : block.getTerminator()->getOperands())
    body.results.push_back(slot(value));
  return Status::success();
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
  if (auto extract = dyn_cast<tensor::ExtractOp>(op))
    return addExtract(extract);
  return addConversion(op);
}

bool ScalarBody::Builder::addConversion(Operation *op) {
  if (op->getNumOperands() != 1 || op->getNumResults() != 1)
    return false;
  int64_t a = slot(op->getOperand(0));
  unsigned width = widthOf(op->getOperand(0).getType());
  if (isa<arith::IndexCastOp, arith::ExtSIOp, arith::TruncIOp>(op)) {
    // The sign of an i1 is its bit.
    addInteger(op, [=](const Slot *s) {
      return width == 1 ? -s[a].integer : s[a].integer;
    });
  } else if (isa<arith::IndexCastUIOp, arith::ExtUIOp>(op)) {
    addInteger(op, [=](const Slot *s) -> int64_t {
      return bits(width, s[a].integer);
    });
  } else if (isa<arith::SIToFPOp>(op)) {
    addReal(op, [=](const Slot *s) -> double {
      return width == 1 ? -s[a].integer : s[a].integer;
    });
  } else if (isa<arith::UIToFPOp>(op)) {
    addReal(op,
            [=](const Slot *s) -> double { return bits(width, s[a].integer); });
  } else if (isa<arith::FPToSIOp>(op)) {
    addInteger(op, [=](const Slot *s) -> int64_t {
      double x = s[a].real;
      return x >= -0x1p63 && x < 0x1p63 ? static_cast<int64_t>(x) : 0;
    });
  } else if (isa<math::AbsIOp>(op)) {
    addInteger(op, [=](const Slot *s) {
      return s[a].integer < 0 ? -s[a].integer : s[a].integer;
    });
  } else {
    return false;
  }
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

Result<std::shared_ptr<const ScalarBody>>
ScalarBody::get(Region &region, ArrayRef<RuntimeValue> captures,
                Arithmetic arithmetic) {
  auto body = std::make_shared<ScalarBody>();
  Builder builder(*body, arithmetic == Arithmetic::Unfused);
  Block &block = region.front();
  size_t first = block.getNumArguments() - captures.size();
  for (BlockArgument argument : block.getArguments()) {
    if (argument.getArgNumber() < first) {
      builder.slot(argument);
      continue;
    }
    builder.bind(argument, captures[argument.getArgNumber() - first]);
  }
  body->firstIndex = first - 4;
  if (Status status = builder.addAll(block); status.failed())
    return status;
  return std::shared_ptr<const ScalarBody>(std::move(body));
}

Result<std::shared_ptr<const ScalarBody>>
ScalarBody::getLinalg(linalg::LinalgOp op,
                      llvm::function_ref<const RuntimeValue &(Value)> around,
                      Arithmetic arithmetic) {
  auto body = std::make_shared<ScalarBody>();
  Builder builder(*body, arithmetic == Arithmetic::Unfused);
  Block &block = *op.getBlock();
  for (BlockArgument argument : block.getArguments())
    builder.slot(argument);
  body->firstIndex = body->initial.size();
  body->initial.resize(body->initial.size() + op.getNumLoops());
  for (Operation &inner : block)
    for (Value operand : inner.getOperands())
      if (operand.getParentBlock() != &block)
        builder.bind(operand, around(operand));
  if (Status status = builder.addAll(block); status.failed())
    return status;
  return std::shared_ptr<const ScalarBody>(std::move(body));
}

ScalarBody::Slot ScalarBody::run(const Element &e, const double *score) const {
  SmallVector<Slot, 64> slots(initial.begin(), initial.end());
  if (score)
    slots[0].real = *score;
  const int64_t position[] = {e.batch, e.head, e.query, e.key};
  for (auto [n, value] : llvm::enumerate(position))
    slots[firstIndex + n].integer = value;
  for (const Step &step : steps)
    step(slots.data());
  return slots[results.front()];
}

void ScalarBody::run(ArrayRef<Slot> elements, ArrayRef<int64_t> loops,
                     SmallVectorImpl<Slot> &yielded) const {
  SmallVector<Slot, 64> slots(initial.begin(), initial.end());
  llvm::copy(elements, slots.begin());
  for (auto [n, value] : llvm::enumerate(loops))
    slots[firstIndex + n].integer = value;
  for (const Step &step : steps)
    step(slots.data());
  yielded.clear();
  for (int64_t result : results)
    yielded.push_back(slots[result]);
}

ScalarBody::Slot ScalarBody::read(const rt::Array &array, int64_t index) {
  Slot slot;
  if (rt::isFloat(array.dtype()))
    slot.real = array.at(index);
  else if (array.dtype() == DType::I64)
    slot.integer = array.dataAs<int64_t>()[index];
  else
    slot.integer = static_cast<int64_t>(array.at(index));
  return slot;
}

void ScalarBody::write(rt::Array &array, int64_t index, const Slot &slot) {
  if (rt::isFloat(array.dtype()))
    array.set(index, slot.real);
  else if (array.dtype() == DType::I64)
    array.dataAs<int64_t>()[index] = slot.integer;
  else
    array.set(index, static_cast<double>(slot.integer));
}

void ScalarBody::fail(const std::string &message) const {
  std::lock_guard<std::mutex> lock(mutex);
  if (failure.empty())
    failure = message;
}

Status ScalarBody::status() const {
  std::lock_guard<std::mutex> lock(mutex);
  return failure.empty() ? Status::success() : Status::error(failure);
}
