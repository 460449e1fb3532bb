//===- MaskMeaning.h - What masks mean --------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Masks as functions of an element, written here again and without the
// compiler's interface: its predicates are what is checked.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_REFERENCE_MASKMEANING_H
#define FLASH_LIB_REFERENCE_MASKMEANING_H

#include "ScalarBody.h"

namespace flash::reference {

/// Sets what an attention's mask shows. `operands` are its run-time data, and
/// `body` its region where it has one. Lists of blocks that say what there is
/// not, of `keys` keys, are an error that names list and entry.
rt::Status setMask(Options &options, mlir::Attribute mask,
                   llvm::ArrayRef<Tensor> operands,
                   std::shared_ptr<const ScalarBody> body, int64_t keys);

/// Whether what the mask shows is known without run-time data.
bool isKnownWithoutData(mlir::Attribute mask);

} // namespace flash::reference

#endif // FLASH_LIB_REFERENCE_MASKMEANING_H
