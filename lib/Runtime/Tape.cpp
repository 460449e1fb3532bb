//===- Tape.cpp - Expressions as a list of operations ---------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Half of a launch's host time was the evaluation of trees. Here a call is one
// loop over operations of 8 bytes; a division by a power of two is a shift.
//
//===----------------------------------------------------------------------===//

#include "Tape.h"

#include <algorithm>

using namespace flash::rt;

//===----------------------------------------------------------------------===//
// Building
//===----------------------------------------------------------------------===//

Slot TapeBuilder::input(const Expr &expr) {
  bool isConstant = expr.kind() == Expr::Kind::Constant;
  Key key = {static_cast<int64_t>(expr.kind()), expr.value(),
             isConstant ? 0 : expr.dimension()};
  auto [it, isNew] = inputs.try_emplace(key, static_cast<Slot>(tape.count));
  if (!isNew)
    return it->second;
  Slot slot = it->second;
  ++tape.count;
  if (isConstant) {
    tape.constants.push_back({slot, expr.value()});
    return slot;
  }
  bool ofResult = expr.kind() == Expr::Kind::ResultStride;
  size_t operand = static_cast<size_t>(expr.value());
  int rank = (ofResult ? resultRanks : ranks)[operand];
  (ofResult ? tape.resultLoads : tape.loads)
      .push_back({expr.kind(), static_cast<uint16_t>(operand),
                  static_cast<uint16_t>(expr.dimension()),
                  static_cast<uint16_t>(std::max(rank, 0)), slot});
  return slot;
}

/// The exponent of a power of two; -1 for other numbers.
static int exponentOf(int64_t value) {
  if (value <= 0 || (value & (value - 1)) != 0)
    return -1;
  return __builtin_ctzll(static_cast<uint64_t>(value));
}

Slot TapeBuilder::place(const Expr &expr) {
  switch (expr.kind()) {
  case Expr::Kind::Constant:
  case Expr::Kind::Dim:
  case Expr::Kind::Stride:
  case Expr::Kind::ResultStride:
  case Expr::Kind::Scalar:
    return input(expr);
  default:
    break;
  }
  Slot lhs = place(expr.lhs()), rhs = place(expr.rhs());
  Key key = {static_cast<int64_t>(expr.kind()), lhs, rhs};
  auto it = values.find(key);
  if (it != values.end())
    return it->second;
  Tape::Operation operation = {
      static_cast<Tape::Kind>(static_cast<int>(expr.kind()) -
                              static_cast<int>(Expr::Kind::Add)),
      0, static_cast<Slot>(tape.count++), lhs, rhs};
  if (expr.rhs().kind() == Expr::Kind::Constant) {
    int exponent = exponentOf(expr.rhs().value());
    bool isDivision = operation.kind == Tape::FloorDiv ||
                      operation.kind == Tape::CeilDiv ||
                      operation.kind == Tape::Mod;
    if (exponent >= 0 && isDivision) {
      operation.kind = operation.kind == Tape::FloorDiv  ? Tape::FloorShift
                       : operation.kind == Tape::CeilDiv ? Tape::CeilShift
                                                         : Tape::Mask;
      operation.shift = static_cast<uint8_t>(exponent);
    }
  }
  tape.operations.push_back(operation);
  tape.expressionOf.push_back(static_cast<uint16_t>(tape.expressions.size()));
  values.emplace(key, operation.result);
  return operation.result;
}

Slot TapeBuilder::add(const Expr &expr) {
  size_t before = tape.operations.size();
  Slot slot = place(expr);
  if (tape.operations.size() > before)
    tape.expressions.push_back(expr);
  return slot;
}

TapeRange TapeBuilder::cut() {
  TapeRange range = {begin, static_cast<uint32_t>(tape.operations.size())};
  begin = range.end;
  return range;
}

Result<Tape> TapeBuilder::take() {
  if (tape.count > UINT16_MAX)
    return Status::error("a launch plan has more than 65535 values");
  return std::move(tape);
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

void Tape::loadArguments(int64_t *slots, const CallArgument *arguments) const {
  for (auto [slot, value] : constants)
    slots[slot] = value;
  for (const Load &load : loads) {
    const CallArgument &argument = arguments[load.operand];
    slots[load.slot] = load.kind == Expr::Kind::Dim ? argument.dims[load.dim]
                       : load.kind == Expr::Kind::Scalar
                           ? argument.value
                           : strideOf(argument, load.rank, load.dim);
  }
}

void Tape::loadResults(int64_t *slots, const CallArgument *results,
                       const std::vector<std::vector<Slot>> &resultDims) const {
  for (const Load &load : resultLoads) {
    const CallArgument &result = results[load.operand];
    const std::vector<Slot> &dims = resultDims[load.operand];
    if (result.strides && slots[dims[load.dim]] != 1) {
      slots[load.slot] = result.strides[load.dim];
      continue;
    }
    int64_t stride = 1;
    for (size_t i = load.dim + 1u; i < dims.size(); ++i)
      stride *= slots[dims[i]];
    slots[load.slot] = stride;
  }
}

Status Tape::run(int64_t *slots, TapeRange range) const {
  for (uint32_t i = range.begin; i < range.end; ++i) {
    const Operation &operation = operations[i];
    int64_t lhs = slots[operation.lhs], rhs = slots[operation.rhs];
    int64_t &result = slots[operation.result];
    bool overflow = false;
    switch (operation.kind) {
    case Add:
      overflow = __builtin_add_overflow(lhs, rhs, &result);
      break;
    case Sub:
      overflow = __builtin_sub_overflow(lhs, rhs, &result);
      break;
    case Mul:
      overflow = __builtin_mul_overflow(lhs, rhs, &result);
      break;
    case Min:
      result = std::min(lhs, rhs);
      break;
    case Max:
      result = std::max(lhs, rhs);
      break;
    case FloorShift:
      result = lhs >> operation.shift;
      break;
    case CeilShift:
      result = (lhs >> operation.shift) + ((lhs & (rhs - 1)) != 0);
      break;
    case Mask:
      result = lhs & (rhs - 1);
      break;
    case FloorDiv:
    case CeilDiv:
    case Mod: {
      auto kind = static_cast<Expr::Kind>(static_cast<int>(Expr::Kind::Add) +
                                          operation.kind);
      if (const char *reason = Expr::apply(kind, lhs, rhs, result))
        return explain(i, reason);
      break;
    }
    }
    if (overflow)
      return explain(i, Expr::apply(static_cast<Expr::Kind>(
                                        static_cast<int>(Expr::Kind::Add) +
                                        operation.kind),
                                    lhs, rhs, result));
  }
  return Status::success();
}

Status Tape::explain(size_t operation, const char *reason) const {
  return Status::error("evaluating " +
                       expressions[expressionOf[operation]].str() + ": " +
                       reason);
}

Result<int64_t> Expr::evaluate(const std::vector<Argument> &arguments) const {
  std::vector<CallArgument> call;
  std::vector<int> ranks;
  for (const Argument &argument : arguments) {
    call.push_back(CallArgument::of(argument));
    ranks.push_back(argument.isIndex || argument.isReal
                        ? -1
                        : static_cast<int>(argument.dims.size()));
  }
  TapeBuilder builder(std::move(ranks), {});
  Slot slot = builder.add(*this);
  TapeRange range = builder.cut();
  Result<Tape> tape = builder.take();
  if (tape.failed())
    return tape.status();
  std::vector<int64_t> slots(tape->numSlots());
  tape->loadArguments(slots.data(), call.data());
  Status status = tape->run(slots.data(), range);
  if (status.failed())
    return status;
  return slots[slot];
}
