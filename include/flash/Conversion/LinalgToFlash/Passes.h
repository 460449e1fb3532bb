//===- Passes.h - From linalg to attention ----------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_CONVERSION_LINALGTOFLASH_PASSES_H
#define FLASH_CONVERSION_LINALGTOFLASH_PASSES_H

#include "flash/Dialect/Flash/IR/Flash.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Pass/Pass.h"

namespace flash {

#define GEN_PASS_DECL
#include "flash/Conversion/LinalgToFlash/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "flash/Conversion/LinalgToFlash/Passes.h.inc"

} // namespace flash

#endif // FLASH_CONVERSION_LINALGTOFLASH_PASSES_H
