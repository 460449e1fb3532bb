//===- FloatOps.h - Float arithmetic as it is run ---------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_ANALYSIS_FLOATOPS_H
#define FLASH_LIB_DIALECT_FLASH_ANALYSIS_FLOATOPS_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Operation.h"

namespace flash {

/// The result of an op with one, of floats, where its folder does not give it:
/// a rounding that loses digits, some functions, and all functions of 16 bits,
/// which are those of f32 rounded. Null for other ops.
mlir::FloatAttr evaluateFloat(mlir::Operation *op,
                              llvm::ArrayRef<mlir::Attribute> operands);

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_ANALYSIS_FLOATOPS_H
