//===- HostCPU.h - The description of this machine --------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_TARGET_HOSTCPU_H
#define FLASH_TARGET_HOSTCPU_H

#include "flash/Dialect/Flash/IR/Flash.h"

namespace flash {

/// The machine that this runs on: its vector registers, caches and cores.
TargetAttr getHostCPUTarget(mlir::MLIRContext *context);

} // namespace flash

#endif // FLASH_TARGET_HOSTCPU_H
