//===- IOCounters.h - Counters of a running program -------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// flash-count-io leaves one counter for each tensor that a tiled operation
// reads or writes; a report says what each must hold after a call.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_ANALYSIS_IOCOUNTERS_H
#define FLASH_DIALECT_FLASH_ANALYSIS_IOCOUNTERS_H

#include "flash/Dialect/Flash/Analysis/IOModel.h"
#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace flash {

/// The global that holds the counters, an i64 each; the attribute
/// `flash.io_counters` on it describes them.
inline constexpr llvm::StringLiteral kIOCountersName = "flash_io_counters";

/// What operation `operation` (numbered as in FunctionIO) reads of or writes
/// to the tensor `value` (`arg0`, `op0.1`).
struct IOCounter {
  int64_t operation = 0;
  std::string value;
  bool isLoad = true;
  int64_t bytes = 0;

  bool operator<(const IOCounter &other) const {
    return std::tie(operation, value, isLoad) <
           std::tie(other.operation, other.value, other.isLoad);
  }
};

/// The counters of a module that flash-count-io ran on, at 0.
std::vector<IOCounter> getIOCounters(mlir::ModuleOp module);

/// What a report says that each must count; tensors that nothing moves are
/// left out.
std::vector<IOCounter> predictIOCounters(const FunctionIO &io);

/// One line for each counter whose bytes differ, or that only one side has;
/// empty if all are equal.
std::string compareIOCounters(llvm::ArrayRef<IOCounter> predicted,
                              llvm::ArrayRef<IOCounter> counted);

} // namespace flash

#endif // FLASH_DIALECT_FLASH_ANALYSIS_IOCOUNTERS_H
