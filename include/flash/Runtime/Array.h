//===- Array.h - Dense host arrays ------------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A dense C-order array in host memory, aligned to 64 bytes so that compiled
// code may use whole vector registers and cache lines. Creation can fail: sizes
// come from users.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_RUNTIME_ARRAY_H
#define FLASH_RUNTIME_ARRAY_H

#include "flash/Runtime/DType.h"
#include "flash/Runtime/Status.h"

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace flash::rt {

class Array {
public:
  static constexpr size_t kAlignment = 64;

  /// A zero-filled array; an error when a dimension is negative, the size
  /// overflows 64 bits, or memory is short.
  static Result<Array> create(DType type, std::vector<int64_t> shape);

  DType dtype() const { return type; }
  const std::vector<int64_t> &shape() const { return dims; }
  int64_t rank() const { return static_cast<int64_t>(dims.size()); }
  int64_t numElements() const { return count; }
  int64_t sizeInBytes() const { return count * sizeOf(type); }

  /// The first element; never null, also when there are no elements.
  void *data() { return storage.get(); }
  const void *data() const { return storage.get(); }
  template <typename T> T *dataAs() { return static_cast<T *>(data()); }
  template <typename T> const T *dataAs() const {
    return static_cast<const T *>(data());
  }

  /// Element `index` in C order, whatever its type, as a double.
  double at(int64_t index) const;
  /// Writes element `index`; 16-bit types round to nearest even by way of f32.
  void set(int64_t index, double value);

private:
  struct Free {
    void operator()(void *pointer) const { std::free(pointer); }
  };

  Array() = default;

  DType type = DType::F32;
  std::vector<int64_t> dims;
  int64_t count = 0;
  std::unique_ptr<std::byte, Free> storage;
};

/// A shape as text, `2x3x128`; `scalar` for rank 0.
std::string shapeToString(const std::vector<int64_t> &shape);

/// Elements of `shape`, or an error naming the dimension at fault.
Result<int64_t> countElements(const std::vector<int64_t> &shape);

} // namespace flash::rt

#endif // FLASH_RUNTIME_ARRAY_H
