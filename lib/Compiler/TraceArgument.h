//===- TraceArgument.h - Arguments behind reshapes --------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which argument of a function a value is, through casts, and through reshapes
// and transposes as raising leaves them:
//
//   %q4 = tensor.expand_shape %q [[0], [1], [2, 3]] ...  // %q4 is argument 0,
//   flash.attention %q4, ...                             // its sq arg0.1
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_COMPILER_TRACEARGUMENT_H
#define FLASH_LIB_COMPILER_TRACEARGUMENT_H

#include "mlir/IR/Value.h"

#include <optional>
#include <utility>

namespace flash::compiler {

/// The argument; null if it is none.
mlir::BlockArgument traceArgument(mlir::Value value);

/// The argument and its dimension that a dimension is; nothing where it is a
/// part of one, or joined of several.
std::optional<std::pair<int, int>> traceDim(mlir::Value value, int dim);

} // namespace flash::compiler

#endif // FLASH_LIB_COMPILER_TRACEARGUMENT_H
