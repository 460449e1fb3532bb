//===- TargetInfo.h - Descriptions of the targets by name -------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_TARGET_TARGETINFO_H
#define FLASH_TARGET_TARGETINFO_H

#include "flash/Dialect/Flash/IR/Flash.h"
#include "llvm/ADT/StringRef.h"

namespace flash {

/// The description of `cpu` (the machine at hand), `cpu:NAME` (CPUInfo.h), a
/// GPU of the table (`sm_80`, ...), or of a #flash.target attribute's text. An
/// error is reported through `emitError` and names the targets there are.
llvm::FailureOr<TargetAttr>
parseTarget(mlir::MLIRContext *context, llvm::StringRef text,
            llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

/// Names of the GPUs in the table.
llvm::SmallVector<llvm::StringRef> getGPUNames();

} // namespace flash

#endif // FLASH_TARGET_TARGETINFO_H
