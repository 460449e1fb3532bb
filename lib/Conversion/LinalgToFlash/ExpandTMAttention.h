//===- ExpandTMAttention.h - tm_tensor.attention in linalg ------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
#ifndef FLASH_CONVERSION_LINALGTOFLASH_EXPANDTMATTENTION_H
#define FLASH_CONVERSION_LINALGTOFLASH_EXPANDTMATTENTION_H

#include "flash/Dialect/TMTensor/IR/TMTensor.h"
#include "mlir/IR/Builders.h"

namespace flash::raise {

/// Writes the op as linalg before it, and returns the result. Fails where the
/// head dim is dynamic.
mlir::FailureOr<mlir::Value> expandTMAttention(mlir::OpBuilder &builder,
                                               tm_tensor::AttentionOp op);

} // namespace flash::raise

#endif // FLASH_CONVERSION_LINALGTOFLASH_EXPANDTMATTENTION_H
