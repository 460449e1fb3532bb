//===- KnownAttributes.td - Misspelt attributes are errors -*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The trait of KnownAttributes.h, for the classes that all operations of a
// dialect have.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_UTILS_KNOWNATTRIBUTES_TD
#define FLASH_DIALECT_UTILS_KNOWNATTRIBUTES_TD

include "mlir/IR/OpBase.td"

def KnownAttributes : NativeOpTrait<"KnownAttributes"> {
  let cppNamespace = "::flash";
}

#endif // FLASH_DIALECT_UTILS_KNOWNATTRIBUTES_TD
