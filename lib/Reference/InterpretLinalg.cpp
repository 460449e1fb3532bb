//===- InterpretLinalg.cpp - Linalg around attention ------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What raising leaves around an attention: transposes, fills, element-wise ops,
// reductions. Each is its loops, in order, and its body:
//
//   for i, j: out[i] = body(a[i, j], out[i])
//
//===----------------------------------------------------------------------===//

#include "InterpreterImpl.h"
#include "ScalarBody.h"

using namespace mlir;
using namespace flash;
using namespace flash::reference;
using rt::Array;
using rt::Result;
using rt::Status;

namespace {
/// An operand whose elements are read, and written if it is a destination.
struct Access {
  AffineMap map;
  const Array *array = nullptr; // null: a number, the same everywhere
  Array *written = nullptr;
  ScalarBody::Slot number = {};

  /// The element; -1 if it is outside.
  int64_t at(ArrayRef<int64_t> loops) const {
    SmallVector<int64_t> indices = map.compose(loops);
    int64_t flat = 0;
    for (auto [index, size] : llvm::zip(indices, array->shape())) {
      if (index < 0 || index >= size)
        return -1;
      flat = flat * size + index;
    }
    return flat;
  }
};
} // namespace

Result<std::vector<int64_t>> Interpreter::loopSizes(linalg::LinalgOp op) {
  std::vector<int64_t> sizes(op.getNumLoops(), -1);
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<RankedTensorType>(operand.get().getType()))
      continue;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [index, size] :
         llvm::zip(map.getResults(), tensor(operand.get()).shape)) {
      auto loop = dyn_cast<AffineDimExpr>(index);
      if (!loop)
        continue;
      int64_t &known = sizes[loop.getPosition()];
      if (known >= 0 && known != size)
        return errorAt(op, "loop " + std::to_string(loop.getPosition()) +
                               " has " + std::to_string(known) +
                               " steps by one operand, and " +
                               std::to_string(size) + " by operand " +
                               std::to_string(operand.getOperandNumber()));
      known = size;
    }
  }
  if (llvm::is_contained(sizes, -1))
    return errorAt(op, "the size of a loop is no dimension of an operand");
  return sizes;
}

/// Calls `step` at each point, the last loop fastest.
static void forEachPoint(ArrayRef<int64_t> sizes,
                         llvm::function_ref<void(ArrayRef<int64_t>)> step) {
  if (llvm::is_contained(sizes, 0))
    return;
  SmallVector<int64_t> point(sizes.size());
  while (true) {
    step(point);
    int64_t loop = int64_t(sizes.size()) - 1;
    while (loop >= 0 && ++point[loop] == sizes[loop])
      point[loop--] = 0;
    if (loop < 0)
      return;
  }
}

Status Interpreter::visit(linalg::LinalgOp op) {
  if (!op.hasPureTensorSemantics())
    return errorAt(op, "works on buffers");
  Result<std::vector<int64_t>> sizes = loopSizes(op);
  if (sizes.failed())
    return sizes.status();
  if (!arithmetic) {
    // Integers that are computed may be sizes or positions.
    for (auto [result, init] : llvm::zip(op->getResults(), op.getDpsInits()))
      if (Status status = bindShape(result, tensor(init).shape);
          status.failed())
        return status;
    return Status::success();
  }

  auto around = [&](Value value) -> const RuntimeValue & {
    return values[value];
  };
  Result<std::shared_ptr<const ScalarBody>> body =
      ScalarBody::getLinalg(op, around, *arithmetic);
  if (body.failed())
    return errorAt(op, body.message());
  SmallVector<Array> results;
  for (Value init : op.getDpsInits()) {
    Result<Array> copy = copyOf(tensor(init));
    if (copy.failed())
      return errorAt(op, copy.message());
    results.push_back(std::move(*copy));
  }
  SmallVector<Access> operands;
  for (OpOperand &operand : op->getOpOperands()) {
    Access access{op.getMatchingIndexingMap(&operand)};
    const RuntimeValue &value = values[operand.get()];
    if (op.isDpsInit(&operand))
      access.array = access.written =
          &results[operand.getOperandNumber() - op.getNumDpsInputs()];
    else if (const auto *read = std::get_if<Tensor>(&value))
      access.array = read->array.get();
    else if (const auto *real = std::get_if<double>(&value))
      access.number.real = *real;
    else
      access.number.integer = std::get<int64_t>(value);
    operands.push_back(access);
  }

  SmallVector<ScalarBody::Slot> elements(operands.size()), yielded;
  SmallVector<int64_t> places(operands.size());
  bool outside = false;
  forEachPoint(*sizes, [&](ArrayRef<int64_t> loops) {
    for (auto [index, access] : llvm::enumerate(operands)) {
      elements[index] = access.number;
      if (!access.array)
        continue;
      places[index] = access.at(loops);
      outside |= places[index] < 0;
      if (outside)
        return;
      elements[index] = ScalarBody::read(*access.array, places[index]);
    }
    (*body)->run(elements, loops, yielded);
    for (auto [index, slot] : llvm::enumerate(yielded)) {
      size_t operand = op.getNumDpsInputs() + index;
      ScalarBody::write(*operands[operand].written, places[operand], slot);
    }
  });
  if (outside)
    return errorAt(op, "an operand is read outside of its shape");
  if ((*body)->status().failed())
    return errorAt(op, (*body)->status().message());
  for (auto [result, array] : llvm::zip(op->getResults(), results))
    if (Status status = bind(result, std::move(array),
                             getElementTypeOrSelf(result.getType()));
        status.failed())
      return status;
  return Status::success();
}
