//===- CaptureReads.h - Who reads captures, and where -----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_ANALYSIS_CAPTUREREADS_H
#define FLASH_DIALECT_FLASH_ANALYSIS_CAPTUREREADS_H

#include "flash/Dialect/Flash/IR/Flash.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SmallBitVector.h"

namespace flash {

/// How often one score, or the predicate of one, reads each capture of the
/// attention at a place that depends on the score, the query or the key.
/// `body`: the attention's score or mask region, which may be empty.
llvm::SmallVector<int64_t> countReads(AttentionOpInterface op,
                                      mlir::Region &body);

/// Whether the predicate of a mask region reads a capture at a place that
/// depends on both the query and the key: each element its own.
bool readsElements(mlir::Region &body);

/// The arguments of a function whose elements say what it moves: integers
/// (lengths, pages, lists of blocks, ...), and what the regions of masks read
/// at a place that batch and head alone decide.
llvm::SmallBitVector findAskedArguments(mlir::func::FuncOp func);

} // namespace flash

#endif // FLASH_DIALECT_FLASH_ANALYSIS_CAPTUREREADS_H
