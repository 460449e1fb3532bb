//===- DecomposeBackward.h - One step of a backward, written out ----------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_TRANSFORMS_DECOMPOSEBACKWARD_H
#define FLASH_LIB_DIALECT_FLASH_TRANSFORMS_DECOMPOSEBACKWARD_H

#include "flash/Dialect/Flash/IR/Flash.h"
#include "mlir/IR/PatternMatch.h"

namespace flash {

/// Values for the results of a flash.backward_step. Fails, with an error, where
/// a score function has no derivative.
llvm::FailureOr<llvm::SmallVector<mlir::Value>>
decomposeBackwardStep(mlir::RewriterBase &rewriter, BackwardStepOp op);

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_TRANSFORMS_DECOMPOSEBACKWARD_H
