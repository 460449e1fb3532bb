//===- IndexTensors.cpp - Shapes and elements that are known --------------===//
//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tensors have no data here beyond what is known of arguments: their shapes
// follow from op to op, and elements through slices to where one is read.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Analysis/IndexInterpreter.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace flash;

/// Where the elements of a slice lie in a tensor of this shape, row-major;
/// nothing where some number is not known or leads out of the tensor.
std::optional<std::vector<int64_t>>
IndexInterpreter::findElements(tensor::ExtractSliceOp slice,
                               ArrayRef<int64_t> shape) const {
  // Of the dimensions so far.
  std::vector<int64_t> positions{0};
  for (auto [size, offset, count, stride] :
       llvm::zip(shape, slice.getMixedOffsets(), slice.getMixedSizes(),
                 slice.getMixedStrides())) {
    std::optional<int64_t> first = number(offset), n = number(count),
                           step = number(stride);
    if (!first || !n || !step || *first < 0 || *n < 0 || *step < 0 ||
        (*n > 0 && *first + (*n - 1) * *step >= size))
      return std::nullopt;
    std::vector<int64_t> inner;
    inner.reserve(positions.size() * *n);
    for (int64_t position : positions)
      for (int64_t i = 0; i < *n; ++i)
        inner.push_back(position * size + *first + i * *step);
    positions = std::move(inner);
  }
  return positions;
}

/// The elements at these positions, of a tensor whose elements are known.
template <typename T>
static std::shared_ptr<const std::vector<T>>
pick(const std::shared_ptr<const std::vector<T>> &elements,
     ArrayRef<int64_t> positions) {
  if (!elements)
    return nullptr;
  auto picked = std::make_shared<std::vector<T>>();
  picked->reserve(positions.size());
  for (int64_t position : positions)
    picked->push_back((*elements)[position]);
  return picked;
}

LogicalResult IndexInterpreter::visitSlice(tensor::ExtractSliceOp slice) {
  SmallVector<int64_t> shape;
  llvm::SmallBitVector dropped = slice.getDroppedDims();
  for (auto [dim, size] : llvm::enumerate(slice.getMixedSizes())) {
    if (dropped[dim])
      continue;
    std::optional<int64_t> known = number(size);
    if (!known)
      return failure();
    shape.push_back(*known);
  }
  KnownValue result = KnownValue::tensor(shape);
  const KnownValue *source = find(slice.getSource());
  if (source && (source->elements || source->reals))
    if (auto positions = findElements(slice, source->shape)) {
      result.elements = pick(source->elements, *positions);
      result.reals = pick(source->reals, *positions);
    }
  set(slice, std::move(result));
  return success();
}

LogicalResult IndexInterpreter::visitExtract(tensor::ExtractOp extract) {
  const KnownValue *source = find(extract.getTensor());
  if (!source || (!source->elements && !source->reals))
    return failure();
  int64_t position = 0;
  for (auto [size, index] : llvm::zip(source->shape, extract.getIndices())) {
    std::optional<int64_t> known = number(index);
    if (!known || *known < 0 || *known >= size)
      return failure();
    position = position * size + *known;
  }
  set(extract, source->elements
                   ? KnownValue::number((*source->elements)[position])
                   : KnownValue::floating((*source->reals)[position]));
  return success();
}

LogicalResult IndexInterpreter::visitTensor(Operation *op) {
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
        SmallVector<int64_t> shape;
        for (OpFoldResult size : empty.getMixedSizes()) {
          std::optional<int64_t> known = number(size);
          if (!known)
            return failure();
          shape.push_back(*known);
        }
        set(empty, KnownValue::tensor(shape));
        return success();
      })
      .Case([&](tensor::ExtractSliceOp slice) { return visitSlice(slice); })
      .Case([&](tensor::ExtractOp extract) { return visitExtract(extract); })
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
