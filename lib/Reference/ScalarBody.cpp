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
// Steps are made once (ScalarBodyBuilder.h), and run for each element. In
// Float64 arithmetic no float is rounded; in Unfused, each is to its type.
//
//===----------------------------------------------------------------------===//

#include "ScalarBodyBuilder.h"

#include "flash/Dialect/Flash/IR/Flash.h"

using namespace mlir;
using namespace flash;
using namespace flash::reference;
using rt::DType;
using rt::Result;
using rt::Status;

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
