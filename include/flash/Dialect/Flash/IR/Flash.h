//===- Flash.h - The flash dialect ------------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_IR_FLASH_H
#define FLASH_DIALECT_FLASH_IR_FLASH_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Attributes.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/ParallelCombiningOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

#include "flash/Dialect/Flash/IR/TilePlace.h"
#include "flash/Dialect/Utils/KnownAttributes.h"

#include "flash/Dialect/Flash/IR/FlashDialect.h.inc"
#include "flash/Dialect/Flash/IR/FlashEnums.h.inc"
#include "flash/Dialect/Flash/IR/MaskInterface.h.inc"
#include "flash/Dialect/Flash/IR/ScoreInterface.h.inc"

#define GET_ATTRDEF_CLASSES
#include "flash/Dialect/Flash/IR/FlashAttrs.h.inc"

#include "flash/Dialect/Flash/IR/AttentionInterface.h"

#define GET_OP_CLASSES
#include "flash/Dialect/Flash/IR/FlashOps.h.inc"

#endif // FLASH_DIALECT_FLASH_IR_FLASH_H
