//===- BytecodeVersion.h - Which version of a dialect is kept ---*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Bytecode that holds operations of a dialect of ours says the dialect's
// version, so that a program that is older than the file says so, and does not
// complain about what it does not know. Attributes and types stand in bytecode
// as they print.
//
// Whoever changes a dialect so that what was written before is read otherwise
// raises its `kBytecodeVersion`.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_UTILS_BYTECODEVERSION_H
#define FLASH_DIALECT_UTILS_BYTECODEVERSION_H

#include "mlir/Bytecode/BytecodeImplementation.h"

namespace flash {

struct BytecodeVersion : mlir::DialectVersion {
  explicit BytecodeVersion(uint64_t number) : number(number) {}
  uint64_t number;
};

/// Writes the version of its dialect, `current`, unless the writer was told
/// another one; reads versions up to that.
class VersionedBytecode : public mlir::BytecodeDialectInterface {
public:
  VersionedBytecode(mlir::Dialect *dialect, uint64_t current)
      : BytecodeDialectInterface(dialect), current(current) {}

  void writeVersion(mlir::DialectBytecodeWriter &writer) const override;
  std::unique_ptr<mlir::DialectVersion>
  readVersion(mlir::DialectBytecodeReader &reader) const override;

private:
  uint64_t current;
};

} // namespace flash

#endif // FLASH_DIALECT_UTILS_BYTECODEVERSION_H
