//===- CallArgument.h - An argument or result of a call ---------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a caller gives for each argument and each result: plain data that the
// caller owns, laid out as the C library's FlashArgument.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_RUNTIME_CALLARGUMENT_H
#define FLASH_RUNTIME_CALLARGUMENT_H

#include "flash/Runtime/DType.h"
#include "flash/Runtime/Expr.h"

#include <array>
#include <cstdint>

namespace flash::rt {

struct CallArgument {
  /// Of a tensor: its first element.
  void *data = nullptr;
  /// Of a tensor: as many sizes as its rank. Null for a result whose sizes the
  /// caller does not repeat.
  const int64_t *dims = nullptr;
  /// Of an index.
  int64_t value = 0;
  /// Of a tensor: as many strides, in elements; null: dense, in C order.
  const int64_t *strides = nullptr;
  /// Of a floating-point number.
  double number = 0;

  uint64_t address() const { return reinterpret_cast<uintptr_t>(data); }

  /// `argument` must outlive the result.
  static CallArgument of(const Argument &argument) {
    return {reinterpret_cast<void *>(argument.address), argument.dims.data(),
            argument.value,
            argument.strides.empty() ? nullptr : argument.strides.data(),
            argument.number};
  }
};

/// A floating-point number as code of its type reads it.
using RealBytes = std::array<char, 8>;
RealBytes convertReal(double number, DType type);

} // namespace flash::rt

#endif // FLASH_RUNTIME_CALLARGUMENT_H
