//===- FlashOpBase.td - What operations share  -------------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The class of all operations of the dialect.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_IR_FLASHOPBASE
#define FLASH_DIALECT_FLASH_IR_FLASHOPBASE

include "flash/Dialect/Flash/IR/FlashMasks.td"
include "flash/Dialect/Utils/KnownAttributes.td"

class Flash_Op<string mnemonic, list<Trait> traits = []>
    : Op<Flash_Dialect, mnemonic, !listconcat(traits, [KnownAttributes])>;

#endif // FLASH_DIALECT_FLASH_IR_FLASHOPBASE
