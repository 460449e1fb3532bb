//===- MaskBlocks.h - Which blocks a mask lets through ----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A mask answers in IR. Here its answers are numbers: they are built once and
// run for each block. Nothing here knows a mask, so a new one is understood as
// soon as it has the interface.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_ANALYSIS_MASKBLOCKS_H
#define FLASH_DIALECT_FLASH_ANALYSIS_MASKBLOCKS_H

#include "flash/Dialect/Flash/Analysis/IndexInterpreter.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace flash {

/// [first, end) of positions; nothing on a side is no bound.
struct KeyRange {
  std::optional<int64_t> first, end;
};

class MaskBlocks {
public:
  /// Of an attention, whose sizes and operands `known` has.
  MaskBlocks(AttentionOp op, const IndexInterpreter &known);

  /// Whether there is a mask at all.
  bool hasMask() const { return bool(mask); }

  /// The positions of keys that some query of [qFirst, qLast] may see.
  llvm::FailureOr<KeyRange> visibleKeys(int64_t qFirst, int64_t qLast);

  /// Whether each query of a block sees each key of it.
  llvm::FailureOr<bool> isFull(int64_t qFirst, int64_t qLast, int64_t kFirst,
                               int64_t kLast);

private:
  /// A function of positions whose body is an answer.
  struct Question {
    mlir::OwningOpRef<mlir::func::FuncOp> func;
    llvm::SmallVector<mlir::Value> answers;
  };
  llvm::LogicalResult ask(Question &question,
                          llvm::ArrayRef<int64_t> positions);

  AttentionOp op;
  MaskAttrInterface mask;
  Question visible, full;
  IndexInterpreter interpreter;
};

} // namespace flash

#endif // FLASH_DIALECT_FLASH_ANALYSIS_MASKBLOCKS_H
