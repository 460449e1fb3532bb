//===- OperandKinds.cpp - What masks and scores take ------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a mask or a score function says of its operands, asked of types.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/IR/Flash.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace flash;

StringRef flash::nameOfDim(const OperandDim &dim) {
  switch (dim.along) {
  case Along::Batch:
  case Along::RowBatch:
    return "batch";
  case Along::Heads:
    return "number of heads";
  case Along::Queries:
    return "number of queries";
  case Along::QueryBlocks:
    return "number of blocks of queries";
  case Along::Keys:
    return "number of keys";
  case Along::Anything:
    return "size";
  }
  return "";
}

int64_t flash::wantedSize(const OperandDim &dim, const AttentionDims &dims) {
  switch (dim.along) {
  case Along::Batch:
    return dims.batch;
  case Along::RowBatch:
    return dims.rowBatch;
  case Along::Heads:
    return dims.heads;
  case Along::Queries:
    return dims.queries;
  case Along::QueryBlocks:
    return ShapedType::isDynamic(dims.ownQueries)
               ? dims.ownQueries
               : int64_t(llvm::divideCeil(dims.ownQueries, dim.each));
  case Along::Keys:
    return dims.keys;
  case Along::Anything:
    return ShapedType::kDynamic;
  }
  return ShapedType::kDynamic;
}

static LogicalResult verifyOperand(function_ref<InFlightDiagnostic()> emitError,
                                   const OperandKind &kind,
                                   const AttentionDims &dims, Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  ArrayRef<OperandDim> wanted = kind.dimsOf(tensor ? tensor.getRank() : 0);
  bool fits = tensor && tensor.getRank() == int64_t(wanted.size()) &&
              (kind.ofFloats ? isa<FloatType>(tensor.getElementType()) &&
                                   tensor.getElementTypeBitWidth() >= 16
                             : tensor.getElementType().isInteger(32));
  if (!fits)
    return emitError() << "operand '" << kind.name << "' is " << type
                       << ", but must be a tensor of rank " << wanted.size()
                       << (kind.ofFloats ? " of floats" : " of i32");
  for (auto [dim, want] : llvm::enumerate(wanted)) {
    int64_t size = tensor.getDimSize(dim), needed = wantedSize(want, dims);
    if (ShapedType::isDynamic(size) || ShapedType::isDynamic(needed) ||
        size == needed || (want.broadcasts && size == 1))
      continue;
    return emitError() << nameOfDim(want) << " differs: operand '" << kind.name
                       << "' has " << size << " (dimension " << dim
                       << "), the attention has " << needed;
  }
  return success();
}

LogicalResult
flash::verifyOperands(function_ref<InFlightDiagnostic()> emitError,
                      ArrayRef<OperandKind> kinds, const AttentionDims &dims,
                      TypeRange operands) {
  for (auto [kind, type] : llvm::zip_equal(kinds, operands))
    if (failed(verifyOperand(emitError, kind, dims, type)))
      return failure();
  return success();
}
