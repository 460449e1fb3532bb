//===- ElementType.cpp - Element types of MLIR and the runtime ------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// bf16 -> DType::BF16. An index has 64 bits.
//
//===----------------------------------------------------------------------===//

#include "flash/Target/ElementType.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using flash::rt::DType;
using flash::rt::Result;

Result<DType> flash::convertElementType(Type type) {
  auto found = llvm::TypeSwitch<Type, std::optional<DType>>(type)
                   .Case([](Float16Type) { return DType::F16; })
                   .Case([](BFloat16Type) { return DType::BF16; })
                   .Case([](Float32Type) { return DType::F32; })
                   .Case([](Float64Type) { return DType::F64; })
                   .Case([](Float8E4M3FNType) { return DType::F8E4M3FN; })
                   .Case([](Float8E5M2Type) { return DType::F8E5M2; })
                   .Case([](IndexType) { return DType::I64; })
                   .Case([](IntegerType integer) -> std::optional<DType> {
                     switch (integer.getWidth()) {
                     case 1:
                       return DType::I1;
                     case 8:
                       return DType::I8;
                     case 32:
                       return DType::I32;
                     case 64:
                       return DType::I64;
                     default:
                       return std::nullopt;
                     }
                   })
                   .Default([](Type) { return std::nullopt; });
  if (found)
    return *found;
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return rt::Status::error("element type " + text + " is not supported");
}
