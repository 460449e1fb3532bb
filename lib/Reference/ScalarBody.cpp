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
// A branch or a loop is one step that has others. Integers wrap at their width.
// In Float64 arithmetic no float is rounded; in Unfused, each is to its type.
//
//===----------------------------------------------------------------------===//

#include "ScalarBuilder.h"
#include "ScalarSlopes.h"

#include "flash/Dialect/Flash/IR/Flash.h"
#include "flash/Runtime/Float16.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace flash;
using namespace flash::reference;
using rt::DType;
using rt::Result;
using rt::Status;

double reference::roundTo(Type type, double x) {
  if (type.isF32())
    return static_cast<float>(x);
  if (type.isF16())
    return rt::f16ToFloat(rt::floatToF16(static_cast<float>(x)));
  if (type.isBF16())
    return rt::bf16ToFloat(rt::floatToBf16(static_cast<float>(x)));
  if (isa<Float8E4M3FNType, Float8E5M2Type>(type)) {
    APFloat value(x);
    bool loses;
    value.convert(cast<FloatType>(type).getFloatSemantics(),
                  APFloat::rmNearestTiesToEven, &loses);
    return value.convertToDouble();
  }
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
  if (!slopes || isa<arith::SelectOp>(op) || isControl(op) ||
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
      return addDense(constant);
    return true;
  }
  if (isControl(op))
    return addControl(op);
  SmallVector<int64_t> in;
  for (Value operand : op->getOperands())
    in.push_back(isa<TensorType>(operand.getType()) ? -1 : slot(operand));
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
      .Case([&](tensor::FromElementsOp made) { return addMade(made); })
      .Case<arith::AddUIExtendedOp, arith::MulSIExtendedOp,
            arith::MulUIExtendedOp>([&](auto) { return addWide(op, in); })
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
    body.steps.push_back([=, a = in[0], type = both.getSin().getType(),
                          rounds = rounds](Slot *s) {
      double x = s[a].real;
      s[sin].real = rounds ? roundTo(type, std::sin(x)) : std::sin(x);
      s[cos].real = rounds ? roundTo(type, std::cos(x)) : std::cos(x);
    });
    return true;
  }
  return false;
}

/// Sums and products of integers with what does not fit: a carry, or as many
/// bits again.
bool ScalarBody::Builder::addWide(Operation *op, ArrayRef<int64_t> in) {
  unsigned width = widthOf(op->getOperand(0).getType());
  if (width > 64)
    return false;
  bool isSum = isa<arith::AddUIExtendedOp>(op),
       isSigned = isa<arith::MulSIExtendedOp>(op);
  int64_t low = slot(op->getResult(0)), high = slot(op->getResult(1));
  body.steps.push_back([=, a = in[0], b = in[1]](Slot *s) {
    auto wide = [&](int64_t value) {
      APInt number(width, bits(width, value));
      return isSigned ? number.sext(2 * width) : number.zext(2 * width);
    };
    APInt x = wide(s[a].integer), y = wide(s[b].integer);
    APInt all = isSum ? x + y : x * y;
    s[low].integer = wrap(width, all.trunc(width).getZExtValue());
    uint64_t rest = all.lshr(width).trunc(width).getZExtValue();
    s[high].integer = isSum ? int64_t(rest & 1) : wrap(width, rest);
  });
  return true;
}

/// The same bits as another type of as many.
bool ScalarBody::Builder::addBitcast(arith::BitcastOp op) {
  Type from = op.getIn().getType(), to = op.getType();
  if (!from.isIntOrFloat() || !to.isIntOrFloat())
    return false;
  int64_t a = slot(op.getIn()), result = slot(op.getResult());
  auto floatFrom = dyn_cast<FloatType>(from), floatTo = dyn_cast<FloatType>(to);
  unsigned width = from.getIntOrFloatBitWidth();
  body.steps.push_back([=](Slot *s) {
    APInt raw(width, floatFrom ? 0 : bits(width, s[a].integer));
    if (floatFrom) {
      APFloat value(s[a].real);
      bool loses;
      value.convert(floatFrom.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                    &loses);
      raw = value.bitcastToAPInt();
    }
    if (floatTo)
      s[result].real =
          APFloat(floatTo.getFloatSemantics(), raw).convertToDouble();
    else
      s[result].integer = wrap(width, raw.getZExtValue());
  });
  return true;
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
  } else if (isa<arith::FPToUIOp>(op)) {
    addInteger(op, [=](const Slot *s) -> int64_t {
      double x = s[a].real;
      return x > -1 && x < 0x1p64 ? static_cast<int64_t>(uint64_t(x)) : 0;
    });
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

Result<std::shared_ptr<const ScalarBody>>
ScalarBody::get(Region &region, ArrayRef<RuntimeValue> captures,
                Arithmetic arithmetic, bool slopes) {
  auto body = std::make_shared<ScalarBody>();
  Builder builder(*body, arithmetic == Arithmetic::Unfused, slopes);
  Block &block = region.front();
  size_t first = block.getNumArguments() - captures.size();
  for (BlockArgument argument : block.getArguments()) {
    if (argument.getArgNumber() < first) {
      builder.slot(argument);
      continue;
    }
    builder.bind(argument, captures[argument.getArgNumber() - first]);
    builder.numbers[argument] = argument.getArgNumber() - first;
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
  op->walk([&](Operation *inner) {
    if (inner == op)
      return;
    for (Value operand : inner->getOperands())
      if (!op->getRegion(0).isAncestor(operand.getParentRegion()))
        builder.bind(operand, around(operand));
  });
  if (Status status = builder.addAll(block); status.failed())
    return status;
  return std::shared_ptr<const ScalarBody>(std::move(body));
}

std::shared_ptr<const ScalarBody> ScalarBody::getOp(Operation *op,
                                                    Arithmetic arithmetic) {
  auto body = std::make_shared<ScalarBody>();
  Builder builder(*body, arithmetic == Arithmetic::Unfused);
  for (Value operand : op->getOperands())
    builder.slot(operand);
  // An operand may stand twice.
  body->firstIndex = body->initial.size();
  if (!builder.add(op))
    return nullptr;
  for (Value result : op->getResults())
    body->results.push_back(builder.slot(result));
  return body;
}

thread_local ScalarBody::Reads *ScalarBody::reads = nullptr;

std::vector<ReadSlope> ScalarBody::readSlopes(double score,
                                              const Element &element) const {
  Reads noted;
  reads = &noted;
  (void)run(element, &score, /*byScore=*/false);
  llvm::sort(noted.all);
  noted.all.erase(llvm::unique(noted.all), noted.all.end());
  // A run for each: dual numbers have one slope.
  std::vector<ReadSlope> slopes;
  for (auto [tensor, flat] : noted.all) {
    Reads one;
    one.wrt = {tensor, flat};
    reads = &one;
    slopes.push_back(
        {tensor, flat, run(element, &score, /*byScore=*/false).slope});
  }
  reads = nullptr;
  return slopes;
}

ScalarBody::Slot ScalarBody::run(const Element &e, const double *score,
                                 bool byScore) const {
  SmallVector<Slot, 64> slots(initial.begin(), initial.end());
  if (score) {
    slots[0].real = *score;
    slots[0].slope = byScore;
  }
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
