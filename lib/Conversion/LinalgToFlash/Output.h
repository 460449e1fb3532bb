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
                                     Softmax &softmax, mlir::AffineExpr key,
                                     mlir::Type element);

/// Checks that nothing else reads what lies between the contractions.
/// The logarithm of the sum of the exponentials, if the program has it as a
/// tensor: m + log(sum(exp(s - m))).
std::optional<Output> findLogSumExp(Match &match, const Softmax &softmax,
                                    const Contraction &product);

llvm::LogicalResult checkOnlyUse(Match &match, const Contraction &scores,
                                 const Output &output,
                                 const std::optional<Output> &lse);

/// One step on through an op that works on each element: what its body yields
/// is the caller's to look at. Nothing where it is not such an op.
std::optional<Output> stepElementwise(
    mlir::linalg::LinalgOp op, mlir::OpOperand &use, const Output &output,
    llvm::function_ref<bool(llvm::ArrayRef<mlir::AffineExpr>)> isAllowed);
/// One step on through a reshape.
std::optional<Output> stepReshape(Tracer &tracer, mlir::OpOperand &use,
                                  const Output &output);

} // namespace flash::raise

#endif // FLASH_CONVERSION_LINALGTOFLASH_OUTPUT_H
