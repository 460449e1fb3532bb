//===- InlineCalls.h - Calls become what they call --------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A layer or a score function of its own is called by name:
//
//   %r = func.call @layer(%q, %k, %v)     ->     the body of @layer
//
// What is compiled is one function, so that calls are inlined before, around
// attentions and in their regions.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_COMPILER_INLINECALLS_H
#define FLASH_COMPILER_INLINECALLS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace flash {

/// Inlines each call of `func`, and what it calls itself, from `callees`. An
/// error, at the call, where a callee is not there, has several blocks or calls
/// itself.
mlir::LogicalResult inlineCalls(mlir::func::FuncOp func,
                                mlir::ModuleOp callees);

} // namespace flash

#endif // FLASH_COMPILER_INLINECALLS_H
