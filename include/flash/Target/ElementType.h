//===- ElementType.h - Element types of MLIR and the runtime ----*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_TARGET_ELEMENTTYPE_H
#define FLASH_TARGET_ELEMENTTYPE_H

#include "flash/Runtime/DType.h"
#include "flash/Runtime/Status.h"
#include "mlir/IR/Types.h"

namespace flash {

/// The runtime's name of an element type; an error for one it lacks.
rt::Result<rt::DType> convertElementType(mlir::Type type);

} // namespace flash

#endif // FLASH_TARGET_ELEMENTTYPE_H
