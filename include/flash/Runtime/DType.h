//===- DType.h - Element types ----------------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The element types that arrays, .npy files, launch plans and tensor maps
// share.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_RUNTIME_DTYPE_H
#define FLASH_RUNTIME_DTYPE_H

#include <cstdint>

namespace flash::rt {

enum class DType { F32, F16, BF16, F64, I64, I32, I8, I1, F8E4M3FN, F8E5M2 };

/// Bytes of one element.
inline int64_t sizeOf(DType type) {
  switch (type) {
  case DType::I8:
  case DType::I1: // a byte, 0 or 1
  case DType::F8E4M3FN:
  case DType::F8E5M2:
    return 1;
  case DType::F16:
  case DType::BF16:
    return 2;
  case DType::F32:
  case DType::I32:
    return 4;
  case DType::F64:
  case DType::I64:
    return 8;
  }
  return 0;
}

/// The type's name as MLIR writes it.
inline const char *nameOf(DType type) {
  switch (type) {
  case DType::F32:
    return "f32";
  case DType::F16:
    return "f16";
  case DType::BF16:
    return "bf16";
  case DType::F64:
    return "f64";
  case DType::I64:
    return "i64";
  case DType::I32:
    return "i32";
  case DType::I8:
    return "i8";
  case DType::I1:
    return "i1";
  case DType::F8E4M3FN:
    return "f8E4M3FN";
  case DType::F8E5M2:
    return "f8E5M2";
  }
  return "?";
}

inline bool isFloat(DType type) {
  return type != DType::I64 && type != DType::I32 && type != DType::I8 &&
         type != DType::I1;
}

} // namespace flash::rt

#endif // FLASH_RUNTIME_DTYPE_H
