//===- BytecodeVersion.cpp - Which version of a dialect is kept -----------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Utils/BytecodeVersion.h"

#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace flash;

void VersionedBytecode::writeVersion(DialectBytecodeWriter &writer) const {
  FailureOr<const DialectVersion *> told =
      writer.getDialectVersion(getDialect()->getNamespace());
  writer.writeVarInt(succeeded(told)
                         ? static_cast<const BytecodeVersion *>(*told)->number
                         : current);
}

std::unique_ptr<DialectVersion>
VersionedBytecode::readVersion(DialectBytecodeReader &reader) const {
  uint64_t number = 0;
  if (failed(reader.readVarInt(number)))
    return nullptr;
  if (number <= current)
    return std::make_unique<BytecodeVersion>(number);
  reader.emitError() << "the bytecode has version " << number
                     << " of the dialect '" << getDialect()->getNamespace()
                     << "', but this program reads versions up to " << current
                     << ": read it with a newer Flash, or write it as text";
  return nullptr;
}
