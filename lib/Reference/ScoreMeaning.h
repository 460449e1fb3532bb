//===- ScoreMeaning.h - What score functions mean ---------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Score functions as functions of an element, written here again and without
// the compiler's interface.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_REFERENCE_SCOREMEANING_H
#define FLASH_LIB_REFERENCE_SCOREMEANING_H

#include "ScalarBody.h"

#include "flash/Dialect/Flash/IR/Flash.h"

namespace flash::reference {

/// Sets what an attention's score functions do. `operands` are their run-time
/// data, and `body` the score region where there is one.
rt::Status setScore(Options &options,
                    llvm::ArrayRef<ScoreAttrInterface> functions,
                    llvm::ArrayRef<Tensor> operands,
                    std::shared_ptr<const ScalarBody> body);

/// Sets what they do together with the slopes, for gradients. `body` has been
/// made with slopes.
rt::Status setScoreWithSlope(Options &options,
                             llvm::ArrayRef<ScoreAttrInterface> functions,
                             llvm::ArrayRef<Tensor> operands,
                             std::shared_ptr<const ScalarBody> body,
                             Arithmetic arithmetic);

/// Sets how scores depend on what they read: of the operands, and after them
/// the captures, those with these numbers. Scores have slopes already.
rt::Status setReadSlopes(Options &options,
                         llvm::ArrayRef<ScoreAttrInterface> functions,
                         llvm::ArrayRef<Tensor> operands,
                         llvm::ArrayRef<RuntimeValue> captures,
                         llvm::ArrayRef<int64_t> numbers,
                         std::shared_ptr<const ScalarBody> body,
                         Arithmetic arithmetic);

} // namespace flash::reference

#endif // FLASH_LIB_REFERENCE_SCOREMEANING_H
