//===- AttentionIO.h - What one attention moves -----------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_ANALYSIS_ATTENTIONIO_H
#define FLASH_LIB_DIALECT_FLASH_ANALYSIS_ATTENTIONIO_H

#include "IntervalSet.h"
#include "flash/Dialect/Flash/Analysis/IOModel.h"

#include <map>

namespace flash {

/// Rows of queries, or of keys, that are needed at all.
struct NeededRows {
  /// Over batches and heads.
  int64_t count = 0;
  /// Rows of the length, if all batches and heads are alike; else rows of the
  /// tensor, by head, of which each stands for `copies`.
  std::optional<IntervalSet> alike;
  std::map<int64_t, IntervalSet> byHead;
  int64_t copies = 1;
};

struct Needs {
  NeededRows queries, keys;
};

/// Fills in what an attention moves. `part` is its number where it is part of a
/// merge.
llvm::LogicalResult modelAttention(AttentionOp op, TargetAttr target,
                                   const IndexInterpreter &known,
                                   std::optional<unsigned> part,
                                   OperationIO &io, Needs &needs);

/// The names of tensors that operations of a function give: those of a backward
/// come from several loops.
class BackwardNames {
public:
  explicit BackwardNames(llvm::ArrayRef<mlir::Operation *> ops) : ops(ops) {}
  std::string of(mlir::Value value) const {
    auto it = known.find(traceTensor(value));
    return it == known.end() ? nameTensor(value, ops) : it->second;
  }
  void set(mlir::Value value, std::string name) {
    if (value)
      known[value] = std::move(name);
  }

private:
  /// One entry for each loop.
  llvm::ArrayRef<mlir::Operation *> ops;
  llvm::DenseMap<mlir::Value, std::string> known;
};

/// The loops that a backward becomes, by what it recomputes.
size_t countLoops(AttentionBackwardOp op);

/// Adds what each of a backward's loops moves; `loops` has those before.
llvm::LogicalResult modelBackward(AttentionBackwardOp op, TargetAttr target,
                                  const IndexInterpreter &known,
                                  BackwardNames &names,
                                  std::vector<OperationIO> &loops);

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_ANALYSIS_ATTENTIONIO_H
