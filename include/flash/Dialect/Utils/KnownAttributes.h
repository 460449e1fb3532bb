//===- KnownAttributes.h - Misspelt attributes are errors -------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// MLIR keeps any attribute on any operation. On ours, a name that the operation
// does not know says nothing to anybody, and the user meant something by it: it
// is an error that names the nearest one. Names with a dialect (`foo.bar`)
// belong to that dialect.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_UTILS_KNOWNATTRIBUTES_H
#define FLASH_DIALECT_UTILS_KNOWNATTRIBUTES_H

#include "mlir/IR/OpDefinition.h"

#include <string>

namespace flash {

/// The end of a message about an unknown name: `; did you mean 'mask'?`, or,
/// where no known name is near, `; there are 'mask' and 'scale'`.
std::string suggestName(llvm::StringRef name,
                        llvm::ArrayRef<llvm::StringRef> known);

/// Fails if the operation has an attribute without a dialect that it does not
/// know.
llvm::LogicalResult verifyKnownAttributes(mlir::Operation *op);

/// Of operations that have no attributes but their own and those of dialects.
template <typename ConcreteType>
class KnownAttributes
    : public mlir::OpTrait::TraitBase<ConcreteType, KnownAttributes> {
public:
  static llvm::LogicalResult verifyTrait(mlir::Operation *op) {
    return verifyKnownAttributes(op);
  }
};

} // namespace flash

#endif // FLASH_DIALECT_UTILS_KNOWNATTRIBUTES_H
