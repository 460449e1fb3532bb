//===- Rearrange.h - Tensors in another order of dimensions -----*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
#ifndef FLASH_CONVERSION_LINALGTOFLASH_REARRANGE_H
#define FLASH_CONVERSION_LINALGTOFLASH_REARRANGE_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/DenseMap.h"

namespace flash::raise {

/// For each dimension of a tensor, the domain's dimensions that it is made of.
using AtomLists = llvm::ArrayRef<llvm::SmallVector<unsigned>>;

/// The sizes of the domain's dimensions, as values where they are dynamic.
using AtomSizes = llvm::DenseMap<unsigned, mlir::OpFoldResult>;

/// Learns the sizes of the dimensions that a tensor is made of; `staticSize`
/// knows the static ones.
void addAtomSizes(mlir::OpBuilder &builder, mlir::Location loc,
                  mlir::Value tensor, AtomLists atoms,
                  llvm::function_ref<int64_t(unsigned)> staticSize,
                  AtomSizes &sizes);

/// The tensor with the same elements at dimensions `to` instead of `from`: by
/// reshapes alone where the order allows, else with a linalg.transpose.
mlir::Value rearrange(mlir::OpBuilder &builder, mlir::Location loc,
                      mlir::Value tensor, AtomLists from, AtomLists to,
                      const AtomSizes &sizes);

} // namespace flash::raise

#endif // FLASH_CONVERSION_LINALGTOFLASH_REARRANGE_H
