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

#include "ScalarBody.h"
#include "ScalarOps.h"
#include "ScalarSlopes.h"

#include "flash/Dialect/Flash/IR/Flash.h"
#include "flash/Runtime/Float16.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
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
  Builder(ScalarBody &body, bool rounds, bool slopes = false)
      : body(body), rounds(rounds), slopes(slopes) {}

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
  /// A step that finds the slopes of the results of an op on floats; false if
  /// the op has none.
  bool addSlopes(Operation *op);
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
  bool addFloat(Operation *op, ArrayRef<int64_t> in);
  bool addBitcast(arith::BitcastOp op);
  bool addAffine(Operation *op, AffineMap map, ArrayRef<int64_t> in);
  bool addIf(scf::IfOp op);
  bool addFor(scf::ForOp op);
  /// The steps of a block within, and the slots of what it yields.
  std::optional<std::vector<Step>> nested(Block &block,
                                          SmallVectorImpl<int64_t> &yielded);

  /// The first op that is not known, or whose slope is not.
  Operation *unknown = nullptr;
  bool withoutSlope = false;
  ScalarBody &body;
  bool rounds, slopes;
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

std::optional<std::vector<ScalarBody::Step>>
ScalarBody::Builder::nested(Block &block, SmallVectorImpl<int64_t> &yielded) {
  std::vector<Step> around = std::exchange(body.steps, {});
  bool known = true;
  for (Operation &op : block.without_terminator()) {
    known = add(&op) && addSlopes(&op);
    if (!known) {
      unknown = unknown ? unknown : &op;
      break;
    }
  }
  std::vector<Step> steps = std::exchange(body.steps, std::move(around));
  if (!known)
    return std::nullopt;
  for (Value value : block.getTerminator()->getOperands())
    yielded.push_back(slot(value));
  return steps;
}

/// Copies slots to others, all at once.
static void move(ScalarBody::Slot *s, ArrayRef<int64_t> from,
                 ArrayRef<int64_t> to) {
  SmallVector<ScalarBody::Slot, 4> values;
  for (int64_t slot : from)
    values.push_back(s[slot]);
  for (auto [slot, value] : llvm::zip(to, values))
    s[slot] = value;
}

bool ScalarBody::Builder::addIf(scf::IfOp op) {
  SmallVector<int64_t> results, yielded[2];
  for (Value result : op.getResults())
    results.push_back(slot(result));
  std::vector<Step> steps[2];
  for (int side : {0, 1}) {
    Region &region = side ? op.getElseRegion() : op.getThenRegion();
    if (region.empty())
      continue;
    auto inside = nested(region.front(), yielded[side]);
    if (!inside)
      return false;
    steps[side] = std::move(*inside);
  }
  int64_t condition = slot(op.getCondition());
  body.steps.push_back([=, yes = steps[0], no = steps[1], fromYes = yielded[0],
                        fromNo = yielded[1]](Slot *s) {
    bool holds = s[condition].integer != 0;
    for (const Step &step : holds ? yes : no)
      step(s);
    move(s, holds ? fromYes : fromNo, results);
  });
  return true;
}

bool ScalarBody::Builder::addFor(scf::ForOp op) {
  SmallVector<int64_t> results, arguments, inits, yielded;
  for (Value value : op.getResults())
    results.push_back(slot(value));
  for (Value value : op.getRegionIterArgs())
    arguments.push_back(slot(value));
  for (Value value : op.getInitArgs())
    inits.push_back(slot(value));
  int64_t position = slot(op.getInductionVar()),
          lower = slot(op.getLowerBound()), upper = slot(op.getUpperBound()),
          by = slot(op.getStep());
  auto inside = nested(*op.getBody(), yielded);
  if (!inside)
    return false;
  body.steps.push_back([=, steps = std::move(*inside)](Slot *s) {
    move(s, inits, arguments);
    int64_t step = std::max<int64_t>(s[by].integer, 1);
    for (int64_t i = s[lower].integer, end = s[upper].integer; i < end;
         i += step) {
      s[position].integer = i;
      for (const Step &one : steps)
        one(s);
      move(s, yielded, arguments);
    }
    move(s, arguments, results);
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

ScalarBody::Slot ScalarBody::run(const Element &e, const double *score) const {
  SmallVector<Slot, 64> slots(initial.begin(), initial.end());
  if (score) {
    slots[0].real = *score;
    slots[0].slope = 1;
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
