//===- InitAll.h - Registers what Flash provides ----------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_INITALL_H
#define FLASH_INITALL_H

#include "mlir/IR/DialectRegistry.h"

namespace flash {

/// Our dialects and the upstream ones that our passes read or write.
void registerAllDialects(mlir::DialectRegistry &registry);

/// Our passes and pipelines.
void registerOwnPasses();

/// Those, and the upstream passes that users combine with them.
void registerAllPasses();

} // namespace flash

#endif // FLASH_INITALL_H
