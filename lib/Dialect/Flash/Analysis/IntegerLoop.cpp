//===- IntegerLoop.cpp - A loop over integers, run fast -------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A mask that sums up its data reads them in a loop, which a report runs for
// each block. The body's values get numbered places, operations are looked at
// once, and an iteration is a walk through an array.
//
//   scf.for %i = 0 to %n iter_args(%least = %c) {     %i 0   %least 1   %n 2
//     %id = tensor.extract %ids[%b, %i]               3 = ids[4, 0]
//     %next = arith.minsi %least, %id                 5 = minsi 1, 3
//   }                                                 1 = 5
//
//===----------------------------------------------------------------------===//

#include "IntegerLoop.h"

#include "IntegerOps.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace flash;

namespace {
/// An operation whose operands and result have places.
struct Step {
  Operation *op;
  SmallVector<unsigned, 4> operands;
  unsigned result;
  /// Of a read.
  const KnownValue *tensor = nullptr;
};

class IntegerLoop {
public:
  IntegerLoop(scf::ForOp loop, const IndexInterpreter &known)
      : loop(loop), known(known) {}

  LogicalResult prepare();
  std::optional<SmallVector<int64_t>> run(int64_t from, int64_t to,
                                          int64_t step);

private:
  unsigned add(Value value, int64_t number) {
    places[value] = numbers.size();
    numbers.push_back(number);
    return numbers.size() - 1;
  }
  std::optional<unsigned> find(Value value);
  LogicalResult addStep(Operation &op);
  std::optional<int64_t> read(const Step &step) const;

  scf::ForOp loop;
  const IndexInterpreter &known;
  DenseMap<Value, unsigned> places;
  SmallVector<int64_t> numbers;
  SmallVector<Step> steps;
  SmallVector<unsigned> arguments, yielded;
};
} // namespace

/// The place of a value: of one from around the loop, with what is known of it.
std::optional<unsigned> IntegerLoop::find(Value value) {
  auto it = places.find(value);
  if (it != places.end())
    return it->second;
  std::optional<int64_t> number = known.number(value);
  if (!number || loop->isAncestor(value.getParentBlock()->getParentOp()))
    return std::nullopt;
  return add(value, *number);
}

LogicalResult IntegerLoop::addStep(Operation &op) {
  if (op.getNumResults() != 1 || op.getNumRegions() != 0)
    return failure();
  Step step{&op, {}, 0};
  ValueRange operands = op.getOperands();
  if (isa<tensor::ExtractOp>(op)) {
    step.tensor = known.find(operands.front());
    if (!step.tensor || !step.tensor->elements)
      return failure();
    operands = operands.drop_front();
  }
  for (Value operand : operands) {
    std::optional<unsigned> place = find(operand);
    if (!place)
      return failure();
    step.operands.push_back(*place);
  }
  step.result = add(op.getResult(0), 0);
  // Whether an operation is one of those does not depend on its operands.
  SmallVector<int64_t> zeros(step.operands.size(), 0);
  if (!step.tensor && !evaluateInteger(&op, zeros))
    return failure();
  steps.push_back(std::move(step));
  return success();
}

LogicalResult IntegerLoop::prepare() {
  add(loop.getInductionVar(), 0);
  for (auto [init, argument] :
       llvm::zip(loop.getInits(), loop.getRegionIterArgs())) {
    std::optional<int64_t> number = known.number(init);
    if (!number)
      return failure();
    arguments.push_back(add(argument, *number));
  }
  for (Operation &op : loop.getBody()->without_terminator())
    if (failed(addStep(op)))
      return failure();
  for (Value value : loop.getBody()->getTerminator()->getOperands()) {
    std::optional<unsigned> place = find(value);
    if (!place)
      return failure();
    yielded.push_back(*place);
  }
  return success();
}

std::optional<int64_t> IntegerLoop::read(const Step &step) const {
  int64_t position = 0;
  for (auto [size, place] : llvm::zip(step.tensor->shape, step.operands)) {
    int64_t index = numbers[place];
    if (index < 0 || index >= size)
      return std::nullopt;
    position = position * size + index;
  }
  return (*step.tensor->elements)[position];
}

std::optional<SmallVector<int64_t>> IntegerLoop::run(int64_t from, int64_t to,
                                                     int64_t step) {
  SmallVector<int64_t> in, next(yielded.size());
  for (int64_t i = from; i < to; i += step) {
    numbers[0] = i;
    for (const Step &inner : steps) {
      std::optional<int64_t> value;
      if (inner.tensor) {
        value = read(inner);
      } else {
        in.clear();
        for (unsigned place : inner.operands)
          in.push_back(numbers[place]);
        value = evaluateInteger(inner.op, in);
      }
      if (!value)
        return std::nullopt;
      numbers[inner.result] =
          wrapInteger(*value, inner.op->getResult(0).getType());
    }
    for (auto [value, place] : llvm::zip(next, yielded))
      value = numbers[place];
    for (auto [value, place] : llvm::zip(next, arguments))
      numbers[place] = value;
  }
  SmallVector<int64_t> results;
  for (unsigned place : arguments)
    results.push_back(numbers[place]);
  return results;
}

std::optional<SmallVector<int64_t>>
flash::runIntegerLoop(scf::ForOp loop, const IndexInterpreter &known,
                      int64_t from, int64_t to, int64_t step) {
  IntegerLoop integers(loop, known);
  if (failed(integers.prepare()))
    return std::nullopt;
  return integers.run(from, to, step);
}
