//===- Output.h - What becomes of the second contraction --------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
#ifndef FLASH_CONVERSION_LINALGTOFLASH_OUTPUT_H
#define FLASH_CONVERSION_LINALGTOFLASH_OUTPUT_H

#include "Matchers.h"

namespace flash::raise {

/// The value that the attention replaces, and its element's indices.
struct Output {
  mlir::Value value;
  Indices at;
  /// The second contraction, and what leads from it to the value or beyond.
  llvm::SmallVector<mlir::Operation *> path = {};
};

/// From the second contraction's result on through its only users, as far as
/// they move it, round it to `element`, or divide it by the softmax's sum.
mlir::FailureOr<Output> followOutput(Match &match, const Contraction &product,
                                     const Softmax &softmax,
                                     mlir::AffineExpr key, mlir::Type element);

/// Checks that nothing else reads what lies between the contractions.
llvm::LogicalResult checkOnlyUse(Match &match, const Contraction &scores,
                                 const Output &output);

} // namespace flash::raise

#endif // FLASH_CONVERSION_LINALGTOFLASH_OUTPUT_H
