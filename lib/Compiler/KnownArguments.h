//===- KnownArguments.h - A call as analyses know it ------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_COMPILER_KNOWNARGUMENTS_H
#define FLASH_LIB_COMPILER_KNOWNARGUMENTS_H

#include "flash/Dialect/Flash/Analysis/IndexInterpreter.h"
#include "flash/Runtime/Expr.h"

namespace flash::compiler {

/// Numbers and shapes of a call's arguments, and the elements of those in host
/// memory that decide what is moved.
llvm::SmallVector<KnownValue>
describeArguments(mlir::func::FuncOp func,
                  const std::vector<rt::Argument> &arguments);

} // namespace flash::compiler

#endif // FLASH_LIB_COMPILER_KNOWNARGUMENTS_H
