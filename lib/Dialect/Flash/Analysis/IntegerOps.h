//===- IntegerOps.h - Integer arithmetic as it is run -----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_ANALYSIS_INTEGEROPS_H
#define FLASH_LIB_DIALECT_FLASH_ANALYSIS_INTEGEROPS_H

#include "mlir/IR/Operation.h"

#include <optional>

namespace flash {

/// A value of the type as the folders see it: sign-extended, i1 as 0 or 1.
int64_t wrapInteger(int64_t value, mlir::Type type);

/// The result of an op on numbers, not wrapped yet; null for one that is left
/// to the folders.
std::optional<int64_t> evaluateInteger(mlir::Operation *op,
                                       llvm::ArrayRef<int64_t> in);

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_ANALYSIS_INTEGEROPS_H
