//===- IndexInterpreter.cpp - Runs the sizes of a program -----------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Blocks, branches, loops and numbers; IndexTensors.cpp has tensors. Arithmetic
// is done by the ops' own folders, but for integers where they are common (a
// mask is asked once for each block) and for floats where folders stop.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Analysis/IndexInterpreter.h"

#include "FloatOps.h"
#include "IntegerLoop.h"
#include "IntegerOps.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace flash;

std::optional<int64_t> IndexInterpreter::number(OpFoldResult value) const {
  if (std::optional<int64_t> constant = getConstantIntValue(value))
    return constant;
  return number(cast<Value>(value));
}

LogicalResult IndexInterpreter::visitLoop(Operation *op) {
  auto yield = [&](Block &block, ValueRange into) {
    SmallVector<KnownValue> yielded;
    for (Value value : block.getTerminator()->getOperands()) {
      const KnownValue *known = find(value);
      yielded.push_back(known ? *known : KnownValue());
    }
    for (auto [value, known] : llvm::zip(into, yielded))
      set(value, known);
  };
  if (auto branch = dyn_cast<scf::IfOp>(op)) {
    std::optional<int64_t> condition = number(branch.getCondition());
    if (!condition)
      return failure();
    Block *block = *condition ? branch.thenBlock() : branch.elseBlock();
    if (!block)
      return success();
    if (failed(visitAll(*block)))
      return failure();
    yield(*block, branch.getResults());
    return success();
  }
  auto loop = cast<scf::ForOp>(op);
  std::optional<int64_t> from = number(loop.getLowerBound()),
                         to = number(loop.getUpperBound()),
                         step = number(loop.getStep());
  if (!from || !to || !step || *step < 1)
    return failure();
  if (auto results = runIntegerLoop(loop, *this, *from, *to, *step)) {
    auto size = static_cast<int64_t>(loop.getBody()->getOperations().size());
    work += std::max<int64_t>(*to - *from, 0) / *step * size / 8;
    for (auto [result, number] : llvm::zip(loop.getResults(), *results))
      set(result, number);
    return success();
  }
  for (auto [init, arg] :
       llvm::zip(loop.getInits(), loop.getRegionIterArgs())) {
    const KnownValue *known = find(init);
    set(arg, known ? KnownValue(*known) : KnownValue());
  }
  for (int64_t i = *from; i < *to; i += *step) {
    set(loop.getInductionVar(), i);
    if (failed(visitAll(*loop.getBody())))
      return failure();
    yield(*loop.getBody(), loop.getRegionIterArgs());
  }
  for (auto [arg, result] :
       llvm::zip(loop.getRegionIterArgs(), loop.getResults())) {
    const KnownValue *known = find(arg);
    set(result, known ? KnownValue(*known) : KnownValue());
  }
  return success();
}

/// What an operand's value is as an attribute; null if it is not known.
Attribute IndexInterpreter::toAttribute(Value value) const {
  const KnownValue *known = find(value);
  Type type = value.getType();
  if (known && known->integer && type.isIntOrIndex())
    return IntegerAttr::get(type, *known->integer);
  if (known && known->real && isa<FloatType>(type))
    return FloatAttr::get(type, *known->real);
  return {};
}

bool IndexInterpreter::setFrom(Value value, Attribute attribute) {
  if (auto integer = dyn_cast_if_present<IntegerAttr>(attribute))
    set(value, wrapInteger(integer.getValue().getSExtValue(), value.getType()));
  else if (auto real = dyn_cast_if_present<FloatAttr>(attribute))
    set(value, KnownValue::floating(real.getValueAsDouble()));
  else
    return false;
  return true;
}

bool IndexInterpreter::fold(Operation *op) {
  SmallVector<Attribute> operands;
  for (Value operand : op->getOperands())
    operands.push_back(toAttribute(operand));
  SmallVector<OpFoldResult> results;
  if (failed(op->fold(operands, results)) ||
      results.size() != op->getNumResults())
    return op->getNumResults() == 1 &&
           setFrom(op->getResult(0), evaluateFloat(op, operands));
  for (auto [result, folded] : llvm::zip(op->getResults(), results)) {
    if (auto value = dyn_cast<Value>(folded)) {
      if (const KnownValue *known = find(value))
        values[result] = KnownValue(*known);
    } else {
      setFrom(result, cast<Attribute>(folded));
    }
  }
  return true;
}

LogicalResult IndexInterpreter::visitNumber(Operation *op) {
  Attribute constant;
  if (matchPattern(op, m_Constant(&constant))) {
    setFrom(op->getResult(0), constant); // of another type: nobody asks
    return success();
  }
  SmallVector<int64_t> in;
  for (Value operand : op->getOperands())
    if (std::optional<int64_t> known = number(operand))
      in.push_back(*known);
  if (in.size() == op->getNumOperands() && op->getNumResults() == 1) {
    if (std::optional<int64_t> value = evaluateInteger(op, in)) {
      set(op->getResult(0), wrapInteger(*value, op->getResult(0).getType()));
      return success();
    }
  }
  return success(fold(op));
}

LogicalResult IndexInterpreter::visit(Operation *op) {
  ++work;
  if (op->getNumResults() == 0 && op->getNumRegions() == 0)
    return success(); // an assertion
  if (isa<scf::ForOp, scf::IfOp>(op))
    return visitLoop(op);
  if (isa<tensor::TensorDialect>(op->getDialect()) ||
      isa<AttentionOp, MergeOp>(op))
    return visitTensor(op);
  return visitNumber(op);
}

LogicalResult IndexInterpreter::visitAll(Block &block) {
  for (Operation &op : block.without_terminator())
    if (failed(visit(&op))) {
      // Of a loop it is the op inside, where there is one.
      if (!culprit)
        culprit = &op;
      return failure();
    }
  return success();
}

LogicalResult IndexInterpreter::run(Block &block) {
  culprit = nullptr;
  if (succeeded(visitAll(block)))
    return success();
  if (isa<tensor::ExtractOp>(culprit))
    return culprit->emitError("reads an element that is not known here; "
                              "flash-run --io-report knows a call's data");
  return culprit->emitError() << "'" << culprit->getName()
                              << "' is not understood where sizes and "
                                 "positions are computed";
}

LogicalResult IndexInterpreter::run(func::FuncOp func,
                                    ArrayRef<KnownValue> arguments) {
  if (func.isExternal() || !func.getBody().hasOneBlock())
    return func.emitError("a body of one block is needed");
  if (arguments.size() != func.getNumArguments())
    return func.emitError() << "takes " << func.getNumArguments()
                            << " arguments, not " << arguments.size();
  for (auto [argument, known] : llvm::zip(func.getArguments(), arguments))
    set(argument, known);
  for (Operation &op : func.getBody().front().without_terminator())
    if (failed(visit(&op)))
      takeShapes(&op);
  return success();
}
