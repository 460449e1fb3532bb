//===- Fence.h - Memory that ends where it ends -----------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Inputs of a CPU kernel lie right before a page that cannot be read, and the
// page before them cannot be either: code that looks at a position that does
// not exist stops the program, with the name of the case.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_TOOLS_FLASHMATRIX_FENCE_H
#define FLASH_TOOLS_FLASHMATRIX_FENCE_H

#include "flash/Runtime/Array.h"

#include <utility>

namespace flash::matrix {

class Fence {
public:
  /// A copy of the array's elements.
  static rt::Result<Fence> create(const rt::Array &array);
  Fence(Fence &&other) { *this = std::move(other); }
  Fence &operator=(Fence &&other) {
    std::swap(base, other.base);
    std::swap(length, other.length);
    std::swap(first, other.first);
    return *this;
  }
  ~Fence();

  /// Where the elements begin.
  void *data() const { return first; }

  /// Names the case of this thread, for the message of a bad access; makes
  /// bad accesses end the program with that message.
  static void setCase(const std::string &name);

private:
  Fence() = default;
  void *base = nullptr, *first = nullptr;
  size_t length = 0;
};

} // namespace flash::matrix

#endif // FLASH_TOOLS_FLASHMATRIX_FENCE_H
