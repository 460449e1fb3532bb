//===- TranslateInlinePtx.h - flash_tile.inline_ptx in LLVM IR --*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The translation of the one op of ours that kernels have at L4.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_TARGET_PTX_TRANSLATEINLINEPTX_H
#define FLASH_LIB_TARGET_PTX_TRANSLATEINLINEPTX_H

#include "mlir/IR/DialectRegistry.h"

namespace flash {

void registerInlinePtxTranslation(mlir::DialectRegistry &registry);

} // namespace flash

#endif // FLASH_LIB_TARGET_PTX_TRANSLATEINLINEPTX_H
