//===- CaptureReads.h - Captures that each score reads ----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_ANALYSIS_CAPTUREREADS_H
#define FLASH_LIB_DIALECT_FLASH_ANALYSIS_CAPTUREREADS_H

#include "flash/Dialect/Flash/IR/Flash.h"

namespace flash {

/// How often one score, or the predicate of one, reads each capture of the
/// attention at a place that depends on the score, the query or the key.
/// `body`: the attention's score or mask region, which may be empty.
llvm::SmallVector<int64_t> countReads(AttentionOp op, mlir::Region &body);

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_ANALYSIS_CAPTUREREADS_H
