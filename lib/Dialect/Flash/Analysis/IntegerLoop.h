//===- IntegerLoop.h - A loop over integers, run fast -----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_ANALYSIS_INTEGERLOOP_H
#define FLASH_LIB_DIALECT_FLASH_ANALYSIS_INTEGERLOOP_H

#include "flash/Dialect/Flash/Analysis/IndexInterpreter.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace flash {

/// The results of a loop from `from` to `to` whose body computes integers from
/// integers and from elements of known tensors; nothing if it does something
/// else, or leads out of a tensor.
std::optional<llvm::SmallVector<int64_t>>
runIntegerLoop(mlir::scf::ForOp loop, const IndexInterpreter &known,
               int64_t from, int64_t to, int64_t step);

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_ANALYSIS_INTEGERLOOP_H
