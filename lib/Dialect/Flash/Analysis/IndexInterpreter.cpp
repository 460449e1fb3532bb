//===- IndexInterpreter.cpp - Runs the sizes of a program -----------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Integer arithmetic is done here where it is common (a mask is asked once for
// each block) and by the ops' own folders elsewhere.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Analysis/IndexInterpreter.h"

#include "IntegerLoop.h"
#include "IntegerOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace flash;

std::optional<int64_t> IndexInterpreter::number(OpFoldResult value) const {
  if (std::optional<int64_t> constant = getConstantIntValue(value))
    return constant;
  return number(cast<Value>(value));
}

bool IndexInterpreter::fold(Operation *op) {
  SmallVector<Attribute> operands;
  Builder builder(op->getContext());
  for (Value operand : op->getOperands()) {
    std::optional<int64_t> known = number(operand);
    Type type = operand.getType();
    operands.push_back(known && (type.isIntOrIndex())
                           ? builder.getIntegerAttr(type, *known)
                           : Attribute());
  }
  SmallVector<OpFoldResult> results;
  if (failed(op->fold(operands, results)) ||
      results.size() != op->getNumResults())
    return false;
  for (auto [result, folded] : llvm::zip(op->getResults(), results)) {
    if (auto value = dyn_cast<Value>(folded)) {
      if (const KnownValue *known = find(value))
        values[result] = KnownValue(*known);
    } else if (auto integer = dyn_cast<IntegerAttr>(cast<Attribute>(folded))) {
      set(result, wrapInteger(integer.getValue().getSExtValue(), result.getType()));
    }
  }
  return true;
}

/// The elements of a slice, of a tensor whose elements are known; null where
/// some number is not known or leads out of the tensor.
std::shared_ptr<const std::vector<int64_t>>
IndexInterpreter::sliceElements(tensor::ExtractSliceOp slice) const {
  const KnownValue *source = find(slice.getSource());
  if (!source || !source->elements)
    return nullptr;
  auto elements = std::make_shared<std::vector<int64_t>>();
  // Positions of the slice's elements in the dimensions so far.
  std::vector<int64_t> positions{0};
  for (auto [size, offset, count, stride] :
       llvm::zip(source->shape, slice.getMixedOffsets(), slice.getMixedSizes(),
                 slice.getMixedStrides())) {
    std::optional<int64_t> first = number(offset), n = number(count),
                           step = number(stride);
    if (!first || !n || !step || *first < 0 || *n < 0 || *step < 0 ||
        (*n > 0 && *first + (*n - 1) * *step >= size))
      return nullptr;
    std::vector<int64_t> inner;
    inner.reserve(positions.size() * *n);
    for (int64_t position : positions)
      for (int64_t i = 0; i < *n; ++i)
        inner.push_back(position * size + *first + i * *step);
    positions = std::move(inner);
  }
  for (int64_t position : positions)
    elements->push_back((*source->elements)[position]);
  return elements;
}

LogicalResult IndexInterpreter::visitTensor(Operation *op) {
  auto bindShape = [&](Value result, ArrayRef<OpFoldResult> sizes,
                       std::shared_ptr<const std::vector<int64_t>> elements =
                           nullptr) -> LogicalResult {
    SmallVector<int64_t> shape;
    for (OpFoldResult size : sizes) {
      std::optional<int64_t> known = number(size);
      if (!known)
        return failure();
      shape.push_back(*known);
    }
    set(result, KnownValue::tensor(shape, std::move(elements)));
    return success();
  };
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](tensor::DimOp dim) {
        const KnownValue *source = find(dim.getSource());
        std::optional<int64_t> index = number(dim.getIndex());
        if (!source || !index || *index < 0 ||
            *index >= int64_t(source->shape.size()))
          return failure();
        set(dim, source->shape[*index]);
        return success();
      })
      .Case([&](tensor::CastOp cast) {
        if (const KnownValue *source = find(cast.getSource())) {
          set(cast, KnownValue(*source));
          return success();
        }
        return failure();
      })
      .Case([&](tensor::EmptyOp empty) {
        return bindShape(empty, empty.getMixedSizes());
      })
      .Case([&](tensor::ExtractSliceOp slice) {
        SmallVector<OpFoldResult> sizes;
        llvm::SmallBitVector dropped = slice.getDroppedDims();
        for (auto [dim, size] : llvm::enumerate(slice.getMixedSizes()))
          if (!dropped[dim])
            sizes.push_back(size);
        return bindShape(slice, sizes, sliceElements(slice));
      })
      .Case([&](tensor::ExtractOp extract) {
        const KnownValue *source = find(extract.getTensor());
        if (!source || !source->elements)
          return failure();
        int64_t position = 0;
        for (auto [size, index] :
             llvm::zip(source->shape, extract.getIndices())) {
          std::optional<int64_t> known = number(index);
          if (!known || *known < 0 || *known >= size)
            return failure();
          position = position * size + *known;
        }
        set(extract, (*source->elements)[position]);
        return success();
      })
      .Case([&](AttentionOp attention) {
        const KnownValue *query = find(attention.getQuery()),
                         *value = find(attention.getValue());
        if (!query || !value)
          return failure();
        SmallVector<int64_t> shape(query->shape.begin(), query->shape.end());
        shape.back() = value->shape.back();
        int64_t heads = attention.getHeadsDim(),
                length = attention.getLengthDim();
        SmallVector<int64_t> lse{shape[0], shape[heads], shape[length]};
        set(attention.getOutput(), KnownValue::tensor(shape));
        if (attention.getLse())
          set(attention.getLse(), KnownValue::tensor(lse));
        return success();
      })
      .Case([&](MergeOp merge) {
        const KnownValue *output = find(merge.getOutputs().front()),
                         *lse = find(merge.getLses().front());
        if (!output || !lse)
          return failure();
        KnownValue outputCopy = *output, lseCopy = *lse;
        set(merge.getOutput(), outputCopy);
        if (merge.getLse())
          set(merge.getLse(), lseCopy);
        return success();
      })
      .Default([](Operation *) { return failure(); });
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

LogicalResult IndexInterpreter::visit(Operation *op) {
  if (op->getNumResults() == 0 && op->getNumRegions() == 0)
    return success(); // an assertion
  if (isa<scf::ForOp, scf::IfOp>(op))
    return visitLoop(op);
  if (isa<tensor::TensorDialect>(op->getDialect()) ||
      isa<AttentionOp, MergeOp>(op))
    return visitTensor(op);
  IntegerAttr constant;
  if (matchPattern(op, m_Constant(&constant))) {
    set(op->getResult(0),
        wrapInteger(constant.getValue().getSExtValue(), op->getResult(0).getType()));
    return success();
  }
  if (op->hasTrait<OpTrait::ConstantLike>())
    return success(); // of another type: nobody asks
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

/// Shapes of the results of an op that is not understood.
void IndexInterpreter::takeShapes(Operation *op) {
  auto destinations = dyn_cast<DestinationStyleOpInterface>(op);
  for (OpResult result : op->getResults()) {
    auto type = dyn_cast<RankedTensorType>(result.getType());
    if (type && type.hasStaticShape()) {
      set(result, KnownValue::tensor(type.getShape()));
    } else if (type && destinations) {
      if (const KnownValue *known =
              find(destinations.getTiedOpOperand(result)->get())) {
        KnownValue shape = KnownValue::tensor(known->shape);
        set(result, std::move(shape));
      }
    }
  }
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
